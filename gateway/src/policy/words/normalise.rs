//! One spelling for what people type: the normal form in which words are compared (§10.1).
//!
//! NFKC, case-folded, without diacritics, with one space between words and nothing but letters, digits and their
//! marks at the ends. Marks of scripts in which they are part of the word (Devanagari, Thai, kana) stay.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The normal form of a whole message; empty when nothing in it is a letter or digit.
pub fn normalise(text: &str) -> String {
    if text.is_ascii() {
        return joined(text).to_ascii_lowercase();
    }
    let plain: String = text.nfkd().filter_map(plain_char).collect();
    let lower: String = plain
        .chars()
        .flat_map(char::to_lowercase)
        .map(folded)
        .collect();
    joined(&lower.replace('ß', "ss")).nfc().collect()
}

/// Surrounding signs cut off, words separated by single spaces.
fn joined(text: &str) -> Cow<'_, str> {
    let core = text.trim_matches(|c: char| !c.is_alphanumeric() && !is_combining_mark(c));
    if !core.contains(char::is_whitespace) {
        return Cow::Borrowed(core);
    }
    Cow::Owned(core.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Drops what nobody hears (diacritics, joiners, emoji selectors) and makes one of the many hyphens and apostrophes.
fn plain_char(c: char) -> Option<char> {
    match c {
        // Latin, Greek and Cyrillic accents; Hebrew points; Arabic vowel signs, hamza above and below, tatweel.
        '\u{300}'..='\u{36f}'
        | '\u{591}'..='\u{5bd}'
        | '\u{5bf}'
        | '\u{5c1}'
        | '\u{5c2}'
        | '\u{5c4}'
        | '\u{5c5}'
        | '\u{5c7}'
        | '\u{640}'
        | '\u{64b}'..='\u{65f}'
        | '\u{670}' => None,
        // Soft hyphen, zero-width characters and direction marks, keycaps, variation selectors, byte order mark.
        '\u{ad}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' => None,
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
        '\u{2018}' | '\u{2019}' | '\u{2bc}' => Some('\''),
        other => Some(other),
    }
}

/// What case folding does beyond lower case; the Turkish dotless i, which people type for i and the other way; and the
/// letters of Arabic script that keyboards of Arabic, Persian and Urdu give different numbers.
fn folded(c: char) -> char {
    match c {
        'ı' => 'i',
        'ς' => 'σ',
        // Persian kaf; Urdu and Arabic heh in their forms, teh marbuta too, which many write as heh.
        'ک' | 'ڪ' => 'ك',
        'ہ' | 'ھ' | 'ە' | 'ۀ' | 'ۂ' | 'ة' | 'ۃ' => 'ه',
        // Persian and Urdu yeh, and alef maksura.
        'ی' | 'ى' | 'ې' => 'ي',
        // Alef wasla. Hamza and madda go with the marks.
        'ٱ' => 'ا',
        // Persian and Urdu digits, and the Arabic ones.
        '۰'..='۹' => digit(c, '۰'),
        '٠'..='٩' => digit(c, '٠'),
        other => other,
    }
}

fn digit(c: char, zero: char) -> char {
    let value = u32::from(c) - u32::from(zero);
    char::from_digit(value, 10).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::normalise;

    #[test]
    fn spelling_does_not_matter() {
        let cases = [
            ("  STOP! ", "stop"),
            ("«Stop»", "stop"),
            ("🛑 stop 🛑\u{fe0f}", "stop"),
            ("ＳＴＯＰ", "stop"),
            ("𝗦𝗧𝗢𝗣", "stop"),
            ("st\u{200b}op", "stop"),
            ("Stop\u{a0}\u{a0}all", "stop all"),
            ("stop \n\t all", "stop all"),
            ("OPT\u{2011}OUT", "opt-out"),
            ("Arrêt", "arret"),
            ("Arre\u{302}t", "arret"),
            ("İPTAL", "iptal"),
            ("IPTAL", "iptal"),
            ("ıptal", "iptal"),
            ("ENTSCHLIEẞEN", "entschliessen"),
            ("إِيقَاف", "ايقاف"),
            ("الغـاء", "الغاء"),
            ("ОТМЕНА.", "отмена"),
            ("수신거부", "수신거부"),
            // Persian kaf and yeh, Arabic kaf and yeh, alef maksura; a zero-width non-joiner between.
            ("کافی", "كافي"),
            ("كافى", "كافي"),
            ("نمی\u{200c}خواهم", "نميخواهم"),
            ("رُکیں", "ركيں"),
            ("ٱلغاء", "الغاء"),
            ("إزالة", "ازاله"),
            // Presentation forms, as old systems write them.
            ("ﺇﻟﻐﺎﺀ", "الغاء"),
            ("۱٢", "12"),
            ("/stop", "stop"),
            ("\"\"", ""),
            ("👍🏽", ""),
        ];
        for (typed, expected) in cases {
            assert_eq!(normalise(typed), expected, "{typed}");
        }
    }

    #[test]
    fn marks_that_make_another_word_stay() {
        assert_ne!(normalise("หยุด"), normalise("หยด"));
        assert_ne!(normalise("बंद"), normalise("बद"));
        assert_ne!(normalise("が"), normalise("か"));
        assert_ne!(normalise("đúng"), normalise("dừng"));
    }

    #[test]
    fn the_short_way_for_ascii_agrees_with_the_long_one() {
        for typed in ["Stop", " a  b ", "a\tb", "(x) y?", "A\u{b}b", "-", "a \n b"] {
            let long = normalise(&format!("{typed}\u{200b}"));
            assert_eq!(normalise(typed), long, "{typed:?}");
        }
    }
}
