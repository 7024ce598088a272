//! What waits to be claimed on this node, in memory: which row may go next, and what its conversation waits for.
//!
//! Pure: time is given, and the database is the truth. A row that is missing here is found by a rescan, one that is
//! here by mistake fails its claim. Rules:
//! - one send of a conversation is under way at a time, and they go by their ids (promise 3);
//! - a row that was tried and has to wait keeps its followers waiting; but what the business began keeps no answer
//!   waiting: somebody is there now. One that was not tried yet and is put off (a scheduled one) lets all pass;
//! - a person who has had enough for now (pair pacing) keeps the whole conversation waiting, and an ingest backlog all
//!   that the business begins with a number: one claim finds out for the others;
//! - a doubt holds its conversation for at most 30 s (promise 5);
//! - a number's turn comes round robin, so that one with 100,000 rows leaves the others theirs.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::domain::{Bucket, ConversationId, NumberId, OutboxId, TenantId, Timestamp};
use crate::storage::outbox::OutboxRow;

use super::pacing::NumberRate;

/// All numbers' queues.
#[derive(Debug)]
pub(super) struct Queue {
    /// Rows of one number held in memory; what is beyond stays in the database until there is room.
    cap: usize,
    most_in_flight: usize,
    numbers: HashMap<NumberId, NumberQueue>,
    /// When each number with something to do should be looked at.
    due: BTreeSet<(Timestamp, NumberId)>,
    /// Grows with every pick: who was served longest ago comes first.
    turn: u64,
    /// Numbers of which the database holds rows that are not here: fresh ones are left to the refill, or they would
    /// overtake.
    behind: BTreeSet<NumberId>,
}

#[derive(Debug)]
struct NumberQueue {
    tenant: TenantId,
    bucket: Bucket,
    rate: NumberRate,
    blocked_until: Timestamp,
    /// Until when what the business begins need not be tried.
    begins_from: Timestamp,
    lines: HashMap<ConversationId, Line>,
    /// When each conversation that can go may go.
    due: BTreeSet<(Timestamp, ConversationId)>,
    /// Every row that somebody here knows: waiting, under way or in doubt.
    known: HashSet<OutboxId>,
    waiting: usize,
    in_flight: usize,
    served: u64,
    listed_at: Option<Timestamp>,
    /// A fresh row was left while a refill was under way, which may not have seen it.
    missed: bool,
}

#[derive(Debug, Default)]
struct Line {
    rows: BTreeMap<OutboxId, OutboxRow>,
    under_way: Option<OutboxId>,
    /// The doubt that everybody waits for, and until when.
    held: Option<(OutboxId, Timestamp)>,
    /// Pair pacing: the person gets nothing more until then.
    paced_until: Timestamp,
    listed_at: Option<Timestamp>,
}

/// What became of a row that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    Yes,
    Known,
    /// There is no room, or earlier rows are missing: a refill will bring it.
    Left,
}

/// A number whose rows have to be read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refill {
    pub(super) tenant: TenantId,
    pub(super) number: NumberId,
    /// Enough to get past all that is known.
    pub(super) limit: usize,
}

impl Line {
    /// Rows that need not wait for one before them, in their order, with the time from which each may go.
    fn free(&self, begins_from: Timestamp) -> impl Iterator<Item = (Timestamp, OutboxId)> {
        let (mut begins_waits, mut all_wait) = (false, false);
        let free = self.rows.iter().map_while(move |(id, row)| {
            if all_wait {
                return None;
            }
            let begins = row.draft.class.is_business_initiated();
            let free = !(begins && begins_waits);
            begins_waits |= row.attempts > 0;
            all_wait = row.attempts > 0 && !begins;
            let from = if begins { begins_from } else { Timestamp::ZERO };
            Some(free.then(|| (row.due_at.max(from), *id)))
        });
        free.flatten()
    }

