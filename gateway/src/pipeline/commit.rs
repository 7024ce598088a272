//! The commit of turns: many in one transaction, each of them whole or not at all.
//!
//! Order of locks: leases, contacts and consent (of those whom turns change or answer at once), conversations by id,
//! plugins' usage by owner, plugin memory by key, installations by id (shared: a switch of versions waits for those who
//! commit, and who comes after it sees it), names of metrics. A turn whose conversation, memory or installation moved since it began lost a
//! race: it writes nothing and runs again; the others of its group commit. After a database error the turns of the group run
//! again and commit one by one, so that one bad turn does not take the others with it.

mod at_once;
mod caused;
mod kv;
mod metrics;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::journal;
use super::memory::Used;
use super::turn::Finished;
use crate::domain::{ConversationId, EventId, IdGenerator, InstallationId, Timestamp, TurnId};
use crate::outbox::AtOnce;
use crate::ownership::Owned;
use crate::storage::buckets::{self, Lease};
use crate::storage::conversations::{self, Conversation, Locked, OwnerLogRow};
use crate::storage::outbox::{self, NewSend, OutboxRow};
use crate::storage::turns::TurnRow;
use crate::storage::{Db, Result, StorageError, Tx, Written, events, installations, turns};
use crate::telemetry::CommitTimer;

use at_once::{Debts, Sends};
use caused::People;
pub(super) use caused::TimerCounts;
use kv::GroupMemory;
pub(super) use metrics::MetricNames;

/// What became of one turn of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Committed,
    /// Something that it looked at moved: run it again.
    LostRace,
    /// A plugin of it is not what it was: another version, other settings. Run it again with what is installed now.
    Switched,
    /// The bucket is somebody else's by now, and so is the turn.
    NotOurs,
    /// Its group did not commit, perhaps because of another turn: run it again and commit it by itself.
    Singly,
    /// The database refused it, and it alone.
    Failed,
}

/// What commits work with.
pub(super) struct Committer {
    pub db: Db,
    pub ids: Arc<IdGenerator>,
    pub owned: Owned,
    /// Bytes that one plugin may remember at one tenant.
    pub kv_total: i64,
    /// Told what plugins remember in all, so that the next turns know whether there is room.
    pub used: Used,
    pub timers: TimerCounts,
    pub metrics: MetricNames,
    /// Asked which sends may go with this very commit.
    pub at_once: Arc<dyn AtOnce>,
}

type Fates = Vec<(ConversationId, i64, Fate)>;

impl Committer {
    /// Writes a group. What is answered tells every turn's fate and the sends that are to be delivered, as soon as what is
    /// written lasts; the next group can be written meanwhile.
    pub(super) async fn commit(
        &self,
        group: Vec<Finished>,
    ) -> impl Future<Output = (Fates, Vec<OutboxRow>)> + Send + 'static + use<> {
        let (mut ours, fates) = self.only_ours(group);
        let keys: Vec<_> = ours
            .iter()
            .map(|turn| (turn.event.conversation, turn.event.seq))
            .collect();
        let wrote = match ours.is_empty() {
            true => None,
            false => Some(self.write(&mut ours).await),
        };
        async move {
            match wrote {
                None => (fates, Vec::new()),
                Some(wrote) => settle(keys, fates, wrote).await,
            }
        }
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

