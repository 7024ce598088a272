//! What waits for a turn, in memory: per conversation in order, between tenants by what they took ([`Work`]). Pure.
//!
//! Slots are shared: a tenant below its share begins whenever a slot is free, one above it only while nobody below
//! waits and a reserve stays free. So a tenant alone on the node uses nearly all of it, and none can hold all of it; while
//! others are there, those above their share have as much under way as the others can bear ([`GiveWay`]).
//! A conversation that lost too many races runs *alone*: while no other turn of its tenant runs or waits for its commit.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use super::give_way::{GiveWay, LEAST};
use super::room::Room;
use super::takers::Takers;
use super::work::{Charge, Work};
use crate::domain::{Bucket, ConversationId, Leeway, TenantId, Timestamp};
use crate::plugin_host::Weight;
use crate::storage::events::PendingEvent;

/// After so many lost races a conversation's next message runs alone (design.md §3).
pub(super) const RACES: u32 = 3;

/// The events of one conversation, by sequence number.
#[derive(Debug)]
struct Lane {
    tenant: TenantId,
    bucket: Bucket,
    events: BTreeMap<i64, PendingEvent>,
    state: LaneState,
    /// Its events are held in the room of those that wait for a plugin.
    aside: bool,
    tries: Tries,
    /// Of the turn under way, until it is settled.
    charge: Option<Charge>,
    /// Its tenant was above its share when the turn under way began.
    above: bool,
    /// Its tenant had all it wanted then, beside others: how long this turn waits says what theirs do to it.
    tells: bool,
    /// Of the turn under way.
    wait: Option<Wait>,
}

impl Lane {
    /// Which of the two rooms its events have their places in.
    fn held_in<'a>(&self, room: &'a mut Room, aside: &'a mut Room) -> &'a mut Room {
        if self.aside { aside } else { room }
    }
}

/// How long a turn whose guests are done has waited for a thread, and since when it waits for its commit.
#[derive(Debug, Clone, Copy)]
struct Wait {
    so_far: Duration,
    since: Timestamp,
    /// Turns of tenants above their share that were under way when its guests were done.
    above: usize,
}

/// What a turn took, its commit not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Took {
    pub fuel: u64,
    /// How long it waited for a guest thread.
    pub waited: Duration,
}

/// What became of earlier runs of a conversation's next message. Forgotten with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tries {
    /// Lost races.
    pub races: u32,
    /// How often a plugin asked for another try.
    pub retries: u32,
    /// Its group did not commit: it has a commit of its own.
    pub single: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LaneState {
    /// Among its tenant's ready.
    Ready,
    /// From [`Queue::next`] until it is told how that ended.
    Running,
    /// Waits for its time or for a gap to be filled: not among the ready.
    Parked,
}

/// What one tenant waits for and holds. Kept only while it does either.
#[derive(Debug, Default)]
struct Share {
    ready: VecDeque<ConversationId>,
    /// Conversations that are to run alone; the others wait for them.
    alone: VecDeque<ConversationId>,
    /// Turns under way, those waiting for their commit included.
    running: usize,
    /// The one turn under way is to stay the only one.
    exclusive: bool,
    /// Where it stands in the order of turns.
    queued: Option<Stand>,
}

/// Who is next, where the first of all who wait stood, and whether it is above its share.
struct Next {
    tenant: TenantId,
    least: u64,
    above: bool,
}

/// What a tenant has taken, and when it came to stand there: the least is next.
type Stand = (u64, u64);

impl Share {
    fn waits(&self) -> bool {
        !(self.ready.is_empty() && self.alone.is_empty())
    }

    fn may_begin(&self) -> bool {
        !self.exclusive && (self.alone.is_empty() || self.running == 0)
    }
}

/// Events that wait, and who is next.
#[derive(Debug)]
pub(super) struct Queue {
    lanes: HashMap<ConversationId, Lane>,
    tenants: HashMap<TenantId, Share>,
    /// Tenants that wait, each once, by where they stand.
    turn_of: BTreeSet<(Stand, TenantId)>,
    arrivals: u64,
    work: Work,
    room: Room,
    /// Of the same size, for what waits for a plugin: a minute of that would else fill its tenant's part of the room, and
    /// what the tenant's other numbers hear would not be found before.
    aside: Room,
    running: usize,
    /// Of these, of tenants that were above their share.
    above: usize,
    give_way: GiveWay,
    takers: Takers,
    slots: usize,
}

