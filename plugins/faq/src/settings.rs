//! The tenant's settings: entries with keywords and answers by language, synonyms, and what is asked afterwards.
//! `config.schema.json` says the same for the gateway, which checks settings before a turn sees them.

use std::collections::BTreeMap;

use serde::Deserialize;
use vestibule_plugin::text::is_language;

/// All settings.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) fallback_language: String,
    pub(crate) entries: Vec<Entry>,
    /// Groups of words that mean the same.
    pub(crate) synonyms: Vec<Vec<String>>,
    pub(crate) helpful: Option<Helpful>,
}

/// One question with its answers.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) keywords: ByLanguage<Vec<String>>,
    pub(crate) answers: ByLanguage<String>,
}

/// "Did this help?"
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Helpful {
    pub(crate) texts: ByLanguage<HelpfulTexts>,
    /// Gets the conversation when an answer did not help.
    #[serde(default)]
    pub(crate) queue: Option<String>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HelpfulTexts {
    pub(crate) question: String,
    pub(crate) yes: String,
    pub(crate) no: String,
    pub(crate) thanks: String,
    pub(crate) sorry: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            fallback_language: "en".to_owned(),
            entries: Vec::new(),
            synonyms: Vec::new(),
            helpful: None,
        }
    }
}

/// Something in several languages.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(transparent)]
pub(crate) struct ByLanguage<T>(pub(crate) BTreeMap<String, T>);

impl<T> ByLanguage<T> {
    /// The form for the first of these languages that there is one for; else whatever there is, by the name of its
    /// language.
    pub(crate) fn best(&self, languages: &[&str]) -> Option<&T> {
        let of = |language: &&str| self.of(language);
        languages
            .iter()
            .find_map(of)
            .or_else(|| self.0.values().next())
    }

    /// For `de-AT`: that itself, else `de`, else another form of German.
    fn of(&self, language: &str) -> Option<&T> {
        let primary = language.split('-').next().unwrap_or(language);
        let find = |fits: &dyn Fn(&str) -> bool| {
            self.0
                .iter()
                .find(|(key, _)| fits(key))
                .map(|(_, value)| value)
        };
        find(&|key| key.eq_ignore_ascii_case(language))
            .or_else(|| find(&|key| is_language(language, key)))
            .or_else(|| find(&|key| is_language(key, primary)))
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
            part.get("default")
                .map(|default| (name.clone(), default.clone()))
        });
        let filled = serde_json::Value::Object(defaults.collect());
        let settings: Settings = serde_json::from_value(filled).expect("they fit");
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn the_nearest_form_of_a_language_is_taken() {
        let forms = ["en", "de", "pt-BR"].map(|key| (key.to_owned(), key));
        let forms = ByLanguage(BTreeMap::from(forms));
        for (asked, expected) in [
            (vec!["de-AT"], "de"),
            (vec!["DE"], "de"),
            (vec!["pt"], "pt-BR"),
            (vec!["pt-PT"], "pt-BR"),
            (vec!["ja", "en"], "en"),
            (vec!["ja"], "de"),
        ] {
            assert_eq!(forms.best(&asked), Some(&expected), "{asked:?}");
        }
    }
}
