//! Canned refusals: each reason that there is, and the forms that it comes in, told with rule, evidence and the next moment
//! when it would be allowed. Read the snapshot: it is what people read.

mod limits;
mod templates;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::chain::{About, Explanation};
use super::{of_ruling_alone, text};
use crate::domain::template::{TemplateCategory, TemplateStatus};
use crate::domain::{
    Bsuid, Draft, DraftClass, HoldId, OutboundContent, Owner, Recipient, Sender, TenantId,
};
use crate::policy::fixture::{facts, known, now, plugin_reply, template};
use crate::policy::{
    ActiveHold, ConsentBasis, ConsentState, ConsentWord, Facts, HoldScope, Purpose, Reason, Rule,
    Ruling, TemplateFact, TopicFact, decide,
};

type Spoil = Box<dyn Fn(&mut Facts, &mut Draft)>;

struct Case {
    name: &'static str,
    reason: Reason,
    draft: Draft,
    spoil: Spoil,
}

fn case(
    name: &'static str,
    reason: Reason,
    draft: Draft,
    spoil: impl Fn(&mut Facts, &mut Draft) + 'static,
) -> Case {
    Case {
        name,
        reason,
        draft,
        spoil: Box::new(spoil),
    }
}

fn hold(scope: HoldScope, hours: Option<u64>) -> ActiveHold {
    ActiveHold {
        id: HoldId::from_raw(7),
        scope,
        reason: "a drill".to_owned(),
        until: hours.map(|hours| now().plus(Duration::from_secs(hours * 3600))),
    }
}

fn held(
    name: &'static str,
    reason: Reason,
    draft: Draft,
    scope: HoldScope,
    hours: Option<u64>,
) -> Case {
    case(name, reason, draft, move |facts, _| {
        facts.holds = vec![hold(scope.clone(), hours)];
    })
}

fn said(words: &'static [ConsentWord]) -> ConsentState {
    let mut state = ConsentState::default();
    for (second, word) in (1..).zip(words) {
        let at = now().minus(Duration::from_secs(3600 - second));
        state = state.after_inbound(Some(*word), at).0;
    }
    state
}

fn stopped(
    name: &'static str,
    reason: Reason,
    draft: Draft,
    words: &'static [ConsentWord],
) -> Case {
    case(name, reason, draft, move |facts, _| {
        facts.consent = said(words)
    })
}

fn with_content(name: &'static str, reason: Reason, content: Value) -> Case {
    let content: OutboundContent = serde_json::from_value(content).expect("content");
    let mut draft = match content.template() {
        Some(_) => template("t", "en"),
        None => plugin_reply(""),
    };
    draft.content = content;
    case(name, reason, draft, |_, _| {})
}

fn of_class(class: DraftClass) -> Draft {
    Draft {
        class,
        ..template("news", "en")
    }
}

fn confirmation() -> Draft {
    Draft {
        class: DraftClass::OptOutConfirmation,
        sender: Sender::Rule {
            name: "opt_out_confirmation".to_owned(),
        },
        ..plugin_reply("You will hear nothing more.")
    }
}

fn holds() -> Vec<Case> {
    let reply = || plugin_reply("hi");
    let news = || template("news", "en");
    let one = || HoldScope::Template {
        name: "news".to_owned(),
        language: "en".to_owned(),
    };
    let plugin = || HoldScope::Plugin {
        name: "menu".to_owned(),
    };
    vec![
        held(
            "everything is held",
            Reason::HoldAll,
            reply(),
            HoldScope::All,
            None,
        ),
        held(
            "everything is held for two hours",
            Reason::HoldAll,
            news(),
            HoldScope::All,
            Some(2),
        ),
        held(
            "the tenant is held",
            Reason::HoldTenant,
            news(),
            HoldScope::Tenant,
            None,
        ),
        held(
            "the number is held until noon",
            Reason::HoldNumber,
            reply(),
            HoldScope::Number,
            Some(1),
        ),
        held(
            "the access token is held",
            Reason::HoldCredential,
            news(),
            HoldScope::Credential,
            None,
        ),
        held(
            "the plugin is held",
            Reason::HoldPlugin,
            reply(),
            plugin(),
            None,
        ),
        held(
            "a template is held",
            Reason::HoldTemplate,
            news(),
            one(),
            None,
        ),
        held(
            "all templates are held",
            Reason::HoldTemplates,
            news(),
            HoldScope::Templates,
            Some(24),
        ),
        held(
            "answers are held",
            Reason::HoldReplies,
            reply(),
            HoldScope::Replies,
            Some(48),
        ),
    ]
}

