//! The tenant's settings. `config.schema.json` says the same for the gateway, which checks settings before a turn sees them.

use std::collections::BTreeMap;

use serde::Deserialize;
use vestibule_plugin::text::is_language;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) address: String,
    pub(crate) secret: String,
    pub(crate) customer: Customer,
    pub(crate) timeout_ms: u64,
    pub(crate) queue: String,
    pub(crate) words: Vec<String>,
    pub(crate) digits: Digits,
    pub(crate) fallback_language: String,
    pub(crate) texts: BTreeMap<String, Texts>,
}

/// What the shop is told of who asks.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Customer {
    Phone,
    Bsuid,
    Nobody,
}

/// Of an order's number.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Digits {
    pub(crate) least: usize,
    pub(crate) most: usize,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Texts {
    pub(crate) which: String,
    state: String,
    unknown: String,
    pub(crate) handed: String,
    /// Words for the shop's states.
    #[serde(default)]
    states: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        let words = ["order", "parcel", "package", "delivery", "shipment"];
        Self {
            address: String::new(),
            secret: "shop-token".to_owned(),
            customer: Customer::Phone,
            timeout_ms: 3_000,
            queue: "orders".to_owned(),
            words: words.map(str::to_owned).into(),
            digits: Digits { least: 4, most: 12 },
            fallback_language: "en".to_owned(),
            texts: BTreeMap::from([("en".to_owned(), Texts::default())]),
        }
    }
}

impl Default for Texts {
    fn default() -> Self {
        let handed = "I cannot look that up right now. Somebody will help you in a moment.";
        Self {
            which: "Which order is it? Please send its number.".to_owned(),
            state: "Your order {order}: {state}.".to_owned(),
            unknown: "I know no order {order} of yours. Is the number right?".to_owned(),
            handed: handed.to_owned(),
            states: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// In this language (`de` for `de-AT`), else in the fallback language, else in whatever there is.
    pub(crate) fn texts_for(&self, language: Option<&str>) -> &Texts {
        let of = |language: &str| {
            let mut texts = self.texts.iter();
            let found = texts.find(|(own, _)| is_language(language, own));
            found.map(|(_, texts)| texts)
        };
        language
            .and_then(of)
            .or_else(|| of(&self.fallback_language))
            .or_else(|| self.texts.values().next())
            .expect("the schema asks for one language at the least")
    }
}

impl Texts {
    pub(crate) fn state(&self, order: &str, state: &str) -> String {
        let state = self.states.get(state).map_or(state, String::as_str);
        // What the shop says is put in last, so that it puts in nothing itself.
        let text = self.state.replace("{order}", order);
        text.replace("{state}", state)
    }

    pub(crate) fn unknown(&self, order: &str) -> String {
        self.unknown.replace("{order}", order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_the_schema_are_those_of_the_code() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../config.schema.json")).expect("JSON");
        let properties = schema["properties"].as_object().expect("properties");
        let defaults = properties.iter().filter_map(|(name, part)| {
            let default = part.get("default")?;
            Some((name.clone(), default.clone()))
        });
        let filled = serde_json::Value::Object(defaults.collect());
        let settings: Settings = serde_json::from_value(filled).expect("they fit");
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn a_text_comes_in_the_nearest_language() {
        let mut settings = Settings::default();
        let german = Texts {
            which: "Welche?".to_owned(),
            ..Texts::default()
        };
        settings.texts.insert("de".to_owned(), german);
        let which = |language| settings.texts_for(language).which.as_str();
        assert_eq!(which(Some("de-AT")), "Welche?");
        assert!(which(Some("fr")).starts_with("Which"));
        assert!(which(None).starts_with("Which"));
    }

    #[test]
    fn what_the_shop_says_is_not_looked_into() {
        let texts = Texts::default();
        assert_eq!(
            texts.state("1", "{order} {state}"),
            "Your order 1: {order} {state}."
        );
    }
}
