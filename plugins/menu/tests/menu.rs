//! What customers of a business with the menu see, without Wasm.

use std::time::Duration;

use plugin_menu::Menu;
use serde_json::{Value, json};
use vestibule_plugin::content::Content;
use vestibule_plugin::kv::KvError;
use vestibule_plugin::testing::{Customer, Effect};
use vestibule_plugin::window::State;
use vestibule_plugin::{Failure, Kind, ReadError};

fn customer(config: Value) -> Customer {
    Customer::new().auto_reply::<Menu>().config(config)
}

fn as_it_comes() -> Customer {
    customer(json!({}))
}

fn items(count: usize) -> Value {
    let item = |n: usize| json!({"key": n.to_string(), "title": format!("Choice {n}"), "reply": format!("Answer {n}")});
    (1..=count).map(item).collect()
}

fn with_buttons(count: usize) -> Customer {
    customer(json!({"style": "buttons", "menu": {"title": "What?", "items": items(count)}}))
}

#[test]
fn a_new_customer_gets_the_menu_whatever_they_say() {
    let answer = as_it_comes().says("hello there");
    assert_eq!(
        answer.text(),
        "Welcome! What can we do for you?\n\n*1* Opening hours\n*2* Delivery\n*0* Talk to a person"
    );
}

#[test]
fn a_key_gets_its_answer() {
    let mut customer = as_it_comes();
    customer.says("hi");
    let answer = customer.says("1");
    assert!(answer.text().starts_with("We are open Monday to Friday"));
    assert!(answer.text().contains("*menu*"));
}

#[test]
fn choices_are_understood_as_people_write_them() {
    for words in [
        "1",
        " 1 ",
        "1.",
        "(1)",
        "1️⃣",
        "opening hours",
        "Opening Hours!",
    ] {
        let mut customer = as_it_comes();
        customer.says("hi");
        let answer = customer.says(words);
        assert!(
            answer.text().contains("9:00 to 18:00"),
            "{words}: {answer:?}"
        );
    }
}

#[test]
fn the_plugin_remembers_in_which_menu_the_customer_is() {
    let mut customer = as_it_comes();
    customer.says("hi");
    let answer = customer.says("2");
    assert!(answer.text().contains("*1* How long it takes"));
    assert!(answer.text().contains("*back*"));
    customer.waits(Duration::from_secs(3_600));
    assert!(customer.says("1").text().contains("two working days"));
    assert!(customer.says("2").text().contains("3.90"));
}

#[test]
fn back_leads_up_and_menu_to_the_top() {
    for words in ["back", "Menu", "start"] {
        let mut customer = as_it_comes();
        customer.says("hi");
        customer.says("2");
        assert!(customer.says(words).text().contains("*0* Talk to a person"));
        assert!(customer.memory().is_empty(), "the top costs no memory");
    }
}

#[test]
fn two_customers_do_not_share_a_place() {
    let mut customer = as_it_comes();
    customer.says("2");
    customer.in_conversation("cnv_2").says("hi");
    assert!(customer.says("1").text().contains("9:00"));
    let first = customer.in_conversation("cnv_1").says("1");
    assert!(first.text().contains("two working days"));
}

#[test]
fn what_is_not_understood_is_answered_with_the_menu_of_the_place() {
    let mut customer = as_it_comes();
    customer.says("2");
    let answer = customer.says("purple");
    assert!(
        answer
            .text()
            .starts_with("Sorry, I did not understand that.")
    );
    assert!(answer.text().contains("*2* What it costs"));
    assert!(
        customer
            .sends(Kind::Media, "", None)
            .text()
            .starts_with("Sorry")
    );
}

#[test]
fn a_reaction_is_not_answered() {
    let mut customer = as_it_comes();
    customer.says("1");
    assert!(
        customer
            .sends(Kind::Reaction, "👍", None)
            .effects
            .is_empty()
    );
}

#[test]
fn a_person_takes_over_after_a_word_to_the_customer() {
    let mut customer = as_it_comes();
    customer.says("2");
    customer.says("back");
    let answer = customer.says("0");
    assert!(answer.text().contains("a person will answer"));
    assert_eq!(answer.handed_over_to(), Some("support"));
    assert!(customer.memory().is_empty());
}

#[test]
fn three_choices_are_buttons_and_more_are_a_list() {
    let answer = with_buttons(3).says("hi");
    assert!(matches!(
        answer.effects[0],
        Effect::Say {
            content: Content::Buttons { .. },
            ..
        }
    ));
    let answer = with_buttons(10).says("hi");
    assert!(matches!(
        answer.effects[0],
        Effect::Say {
            content: Content::List { .. },
            ..
        }
    ));
    let answer = with_buttons(11).says("hi");
    assert!(matches!(
        answer.effects[0],
        Effect::Say {
            content: Content::Text { .. },
            ..
        }
    ));
}

#[test]
fn a_tap_is_a_choice_even_from_an_old_menu() {
    let config = json!({"style": "buttons", "menu": {"title": "What?", "items": [
        {"key": "a", "title": "More", "submenu": {"title": "More", "items": items(2)}},
        {"key": "b", "title": "Bye", "reply": "Goodbye"},
    ]}});
    let mut customer = customer(config);
    customer.says("hi");
    customer.taps("menu/a");
    assert!(customer.taps("menu/a/2").text().starts_with("Answer 2"));
    customer.says("menu");
    let old = customer.sends(Kind::Button, "Choice 1", Some("menu/a/1"));
    assert!(old.text().starts_with("Answer 1"));
}

