//! Which entry a message asks for.

use std::collections::BTreeMap;

use vestibule_plugin::text::{Index, Words};

use crate::settings::{Entry, Settings};

/// Characters of a message that are looked at: who writes more does not ask a frequent question, and looking costs fuel.
const LOOKED_AT: usize = 1_000;

/// What was found.
pub(crate) struct Found<'a> {
    pub(crate) entry: &'a Entry,
    /// Of the keyword that was found.
    pub(crate) language: &'a str,
}

/// The entry with the longest keyword that stands in the message, as whole words; of equal ones the first. So "opening
/// hours on sunday" beats "opening hours".
pub(crate) fn entry<'a>(text: &str, settings: &'a Settings) -> Option<Found<'a>> {
    let said: String = text.chars().take(LOOKED_AT).collect();
    let said = Words::of(&said);
    let synonyms = Synonyms::said(&settings.synonyms, &Index::of(&said));
    let said = synonyms.applied(said);
    let said = Index::of(&said);
    let mut best: Option<(usize, Found<'a>)> = None;
    for entry in &settings.entries {
        for (language, keyword) in keywords(entry) {
            let keyword = synonyms.applied(Words::of(keyword));
            let length = keyword.as_str().chars().count();
            let is_longer = best.as_ref().is_none_or(|(longest, _)| length > *longest);
            if is_longer && said.has(&keyword) {
                best = Some((length, Found { entry, language }));
            }
        }
    }
    best.map(|(_, found)| found)
}

fn keywords(entry: &Entry) -> impl Iterator<Item = (&str, &str)> {
    let languages = entry.keywords.0.iter();
    languages.flat_map(|(language, keywords)| {
        keywords
            .iter()
            .map(|keyword| (language.as_str(), keyword.as_str()))
    })
}

/// Groups of which the message says something: the others make no keyword match. By the first word of each member, that
/// member and the group's first one, which stands for all.
struct Synonyms(BTreeMap<String, Vec<(Words, Words)>>);

impl Synonyms {
    fn said(groups: &[Vec<String>], said: &Index<'_>) -> Self {
        let mut by_first_word = BTreeMap::<String, Vec<_>>::new();
        for group in groups {
            let members: Vec<Words> = group.iter().map(|word| Words::of(word)).collect();
            if !members.iter().any(|member| said.has(member)) {
                continue;
            }
            let Some((first, others)) = members.split_first() else {
                continue;
            };
            for member in others {
                let word = member.iter().next().unwrap_or_default().to_owned();
                let pairs = by_first_word.entry(word).or_default();
                pairs.push((member.clone(), first.clone()));
            }
        }
        Self(by_first_word)
    }

    /// The text with every member of a group replaced by the group's first, longer members before shorter ones.
    fn applied(&self, words: Words) -> Words {
        if self.0.is_empty() {
            return words;
        }
        let of_word = |word: &str| self.0.get(word).into_iter().flatten();
        let mut pairs: Vec<&(Words, Words)> = match words.is_spaced() {
            true => words.iter().flat_map(of_word).collect(),
            false => self.0.values().flatten().collect(),
        };
        pairs.sort_by_key(|(member, _)| std::cmp::Reverse(member.as_str().len()));
        let replace =
            |words: Words, (member, first): &(Words, Words)| words.replaced(member, first);
        pairs.into_iter().fold(words, replace)
    }
}
