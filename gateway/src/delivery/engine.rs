//! The one task that holds what delivery knows, and starts what is to be done: claims, calls, records, scans.
//!
//! It waits for something to happen, takes in what happened, and begins whatever can begin. Everything that takes time
//! runs beside it, at most one claim, record and scan each; what arrives meanwhile goes with the next one, so commits
//! grow with the load. Dropping it drops all of that at once: rows stay claimed and are in doubt at the next start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::domain::{Bucket, OutboxId, OutboxState, Timestamp, id};
use crate::outbox::{DoubtEnd, Ended, PutOff};
use crate::ownership::{Owned, OwnedBuckets, Wakeups};
use crate::policy::Reason;
use crate::storage::buckets::Lease;
use crate::storage::holds::Held;
use crate::storage::outbox::OutboxRow;
use crate::storage::{Result, StorageError};
use crate::telemetry::names;

use super::call::{Answered, call};
use super::claim::{Outcome, claim};
use super::doubts::Doubts;
use super::intake::{Fresh, Intake, intake};
use super::ports::SendTrace;
use super::queue::{Added, Queue, Refill};
use super::record::{self, Recorded, record};
use super::scan::{self, PAGE, Settled};
use super::world::{Placed, World};

/// How often it looks at the database and at its doubts although nobody called.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How far back that look goes. What is older was seen before or is found by a sweep.
const LOOK_BACK: Duration = Duration::from_secs(60);
/// How often everything that is to be done is read again: for a row that slipped through all else.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// After the database failed.
const PAUSE: Duration = Duration::from_millis(250);
/// Until every cache has a hold that was just placed.
const HOLD_SPREADS: Duration = Duration::from_secs(2);

/// The delivery of one node.
pub struct Delivery {
    world: Arc<World>,
    placed: Arc<Placed>,
    owned: Owned,
    /// What we work for: what `owned` says, without what a fence has shown to be lost.
    leases: Arc<OwnedBuckets>,
    lost: BTreeMap<Bucket, i64>,
    /// How often buckets went.
    losses: u64,
    /// Buckets whose former owner's claims are in doubt by now, and those of them whose rows have all been seen.
    taken: BTreeSet<Bucket>,
    scanned: BTreeSet<Bucket>,
    wakeups: Arc<Wakeups>,
    fresh: Fresh,
    queue: Queue,
    doubts: Doubts,
    under_way: usize,
    answers: Vec<Answered>,
    tasks: JoinSet<Done>,
    /// Rows that a claim whose commit was not answered may have left claimed: they were never called.
    unsure: BTreeMap<OutboxId, Bucket>,
    claiming: bool,
    recording: bool,
    reading: bool,
    settling: bool,
    scan: Option<Scan>,
    fresh_ended: bool,
    looked_at: Timestamp,
    swept_at: Timestamp,
    look_now: bool,
    rest_until: Timestamp,
    stopping: bool,
}

/// A walk through everything that is to be done, page by page.
#[derive(Debug, Clone)]
struct Scan {
    buckets: Vec<Bucket>,
    /// They are new here: when it ends, all their rows have been seen.
    first: bool,
    after: OutboxId,
    /// Buckets that went since it began make it worthless.
    losses: u64,
}

/// What a task beside the engine has done.
enum Done {
    /// With the leases that it was made under.
    Claimed(Vec<OutboxRow>, Arc<OwnedBuckets>, Result<Outcome>),
    Answered(Answered),
    Recorded(Vec<Answered>, Result<Vec<Recorded>>),
    TakenOver(Vec<Lease>, Result<u64>),
    Scanned(Scan, Result<Vec<OutboxRow>>),
    Refilled(Refill, Result<Vec<OutboxRow>>),
    Asked(Vec<OutboxId>, Result<Vec<OutboxId>>),
    Settled(Arc<OwnedBuckets>, Result<Vec<Settled>>),
}

