//! Webhooks about accounts, numbers, templates and flows as facts (facts §1.5). What is not understood is no news: it
//! is kept raw like every other thing that is not.

mod number;
mod template;
mod waba;

use crate::domain::account::{AccountNews, Fact, Subject};
use crate::graph::json::Object;

use super::canonical::canonical;

/// Longer names and values are no facts but somebody's data: they stay raw. Meta's longest are a template's words.
const NAME_MOST: usize = 200;
const VALUE_MOST: usize = 16 << 10;

/// The value of a change as news, when `field` is one that speaks of accounts and the value says something.
pub(super) fn news(field: &str, value: &Object<'_>) -> Option<AccountNews> {
    let (subject, mut facts) = match field {
        "account_update" => waba::update(value)?,
        "account_review_update" => waba::review(value)?,
        "account_alerts" => waba::alert(value)?,
        "business_capability_update" => waba::capability(value)?,
        "payment_configuration_update" => waba::payment(value)?,
        "partner_solutions" => waba::solution(value)?,
        "flows" => waba::flow(value)?,
        "phone_number_quality_update" => number::quality(value)?,
        "phone_number_name_update" => number::name(value)?,
        "security" => number::security(value)?,
        "account_settings_update" => number::settings(value)?,
        // Meta's own sample spells it in the singular.
        "business_username_updates" | "business_username_update" => number::username(value)?,
        "message_template_status_update"
        | "message_template_quality_update"
        | "template_category_update"
        | "message_template_components_update" => template::news(field, value)?,
        _ => return None,
    };
    facts.retain(|fact| fact.name.len() <= NAME_MOST && fact.value.len() <= VALUE_MOST);
    (!facts.is_empty()).then(|| AccountNews {
        what: field.to_owned(),
        subject,
        facts,
    })
}

type News = (Subject, Vec<Fact>);

/// A fact of every key that is there.
fn facts_of(value: &Object<'_>, names: &[(&str, &str)]) -> Vec<Fact> {
    let fact = |(key, name): &(&str, &str)| Some(Fact::new(*name, value.string(key)?));
    names.iter().filter_map(fact).collect()
}

/// What stands under a key, as canonical JSON.
fn json_of(value: &Object<'_>, key: &str) -> Option<String> {
    value.get(key).map(|raw| canonical(raw.get()))
}
