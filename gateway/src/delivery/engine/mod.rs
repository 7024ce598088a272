//! The one task that holds what delivery knows, and starts what is to be done: claims, calls, records, scans.
//!
//! It waits for something to happen, takes in what happened, and begins whatever can begin. Everything that takes time
//! runs beside it, at most one claim, record and scan each; what arrives meanwhile goes with the next one, so commits
//! grow with the load. Dropping it drops all of that at once: rows stay claimed and are in doubt at the next start.
//!
//! Each thing that can begin stands with what is done when it has ended, in a file of its own.

mod answers;
mod beside;
mod claims;
mod leases;
mod reading;
mod settling;
mod waking;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::domain::{Bucket, OutboxId, OutboxState, Timestamp};
use crate::ownership::{Owned, OwnedBuckets, Wakeups};
use crate::policy::Reason;
use crate::storage::buckets::Lease;
use crate::storage::outbox::OutboxRow;
use crate::storage::{Result, StorageError};
use crate::telemetry::names;

use super::at_once::{ClaimsAtOnce, Words, at_once};
use super::call::Answered;
use super::claim::Outcome;
use super::doubts::Doubts;
use super::intake::{Fresh, Intake, intake};
use super::limits::FarFromLimits;
use super::ports::SendTrace;
use super::queue::{Queue, Refill};
use super::record::Recorded;
use super::scan::Settled;
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
    far_from_limits: Arc<FarFromLimits>,
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
    /// What those say who claim beside us, in their own commits.
    beside: Words,
    queue: Queue,
    doubts: Doubts,
    under_way: usize,
    answers: Vec<Answered>,
    tasks: JoinSet<Done>,
    /// Rows that a claim whose commit was not answered may have left claimed: they were never called.
    unsure: BTreeMap<OutboxId, Bucket>,
    claiming: bool,
    /// A claim began lately: what comes now goes with the next one.
    claimed_lately: bool,
    recording: bool,
    /// A record began lately: the next one waits for company.
    gathering: bool,
    reading: bool,
    settling: bool,
    waking: bool,
    woke_at: Timestamp,
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
    Gathered,
    MayClaim,
    TakenOver(Vec<Lease>, Result<u64>),
    Scanned(Scan, Result<Vec<OutboxRow>>),
    Refilled(Refill, Result<Vec<OutboxRow>>),
    Asked(Vec<OutboxId>, Result<Vec<OutboxId>>),
    Settled(Arc<OwnedBuckets>, Result<Vec<Settled>>),
    Woken(Arc<OwnedBuckets>, Result<Vec<OutboxRow>>),
}

impl Delivery {
    pub fn new(world: World, owned: Owned, wakeups: Arc<Wakeups>) -> (Self, Intake, ClaimsAtOnce) {
        let (intake, fresh) = intake();
        let world = Arc::new(world);
        let (claims, beside) = at_once(world.clone());
        let config = &world.config;
        let queue = Queue::new(config.queue_per_number, config.concurrency_per_number);
        let delivery = Self {
            world,
            placed: Arc::default(),
            far_from_limits: Arc::default(),
            owned,
            leases: Arc::default(),
            lost: BTreeMap::new(),
            losses: 0,
            taken: BTreeSet::new(),
            scanned: BTreeSet::new(),
            wakeups,
            fresh,
            beside,
            queue,
            doubts: Doubts::default(),
            under_way: 0,
            answers: Vec::new(),
            tasks: JoinSet::new(),
            unsure: BTreeMap::new(),
            claiming: false,
            claimed_lately: false,
            recording: false,
            gathering: false,
            reading: false,
            settling: false,
            waking: false,
            woke_at: Timestamp::ZERO,
            scan: None,
            fresh_ended: false,
            looked_at: Timestamp::ZERO,
            swept_at: Timestamp::ZERO,
            look_now: false,
            rest_until: Timestamp::ZERO,
            stopping: false,
        };
        (delivery, intake, claims)
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
                Some(word) = self.beside.recv() => self.hear_all(word),
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
            Some(_) if self.may_claim() && !self.stopping && self.room() > 0 => {
                Duration::from_millis(1)
            }
            _ => LOOK_EVERY,
        }
    }

    fn room(&self) -> usize {
        self.world.config.concurrency.saturating_sub(self.under_way)
    }

    fn begin_what_can(&mut self) {
        if self.rest_until > self.now() {
            return;
        }
        self.begin_record();
        if !self.stopping {
            self.begin_claim();
            self.begin_reading();
            self.begin_waking();
        }
    }

    /// Something that is said by itself after a while.
    fn say_after(&mut self, pause: Duration, done: Done) {
        self.tasks.spawn(async move {
            tokio::time::sleep(pause).await;
            done
        });
    }

    fn tick(&mut self) {
        let now = self.now();
        let receipts = &self.world.receipts;
        self.doubts.count(now, |number| receipts.come(number));
        metrics::gauge!(names::DELIVERY_UNKNOWN).set(self.doubts.len() as f64);
        self.settle_what_can(now);
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
            Ok(Done::Gathered) => self.gathering = false,
            Ok(Done::MayClaim) => self.claimed_lately = false,
            Ok(Done::TakenOver(leases, doubts)) => self.take_taken_over(&leases, doubts),
            Ok(Done::Scanned(scan, rows)) => self.take_scanned(scan, rows),
            Ok(Done::Refilled(refill, rows)) => self.take_refilled(refill, rows),
            Ok(Done::Asked(asked, unknown)) => self.take_asked(&asked, unknown),
            Ok(Done::Woken(under, woken)) => self.take_woken(&under, woken),
            Ok(Done::Settled(under, settled)) => self.take_settled(&under, settled),
            // A bug, or the end of the runtime. What it was doing is unknown, and so are its rows at the next start.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => self.stopping = true,
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
