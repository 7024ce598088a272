//! What customers of a business with an FAQ see, without Wasm.

use plugin_faq::Faq;
use serde_json::{Value, json};
use vestibule_plugin::content::Content;
use vestibule_plugin::testing::{Customer, Effect};
use vestibule_plugin::{Enrichment, Failure, Kind, Outcome, Turn};

fn settings() -> Value {
    let readme = include_str!("../README.md");
    let from = readme.find("```json").expect("an example") + 7;
    let to = readme[from..].find("```").expect("its end") + from;
    serde_json::from_str(&readme[from..to]).expect("JSON")
}

fn customer() -> Customer {
    Customer::new().auto_reply::<Faq>().config(settings())
}

/// Sets the conversation's language, as an enricher of the same tenant would: `language: de`.
struct Speaks;

impl Enrichment for Speaks {
    fn enrich(turn: &mut Turn<'_>) -> Outcome {
        if let Some(language) = turn.message().text().strip_prefix("language: ") {
            turn.set_language(language)?;
        }
        Ok(())
    }
}

fn customer_speaking(language: &str) -> Customer {
    let mut customer = customer().enrichment::<Speaks>();
    assert!(customer.says(&format!("language: {language}")).is_silent());
    customer
}

#[test]
fn a_question_is_known_by_whole_words_however_they_are_spelt() {
    for words in [
        "When are you open?",
        "OPENING HOURS",
        "what are your opening   hours, please",
        "open?",
    ] {
        let answer = customer().says(words);
        assert!(
            answer.text().starts_with("Every day"),
            "{words}: {answer:?}"
        );
    }
    assert!(customer().says("I reopened my parcel").is_silent());
}

#[test]
fn the_answer_comes_in_the_language_of_the_words_when_none_is_known() {
    assert!(
        customer()
            .says("Öffnungszeiten?")
            .text()
            .starts_with("Täglich")
    );
    assert!(
        customer()
            .says("offnungszeiten")
            .text()
            .starts_with("Täglich")
    );
}

#[test]
fn the_answer_comes_in_the_language_of_the_conversation() {
    for language in ["de", "de-AT"] {
        let mut customer = customer_speaking(language);
        assert!(customer.says("opening hours").text().starts_with("Täglich"));
    }
}

#[test]
fn a_language_without_an_answer_gets_the_fallback_language() {
    let answer = customer_speaking("ja").says("Öffnungszeiten");
    assert!(answer.text().starts_with("Every day"), "{answer:?}");
}

#[test]
fn synonyms_stand_for_each_other() {
    for words in [
        "delivery cost",
        "shipping costs",
        "delivery price?",
        "price for the shipping",
    ] {
        let answer = customer().says(words);
        let found = answer
            .texts()
            .first()
            .is_some_and(|text| text.starts_with("Delivery is free"));
        assert_eq!(
            found,
            words != "price for the shipping",
            "{words}: {answer:?}"
        );
    }
}

#[test]
fn the_longest_keyword_wins() {
    let answer = customer().says("opening hours on christmas");
    assert!(answer.text().starts_with("We are closed"), "{answer:?}");
}

#[test]
fn what_is_not_known_is_left_to_the_next_plugin() {
    for words in ["hello", "", "👍"] {
        let answer = customer().says(words);
        assert_eq!((answer.effects, answer.failure), (vec![], None), "{words}");
    }
    let media = customer().sends(Kind::Media, "opening hours", None);
    assert!(media.effects.is_empty());
}

#[test]
fn a_customer_who_was_helped_is_thanked() {
    let mut customer = customer();
    let answer = customer.says("opening hours");
    let expected = [("faq/yes/hours", "Yes"), ("faq/no/hours", "No")];
    assert_eq!(answer.choices(), expected);
    let thanked = customer.taps("faq/yes/hours");
    assert_eq!(thanked.text(), "Glad to hear it!");
    assert_eq!(thanked.handed_over_to(), None);
}

#[test]
fn a_customer_who_was_not_helped_gets_a_person() {
    let mut customer = customer_speaking("de");
    customer.says("opening hours");
    let answer = customer.taps("faq/no/hours");
    assert_eq!(answer.text(), "Schade. Gleich hilft dir jemand.");
    assert_eq!(answer.handed_over_to(), Some("counter"));
}

#[test]
fn without_helpful_nothing_is_asked_and_old_buttons_pass() {
    let mut settings = settings();
    settings
        .as_object_mut()
        .expect("an object")
        .remove("helpful");
    let mut customer = Customer::new().auto_reply::<Faq>().config(settings);
    let answer = customer.says("opening hours");
    assert!(matches!(
        answer.effects[..],
        [Effect::Say {
            content: Content::Text { .. },
            ..
        }]
    ));
    let old = customer.sends(Kind::Button, "Yes", Some("faq/yes/hours"));
    assert!(old.effects.is_empty());
    let foreign = customer.sends(Kind::Button, "Opening hours", Some("menu/1"));
    assert!(foreign.effects.is_empty());
}

#[test]
fn a_long_answer_is_followed_by_the_question() {
    let mut settings = settings();
    settings["entries"][0]["answers"]["en"] = json!("long ".repeat(500));
    let mut customer = Customer::new().auto_reply::<Faq>().config(settings);
    let answer = customer.says("opening hours");
    assert!(matches!(
        answer.effects[..],
        [
            Effect::Say {
                content: Content::Text { .. },
                ..
            },
            Effect::Say {
                content: Content::Buttons { .. },
                ..
            }
        ]
    ));
}

#[test]
fn as_it_comes_it_knows_nothing_and_passes() {
    let answer = Customer::new().auto_reply::<Faq>().says("opening hours");
    assert_eq!((answer.effects, answer.failure), (vec![], None));
}

#[test]
fn settings_that_do_not_fit_are_rejected_with_the_reason() {
    let mut customer = Customer::new()
        .auto_reply::<Faq>()
        .config(json!({"entry": []}));
    let Some(Failure::Reject(why)) = customer.says("hi").failure else {
        panic!("not rejected");
    };
    assert!(why.contains("entry"), "{why}");
}
