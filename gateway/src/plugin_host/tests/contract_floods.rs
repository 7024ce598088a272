//! Floods of every function of the newest contract, and calls with arguments that are none, made from its WIT: a function
//! that is new has them already, and whether what it answers can be long has to be said here. ([`super::floods`] and
//! [`super::hostile`] have those of 0.1.0, by hand.)

use std::collections::{BTreeMap, BTreeSet};

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;
use wit_parser::{Type, TypeDefKind};

use super::super::limits::HOST_CALL_FUEL;
use super::super::testing::arguments::{LONG, Layout, Lowering, Odd, Value};
use super::super::testing::imports::{Contract, Import};
use super::*;
use crate::domain::attribute::Fields;
use crate::domain::inbound::{
    Context, MediaKind, OrderItem, Referral, ReferredProduct, SharedContact, SharedPhone,
};
use crate::domain::template::{
    ButtonShape, CardShape, HeaderShape, TemplateCategory, TemplateQuality, TemplateShape,
    TemplateStatus,
};
use crate::domain::{
    DraftClass, InboundContent, InboundMessage, Occasion, OpenWord, OutboxId, Owner, Timestamp,
};

/// Functions whose answer is as long as somebody wants it: bytes are what ends a flood of them.
const LONG_ANSWERS: [&str; 43] = [
    "config/all",
    "config/get",
    "contacts/contact.attribute",
    "contacts/contact.attributes",
    "contacts/contact.consent",
    "contacts/contact.external-key",
    "contacts/contact.language",
    "conversation/owned-by",
    "conversation/recent",
    "inbound/conversation.attribute",
    "inbound/conversation.attributes",
    "inbound/conversation.contact-attribute",
    "inbound/conversation.display-name",
    "inbound/conversation.language",
    "inbound/conversation.tags",
    "inbound/message.contacts",
    "inbound/message.form",
    "inbound/message.location",
    "inbound/message.media",
    "inbound/message.order",
    "inbound/message.other-kind",
    "inbound/message.payload",
    "inbound/message.product",
    "inbound/message.raw",
    "inbound/message.reaction",
    "inbound/message.referral",
    "inbound/message.text",
    "kv/get",
    "occasions/event.field",
    "occasions/event.fields",
    "occasions/event.id",
    "occasions/event.name",
    "occasions/receipt.status",
    "occasions/timer.field",
    "occasions/timer.fields",
    "occasions/timer.name",
    "random/bytes",
    "templates/known-template.buttons",
    "templates/known-template.cards",
    "templates/known-template.category",
    "templates/known-template.header",
    "templates/known-template.parameters",
    "templates/known-template.quality",
];

/// Functions whose answer has text and is short, or is given a few times a turn: their number ends a flood.
const SHORT_ANSWERS: [&str; 15] = [
    // Ids and tokens.
    "contacts/contact.id",
    "inbound/conversation.contact",
    "inbound/conversation.id",
    "inbound/message.answers",
    "inbound/message.id",
    "inbound/message.token",
    "occasions/receipt.send",
    // So many a turn; then they answer `quota`.
    "http/send",
    "kv/list-keys",
    "templates/choose-language",
    "templates/search",
    // A name and a language that somebody asked for; a word of Meta's.
    "templates/known-template.key",
    "templates/known-template.status",
    // Of what they tell, nothing has a word today.
    "window/now",
    "window/price",
];

/// The case that runs is the turn's time, counted from here.
const BEGIN: i64 = 1_795_000_000_000;

/// Calls of a turn: what carries nothing ends by them.
const CALLS: u32 = 500;

/// One function with one kind of arguments, called without end.
struct Case {
    function: String,
    /// The arguments, for people.
    with: String,
    body: String,
    hook: Hook,
    /// How it ends.
    end: FaultKind,
}

/// How a call ends of which one part is odd.
const ENDS: [(Odd, FaultKind); 5] = [
    (Odd::Long, FaultKind::OutputBytes),
    (Odd::Outside, FaultKind::Malformed),
    (Odd::NoText, FaultKind::Malformed),
    (Odd::NoCase, FaultKind::Malformed),
    (Odd::NoHandle, FaultKind::Malformed),
];

