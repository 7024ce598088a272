//! Does the customer ask about an order, and which?

use vestibule_plugin::text::{Index, Words};

use crate::settings::{Digits, Settings};

#[derive(Debug, PartialEq)]
pub(crate) enum Wish<'a> {
    /// About an order, without its number.
    Which,
    Order(&'a str),
    /// A number and nothing about orders: one if we have asked for it, else somebody else's to understand.
    Number(&'a str),
}

/// Characters of a message that are looked at.
const LOOKED_AT: usize = 1_000;

pub(crate) fn of<'a>(text: &'a str, settings: &Settings) -> Option<Wish<'a>> {
    let end = text.char_indices().nth(LOOKED_AT);
    let text = end.map_or(text, |(end, _)| &text[..end]);
    match (order_in(text, settings.digits), asks(text, settings)) {
        (Some(order), true) => Some(Wish::Order(order)),
        (Some(number), false) => Some(Wish::Number(number)),
        (None, true) => Some(Wish::Which),
        (None, false) => None,
    }
}

/// The first run of as many digits as an order's number has.
fn order_in(text: &str, digits: Digits) -> Option<&str> {
    let mut runs = text.split(|c: char| !c.is_ascii_digit());
    runs.find(|run| (digits.least..=digits.most).contains(&run.len()))
}

fn asks(text: &str, settings: &Settings) -> bool {
    let said = Words::of(text);
    let said = Index::of(&said);
    let mut words = settings.words.iter();
    words.any(|word| said.has(&Words::of(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_asked_for_by_a_word_and_a_number() {
        let settings = Settings::default();
        for (text, expected) in [
            ("Where is my ORDER #4711?", Some(Wish::Order("4711"))),
            ("order of 2, number 00815", Some(Wish::Order("00815"))),
            ("my parcel", Some(Wish::Which)),
            ("order 12", Some(Wish::Which)),
            ("order 1234567890123", Some(Wish::Which)),
            ("it is 4711", Some(Wish::Number("4711"))),
            ("I reorder tea", None),
            ("hello", None),
        ] {
            assert_eq!(of(text, &settings), expected, "{text}");
        }
    }

    #[test]
    fn what_stands_far_behind_is_not_looked_at() {
        let text = format!("{} order 4711", "é".repeat(LOOKED_AT));
        assert_eq!(of(&text, &Settings::default()), None);
    }
}
