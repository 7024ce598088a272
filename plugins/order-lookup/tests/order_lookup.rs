//! What customers of a shop see, without Wasm: the test answers in the shop's place.

use std::time::Duration;

use plugin_order_lookup::OrderLookup;
use serde_json::{Value, json};
use vestibule_plugin::http::{Body, HttpError, Part, Request, Response};
use vestibule_plugin::kv::KvError;
use vestibule_plugin::testing::{Answer, Customer};
use vestibule_plugin::window::State;
use vestibule_plugin::{Enrichment, Failure, Kind, Outcome, ReadError, Turn};

fn settings() -> Value {
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("```json").expect("an example");
    let (json, _) = rest.split_once("```").expect("its end");
    serde_json::from_str(json).expect("JSON")
}

fn says(status: u16, body: &str) -> Result<Response, HttpError> {
    Ok(Response {
        status,
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
    })
}

/// Knows order 4711, of whoever asks.
fn shop(request: &Request) -> Result<Response, HttpError> {
    let Some(Body::Json(json, _)) = &request.body else {
        panic!("no JSON: {request:?}");
    };
    let asked: Value = serde_json::from_str(json).expect("JSON");
    match asked["order"].as_str() {
        Some("4711") => says(200, r#"{"state": "shipped", "carrier": "post"}"#),
        Some("4712") => says(200, r#"{"state": "in customs"}"#),
        _ => says(404, ""),
    }
}

fn customer() -> Customer {
    customer_of(shop)
}

fn customer_of(shop: impl Fn(&Request) -> Result<Response, HttpError> + 'static) -> Customer {
    let customer = Customer::new().auto_reply::<OrderLookup>();
    customer.config(settings()).http(shop)
}

#[test]
fn an_order_is_looked_up_and_its_state_said_in_the_tenants_words() {
    let mut customer = customer();
    let answer = customer.says("Where is my order #4711?");
    assert_eq!(answer.text(), "Your order 4711: it is on its way.");
    assert_eq!(answer.handed_over_to(), None);
    assert_eq!(
        customer.says("and order 4712?").text(),
        "Your order 4712: in customs."
    );
    let unknown = customer.says("my parcel 9999");
    assert!(
        unknown.text().starts_with("I know no order 9999"),
        "{unknown:?}"
    );
    assert_eq!(customer.asked().len(), 3);
}

#[test]
fn the_shop_gets_its_token_and_the_customers_number_and_the_plugin_sees_neither() {
    let mut customer = customer();
    customer.says("order 4711");
    let asked = &customer.asked()[0];
    assert_eq!(asked.url, "https://api.shop.example/orders/find");
    let token = Part::Secret("shop-token".to_owned());
    assert_eq!(asked.headers[0].0, "authorization");
    assert!(asked.headers[0].1.contains(&token), "{asked:?}");
    assert_eq!(asked.timeout, Some(Duration::from_secs(3)));
    let Some(Body::Json(json, members)) = &asked.body else {
        panic!("no JSON: {asked:?}");
    };
    assert_eq!(json, r#"{"order":"4711"}"#);
    assert_eq!(*members, [("/phone".to_owned(), vec![Part::Phone])]);
}

#[test]
fn who_asks_is_what_the_tenant_says() {
    for (who, expected) in [
        ("bsuid", vec![("/bsuid".to_owned(), vec![Part::Bsuid])]),
        ("nobody", Vec::new()),
    ] {
        let mut settings = settings();
        settings["customer"] = json!(who);
        let mut customer = customer().config(settings);
        customer.says("order 4711");
        let Some(Body::Json(_, members)) = &customer.asked()[0].body else {
            panic!("no JSON");
        };
        assert_eq!(*members, expected, "{who}");
    }
}

#[test]
fn a_question_without_a_number_is_asked_back_and_the_number_awaited_for_a_while() {
    let mut customer = customer();
    assert!(customer.says("4711").is_silent(), "nobody asked for one");
    let which = customer.says("Where is my parcel?");
    assert!(which.text().starts_with("Which order"), "{which:?}");
    assert!(customer.says("let me see").is_silent());
    assert!(customer.says("it is 4711").text().contains("on its way"));
    assert!(customer.says("4711").is_silent(), "it has been answered");
    customer.says("Where is my parcel?");
    customer.waits(Duration::from_secs(31 * 60));
    assert!(customer.says("4711").is_silent(), "too late");
}

/// Sets the conversation's language to German.
struct German;

impl Enrichment for German {
    fn enrich(turn: &mut Turn<'_>) -> Outcome {
        Ok(turn.set_language("de-AT")?)
    }
}

#[test]
fn it_speaks_the_customers_language() {
    let mut customer = customer().enrichment::<German>();
    let answer = customer.says("Wo ist meine Bestellung 4711?");
    assert_eq!(answer.text(), "Deine Bestellung 4711: sie ist unterwegs.");
}

fn is_handed_over(answer: &Answer) {
    assert_eq!(answer.failure, None);
    assert!(
        answer.text().starts_with("I cannot look that up"),
        "{answer:?}"
    );
    assert_eq!(answer.handed_over_to(), Some("orders"), "{answer:?}");
}

#[test]
fn a_shop_that_is_down_slow_or_talks_nonsense_is_a_case_for_people() {
    for error in [
        HttpError::Timeout,
        HttpError::TooLarge,
        HttpError::Denied("the grant `http` is missing".to_owned()),
        HttpError::Absent("no secret `shop-token`".to_owned()),
        HttpError::Invalid("url".to_owned()),
        HttpError::Quota("16 at once".to_owned()),
        HttpError::Unreachable("refused".to_owned()),
        HttpError::Unavailable("in shadow".to_owned()),
    ] {
        let mut customer = customer_of(move |_| Err(error.clone()));
        is_handed_over(&customer.says("order 4711"));
    }
    let long = json!({"state": "x".repeat(501)}).to_string();
    for (status, body) in [
        (500, "oops"),
        (302, ""),
        (401, r#"{"state": "shipped"}"#),
        (200, "<html>"),
        (200, "{}"),
        (200, r#"{"state": " "}"#),
        (200, long.as_str()),
    ] {
        let body = body.to_owned();
        let mut customer = customer_of(move |_| says(status, &body));
        is_handed_over(&customer.says("order 4711"));
    }
}

#[test]
fn a_turn_that_comes_after_the_window_says_nothing_and_asks_nobody() {
    let mut customer = customer();
    customer.window_is(State::Closed);
    let answer = customer.says("order 4711");
    assert_eq!(answer.texts(), Vec::<&str>::new());
    assert_eq!(answer.handed_over_to(), Some("orders"));
    assert!(customer.asked().is_empty());
    customer.reads_answer(Some(ReadError::Denied));
    assert!(customer.says("order 4711").text().contains("on its way"));
}

#[test]
fn what_is_no_question_about_an_order_is_left_to_others() {
    let mut customer = customer();
    for words in ["hello", "12", "When are you open?"] {
        assert!(customer.says(words).is_silent(), "{words}");
    }
    assert!(customer.sends(Kind::Media, "order 4711", None).is_silent());
    assert!(customer.asked().is_empty());
}

#[test]
fn a_memory_that_does_not_answer_is_tried_again_and_one_that_is_not_given_is_done_without() {
    let mut customer = customer();
    customer.kv_answers(Some(KvError::Unavailable("down".to_owned())));
    assert!(customer.says("order 4711").text().contains("on its way"));
    for words in ["my parcel", "4711"] {
        let failure = customer.says(words).failure;
        assert!(matches!(failure, Some(Failure::Retry(_))), "{failure:?}");
    }
    customer.kv_answers(Some(KvError::Denied));
    assert!(customer.says("my parcel").text().starts_with("Which order"));
    assert!(customer.says("4711").is_silent());
}
