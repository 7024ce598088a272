//! Words as people type them, compared as they are meant: whatever the case, the accents and the signs around them.
//!
//! ```
//! use vestibule_plugin::text::Words;
//!
//! let said = Words::of("Hello! What are your *OPENING* hours?");
//! assert!(said.has(&Words::of("opening hours")));
//! assert!(!said.has(&Words::of("pen")), "whole words only");
//! assert!(Words::of("営業時間は？").has(&Words::of("営業時間")), "scripts without spaces");
//! ```

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// A text in its normal form: NFKC, lower case, without diacritics, words separated by one space and nothing else but
/// letters, digits and the marks that are part of a word (Devanagari, Thai).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Words(String);

impl Words {
    pub fn of(text: &str) -> Self {
        if text.is_ascii() {
            return Self::of_ascii(text);
        }
        let mut words = Self(String::with_capacity(text.len()));
        let mut composes = false;
        for c in text.chars() {
            if c.is_ascii() {
                words.push_ascii(c);
                continue;
            }
            decompose_compatible(c, |part| {
                if !is_accent(part) {
                    composes |= may_compose(part);
                    part.to_lowercase().for_each(|c| words.push(c));
                }
            });
        }
        if composes {
            words.0 = words.0.nfc().collect();
        }
        words.end();
        words
    }

    /// The same as for any text, without looking up what ASCII does not have.
    fn of_ascii(text: &str) -> Self {
        let mut words = Self(String::with_capacity(text.len()));
        text.chars().for_each(|c| words.push_ascii(c));
        words.end();
        words
    }

    fn push_ascii(&mut self, c: char) {
        if c.is_ascii_alphanumeric() {
            self.0.push(c.to_ascii_lowercase());
        } else {
            self.push_border();
        }
    }

    fn push_border(&mut self) {
        if !(self.0.is_empty() || self.0.ends_with(' ')) {
            self.0.push(' ');
        }
    }

    /// A lower-case character without its accents.
    fn push(&mut self, c: char) {
        match c {
            // Turkish keyboards have both.
            'ı' => self.0.push('i'),
            'ß' => self.0.push_str("ss"),
            'ς' => self.0.push('σ'),
            c if c.is_alphanumeric() || is_combining_mark(c) => self.0.push(c),
            _ => self.push_border(),
        }
    }

    fn end(&mut self) {
        self.0.truncate(self.0.trim_end().len());
    }

    /// Does `phrase` stand in it, as whole words? In scripts that put no spaces between words, anywhere.
    pub fn has(&self, phrase: &Words) -> bool {
        self.find(phrase, 0).is_some()
    }

    /// The text with every occurrence of `phrase` as whole words replaced.
    pub fn replaced(&self, phrase: &Words, by: &Words) -> Words {
        let mut text = String::with_capacity(self.0.len());
        let mut from = 0;
        while let Some(at) = self.find(phrase, from) {
            text.push_str(&self.0[from..at]);
            text.push_str(&by.0);
            from = at + phrase.0.len();
        }
        text.push_str(&self.0[from..]);
        Self(text)
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|word| !word.is_empty())
    }

    /// Nothing in it is of a script that puts no spaces between words.
    pub fn is_spaced(&self) -> bool {
        !self.0.chars().any(is_unspaced)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn find(&self, phrase: &Words, from: usize) -> Option<usize> {
        let (first, last) = (phrase.0.chars().next()?, phrase.0.chars().next_back()?);
        let found = self.0[from..].match_indices(&phrase.0);
        let mut places = found.map(|(at, _)| from + at);
        places.find(|&at| {
            let before = self.0[..at].chars().next_back();
            let after = self.0[at + phrase.0.len()..].chars().next();
            ends_a_word(before, first) && ends_a_word(after, last)
        })
    }
}

/// A text that thousands of phrases are looked for in: most are told not to be there at the price of a look-up.
///
/// ```
/// use vestibule_plugin::text::{Index, Words};
///
/// let said = Words::of("What are your opening hours?");
/// let index = Index::of(&said);
/// assert!(index.has(&Words::of("opening hours")) && !index.has(&Words::of("price")));
/// ```
#[derive(Debug)]
pub struct Index<'a> {
    words: &'a Words,
    parts: Parts<'a>,
}

/// What every phrase in a text is made of, sorted.
#[derive(Debug)]
enum Parts<'a> {
    Words(Vec<&'a str>),
    /// Of a text in which words are not told apart by spaces alone.
    Characters(Vec<char>),
}

impl<'a> Index<'a> {
    pub fn of(words: &'a Words) -> Self {
        let parts = match words.is_spaced() {
            true => Parts::Words(sorted(words.iter())),
            false => Parts::Characters(sorted(words.0.chars())),
        };
        Self { words, parts }
    }