fn cases(contract: &Contract, to: &mut Layout) -> Vec<Case> {
    let lowering = Lowering::new(&contract.resolve);
    let mut cases = Vec::new();
    for import in contract.imports() {
        let types: Vec<Type> = import.function.params.iter().map(|p| p.ty).collect();
        let plain = types.iter().map(|ty| lowering.plain(ty)).collect();
        let end = match LONG_ANSWERS.contains(&import.id().as_str()) {
            true => FaultKind::OutputBytes,
            false => FaultKind::HostCalls,
        };
        let mut all = vec![(Value::Parts(plain), end)];
        for (odd, end) in ENDS {
            let values = lowering.odd_parts(&types, odd).into_iter();
            all.extend(values.map(|value| (value, end)));
        }
        for (value, end) in all {
            let with = format!("{value:?}");
            let Value::Parts(mut parts) = value else {
                unreachable!("parameters are parts")
            };
            if import.id() == "random/bytes" {
                parts = vec![Value::Number(LONG as u32)];
            }
            let pushed = lowering.push(&types, &parts, import.signature.indirect_params, to);
            cases.push(Case {
                function: import.id(),
                with,
                body: body(&import, &pushed),
                hook: hook(&import.id()),
                end,
            });
        }
    }
    cases
}

fn hook(function: &str) -> Hook {
    match function.split('.').next() {
        Some("occasions/event") => Hook::OnEvent,
        Some("occasions/timer") => Hook::OnTimer,
        Some("occasions/receipt") => Hook::OnReceipt,
        _ => Hook::AutoReply,
    }
}

/// Calls it for ever, with a handle if it is a method of what has to be asked for.
fn body(import: &Import, pushed: &str) -> String {
    let id = import.id();
    let before = match id.split('.').next() {
        Some("contacts/contact") => {
            format!("(call $contacts/current {RET}) (local.set $h (i32.load (i32.const 1028)))")
        }
        Some("templates/known-template") => format!(
            "(call $templates/find (i32.const {X}) (i32.const 1) (i32.const {X}) (i32.const 1) {RET})
             (local.set $h (i32.load (i32.const 1032)))"
        ),
        _ => String::new(),
    };
    let to = if import.signature.retptr { RET } else { "" };
    let call = format!("(call ${id} {pushed} {to})");
    let call = match (&import.signature.results[..], id.as_str()) {
        // What is given a handle for each call gives it back: else handles would end it.
        (_, "contacts/current") => {
            format!("{call} (call $drop/contact (i32.load (i32.const 1028)))")
        }
        ([], _) => call,
        _ => format!("(drop {call})"),
    };
    format!("{before} (loop {call} (global.set $top (global.get $begin)) (br 0))")
}

/// Where a text `x` stands, and a byte that is no text.
const X: u32 = 4096;
const NO_TEXT: u32 = X + 1;

/// The hooks that the cases need.
const HOOKS: [Hook; 4] = [
    Hook::AutoReply,
    Hook::OnEvent,
    Hook::OnTimer,
    Hook::OnReceipt,
];

/// A core module that has all cases.
fn module(contract: &Contract, cases: &[Case], to: &Layout) -> String {
    let version = &contract.version;
    let exports: String = HOOKS
        .iter()
        .map(|hook| {
            let (name, function) = (hook.name(), hook.function());
            format!(
                r#"(func (export "vestibule:plugin/{name}@{version}#{function}") (param i32 i32) (result i32)
                     (call_indirect (type $case) (local.get 0) (local.get 1)
                       (i32.wrap_i64 (i64.sub (call $clock/now) (i64.const {BEGIN}))))
                     (i32.const 2048))"#
            )
        })
        .collect();
    let functions: String = cases
        .iter()
        .map(|case| {
            let body = &case.body;
            format!("(func (type $case) (param $m i32) (param $c i32) (local $h i32) {body})\n")
        })
        .collect();
    let imports = contract.imports_in_wat();
    let first = imports.lines().count();
    let table: Vec<String> = (first..first + cases.len())
        .map(|at| at.to_string())
        .collect();
    let data: String = to
        .data
        .iter()
        .map(|(at, bytes)| {
            let bytes: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
            format!("(data (i32.const {at}) \"{bytes}\")\n")
        })
        .collect();
    let (begin, pages) = (to.next.next_multiple_of(65_536), to.next / 65_536 + 8);
    format!(
        r#"(module {imports}
             (type $case (func (param i32 i32)))
             (memory (export "memory") {pages})
             (global $begin i32 (i32.const {begin}))
             (global $top (mut i32) (i32.const {begin}))
             {functions}
             (table {n} funcref) (elem (i32.const 0) {table})
             (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
               (global.set $top (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
               (global.get $top)
               (global.set $top (i32.add (global.get $top) (local.get 3))))
             {exports} (data (i32.const {X}) "x\ff") {data})"#,
        n = cases.len(),
        table = table.join(" "),
    )
}

