//! The SDK's promises to authors: what a turn keeps, and when; and that the bindings are those of the contract.

use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};
use vestibule_plugin::http::{self, HttpError, Request, Response};
use vestibule_plugin::testing::{Customer, Effect};
use vestibule_plugin::{
    AutoReply, EffectError, Enrichment, EventTurn, Failure, Field, OnEvent, OnReceipt, OnTimer,
    Outcome, ReceiptStatus, ReceiptTurn, Route, Routing, TimerTurn, Turn, Value, clock, config, kv,
    random,
};

#[test]
fn the_bindings_were_generated_from_this_contract() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let folder = std::fs::read_dir(format!("{root}/wit/next")).expect("the contract is there");
    let mut files: Vec<_> = folder.map(|file| file.expect("an entry").path()).collect();
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        hash.update(std::fs::read(file).expect("a file"));
    }
    let digest = hex::encode(hash.finalize());
    let made_from = include_str!("../src/bindings/contract.sha256");
    assert_eq!(
        digest,
        made_from.trim(),
        "run plugin-sdk/src/bindings/regenerate.sh"
    );
}

/// Does as it is told, word by word.
struct Puppet;

impl AutoReply for Puppet {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        kv::add("turns", 1)?;
        turn.add_tag("seen")?;
        match turn.message().text().as_str() {
            "fault" => return Err(Failure::Fault("as told".to_owned())),
            "reject" => return Err(Failure::Reject("as told".to_owned())),
            "retry" => return Err(Failure::Retry(std::time::Duration::from_secs(1))),
            "close" => turn.close()?,
            "new" => turn.reply_text(&turn.conversation().is_new().to_string())?,
            "name it" => kv::set("named", b"Ines")?,
            "add to it" => kv::add("named", 1)?,
            "add and look" => {
                kv::add("named", 1)?;
                turn.reply_text(&format!("{:?}", kv::get("named")))?;
            }
            "too long" => turn.reply_text(&"x".repeat(4097))?,
            "recover" => {
                let refused = turn.reply_text("").is_err();
                turn.reply_text(&format!("refused: {refused}"))?;
            }
            "draw" => turn.reply_text(&random::next_u64().to_string())?,
            "time" => turn.reply_text(&clock::now().to_string())?,
            "name" => turn.reply_text(&config::get::<String>("name")?.unwrap_or_default())?,
            other => turn.reply_text(other)?,
        }
        Ok(())
    }
}

struct Sorter;

impl Routing for Sorter {
    fn route(turn: &mut Turn<'_>) -> Result<Route, Failure> {
        let vip = turn.conversation().attribute("vip");
        Ok(match vip.as_ref().and_then(Value::text) {
            Some("yes") => Route::Queue("vip".to_owned()),
            _ => Route::Pass,
        })
    }
}

struct Marker;

impl Enrichment for Marker {
    fn enrich(turn: &mut Turn<'_>) -> Outcome {
        let refused = turn.reply_text("hello");
        assert!(matches!(refused, Err(EffectError::Denied(_))));
        if turn.message().text() == "vip" {
            turn.set_attribute("vip", "yes")?;
        }
        kv::add("enriched", 1)?;
        turn.add_tag("enriched")?;
        Ok(())
    }
}

vestibule_plugin::export!(
    Puppet as auto_reply,
    Sorter as routing,
    Marker as enrichment
);

fn customer() -> Customer {
    Customer::new().auto_reply::<Puppet>()
}

/// Gives to billing what asks for it; "promise" and "both" break the rule of it.
struct Biller;

impl Routing for Biller {
    fn route(turn: &mut Turn<'_>) -> Result<Route, Failure> {
        let words = turn.message().text();
        if words != "promise" {
            turn.hand_over("billing", Some(&words))?;
        }
        Ok(match words.as_str() {
            "both" => Route::Pass,
            _ => Route::AsAsked,
        })
    }
}

