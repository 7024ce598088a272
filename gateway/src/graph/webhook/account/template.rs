//! What is said of one template in one language: status, category, quality, words.

use super::super::canonical::canonical;
use super::{News, facts_of};
use crate::domain::account::{Cause, Extent, Fact, Order, Stop, Subject};
use crate::graph::json::Object;

pub(super) fn news(field: &str, value: &Object<'_>) -> Option<News> {
    let subject = Subject::Template {
        name: value.string("message_template_name")?,
        language: value.string("message_template_language")?,
    };
    let facts = if value.get("new_quality_score").is_some() {
        // One of Meta's samples has it under the status's field: the key tells (facts §1.5).
        facts_of(value, &[("new_quality_score", "quality")])
    } else {
        match field {
            "message_template_status_update" => status(value)?,
            "template_category_update" => category(value)?,
            "message_template_components_update" => components(value),
            _ => return None,
        }
    };
    let id = facts_of(value, &[("message_template_id", "id")]);
    Some((subject, [facts, id].concat()))
}

fn status(value: &Object<'_>) -> Option<Vec<Fact>> {
    let event = value.string("event")?;
    let info = value.object("other_info").unwrap_or_default();
    let unpaused = info.text("title").is_some_and(|title| title == "UNPAUSE");
    let order = match event.as_str() {
        _ if unpaused => Some(Order::Release(vec![Cause::TemplateState])),
        "APPROVED" | "REINSTATED" | "UNARCHIVED" => {
            Some(Order::Release(vec![Cause::TemplateState]))
        }
        "PAUSED" | "DISABLED" | "REJECTED" | "LOCKED" | "ARCHIVED" | "DELETED" => {
            Some(Order::Hold(Stop {
                cause: Cause::TemplateState,
                extent: Extent::Everything,
                until: None,
                reason: format!(
                    "Meta says that the template is {event}. Sending goes on when Meta approves it again."
                ),
            }))
        }
        // Flagged, pending, in appeal: what may be sent until then may be sent still, or Meta refuses it itself.
        _ => None,
    };
    let mut facts = vec![Fact::new("status", event).then(order)];
    let reason = value
        .string("reason")
        .map(|reason| Fact::new("reason", reason));
    facts.extend(reason);
    facts.extend(facts_of(
        value,
        &[("message_template_category", "category")],
    ));
    facts.extend(facts_of(&info, &[("title", "status_title")]));
    let disabled = value.object("disable_info").unwrap_or_default();
    facts.extend(facts_of(&disabled, &[("disable_date", "disable_date")]));
    Some(facts)
}

/// Two shapes of one field (facts §1.5): a warning, whose `new_category` is today's, and the change itself.
fn category(value: &Object<'_>) -> Option<Vec<Fact>> {
    let today = Fact::new("category", value.string("new_category")?);
    let next = match value.string("correct_category") {
        Some(next) => {
            let from = facts_of(value, &[("category_update_timestamp", "next_category_at")]);
            [vec![Fact::new("next_category", next)], from].concat()
        }
        None => vec![Fact::new("next_category", "")],
    };
    Some([vec![today], next].concat())
}

/// The words as they are now; the template's own keys are its subject.
fn components(value: &Object<'_>) -> Vec<Fact> {
    const PARTS: [&str; 4] = ["title", "element", "footer", "buttons"];
    PARTS
        .into_iter()
        .filter_map(|part| {
            let raw = value.get(&format!("message_template_{part}"))?;
            let name = if part == "element" { "body" } else { part };
            Some(Fact::new(format!("component.{name}"), canonical(raw.get())))
        })
        .collect()
}
