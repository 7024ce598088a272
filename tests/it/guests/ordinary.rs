//! What well-meant guests do through the SDK, in Wasm: the same code that native tests run.

use std::time::Duration;

use serde_json::json;
use vestibule::domain::attribute::Fields;
use vestibule::domain::{Occasion, OutboxId, Owner, ReceiptStatus, Timestamp};
use vestibule::plugin_host::{CallOutcome, Effect, Ending, FaultKind, KvWrite, Route};
use vestibule::reference_plugins::MENU;
use vestibule_tests::guests;
use wasmparser::{Parser, Payload};

use super::stage::{Stage, effects, fault, texts};

const PAGE: usize = 64 << 10;

#[tokio::test]
async fn an_echo_reads_its_settings() {
    let stage = Stage::of(guests::ECHO, json!({"prefix": "> "})).await;
    assert_eq!(texts(&stage.hears("grüße 👋").await), ["> grüße 👋"]);
}

#[tokio::test]
async fn a_counter_adds_blindly_and_writes_what_it_read() {
    let report = Stage::of(guests::COUNTER, json!({}))
        .await
        .hears("hi")
        .await;
    assert_eq!(texts(&report), ["1"]);
    let writes: Vec<_> = report.kv[0].writes.values().collect();
    assert_eq!(writes, [&KvWrite::Set(b"1".to_vec()), &KvWrite::Add(1)]);
    assert_eq!(report.kv[0].reads.len(), 1);
}

#[tokio::test]
async fn a_retry_asks_for_its_pause() {
    let stage = Stage::of(guests::RETRY_LATER, json!({})).await;
    let report = stage.hears("hi").await;
    assert_eq!(report.ending, Ending::Retry);
    assert_eq!(report.retry_after, Some(Duration::from_millis(50)));
}

#[tokio::test]
async fn a_rejection_carries_its_reason() {
    let report = Stage::of(guests::REJECT, json!({})).await.hears("hi").await;
    assert_eq!(report.ending, Ending::Rejected);
    let reason = CallOutcome::Rejected("not for me: hi".to_owned());
    assert_eq!(report.calls[0].outcome, reason);
}

#[tokio::test]
async fn a_router_decides_who_answers() {
    let stage = Stage::of(guests::ROUTER, json!({})).await;
    let queued = stage.hears("queue billing").await;
    assert_eq!(queued.route, Some(Route::Queue("billing".to_owned())));
    assert_eq!(stage.hears("silence").await.ending, Ending::Silent);
    let kept = stage.hears("hello").await;
    assert_eq!(texts(&kept), ["routed to the bot: hello"]);
    assert_eq!(texts(&stage.hears("pass").await).len(), 1);
}

#[tokio::test]
async fn a_router_may_hand_over_and_says_so() {
    let stage = Stage::of(guests::ROUTER, json!({})).await;
    let asked = stage.hears("ask billing").await;
    let hand_over = Effect::HandOver {
        to: Owner::Queue("billing".to_owned()),
        note: Some("asks for people".to_owned()),
    };
    assert_eq!((asked.ending, &asked.route), (Ending::Routed, &None));
    assert_eq!(effects(&asked), [&hand_over]);
    // A promise without a hand-over is a fault, and so is a hand-over that nobody answers for. Neither leaves anything.
    for words in ["promise", "both billing"] {
        let report = stage.hears(words).await;
        assert_eq!(fault(&report), Some(FaultKind::Malformed), "{words}");
        assert_eq!(report.effects, [], "{words}");
    }
}

#[tokio::test]
async fn an_enricher_notes_facts_and_cannot_answer() {
    let report = Stage::of(guests::ENRICHER, json!({}))
        .await
        .hears("hi")
        .await;
    let tag = Effect::AddTag {
        tag: "denied".to_owned(),
    };
    assert!(effects(&report).contains(&&tag), "{report:?}");
    assert_eq!(texts(&report), Vec::<String>::new());
}

#[tokio::test]
async fn equal_turns_see_equal_time_and_chance() {
    let stage = Stage::of(guests::RANDOM_CLOCK, json!({})).await;
    let (first, second) = (stage.hears("hi").await, stage.hears("hi").await);
    assert_eq!(texts(&first), texts(&second));
    assert!(texts(&first)[0].starts_with("1795000000000 "));
}

