//! One business number: its customers in shards of their own locks, its throughput, its sequence of message ids.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use super::account::AccountCell;
use super::chat::{Chat, ChatChange, ChatItem};
use super::config::{Checks, RecordLimits, SimNumber};
use super::counters::Counters;
use super::identity::Profile;
use super::phone::Watch;
use super::rate::Throughput;
use super::wamid::{self, Direction};
use crate::domain::Timestamp;
use crate::sync::lock;

/// Enough that two threads seldom meet on one lock.
const SHARDS: usize = 64;

/// What the number knows about one customer.
#[derive(Debug, Default)]
pub(super) struct Customer {
    /// End of the customer-service window; zero: never open.
    pub window_until: Timestamp,
    /// State of the pair rate.
    pub pair: i64,
    pub profile: Option<Box<Profile>>,
    /// When the customer last wrote; zero: never.
    pub wrote_at: Timestamp,
    /// Wrote by an ad, and the business has not replied yet.
    pub came_by_ad: Option<Timestamp>,
    /// End of the free entry point that the reply opened (§6.2).
    pub free_until: Timestamp,
    pub chat: Chat,
}

#[derive(Debug, Default)]
struct Shard {
    customers: Mutex<HashMap<String, Customer>>,
    /// Told after every change of a chat in this shard.
    changed: Notify,
}

impl Shard {
    fn customers(&self) -> MutexGuard<'_, HashMap<String, Customer>> {
        lock(&self.customers)
    }
}

/// How many chat items all numbers hold together, and where what finds no room is counted.
#[derive(Debug)]
pub(super) struct ChatRoom {
    pub limits: RecordLimits,
    pub held: AtomicUsize,
    pub counters: Arc<Counters>,
    pub watch: Arc<Watch>,
}

/// A live business number.
#[derive(Debug)]
pub struct Number {
    spec: SimNumber,
    /// `metadata` of every webhook value about this number, as JSON.
    pub(super) metadata: String,
    pub(super) throughput: Throughput,
    pub(super) account: AccountCell,
    run: u64,
    sequence: AtomicU64,
    shards: Box<[Shard]>,
    room: Arc<ChatRoom>,
}

impl Number {
    pub(super) fn new(spec: SimNumber, checks: Checks, run: u64, room: Arc<ChatRoom>) -> Self {
        let tolerance = Duration::from_millis(checks.rate_tolerance_ms);
        Self {
            metadata: super::webhook::ascii_json(&serde_json::json!({
                "display_phone_number": spec.display_number,
                "phone_number_id": spec.phone_number_id,
            })),
            throughput: Throughput::per_second(spec.throughput, tolerance),
            account: AccountCell::default(),
            spec,
            run,
            sequence: AtomicU64::new(0),
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            room,
        }
    }

    pub fn id(&self) -> &str {
        &self.spec.phone_number_id
    }

    pub fn waba_id(&self) -> &str {
        &self.spec.waba_id
    }

    pub fn spec(&self) -> &SimNumber {
        &self.spec
    }

    pub(super) fn next_wamid(&self, direction: Direction, key: &str) -> String {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        wamid::make(direction, self.id(), key, self.run, sequence)
    }

    /// Which customers share a lock, and a webhook connection.
    pub(super) fn lane(key: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        usize::try_from(hasher.finish() >> 8).unwrap_or(0)
    }

    fn shard(&self, key: &str) -> &Shard {
        &self.shards[Self::lane(key) % SHARDS]
    }

