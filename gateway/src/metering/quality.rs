//! The quality of numbers as Meta shows it when asked: the brake must not hang on a webhook that may never come.
//!
//! The owner of a number's bucket asks once in a while, one number after the other. RED holds the number's marketing, as
//! Meta's flag does; what is better than RED takes that back. Between, what people do with the hold stands. When a number was
//! asked for stands in its row: a start, or a bucket's new owner, goes on from there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::directory::{Directory, NumberEntry};
use crate::domain::account::{Cause, LOW_QUALITY};
use crate::domain::number::Number;
use crate::domain::{AuditId, EventId, HoldId, NumberId, Timestamp};
use crate::graph::GraphClient;
use crate::graph::client::call::CallError;
use crate::ownership::Owned;
use crate::storage::account_facts::{self, FactKind, FactRow, Filter, Place};
use crate::storage::buckets::fence;
use crate::storage::holds::{self, Held, Hold};
use crate::storage::{Result, StorageError, Tx, numbers};
use crate::tenants::SetupContext;
use crate::tenants::holds::{lift_by_gateway, place_by_gateway};

/// How often it is looked at which numbers are due.
const LOOK: Duration = Duration::from_secs(1);
/// Of one request. Nobody waits for it.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Facts of one number: there are a dozen.
const FACTS: i64 = 1_000;
/// As the fact is named.
const FACT: &str = "quality";

const RED: &str = "Meta shows the number's quality as RED. Send to fewer people who want it; marketing goes on by itself when \
     Meta shows it as better, or after a day in which nobody could ask.";