fn long() -> String {
    "x".repeat(LONG)
}

/// What a name leads to: the plain text that cases ask by.
fn by_name() -> Fields {
    BTreeMap::from([("x".to_owned(), long().into())])
}

/// Whatever a turn can read is long.
struct LongReads;

fn found<T: Send + 'static>(view: T) -> BoxFuture<'static, Read<T>> {
    std::future::ready(Ok(view)).boxed()
}

fn long_key() -> TemplateKey {
    TemplateKey {
        name: long(),
        language: "en".to_owned(),
    }
}

impl ReadSource for LongReads {
    fn window(&self) -> BoxFuture<'_, Read<WindowView>> {
        found(WindowView {
            window: WindowNow::Closed,
            price: PriceNow::Service,
        })
    }

    fn person(&self) -> BoxFuture<'_, Read<PersonView>> {
        found(PersonView {
            external_key: Some(long()),
            refused: vec![(DraftClass::Reply, long())],
        })
    }

    fn past(&self, _most: u32) -> BoxFuture<'_, Read<Vec<Said>>> {
        found(vec![Said {
            who: Speaker::Person.into(),
            kind: "text".to_owned(),
            text: long(),
            at: Timestamp::from_millis(BEGIN),
            token: None,
        }])
    }

    fn ownership(&self) -> BoxFuture<'_, Read<OwnershipView>> {
        found(OwnershipView {
            owner: Owner::Queue(long()),
            since: None,
        })
    }

    fn templates<'a>(&'a self, _asked: &'a SearchAsked) -> BoxFuture<'a, Read<TemplatePage>> {
        found(TemplatePage {
            listed: vec![ListedTemplate {
                key: long_key(),
                category: TemplateCategory::Utility.into(),
                quality: TemplateQuality::High.into(),
            }],
            more: false,
        })
    }

    fn template<'a>(&'a self, _key: &'a TemplateKey) -> BoxFuture<'a, Read<Option<TemplateView>>> {
        let buttons = vec![ButtonShape::Url; 400];
        let card = CardShape {
            header: HeaderShape::Image,
            body: vec![long()],
            buttons: buttons.clone(),
        };
        found(Some(TemplateView {
            category: OpenWord::Other(long()),
            status: TemplateStatus::Approved,
            quality: OpenWord::Other(long()),
            shape: Some(Arc::new(TemplateShape {
                header: HeaderShape::Text(long()),
                body: vec![long()],
                buttons,
                cards: vec![card],
                offer: true,
            })),
        }))
    }

    fn template_language<'a>(
        &'a self,
        _asked: &'a LanguageAsked,
    ) -> BoxFuture<'a, Read<Option<String>>> {
        found(Some(long()))
    }
}

/// A message in which what this method tells of is long.
fn message(method: &str) -> InboundMessage {
    let content = match method {
        "inbound/message.media" => InboundContent::Media {
            kind: MediaKind::Image.into(),
            media_id: long(),
            mime_type: long(),
            sha256: None,
            caption: Some(long()),
            filename: None,
            voice: false,
        },
        "inbound/message.location" => InboundContent::Location {
            latitude: 1.0,
            longitude: 1.0,
            name: Some(long()),
            address: None,
            url: None,
        },
        "inbound/message.reaction" => InboundContent::Reaction {
            message_id: "wamid.1".to_owned(),
            emoji: Some(long()),
        },
        "inbound/message.contacts" => InboundContent::Contacts {
            contacts: vec![SharedContact {
                name: "x".to_owned(),
                phones: vec![SharedPhone {
                    phone: long(),
                    wa_id: None,
                }],
                emails: Vec::new(),
                company: None,
            }],
            requested: false,
        },
        "inbound/message.order" => InboundContent::Order {
            catalog_id: "1".to_owned(),
            text: String::new(),
            items: vec![OrderItem {
                retailer_id: long(),
                quantity: 1,
                price: "1".to_owned(),
                currency: "EUR".to_owned(),
            }],
        },
        "inbound/message.form" => InboundContent::FlowReply {
            name: "flow".to_owned(),
            body: String::new(),
            response: json!({ "x": long() }).to_string(),
        },
        "inbound/message.other-kind" => InboundContent::Other { kind: long() },
        _ => InboundContent::TemplateButton {
            payload: long(),
            text: long(),
        },
    };
    InboundMessage {
        context: Some(Context {
            id: Some("wamid.2".to_owned()),
            product: Some(ReferredProduct {
                catalog_id: long(),
                retailer_id: "x".to_owned(),
            }),
            ..Context::default()
        }),
        referral: Some(Referral {
            headline: Some(long()),
            ..Referral::default()
        }),
        ..content.into()
    }
}

