//! The commit of turns: many in one transaction, each of them whole or not at all.
//!
//! Order of locks: leases, conversations by id, plugin memory by key. A turn whose conversation, memory or installation
//! moved since it began lost a race: it writes nothing and runs again; the others of its group commit. After a database
//! error the turns of the group run again and commit one by one, so that one bad turn does not take the others with it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::turn::Finished;
use crate::domain::{ConversationId, EventId, IdGenerator, InstallationId, TurnId};
use crate::ownership::Owned;
use crate::plugin_host::KvWrite;
use crate::storage::buckets::{self, Lease};
use crate::storage::conversations::{self, Conversation, OwnerLogRow};
use crate::storage::kv::{self, KvKey, KvValue};
use crate::storage::outbox::{self, NewSend, OutboxRow};
use crate::storage::turns::TurnRow;
use crate::storage::{Db, Result, StorageError, Tx, events, installations, turns};
use crate::telemetry::CommitTimer;

/// What became of one turn of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Committed,
    /// Something that it looked at moved: run it again.
    LostRace,
    /// The bucket is somebody else's by now, and so is the turn.
    NotOurs,
    /// Its group did not commit, perhaps because of another turn: run it again and commit it alone.
    Alone,
    /// The database refused it, and it alone.
    Failed,
}

/// What commits work with.
pub(super) struct Committer<'a> {
    pub db: &'a Db,
    pub ids: &'a IdGenerator,
    pub owned: &'a Owned,
}

type Fates = Vec<(ConversationId, i64, Fate)>;

impl Committer<'_> {
    /// Commits a group; answers every turn's fate and the sends that are to be delivered.
    pub(super) async fn commit(&self, group: Vec<Finished>) -> (Fates, Vec<OutboxRow>) {
        let (mut ours, mut fates) = self.only_ours(group);
        if ours.is_empty() {
            return (fates, Vec::new());
        }
        let alone = ours.len() == 1;
        let (lost, failed, rows) = match self.write(&mut ours).await {
            Ok((lost, rows)) => (lost, Fate::Committed, rows),
            Err(StorageError::Fenced(bucket)) => {
                tracing::info!(
                    bucket,
                    "turns of a bucket that was lost are left to its new owner"
                );
                (
                    HashSet::new(),
                    if alone { Fate::NotOurs } else { Fate::Alone },
                    Vec::new(),
                )
            }
            Err(error) => {
                tracing::error!(error = ?error, turns = ours.len(), "turns did not commit");
                (
                    HashSet::new(),
                    if alone { Fate::Failed } else { Fate::Alone },
                    Vec::new(),
                )
            }
        };
        let fate = |index| {
            if lost.contains(&index) {
                Fate::LostRace
            } else {
                failed
            }
        };
        let keys = ours
            .iter()
            .enumerate()
            .map(|(index, turn)| (turn.event.conversation, turn.event.seq, fate(index)));
        fates.extend(keys);
        (fates, rows)
    }

    fn only_ours(&self, group: Vec<Finished>) -> (Vec<Finished>, Fates) {
        let owned = self.owned.borrow().clone();
        let (ours, lost): (Vec<_>, Vec<_>) = group
            .into_iter()
            .partition(|turn| owned.owns(turn.event.bucket));
        let fates = lost
            .iter()
            .map(|turn| (turn.event.conversation, turn.event.seq, Fate::NotOurs))
            .collect();
        (ours, fates)
    }

    /// Writes what wins its races; answers the places of those that lost.
    async fn write(&self, group: &mut [Finished]) -> Result<(HashSet<usize>, Vec<OutboxRow>)> {
        let mut tx = self.db.begin().await?;
        let _held = CommitTimer::start("turns", group.len());
        let leases = self.leases(group)?;
        buckets::fence(&mut tx, &leases).await?;
        let lost = losers(&mut tx, group).await?;
        let mut winners: Vec<&mut Finished> = group
            .iter_mut()
            .enumerate()
            .filter(|(index, _)| !lost.contains(index))
            .map(|(_, turn)| turn)
            .collect();
        // A cleared draft is used once: a turn whose commit fails runs, and asks policy, again.
        let sends: Vec<NewSend> = winners
            .iter_mut()
            .flat_map(|turn| std::mem::take(&mut turn.sends))
            .collect();
        let winners: Vec<&Finished> = winners.into_iter().map(|turn| &*turn).collect();
        let rows = if winners.is_empty() {
            Vec::new()
        } else {
            self.write_winners(&mut tx, &winners, sends).await?
        };
        tx.commit().await?;
        Ok((lost, rows))
    }

    fn leases(&self, group: &[Finished]) -> Result<Vec<Lease>> {
        let owned = self.owned.borrow().clone();
        owned
            .leases_of(group.iter().map(|turn| turn.event.bucket))
            .ok_or(StorageError::Fenced(-1))
    }

    async fn write_winners(
        &self,
        tx: &mut Tx,
        winners: &[&Finished],
        sends: Vec<NewSend>,
    ) -> Result<Vec<OutboxRow>> {
        let done: Vec<(EventId, TurnId)> = winners
            .iter()
            .map(|turn| (turn.event.id, turn.row.id))
            .collect();
        if events::mark_done_all_tenants(tx, &done).await? != done.len() as u64 {
            return Err(StorageError::Corrupt(
                "an event had its turn already".to_owned(),
            ));
        }
        let mut after: Vec<&Conversation> = winners.iter().map(|turn| &turn.conversation).collect();
        after.sort_unstable_by_key(|conversation| conversation.id);
        conversations::store_turns_all_tenants(tx, &after).await?;
        let log: Vec<OwnerLogRow> = winners
            .iter()
            .flat_map(|turn| self.owner_log(turn))
            .collect();
        conversations::log_owners_all_tenants(tx, &log).await?;
        write_memory(tx, winners).await?;
        let rows: Vec<&TurnRow> = winners.iter().map(|turn| &turn.row).collect();
        turns::append_all_tenants(tx, &rows).await?;
        outbox::insert_all_tenants(tx, sends).await
    }

    fn owner_log(&self, turn: &Finished) -> Vec<OwnerLogRow> {
        let last = turn.conversation.owner_version;
        let count = i64::try_from(turn.owner_changes.len()).unwrap_or(0);
        turn.owner_changes
            .iter()
            .zip(last - count + 1..)
            .map(|(change, owner_version)| OwnerLogRow {
                id: self.ids.next(turn.row.at),
                tenant: turn.event.tenant,
                conversation: turn.event.conversation,
                owner_version,
                change: change.clone(),
                at: turn.row.at,
            })
            .collect()
    }
}