impl Delivery {
    pub fn new(world: World, owned: Owned, wakeups: Arc<Wakeups>) -> (Self, Intake) {
        let (intake, fresh) = intake();
        let config = &world.config;
        let queue = Queue::new(config.queue_per_number, config.concurrency_per_number);
        let delivery = Self {
            world: Arc::new(world),
            placed: Arc::default(),
            owned,
            leases: Arc::default(),
            lost: BTreeMap::new(),
            losses: 0,
            taken: BTreeSet::new(),
            scanned: BTreeSet::new(),
            wakeups,
            fresh,
            queue,
            doubts: Doubts::default(),
            under_way: 0,
            answers: Vec::new(),
            tasks: JoinSet::new(),
            unsure: BTreeMap::new(),
            claiming: false,
            recording: false,
            reading: false,
            settling: false,
            scan: None,
            fresh_ended: false,
            looked_at: Timestamp::ZERO,
            swept_at: Timestamp::ZERO,
            look_now: false,
            rest_until: Timestamp::ZERO,
            stopping: false,
        };
        (delivery, intake)
    }

    /// Works until `soft`, then ends what is under way; `hard` ends at once. A row whose answer was not recorded is in
    /// doubt for whoever owns its bucket next.
    pub async fn run(mut self, soft: CancellationToken, hard: CancellationToken) {
        let wakeups = self.wakeups.clone();
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.own();
        while !(self.stopping && self.is_idle()) {
            self.begin_what_can();
            let timer = self.timer();
            tokio::select! {
                () = hard.cancelled() => return,
                () = soft.cancelled(), if !self.stopping => self.stopping = true,
                changed = self.owned.changed() => match changed {
                    Ok(()) => self.own(),
                    Err(_) => self.stopping = true,
                },
                rows = self.fresh.next(), if !self.stopping && !self.fresh_ended => self.take_fresh(rows),
                Some(done) = self.tasks.join_next() => self.take_in_all(done),
                () = wakeups.outbox.notified() => self.look_now = true,
                _ = ticks.tick() => self.tick(),
                () = tokio::time::sleep(timer) => {}
            }
        }
    }

    fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    fn is_idle(&self) -> bool {
        self.under_way == 0 && self.answers.is_empty() && !self.claiming && !self.recording
    }

    /// How long nothing can happen by itself.
    fn timer(&self) -> Duration {
        let now = self.now();
        if self.rest_until > now {
            return self.rest_until.since(now);
        }
        match self.queue.next_at() {
            Some(at) if at > now => at.since(now).min(LOOK_EVERY),
            // Something may go and does not: a task under way will say when it can, or a millisecond does.
            Some(_) if !self.claiming && !self.stopping && self.room() > 0 => {
                Duration::from_millis(1)
            }
            _ => LOOK_EVERY,
        }
    }

    fn room(&self) -> usize {
        self.world.config.concurrency.saturating_sub(self.under_way)
    }

    // What can begin.

    fn begin_what_can(&mut self) {
        if self.rest_until > self.now() {
            return;
        }
        self.begin_record();
        if !self.stopping {
            self.begin_claim();
            self.begin_reading();
        }
    }

    fn begin_claim(&mut self) {
        let most = self.room().min(self.world.config.claim_rows);
        // What is claimed before a take-over would look like the former owner's.
        if self.claiming || most == 0 || !self.untaken().is_empty() {
            return;
        }
        let now = self.now();
        for (number, messages) in self.fresh.take_received() {
            self.queue.charge(number, messages, now);
        }
        let rows = self.queue.pick(now, most);
        if rows.is_empty() {
            return;
        }
        self.claiming = true;
        self.under_way += rows.len();
        let (world, leases) = (self.world.clone(), self.leases.clone());
        let unsure = rows.iter().map(|row| row.draft.id);
        let unsure: Vec<OutboxId> = unsure.filter(|id| self.unsure.contains_key(id)).collect();
        self.tasks.spawn(async move {
            let outcome = claim(&world, &leases, rows.clone(), &unsure).await;
            Done::Claimed(rows, leases, outcome)
        });
    }