    /// Writes what wins its races.
    async fn write(&self, group: &mut [Finished]) -> Result<Wrote> {
        let mut reserved = at_once::reserve(&*self.at_once, group).await;
        // A POST must not outlive what it was claimed by.
        let mut tx = match reserved.is_empty() {
            true => self.db.begin_unsynced().await?,
            false => self.db.begin().await?,
        };
        let _held = CommitTimer::start("turns", group.len());
        let leases = self.leases(group)?;
        buckets::fence(&mut tx, &leases).await?;
        let mut people = People::lock(&mut tx, group, reserved.contacts()).await?;
        let locked = lock_versions(&mut tx, group).await?;
        let mut memory = GroupMemory::lock(&mut tx, group, self.kv_total).await?;
        let lost = losers(&mut tx, group, &locked, &mut memory).await?;
        let mut winners: Vec<&mut Finished> = group
            .iter_mut()
            .enumerate()
            .filter(|(index, _)| !lost.contains_key(index))
            .map(|(_, turn)| turn)
            .collect();
        caused::admit_timers(&mut tx, &self.timers, &mut winners).await?;
        metrics::admit(&mut tx, &self.metrics, &mut winners).await?;
        // A cleared draft is used once: a turn whose commit fails runs, and asks policy, again.
        let mut sends: Vec<NewSend> = winners
            .iter_mut()
            .flat_map(|turn| chain(turn, &locked))
            .collect();
        reserved
            .claim(&mut tx, &mut sends, &leases, people.consents())
            .await?;
        let log: Vec<OwnerLogRow> = winners
            .iter_mut()
            .flat_map(|turn| self.owner_log(turn))
            .collect();
        let winners: Vec<&Finished> = winners.into_iter().map(|turn| &*turn).collect();
        let rows = if winners.is_empty() {
            Vec::new()
        } else {
            people.write(&mut tx, &self.ids, &winners).await?;
            self.write_winners(
                &mut tx,
                &winners,
                &mut memory,
                (sends, log, reserved.debts()),
            )
            .await?
        };
        let written = tx.write().await?;
        self.used.learn(memory.into_used());
        Ok(Wrote {
            lost,
            rows,
            reserved,
            written,
        })
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
        memory: &mut GroupMemory,
        (sends, log, debts): (Vec<NewSend>, Vec<OwnerLogRow>, &Debts),
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
        let mut after: Vec<(&Conversation, Option<Timestamp>)> = winners
            .iter()
            .map(|turn| &turn.conversation)
            .map(|conversation| (conversation, debts.get(&conversation.id).copied()))
            .collect();
        after.sort_unstable_by_key(|(conversation, _)| conversation.id);
        conversations::store_turns_all_tenants(tx, &after).await?;
        let attention: Vec<&Conversation> = winners
            .iter()
            .filter(|turn| !turn.owner_changes.is_empty() || !turn.told.is_empty())
            .map(|turn| &turn.conversation)
            .collect();
        conversations::store_attention_all_tenants(tx, &attention).await?;
        for event in winners.iter().flat_map(|turn| &turn.told) {
            tx.tell(event.clone());
        }
        conversations::log_owners_all_tenants(tx, &log).await?;
        memory.write(tx).await?;
        caused::write(tx, winners).await?;
        let rows: Vec<&TurnRow> = winners.iter().map(|turn| &turn.row).collect();
        turns::append_all_tenants(tx, &rows).await?;
        outbox::insert_all_tenants(tx, sends).await
    }

    /// A winner's changes of owner, behind its sends in the history.
    fn owner_log(&self, turn: &mut Finished) -> Vec<OwnerLogRow> {
        let version = turn.conversation.owner_version;
        let count = i64::try_from(turn.owner_changes.len()).unwrap_or(0);
        let last = &mut turn.conversation.last_entry;
        turn.owner_changes
            .iter()
            .zip(version - count + 1..)
            .map(|(change, owner_version)| {
                let id = self.ids.next(turn.row.at);
                OwnerLogRow {
                    id,
                    tenant: turn.event.tenant,
                    conversation: turn.event.conversation,
                    owner_version,
                    change: change.clone(),
                    at: turn.row.at,
                    prev: std::mem::replace(last, id),
                }
            })
            .collect()
    }
}

/// A group that is written: what others see, and a machine that loses its power may forget.
struct Wrote {
    /// The places of those that lost their races.
    lost: Losers,
    rows: Vec<OutboxRow>,
    reserved: Sends,
    written: Written,
}

