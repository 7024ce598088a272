//! The lines that there are.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A line of the checklist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ChecklistItem)]
pub enum Item {
    /// A number of its own is connected.
    NumberConnected,
    /// Nobody else answers from it.
    NumberDedicated,
    /// Meta has approved the name that people see.
    DisplayName,
    /// Meta knows who the business is.
    BusinessVerification,
    /// Meta's webhooks come in.
    WebhookVerified,
    /// It is written down what the business writes for.
    UseCases,
    /// Each of them has its templates.
    TemplatesApproved,
    /// It is written down where people agree, and to which words.
    ConsentCollection,
    /// STOP was said, obeyed and confirmed.
    OptOutTested,
    /// Somebody asked for a person and got one.
    PersonTested,
    /// Agents know which cases are theirs.
    AgentsKnow,
    /// The business's own systems hear of events.
    OutgoingWebhook,
    /// Who asks for a person comes to a queue that somebody serves.
    Escalation,
    /// Somebody tried it as a customer would.
    TriedAsCustomer,
}

impl Item {
    pub const ALL: [Self; 14] = [
        Self::NumberConnected,
        Self::NumberDedicated,
        Self::DisplayName,
        Self::BusinessVerification,
        Self::WebhookVerified,
        Self::UseCases,
        Self::TemplatesApproved,
        Self::ConsentCollection,
        Self::OptOutTested,
        Self::PersonTested,
        Self::AgentsKnow,
        Self::OutgoingWebhook,
        Self::Escalation,
        Self::TriedAsCustomer,
    ];

    /// The line of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|item| item.word() == word)
    }

    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::NumberConnected => "number_connected",
            Self::NumberDedicated => "number_dedicated",
            Self::DisplayName => "display_name",
            Self::BusinessVerification => "business_verification",
            Self::WebhookVerified => "webhook_verified",
            Self::UseCases => "use_cases",
            Self::TemplatesApproved => "templates_approved",
            Self::ConsentCollection => "consent_collection",
            Self::OptOutTested => "opt_out_tested",
            Self::PersonTested => "person_tested",
            Self::AgentsKnow => "agents_know",
            Self::OutgoingWebhook => "outgoing_webhook",
            Self::Escalation => "escalation",
            Self::TriedAsCustomer => "tried_as_customer",
        }
    }

    /// Can somebody's word stand in for what is seen? Not where a setting or a webhook tells.
    pub fn takes_a_word(self) -> bool {
        !matches!(
            self,
            Self::NumberConnected
                | Self::WebhookVerified
                | Self::UseCases
                | Self::ConsentCollection
                | Self::Escalation
        )
    }
}