#[tokio::test]
async fn the_menu_never_grows_its_memory_in_a_thousand_turns() {
    let stage = Stage::of(MENU, json!({"style": "buttons"})).await;
    let long = "x".repeat(4_000);
    for turn in 0..1_000 {
        let words = ["hello", "2", "menu", "0", long.as_str()][turn % 5];
        let report = stage.hears(words).await;
        assert_eq!(fault(&report), None, "{words}");
        // Tables count too; they are far smaller than a page.
        let peak = report.calls[0].memory_peak;
        assert!(peak < memory_of(MENU) + PAGE, "{words}: {peak} bytes");
    }
}

#[tokio::test]
async fn a_turn_larger_than_the_arena_still_works() {
    let report = Stage::of(guests::GROW_MEMORY, json!({}))
        .await
        .hears("hi")
        .await;
    assert_eq!(texts(&report), ["2097152"]);
    assert!(report.calls[0].memory_peak > memory_of(guests::GROW_MEMORY) + (2 << 20));
}

#[test]
fn the_menu_imports_nothing_but_the_contract() {
    let mut imports = Vec::new();
    // The component's own imports stand before its first module or nested component.
    for payload in Parser::new(0).parse_all(MENU) {
        match payload.expect("a well-formed component") {
            Payload::ComponentImportSection(section) => {
                let names = section.into_iter().map(|i| i.expect("an import").name.name);
                imports.extend(names.map(str::to_owned));
            }
            Payload::ModuleSection { .. } => break,
            _ => {}
        }
    }
    let foreign =
        |name: &&String| !(name.starts_with("vestibule:plugin/") && name.ends_with("@0.3.0"));
    assert!(!imports.is_empty());
    assert_eq!(imports.iter().find(foreign), None);
}

/// Bytes of memory that the component starts with.
fn memory_of(component: &[u8]) -> usize {
    let mut pages = 0;
    for payload in Parser::new(0).parse_all(component) {
        if let Payload::MemorySection(section) = payload.expect("a well-formed component") {
            let initial =
                |m: wasmparser::Result<wasmparser::MemoryType>| m.expect("a memory").initial;
            pages += section.into_iter().map(initial).sum::<u64>();
        }
    }
    usize::try_from(pages).expect("a small memory") * PAGE
}

#[tokio::test]
async fn everything_that_can_be_said_is_said() {
    let stage = Stage::of(guests::SAYS_EVERYTHING, json!({})).await;
    let report = stage.hears("hi").await;
    assert_eq!(fault(&report), None, "{:?}", report.calls);
    let mut said: Vec<&str> = effects(&report)
        .iter()
        .map(|effect| effect.kind())
        .collect();
    said.sort_unstable();
    let mut all = vestibule::domain::OutboundContent::KINDS.to_vec();
    all.retain(|kind| *kind != "reaction");
    all.push("react");
    all.sort_unstable();
    assert_eq!(said, all);
}

fn receipt() -> Occasion {
    Occasion::Receipt {
        send: OutboxId::from_raw(7),
        status: ReceiptStatus::Read.into(),
        error: None,
    }
}

#[tokio::test]
async fn occasions_reach_the_hooks_that_hear_of_them() {
    let stage = Stage::of(guests::CLOCKWORK, json!({})).await;
    let fields: Fields = [("city".to_owned(), "Rome".into())].into();
    let event = stage
        .meets(Occasion::Event {
            id: "1".to_owned(),
            name: "paid".to_owned(),
            fields: fields.clone(),
        })
        .await;
    // The tenant has defined no such attribute of contacts.
    assert_eq!(fault(&event), Some(FaultKind::Declared), "{event:?}");
    let timer = |plugin: &str| Occasion::Timer {
        plugin: plugin.to_owned(),
        name: "remind".to_owned(),
        set_at: Timestamp::ZERO,
        due_at: Timestamp::ZERO,
        fields: [("said".to_owned(), "tea".into())].into(),
    };
    let fired = stage.meets(timer("clockwork")).await;
    assert_eq!(texts(&fired), ["You said: tea"]);
    assert_eq!(stage.meets(timer("another")).await.ending, Ending::NotAsked);
    let noted = stage.meets(receipt()).await;
    assert_eq!(noted.ending, Ending::Noted);
    assert_eq!(effects(&noted).len(), 1);
}

#[tokio::test]
async fn a_plugin_that_hears_of_nothing_else_is_not_asked() {
    let stage = Stage::of(guests::ECHO, json!({})).await;
    let report = stage.meets(receipt()).await;
    assert_eq!((report.ending, report.calls.len()), (Ending::Noted, 0));
}
