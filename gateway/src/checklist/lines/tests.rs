//! A tenant that can go live, and each thing that keeps one from it.

use std::time::Duration;

use super::super::seen::{Ended, Seen, SeenNumber};
use super::super::text::text;
use super::super::{Checklist, Item, Line, State};
use super::all;
use crate::domain::number::Number;
use crate::domain::{
    AppId, CredentialId, EventId, HoldId, NumberId, TemplateId, TenantId, Timestamp,
};
use crate::storage::account_facts::{FactKind, Standing};
use crate::storage::attestations::Attestation;
use crate::storage::holds::{Held, HeldTemplate, Hold};
use crate::storage::templates::Template;
use crate::tenants::TenantSettings;

fn now() -> Timestamp {
    Timestamp::from_secs(1_795_000_000)
}

fn ago(hours: u64) -> Timestamp {
    now().minus(Duration::from_secs(hours * 3600))
}

fn fact(kind: FactKind, name: &str, fact: &str, value: &str) -> Standing {
    Standing {
        account: "200".to_owned(),
        kind: kind as i64,
        name: name.to_owned(),
        language: String::new(),
        fact: fact.to_owned(),
        at: ago(48).millis(),
        value: value.to_owned(),
    }
}

fn template(name: &str) -> Template {
    let none = String::new;
    Template {
        id: TemplateId::from_raw(1),
        tenant: TenantId::from_raw(2),
        account: "200".to_owned(),
        name: name.to_owned(),
        language: "en".to_owned(),
        meta_id: none(),
        status: "APPROVED".to_owned(),
        status_at: ago(48),
        asked_category: none(),
        category: "UTILITY".to_owned(),
        category_at: ago(48),
        next_category: none(),
        next_category_at: None,
        quality: none(),
        quality_at: ago(48),
        rejected: none(),
        components: none(),
        ttl_seconds: 0,
        heard: 0,
        gone_at: None,
        refetch: false,
        created_at: ago(48),
        changed_at: ago(48),
    }
}

fn word(item: Item) -> Attestation {
    Attestation {
        item: item.word().to_owned(),
        by: "key_1 (Ada)".to_owned(),
        note: "looked at it".to_owned(),
        at: ago(1),
    }
}

/// A tenant that can go live.
fn ready() -> Seen {
    let settings = serde_json::json!({
        "served_queues": ["support"],
        "use_cases": [{"name": "delivery", "templates": ["order_update"]}, {"name": "questions"}],
        "consent_collection": [{"place": "checkout", "wording": "Yes, write to me."}],
    });
    let (settings, problems) = TenantSettings::read(&settings.to_string());
    assert_eq!(problems, Vec::<String>::new());
    let ended = |hours| {
        Some(Ended {
            event: EventId::from_raw(5),
            at: ago(hours),
        })
    };
    Seen {
        name: "acme".to_owned(),
        settings,
        numbers: vec![SeenNumber {
            number: Number {
                id: NumberId::from_raw(3),
                tenant: TenantId::from_raw(2),
                app: AppId::from_raw(1),
                credential: CredentialId::from_raw(4),
                portfolio: "200".to_owned(),
                waba_id: "200".to_owned(),
                phone_number_id: "100".to_owned(),
                display_number: "+44 20 7946 0000".to_owned(),
                time_zone: "UTC".to_owned(),
                throughput: 80,
                connected_at: ago(1000),
            },
            verified_at: Some(ago(900)),
            heard_at: Some(ago(2)),
        }],
        facts: vec![
            fact(FactKind::Number, "100", "name_decision", "APPROVED"),
            fact(FactKind::Account, "", "verification", "VERIFIED"),
        ],
        templates: vec![template("order_update")],
        words: vec![
            word(Item::NumberDedicated),
            word(Item::AgentsKnow),
            word(Item::OutgoingWebhook),
        ],
        opt_out: ended(3),
        person: ended(4),
        answered_at: Some(ago(2)),
        ..Seen::default()
    }
}

fn open(seen: &Seen) -> Vec<(&'static str, State)> {
    all(seen, now())
        .iter()
        .filter(|line| matches!(line.state, State::ToDo | State::Unknown))
        .map(|line| (line.item.word(), line.state))
        .collect()
}

