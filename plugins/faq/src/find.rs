//! Which entry a message asks for.

use vestibule_plugin::text::Words;

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
    let synonyms = Synonyms::of(&settings.synonyms);
    let said = synonyms.applied(Words::of(&said));
    if said.is_empty() {
        return None;
    }
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

/// Every word of a group, longest first, with the group's first word, which stands for all.
struct Synonyms(Vec<(Words, Words)>);

impl Synonyms {
    fn of(groups: &[Vec<String>]) -> Self {
        let mut pairs = Vec::new();
        for group in groups {
            let mut words = group.iter().map(|word| Words::of(word));
            let Some(first) = words.next() else { continue };
            pairs.extend(words.map(|word| (word, first.clone())));
        }
        pairs.sort_by_key(|(word, _)| std::cmp::Reverse(word.as_str().len()));
        Self(pairs)
    }

    fn applied(&self, words: Words) -> Words {
        let replace = |words: Words, (word, first): &(Words, Words)| match words.has(word) {
            true => words.replaced(word, first),
            false => words,
        };
        self.0.iter().fold(words, replace)
    }
}
