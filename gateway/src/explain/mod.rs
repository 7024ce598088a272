//! Why a message was sent, or was not: the chain of one message from the webhook's bytes to its last receipt, or the rule
//! that stopped it, with what the rule rests on and when it would be allowed.
//!
//! Everything is read from rows, so it works without a running server. [`find`] says what is meant, [`inbound`], [`turn`]
//! and [`send`] each tell their part of the way, [`stop`] tells of refusals, [`person`] of somebody seen through a number.
//! [`Sight`] decides what the asker may see; [`text`] is the same for people.

mod chain;
mod evidence;
mod find;
mod ground;
mod inbound;
mod person;
mod send;
mod sight;
mod stop;
#[cfg(test)]
mod tests;
pub mod text;
mod turn;
pub mod wamids;

use serde::{Deserialize, Serialize};
use serde_json::json;

pub use chain::{About, Again, Explanation, Mark, MaySend, StateNow, Step, Stop};
pub use sight::Sight;
pub use stop::of_ruling_alone;

use crate::domain::{TenantId, Timestamp};
use crate::storage::{Db, Tx};
use crate::tenants::{SetupContext, SetupError};
use find::Found;

type Result<T, E = SetupError> = std::result::Result<T, E>;

/// What is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A wamid, `out_…`, `evt_…`.
    Message(String),
    /// Somebody seen through a number: our id, Meta's id or the number as displayed; a phone, a user id of Meta's or
    /// `con_…`.
    Person { number: String, person: String },
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub subject: Subject,
    /// Most of the latest entries of a person's history.
    pub steps: usize,
    /// The webhook's bytes too, as far as the asker may see them.
    pub raw: bool,
}

/// Entries of a history that nobody asks more of.
pub const MOST_STEPS: usize = 100;
/// What is shown of a history unless somebody says otherwise.
pub const STEPS: usize = 20;

/// What there is to tell. `tenant`: whose messages are looked at; `None`, for operators: everybody's. What another tenant
/// has does not exist.
pub async fn explain(
    setup: &SetupContext,
    tenant: Option<TenantId>,
    asked: &Asked,
    sight: Sight,
) -> Result<Explanation> {
    let now = setup.clock.now();
    let mut tx = setup.db.read().await?;
    let (tenant, found) = find::find(&mut tx, tenant, &asked.subject).await?;
    let mut teller = Teller {
        db: setup.db.clone(),
        tx,
        tenant,
        now,
        sight,
        raw: asked.raw && sight.raw,
    };
    let explanation = match found {
        Found::Event(event) => inbound::tell(&mut teller, &event).await?,
        Found::Send(row) => send::tell(&mut teller, &row).await?,
        Found::Refused(refused) => send::tell_refused(&mut teller, &refused).await?,
        Found::Drafted(turn, draft) => turn::tell_draft(&mut teller, &turn, draft).await?,
        Found::Person(person) => person::tell(&mut teller, &person, asked.steps).await?,
    };
    let raw = teller.raw;
    drop(teller);
    if raw {
        look(setup, tenant, &explanation.about).await?;
    }
    Ok(explanation)
}

/// Who looked at the bytes of a webhook is written down: they hold more than anything else that is shown.
async fn look(setup: &SetupContext, tenant: TenantId, about: &About) -> Result<()> {
    let mut tx = setup.db.begin().await?;
    let object = about.id.clone().unwrap_or_default();
    let became = Some(json!({"raw": true}));
    setup
        .record(&mut tx, tenant, "message.explain", object, None, became)
        .await?;
    Ok(tx.commit().await?)
}

/// What every part of the way is told with.
struct Teller {
    db: Db,
    tx: Tx,
    tenant: TenantId,
    now: Timestamp,
    sight: Sight,
    raw: bool,
}
