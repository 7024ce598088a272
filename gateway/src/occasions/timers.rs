//! Timers that are due become events of their conversations: each once, whoever looks and whoever was killed meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Occasions;
use super::held::Held;
use crate::domain::{ConversationId, Occasion};
use crate::storage::buckets::{self, Lease};
use crate::storage::conversations::{self, Conversation};
use crate::storage::timers::{self, Timer, TimerKey};
use crate::storage::{Result, StorageError, Tx, events};

/// How often due timers are looked for. The contract says that they may be late.
const LOOK: Duration = Duration::from_millis(500);
/// Timers of one transaction: some milliseconds of SQLite's writer.
const MOST: i64 = 200;

impl Occasions {
    /// Keeps time until stopped, for the buckets that this node owns.
    pub async fn keep_time(self, stop: CancellationToken) {
        let mut held = Held::default();
        loop {
            let rang = self.ring(&mut held).await;
            let released = self.release(&mut held, MOST).await;
            let more = match rang {
                Ok(rang) => released || rang >= MOST.unsigned_abs() as usize,
                Err(StorageError::Fenced(bucket)) => {
                    tracing::info!(bucket, "a bucket was lost while its timers were due");
                    false
                }
                Err(error) => {
                    tracing::warn!(error = ?error, "timers that are due wait; trying again");
                    false
                }
            };
            if stop.is_cancelled() {
                return;
            }
            if !more {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(LOOK) => {}
                }
            }
        }
    }

    /// Makes events of what is due; answers how many timers it looked at.
    async fn ring(&self, held: &mut Held) -> Result<usize> {
        let owned = self.owned.borrow().clone();
        let now = self.clock.now();
        let mut tx = self.db.glance().await?;
        let due = timers::due_all_tenants(&mut tx, &owned.buckets(), now, MOST).await?;
        drop(tx);
        if due.is_empty() {
            return Ok(0);
        }
        let leases = owned.leases_of(due.iter().map(|(bucket, _)| *bucket));
        let leases = leases.ok_or(StorageError::Fenced(-1))?;
        let keys: Vec<TimerKey> = due.into_iter().map(|(_, key)| key).collect();
        let (mut tx, mut rows) = self.lock(&leases, &keys).await?;
        let (mut written, mut pending) = (Vec::new(), Vec::new());
        let (mut changed, mut again) = (BTreeSet::new(), BTreeMap::<_, Vec<TimerKey>>::new());
        for key in &keys {
            let Some(row) = rows.get_mut(&key.conversation) else {
                continue;
            };
            let rest = self.directory.rests(row.number, &key.plugin);
            if let Some(at) = held.until(rest, (row.number, &key.plugin), now) {
                again.entry(at).or_default().push(key.clone());
                continue;
            }
            // Cancelled, put off or taken since it was looked at: then there is nothing to do.
            if let Some(timer) = timers::take_all_tenants(&mut tx, key, now).await? {
                let (event, waits) = self.place(row, occasion(timer), now);
                written.push(event);
                pending.push(waits);
                changed.insert(key.conversation);
            }
        }
        for (at, mut keys) in again {
            keys.sort_unstable();
            timers::hold_all_tenants(&mut tx, &keys, now, at).await?;
        }
        events::append_all_tenants(&mut tx, &written).await?;
        let changed: Vec<&Conversation> = changed.iter().filter_map(|id| rows.get(id)).collect();
        conversations::advance_all_tenants(&mut tx, &changed).await?;
        tx.commit().await?;
        self.hand_on(pending);
        Ok(keys.len())
    }

    /// A transaction that may write timers of these buckets' conversations, and their rows, locked.
    pub(super) async fn lock(
        &self,
        leases: &[Lease],
        keys: &[TimerKey],
    ) -> Result<(Tx, HashMap<ConversationId, Conversation>)> {
        let mut tx = self.db.begin().await?;
        buckets::fence(&mut tx, leases).await?;
        let ids: BTreeSet<ConversationId> = keys.iter().map(|key| key.conversation).collect();
        let ids: Vec<ConversationId> = ids.into_iter().collect();
        let rows = conversations::lock_all_tenants(&mut tx, &ids).await?;
        Ok((tx, rows.into_iter().map(|row| (row.id, row)).collect()))
    }
}

fn occasion(timer: Timer) -> Occasion {
    Occasion::Timer {
        plugin: timer.key.plugin,
        name: timer.key.name,
        set_at: timer.set_at,
        due_at: timer.due_at,
        fields: timer.fields,
    }
}
