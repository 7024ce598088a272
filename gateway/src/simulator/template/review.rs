//! What becomes of templates: reviews by script, changes by command, holds by pacing, and the webhooks of all three
//! (`whatsapp-cloud-api.md` §1.5, §6.4, §6.5).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::chat::Tick;
use super::super::error::GraphError;
use super::super::status::{Billing, Sent};
use super::super::world::{Unknown, World};
use super::{TemplateCategory, TemplateSpec, TemplateStatus};

/// What a review decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewDecision {
    #[default]
    Approve,
    Reject,
    /// Stays `PENDING` until a command says otherwise.
    Wait,
}

/// How templates that are submitted or edited are judged.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReviewPolicy {
    pub decision: ReviewDecision,
    /// Why it is rejected, like `PROMOTIONAL`; empty: `INVALID_FORMAT`.
    pub reason: String,
    /// What it is judged to be, if not what it was submitted as.
    pub category: Option<TemplateCategory>,
    /// Sends are held for a quality assessment at first.
    pub paced: bool,
}

/// Something that happens to a template on command. Each part that is there happens.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TemplateEvent {
    /// `APPROVED`, `REJECTED`, `PAUSED`, `DISABLED`, …
    pub status: Option<TemplateStatus>,
    /// Beside `REJECTED`.
    pub reason: Option<String>,
    /// Changes at once.
    pub category: Option<TemplateCategory>,
    /// A day's warning before a change of category: no change yet.
    pub category_warning: Option<TemplateCategory>,
    pub quality: Option<String>,
    /// Lets held messages go, or drops them with 132015.
    pub release: Option<Release>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Release {
    Send,
    Drop,
}

/// A message that pacing holds.
#[derive(Debug, Clone)]
pub(in super::super) struct Held {
    pub template: u64,
    pub phone_number_id: String,
    pub customer: String,
    pub wamid: String,
    pub opaque: Option<String>,
    pub billing: Billing,
}

impl World {
    /// A new or edited template gets what the policy says, and its owner a webhook.
    pub(in super::super) fn review(&self, mut template: TemplateSpec) -> TemplateSpec {
        let policy = self.reviews();
        if let Some(category) = policy.category {
            template.category = category;
        }
        template.paced = policy.paced;
        let waiting = template.clone();
        match policy.decision {
            ReviewDecision::Wait => self.put_template(template),
            ReviewDecision::Approve => self.becomes(template, TemplateStatus::Approved, None),
            ReviewDecision::Reject => {
                let reason = Some(policy.reason.clone()).filter(|reason| !reason.is_empty());
                self.becomes(template, TemplateStatus::Rejected, reason);
            }
        }
        waiting
    }

    /// Makes something happen to a template.
    ///
    /// # Errors
    /// There is no such template.
    pub fn template_event(&self, id: &str, event: TemplateEvent) -> Result<(), Unknown> {
        let unknown = || Unknown::Template(id.to_owned());
        let mut template = self
            .template_by_id(id)
            .as_deref()
            .cloned()
            .ok_or_else(unknown)?;
        if let Some(quality) = event.quality {
            let previous = std::mem::replace(&mut template.quality, quality);
            self.put_template(template.clone());
            let scores = json!({ "previous_quality_score": previous, "new_quality_score": template.quality });
            self.announce_template("message_template_quality_update", &template, scores);
        }
        if let Some(coming) = event.category_warning {
            // The warning calls the present category the new one (§1.5).
            let at = self.clock.now().millis() / 1000 + 24 * 60 * 60;
            let value = json!({ "correct_category": coming, "new_category": template.category, "category_update_timestamp": at });
            self.announce_template("template_category_update", &template, value);
        }
        if let Some(category) = event.category {
            let previous = std::mem::replace(&mut template.category, category);
            self.put_template(template.clone());
            let value = json!({ "previous_category": previous, "new_category": category });
            self.announce_template("template_category_update", &template, value);
        }
        if let Some(status) = event.status {
            self.becomes(template.clone(), status, event.reason);
        }
        match event.release {
            Some(release) => self.release(template, release),
            None => Ok(()),
        }
    }

    /// Sets the state and tells the account's owner.
    pub(in super::super) fn becomes(
        &self,
        mut template: TemplateSpec,
        status: TemplateStatus,
        reason: Option<String>,
    ) {
        let was = template.status;
        template.status = status;
        let reason = reason.unwrap_or_else(|| match status {
            TemplateStatus::Rejected => "INVALID_FORMAT".to_owned(),
            _ => "NONE".to_owned(),
        });
        template.rejected_reason.clone_from(&reason);
        self.put_template(template.clone());
        let mut value = json!({ "event": status, "reason": reason, "message_template_category": template.category });
        match (was, status) {
            (_, TemplateStatus::Paused) => {
                value["reason"] = Value::Null;
                value["other_info"] = json!({ "title": "FIRST_PAUSE", "description": "Low quality feedback; resumes automatically." });
            }
            (TemplateStatus::Paused, TemplateStatus::Approved) => {
                value["other_info"] =
                    json!({ "title": "UNPAUSE", "description": "The template can be sent again." });
            }
            (_, TemplateStatus::Rejected) => {
                value["rejection_info"] = json!({ "reason": reason, "recommendation": "Change the template and submit it again." });
            }
            _ => {}
        }
        self.announce_template("message_template_status_update", &template, value);
    }

    fn announce_template(&self, field: &str, template: &TemplateSpec, mut value: Value) {
        value["message_template_id"] = json!(template.id());
        value["message_template_name"] = json!(template.name);
        value["message_template_language"] = json!(template.language);
        self.account_field(&template.waba_id, field, &value);
    }

    /// Ends pacing: what was held goes out, or never does.
    fn release(&self, mut template: TemplateSpec, release: Release) -> Result<(), Unknown> {
        let id = template.id();
        template.paced = false;
        if release == Release::Drop {
            template.status = TemplateStatus::Paused;
        }
        self.put_template(template);
        for held in self.take_held(id) {
            let number = self.number(&held.phone_number_id)?;
            let sent = Sent {
                number: &number,
                key: &held.customer,
                wamid: &held.wamid,
                opaque: held.opaque.as_deref(),
            };
            let failure =
                (release == Release::Drop).then(|| GraphError::new(132015, "Template is paused"));
            number.change_chat(&held.customer, |chat| {
                if let Some(item) = chat.item_mut(&held.wamid) {
                    item.held = false;
                    if release == Release::Drop {
                        item.tick = Tick::Failed;
                    }
                }
            });
            self.statuses_of(&sent, held.billing, "template", failure);
        }
        Ok(())
    }
}