/// Waits until it lasts; answers what became of these turns, beside those whose fate is known.
async fn settle(
    keys: Vec<(ConversationId, i64)>,
    mut fates: Fates,
    wrote: Result<Wrote>,
) -> (Fates, Vec<OutboxRow>) {
    let lasts = async {
        let wrote = wrote?;
        wrote.written.lasts().await?;
        Ok((wrote.lost, wrote.reserved.committed(wrote.rows)))
    };
    let single = keys.len() == 1;
    let (lost, others, rows) = match lasts.await {
        Ok((lost, rows)) => (lost, Fate::Committed, rows),
        Err(StorageError::Fenced(bucket)) => {
            tracing::info!(
                bucket,
                "turns of a bucket that was lost are left to its new owner"
            );
            let fate = if single { Fate::NotOurs } else { Fate::Singly };
            (Losers::new(), fate, Vec::new())
        }
        Err(error) => {
            tracing::error!(error = ?error, turns = keys.len(), "turns did not commit");
            let fate = if single { Fate::Failed } else { Fate::Singly };
            (Losers::new(), fate, Vec::new())
        }
    };
    fates.extend(
        keys.into_iter()
            .enumerate()
            .map(|(index, (conversation, seq))| {
                let fate = lost.get(&index).copied().unwrap_or(others);
                (conversation, seq, fate)
            }),
    );
    (fates, rows)
}

/// A winner's sends, each behind the entry before it; the conversation's history ends with the last of them.
fn chain(turn: &mut Finished, locked: &Rows) -> Vec<NewSend> {
    let mut sends = std::mem::take(&mut turn.sends);
    let row = locked.get(&turn.event.conversation);
    let mut last = row.map_or(0, |row| row.last_entry);
    for send in &mut sends {
        send.prev = std::mem::replace(&mut last, send.draft.id.raw());
    }
    turn.conversation.last_entry = last;
    sends
}

/// The group's conversations as they stand.
type Rows = HashMap<ConversationId, Locked>;

/// Turns that write nothing, by their place in the group, and why.
type Losers = HashMap<usize, Fate>;

/// Finds the turns that looked at something that has moved since; takes the others' writes into `memory`.
async fn losers(
    tx: &mut Tx,
    group: &mut [Finished],
    locked: &Rows,
    memory: &mut GroupMemory,
) -> Result<Losers> {
    let running = generations(tx, group).await?;
    let mut lost = Losers::new();
    for (index, turn) in group.iter_mut().enumerate() {
        let row = locked.get(&turn.event.conversation);
        let moved = row.map(|row| row.version) != Some(turn.seen_version);
        let switched = turn.ran.iter().any(|ran| !running.contains(ran));
        if moved || switched {
            let fate = if switched {
                Fate::Switched
            } else {
                Fate::LostRace
            };
            lost.insert(index, fate);
            continue;
        }
        match memory.take(
            turn.event.tenant,
            &turn.kv,
            (turn.row.id.raw(), turn.row.at),
        ) {
            Ok(not_added) => journal::note_list(&mut turn.row.journal, "not_added", &not_added),
            Err(kv::Lost) => {
                lost.insert(index, Fate::LostRace);
            }
        }
    }
    Ok(lost)
}

async fn lock_versions(tx: &mut Tx, group: &[Finished]) -> Result<Rows> {
    let ids: BTreeSet<ConversationId> = group.iter().map(|turn| turn.event.conversation).collect();
    let ids: Vec<ConversationId> = ids.into_iter().collect();
    let rows = conversations::lock_versions_all_tenants(tx, &ids).await?;
    let by_id = rows
        .into_iter()
        .map(|row| (ConversationId::from_raw(row.id), row));
    Ok(by_id.collect())
}

async fn generations(tx: &mut Tx, group: &[Finished]) -> Result<HashSet<(InstallationId, i64)>> {
    let ids: BTreeSet<InstallationId> = group
        .iter()
        .flat_map(|turn| turn.ran.iter().map(|(id, _)| *id))
        .collect();
    let ids: Vec<InstallationId> = ids.into_iter().collect();
    Ok(installations::hold_generations_all_tenants(tx, &ids)
        .await?
        .into_iter()
        .collect())
}
