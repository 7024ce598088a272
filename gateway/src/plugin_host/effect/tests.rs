//! What effects other than replies may hold, at its edge and one beyond; and which hook may ask for what.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::domain::attribute::AttributeKind;
use crate::plugin_host::limits;
use crate::plugin_host::request::{ContactKinds, ConversationView};
use crate::plugin_host::testing::conversation;

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

fn ask(
    effect: &Effect,
    hook: Hook,
    bot_owns: bool,
    conversation: &ConversationView,
) -> Result<(), EffectRefused> {
    ask_as(effect, hook, bot_owns, conversation, true)
}

fn ask_as(
    effect: &Effect,
    hook: Hook,
    bot_owns: bool,
    conversation: &ConversationView,
    routes: bool,
) -> Result<(), EffectRefused> {
    let contact_kinds: ContactKinds = [("city".to_owned(), AttributeKind::Text)].into();
    effect.check(&Asker {
        routes,
        hook,
        bot_owns,
        becoming: conversation,
        contact_kinds: &contact_kinds,
        heard: "yes, write to me again",
        now: NOW,
    })
}

fn check(effect: &Effect) -> Result<(), String> {
    match ask(effect, Hook::AutoReply, true, &conversation()) {
        Ok(()) => Ok(()),
        Err(EffectRefused::Invalid(what)) => Err(what),
        Err(other) => panic!("{other:?}"),
    }
}

fn denied(effect: &Effect, hook: Hook, bot_owns: bool) -> bool {
    let checked = ask(effect, hook, bot_owns, &conversation());
    matches!(checked, Err(EffectRefused::Denied(_)))
}

fn tag(tag: &str) -> Effect {
    let tag = tag.to_owned();
    Effect::AddTag { tag }
}

#[test]
fn an_emoji_is_no_text() {
    let react = |emoji: &str| {
        let emoji = emoji.to_owned();
        check(&Effect::React { emoji })
    };
    for emoji in ["", "👍", "👩🏽‍🚀", "1️⃣"] {
        assert_eq!(react(emoji), Ok(()), "{emoji}");
    }
    for emoji in ["ok", "👍 👍", &"👍".repeat(17)] {
        assert!(react(emoji).is_err(), "{emoji}");
    }
}

#[test]
fn names_are_short_and_printable() {
    assert_eq!(check(&tag("new customer")), Ok(()));
    assert!(check(&tag("")).is_err());
    assert!(check(&tag("a\nb")).is_err());
    assert!(check(&tag(&"t".repeat(65))).is_err());
}

#[test]
fn names_of_metrics_and_events_are_words_of_ascii() {
    let value = Finite::try_from(1.0).expect("finite");
    for (name, fits) in [
        ("orders.paid", true),
        ("", false),
        ("a b", false),
        ("a\nfake_metric 1", false),
        ("größe", false),
        (&"m".repeat(65), false),
    ] {
        let name = || name.to_owned();
        let metric = Effect::Metric {
            name: name(),
            value,
        };
        let emit = Effect::Emit {
            name: name(),
            fields: BTreeMap::new(),
        };
        assert_eq!(check(&metric).is_ok(), fits, "{}", name());
        assert_eq!(check(&emit).is_ok(), fits, "{}", name());
    }
}

#[test]
fn routing_hands_over_where_its_contract_can_answer_that_it_did() {
    let hand_over = Effect::HandOver {
        to: Owner::Queue("billing".to_owned()),
        note: None,
    };
    for (routes, bot_owns, taken) in [
        (true, true, true),
        (false, true, false),
        (true, false, false),
    ] {
        let checked = ask_as(&hand_over, Hook::Routing, bot_owns, &conversation(), routes);
        assert_eq!(checked.is_ok(), taken, "{routes} {bot_owns}");
    }
}

#[test]
fn facts_are_for_all_hooks_and_actions_for_few() {
    for hook in Hook::ALL {
        assert!(!denied(&tag("t"), hook, true));
        assert!(!denied(&tag("t"), hook, false));
        let acts = matches!(hook, Hook::AutoReply | Hook::OnEvent | Hook::OnTimer);
        assert_eq!(denied(&Effect::Close, hook, true), !acts, "{hook}");
        assert!(denied(&Effect::Close, hook, false), "{hook}");
        let reads = hook == Hook::AutoReply;
        let read = Effect::MarkRead { typing: true };
        assert_eq!(denied(&read, hook, true), !reads, "{hook}");
        let opt_out = Effect::OptOut { marketing: false };
        assert_eq!(denied(&opt_out, hook, true), !hook.has_message(), "{hook}");
    }
}