    fn begin_record(&mut self) {
        if self.recording || self.answers.is_empty() {
            return;
        }
        self.drop_answers_of_the_lost();
        if self.answers.is_empty() {
            return;
        }
        let most = self.answers.len().min(self.world.config.record_rows);
        let answers: Vec<Answered> = self.answers.drain(..most).collect();
        self.recording = true;
        let (world, placed) = (self.world.clone(), self.placed.clone());
        self.tasks.spawn(async move {
            let recorded = record(&world, &placed, &answers).await;
            Done::Recorded(answers, recorded)
        });
    }

    /// Their rows stay claimed: the next owner finds them in doubt. A bucket that was only given up is still ours until it
    /// is released, so what is known of its sends is recorded: the fence decides.
    fn drop_answers_of_the_lost(&mut self) {
        let (lost, owned) = (&self.lost, self.owned.borrow().clone());
        let before = self.answers.len();
        self.answers.retain(|answer| {
            let Lease { bucket, epoch } = answer.claimed.lease;
            let again = owned.lease(bucket).is_some_and(|now| now.epoch != epoch);
            !again && lost.get(&bucket) != Some(&epoch)
        });
        self.under_way -= before - self.answers.len();
    }

    fn begin_reading(&mut self) {
        if self.reading {
            return;
        }
        let untaken = self.untaken();
        if !untaken.is_empty() {
            self.take_over(untaken);
        } else if let Some(scan) = self.next_scan() {
            self.read_page(scan);
        } else if let Some(refill) = self.queue.begin_refill() {
            self.reading = true;
            let world = self.world.clone();
            self.tasks
                .spawn(async move { Done::Refilled(refill, scan::number(&world, refill).await) });
        }
    }

    fn untaken(&self) -> Vec<Lease> {
        let leases = &self.leases.leases;
        // What is taken is owned, so the counts tell; this is asked at every step.
        if self.taken.len() == leases.len() {
            return Vec::new();
        }
        leases
            .iter()
            .filter(|(bucket, _)| !self.taken.contains(bucket))
            .map(|(&bucket, &epoch)| Lease { bucket, epoch })
            .collect()
    }

    fn take_over(&mut self, leases: Vec<Lease>) {
        self.reading = true;
        let world = self.world.clone();
        self.tasks.spawn(async move {
            let taken = scan::take_over(&world, &leases).await;
            Done::TakenOver(leases, taken)
        });
    }

    /// A walk that has begun, then new buckets, then what is due.
    fn next_scan(&mut self) -> Option<Scan> {
        if self.scan.is_some() {
            return self.scan.take();
        }
        let mut buckets = Vec::new();
        let mut after = 0;
        let first = self.scanned.len() < self.leases.leases.len();
        if first {
            buckets = self.leases.buckets();
            buckets.retain(|bucket| !self.scanned.contains(bucket));
        } else if let Some(from) = self.look_due() {
            buckets = self.leases.buckets();
            after = from;
        }
        (!buckets.is_empty()).then(|| Scan {
            buckets,
            first,
            after: OutboxId::from_raw(after),
            losses: self.losses,
        })
    }

    /// From which id on to look, if it is time to.
    fn look_due(&mut self) -> Option<i64> {
        let now = self.now();
        let sweeps = now.since(self.swept_at) >= SWEEP_EVERY;
        if !sweeps && !self.look_now && now.since(self.looked_at) < LOOK_EVERY {
            return None;
        }
        self.looked_at = now;
        self.look_now = false;
        if sweeps {
            self.swept_at = now;
            return Some(0);
        }
        Some(id::first_id_at(now.minus(LOOK_BACK)))
    }

    fn read_page(&mut self, scan: Scan) {
        self.reading = true;
        let skip = self.queue.behind();
        let world = self.world.clone();
        self.tasks.spawn(async move {
            let rows = scan::page(&world, &scan.buckets, &skip, scan.after).await;
            Done::Scanned(scan, rows)
        });
    }

    // What happened.

