//! What is said of one number: limits, throughput, display name, PIN, settings, username.

use super::{News, facts_of};
use crate::domain::account::{Cause, Fact, Order, Subject};
use crate::graph::json::Object;

use super::super::canonical::canonical;

/// What `THROUGHPUT_UPGRADE` gives (facts §6.7).
const UPGRADED: i64 = 1_000;

const FLAGGED: &str = "Meta flagged the number: its quality is low. Send to fewer people who want it; marketing goes on \
     by itself after a day, or when Meta takes the flag back.";

/// Most name the number as it is displayed, not by its id (facts §1.5).
fn displayed(value: &Object<'_>, facts: Vec<Fact>) -> Option<News> {
    let number = value.string("display_phone_number")?;
    Some((Subject::Displayed(number), facts))
}

pub(super) fn quality(value: &Object<'_>) -> Option<News> {
    let event = value.string("event")?;
    let fact = match event.as_str() {
        "FLAGGED" => Fact::new("flag", event).then(Some(Order::Brake(FLAGGED.to_owned()))),
        "UNFLAGGED" => {
            let good = Order::Release(vec![Cause::QualityDropped]);
            Fact::new("flag", event).then(Some(good))
        }
        "THROUGHPUT_UPGRADE" => {
            Fact::new("throughput", UPGRADED.to_string()).then(Some(Order::Throughput(UPGRADED)))
        }
        _ => Fact::new("limit_event", event),
    };
    // The first is the key of before February 2026.
    let limit = value
        .string("max_daily_conversations_per_business")
        .or_else(|| value.string("current_limit"));
    let limit = limit.map(|limit| Fact::new("messaging_limit", limit));
    displayed(value, [Some(fact), limit].into_iter().flatten().collect())
}

pub(super) fn name(value: &Object<'_>) -> Option<News> {
    let facts = facts_of(
        value,
        &[
            ("decision", "name_decision"),
            ("requested_verified_name", "requested_name"),
            ("rejection_reason", "name_rejection_reason"),
        ],
    );
    displayed(value, facts)
}

pub(super) fn security(value: &Object<'_>) -> Option<News> {
    displayed(value, facts_of(value, &[("event", "pin")]))
}

pub(super) fn username(value: &Object<'_>) -> Option<News> {
    let facts = facts_of(
        value,
        &[("username", "username"), ("status", "username_status")],
    );
    displayed(value, facts)
}

/// One fact for each group of settings that was changed, as it is now.
pub(super) fn settings(value: &Object<'_>) -> Option<News> {
    let settings = value.object("phone_number_settings")?;
    let number = settings.string("phone_number_id")?;
    let facts = settings
        .fields()
        .filter(|(key, _)| *key != "phone_number_id")
        .map(|(key, raw)| Fact::new(format!("settings.{key}"), canonical(raw.get())))
        .collect();
    Some((Subject::NumberId(number), facts))
}
