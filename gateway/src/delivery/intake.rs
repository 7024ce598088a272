//! How freshly committed rows come to the delivery of their node without a look into the database.
//!
//! Only a shortcut: what does not fit is named as missed, and a rescan finds it. Beside the rows comes how many messages
//! each number has received: Meta counts them into the same throughput (facts §6.7).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use crate::domain::NumberId;
use crate::storage::outbox::OutboxRow;
use crate::sync::lock;

/// Batches that wait; each is one commit's rows. A guess: a claim takes milliseconds, a commit too.
const BATCHES: usize = 1024;

/// The sending end, for whoever commits rows. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Intake {
    rows: mpsc::Sender<Vec<OutboxRow>>,
    missed: Arc<Mutex<BTreeSet<NumberId>>>,
    received: Arc<Mutex<BTreeMap<NumberId, u32>>>,
}

/// The delivery's end.
#[derive(Debug)]
pub(super) struct Fresh {
    rows: mpsc::Receiver<Vec<OutboxRow>>,
    missed: Arc<Mutex<BTreeSet<NumberId>>>,
    received: Arc<Mutex<BTreeMap<NumberId, u32>>>,
}

pub(super) fn intake() -> (Intake, Fresh) {
    let (sender, receiver) = mpsc::channel(BATCHES);
    let missed = Arc::<Mutex<BTreeSet<NumberId>>>::default();
    let received = Arc::<Mutex<BTreeMap<NumberId, u32>>>::default();
    let intake = Intake {
        rows: sender,
        missed: missed.clone(),
        received: received.clone(),
    };
    let fresh = Fresh {
        rows: receiver,
        missed,
        received,
    };
    (intake, fresh)
}

impl Intake {
    /// Offers rows after their commit, in the order of their conversations. Never waits.
    pub fn offer(&self, rows: Vec<OutboxRow>) {
        if rows.is_empty() {
            return;
        }
        if let Err(refused) = self.rows.try_send(rows) {
            lock(&self.missed).extend(refused.into_inner().iter().map(|row| row.draft.number));
        }
    }

    /// Messages of customers were attached, one of each of these numbers.
    pub fn received(&self, numbers: impl IntoIterator<Item = NumberId>) {
        let mut received = lock(&self.received);
        for number in numbers {
            *received.entry(number).or_default() += 1;
        }
    }
}

impl Fresh {
    /// The next batch and all that wait behind it; empty: nobody can offer any more.
    pub(super) async fn next(&mut self) -> Vec<OutboxRow> {
        let mut rows = self.rows.recv().await.unwrap_or_default();
        while let Ok(more) = self.rows.try_recv() {
            rows.extend(more);
        }
        rows
    }

    /// The next batch, if one waits.
    pub(super) fn waiting(&mut self) -> Option<Vec<OutboxRow>> {
        self.rows.try_recv().ok()
    }

    /// Numbers of which rows were missed. To be asked after [`Fresh::next`] and before its rows are used: a row that
    /// was missed was offered before any row of its conversation that comes after it.
    pub(super) fn take_missed(&self) -> BTreeSet<NumberId> {
        std::mem::take(&mut *lock(&self.missed))
    }

    /// Messages that numbers have received since this was asked last.
    pub(super) fn take_received(&self) -> BTreeMap<NumberId, u32> {
        std::mem::take(&mut *lock(&self.received))
    }
}
