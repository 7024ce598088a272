//! What a plugin may read of its turn, without Wasm: it follows from what happened, and a test may say otherwise.

use std::time::Duration;

use vestibule_plugin::contacts::Consent;
use vestibule_plugin::history::{Entry, Owner};
use vestibule_plugin::testing::{Customer, Incoming};
use vestibule_plugin::window::{PriceClass, State};
use vestibule_plugin::{
    AutoReply, EventTurn, Failure, OnEvent, OnTimer, Outcome, Purpose, ReadError, TimerTurn, Turn,
    contacts, history, window,
};

/// Says what it reads.
struct Reader;

impl AutoReply for Reader {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let words = turn.message().text();
        let answer = match words.split_once(' ') {
            Some(("recent", most)) => told(&history::recent(most.parse().unwrap_or(0))?),
            _ => match words.as_str() {
                "window" => format!("{:?} {:?}", window::now()?, window::price()?),
                "who" => who()?,
                "owner" => format!("{:?}", history::owned_by()?.owner),
                _ => words,
            },
        };
        turn.reply_text(&answer)?;
        Ok(())
    }
}

impl OnTimer for Reader {
    fn fire(turn: &mut TimerTurn<'_>) -> Outcome {
        turn.reply_text(&format!("{}", window::lets_speak()?))?;
        Ok(())
    }
}

impl OnEvent for Reader {
    fn handle(turn: &mut EventTurn<'_>) -> Outcome {
        turn.set_contact_attribute("tier", "gold")?;
        turn.set_timer("later", Duration::from_secs(25 * 3600), &[])?;
        Ok(())
    }
}

fn who() -> Result<String, Failure> {
    let person = contacts::current()?;
    let tier = person.attribute("tier");
    Ok(format!(
        "{} {:?} {:?} {:?}",
        person.id(),
        person.external_key(),
        tier.as_ref().and_then(|tier| tier.text()),
        person.consent(Purpose::Marketing) == Consent::Allowed,
    ))
}

fn told(said: &[Entry]) -> String {
    let line = |entry: &Entry| format!("{:?}:{}:{}", entry.who, entry.kind, entry.text);
    said.iter().map(line).collect::<Vec<_>>().join("|")
}

fn customer() -> Customer {
    Customer::new().auto_reply::<Reader>()
}

#[test]
fn the_past_is_what_was_said_before_the_turn_the_newest_first() {
    let mut customer = customer();
    customer.says("hello");
    assert_eq!(
        customer.says("recent 5").text(),
        "Speaker::Bot:text:hello|Speaker::Person:text:hello"
    );
    assert_eq!(customer.says("recent 1").texts().len(), 1);
    let other = customer.in_conversation("cnv_2");
    assert_eq!(
        other.sends_message(Incoming::text("owner")).text(),
        "Owner::Bot"
    );
    other.is_given_to(Owner::Agent("ana".to_owned()));
    assert!(other.says("owner").text().contains("ana"));
}

#[test]
fn a_count_that_cannot_be_is_refused() {
    for most in ["0", "51"] {
        let failure = customer().says(&format!("recent {most}")).failure;
        let Some(Failure::Fault(why)) = failure else {
            panic!("{most}: {failure:?}");
        };
        assert!(why.contains("1 to 50"), "{why}");
    }
}

#[test]
fn a_message_opens_the_window_for_a_day_and_a_test_may_say_otherwise() {
    let mut customer = customer().on_event::<Reader>().on_timer::<Reader>();
    assert!(customer.says("window").text().contains("Service"));
    customer.told("paid", &[]);
    let fired = customer.waits(Duration::from_secs(26 * 3600));
    assert_eq!(fired[0].text(), "false");
    customer.window_is(State::Unknown);
    assert_eq!(
        customer.says("window").text(),
        "State::Unknown PriceClass::Unknown"
    );
    customer.price_is(PriceClass::FreeEntryPoint(7));
    assert!(customer.says("window").text().contains("FreeEntryPoint(7)"));
}

#[test]
fn a_person_has_the_tenants_key_attributes_and_a_say() {
    let mut customer = customer().on_event::<Reader>();
    assert_eq!(customer.says("who").text(), "con_1 None None true");
    customer.told("paid", &[]);
    customer.is_known_as("crm-7");
    customer.refuses(Purpose::Marketing, "opted_out_marketing");
    let known = r#"con_1 Some("crm-7") Some("gold") false"#;
    assert_eq!(customer.says("who").text(), known);
}

#[test]
fn a_missing_grant_is_a_value_that_rejects_where_nobody_minds_it() {
    let mut customer = customer();
    for (error, retries) in [
        (ReadError::Denied, false),
        (ReadError::Unavailable("down".to_owned()), true),
    ] {
        customer.reads_answer(Some(error));
        for words in ["window", "who", "owner", "recent 3"] {
            let failure = customer.says(words).failure;
            let again = matches!(failure, Some(Failure::Retry(_)));
            assert_eq!(again, retries, "{words}: {failure:?}");
            assert!(again || matches!(failure, Some(Failure::Reject(_))));
        }
    }
}
