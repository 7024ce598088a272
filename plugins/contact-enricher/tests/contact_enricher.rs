//! What is known about customers of a business with an enricher, without Wasm.

use plugin_contact_enricher::ContactEnricher;
use serde_json::{Value, json};
use vestibule_plugin::kv::KvError;
use vestibule_plugin::testing::{Answer, Customer, Effect};
use vestibule_plugin::{Failure, Field, Kind};

/// The example of the README.
fn settings() -> Value {
    let readme = include_str!("../README.md");
    let from = readme.find("```json").expect("an example") + 7;
    let to = readme[from..].find("```").expect("its end") + from;
    serde_json::from_str(&readme[from..to]).expect("JSON")
}

fn customer(settings: Value) -> Customer {
    Customer::new()
        .enrichment::<ContactEnricher>()
        .config(settings)
}

fn language(language: &str) -> Effect {
    Effect::SetLanguage(language.to_owned())
}

fn tag(tag: &str) -> Effect {
    Effect::AddTag(tag.to_owned())
}

fn attribute(key: &str, value: &str) -> Effect {
    let (key, value) = (key.to_owned(), value.to_owned());
    Effect::SetAttribute {
        key,
        value: value.into(),
    }
}

fn is_vip(answer: &Answer) -> bool {
    answer.effects.contains(&tag("vip"))
}

#[test]
fn a_language_is_found_once_and_then_left_alone() {
    let mut customer = customer(settings());
    assert!(customer.says("ok").effects.is_empty());
    assert_eq!(
        customer.says("Wann habt ihr geöffnet?").effects,
        [language("de")]
    );
    assert!(customer.says("When are you open?").effects.is_empty());
}

#[test]
fn always_follows_a_customer_who_changes_the_language() {
    let mut customer = customer(json!({"language": {"detect": "always"}}));
    assert_eq!(
        customer.says("Wann habt ihr geöffnet?").effects,
        [language("de")]
    );
    assert!(customer.says("Wann habt ihr geöffnet?").effects.is_empty());
    assert_eq!(
        customer.says("When are you open?").effects,
        [language("en")]
    );
    assert!(customer.says("ok").effects.is_empty(), "no sign, no change");
}

#[test]
fn never_looks_at_no_language_and_taps_tell_nothing() {
    let mut silent = customer(json!({"language": {"detect": "never"}}));
    assert!(silent.says("Wann habt ihr geöffnet?").effects.is_empty());
    let mut tapping = customer(json!({}));
    let tapped = tapping.sends(Kind::Button, "Wann habt ihr geöffnet?", Some("x"));
    assert!(tapped.effects.is_empty());
}

#[test]
fn words_tag_the_conversation() {
    let answer = customer(settings()).says("I have a COMPLAINT");
    assert!(answer.effects.contains(&tag("complaint")), "{answer:?}");
    assert!(answer.effects.contains(&attribute("priority", "high")));
    let answer = customer(settings()).says("eine Grossbestellung");
    assert!(answer.effects.contains(&tag("wholesale")), "{answer:?}");
}

#[test]
fn a_vip_is_known_by_words_and_stays_one() {
    let mut customer = customer(settings());
    let answer = customer.says("I have the Platinum Card");
    assert!(is_vip(&answer) && answer.effects.contains(&attribute("segment", "loyal")));
    assert!(!is_vip(&customer.says("platinum card")), "already one");
}

#[test]
fn a_vip_is_known_by_an_attribute() {
    let mut settings = settings();
    // The first rule sets what the second looks at: facts of a hook are seen in the next turn.
    settings["tags"] = json!([{"tag": "paid", "words": ["paid"], "attributes": {"plan": "Gold"}}]);
    let mut customer = customer(settings);
    assert!(!is_vip(&customer.says("I paid")));
    assert!(is_vip(&customer.says("hello")));
}

#[test]
fn a_vip_is_known_by_how_much_they_write_over_all_conversations() {
    let mut customer = customer(json!({"vip": {"messages": 3}}));
    assert!(!is_vip(&customer.says("1")));
    assert!(!is_vip(&customer.says("2")));
    customer.in_conversation("cnv_2");
    assert!(!is_vip(&customer.says("1")), "another contact");
    customer.in_conversation("cnv_1");
    assert!(is_vip(&customer.says("3")));
    let counted = customer.memory().get("messages/con_1");
    assert_eq!(counted.map(Vec::as_slice), Some(&b"3"[..]));
}

#[test]
fn without_the_grant_the_rest_of_the_rule_goes_on() {
    let mut customer = customer(settings());
    customer.kv_answers(Some(KvError::Denied));
    let answer = customer.says("platinum card, please");
    assert!(is_vip(&answer) && answer.failure.is_none());
    assert!(answer.log.iter().any(|(_, line)| line.contains("grant kv")));
}

#[test]
fn a_memory_that_does_not_answer_has_the_turn_run_again() {
    let mut customer = customer(settings());
    customer.kv_answers(Some(KvError::Unavailable("busy".to_owned())));
    assert!(matches!(
        customer.says("hi").failure,
        Some(Failure::Retry(_))
    ));
}

#[test]
fn as_it_comes_it_finds_languages_and_remembers_nothing() {
    let mut customer = customer(json!({}));
    assert_eq!(
        customer.says("Hola, ¿cuánto cuesta?").effects,
        [language("es")]
    );
    assert!(customer.memory().is_empty());
}

#[test]
fn settings_that_do_not_fit_are_rejected_with_the_reason() {
    let failure = customer(json!({"vips": {}})).says("hi").failure;
    let Some(Failure::Reject(why)) = failure else {
        panic!("{failure:?}");
    };
    assert!(why.contains("vips"), "{why}");
}

#[test]
fn a_business_event_sets_what_its_fields_say_and_nothing_else() {
    let mut customer = customer(settings()).on_event::<ContactEnricher>();
    let fields = [Field::new("order", "4711"), Field::new("plan", "gold")];
    let answer = customer.told("payment.succeeded", &fields);
    let plan = Effect::SetContactAttribute {
        key: "plan".to_owned(),
        value: Some("gold".into()),
    };
    assert_eq!(
        answer.effects,
        [tag("paid"), attribute("last_order", "4711"), plan]
    );
    // A field that is not there leaves its attribute alone; an event that no rule names does nothing.
    assert_eq!(
        customer.told("payment.succeeded", &[]).effects,
        [tag("paid")]
    );
    assert!(customer.told("cart.abandoned", &fields).effects.is_empty());
}
