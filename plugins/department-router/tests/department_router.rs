//! Which department gets what customers of a business with a router write, without Wasm.

use plugin_department_router::DepartmentRouter;
use serde_json::{Value, json};
use vestibule_plugin::testing::{Answer, Customer, Effect};
use vestibule_plugin::{Enrichment, Failure, Kind, Outcome, ReadError, Route, Turn};

/// The example of the README.
fn settings() -> Value {
    let readme = include_str!("../README.md");
    let from = readme.find("```json").expect("an example") + 7;
    let to = readme[from..].find("```").expect("its end") + from;
    serde_json::from_str(&readme[from..to]).expect("JSON")
}

/// Sets what a message says before its colon, as an enricher of the same tenant would: `region=North tag=vip: words`.
struct Facts;

impl Enrichment for Facts {
    fn enrich(turn: &mut Turn<'_>) -> Outcome {
        let text = turn.message().text();
        let facts = text.split_once(": ").map_or("", |(facts, _)| facts);
        for (name, value) in facts.split(' ').filter_map(|fact| fact.split_once('=')) {
            match name {
                "tag" => turn.add_tag(value)?,
                "language" => turn.set_language(value)?,
                name => turn.set_attribute(name, value)?,
            }
        }
        Ok(())
    }
}

fn hears(settings: Value, text: &str) -> Answer {
    let customer = Customer::new()
        .enrichment::<Facts>()
        .routing::<DepartmentRouter>();
    customer.config(settings).says(text)
}

fn route(text: &str) -> Option<Route> {
    hears(settings(), text).route
}

fn queue(name: &str) -> Option<Route> {
    Some(Route::Queue(name.to_owned()))
}

#[test]
fn a_topic_leads_to_its_department() {
    assert_eq!(route("My INVOICE, please!"), queue("billing"));
    assert_eq!(route("it is broken"), queue("workshop"));
    assert_eq!(route("unbroken"), Some(Route::Bot));
}

#[test]
fn a_language_or_region_narrows_it() {
    assert_eq!(route("language=de-AT: invoice"), queue("billing-de"));
    assert_eq!(route("language=fr: invoice"), queue("billing"));
    assert_eq!(route("region=North: repair"), queue("workshop-north"));
    assert_eq!(route("region=south: repair"), queue("workshop"));
    assert_eq!(route("language=de: Eine Máhnung?"), queue("billing-de"));
}

#[test]
fn attributes_and_tags_decide_too() {
    assert_eq!(route("plan=business: hello"), queue("key-accounts"));
    assert_eq!(route("plan=free: hello"), Some(Route::Bot));
    assert_eq!(route("tag=vip plan=business: invoice"), queue("vip-desk"));
}

#[test]
fn the_first_rule_that_fits_decides() {
    let rules = |first: &str, second: &str| {
        let rule = |queue: &str| json!({"queue": queue, "words": ["help"]});
        json!({"rules": [rule(first), rule(second)]})
    };
    assert_eq!(hears(rules("a", "b"), "help").route, queue("a"));
    assert_eq!(hears(rules("b", "a"), "help").route, queue("b"));
}

#[test]
fn otherwise_says_what_happens_when_no_rule_fits() {
    let otherwise = |otherwise: Value| hears(json!({"otherwise": otherwise}), "hello").route;
    assert_eq!(otherwise(json!("bot")), Some(Route::Bot));
    assert_eq!(otherwise(json!("pass")), Some(Route::Pass));
    assert_eq!(otherwise(json!({"queue": "front"})), queue("front"));
    assert_eq!(hears(json!({}), "hello").route, Some(Route::Bot));
}

#[test]
fn a_reaction_decides_nothing() {
    let settings = json!({"otherwise": {"queue": "front"}});
    let mut customer = Customer::new()
        .routing::<DepartmentRouter>()
        .config(settings);
    let answer = customer.sends(Kind::Reaction, "👍", None);
    assert_eq!(answer.route, Some(Route::Pass));
}

#[test]
fn a_tapped_row_is_a_topic_by_its_title() {
    let mut customer = Customer::new()
        .routing::<DepartmentRouter>()
        .config(settings());
    let answer = customer.sends(Kind::ListChoice, "Repair", Some("menu/2"));
    assert_eq!(answer.route, queue("workshop"));
}

#[test]
fn settings_that_do_not_fit_are_rejected_with_the_reason() {
    let failure = hears(json!({"rules": [{"words": ["x"]}]}), "x").failure;
    let Some(Failure::Reject(why)) = failure else {
        panic!("{failure:?}");
    };
    assert!(why.contains("queue"), "{why}");
}

fn note(answer: &Answer) -> Option<&str> {
    answer.effects.iter().find_map(|effect| match effect {
        Effect::Note(text) => Some(text.as_str()),
        _ => None,
    })
}

#[test]
fn people_find_a_note_of_what_was_said_now_and_before() {
    let mut customer = Customer::new()
        .routing::<DepartmentRouter>()
        .config(settings());
    assert_eq!(note(&customer.says("Good morning!\nAre you there?")), None);
    let answer = customer.says("My invoice is wrong");
    assert_eq!(
        note(&answer),
        Some(
            "For billing.\ncustomer: My invoice is wrong\nBefore, the newest first:\ncustomer: Good morning! Are you there?"
        )
    );
    customer.reads_answer(Some(ReadError::Denied));
    let alone = customer.says(&format!("invoice {}", "x".repeat(500)));
    let alone = note(&alone).expect("a note");
    assert!(
        alone.ends_with('…') && alone.lines().count() == 2,
        "{alone}"
    );
}

#[test]
fn the_longest_note_is_taken() {
    let mut customer = Customer::new()
        .routing::<DepartmentRouter>()
        .config(json!({"otherwise": {"queue": "q".repeat(64)}}));
    for _ in 0..8 {
        let answer = customer.says(&"ü".repeat(4_000));
        assert_eq!(answer.failure, None);
        assert!(note(&answer).is_some());
    }
}

#[test]
fn a_tenant_who_wants_no_note_gets_none() {
    let quiet = json!({"summary": false, "otherwise": {"queue": "all"}});
    assert!(hears(quiet, "hello").effects.is_empty());
}