impl Queue {
    /// For so many turns under way at once, so many messages in memory (and as many that wait for a plugin), and guests on so
    /// many threads; a turn usually waits so long for its commit.
    pub(super) fn new(slots: usize, room: usize, guest_threads: usize, usual: Duration) -> Self {
        Self {
            lanes: HashMap::new(),
            tenants: HashMap::new(),
            turn_of: BTreeSet::new(),
            arrivals: 0,
            work: Work::new(guest_threads),
            room: Room::new(room),
            aside: Room::new(room),
            running: 0,
            above: 0,
            give_way: GiveWay::new(slots.max(1), usual),
            takers: Takers::new(guest_threads),
            slots: slots.max(1),
        }
    }

    /// Events that wait in memory.
    pub(super) fn len(&self) -> usize {
        self.room.len() + self.aside.len()
    }

    /// Who is behind, and for whom there is room.
    pub(super) fn room(&mut self) -> &mut Room {
        &mut self.room
    }

    /// Turns under way, those waiting for their commit included.
    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// Hears whether bodies wait in a backlog, and tells how much those who want more than their share may have, and whose turns
    /// need no more to follow them yet.
    pub(super) fn share(&mut self, leeway: &Leeway, now: Timestamp) {
        self.give_way.tell_backlog(leeway.has_backlog(), now);
        let plenty = self.room.plenty().iter().copied();
        leeway.tell_ahead(plenty.chain(self.takers.all()).collect());
        leeway.set(self.give_way.share(now));
    }

    pub(super) fn weight(&self, tenant: TenantId) -> Weight {
        match self.work.is_heavy(tenant) {
            true => Weight::Heavy,
            false => Weight::Light,
        }
    }

    /// Takes in a message that just arrived, if there is room and its tenant is not behind.
    pub(super) fn offer(&mut self, event: PendingEvent) {
        if self.room.admits(event.tenant) {
            self.add(event);
        }
    }

    /// Adds an event; one that is known changes nothing.
    pub(super) fn add(&mut self, event: PendingEvent) {
        let (conversation, tenant) = (event.conversation, event.tenant);
        let known = self.lanes.contains_key(&conversation);
        let lane = self.lanes.entry(conversation).or_insert_with(|| Lane {
            tenant: event.tenant,
            bucket: event.bucket,
            events: BTreeMap::new(),
            state: LaneState::Ready,
            aside: false,
            tries: Tries::default(),
            charge: None,
            above: false,
            tells: false,
            wait: None,
        });
        if let Entry::Vacant(place) = lane.events.entry(event.seq) {
            place.insert(event);
            lane.held_in(&mut self.room, &mut self.aside).add(tenant, 1);
            if lane.aside && !self.aside.has_room(tenant) {
                self.hold(conversation, false);
            }
        }
        if !known {
            self.make_ready(conversation);
        }
    }

    /// The next message to run, fairly between tenants. Its conversation holds a slot until [`Queue::done`],
    /// [`Queue::again`], [`Queue::lost_race`] or [`Queue::park`].
    pub(super) fn next(&mut self, now: Timestamp) -> Option<PendingEvent> {
        while let Some(Next {
            tenant,
            least,
            above,
        }) = self.next_tenant(now)
        {
            let share = self.tenants.get_mut(&tenant)?;
            let alone = share.alone.pop_front();
            let exclusive = alone.is_some();
            let conversation = alone.or_else(|| share.ready.pop_front());
            let waits = share.waits();
            let event = conversation.and_then(|conversation| self.enter(conversation));
            if let Some(event) = &event {
                let charge = self.work.charge(tenant, least);
                let is_alone = self.tenants.len() == 1;
                let tells = !(above || waits || is_alone || self.work.is_heavy(tenant));
                if let Some(lane) = self.lanes.get_mut(&event.conversation) {
                    lane.charge = Some(charge);
                    lane.above = above;
                    lane.tells = tells;
                    self.above += usize::from(above);
                }
                self.takers.begins(tenant, charge.work(), now);
                if above {
                    self.give_way.take(now);
                }
            }
            if event.is_some()
                && let Some(share) = self.tenants.get_mut(&tenant)
            {
                share.running += 1;
                share.exclusive = exclusive;
                self.running += 1;
            }
            self.tidy(tenant);
            if event.is_some() {
                return event;
            }
        }
        None
    }

    /// The lane's first message, if it is ready: one that was forgotten and came again may stand in line twice.
    fn enter(&mut self, conversation: ConversationId) -> Option<PendingEvent> {
        let lane = self.lanes.get_mut(&conversation)?;
        if lane.state != LaneState::Ready {
            return None;
        }
        let mut first = lane.events.first_entry()?;
        lane.state = LaneState::Running;
        let event = first.get().clone();
        // Another try begins with what it reads.
        first.get_mut().met = None;
        Some(event)
    }