#[test]
fn equal_titles_are_shown_as_text() {
    let item = |key| json!({"key": key, "title": "Same", "reply": key});
    let config =
        json!({"style": "buttons", "menu": {"title": "?", "items": [item("1"), item("2")]}});
    let answer = customer(config).says("hi");
    assert!(matches!(
        answer.effects[..],
        [Effect::Say {
            content: Content::Text { .. },
            ..
        }]
    ));
}

#[test]
fn a_long_title_becomes_a_row_that_goes_on_in_its_description() {
    let title = "Everything about our autumn catalogue";
    let config = json!({"style": "buttons", "menu": {"title": "?", "items": [
        {"key": "1", "title": title, "reply": "…"},
    ]}});
    let answer = customer(config).says("hi");
    let Effect::Say {
        content: Content::List { sections, .. },
        ..
    } = &answer.effects[0]
    else {
        panic!("{answer:?}");
    };
    assert_eq!(sections[0].rows[0].title, "Everything about our au…");
    assert_eq!(sections[0].rows[0].description.as_deref(), Some(title));
}

#[test]
fn a_menu_that_the_tenant_removed_leads_to_the_top() {
    let mut customer = as_it_comes();
    customer.says("2");
    let mut customer = customer.config(json!({"menu": {"title": "New", "items": items(1)}}));
    assert!(customer.says("1").text().starts_with("Answer 1"));
}

#[test]
fn settings_that_do_not_fit_are_rejected_with_the_reason() {
    let answer = customer(json!({"menue": {}})).says("hi");
    let Some(Failure::Reject(why)) = answer.failure else {
        panic!("{answer:?}");
    };
    assert!(why.contains("menue"), "{why}");
}

#[test]
fn a_memory_that_does_not_answer_has_the_turn_run_again() {
    let mut customer = as_it_comes();
    customer.kv_answers(Some(KvError::Unavailable("busy".to_owned())));
    let answer = customer.says("hi");
    assert!(matches!(answer.failure, Some(Failure::Retry(_))));
    customer.kv_answers(Some(KvError::Denied));
    assert!(matches!(
        customer.says("hi").failure,
        Some(Failure::Reject(_))
    ));
}

#[test]
fn who_wants_blue_ticks_gets_them_before_the_answer() {
    let answer = customer(json!({"mark_read": true})).says("hi");
    assert!(matches!(
        answer.effects[..],
        [Effect::MarkRead { typing: false }, Effect::Say { .. }]
    ));
    let plain = as_it_comes().says("hi");
    assert!(matches!(plain.effects[..], [Effect::Say { .. }]));
}

fn patient(idle: Value) -> Customer {
    customer(json!({ "idle": idle })).on_timer::<Menu>()
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn nobody_is_reminded_or_let_go_as_it_comes() {
    let mut customer = as_it_comes().on_timer::<Menu>();
    customer.says("hi");
    customer.says("2");
    assert!(customer.timers().is_empty());
}

#[test]
fn who_stops_within_a_menu_is_shown_it_again_and_then_let_go() {
    let mut customer = patient(json!({"remind_after_minutes": 30, "close_after_minutes": 60}));
    customer.says("hi");
    customer.says("2");
    let reminded = customer.waits(HOUR);
    assert_eq!(reminded.len(), 1);
    let text = reminded[0].text();
    assert!(
        text.starts_with("Are you still there?\n\nDelivery\n\n"),
        "{text}"
    );
    let closed = customer.waits(HOUR);
    assert_eq!(closed[0].effects, [Effect::Close]);
    assert!(customer.timers().is_empty());
    // The place is forgotten with it.
    assert!(customer.says("hello").text().starts_with("Welcome!"));
}

#[test]
fn a_customer_who_writes_again_waits_anew_and_one_at_the_top_is_not_reminded() {
    let mut customer = patient(json!({"remind_after_minutes": 30, "close_after_minutes": 60}));
    customer.says("hi");
    customer.says("2");
    assert!(customer.waits(HOUR / 4).is_empty());
    customer.says("1");
    assert!(
        customer.waits(HOUR / 4).is_empty(),
        "the answer was 15 minutes ago"
    );
    customer.says("menu");
    let over = customer.waits(HOUR * 2);
    let effects: Vec<&Effect> = over.iter().flat_map(|answer| &answer.effects).collect();
    assert_eq!(effects, [&Effect::Close]);
}

#[test]
fn nobody_is_reminded_in_a_closed_window_but_without_the_grant_policy_decides() {
    for (denied, spoken) in [(false, 0), (true, 1)] {
        let mut customer = patient(json!({"remind_after_minutes": 30}));
        customer.says("hi");
        customer.says("2");
        customer.window_is(State::Closed);
        customer.reads_answer(denied.then_some(ReadError::Denied));
        let said: usize = customer.waits(HOUR).iter().map(|a| a.said().len()).sum();
        assert_eq!(said, spoken, "denied: {denied}");
    }
}