    /// When it may go on, whichever row is next.
    fn from(&self) -> Timestamp {
        let held_until = self.held.map_or(Timestamp::ZERO, |(_, until)| until);
        held_until.max(self.paced_until)
    }

    /// When its next row may go. `None`: nothing can, until something else happens.
    fn next_at(&self, begins_from: Timestamp) -> Option<Timestamp> {
        if self.under_way.is_some() {
            return None;
        }
        let first = self.free(begins_from).map(|(at, _)| at).min()?;
        Some(first.max(self.from()))
    }

    /// The row to send at `now`.
    fn head(&self, begins_from: Timestamp, now: Timestamp) -> Option<OutboxId> {
        if self.under_way.is_some() || now < self.from() {
            return None;
        }
        let mut free = self.free(begins_from);
        free.find(|(at, _)| *at <= now).map(|(_, id)| id)
    }

    fn is_idle(&self) -> bool {
        self.rows.is_empty() && self.under_way.is_none() && self.held.is_none()
    }
}

impl NumberQueue {
    /// Puts a conversation where its next row's time says, or out of the list.
    fn list(&mut self, conversation: ConversationId) {
        let Some(line) = self.lines.get_mut(&conversation) else {
            return;
        };
        if let Some(at) = line.listed_at.take() {
            self.due.remove(&(at, conversation));
        }
        if line.is_idle() {
            self.lines.remove(&conversation);
        } else if let Some(at) = line.next_at(self.begins_from) {
            line.listed_at = Some(at);
            self.due.insert((at, conversation));
        }
    }

    /// The row that is next, if one may go.
    fn first(
        &mut self,
        now: Timestamp,
        most_in_flight: usize,
    ) -> Option<(ConversationId, OutboxId)> {
        if self.blocked_until > now || self.in_flight >= most_in_flight {
            return None;
        }
        loop {
            let &(at, conversation) = self.due.first()?;
            if at > now {
                return None;
            }
            let line = self.lines.get(&conversation)?;
            if let Some(id) = line.head(self.begins_from, now) {
                return Some((conversation, id));
            }
            // Listed before the business's own had to wait: it moves to where it belongs.
            self.list(conversation);
        }
    }

    /// When to look at this number again; the answer may be in the past.
    fn next_at(&self, now: Timestamp, most_in_flight: usize) -> Option<Timestamp> {
        let &(first, _) = self.due.first()?;
        if self.in_flight >= most_in_flight {
            return None;
        }
        let at = first.max(self.blocked_until);
        if at > now {
            Some(at)
        } else {
            Some(at.max(self.rate.next_at(now)))
        }
    }
}

impl Queue {
    pub(super) fn new(cap: usize, most_in_flight: usize) -> Self {
        Self {
            cap,
            most_in_flight,
            numbers: HashMap::new(),
            due: BTreeSet::new(),
            turn: 0,
            behind: BTreeSet::new(),
        }
    }

    /// Makes a number known, with what Meta lets it send a second.
    pub(super) fn know(
        &mut self,
        row: &OutboxRow,
        throughput: impl FnOnce() -> i64,
        now: Timestamp,
    ) {
        let number = row.draft.number;
        let throughput = throughput();
        let known = self.numbers.entry(number);
        let known = known.and_modify(|queue| queue.rate.allow(throughput));
        known.or_insert_with(|| NumberQueue {
            tenant: row.draft.tenant,
            bucket: row.bucket,
            rate: NumberRate::new(throughput, now),
            blocked_until: Timestamp::ZERO,
            begins_from: Timestamp::ZERO,
            lines: HashMap::new(),
            due: BTreeSet::new(),
            known: HashSet::new(),
            waiting: 0,
            in_flight: 0,
            served: 0,
            listed_at: None,
            missed: false,
        });
    }

    /// A row that was just committed here. Its number must be known.
    pub(super) fn add_fresh(&mut self, row: OutboxRow, now: Timestamp) -> Added {
        if self.behind.contains(&row.draft.number) {
            self.miss(row.draft.number);
            return Added::Left;
        }
        self.add_refilled(row, now)
    }

