//! The quality of numbers as Meta shows it when asked: the brake must not hang on a webhook that may never come.
//!
//! RED holds the number's marketing, as Meta's flag does; what is better than RED takes that back. Between, what people do
//! with the hold stands.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::directory::NumberEntry;
use crate::directory::rounds::{LookError, Question, Rounds};
use crate::domain::account::{Cause, LOW_QUALITY};
use crate::domain::number::Number;
use crate::domain::{AuditId, EventId, HoldId, Timestamp};
use crate::graph::GraphClient;
use crate::storage::account_facts::{self, FactKind, FactRow, Filter, Place};
use crate::storage::buckets::fence;
use crate::storage::holds::{self, Held, Hold};
use crate::storage::numbers::{self, Reading};
use crate::storage::{Result, Tx};
use crate::tenants::holds::{lift_by_gateway, place_by_gateway};

/// Of one request. Nobody waits for it.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Facts of one number: there are a dozen.
const FACTS: i64 = 1_000;
/// As the fact is named.
const FACT: &str = "quality";

const RED: &str = "Meta shows the number's quality as RED. Send to fewer people who want it; marketing goes on by itself when \
     Meta shows it as better, or after a day in which nobody could ask.";

/// Asks for the quality of numbers.
#[derive(Debug)]
pub struct QualityWatch {
    pub graph: GraphClient,
    pub rounds: Rounds,
}

impl Question for QualityWatch {
    const READING: Reading = Reading::Quality;

    async fn ask(&self, entry: &NumberEntry) -> std::result::Result<(), LookError> {
        let Some(token) = &entry.token else {
            return Ok(());
        };
        let number = &entry.number;
        let id = &number.phone_number_id;
        let quality = self.graph.quality(token, id, TIMEOUT).await?;
        Ok(self.obey(number, &quality.to_ascii_uppercase()).await?)
    }
}

impl QualityWatch {
    /// Runs until stopped.
    pub async fn run(self, stop: CancellationToken) {
        self.rounds.run(&self, &stop).await;
    }

    async fn obey(&self, number: &Number, quality: &str) -> Result<()> {
        let now = self.rounds.setup.clock.now();
        let mut tx = self.rounds.setup.db.glance().await?;
        let was = known(&mut tx, number).await?;
        let is_news = was.as_deref() != Some(quality);
        let held = Held::NumberMarketing(number.tenant, number.id);
        let brakes = quality == "RED" && (is_news || self.runs_out(&mut tx, &held, now).await?);
        drop(tx);
        let lease = self.rounds.lease_of(number)?;
        let mut tx = self.rounds.setup.db.begin().await?;
        fence(&mut tx, &lease).await?;
        numbers::set_read_at(&mut tx, number.tenant, number.id, Self::READING, now).await?;
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
        let soon = now.plus(self.rounds.every.saturating_mul(2));
        let placed = holds::is_held_by_all_tenants(tx, held, &origin, Timestamp::ZERO).await?;
        Ok(placed && !holds::is_held_by_all_tenants(tx, held, &origin, soon).await?)
    }

    async fn lift(&self, tx: &mut Tx, held: &Held, why: &str, now: Timestamp) -> Result<()> {
        let entry = || AuditId::from_raw(self.rounds.setup.next_id());
        for origin in Cause::QualityDropped.origins() {
            lift_by_gateway(tx, (held, &origin), why, now, entry).await?;
        }
        Ok(())
    }

    async fn brake(&self, tx: &mut Tx, held: Held, now: Timestamp) -> Result<()> {
        tracing::warn!(?held, "marketing is held: Meta shows the quality as RED");
        let hold = Hold {
            id: HoldId::from_raw(self.rounds.setup.next_id()),
            held,
            reason: RED.to_owned(),
            placed_by: Cause::QualityDropped.origin_of_reading(),
            placed_at: now,
            until: Some(now.plus(LOW_QUALITY)),
            lifted_at: None,
        };
        place_by_gateway(tx, &hold, AuditId::from_raw(self.rounds.setup.next_id())).await
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