#[test]
fn routing_hands_over_and_answers_that_it_did() {
    let mut customer = customer().routing::<Biller>();
    let answer = customer.says("my invoice is wrong");
    assert_eq!(answer.route, Some(Route::AsAsked));
    assert_eq!(answer.handed_over_to(), Some("billing"));
    assert!(answer.is_silent(), "{answer:?}");
    for words in ["promise", "both"] {
        let answer = Customer::new().routing::<Biller>().says(words);
        assert!(matches!(answer.failure, Some(Failure::Fault(_))), "{words}");
        assert_eq!(answer.handed_over_to(), None, "{words}");
    }
}

#[test]
fn what_is_told_as_other_cannot_be_set() {
    struct Setter;
    impl Enrichment for Setter {
        fn enrich(turn: &mut Turn<'_>) -> Outcome {
            let refused = turn.set_attribute("way", Value::Other("{}".to_owned()));
            assert!(matches!(refused, Err(EffectError::Invalid(_))));
            Ok(())
        }
    }
    let answer = Customer::new().enrichment::<Setter>().says("hi");
    assert_eq!((answer.failure, answer.effects), (None, vec![]));
}

#[test]
fn memory_and_effects_are_kept_only_when_the_hook_ends_well() {
    let mut customer = customer();
    customer.says("one");
    let answer = customer.says("fault");
    assert_eq!(answer.failure, Some(Failure::Fault("as told".to_owned())));
    assert!(answer.effects.is_empty());
    assert_eq!(customer.memory()["turns"], b"1");
    customer.says("two");
    assert_eq!(customer.memory()["turns"], b"2");
}

#[test]
fn a_refused_effect_is_a_fault_or_a_second_chance() {
    let mut customer = customer();
    let answer = customer.says("too long");
    assert!(matches!(answer.failure, Some(Failure::Fault(why)) if why.contains("4097")));
    assert_eq!(customer.says("recover").text(), "refused: true");
}

#[test]
fn a_script_played_twice_draws_the_same_numbers() {
    let play = || {
        let mut customer = customer();
        [customer.says("draw"), customer.says("draw")]
    };
    let (first, second) = (play(), play());
    assert_eq!(first, second);
    assert_ne!(first[0].text(), first[1].text());
}

#[test]
fn time_stands_still_until_the_test_moves_it() {
    let mut customer = customer();
    customer.clock_is(1_000);
    assert_eq!(customer.says("time").text(), "1000");
    customer.waits(std::time::Duration::from_secs(1));
    assert_eq!(customer.says("time").text(), "2000");
}

#[test]
fn settings_are_read_by_key() {
    let mut customer = customer().config(json!({"name": "Rosa"}));
    assert_eq!(customer.says("name").text(), "Rosa");
}

#[test]
fn stages_run_in_order_and_routing_decides_who_answers() {
    let mut customer = customer().enrichment::<Marker>().routing::<Sorter>();
    let first = customer.says("hello");
    assert_eq!(first.route, Some(Route::Pass));
    assert_eq!(first.texts(), ["hello"]);
    let second = customer.says("vip");
    assert_eq!(
        second.route,
        Some(Route::Queue("vip".to_owned())),
        "routing sees what enrichment has just set"
    );
    assert!(second.is_silent());
}

#[test]
fn a_hook_that_fails_leaves_what_earlier_hooks_of_the_turn_did() {
    for how in ["fault", "reject"] {
        let mut customer = customer().enrichment::<Marker>();
        let answer = customer.says(how);
        assert!(answer.failure.is_some(), "{how}");
        assert_eq!(answer.effects, [Effect::AddTag("enriched".to_owned())]);
        assert_eq!(customer.memory()["enriched"], b"1");
        assert_eq!(customer.memory().get("turns"), None);
        assert_eq!(customer.says("new").text(), "false");
    }
}

#[test]
fn a_turn_that_is_to_run_again_leaves_nothing() {
    let mut customer = customer().enrichment::<Marker>();
    let answer = customer.says("retry");
    assert!(matches!(answer.failure, Some(Failure::Retry(_))));
    assert_eq!(answer.effects, []);
    assert!(customer.memory().is_empty());
    assert_eq!(customer.says("new").text(), "true");
}

