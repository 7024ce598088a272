//! What waits for a turn, in memory: per conversation in order, between tenants in turn. Pure.

use std::collections::{BTreeMap, HashMap, VecDeque};

use crate::domain::{Bucket, ConversationId, TenantId};
use crate::storage::events::PendingEvent;

/// The events of one conversation, by sequence number.
#[derive(Debug)]
struct Lane {
    tenant: TenantId,
    bucket: Bucket,
    events: BTreeMap<i64, PendingEvent>,
    running: bool,
    /// Waits for its time, for a gap to be filled or for a commit: not among the ready.
    parked: bool,
}

/// Events that wait, and who is next.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lanes: HashMap<ConversationId, Lane>,
    /// Conversations that may run, per tenant; tenants take turns.
    ready: HashMap<TenantId, VecDeque<ConversationId>>,
    turn_of: VecDeque<TenantId>,
    waiting: usize,
}

impl Queue {
    /// Events that wait in memory.
    pub(super) fn len(&self) -> usize {
        self.waiting
    }

    /// Adds an event; one that is known changes nothing.
    pub(super) fn add(&mut self, event: PendingEvent) {
        let conversation = event.conversation;
        let lane = self.lanes.entry(conversation).or_insert_with(|| Lane {
            tenant: event.tenant,
            bucket: event.bucket,
            events: BTreeMap::new(),
            running: false,
            parked: false,
        });
        let first = lane.events.is_empty();
        if lane.events.insert(event.seq, event).is_none() {
            self.waiting += 1;
        }
        if first && !lane.running && !lane.parked {
            self.make_ready(conversation);
        }
    }

    /// The next message to run, fairly between tenants. Its conversation runs until [`Queue::done`] or
    /// [`Queue::again`].
    pub(super) fn next(&mut self) -> Option<PendingEvent> {
        while let Some(tenant) = self.turn_of.pop_front() {
            let Some(ready) = self.ready.get_mut(&tenant) else {
                continue;
            };
            let conversation = ready.pop_front();
            if ready.is_empty() {
                self.ready.remove(&tenant);
            } else {
                self.turn_of.push_back(tenant);
            }
            let lane = conversation.and_then(|conversation| self.lanes.get_mut(&conversation));
            if let Some(lane) = lane
                && let Some((_, event)) = lane.events.first_key_value()
            {
                lane.running = true;
                return Some(event.clone());
            }
        }
        None
    }

    /// The message had its turn (or never will): its conversation goes on with the next.
    pub(super) fn done(&mut self, conversation: ConversationId, seq: i64) {
        let Some(lane) = self.lanes.get_mut(&conversation) else {
            return;
        };
        lane.running = false;
        if lane.events.remove(&seq).is_some() {
            self.waiting -= 1;
        }
        if lane.events.is_empty() {
            self.lanes.remove(&conversation);
        } else {
            self.make_ready(conversation);
        }
    }

    /// The message must run again, at once.
    pub(super) fn again(&mut self, conversation: ConversationId) {
        if let Some(lane) = self.lanes.get_mut(&conversation) {
            (lane.running, lane.parked) = (false, false);
            self.make_ready(conversation);
        }
    }

    /// The message waits until [`Queue::again`].
    pub(super) fn park(&mut self, conversation: ConversationId) {
        if let Some(lane) = self.lanes.get_mut(&conversation) {
            (lane.running, lane.parked) = (false, true);
        }
    }

    /// Forgets what waits in buckets that are not ours any more.
    pub(super) fn keep_buckets(&mut self, ours: impl Fn(Bucket) -> bool) {
        let mut gone = 0;
        self.lanes.retain(|_, lane| {
            let keep = ours(lane.bucket) || lane.running;
            gone += if keep { 0 } else { lane.events.len() };
            keep
        });
        self.waiting -= gone;
    }

    fn make_ready(&mut self, conversation: ConversationId) {
        let Some(lane) = self.lanes.get(&conversation) else {
            return;
        };
        let ready = self.ready.entry(lane.tenant).or_default();
        if ready.is_empty() {
            self.turn_of.push_back(lane.tenant);
        }
        ready.push_back(conversation);
    }
}