fn page(lines: Vec<Line>) -> String {
    text(&Checklist {
        tenant: TenantId::from_raw(2),
        name: "acme".to_owned(),
        at: now().to_string(),
        ready: false,
        numbers: Vec::new(),
        lines,
    })
}

#[test]
fn a_tenant_that_can_go_live_has_no_open_line() {
    assert_eq!(open(&ready()), []);
    insta::assert_snapshot!("ready", page(all(&ready(), now())));
}

#[test]
fn a_tenant_of_today_is_told_what_to_do_line_by_line() {
    let mut seen = Seen::default();
    insta::assert_snapshot!("blank", page(all(&seen, now())));
    seen.numbers = ready().numbers;
    seen.numbers[0].heard_at = None;
    let of_number: Vec<_> = open(&seen).into_iter().take(4).collect();
    assert_eq!(
        of_number,
        [
            ("number_dedicated", State::Unknown),
            ("display_name", State::Unknown),
            ("webhook_verified", State::ToDo),
            ("business_verification", State::Unknown),
        ]
    );
}

#[test]
fn each_line_opens_by_what_it_is_about() {
    type Spoil = fn(&mut Seen);
    let held = |held| Hold {
        id: HoldId::from_raw(7),
        held,
        reason: "drill".to_owned(),
        placed_by: "operator".to_owned(),
        placed_at: ago(1),
        until: None,
        lifted_at: None,
    };
    let cases: [(&str, State, Spoil); 9] = [
        ("display_name", State::ToDo, |seen| {
            seen.facts[0].value = "DECLINED".to_owned()
        }),
        ("webhook_verified", State::ToDo, |seen| {
            seen.numbers[0].heard_at = Some(ago(25))
        }),
        ("templates_approved", State::ToDo, |seen| {
            seen.templates[0].status = "PAUSED".to_owned()
        }),
        ("templates_approved", State::Unknown, |seen| {
            seen.templates[0].gone_at = Some(ago(1))
        }),
        ("consent_collection", State::ToDo, |seen| {
            seen.settings.consent_collection.clear()
        }),
        ("opt_out_tested", State::ToDo, |seen| {
            seen.unconfirmed = seen.opt_out.take()
        }),
        ("person_tested", State::ToDo, |seen| {
            seen.nobody_came = seen.person.take()
        }),
        ("escalation", State::ToDo, |seen| {
            seen.settings.served_queues.clear()
        }),
        ("tried_as_customer", State::ToDo, |seen| {
            seen.answered_at = None
        }),
    ];
    for (item, state, spoil) in cases {
        let mut seen = ready();
        spoil(&mut seen);
        assert_eq!(open(&seen), [(item, state)]);
    }
    let mut seen = ready();
    seen.holds = vec![held(Held::Number(
        TenantId::from_raw(2),
        NumberId::from_raw(3),
    ))];
    assert_eq!(open(&seen), [("number_connected", State::ToDo)]);
    seen.holds = vec![held(Held::Template(
        TenantId::from_raw(2),
        HeldTemplate {
            account: String::new(),
            name: "order_update".to_owned(),
            language: "en".to_owned(),
        },
    ))];
    assert_eq!(open(&seen), [("templates_approved", State::ToDo)]);
}

#[test]
fn a_word_closes_what_nobody_can_see_and_says_whose_it_is() {
    let mut seen = ready();
    seen.facts.clear();
    seen.templates.clear();
    assert_eq!(open(&seen).len(), 3);
    for item in [
        Item::DisplayName,
        Item::BusinessVerification,
        Item::TemplatesApproved,
    ] {
        seen.words.push(word(item));
    }
    assert_eq!(open(&seen), []);
    let lines = all(&seen, now());
    let name = lines.iter().find(|line| line.item == Item::DisplayName);
    let name = name.expect("a line");
    assert_eq!(name.state, State::Attested);
    assert_eq!(
        name.attested.as_ref().map(|word| word.by.as_str()),
        Some("key_1 (Ada)")
    );
}

#[test]
fn every_word_leads_back_to_its_line() {
    for item in Item::ALL {
        assert_eq!(Item::from_word(item.word()), Some(item));
        assert_eq!(serde_json::json!(item), item.word());
    }
}
