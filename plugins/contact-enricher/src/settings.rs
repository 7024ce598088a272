//! The tenant's settings: which languages to look for, tags by words, who is a VIP. `config.schema.json` says the same for
//! the gateway, which checks settings before a turn sees them.

use std::collections::BTreeMap;

use serde::Deserialize;

/// All settings.
#[derive(Debug, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) language: Language,
    pub(crate) tags: Vec<TagRule>,
    pub(crate) vip: Option<Vip>,
    pub(crate) events: Vec<EventRule>,
}

/// What becomes of a business event.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventRule {
    /// Its name.
    pub(crate) event: String,
    #[serde(default)]
    pub(crate) tag: Option<String>,
    /// Attributes of the conversation, each with the event's field that has its value.
    #[serde(default)]
    pub(crate) attributes: BTreeMap<String, String>,
    /// The same of the contact: attributes that the tenant has defined.
    #[serde(default)]
    pub(crate) contact: BTreeMap<String, String>,
}

#[derive(Debug, PartialEq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Language {
    pub(crate) detect: Detect,
    /// Only these; all that are known when empty.
    pub(crate) among: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Detect {
    Never,
    #[default]
    WhenUnknown,
    /// Follows a customer who changes the language.
    Always,
}

/// A tag for conversations in which one of these words is said.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TagRule {
    pub(crate) tag: String,
    pub(crate) words: Vec<String>,
    /// Set beside the tag.
    #[serde(default)]
    pub(crate) attributes: BTreeMap<String, String>,
}

/// Who is a VIP: one of words, attributes and messages is enough.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vip {
    #[serde(default = "vip")]
    pub(crate) tag: String,
    #[serde(default)]
    pub(crate) words: Vec<String>,
    #[serde(default)]
    pub(crate) attributes: BTreeMap<String, Vec<String>>,
    /// So many messages of the contact, over all conversations.
    #[serde(default)]
    pub(crate) messages: Option<i64>,
    /// Attributes set beside the tag.
    #[serde(default)]
    pub(crate) set: BTreeMap<String, String>,
}

fn vip() -> String {
    "vip".to_owned()
}

#[cfg(test)]
mod tests {
    use super::Settings;

    #[test]
    fn the_defaults_of_the_schema_are_those_of_the_code() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../config.schema.json")).expect("JSON");
        let properties = schema["properties"].as_object().expect("properties");
        let default = |(name, part): (&String, &serde_json::Value)| {
            Some((name.clone(), part.get("default")?.clone()))
        };
        let filled = serde_json::Value::Object(properties.iter().filter_map(default).collect());
        let settings: Settings = serde_json::from_value(filled).expect("they fit");
        assert_eq!(settings, Settings::default());
    }
}
