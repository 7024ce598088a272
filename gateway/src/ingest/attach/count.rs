//! What is counted of a committed batch. Labels have few values: what Meta, or whoever holds an app's secret, writes
//! into a body never becomes one.

use super::split::Split;
use crate::domain::{InboundContent, Timestamp};
use crate::telemetry::names;

/// Counts messages and what was kept. Messages from before `horizon` are stale.
pub(super) fn count(split: &Split, horizon: Timestamp) {
    for message in &split.messages {
        let outcome = if message.at < horizon {
            "stale"
        } else {
            "attached"
        };
        let kind = kind(&message.message.content);
        metrics::counter!(names::MESSAGES, "outcome" => outcome, "kind" => kind).increment(1);
    }
    for change in &split.changes {
        let kind = kind(&change.message.content);
        metrics::counter!(names::MESSAGES, "outcome" => "attached", "kind" => kind).increment(1);
    }
    for one in &split.news {
        metrics::counter!(names::EVENTS_KEPT, "what" => what(&one.news.what)).increment(1);
    }
    for kept in &split.kept {
        metrics::counter!(names::EVENTS_KEPT, "what" => what(&kept.what)).increment(1);
    }
}

/// A message's kind; `unknown` for a type that no version of Meta's documentation had when this was written.
fn kind(content: &InboundContent) -> &'static str {
    match content {
        InboundContent::Other { kind } => known(kind, KINDS, "unknown"),
        content if content.is_untyped() => "unknown",
        content => content.word(),
    }
}

/// Types of messages that we know (`whatsapp-cloud-api.md` §2.2), whose object was odd.
const KINDS: &[&str] = &[
    "audio",
    "button",
    "contacts",
    "document",
    "edit",
    "image",
    "interactive",
    "location",
    "order",
    "reaction",
    "request_welcome",
    "revoke",
    "sticker",
    "system",
    "text",
    "unsupported",
    "video",
];

fn what(what: &str) -> &'static str {
    let whose = what.split_once('.').map_or(what, |(first, _)| first);
    known(what, KEPT, known(whose, WHOLE, "other"))
}

/// First words that stand for all that follows them.
const WHOLE: &[&str] = &[
    "history",
    "number_of_another_app",
    "standby",
    "unknown_number",
];

/// What is kept raw by its name: Meta's fields (§1.4) and our own words for parts of `messages`.
const KEPT: &[&str] = &[
    "account_alerts",
    "account_review_update",
    "account_settings_update",
    "account_update",
    "automatic_events",
    "body_rest",
    "business_capability_update",
    "business_username_updates",
    "calls",
    "calls.statuses",
    "flows",
    "group_lifecycle_update.groups",
    "group_participants_update.groups",
    "group_settings_update.groups",
    "group_status_update.groups",
    "message",
    "message.group",
    "message.unknown",
    "message_echoes",
    "message_template_components_update",
    "message_template_quality_update",
    "message_template_status_update",
    "messages.errors",
    "messages.rest",
    "messaging_handovers",
    "partner_solutions",
    "payment_configuration_update",
    "phone_number_name_update",
    "phone_number_quality_update",
    "security",
    "smb_app_state_sync.state_sync",
    "smb_message_echoes.message_echoes",
    "standby",
    "status.call",
    "status.deleted",
    "status.payment",
    "status.unknown",
    "status.warning",
    "status_not_ours",
    "template_category_update",
    "template_correct_category_detection",
    "user_id_update",
    "user_preferences",
];

/// The label itself if it is among these.
fn known(label: &str, labels: &[&'static str], otherwise: &'static str) -> &'static str {
    let found = labels.iter().find(|known| **known == label);
    found.copied().unwrap_or(otherwise)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_body_says_never_becomes_a_label() {
        for (kept, label) in [
            ("user_preferences", "user_preferences"),
            ("unknown_number.account_update", "unknown_number"),
            ("number_of_another_app.whatever", "number_of_another_app"),
            ("history.messages", "history"),
            ("standby.statuses", "standby"),
            ("a_field_of_next_year", "other"),
            ("status.a_word_of_next_year", "other"),
        ] {
            assert_eq!(what(kept), label);
        }
        let other = |kind: &str| InboundContent::Other { kind: kind.into() };
        assert_eq!(kind(&other("location")), "location");
        assert_eq!(kind(&other("a_type_of_next_year")), "unknown");
    }
}
