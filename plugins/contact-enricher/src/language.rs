//! Which language a text is in, by small means that always come to the same: the script first, then letters that only one
//! language has, then the commonest words. It would rather not know than guess: "ok" is every language.

use std::collections::BTreeSet;

use vestibule_plugin::text::Words;

mod table;

use table::{LETTERS, WORDS};

/// Points of one sign that belongs to one language alone. A word that several share counts a part of it for each.
const SURE: usize = 60;
/// Different words, and different letters, that are looked at: looking costs fuel.
const SIGNS: usize = 60;

/// The language (two letters) of `text`, whose normal form is `said`. Only languages of `among` are found, when it names
/// any; so are texts in a script that only one of them is written in.
pub(crate) fn detect(text: &str, said: &Words, among: &[String]) -> Option<&'static str> {
    let allowed = |language: &str| among.is_empty() || among.iter().any(|one| one == language);
    let found = match script(text)? {
        Script::One(language) => Some(language),
        Script::Shared(languages) => by_signs(text, said, languages, &allowed),
    };
    found.filter(|language| allowed(language))
}

/// What the script alone says.
enum Script {
    One(&'static str),
    Shared(&'static [&'static str]),
}

const LATIN: &[&str] = &[
    "en", "de", "fr", "es", "pt", "it", "nl", "tr", "pl", "id", "sv",
];
const CYRILLIC: &[&str] = &["ru", "uk", "bg"];
const ARABIC: &[&str] = &["ar", "fa", "ur"];
const DEVANAGARI: &[&str] = &["hi", "mr"];

/// The script of most letters. Kana among Han letters is Japanese, however few they are.
fn script(text: &str) -> Option<Script> {
    let mut counts = [0_usize; SCRIPTS.len()];
    let mut kana = false;
    for c in text.chars() {
        kana |= matches!(c, '\u{3040}'..='\u{30ff}');
        let script = SCRIPTS
            .iter()
            .position(|(from, to, _)| (*from..=*to).contains(&c));
        if let Some(index) = script {
            counts[index] += 1;
        }
    }
    if kana {
        return Some(Script::One("ja"));
    }
    let latin = text.chars().filter(|c| is_latin(*c)).count();
    let most = counts
        .iter()
        .enumerate()
        .rev()
        .max_by_key(|(_, count)| **count);
    match most {
        Some((index, count)) if *count > 0 && *count >= latin => Some(of_block(SCRIPTS[index].2)),
        _ if latin > 0 => Some(Script::Shared(LATIN)),
        _ => None,
    }
}

/// Unicode blocks, each with its language or its script's name.
const SCRIPTS: [(char, char, &str); 13] = [
    ('\u{370}', '\u{3ff}', "el"),
    ('\u{400}', '\u{52f}', "cyrillic"),
    ('\u{590}', '\u{5ff}', "he"),
    ('\u{600}', '\u{6ff}', "arabic"),
    ('\u{900}', '\u{97f}', "devanagari"),
    ('\u{980}', '\u{9ff}', "bn"),
    ('\u{a80}', '\u{aff}', "gu"),
    ('\u{b80}', '\u{bff}', "ta"),
    ('\u{c00}', '\u{c7f}', "te"),
    ('\u{e00}', '\u{e7f}', "th"),
    ('\u{10a0}', '\u{10ff}', "ka"),
    ('\u{ac00}', '\u{d7a3}', "ko"),
    ('\u{4e00}', '\u{9fff}', "zh"),
];

fn of_block(name: &'static str) -> Script {
    match name {
        "cyrillic" => Script::Shared(CYRILLIC),
        "arabic" => Script::Shared(ARABIC),
        "devanagari" => Script::Shared(DEVANAGARI),
        language => Script::One(language),
    }
}

fn is_latin(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}')
}

