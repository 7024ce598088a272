//! The tenant's settings: rules in order, and what happens when none fits. `config.schema.json` says the same for the
//! gateway, which checks settings before a turn sees them.

use serde::Deserialize;

use crate::rule::Rule;

/// All settings.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Tried in this order; the first that fits decides.
    pub(crate) rules: Vec<Rule>,
    /// The conversation's attribute that says the region.
    pub(crate) region_attribute: String,
    /// When no rule fits.
    pub(crate) otherwise: Otherwise,
    /// People who get a conversation find a note of what was said.
    pub(crate) summary: bool,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Otherwise {
    /// The bot keeps the conversation; no other routing plugin is asked.
    Bot,
    /// The next routing plugin is asked.
    Pass,
    /// This queue gets it.
    Queue(String),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            region_attribute: "region".to_owned(),
            otherwise: Otherwise::Bot,
            summary: true,
        }
    }
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