#[test]
fn a_closed_conversation_is_new_again() {
    let mut customer = customer();
    customer.says("hello");
    assert_eq!(customer.says("new").text(), "false");
    customer.says("close");
    assert_eq!(customer.says("new").text(), "true");
}

#[test]
fn adding_does_not_look_and_leaves_what_is_no_number() {
    let mut customer = customer();
    customer.says("name it");
    let answer = customer.says("add to it");
    assert_eq!(answer.failure, None);
    assert_eq!(customer.memory()["named"], b"Ines");
    assert_eq!(customer.memory()["turns"], b"2");
    let looked = customer.says("add and look");
    assert!(looked.text().contains("Invalid"), "{}", looked.text());
}

#[test]
fn facts_are_effects_of_every_hook() {
    let answer = customer().says("hi");
    assert_eq!(answer.effects[0], Effect::AddTag("seen".to_owned()));
}

/// Reminds twice of what an event began.
struct Reminder;

impl OnEvent for Reminder {
    fn handle(turn: &mut EventTurn<'_>) -> Outcome {
        let step = turn.event().field("step");
        let fields = step.map(|step| Field::new("step", step));
        turn.set_timer("remind", Duration::from_secs(60), fields.as_slice())?;
        assert!(turn.reply_text("We have your order.").is_ok());
        Ok(())
    }
}

impl OnTimer for Reminder {
    fn fire(turn: &mut TimerTurn<'_>) -> Outcome {
        let step = turn.timer().field("step").and_then(|step| step.number());
        let step = step.unwrap_or_default();
        turn.reply_text(&format!("reminder {step}"))?;
        if step < 2.0 {
            turn.set_timer(
                "remind",
                Duration::from_secs(60),
                &[Field::new("step", step + 1.0)],
            )?;
        }
        Ok(())
    }
}

impl OnReceipt for Reminder {
    fn receive(turn: &mut ReceiptTurn<'_>) -> Outcome {
        assert!(matches!(turn.reply_text("no"), Err(EffectError::Denied(_))));
        turn.set_attribute("last_status", format!("{:?}", turn.receipt().status()))?;
        Ok(())
    }
}

impl AutoReply for Reminder {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        match turn.message().text().as_str() {
            "stop" => turn.cancel_timer("remind")?,
            "person" => turn.hand_over("sales", Some("wants a person"))?,
            "forge" => {
                assert!(turn.opt_in("please write to me").is_err());
                turn.opt_in("forge")?;
            }
            _ => kv::Space::Conversation.set_for("seen", b"yes", Duration::from_secs(60))?,
        }
        Ok(())
    }
}

fn reminded() -> Customer {
    Customer::new()
        .on_event::<Reminder>()
        .on_timer::<Reminder>()
        .on_receipt::<Reminder>()
        .auto_reply::<Reminder>()
}

#[test]
fn timers_fire_in_their_order_as_time_passes() {
    let mut customer = reminded();
    let answer = customer.told("order.placed", &[Field::new("step", 1)]);
    assert_eq!(answer.text(), "We have your order.");
    assert_eq!(customer.waits(Duration::from_secs(59)), []);
    let texts = |answers: Vec<vestibule_plugin::testing::Answer>| {
        let text = |answer: &vestibule_plugin::testing::Answer| answer.text().to_owned();
        answers.iter().map(text).collect::<Vec<_>>()
    };
    let fired = customer.waits(Duration::from_secs(600));
    assert_eq!(texts(fired), ["reminder 1", "reminder 2"]);
    assert_eq!(customer.timers(), []);
}

#[test]
fn timers_end_when_they_are_cancelled_or_people_have_the_conversation() {
    for words in ["stop", "person"] {
        let mut customer = reminded();
        customer.told("order.placed", &[]);
        assert_eq!(customer.timers().len(), 1);
        customer.says(words);
        assert_eq!(customer.timers(), [], "{words}");
    }
}