/// The language with the most signs in the text, if it leads clearly: half as much again as the next that is allowed, and
/// no language that is not has more.
fn by_signs(
    text: &str,
    said: &Words,
    languages: &[&'static str],
    allowed: &dyn Fn(&str) -> bool,
) -> Option<&'static str> {
    let mut ranked: Vec<(usize, &'static str)> = languages.iter().map(|one| (0, *one)).collect();
    count(&mut ranked, distinct(said.iter()), |one, word| {
        has_word(one, word)
    });
    let letters = text.chars().flat_map(char::to_lowercase);
    count(&mut ranked, distinct(letters), |one, letter| {
        has_letter(one, *letter)
    });
    ranked.sort_by_key(|(points, _)| std::cmp::Reverse(*points));
    let (most, _) = *ranked.first()?;
    ranked.retain(|(_, language)| allowed(language));
    let (first, language) = *ranked.first()?;
    let second = ranked.get(1).map_or(0, |(points, _)| *points);
    (first >= SURE && first == most && 2 * first >= 3 * second).then_some(language)
}

/// The first signs of each kind, each once: so many are plenty.
fn distinct<T: Ord>(signs: impl Iterator<Item = T>) -> BTreeSet<T> {
    let mut found = BTreeSet::new();
    for sign in signs {
        if found.len() < SIGNS {
            found.insert(sign);
        }
    }
    found
}

/// Gives each sign's points to the languages that have it: less to each, the more they are.
fn count<T>(
    ranked: &mut [(usize, &'static str)],
    signs: BTreeSet<T>,
    has: impl Fn(&str, &T) -> bool,
) {
    for sign in signs {
        let having: Vec<_> = ranked
            .iter_mut()
            .filter(|(_, one)| has(one, &sign))
            .collect();
        let share = SURE / having.len().max(1);
        having.into_iter().for_each(|(points, _)| *points += share);
    }
}

fn has_word(language: &str, word: &str) -> bool {
    let of = WORDS.iter().find(|(one, _)| *one == language);
    of.is_some_and(|(_, words)| words.split(' ').any(|one| one == word))
}

fn has_letter(language: &str, letter: char) -> bool {
    let of = LETTERS.iter().find(|(one, _)| *one == language);
    of.is_some_and(|(_, letters)| letters.contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detected(text: &str, among: &[&str]) -> Option<&'static str> {
        let among: Vec<String> = among.iter().map(|one| (*one).to_owned()).collect();
        detect(text, &Words::of(text), &among)
    }

    #[test]
    fn the_table_is_in_normal_form() {
        for (language, words) in WORDS {
            assert_eq!(Words::of(words).as_str(), *words, "{language}");
        }
        let languages = [LATIN, CYRILLIC, ARABIC, DEVANAGARI].concat();
        let named: Vec<&str> = WORDS.iter().map(|(language, _)| *language).collect();
        assert_eq!(named, languages);
    }

    #[test]
    fn languages_of_one_script_are_told_apart() {
        for (text, expected) in [
            ("When are you open?", "en"),
            ("Hi, how much is the delivery to Leeds?", "en"),
            ("Wann habt ihr geöffnet?", "de"),
            ("Guten Tag, ich möchte bitte meine Rechnung haben", "de"),
            ("Bonjour, quand êtes-vous ouverts ?", "fr"),
            ("Hola, ¿cuánto cuesta?", "es"),
            ("Buenos días, quiero hacer un pedido", "es"),
            ("Olá, quanto custa isso? Obrigado", "pt"),
            ("Ciao, quando siete aperti? Grazie", "it"),
            ("Goedemorgen, wanneer zijn jullie open?", "nl"),
            ("Merhaba, fiyat ne kadar?", "tr"),
            ("Dzień dobry, kiedy jest otwarte?", "pl"),
            ("Halo kak, berapa harganya ini?", "id"),
            ("Hej, när har ni öppet?", "sv"),
            ("Здравствуйте, сколько это стоит?", "ru"),
            ("Доброго дня, скільки це коштує?", "uk"),
            ("Здравейте, колко струва това?", "bg"),
            ("مرحبا، كم سعر هذا؟", "ar"),
            ("سلام، قیمت این چقدر است؟", "fa"),
            ("یہ کتنے کا ہے؟ شکریہ", "ur"),
            ("नमस्ते, यह कितने का है?", "hi"),
            ("नमस्कार, हे किती रुपये आहे?", "mr"),
        ] {
            assert_eq!(detected(text, &[]), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_script_of_one_language_is_enough() {
        for (text, expected) in [
            ("営業時間は？", "ja"),
            ("几点开门", "zh"),
            ("몇 시에 열어요?", "ko"),
            ("เปิดกี่โมง", "th"),
            ("מתי אתם פתוחים?", "he"),
            ("Τι ώρα ανοίγετε;", "el"),
            ("iPhone 15 の在庫", "ja"),
        ] {
            assert_eq!(detected(text, &[]), Some(expected), "{text}");
        }
    }

    #[test]
    fn who_cannot_tell_does_not_guess() {
        for text in [
            "ok",
            "hello",
            "",
            "👍",
            "12345",
            "Müller GmbH",
            "hallo",
            "iPhone 15 Pro Max",
        ] {
            assert_eq!(detected(text, &[]), None, "{text}");
        }
    }

    #[test]
    fn only_languages_of_the_tenant_are_found() {
        assert_eq!(detected("When are you open?", &["de", "fr"]), None);
        assert_eq!(
            detected("Wann habt ihr geöffnet?", &["de", "fr"]),
            Some("de")
        );
        assert_eq!(detected("几点开门", &["en"]), None);
        assert_eq!(detected("hallo, bitte", &["de", "en"]), Some("de"));
    }
}