fn owners() -> Vec<Case> {
    let mut fallback = plugin_reply("Sorry.");
    fallback.sender = Sender::Rule {
        name: "fallback".to_owned(),
    };
    vec![
        case(
            "a queue has it",
            Reason::OwnerNotBot,
            plugin_reply("hi"),
            |facts, _| {
                facts.owner = Owner::Queue("sales".to_owned());
            },
        ),
        case(
            "an agent has it",
            Reason::OwnerNotBot,
            fallback,
            |facts, _| {
                facts.owner = Owner::Agent("ana".to_owned());
            },
        ),
        case(
            "a client has it",
            Reason::OwnerNotBot,
            plugin_reply("hi"),
            |facts, _| {
                facts.owner = Owner::External("crm".to_owned());
            },
        ),
        case(
            "taken over and given back",
            Reason::OwnerChanged,
            plugin_reply("hi"),
            |facts, _| {
                facts.owner_version += 2;
            },
        ),
    ]
}

fn consent() -> Vec<Case> {
    use ConsentWord::{OptOutAll, OptOutEverything, OptOutMarketing};
    use DraftClass::{Authentication, Marketing, Utility};
    let reply = || plugin_reply("hi");
    vec![
        case(
            "blocked by the business",
            Reason::Blocked,
            reply(),
            |facts, _| {
                facts.blocked_at = Some(now().minus(Duration::from_secs(60)));
            },
        ),
        stopped(
            "STOP, then news",
            Reason::OptedOut,
            of_class(Utility),
            &[OptOutAll],
        ),
        stopped(
            "STOP, then a code",
            Reason::OptedOut,
            of_class(Authentication),
            &[OptOutAll],
        ),
        stopped(
            "STOPALL, then advertising",
            Reason::OptedOut,
            of_class(Marketing),
            &[OptOutEverything],
        ),
        stopped(
            "both, then a code",
            Reason::OptedOut,
            of_class(Authentication),
            &[OptOutAll, OptOutEverything],
        ),
        stopped(
            "CANCEL, then advertising",
            Reason::OptedOutMarketing,
            of_class(Marketing),
            &[OptOutMarketing],
        ),
        case(
            "an order update that Meta calls advertising",
            Reason::OptedOutMarketing,
            of_class(Utility),
            |facts, _| {
                facts.consent = said(&[OptOutMarketing]);
                facts.template = known(TemplateStatus::Approved, TemplateCategory::Marketing, 0);
            },
        ),
        case(
            "stopped in WhatsApp",
            Reason::MetaMarketingStopped,
            of_class(Marketing),
            |facts, _| {
                facts.consent =
                    ConsentState::default().after_meta_stop(now().minus(Duration::from_secs(60)));
            },
        ),
        case(
            "utility withdrawn",
            Reason::OptedOutUtility,
            of_class(Utility),
            |facts, _| {
                let at = now().minus(Duration::from_secs(60));
                facts.consent = ConsentState::default().after_withdrawn(Purpose::Utility, at);
            },
        ),
        case(
            "a topic withdrawn",
            Reason::OptedOutTopic,
            of_class(Marketing),
            |facts, _| {
                facts.topic = TopicFact::Known(7);
                facts.consent = ConsentState::default().after_withdrawn(Purpose::Topic(7), now());
            },
        ),
        case(
            "a topic that is not there",
            Reason::TopicUnknown,
            of_class(Marketing),
            |facts, _| facts.topic = TopicFact::Unknown,
        ),
        case(
            "by the ledger, and nothing in it",
            Reason::NoOptIn,
            of_class(Marketing),
            |facts, _| facts.basis = ConsentBasis::Ledger,
        ),
        stopped(
            "STOP, then an answer",
            Reason::RepliesStopped,
            reply(),
            &[OptOutAll],
        ),
        stopped(
            "STOPALL, then an answer",
            Reason::RepliesStopped,
            reply(),
            &[OptOutEverything],
        ),
        case(
            "nothing to confirm",
            Reason::ConfirmationNotDue,
            confirmation(),
            |_, _| {},
        ),
        stopped(
            "an hour late",
            Reason::ConfirmationLate,
            confirmation(),
            &[OptOutAll],
        ),
    ]
}

fn contents() -> Vec<Case> {
    let button = |id: &str| json!({"id": id, "title": "Yes"});
    let to_a_user_id = |_: &mut Facts, draft: &mut Draft| {
        let id = Bsuid::parse("GB.4410093827716523").expect("a user id");
        draft.recipient = Recipient::Bsuid(id);
    };
    let mut code = of_class(DraftClass::Authentication);
    code.content = serde_json::from_value(
        json!({"type": "template", "name": "login_code", "language": "en",
        "parameters": [{"value": "123456"}], "buttons": [{"type": "one_time_code", "index": 0}]}),
    )
    .expect("content");
    vec![
        with_content(
            "no text",
            Reason::ContentEmpty,
            json!({"type": "text", "body": " "}),
        ),
        with_content(
            "4,097 letters",
            Reason::ContentTooLong,
            json!({"type": "text", "body": "x".repeat(4097)}),
        ),
        with_content(
            "four buttons",
            Reason::ContentCount,
            json!({"type": "buttons", "body": "Well?", "buttons": [button("a"), button("b"), button("c"), button("d")]}),
        ),
        with_content(
            "two buttons alike",
            Reason::ContentNotUnique,
            json!({"type": "buttons", "body": "Well?", "buttons": [button("a"), button("a")]}),
        ),
        with_content(
            "no address",
            Reason::ContentForm,
            json!({"type": "image", "link": "ftp://x"}),
        ),
        case(
            "a code without a phone",
            Reason::RecipientNeedsPhone,
            code,
            to_a_user_id,
        ),
        with_content(
            "an address from Britain",
            Reason::RecipientNotServed,
            json!({"type": "address_message", "body": "Where to?", "country": "IN"}),
        ),
    ]
}