#[test]
fn receipts_note_facts_and_cannot_speak() {
    let mut customer = reminded();
    let answer = customer.receipt("out_1", ReceiptStatus::Read, None);
    let noted = Effect::SetAttribute {
        key: "last_status".to_owned(),
        value: Value::from("ReceiptStatus::Read"),
    };
    assert_eq!(answer.effects, [noted]);
}

#[test]
fn an_opt_in_needs_the_customers_words() {
    let answer = reminded().says("forge");
    assert_eq!(answer.failure, None);
    let words = "forge".to_owned();
    assert_eq!(answer.effects, [Effect::OptIn { words }]);
}

#[test]
fn memory_ends_by_itself_and_lists_its_keys() {
    struct Keeper;
    impl AutoReply for Keeper {
        fn reply(turn: &mut Turn<'_>) -> Outcome {
            let page = kv::Space::Conversation.list("", None, 10)?;
            turn.reply_text(&format!("{:?}", page.keys))?;
            kv::Space::Conversation.set_for("seen", b"yes", Duration::from_secs(60))?;
            kv::set("tenant's", b"other space")?;
            Ok(())
        }
    }
    let mut customer = Customer::new().auto_reply::<Keeper>();
    assert_eq!(customer.says("hi").text(), "[]");
    customer.waits(Duration::from_secs(59));
    assert_eq!(customer.says("hi").text(), r#"["seen"]"#);
    customer.waits(Duration::from_secs(60));
    assert_eq!(customer.says("hi").text(), "[]");
}

#[test]
fn a_list_of_the_tenants_memory_has_none_of_the_conversations() {
    struct Lister;
    impl AutoReply for Lister {
        fn reply(turn: &mut Turn<'_>) -> Outcome {
            for n in 0..20 {
                kv::Space::Conversation.set(&format!("{n}"), b"of here")?;
            }
            kv::set("a", b"of all")?;
            kv::set("b", b"of all")?;
            let first = kv::Space::Tenant.list("", None, 1)?;
            let rest = kv::Space::Tenant.list("", first.next.as_deref(), 100)?;
            let forged = kv::set("\u{1}cnv/other/k", b"forged").is_err();
            turn.reply_text(&format!("{:?} {:?} {forged}", first.keys, rest))?;
            Ok(())
        }
    }
    let mut customer = Customer::new().auto_reply::<Lister>();
    let told = r#"["a"] Page { keys: ["b"], next: None } true"#;
    assert_eq!(customer.says("hi").text(), told);
}

/// Looks an order up.
struct LookUp;

impl AutoReply for LookUp {
    fn reply(turn: &mut Turn<'_>) -> Outcome {
        let url = format!("https://shop.example/orders/{}", turn.message().text());
        let answer = Request::get(&url).bearer("shop-token").send()?;
        turn.reply_text(&format!("{}: {}", answer.status, answer.text()))?;
        Ok(())
    }
}

#[test]
fn requests_are_answered_by_the_test_and_secrets_stay_names() {
    let mut customer =
        Customer::new()
            .auto_reply::<LookUp>()
            .http(|request| match request.url.ends_with("/7") {
                true => Ok(Response {
                    status: 200,
                    headers: Vec::new(),
                    body: b"sent".to_vec(),
                }),
                false => Err(HttpError::Timeout),
            });
    assert_eq!(customer.says("7").text(), "200: sent");
    assert!(matches!(
        customer.says("8").failure,
        Some(Failure::Retry(_))
    ));
    let asked = customer.asked();
    assert_eq!(asked.len(), 2);
    let value = vec![http::text("Bearer "), http::secret("shop-token")];
    assert_eq!(asked[0].headers, [("authorization".to_owned(), value)]);
    let mut denied = Customer::new().auto_reply::<LookUp>();
    assert!(matches!(denied.says("7").failure, Some(Failure::Reject(_))));
}