/// Why a number's quality is not known.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    #[error(transparent)]
    Graph(#[from] CallError),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Asks for the quality of numbers.
#[derive(Debug)]
pub struct QualityWatch {
    pub setup: SetupContext,
    pub directory: Arc<Directory>,
    pub owned: Owned,
    pub graph: GraphClient,
    /// Between two looks at one number.
    pub every: Duration,
}

impl QualityWatch {
    /// Runs until stopped.
    pub async fn run(self, stop: CancellationToken) {
        let mut asked = HashMap::new();
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.look_at_due(&mut asked) => {}
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// `asked`: when this node knows numbers to have been asked for, so that the database is not asked every second.
    pub async fn look_at_due(&self, asked: &mut HashMap<NumberId, Timestamp>) {
        let (snapshot, owned) = (self.directory.snapshot(), self.owned.borrow().clone());
        let now = self.setup.clock.now();
        let is_due = |number: &Number| {
            let at = asked.get(&number.id);
            at.is_none_or(|at| at.plus(self.every) <= now)
        };
        let due: Vec<Arc<NumberEntry>> = snapshot
            .numbers()
            .filter(|entry| owned.owns(entry.number.bucket()) && is_due(&entry.number))
            .cloned()
            .collect();
        for entry in due {
            let number = entry.number.id;
            let at = self.look_if_due(&entry, now).await;
            let at = at.unwrap_or_else(|error| {
                tracing::debug!(%number, %error, "the number's quality could not be read");
                now
            });
            asked.insert(number, at);
        }
    }

    /// Answers when the number was asked for last: now, or by somebody before.
    async fn look_if_due(
        &self,
        entry: &NumberEntry,
        now: Timestamp,
    ) -> Result<Timestamp, LookError> {
        let number = &entry.number;
        let mut tx = self.setup.db.read().await?;
        let at = numbers::quality_read_at(&mut tx, number.tenant, number.id).await?;
        drop(tx);
        if at.plus(self.every) > now {
            return Ok(at);
        }
        self.look(entry).await?;
        Ok(now)
    }

    /// Asks for the quality of one number, and obeys it.
    async fn look(&self, entry: &NumberEntry) -> Result<(), LookError> {
        let Some(token) = &entry.token else {
            return Ok(());
        };
        let number = &entry.number;
        let id = &number.phone_number_id;
        let quality = self.graph.quality(token, id, TIMEOUT).await?;
        Ok(self.obey(number, &quality.to_ascii_uppercase()).await?)
    }

    async fn obey(&self, number: &Number, quality: &str) -> Result<()> {
        let now = self.setup.clock.now();
        let mut tx = self.setup.db.glance().await?;
        let was = known(&mut tx, number).await?;
        let is_news = was.as_deref() != Some(quality);
        let held = Held::NumberMarketing(number.tenant, number.id);
        let brakes = quality == "RED" && (is_news || self.runs_out(&mut tx, &held, now).await?);
        drop(tx);
        let owned = self.owned.borrow().clone();
        let leases = owned.leases_of([number.bucket()]);
        let leases = leases.ok_or_else(|| StorageError::Fenced(number.bucket().raw()))?;
        let mut tx = self.setup.db.begin().await?;
        fence(&mut tx, &leases).await?;
        numbers::set_quality_read_at(&mut tx, number.tenant, number.id, now).await?;
        if is_news {
            account_facts::record(&mut tx, number.tenant, &fact(number, quality, now)).await?;
        }
        let is_better = was.as_deref() == Some("RED") && matches!(quality, "YELLOW" | "GREEN");
        if brakes || is_better {
            let why = format!("Meta shows the quality as {quality}");
            self.lift(&mut tx, &held, &why, now).await?;
        }
        if brakes {
            self.brake(&mut tx, held, now).await?;
        }
        tx.commit().await
    }

    /// Is the hold there, lifted by nobody, and over before it is asked twice more?
    async fn runs_out(&self, tx: &mut Tx, held: &Held, now: Timestamp) -> Result<bool> {
        let origin = Cause::QualityDropped.origin_of_reading();
        let soon = now.plus(self.every.saturating_mul(2));
        let placed = holds::is_held_by_all_tenants(tx, held, &origin, Timestamp::ZERO).await?;
        Ok(placed && !holds::is_held_by_all_tenants(tx, held, &origin, soon).await?)
    }

    async fn lift(&self, tx: &mut Tx, held: &Held, why: &str, now: Timestamp) -> Result<()> {
        let entry = || AuditId::from_raw(self.setup.next_id());
        for origin in Cause::QualityDropped.origins() {
            lift_by_gateway(tx, (held, &origin), why, now, entry).await?;
        }
        Ok(())
    }

    async fn brake(&self, tx: &mut Tx, held: Held, now: Timestamp) -> Result<()> {
        tracing::warn!(?held, "marketing is held: Meta shows the quality as RED");
        let hold = Hold {
            id: HoldId::from_raw(self.setup.next_id()),
            held,
            reason: RED.to_owned(),
            placed_by: Cause::QualityDropped.origin_of_reading(),
            placed_at: now,
            until: Some(now.plus(LOW_QUALITY)),
            lifted_at: None,
        };
        place_by_gateway(tx, &hold, AuditId::from_raw(self.setup.next_id())).await
    }
}

/// What it was when it was last asked for.
async fn known(tx: &mut Tx, number: &Number) -> Result<Option<String>> {
    let filter = Filter {
        account: number.waba_id.clone(),
        kind: FactKind::Number as i64,
        name: number.phone_number_id.clone(),
    };
    let first = Place::default();
    let facts = account_facts::standing(tx, number.tenant, &filter, &first, FACTS).await?;
    let fact = facts.into_iter().find(|row| row.fact == FACT);
    Ok(fact.map(|row| row.value))
}

/// No event told it.
fn fact(number: &Number, quality: &str, now: Timestamp) -> FactRow {
    FactRow {
        account: number.waba_id.clone(),
        kind: FactKind::Number,
        name: number.phone_number_id.clone(),
        language: String::new(),
        fact: FACT.to_owned(),
        at: now,
        value: quality.to_owned(),
        event: EventId::from_raw(0),
    }
}