    /// Takes the tenant whose turn it is out of the order; and where the first of all stood. Those who are passed by hold a slot
    /// each, or are heavy and wait for others that are, so that few are.
    fn next_tenant(&mut self, now: Timestamp) -> Option<Next> {
        let free = self.slots.saturating_sub(self.running);
        if free == 0 {
            return None;
        }
        let shared_out = self.give_way.slots(now);
        let share = self.fair_share(shared_out);
        let spare = free > reserve(self.slots)
            && (self.running + reserve(shared_out) < shared_out || self.above < LEAST);
        let mut heavy_wait = false;
        let mut above = None;
        let mut below = None;
        for (stand, tenant) in &self.turn_of {
            let Some(waits) = self.tenants.get(tenant).filter(|share| share.may_begin()) else {
                continue;
            };
            if !self.work.trusts(*tenant, waits.running) {
                continue;
            }
            let heavy = self.work.is_heavy(*tenant);
            if heavy && (heavy_wait || !self.work.has_room_for(*tenant)) {
                heavy_wait = true;
                continue;
            }
            if waits.running < share && !self.takers.has(*tenant) {
                below = Some((*stand, *tenant));
                break;
            }
            if above.is_none() {
                above = Some((*stand, *tenant));
            }
        }
        let is_above = below.is_none();
        let next = below.or(above.filter(|_| spare))?;
        let ((least, _), _) = *self.turn_of.first()?;
        self.turn_of.remove(&next);
        self.tenants.get_mut(&next.1)?.queued = None;
        Some(Next {
            tenant: next.1,
            least,
            above: is_above,
        })
    }

    /// An equal part of so many slots for everybody who waits or runs, and for one more who may come.
    fn fair_share(&self, slots: usize) -> usize {
        (slots / (self.tenants.len() + 1)).max(1)
    }

    /// The guests of a running turn are done; its commit may still be to come.
    pub(super) fn measured(&mut self, conversation: ConversationId, took: Took, now: Timestamp) {
        let Some(lane) = self.lanes.get_mut(&conversation) else {
            return;
        };
        lane.wait = Some(Wait {
            so_far: took.waited,
            since: now,
            above: self.above,
        });
        let tenant = lane.tenant;
        if let Some(charge) = lane.charge.take() {
            self.work.settle(tenant, charge, took.fuel);
            self.stand_anew(tenant);
        }
    }

    /// The running message's turn is committed.
    pub(super) fn committed(&mut self, conversation: ConversationId, seq: i64, now: Timestamp) {
        let lane = self.lanes.get(&conversation);
        let wait = lane.filter(|lane| lane.tells).and_then(|lane| lane.wait);
        if let Some(wait) = wait {
            let waited = wait.so_far + now.since(wait.since);
            self.give_way.waited(waited, wait.above, now);
        }
        self.done(conversation, seq);
    }

    /// The message had its turn (or never will): its conversation goes on with the next.
    pub(super) fn done(&mut self, conversation: ConversationId, seq: i64) {
        self.release(conversation);
        let Some(lane) = self.lanes.get_mut(&conversation) else {
            return;
        };
        lane.tries = Tries::default();
        if lane.events.remove(&seq).is_some() {
            let room = lane.held_in(&mut self.room, &mut self.aside);
            room.remove(lane.tenant, 1);
        }
        if lane.events.is_empty() {
            self.lanes.remove(&conversation);
        } else {
            self.hold(conversation, false);
            self.make_ready(conversation);
        }
    }

    /// The running message must run again, at once.
    pub(super) fn again(&mut self, conversation: ConversationId) {
        if self.release(conversation) {
            self.make_ready(conversation);
        }
    }

    /// The running message lost a race and runs again, from the third time on alone.
    pub(super) fn lost_race(&mut self, conversation: ConversationId) {
        self.note(conversation, |tries| tries.races += 1);
        self.again(conversation);
    }

    /// Notes what became of a run of the conversation's next message.
    pub(super) fn note(&mut self, conversation: ConversationId, change: impl FnOnce(&mut Tries)) {
        if let Some(lane) = self.lanes.get_mut(&conversation) {
            change(&mut lane.tries);
        }
    }

    pub(super) fn tries(&self, conversation: ConversationId) -> Tries {
        let lane = self.lanes.get(&conversation);
        lane.map(|lane| lane.tries).unwrap_or_default()
    }

    /// The running message waits until [`Queue::due`].
    pub(super) fn park(&mut self, conversation: ConversationId) {
        self.release(conversation);
        if let Some(lane) = self.lanes.get_mut(&conversation) {
            lane.state = LaneState::Parked;
        }
    }

    /// The running message waits so for a plugin, perhaps for long: where all that waits behind it finds room too, its
    /// conversation gives its places to others until it goes on. A longer one would come back with the next look, and have
    /// brought that look about.
    pub(super) fn set_aside(&mut self, conversation: ConversationId) {
        self.park(conversation);
        let fits = |lane: &Lane| self.aside.fits(lane.tenant, lane.events.len());
        if self.lanes.get(&conversation).is_some_and(fits) {
            self.hold(conversation, true);
        }
    }