fn moments() -> Vec<Case> {
    let day = Duration::from_secs(86_400);
    vec![
        case(
            "two days after the last message",
            Reason::WindowClosed,
            plugin_reply("hi"),
            move |facts, _| {
                facts.window.last_inbound_at = Some(now().minus(day * 2));
            },
        ),
        case(
            "never a message",
            Reason::WindowClosed,
            plugin_reply("hi"),
            |facts, _| {
                facts.window.last_inbound_at = None;
            },
        ),
        case(
            "closed by Meta",
            Reason::WindowClosed,
            plugin_reply("hi"),
            |facts, _| {
                facts.window.closed_by_meta_at = Some(now());
            },
        ),
        case(
            "a template that calls itself an answer",
            Reason::WindowClosed,
            template("news", "en"),
            move |facts, draft| {
                draft.class = DraftClass::Reply;
                facts.window.last_inbound_at = Some(now().minus(day * 3));
            },
        ),
        case(
            "two bots",
            Reason::LoopBrake,
            plugin_reply("hi"),
            |facts, _| {
                facts.brake.bot_replies_last_hour = facts.brake.limit;
            },
        ),
        case(
            "a webhook waits",
            Reason::IngestBacklog,
            template("news", "en"),
            |facts, _| {
                facts.backlog.oldest_unsplit_raw_at = Some(now().minus(Duration::from_secs(60)));
            },
        ),
    ]
}

fn cases() -> Vec<Case> {
    [
        holds(),
        owners(),
        consent(),
        contents(),
        templates::templates(),
        templates::states_and_shapes(),
        limits::limits(),
        moments(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn ruled(case: &Case) -> Ruling {
    let (mut facts, mut draft) = (facts(), case.draft.clone());
    if draft.content.template().is_none() {
        facts.template = TemplateFact::NotATemplate;
    }
    (case.spoil)(&mut facts, &mut draft);
    let decision = decide(&facts, &draft, now());
    Ruling::of(&decision, &facts, &draft, now()).unwrap_or_else(|| panic!("{}: cleared", case.name))
}

#[test]
fn each_canned_refusal_is_told_with_its_evidence_and_the_next_moment() {
    let cases = cases();
    assert!(cases.len() >= 40, "{}", cases.len());
    let mut page = String::new();
    for case in &cases {
        let ruling = ruled(case);
        assert_eq!(ruling.reason, case.reason.code(), "{}", case.name);
        let stop = of_ruling_alone(None, &ruling, now());
        assert_eq!(stop.meta_code, case.reason.meta_code(), "{}", case.name);
        assert_eq!(stop.rule, case.reason.rule().word(), "{}", case.name);
        assert!(!stop.mended_by.is_empty(), "{}", case.name);
        let json = serde_json::to_string_pretty(&stop).expect("JSON");
        let about = About {
            kind: "send".to_owned(),
            id: None,
            tenant: TenantId::from_raw(2),
            number: None,
            conversation: None,
            contact: None,
            person: None,
            wamid: None,
        };
        let mut told = Explanation::new(about, now());
        told.stops.push(stop);
        let text = text::text(&told);
        let stop = text.split_once('✗').map_or("", |(_, stop)| stop);
        page += &format!("## {}\n✗{stop}\n{json}\n\n", case.name);
    }
    insta::assert_snapshot!("refusals", page);
}

#[test]
fn every_reason_has_a_canned_refusal() {
    let told: BTreeSet<&str> = cases().iter().map(|case| case.reason.code()).collect();
    let all: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    assert_eq!(told, all);
}

#[test]
fn a_ruling_survives_the_journal() {
    for case in cases() {
        let ruling = ruled(&case);
        let json = serde_json::to_string(&ruling).expect("JSON");
        // The journal keeps no text of anybody's.
        assert!(!json.contains("You will hear"), "{json}");
        assert_eq!(
            serde_json::from_str::<Ruling>(&json).expect(case.name),
            ruling
        );
    }
    assert_eq!(Reason::WindowClosed.rule(), Rule::Window);
}