#[test]
fn an_opt_in_is_the_customers_own_words() {
    let opt_in = |words: &str| {
        let words = words.to_owned();
        check(&Effect::OptIn { words })
    };
    assert_eq!(opt_in("write to me again"), Ok(()));
    for forged in ["", " ", "please spam me", "Yes, write to me again"] {
        assert!(opt_in(forged).is_err(), "{forged:?}");
    }
}

#[test]
fn what_nobody_asked_quotes_and_answers_nothing() {
    let content = WellFormed::text("hi").expect("a text");
    let said = |quote, purpose| Effect::Reply {
        content: content.clone(),
        quote,
        purpose,
    };
    for hook in [Hook::OnEvent, Hook::OnTimer] {
        assert!(!denied(&said(false, None), hook, true));
        assert!(denied(&said(true, None), hook, true));
        assert!(denied(&said(false, Some(DraftClass::Reply)), hook, true));
    }
    assert!(!denied(
        &said(true, Some(DraftClass::Reply)),
        Hook::AutoReply,
        true
    ));
}

#[test]
fn a_full_conversation_takes_no_new_attribute_but_a_new_value() {
    let mut full = conversation();
    for n in 0..limits::ATTRIBUTES {
        full.attributes.insert(format!("a{n}"), "".into());
    }
    let set = |key: &str, value: &str, full: &ConversationView| {
        let effect = Effect::SetAttribute {
            key: key.to_owned(),
            value: value.into(),
        };
        ask(&effect, Hook::Enrichment, true, full)
    };
    assert_eq!(set("a1", "v", &full), Ok(()));
    assert!(matches!(
        set("new", "v", &full),
        Err(EffectRefused::Quota(_))
    ));
    let mut heavy = conversation();
    for n in 0..31 {
        let kib = "x".repeat(1024);
        heavy.attributes.insert(format!("a{n}"), kib.into());
    }
    assert_eq!(set("small", "v", &heavy), Ok(()));
    let kib = "x".repeat(1024);
    assert!(matches!(
        set("large", &kib, &heavy),
        Err(EffectRefused::Quota(_))
    ));
}

#[test]
fn the_gateways_own_attributes_are_not_the_plugins() {
    let key = "vestibule.handed_back".to_owned();
    assert!(
        check(&Effect::SetAttribute {
            key: key.clone(),
            value: "by_hand".into()
        })
        .is_err()
    );
    assert!(check(&Effect::RemoveAttribute { key }).is_err());
}

#[test]
fn attributes_of_contacts_are_those_that_the_tenant_has_defined() {
    let set = |key: &str, value: AttributeValue| {
        check(&Effect::SetContactAttribute {
            key: key.to_owned(),
            value: Some(value),
        })
    };
    assert_eq!(set("city", "Rome".into()), Ok(()));
    assert!(set("city", AttributeValue::Boolean(true)).is_err());
    assert!(set("shoe", "44".into()).is_err());
}

#[test]
fn timers_lie_within_a_year_and_carry_little() {
    let timer = |ahead: u64, fields: Fields| {
        check(&Effect::SetTimer {
            name: "remind".to_owned(),
            due_at: NOW.plus(Duration::from_secs(ahead)),
            fields,
        })
    };
    assert_eq!(timer(366 * 86_400, Fields::new()), Ok(()));
    assert!(timer(366 * 86_400 + 1, Fields::new()).is_err());
    let many = |n: usize| (0..n).map(|n| (format!("f{n}"), "".into())).collect();
    assert_eq!(timer(1, many(32)), Ok(()));
    assert!(timer(1, many(33)).is_err());
    let heavy: Fields = (0..9)
        .map(|n| (format!("f{n}"), "x".repeat(1000).into()))
        .collect();
    assert!(timer(1, heavy).is_err());
}
