//! Which department gets what customers of a business with a router write, without Wasm.

use plugin_department_router::DepartmentRouter;
use serde_json::{Value, json};
use vestibule_plugin::testing::{Answer, Customer, Effect};
use vestibule_plugin::{Enrichment, Failure, Kind, Outcome, ReadError, Receiver, Route, Turn};

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

/// The route, and where to if that was asked for with a hand-over.
fn leads_to(answer: &Answer) -> Option<Route> {
    match (&answer.route, hand_over(answer)) {
        (Some(Route::AsAsked), Some((Receiver::Queue(queue), _))) => Some(Route::Queue(queue)),
        (route, None) => route.clone(),
        (route, Some(asked)) => panic!("{route:?}, and asked for was {asked:?}"),
    }
}

fn hand_over(answer: &Answer) -> Option<(Receiver, Option<String>)> {
    answer.effects.iter().find_map(|effect| match effect {
        Effect::HandOver { to, summary } => Some((to.clone(), summary.clone())),
        _ => None,
    })
}

fn route(text: &str) -> Option<Route> {
    leads_to(&hears(settings(), text))
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
    assert_eq!(leads_to(&hears(rules("a", "b"), "help")), queue("a"));
    assert_eq!(leads_to(&hears(rules("b", "a"), "help")), queue("b"));
}

#[test]
fn otherwise_says_what_happens_when_no_rule_fits() {
    let otherwise = |otherwise: Value| leads_to(&hears(json!({"otherwise": otherwise}), "hello"));
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
    assert_eq!(leads_to(&answer), queue("workshop"));
}

#[test]
fn settings_that_do_not_fit_are_rejected_with_the_reason() {
    let failure = hears(json!({"rules": [{"words": ["x"]}]}), "x").failure;
    let Some(Failure::Reject(why)) = failure else {
        panic!("{failure:?}");
    };
    assert!(why.contains("queue"), "{why}");
}

fn summary(answer: &Answer) -> Option<String> {
    hand_over(answer)?.1
}

#[test]
fn people_get_a_summary_of_what_was_said_now_and_before() {
    let mut customer = Customer::new()
        .routing::<DepartmentRouter>()
        .config(settings());
    let greeting = customer.says("Good morning!\nAre you there?");
    assert_eq!(summary(&greeting), None);
    let answer = customer.says("My invoice is wrong");
    assert_eq!(
        summary(&answer).as_deref(),
        Some(
            "customer: My invoice is wrong\nBefore, the newest first:\ncustomer: Good morning! Are you there?"
        )
    );
    customer.reads_answer(Some(ReadError::Denied));
    let alone = customer.says(&format!("invoice {}", "x".repeat(500)));
    let alone = summary(&alone).expect("a summary");
    assert!(
        alone.ends_with('…') && alone.lines().count() == 1,
        "{alone}"
    );
}

#[test]
fn the_longest_summary_is_taken() {
    let mut customer = Customer::new()
        .routing::<DepartmentRouter>()
        .config(json!({"otherwise": {"queue": "q".repeat(64)}}));
    for _ in 0..8 {
        let answer = customer.says(&"ü".repeat(4_000));
        assert_eq!(answer.failure, None);
        assert!(summary(&answer).is_some());
    }
}

#[test]
fn a_tenant_who_wants_no_summary_gets_none() {
    let quiet = json!({"summary": false, "otherwise": {"queue": "all"}});
    let answer = hears(quiet, "hello");
    assert!(answer.effects.is_empty());
    assert_eq!(answer.route, queue("all"));
}