    /// Ownership changed: what is lost is forgotten at once, what is new is scanned.
    fn own(&mut self) {
        let owned = self.owned.borrow_and_update().clone();
        self.lost
            .retain(|bucket, epoch| owned.leases.get(bucket) == Some(epoch));
        self.work_for(&owned);
    }

    fn work_for(&mut self, owned: &OwnedBuckets) {
        let mut leases = owned.leases.clone();
        leases.retain(|bucket, epoch| self.lost.get(bucket) != Some(epoch));
        let gone: BTreeSet<Bucket> = self
            .leases
            .leases
            .iter()
            .filter(|(bucket, epoch)| leases.get(bucket) != Some(epoch))
            .map(|(bucket, _)| *bucket)
            .collect();
        self.leases = Arc::new(OwnedBuckets { leases });
        if !gone.is_empty() {
            self.queue.drop_buckets(&gone);
            self.doubts.drop_buckets(&gone);
            self.unsure.retain(|_, bucket| !gone.contains(bucket));
            self.taken.retain(|bucket| !gone.contains(bucket));
            self.scanned.retain(|bucket| !gone.contains(bucket));
            self.scan = None;
            self.losses += 1;
        }
    }

    /// A commit was refused because a bucket has a new owner, whatever the watch says yet.
    ///
    /// `leases`: what the commit was made under. What we have been given since is not lost by it.
    fn lose(&mut self, bucket: i64, leases: &BTreeMap<Bucket, i64>) {
        metrics::counter!(names::FENCED_COMMITS).increment(1);
        let bucket = Bucket::from_raw(bucket);
        let Some((bucket, epoch)) = bucket.and_then(|bucket| leases.get_key_value(&bucket)) else {
            return;
        };
        self.lost.insert(*bucket, *epoch);
        let owned = self.owned.borrow().clone();
        self.work_for(&owned);
    }

    fn take_fresh(&mut self, rows: Vec<OutboxRow>) {
        for number in self.fresh.take_missed() {
            self.queue.miss(number);
        }
        // Nobody offers any more; looking goes on.
        self.fresh_ended = rows.is_empty();
        let now = self.now();
        for row in rows {
            if !self.leases.owns(row.bucket) {
                continue;
            }
            self.know(&row, now);
            if self.scanned.contains(&row.bucket) {
                self.queue.add_fresh(row, now);
            } else {
                self.queue.miss(row.draft.number);
            }
        }
    }

    fn know(&mut self, row: &OutboxRow, now: Timestamp) {
        let directory = &self.world.directory;
        let throughput = || {
            directory
                .number(row.draft.number)
                .map_or(1, |number| number.throughput)
        };
        self.queue.know(row, throughput, now);
    }

    fn tick(&mut self) {
        let now = self.now();
        self.doubts.count(now, self.world.receipts.come());
        metrics::gauge!(names::DELIVERY_UNKNOWN).set(self.doubts.len() as f64);
        if self.settling || self.stopping {
            return;
        }
        let over = self.doubts.over(self.world.config.unknown_grace);
        let holding = self.doubts.holding(now);
        let (world, leases) = (self.world.clone(), self.leases.clone());
        if !over.is_empty() {
            self.settling = true;
            self.tasks.spawn(async move {
                let settled = scan::settle(&world, &leases, over).await;
                Done::Settled(leases, settled)
            });
        } else if !holding.is_empty() {
            self.settling = true;
            self.tasks.spawn(async move {
                let unknown = scan::still_unknown(&world, &holding).await;
                Done::Asked(holding, unknown)
            });
        }
    }

    /// With all that has ended meanwhile: what comes together is recorded together.
    fn take_in_all(&mut self, done: Result<Done, tokio::task::JoinError>) {
        self.take_in(done);
        while let Some(done) = self.tasks.try_join_next() {
            self.take_in(done);
        }
    }