    /// As [`Words::has`].
    pub fn has(&self, phrase: &Words) -> bool {
        let may_have = match &self.parts {
            Parts::Words(words) => phrase.iter().all(|word| words.binary_search(&word).is_ok()),
            Parts::Characters(characters) => {
                let mut of_phrase = phrase.0.chars();
                of_phrase.all(|c| characters.binary_search(&c).is_ok())
            }
        };
        may_have && self.words.has(phrase)
    }
}

fn sorted<T: Ord>(parts: impl Iterator<Item = T>) -> Vec<T> {
    let mut sorted: Vec<T> = parts.collect();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
}

/// Is there a border between a phrase's first or last character and its neighbour?
fn ends_a_word(neighbour: Option<char>, edge: char) -> bool {
    neighbour.is_none_or(|c| c == ' ' || is_unspaced(c) || is_unspaced(edge))
}

/// Thai, Lao, Burmese, Khmer, kana, Han.
fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{2ffff}')
}

/// May it be one with its neighbour? Once accents are gone nothing is in Latin, Greek and Cyrillic; Han never is.
fn may_compose(c: char) -> bool {
    c >= '\u{590}' && !('\u{4e00}'..='\u{9fff}').contains(&c)
}

/// Marks that people leave out when they type: Latin, Greek and Cyrillic accents, Hebrew points, Arabic vowel signs and
/// tatweel; and what nobody sees: soft hyphens, joiners, direction marks, keycaps, variation selectors.
fn is_accent(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}'..='\u{5c2}' | '\u{5c4}'..='\u{5c5}'
        | '\u{5c7}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{ad}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}')
}

/// Is `tag` (BCP 47) the language `wanted`, or a regional form of it? `de-AT` is `de`; `de` is not `de-AT`.
///
/// ```
/// use vestibule_plugin::text::is_language;
/// assert!(is_language("de-AT", "de") && is_language("DE", "de"));
/// assert!(!is_language("de", "de-AT") && !is_language("den", "de"));
/// ```
pub fn is_language(tag: &str, wanted: &str) -> bool {
    let mut tag = tag.split('-');
    wanted
        .split('-')
        .all(|part| tag.next().is_some_and(|own| own.eq_ignore_ascii_case(part)))
}

#[cfg(test)]
mod tests {
    use super::{Index, Words};

    fn has(text: &str, phrase: &str) -> bool {
        Words::of(text).has(&Words::of(phrase))
    }

    #[test]
    fn spelling_does_not_matter() {
        for (text, expected) in [
            ("  Öffnungszeiten?! ", "offnungszeiten"),
            ("O\u{308}ffnungs\u{ad}zeiten", "offnungszeiten"),
            ("¿Cuánto   CUESTA?", "cuanto cuesta"),
            ("l’heure", "l heure"),
            ("ＰＲＩＣＥ 1️⃣", "price 1"),
            ("GRÖSSE größe", "grosse grosse"),
            ("ÇALIŞMA", "calisma"),
            ("👍", ""),
            ("नमस्ते", "नमस्ते"),
            ("한국어", "한국어"),
        ] {
            assert_eq!(Words::of(text), Words::of(expected), "{text}");
            assert_eq!(Words::of(text).as_str(), expected, "{text}");
        }
    }

    #[test]
    fn whole_words_are_found_and_parts_of_words_are_not() {
        assert!(has("is it open today", "open"));
        assert!(has("open", "open"));
        assert!(!has("opened reopen", "open"));
        assert!(has("reopened, open!", "open"), "a later place counts");
        assert!(!has("", "open") && !has("open", ""));
    }

    #[test]
    fn scripts_without_spaces_are_searched_anywhere() {
        assert!(has("ร้านเปิดกี่โมง", "เปิด"));
        assert!(has("wifiはありますか", "wifi"));
    }

    #[test]
    fn an_index_finds_what_the_words_have() {
        let texts = [
            "is it open today",
            "wifiはありますか",
            "ร้านเปิดกี่โมง",
            "open",
            "",
        ];
        let phrases = ["open", "it open", "open it", "wifi", "เปิด", "ope", ""];
        for (text, phrase) in texts
            .iter()
            .flat_map(|t| phrases.iter().map(move |p| (t, p)))
        {
            let (words, phrase) = (Words::of(text), Words::of(phrase));
            let found = Index::of(&words).has(&phrase);
            assert_eq!(found, words.has(&phrase), "{phrase:?} in {words:?}");
        }
    }

    #[test]
    fn phrases_are_replaced_as_whole_words() {
        let replaced = |text: &str| {
            let by = Words::of("price");
            Words::of(text).replaced(&Words::of("how much"), &by).0
        };
        assert_eq!(replaced("How much, how much?"), "price price");
        assert_eq!(replaced("somehow much"), "somehow much");
    }
}
