//! What Meta's "stop" comes to, whether it answered a send or came later as a `failed`: which hold is placed, and why.

use crate::domain::number::Number;
use crate::domain::{Draft, HoldId, Timestamp};
use crate::graph::errors::{Action, HoldScope, Verdict};
use crate::storage::holds::{Held, HeldTemplate, Hold};

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

    /// What to hold, `draft` being the send that met the error and `number` the one it was sent from. `None`: a scope
    /// that we have no hold for; the send has failed and says why.
    pub fn held(&self, draft: &Draft, number: Option<&Number>) -> Option<Held> {
        match self.scope {
            HoldScope::Tenant => Some(Held::Tenant(draft.tenant)),
            HoldScope::Number => Some(Held::Number(draft.tenant, draft.number)),
            HoldScope::Token => Some(Held::Credential(draft.tenant, number?.credential)),
            HoldScope::Template => {
                let template = draft.content.template()?;
                let held = HeldTemplate {
                    // A number that is gone has no account any more: then it is every one of the tenant's.
                    account: number.map_or_else(String::new, |number| number.waba_id.clone()),
                    name: template.name.clone(),
                    language: template.language.clone(),
                };
                Some(Held::Template(draft.tenant, held))
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