    fn take_in(&mut self, done: Result<Done, tokio::task::JoinError>) {
        match done {
            Ok(Done::Claimed(rows, under, outcome)) => self.take_claimed(rows, &under, outcome),
            Ok(Done::Answered(answer)) => self.answers.push(answer),
            Ok(Done::Recorded(answers, recorded)) => self.take_recorded(answers, recorded),
            Ok(Done::TakenOver(leases, doubts)) => self.take_taken_over(&leases, doubts),
            Ok(Done::Scanned(scan, rows)) => self.take_scanned(scan, rows),
            Ok(Done::Refilled(refill, rows)) => self.take_refilled(refill, rows),
            Ok(Done::Asked(asked, unknown)) => self.take_asked(&asked, unknown),
            Ok(Done::Settled(under, settled)) => self.take_settled(&under, settled),
            // A bug, or the end of the runtime. What it was doing is unknown, and so are its rows at the next start.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => self.stopping = true,
        }
    }

    fn take_claimed(
        &mut self,
        rows: Vec<OutboxRow>,
        under: &OwnedBuckets,
        outcome: Result<Outcome>,
    ) {
        self.claiming = false;
        let now = self.now();
        match outcome {
            Ok(outcome) => {
                rows.iter().for_each(|row| {
                    self.unsure.remove(&row.draft.id);
                });
                self.take_outcome(outcome, now);
            }
            Err(error) => {
                self.under_way -= rows.len();
                for row in rows {
                    // The commit may have happened although its answer was an error.
                    self.unsure.insert(row.draft.id, row.bucket);
                    self.queue.unspend(&row);
                    self.queue.put_back(row, now);
                }
                self.failed("claim", &error, &under.leases);
            }
        }
    }

    fn take_outcome(&mut self, outcome: Outcome, now: Timestamp) {
        let (later, paced) = (outcome.later, outcome.paced);
        self.under_way -= later.len() + paced.len() + outcome.ended.len() + outcome.gone.len();
        for row in later {
            self.queue.unspend(&row);
            if row.reason == Reason::IngestBacklog.code() {
                self.queue.hold_begins(row.draft.number, row.due_at);
            }
            self.queue.put_back(row, now);
        }
        for (row, until) in paced {
            self.queue.unspend(&row);
            self.queue.pace(row, until, now);
        }
        for row in outcome.gone {
            self.queue.unspend(&row);
            self.queue.forget(&row, now);
        }
        for row in outcome.ended {
            tracing::info!(outbox = %row.draft.id, state = row.state.word(), reason = row.reason, "not sent");
            self.queue.unspend(&row);
            self.world.observer.sent(&trace(&row, None));
            self.queue.forget(&row, now);
        }
        for claimed in outcome.claimed {
            let world = self.world.clone();
            self.tasks
                .spawn(async move { Done::Answered(call(&world, claimed).await) });
        }
    }

    fn take_recorded(&mut self, answers: Vec<Answered>, recorded: Result<Vec<Recorded>>) {
        self.recording = false;
        match recorded {
            Ok(recorded) => {
                self.under_way -= recorded.len();
                for one in recorded {
                    self.take_one(one);
                }
            }
            Err(error) => {
                if let StorageError::Fenced(bucket) = error {
                    let leases = answers.iter().map(|answer| answer.claimed.lease);
                    let leases = leases.map(|lease| (lease.bucket, lease.epoch)).collect();
                    self.answers.splice(0..0, answers);
                    self.lose(bucket, &leases);
                } else {
                    self.answers.splice(0..0, answers);
                    self.failed("record", &error, &BTreeMap::new());
                }
            }
        }
    }