fn about(case: &Case) -> About {
    let at = Timestamp::from_millis(BEGIN);
    let occasion = match case.hook {
        Hook::OnEvent => Occasion::Event {
            id: long(),
            name: long(),
            fields: by_name(),
        },
        Hook::OnTimer => Occasion::Timer {
            plugin: "test".to_owned(),
            name: long(),
            set_at: at,
            due_at: at,
            fields: by_name(),
        },
        Hook::OnReceipt => Occasion::Receipt {
            send: OutboxId::from_raw(1),
            status: OpenWord::Other(long()),
            error: None,
        },
        _ => {
            let mut view = hears("");
            view.message = message(&case.function);
            view.raw = long();
            return About::Message(Box::new(view));
        }
    };
    About::Occasion(OccasionView { occasion, at })
}

/// The turn in which this case runs.
fn turn_of(plugin: &Arc<Plugin>, number: usize, case: &Case) -> TurnRequest {
    let mut binding = binding(plugin);
    let settings = json!({ "x": long() }).to_string();
    binding.config = Arc::new(ConfigJson::parse(&settings).expect("an object"));
    binding.grants = Grants::from_names(["kv", "window", "contacts", "conversation", "templates"]);
    binding.limits.host_calls = CALLS;
    let mut request = turn(vec![binding]);
    request.now = Timestamp::from_millis(BEGIN + number as i64);
    request.about = Arc::new(about(case));
    let conversation = Arc::make_mut(&mut request.conversation);
    conversation.display_name = Some(long());
    conversation.language = Some(long());
    conversation.attributes = by_name();
    conversation.contact_attributes = by_name();
    conversation.tags = BTreeSet::from([long()]);
    request.kv = Arc::new(MemoryKv::holding("x", long().as_bytes(), 1));
    request.reads = Arc::new(LongReads);
    request
}

fn layout() -> Layout {
    Layout {
        zeros: 32_768,
        zeros_len: 32_768,
        x: X,
        no_text: NO_TEXT,
        next: 65_536,
        data: Vec::new(),
    }
}

#[tokio::test]
async fn floods_of_any_function_end_and_cost_fuel_and_arguments_that_are_none_are_faults() {
    let (host, contract, mut to) = (host(), newest_contract(), layout());
    let cases = cases(&contract, &mut to);
    let plugin = newest_plugin(&host, &module(&contract, &cases, &to), &HOOKS);
    for (number, case) in cases.iter().enumerate() {
        let Case { function, with, .. } = case;
        let report = host.run_turn(turn_of(&plugin, number, case)).await;
        let report = report.expect("room");
        let fault = only_fault(&report);
        assert_eq!(fault.kind, case.end, "{function} with {with}: {fault}");
        let call = &report.calls[0];
        let least = u64::from(call.host_calls - 1) * HOST_CALL_FUEL;
        assert!(call.fuel >= least, "{function} with {with}");
        let most = match case.end {
            FaultKind::OutputBytes => 200,
            FaultKind::HostCalls => CALLS + 1,
            // What is no argument is never handed over. Before it the case asked for its number and its handle.
            _ => 3,
        };
        assert!(call.host_calls <= most, "{function} with {with}");
    }
    assert_eq!(texts(&run(&host, well_behaved()).await), ["hi"]);
}

/// A function of the contract that is new, and answers text, needs its line at the top of this file; and if it is one of the
/// long ones, [`turn_of`] has to give it something long to tell.
#[test]
fn of_every_function_that_answers_text_it_is_known_whether_that_can_be_long() {
    let contract = newest_contract();
    let lowering = Lowering::new(&contract.resolve);
    let answers = |import: &Import| {
        let answer = import.function.result?;
        // An error's text is the host's own.
        let ok = match answer {
            Type::Id(id) => match &contract.resolve.types[id].kind {
                TypeDefKind::Result(result) => result.ok?,
                _ => answer,
            },
            _ => answer,
        };
        lowering.carries(&ok).then(|| import.id())
    };
    let found: BTreeSet<String> = contract.imports().iter().filter_map(answers).collect();
    let known = LONG_ANSWERS.iter().chain(&SHORT_ANSWERS);
    let known: BTreeSet<String> = known.map(|id| (*id).to_owned()).collect();
    assert_eq!(found, known);
}