/// Locks what the group looked at and finds the turns that looked at something that has moved since.
async fn losers(tx: &mut Tx, group: &[Finished]) -> Result<HashSet<usize>> {
    let ids: BTreeSet<ConversationId> = group.iter().map(|turn| turn.event.conversation).collect();
    let ids: Vec<ConversationId> = ids.into_iter().collect();
    let versions: HashMap<ConversationId, i64> = conversations::lock_versions_all_tenants(tx, &ids)
        .await?
        .into_iter()
        .collect();
    let memory = lock_memory(tx, group).await?;
    let running = generations(tx, group).await?;
    let mut lost = HashSet::new();
    let mut written: HashSet<KvKey> = HashSet::new();
    for (index, turn) in group.iter().enumerate() {
        let moved = versions.get(&turn.event.conversation) != Some(&turn.seen_version);
        let retired = turn.ran.iter().any(|ran| !running.contains(ran));
        let stale = turn.kv.iter().any(|(plugin, effects)| {
            effects.reads.iter().any(|(item, seen)| {
                let key = kv_key(turn, plugin, item);
                written.contains(&key) || memory.get(&key).map_or(0, |value| value.version) != *seen
            })
        });
        if moved || retired || stale {
            lost.insert(index);
            continue;
        }
        for (plugin, effects) in &turn.kv {
            written.extend(effects.writes.keys().map(|item| kv_key(turn, plugin, item)));
        }
    }
    Ok(lost)
}

fn kv_key(turn: &Finished, plugin: &str, item: &str) -> KvKey {
    KvKey {
        tenant: turn.event.tenant,
        plugin: plugin.to_owned(),
        item: item.to_owned(),
    }
}

