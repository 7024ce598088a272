//! The go-live checklist of a tenant: what must be so before customers meet it, each line with what is known, when it was
//! seen and what to do.
//!
//! [`seen`] reads what the rows say, [`lines`] judges it (pure), [`attest`] keeps what only people can know. What nobody can
//! see here is *unknown* until somebody vouches for it.

mod attest;
mod item;
mod lines;
mod seen;
pub mod text;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use attest::{attest, withdraw};
pub use item::Item;

use crate::domain::{NumberId, TenantId};
use crate::tenants::{SetupContext, SetupError};

type Result<T, E = SetupError> = std::result::Result<T, E>;

/// The list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Checklist {
    pub tenant: TenantId,
    pub name: String,
    pub at: String,
    /// No line is to do or unknown.
    pub ready: bool,
    pub numbers: Vec<OfNumber>,
    pub lines: Vec<Line>,
}

/// A number of the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ChecklistNumber)]
pub struct OfNumber {
    pub id: NumberId,
    /// Meta's.
    pub phone_number_id: String,
    /// As the lines name it.
    pub display_number: String,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Line {
    /// A stable word: `docs/operating.md` lists them.
    pub item: Item,
    /// What it is about where a tenant has several: a number as displayed, an account, a use case.
    pub of: Option<String>,
    pub state: State,
    /// In a sentence.
    pub title: String,
    /// What was seen.
    pub evidence: Option<String>,
    /// When that was.
    pub seen_at: Option<String>,
    /// What to do about it.
    pub to_do: Option<String>,
    /// Somebody's word for it.
    pub attested: Option<Word>,
}

/// How a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ChecklistState)]
pub enum State {
    Ok,
    ToDo,
    /// Nothing here can tell.
    Unknown,
    /// Nothing here can tell, and somebody vouches for it.
    Attested,
}

/// Somebody's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Attestation)]
pub struct Word {
    pub by: String,
    pub at: String,
    pub note: String,
}

/// The checklist of a tenant as of now.
pub async fn of(setup: &SetupContext, tenant: TenantId) -> Result<Checklist> {
    let now = setup.clock.now();
    let mut tx = setup.db.read().await?;
    let seen = seen::read(&mut tx, tenant, now).await?;
    let lines = lines::all(&seen, now);
    let open = |line: &Line| matches!(line.state, State::ToDo | State::Unknown);
    let numbers = seen.numbers.iter().map(|one| OfNumber {
        id: one.number.id,
        phone_number_id: one.number.phone_number_id.clone(),
        display_number: one.number.display_number.clone(),
    });
    Ok(Checklist {
        tenant,
        numbers: numbers.collect(),
        name: seen.name,
        at: now.to_string(),
        ready: !lines.iter().any(open),
        lines,
    })
}