    /// A queued row that a scan found.
    pub(super) fn add_found(&mut self, row: OutboxRow, now: Timestamp) -> Added {
        if self.behind.contains(&row.draft.number) {
            return Added::Left;
        }
        self.add_refilled(row, now)
    }

    /// A queued row of a number that is read from its oldest row on.
    pub(super) fn add_refilled(&mut self, row: OutboxRow, now: Timestamp) -> Added {
        let (id, number, conversation) = (row.draft.id, row.draft.number, row.draft.conversation);
        let Some(queue) = self.numbers.get_mut(&number) else {
            return Added::Left;
        };
        if queue.known.contains(&id) {
            return Added::Known;
        }
        if queue.waiting >= self.cap {
            self.behind.insert(number);
            return Added::Left;
        }
        queue.known.insert(id);
        queue.waiting += 1;
        queue
            .lines
            .entry(conversation)
            .or_default()
            .rows
            .insert(id, row);
        queue.list(conversation);
        self.list(number, now);
        Added::Yes
    }

    /// Does somebody here know this row?
    pub(super) fn knows(&self, row: &OutboxRow) -> bool {
        let queue = self.numbers.get(&row.draft.number);
        queue.is_some_and(|queue| queue.known.contains(&row.draft.id))
    }

    /// Rows of this number may be in the database only.
    pub(super) fn miss(&mut self, number: NumberId) {
        if let Some(queue) = self.numbers.get_mut(&number) {
            self.behind.insert(number);
            queue.missed = true;
        }
    }

    /// Numbers that a scan of everything leaves out.
    pub(super) fn behind(&self) -> Vec<NumberId> {
        self.behind.iter().copied().collect()
    }

    /// How many sends that waited for an hour each number may be given now: what it sends in the next two seconds, and
    /// none while the database holds older ones that are not here.
    pub(super) fn rooms(&self) -> impl Iterator<Item = (NumberId, usize)> {
        self.numbers.iter().map(|(id, queue)| {
            let most = most_woken(queue.rate.in_two_seconds(), self.cap);
            let behind = self.behind.contains(id);
            let room = most.saturating_sub(queue.waiting);
            (*id, if behind { 0 } else { room })
        })
    }

    /// A number with room whose rows must be read again; its refill begins now.
    pub(super) fn begin_refill(&mut self) -> Option<Refill> {
        let room = |number: &&NumberId| {
            let queue = self.numbers.get(number);
            queue.is_some_and(|queue| queue.waiting <= self.cap / 2)
        };
        let number = *self.behind.iter().find(room)?;
        let queue = self.numbers.get_mut(&number)?;
        queue.missed = false;
        Some(Refill {
            tenant: queue.tenant,
            number,
            limit: self.cap + queue.known.len(),
        })
    }

    /// Its rows, of which there were `found`, have been added; `left`: there was no room for all.
    pub(super) fn end_refill(&mut self, refill: Refill, found: usize, left: bool) {
        let missed = self
            .numbers
            .get(&refill.number)
            .is_none_or(|queue| queue.missed);
        if !left && !missed && found < refill.limit {
            self.behind.remove(&refill.number);
        }
    }

    /// Rows that may be claimed now, at most one of a conversation; they count as under way from here on.
    pub(super) fn pick(&mut self, now: Timestamp, most: usize) -> Vec<OutboxRow> {
        let mut ready: Vec<(u64, NumberId)> = self
            .due
            .iter()
            .take_while(|(at, _)| *at <= now)
            .filter_map(|(_, id)| Some((self.numbers.get(id)?.served, *id)))
            .collect();
        ready.sort_unstable();
        let mut picked = Vec::new();
        while picked.len() < most && !ready.is_empty() {
            ready.retain(|&(_, number)| {
                if picked.len() >= most {
                    return false;
                }
                match self.pick_one(number, now) {
                    Some(row) => {
                        picked.push(row);
                        true
                    }
                    None => false,
                }
            });
        }
        picked
    }

