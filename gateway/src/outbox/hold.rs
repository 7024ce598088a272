//! What Meta's "stop" comes to, whether it answered a send or came later as a `failed`: which hold is placed, and why.

use crate::domain::{CredentialId, Draft, HoldId, Timestamp};
use crate::graph::errors::{Action, HoldScope, Verdict};
use crate::storage::holds::{Held, Hold};

/// A scope that must stop until somebody or something clears it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    pub scope: HoldScope,
    /// Why, and who lifts it.
    pub reason: String,
}

impl Stop {
    /// `None`: the error concerns its send alone.
    pub fn of(verdict: &Verdict) -> Option<Self> {
        let Action::Hold(scope) = verdict.action else {
            return None;
        };
        Some(Self {
            scope,
            reason: format!(
                "{}. {} Then lift this hold.",
                verdict.meaning, verdict.remedy
            ),
        })
    }

    /// What to hold, `draft` being the send that met the error and `credential` its number's. `None`: a scope that we
    /// have no hold for; the send has failed and says why.
    pub fn held(&self, draft: &Draft, credential: Option<CredentialId>) -> Option<Held> {
        match self.scope {
            HoldScope::Tenant => Some(Held::Tenant(draft.tenant)),
            HoldScope::Number => Some(Held::Number(draft.tenant, draft.number)),
            HoldScope::Token => Some(Held::Credential(draft.tenant, credential?)),
            HoldScope::Template => {
                let template = draft.content.template()?;
                let (name, language) = (template.name.clone(), template.language.clone());
                Some(Held::Template(draft.tenant, name, language))
            }
            HoldScope::TenantTemplates => Some(Held::Templates(draft.tenant)),
            HoldScope::Feature => None,
        }
    }

    /// The hold on `held`, for Meta's error `code`, until somebody lifts it. `by`: the part of the gateway that met it.
    pub fn hold(&self, id: HoldId, held: Held, by: &str, code: i64, now: Timestamp) -> Hold {
        Hold {
            id,
            held,
            reason: self.reason.clone(),
            placed_by: format!("{by}: Meta's error {code}"),
            placed_at: now,
            until: None,
            lifted_at: None,
        }
    }
}