    fn take_one(&mut self, one: Recorded) {
        let now = self.now();
        let word = record::word(&one);
        metrics::counter!(names::DELIVERY_CALLS, "outcome" => word).increment(1);
        tracing::debug!(outbox = %one.row.draft.id, attempt = one.row.attempts, outcome = word,
            error = one.row.error, "sent");
        if one.given.alert {
            tracing::error!(outbox = %one.row.draft.id, error = one.row.error,
                "Meta gave an error that is in no table");
        }
        self.slow_down(&one, now);
        self.world.observer.sent(&trace(&one.row, one.called));
        let row = one.row;
        if !self.leases.owns(row.bucket) {
            // Given up while it was under way: whoever takes the bucket reads the row.
            return;
        }
        match one.given.end {
            _ if !one.applied => self.queue.forget(&row, now),
            Ended::GivenBack => {
                self.queue.unspend(&row);
                self.queue.put_back(row, now);
            }
            Ended::Later => self.queue.put_back(row, now),
            Ended::Accepted | Ended::Failed => self.queue.forget(&row, now),
            Ended::InDoubt => self.begin_doubt(row, now),
        }
    }

    fn slow_down(&mut self, one: &Recorded, now: Timestamp) {
        match one.given.put_off {
            Some(PutOff::Number(until)) => {
                self.queue
                    .slow_down(one.row.draft.number, one.claimed_at, now);
                self.queue.block(one.row.draft.number, until, now);
            }
            Some(PutOff::App(until)) => {
                self.block_where(until, now, |number, other| number.app == other.app, one)
            }
            None => {}
        }
        if let Some(held) = &one.held {
            // Nobody sends into a hold that is placed already, only because a cache is not fresh yet.
            self.wakeups.setup.notify_one();
            let until = now.plus(HOLD_SPREADS);
            match held {
                Held::Number(..) => self.queue.block(one.row.draft.number, until, now),
                Held::Credential(..) => {
                    self.block_where(
                        until,
                        now,
                        |number, other| number.credential == other.credential,
                        one,
                    );
                }
                Held::Tenant(_) => {
                    self.block_where(
                        until,
                        now,
                        |number, other| number.tenant == other.tenant,
                        one,
                    );
                }
                Held::All | Held::Plugin(..) | Held::Template(..) | Held::Templates(_) => {}
            }
        }
    }

    fn block_where(
        &mut self,
        until: Timestamp,
        now: Timestamp,
        alike: impl Fn(&crate::domain::number::Number, &crate::domain::number::Number) -> bool,
        one: &Recorded,
    ) {
        let directory = self.world.directory.clone();
        let Some(number) = directory.number(one.row.draft.number) else {
            return;
        };
        let others: Vec<_> = self.queue.numbers().collect();
        for other in others {
            if directory
                .number(other)
                .is_some_and(|other| alike(&number, &other))
            {
                self.queue.block(other, until, now);
            }
        }
    }

    fn begin_doubt(&mut self, row: OutboxRow, now: Timestamp) {
        let holds = match row.draft.content.has_receipts() {
            true => self.world.config.unknown_holds,
            // Nothing will tell what became of it.
            false => Duration::ZERO,
        };
        let until = row.changed_at.plus(holds);
        self.queue.doubt(&row, until, now);
        self.doubts.add(row, until);
    }

    fn take_taken_over(&mut self, leases: &[Lease], doubts: Result<u64>) {
        self.reading = false;
        match doubts {
            Ok(doubts) => {
                if doubts > 0 {
                    tracing::warn!(doubts, "sends of an owner who is gone are in doubt");
                }
                let ours = leases
                    .iter()
                    .filter(|lease| self.leases.lease(lease.bucket) == Some(**lease));
                self.taken.extend(ours.map(|lease| lease.bucket));
            }
            Err(error) => {
                let under = leases.iter().map(|lease| (lease.bucket, lease.epoch));
                self.failed("take-over", &error, &under.collect());
            }
        }
    }

    fn take_scanned(&mut self, mut scan: Scan, rows: Result<Vec<OutboxRow>>) {
        self.reading = false;
        let rows = match rows {
            Ok(rows) => rows,
            Err(error) => return self.failed("scan", &error, &BTreeMap::new()),
        };
        let last = rows
            .last()
            .map(|row| row.draft.id)
            .filter(|_| rows.len() >= PAGE);
        for row in rows {
            self.take_found(row, Queue::add_found);
        }
        match last {
            _ if scan.losses != self.losses => {}
            Some(last) => {
                scan.after = last;
                self.scan = Some(scan);
            }
            None if scan.first => self.scanned.extend(scan.buckets),
            None => {}
        }
    }