async fn lock_memory(tx: &mut Tx, group: &[Finished]) -> Result<HashMap<KvKey, KvValue>> {
    let keys: BTreeSet<KvKey> = group
        .iter()
        .flat_map(|turn| {
            turn.kv.iter().flat_map(move |(plugin, effects)| {
                let read = effects.reads.iter().map(|(item, _)| item);
                read.chain(effects.writes.keys())
                    .map(move |item| kv_key(turn, plugin, item))
            })
        })
        .collect();
    let keys: Vec<KvKey> = keys.into_iter().collect();
    Ok(kv::read_all_tenants(tx, &keys, true)
        .await?
        .into_iter()
        .collect())
}

async fn generations(tx: &mut Tx, group: &[Finished]) -> Result<HashSet<(InstallationId, i64)>> {
    let ids: BTreeSet<InstallationId> = group
        .iter()
        .flat_map(|turn| turn.ran.iter().map(|(id, _)| *id))
        .collect();
    let ids: Vec<InstallationId> = ids.into_iter().collect();
    Ok(installations::running_all_tenants(tx, &ids)
        .await?
        .into_iter()
        .collect())
}

/// Writes plugins' memory: within a group in the order of the turns, then one write per key.
async fn write_memory(tx: &mut Tx, winners: &[&Finished]) -> Result<()> {
    let mut after: BTreeMap<KvKey, Option<KvValue>> = BTreeMap::new();
    let adds = winners.iter().flat_map(|turn| {
        turn.kv
            .iter()
            .flat_map(|(_, effects)| effects.writes.values())
    });
    let stored = if adds
        .into_iter()
        .any(|write| matches!(write, KvWrite::Add(_)))
    {
        lock_memory_of(tx, winners).await?
    } else {
        HashMap::new()
    };
    for turn in winners {
        let version = turn.row.id.raw();
        for (plugin, effects) in &turn.kv {
            for (item, write) in &effects.writes {
                let key = kv_key(turn, plugin, item);
                let value = match write {
                    KvWrite::Set(value) => Some(value.clone()),
                    KvWrite::Delete => None,
                    KvWrite::Add(delta) => Some(added(&after, &stored, &key, *delta)),
                };
                after.insert(key, value.map(|value| KvValue { value, version }));
            }
        }
    }
    let gone: Vec<KvKey> = after
        .iter()
        .filter(|(_, value)| value.is_none())
        .map(|(key, _)| key.clone())
        .collect();
    let puts: Vec<(KvKey, KvValue)> = after
        .into_iter()
        .filter_map(|(key, value)| value.map(|value| (key, value)))
        .collect();
    kv::put_all_tenants(tx, &puts).await?;
    kv::delete_all_tenants(tx, &gone).await
}

async fn lock_memory_of(tx: &mut Tx, winners: &[&Finished]) -> Result<HashMap<KvKey, KvValue>> {
    let keys: BTreeSet<KvKey> = winners
        .iter()
        .flat_map(|turn| {
            turn.kv.iter().flat_map(move |(plugin, effects)| {
                effects
                    .writes
                    .keys()
                    .map(move |item| kv_key(turn, plugin, item))
            })
        })
        .collect();
    let keys: Vec<KvKey> = keys.into_iter().collect();
    Ok(kv::read_all_tenants(tx, &keys, true)
        .await?
        .into_iter()
        .collect())
}

/// The sum as decimal text, as the plugin host reads numbers. What is no number counts as nothing: the turn that wrote
/// it is long committed, and an addition cannot be refused any more.
fn added(
    after: &BTreeMap<KvKey, Option<KvValue>>,
    stored: &HashMap<KvKey, KvValue>,
    key: &KvKey,
    delta: i64,
) -> Vec<u8> {
    let before = match after.get(key) {
        Some(value) => value.as_ref(),
        None => stored.get(key),
    };
    let number = before
        .and_then(|value| std::str::from_utf8(&value.value).ok()?.parse::<i64>().ok())
        .unwrap_or(0);
    number.saturating_add(delta).to_string().into_bytes()
}