    fn customers(&self, key: &str) -> MutexGuard<'_, HashMap<String, Customer>> {
        self.shard(key).customers()
    }

    /// Runs `with` on the customer, who comes to be when not known yet.
    pub(super) fn with_customer<T>(&self, key: &str, with: impl FnOnce(&mut Customer) -> T) -> T {
        let mut customers = self.customers(key);
        if let Some(customer) = customers.get_mut(key) {
            return with(customer);
        }
        with(customers.entry(key.to_owned()).or_default())
    }

    /// Reads a chat; a customer nobody has met has an empty one.
    pub fn with_chat<T>(&self, key: &str, read: impl FnOnce(&Chat) -> T) -> T {
        match self.customers(key).get(key) {
            Some(customer) => read(&customer.chat),
            None => read(&Chat::default()),
        }
    }

    /// Changes a chat and wakes whoever waits for it.
    pub(super) fn change_chat(&self, key: &str, change: impl FnOnce(&mut Chat)) {
        self.with_customer(key, |customer| {
            // First: what changes is stamped with the version that it makes.
            customer.chat.version += 1;
            change(&mut customer.chat);
        });
        self.shard(key).changed.notify_waiters();
        self.room.watch.wake();
    }

    /// A message of the business ends "typing…" (§4.5).
    pub(super) fn append_and_answer_typing(&self, key: &str, item: ChatItem) {
        self.change_chat(key, |chat| chat.typing_until = None);
        self.append(key, item);
    }

    /// Appends to a chat within the limits, and wakes whoever waits for it.
    pub(super) fn append(&self, key: &str, mut item: ChatItem) {
        self.change_chat(key, |chat| {
            item.version = chat.version;
            let limits = &self.room.limits;
            let full = self.room.held.load(Ordering::Relaxed) >= limits.chat_items_total;
            if (full || chat.items.len() >= limits.chat_items) && chat.items.pop_front().is_some() {
                self.room.held.fetch_sub(1, Ordering::Relaxed);
                self.room.counters.chat_items_dropped.one();
            }
            if self.room.held.load(Ordering::Relaxed) < limits.chat_items_total {
                self.room.held.fetch_add(1, Ordering::Relaxed);
                chat.items.push_back(item);
            } else {
                self.room.counters.chat_items_dropped.one();
            }
        });
    }

    /// What has changed since `version`; `None`: nothing. A version from before the number was started afresh counts
    /// as none at all.
    pub(super) fn changed_since(&self, key: &str, version: u64) -> Option<ChatChange> {
        self.with_chat(key, |chat| {
            let known = if version > chat.version { 0 } else { version };
            let items = chat.items.iter().filter(|item| item.version > known);
            (chat.version > known).then(|| ChatChange {
                number: self.id().to_owned(),
                version: chat.version,
                typing_until: chat.typing_until,
                items: items.cloned().collect(),
            })
        })
    }

    /// Whether chats are kept at all (benchmark mode does not).
    pub(super) fn keeps_chats(&self) -> bool {
        self.room.limits.chat_items > 0
    }

    pub fn profile(&self, key: &str) -> Profile {
        self.customers(key)
            .get(key)
            .and_then(|customer| customer.profile.as_deref().cloned())
            .unwrap_or_default()
    }

    pub fn set_profile(&self, key: &str, profile: Profile) {
        self.with_customer(key, |customer| customer.profile = Some(Box::new(profile)));
        self.room.watch.wake();
    }

    pub(super) fn reads(&self, key: &str) -> bool {
        self.customers(key)
            .get(key)
            .and_then(|customer| customer.profile.as_ref())
            .is_none_or(|profile| profile.read_receipts)
    }

    pub fn customer_count(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.customers().len())
            .sum()
    }

    /// Everybody who has a chat with this number.
    pub fn customer_keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self
            .shards
            .iter()
            .flat_map(|shard| shard.customers().keys().cloned().collect::<Vec<_>>())
            .collect();
        keys.sort_unstable();
        keys
    }

    /// Waits until `holds` is true of the chat. Woken by changes; never asks again by itself.
    pub async fn wait_for(&self, key: &str, holds: impl Fn(&Chat) -> bool) -> Chat {
        loop {
            let changed = self.shard(key).changed.notified();
            tokio::pin!(changed);
            // Listen before looking: a change in between must not be missed.
            changed.as_mut().enable();
            let found = self.with_chat(key, |chat| holds(chat).then(|| chat.clone()));
            if let Some(chat) = found {
                return chat;
            }
            changed.await;
        }
    }
}