    /// Holds what waits of a conversation in one room or the other.
    fn hold(&mut self, conversation: ConversationId, aside: bool) {
        let other = |lane: &&mut Lane| lane.aside != aside;
        let Some(lane) = self.lanes.get_mut(&conversation).filter(other) else {
            return;
        };
        let (from, to) = match aside {
            true => (&mut self.room, &mut self.aside),
            false => (&mut self.aside, &mut self.room),
        };
        lane.aside = aside;
        from.remove(lane.tenant, lane.events.len());
        to.add(lane.tenant, lane.events.len());
    }

    /// What was parked waits no longer. One that has been forgotten meanwhile, and runs anew, is left alone.
    pub(super) fn due(&mut self, conversation: ConversationId) {
        let parked = |lane: &Lane| lane.state == LaneState::Parked;
        if self.lanes.get(&conversation).is_some_and(parked) {
            self.make_ready(conversation);
        }
    }

    /// Forgets what waits in buckets that are not ours any more.
    pub(super) fn keep_buckets(&mut self, ours: impl Fn(Bucket) -> bool) {
        let (room, aside) = (&mut self.room, &mut self.aside);
        self.lanes.retain(|_, lane| {
            let keep = ours(lane.bucket) || lane.state == LaneState::Running;
            if !keep {
                lane.held_in(room, aside)
                    .remove(lane.tenant, lane.events.len());
            }
            keep
        });
    }

    /// Forgets a conversation whose next message is in the database only: what follows it can only wait, and would keep
    /// others out of memory. A look finds all of it, in order.
    pub(super) fn forget(&mut self, conversation: ConversationId) {
        self.release(conversation);
        self.hold(conversation, false);
        if let Some(lane) = self.lanes.remove(&conversation) {
            self.room.remove(lane.tenant, lane.events.len());
            self.room.fall_behind(lane.tenant);
        }
    }

    fn make_ready(&mut self, conversation: ConversationId) {
        let Some(lane) = self.lanes.get_mut(&conversation) else {
            return;
        };
        lane.state = LaneState::Ready;
        let (tenant, alone) = (lane.tenant, lane.tries.races >= RACES);
        let share = self.tenants.entry(tenant).or_default();
        let line = if alone {
            &mut share.alone
        } else {
            &mut share.ready
        };
        line.push_back(conversation);
        self.tidy(tenant);
    }

    /// Gives the slot of a running conversation back.
    fn release(&mut self, conversation: ConversationId) -> bool {
        let running = |lane: &&mut Lane| lane.state == LaneState::Running;
        let Some(lane) = self.lanes.get_mut(&conversation).filter(running) else {
            return false;
        };
        lane.state = LaneState::Parked;
        lane.wait = None;
        self.above -= usize::from(std::mem::take(&mut lane.above));
        let tenant = lane.tenant;
        if let Some(charge) = lane.charge.take() {
            self.work.refund(tenant, charge);
            self.stand_anew(tenant);
        }
        self.running -= 1;
        if let Some(share) = self.tenants.get_mut(&tenant) {
            share.running -= 1;
            share.exclusive = false;
        }
        self.tidy(tenant);
        true
    }

    /// Who waits stands in the order once; who neither waits nor runs is forgotten.
    fn tidy(&mut self, tenant: TenantId) {
        let Some(share) = self.tenants.get_mut(&tenant) else {
            return;
        };
        if share.waits() && share.queued.is_none() {
            self.arrivals += 1;
            let stand = (self.work.stands_at(tenant), self.arrivals);
            share.queued = Some(stand);
            self.turn_of.insert((stand, tenant));
        } else if !share.waits() && share.running == 0 && share.queued.is_none() {
            self.tenants.remove(&tenant);
            self.work.leave(tenant);
        }
    }

    /// What it took is known better now.
    fn stand_anew(&mut self, tenant: TenantId) {
        let Some(share) = self.tenants.get_mut(&tenant) else {
            return;
        };
        if let Some((stood, arrival)) = share.queued {
            self.turn_of.remove(&((stood, arrival), tenant));
            let stand = (self.work.stands_at(tenant), arrival);
            share.queued = Some(stand);
            self.turn_of.insert((stand, tenant));
        }
    }
}

/// Kept free for tenants below their share. A guess: an eighth costs a tenant who is alone little, and is enough
/// for newcomers to begin at once until others' turns end.
fn reserve(slots: usize) -> usize {
    slots.div_ceil(8).min(slots - 1)
}

#[cfg(test)]
mod tests;