    /// A row that a scan found; `true`: there was no room for it. A claimed one is under way here.
    fn take_found(
        &mut self,
        row: OutboxRow,
        add: impl FnOnce(&mut Queue, OutboxRow, Timestamp) -> Added,
    ) -> bool {
        let now = self.now();
        if !self.taken.contains(&row.bucket) {
            return false;
        }
        self.know(&row, now);
        match row.state {
            OutboxState::Queued => add(&mut self.queue, row, now) == Added::Left,
            OutboxState::Unknown
                if !self.doubts.contains(row.draft.id) && !self.queue.knows(&row) =>
            {
                self.begin_doubt(row, now);
                false
            }
            _ => false,
        }
    }

    fn take_refilled(&mut self, refill: Refill, rows: Result<Vec<OutboxRow>>) {
        self.reading = false;
        match rows {
            Ok(rows) => {
                let found = rows.len();
                let mut left = false;
                for row in rows {
                    left |= self.take_found(row, Queue::add_refilled);
                }
                self.queue.end_refill(refill, found, left);
            }
            Err(error) => self.failed("scan", &error, &BTreeMap::new()),
        }
    }

    fn take_asked(&mut self, asked: &[OutboxId], unknown: Result<Vec<OutboxId>>) {
        self.settling = false;
        match unknown {
            Ok(unknown) => {
                let now = self.now();
                for id in asked.iter().filter(|id| !unknown.contains(id)) {
                    if let Some(row) = self.doubts.remove(*id) {
                        self.queue.forget(&row, now);
                    }
                }
            }
            Err(error) => self.failed("scan", &error, &BTreeMap::new()),
        }
    }

    fn take_settled(&mut self, under: &OwnedBuckets, settled: Result<Vec<Settled>>) {
        self.settling = false;
        let settled = match settled {
            Ok(settled) => settled,
            Err(error) => return self.failed("settle", &error, &under.leases),
        };
        let now = self.now();
        for one in settled {
            // The bucket may have gone meanwhile, and with it the doubt.
            if self.doubts.remove(one.row.draft.id).is_none() {
                continue;
            }
            self.queue.forget(&one.row, now);
            let Some(end) = one.end else {
                continue;
            };
            tracing::warn!(outbox = %one.row.draft.id, ?end, "a doubt was settled by rule");
            let word = match end {
                DoubtEnd::SentOnceMore => "sent_once_more",
                DoubtEnd::GivenUp => "given_up",
            };
            metrics::counter!(names::DELIVERY_DOUBTS, "end" => word).increment(1);
            self.world.observer.sent(&trace(&one.row, None));
            if end == DoubtEnd::SentOnceMore {
                self.queue.put_back(one.row, now);
            }
        }
    }

    /// `leases`: what it was done under.
    fn failed(&mut self, what: &'static str, error: &StorageError, leases: &BTreeMap<Bucket, i64>) {
        if let StorageError::Fenced(bucket) = error {
            return self.lose(*bucket, leases);
        }
        tracing::warn!(
            what,
            error = error as &dyn std::error::Error,
            "the database failed; trying again"
        );
        self.rest_until = self.now().plus(PAUSE);
    }
}

fn trace(row: &OutboxRow, elapsed: Option<Duration>) -> SendTrace {
    let refused = row.state == OutboxState::Refused;
    let reason = Reason::from_code(&row.reason);
    SendTrace {
        outbox: row.draft.id,
        tenant: row.draft.tenant,
        number: row.draft.number,
        conversation: row.draft.conversation,
        kind: row.draft.content.kind(),
        attempt: row.attempts,
        decision: reason
            .filter(|_| refused)
            .map_or("cleared", |reason| reason.code()),
        elapsed,
        state: row.state,
        error: row.error,
        reason: row.reason.clone(),
        wamid: row.wamid.clone(),
    }
}
