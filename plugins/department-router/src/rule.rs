//! One rule: a queue, and all that has to hold for it.

use std::collections::BTreeMap;

use serde::Deserialize;
use vestibule_plugin::text::{Index, Words, is_language};

/// Fits when all that it states holds. What it does not state is empty here and asks for nothing.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) queue: String,
    /// One of these words or phrases stands in the message.
    #[serde(default)]
    words: Vec<String>,
    /// The conversation speaks one of these languages.
    #[serde(default)]
    languages: Vec<String>,
    /// The region is one of these.
    #[serde(default)]
    regions: Vec<String>,
    /// Each of these attributes has one of its values.
    #[serde(default)]
    pub(crate) attributes: BTreeMap<String, Vec<String>>,
    /// The conversation has one of these tags.
    #[serde(default)]
    tags: Vec<String>,
}

/// A message and what is known about its conversation.
pub(crate) struct Matter<'a> {
    pub(crate) said: Index<'a>,
    pub(crate) language: Option<String>,
    pub(crate) region: Option<String>,
    /// Those that rules name and that the conversation has.
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) tags: Vec<String>,
}

impl Rule {
    pub(crate) fn fits(&self, matter: &Matter<'_>) -> bool {
        let speaks = |wanted: &String| {
            let language = matter.language.as_deref();
            language.is_some_and(|language| is_language(language, wanted))
        };
        let stated = |(name, values): (&String, &Vec<String>)| {
            is_one_of(matter.attributes.get(name), values)
        };
        any_or_none(&self.words, |word| matter.said.has(&Words::of(word)))
            && any_or_none(&self.languages, speaks)
            && (self.regions.is_empty() || is_one_of(matter.region.as_ref(), &self.regions))
            && self.attributes.iter().all(stated)
            && any_or_none(&self.tags, |tag| matter.tags.contains(tag))
    }
}

fn any_or_none(stated: &[String], holds: impl FnMut(&String) -> bool) -> bool {
    stated.is_empty() || stated.iter().any(holds)
}

/// Values are compared like words: people write `North` and `north`.
fn is_one_of(value: Option<&String>, values: &[String]) -> bool {
    value.is_some_and(|value| {
        let value = Words::of(value);
        values.iter().any(|wanted| Words::of(wanted) == value)
    })
}
