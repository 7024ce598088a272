//! Claims in the commit that writes the rows ([`crate::outbox::AtOnce`]): asked for here, granted by the engine, which
//! alone knows what is under way.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::claim::{self, Claimed};
use super::world::World;
use crate::domain::OutboxId;
use crate::outbox::{AtOnce, Going, Reserved};
use crate::ownership::Work;
use crate::storage::buckets::Lease;
use crate::storage::outbox::OutboxRow;
use crate::storage::people::Consents;
use crate::storage::{Result, Tx};

/// What the engine is told by those who claim beside it.
#[derive(Debug)]
pub(super) enum Word {
    /// Which of these may be under way from here on?
    May(Vec<OutboxRow>, oneshot::Sender<Vec<Held>>),
    Became(Vec<Became>),
}

/// A row that is under way, and whose bucket is kept for it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) row: OutboxRow,
    pub(super) work: Work,
}

/// What became of a row that was held.
#[derive(Debug)]
pub(super) enum Became {
    Claimed(Box<Claimed>),
    /// Written, and to be claimed like every other.
    Queued(OutboxRow),
    /// Its turn lost a race: it is not in the outbox and never will be.
    Nothing(OutboxRow),
    /// Its commit was not answered.
    Unsure(OutboxRow),
}

/// Asks the engine of this node. Cheap to clone.
#[derive(Clone)]
pub struct ClaimsAtOnce {
    world: Arc<World>,
    words: mpsc::UnboundedSender<Word>,
}

/// The engine's end.
pub(super) type Words = mpsc::UnboundedReceiver<Word>;

pub(super) fn at_once(world: Arc<World>) -> (ClaimsAtOnce, Words) {
    let (words, heard) = mpsc::unbounded_channel();
    (ClaimsAtOnce { world, words }, heard)
}

impl ClaimsAtOnce {
    /// An engine that is at its end holds nothing.
    async fn held(&self, rows: Vec<OutboxRow>) -> Vec<Held> {
        if rows.is_empty() {
            return Vec::new();
        }
        let (answer, held) = oneshot::channel();
        if self.words.send(Word::May(rows, answer)).is_err() {
            return Vec::new();
        }
        held.await.unwrap_or_default()
    }
}

impl AtOnce for ClaimsAtOnce {
    fn reserve(&self, rows: Vec<OutboxRow>) -> BoxFuture<'_, Box<dyn Reserved>> {
        async {
            let (rows, works) = self
                .held(rows)
                .await
                .into_iter()
                .map(|held| (held.row, held.work))
                .unzip();
            let ticket = Ticket {
                asks: self.clone(),
                // Before the locks, which is what promise 4 counts from.
                locked_at: self.world.monotonic.now(),
                rows,
                works,
                ends: HashMap::new(),
            };
            Box::new(ticket) as Box<dyn Reserved>
        }
        .boxed()
    }
}

/// Rows that are held for one commit.
struct Ticket {
    asks: ClaimsAtOnce,
    locked_at: Duration,
    rows: Vec<OutboxRow>,
    /// As many as rows.
    works: Vec<Work>,
    /// Of those that will be in the outbox if the commit is: what was claimed, and what is only written.
    ends: HashMap<OutboxId, Option<Claimed>>,
}

impl Reserved for Ticket {
    fn rows(&self) -> &[OutboxRow] {
        &self.rows
    }

    fn claim<'a>(
        &'a mut self,
        tx: &'a mut Tx,
        written: &'a HashSet<OutboxId>,
        under: &'a [Lease],
        consent: &'a Consents,
    ) -> BoxFuture<'a, Result<Vec<Going>>> {
        async {
            let rows: Vec<OutboxRow> = self
                .rows
                .iter()
                .filter(|row| written.contains(&row.draft.id))
                .cloned()
                .collect();
            self.ends = rows.iter().map(|row| (row.draft.id, None)).collect();
            let world = &self.asks.world;
            let claimed = claim::at_once(world, tx, rows, under, (consent, self.locked_at)).await?;
            let mut going = Vec::with_capacity(claimed.len());
            for (claimed, debt) in claimed {
                let (id, at) = (claimed.row.draft.id, claimed.row.changed_at);
                going.push(Going { id, at, debt });
                self.ends.insert(id, Some(claimed));
            }
            Ok(going)
        }
        .boxed()
    }

    fn committed(mut self: Box<Self>) {
        let mut ends = std::mem::take(&mut self.ends);
        let rows = std::mem::take(&mut self.rows);
        let became = rows
            .into_iter()
            .map(|row| match ends.remove(&row.draft.id) {
                Some(Some(claimed)) => {
                    claim::count_decision(claim::CLEARED);
                    Became::Claimed(Box::new(claimed))
                }
                Some(None) => Became::Queued(row),
                None => Became::Nothing(row),
            });
        self.tell(became.collect());
    }
}

impl Ticket {
    /// Nobody hears it when the engine has ended: then the next start finds what was claimed in doubt.
    fn tell(&mut self, became: Vec<Became>) {
        if !became.is_empty() {
            let _ = self.asks.words.send(Word::Became(became));
        }
        self.works.clear();
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Those of a commit that ended have been told, and are here no more.
        let rows = std::mem::take(&mut self.rows);
        self.tell(rows.into_iter().map(Became::Unsure).collect());
    }
}