    fn pick_one(&mut self, number: NumberId, now: Timestamp) -> Option<OutboxRow> {
        let row = self.take_next(number, now);
        self.list(number, now);
        row
    }

    fn take_next(&mut self, number: NumberId, now: Timestamp) -> Option<OutboxRow> {
        let queue = self.numbers.get_mut(&number)?;
        let (conversation, id) = queue.first(now, self.most_in_flight)?;
        let line = queue.lines.get_mut(&conversation)?;
        // Ticks are no messages: Meta's throughput is not theirs.
        let counts = line.rows.get(&id)?.draft.content.has_receipts();
        if counts && !queue.rate.take(now) {
            return None;
        }
        let row = line.rows.remove(&id)?;
        line.under_way = Some(id);
        queue.list(conversation);
        queue.waiting -= 1;
        queue.in_flight += 1;
        self.turn += 1;
        queue.served = self.turn;
        Some(row)
    }

    /// May this row, which is not written yet, be under way from here on? Only where nothing waits that it would
    /// overtake, neither in its conversation nor of its number. Its number must be known.
    pub(super) fn reserve(&mut self, row: &OutboxRow, now: Timestamp) -> bool {
        let (id, number, conversation) = (row.draft.id, row.draft.number, row.draft.conversation);
        let behind = self.behind.contains(&number);
        let Some(queue) = self.numbers.get_mut(&number).filter(|_| !behind) else {
            return false;
        };
        let waits = queue.due.first().is_some_and(|(at, _)| *at <= now);
        let rests = queue.blocked_until > now || queue.in_flight >= self.most_in_flight;
        let line = queue.lines.get(&conversation);
        let alone = line.is_none_or(|line| {
            line.rows.is_empty() && line.under_way.is_none() && line.from() <= now
        });
        let counts = row.draft.content.has_receipts();
        if waits || rests || !alone || (counts && !queue.rate.take(now)) {
            return false;
        }
        queue.known.insert(id);
        queue.lines.entry(conversation).or_default().under_way = Some(id);
        queue.list(conversation);
        queue.in_flight += 1;
        self.list(number, now);
        true
    }

    /// A row that was picked and is not sent now: what its number spent on it is there again.
    pub(super) fn unspend(&mut self, row: &OutboxRow) {
        if let Some(queue) = self.numbers.get_mut(&row.draft.number)
            && row.draft.content.has_receipts()
        {
            queue.rate.give_back();
        }
    }

    /// The person that this row, which is under way, is for has had enough until then.
    pub(super) fn pace(&mut self, row: OutboxRow, until: Timestamp, now: Timestamp) {
        if let Some(queue) = self.numbers.get_mut(&row.draft.number) {
            let line = queue.lines.entry(row.draft.conversation).or_default();
            line.paced_until = until;
        }
        self.put_back(row, now);
    }

    /// Nothing that the business begins with this number goes until then: it would be put off like the one that was
    /// just tried.
    pub(super) fn hold_begins(&mut self, number: NumberId, until: Timestamp) {
        if let Some(queue) = self.numbers.get_mut(&number) {
            queue.begins_from = queue.begins_from.max(until);
        }
    }

    /// Messages of customers came in for a number. One that has never sent here is not known and has nothing to slow
    /// down.
    pub(super) fn charge(&mut self, number: NumberId, messages: u32, now: Timestamp) {
        if let Some(queue) = self.numbers.get_mut(&number) {
            queue.rate.charge(messages, now);
            self.list(number, now);
        }
    }

    /// A row under way goes back into its place, not to be picked before its `due_at`.
    pub(super) fn put_back(&mut self, row: OutboxRow, now: Timestamp) {
        let (number, conversation) = (row.draft.number, row.draft.conversation);
        let Some(queue) = self.numbers.get_mut(&number) else {
            return;
        };
        let line = queue.lines.entry(conversation).or_default();
        if line.under_way.take_if(|id| *id == row.draft.id).is_some() {
            queue.in_flight -= 1;
        }
        queue.known.insert(row.draft.id);
        line.rows.insert(row.draft.id, row);
        queue.waiting += 1;
        queue.list(conversation);
        self.list(number, now);
    }

