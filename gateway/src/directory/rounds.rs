//! What is asked of Meta for each number once in a while, because no webhook may ever tell of it.
//!
//! The owner of a number's bucket asks, one number after the other. When a number was asked for stands in its row: a start,
//! or a bucket's new owner, goes on from there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Directory, NumberEntry};
use crate::domain::number::Number;
use crate::domain::{NumberId, Timestamp};
use crate::graph::client::call::CallError;
use crate::ownership::Owned;
use crate::storage::StorageError;
use crate::storage::buckets::Lease;
use crate::storage::numbers::{self, Reading};
use crate::tenants::SetupContext;

/// How often it is looked at which numbers are due.
const LOOK: Duration = Duration::from_secs(1);
/// After so long a number is asked for again that was asked for in vain, or after `every` where that is shorter.
const AGAIN: Duration = Duration::from_secs(300);

/// Why a number was asked for in vain.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    #[error(transparent)]
    Graph(#[from] CallError),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// What is asked.
pub trait Question {
    /// Where it stands when it was asked last.
    const READING: Reading;

    /// Asks for one number, obeys the answer, and notes in the number's row that it was asked.
    fn ask(&self, entry: &NumberEntry) -> impl Future<Output = Result<(), LookError>> + Send;
}

/// Goes round the numbers of this node.
#[derive(Debug, Clone)]
pub struct Rounds {
    pub setup: SetupContext,
    pub directory: Arc<Directory>,
    pub owned: Owned,
    /// Between two looks at one number.
    pub every: Duration,
}

impl Rounds {
    /// Runs until stopped.
    pub async fn run(&self, question: &impl Question, stop: &CancellationToken) {
        let mut asked = HashMap::new();
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.look_at_due(question, &mut asked) => {}
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// `asked`: when this node knows numbers to have been asked for, so that the database is not asked every second.
    pub async fn look_at_due(
        &self,
        question: &impl Question,
        asked: &mut HashMap<NumberId, Timestamp>,
    ) {
        let (snapshot, owned) = (self.directory.snapshot(), self.owned.borrow().clone());
        let now = self.setup.clock.now();
        let is_due = |number: &Number| {
            let at = asked.get(&number.id);
            at.is_none_or(|at| at.plus(self.every) <= now)
        };
        let due: Vec<NumberId> = snapshot
            .numbers()
            .map(|entry| &entry.number)
            .filter(|number| owned.owns(number.bucket()) && is_due(number))
            .map(|number| number.id)
            .collect();
        for number in due {
            // A round may take long: tokens change, and numbers go.
            let Some(entry) = self.directory.snapshot().number(number).cloned() else {
                continue;
            };
            let at = self.look_if_due(question, &entry).await;
            let at = at.unwrap_or_else(|error| {
                tracing::debug!(%number, %error, "what Meta knows of a number could not be read");
                self.setup
                    .clock
                    .now()
                    .minus(self.every.saturating_sub(AGAIN))
            });
            asked.insert(number, at);
        }
    }

    /// Answers when the number was asked for last: now, or by somebody before.
    async fn look_if_due<Q: Question>(
        &self,
        question: &Q,
        entry: &NumberEntry,
    ) -> Result<Timestamp, LookError> {
        let (number, now) = (&entry.number, self.setup.clock.now());
        let mut tx = self.setup.db.read().await?;
        let at = numbers::read_at(&mut tx, number.tenant, number.id, Q::READING).await?;
        drop(tx);
        if at.plus(self.every) > now {
            return Ok(at);
        }
        question.ask(entry).await?;
        Ok(now)
    }

    /// The number's bucket, while this node owns it.
    pub fn lease_of(&self, number: &Number) -> Result<Vec<Lease>, StorageError> {
        let leases = self.owned.borrow().leases_of([number.bucket()]);
        leases.ok_or_else(|| StorageError::Fenced(number.bucket().raw()))
    }
}
