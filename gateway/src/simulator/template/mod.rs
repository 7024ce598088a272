//! Message templates as Meta keeps them (`whatsapp-cloud-api.md` §6.4, §6.5): states, reviews, changes and their webhooks.
//!
//! `create` checks what is submitted, `fill` what is sent, `parameters` are the pieces of a send.

mod create;
mod fill;
mod parameters;
mod review;
mod store;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::GraphError;
use crate::domain::Timestamp;

pub(super) use create::{check, check_components};
pub(super) use review::Held;
pub use review::{ReviewDecision, ReviewPolicy, TemplateEvent};
pub(super) use store::Templates;

/// One language version of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateSpec {
    pub waba_id: String,
    pub name: String,
    pub language: String,
    #[serde(default)]
    pub category: TemplateCategory,
    #[serde(default)]
    pub status: TemplateStatus,
    /// Short form of a body. Placeholders `{{1}}`, `{{2}}` … or `{{first_name}}`; never both kinds.
    #[serde(default)]
    pub body: String,
    /// Short form of buttons: the texts of quick replies.
    #[serde(default)]
    pub quick_replies: Vec<String>,
    /// As Graph has them; when there are any, the short forms are not looked at.
    #[serde(default)]
    pub components: Vec<Value>,
    /// `GREEN`, `YELLOW`, `RED` or `UNKNOWN`.
    #[serde(default = "unknown")]
    pub quality: String,
    #[serde(default = "none")]
    pub rejected_reason: String,
    /// Pacing: sends are held for a quality assessment until the template is released (§6.5).
    #[serde(default)]
    pub paced: bool,
    #[serde(default)]
    pub message_send_ttl_seconds: Option<i64>,
    /// When it was edited while approved: once a day, ten times a month.
    #[serde(skip)]
    pub edits: Vec<Timestamp>,
}

fn unknown() -> String {
    "UNKNOWN".to_owned()
}

fn none() -> String {
    "NONE".to_owned()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TemplateCategory {
    Marketing,
    #[default]
    Utility,
    Authentication,
}

impl TemplateCategory {
    /// As the `pricing` object spells it.
    pub(super) fn in_pricing(self) -> &'static str {
        match self {
            Self::Marketing => "marketing",
            Self::Utility => "utility",
            Self::Authentication => "authentication",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TemplateStatus {
    #[default]
    Approved,
    Pending,
    Rejected,
    Paused,
    Disabled,
    InAppeal,
    PendingDeletion,
    Deleted,
    LimitExceeded,
    Archived,
    Locked,
}

impl TemplateSpec {
    /// An approved utility template.
    pub fn approved(
        waba_id: impl Into<String>,
        name: impl Into<String>,
        language: impl Into<String>,
        body: impl Into<String>,
    ) -> Self {
        Self {
            waba_id: waba_id.into(),
            name: name.into(),
            language: language.into(),
            category: TemplateCategory::default(),
            status: TemplateStatus::Approved,
            body: body.into(),
            quick_replies: Vec::new(),
            components: Vec::new(),
            quality: unknown(),
            rejected_reason: none(),
            paced: false,
            message_send_ttl_seconds: None,
            edits: Vec::new(),
        }
    }

    /// Fifteen digits that the name leads to, so that a template put twice keeps its id.
    pub(super) fn id(&self) -> u64 {
        let key = format!("{}|{}|{}", self.waba_id, self.name, self.language);
        let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        100_000_000_000_000 + hash % 900_000_000_000_000
    }

    /// Its parts in Graph's form, whichever form they were given in.
    pub(super) fn parts(&self) -> Vec<Value> {
        if !self.components.is_empty() {
            return self.components.clone();
        }
        let mut parts = vec![json!({ "type": "BODY", "text": self.body })];
        if !self.quick_replies.is_empty() {
            let reply = |text: &String| json!({ "type": "QUICK_REPLY", "text": text });
            let buttons: Vec<Value> = self.quick_replies.iter().map(reply).collect();
            parts.push(json!({ "type": "BUTTONS", "buttons": buttons }));
        }
        parts
    }

    pub(super) fn is_named(&self) -> bool {
        let body = self.parts().into_iter().find(|part| part["type"] == "BODY");
        let text = body.and_then(|body| body["text"].as_str().map(str::to_owned));
        let names = text.unwrap_or_default();
        let first = parameters::placeholders(&names)
            .first()
            .map(|name| name.parse::<u32>().is_err());
        first.unwrap_or(false)
    }

    /// The fields that Graph shows.
    pub(super) fn fields(&self) -> Value {
        json!({
            "id": self.id().to_string(),
            "name": self.name,
            "language": self.language,
            "status": self.status,
            "category": self.category,
            "components": self.parts(),
            "parameter_format": if self.is_named() { "NAMED" } else { "POSITIONAL" },
            "quality_score": { "score": self.quality },
            "rejected_reason": self.rejected_reason,
            "message_send_ttl_seconds": self.message_send_ttl_seconds,
            "previous_category": Value::Null,
            "cta_url_link_tracking_opted_out": false,
        })
    }

    fn sendable(&self) -> Result<(), GraphError> {
        match self.status {
            // Messages by a template that is being deleted may still go out for 30 days (§6.5).
            TemplateStatus::Approved | TemplateStatus::PendingDeletion => Ok(()),
            TemplateStatus::Paused => Err(GraphError::new(132015, "Template is paused")),
            TemplateStatus::Disabled => Err(GraphError::new(132016, "Template is disabled")),
            _ => Err(missing_template(&self.name, &self.language)),
        }
    }
}

pub(super) fn missing_template(name: &str, language: &str) -> GraphError {
    GraphError::new(
        132001,
        format!("template name ({name}) does not exist in {language}"),
    )
}

#[cfg(test)]
mod tests;