    /// A row under way, or in doubt, is at its end here.
    pub(super) fn forget(&mut self, row: &OutboxRow, now: Timestamp) {
        self.leave(row, now, true);
    }

    /// A row, under way or just found, is in doubt: the others of its conversation wait for it until `until`. A row
    /// without receipts holds nobody: nothing would come that is worth the wait.
    pub(super) fn doubt(&mut self, row: &OutboxRow, until: Timestamp, now: Timestamp) {
        self.leave(row, now, false);
        let Some(queue) = self.numbers.get_mut(&row.draft.number) else {
            return;
        };
        queue.known.insert(row.draft.id);
        if !row.draft.content.has_receipts() {
            return;
        }
        let line = queue.lines.entry(row.draft.conversation).or_default();
        // What holds longest is what everybody waits for.
        if line.held.is_none_or(|(_, held)| held < until) {
            line.held = Some((row.draft.id, until));
        }
        queue.list(row.draft.conversation);
        self.list(row.draft.number, now);
    }

    fn leave(&mut self, row: &OutboxRow, now: Timestamp, forget: bool) {
        let (number, conversation) = (row.draft.number, row.draft.conversation);
        let Some(queue) = self.numbers.get_mut(&number) else {
            return;
        };
        if forget {
            queue.known.remove(&row.draft.id);
        }
        if let Some(line) = queue.lines.get_mut(&conversation) {
            if line.under_way.take_if(|id| *id == row.draft.id).is_some() {
                queue.in_flight -= 1;
            }
            line.held.take_if(|(id, _)| *id == row.draft.id);
        }
        queue.list(conversation);
        self.list(number, now);
    }

    /// Lets a number rest.
    pub(super) fn block(&mut self, number: NumberId, until: Timestamp, now: Timestamp) {
        if let Some(queue) = self.numbers.get_mut(&number) {
            queue.blocked_until = queue.blocked_until.max(until);
            self.list(number, now);
        }
    }

    /// Meta throttled a POST of this number's that was claimed then.
    pub(super) fn slow_down(&mut self, number: NumberId, claimed_at: Timestamp, now: Timestamp) {
        if let Some(queue) = self.numbers.get_mut(&number) {
            queue.rate.cut(claimed_at, now);
        }
    }

    pub(super) fn numbers(&self) -> impl Iterator<Item = NumberId> {
        self.numbers.keys().copied()
    }

    /// Forgets everything of buckets that are not ours any more.
    pub(super) fn drop_buckets(&mut self, lost: &BTreeSet<Bucket>) {
        let (due, behind) = (&mut self.due, &mut self.behind);
        self.numbers.retain(|id, queue| {
            let stays = !lost.contains(&queue.bucket);
            if !stays {
                behind.remove(id);
                if let Some(at) = queue.listed_at {
                    due.remove(&(at, *id));
                }
            }
            stays
        });
    }

    /// When something may be picked again, if nothing else happens; possibly in the past.
    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.due.first().map(|&(at, _)| at)
    }

    fn list(&mut self, number: NumberId, now: Timestamp) {
        let Some(queue) = self.numbers.get_mut(&number) else {
            return;
        };
        if let Some(at) = queue.listed_at.take() {
            self.due.remove(&(at, number));
        }
        if let Some(at) = queue.next_at(now, self.most_in_flight) {
            queue.listed_at = Some(at);
            self.due.insert((at, number));
        }
    }
}

/// Of a number that sends so many messages in two seconds.
pub(super) fn most_woken(two_seconds: usize, cap: usize) -> usize {
    two_seconds.clamp(1, (cap / 2).max(1))
}

#[cfg(test)]
mod tests;
