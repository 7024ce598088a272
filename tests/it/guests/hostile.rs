//! Guests that mean harm, or are merely broken: each is a fault with its true cause, and nothing of its turn remains.

use serde_json::json;
use vestibule::plugin_host::{Effect, Ending, FaultKind, LogLevel, TurnReport};
use vestibule_tests::guests;

use super::stage::{Stage, effects, fault, texts};

/// Runs the guest twice: what it did to the host the first time must not show in the second.
async fn twice(component: &[u8]) -> TurnReport {
    let stage = Stage::of(component, json!({})).await;
    let first = stage.hears("hello").await;
    let second = stage.hears("hello").await;
    assert_eq!(fault(&first), fault(&second));
    assert_eq!(first.effects, second.effects);
    second
}

async fn ends_in(component: &[u8], kind: FaultKind) -> TurnReport {
    let report = twice(component).await;
    assert_eq!(fault(&report), Some(kind), "{:?}", report.calls);
    assert_eq!(effects(&report), Vec::<&Effect>::new());
    assert_eq!(report.ending, Ending::Unanswered);
    report
}

#[tokio::test]
async fn a_loop_ends_by_its_fuel() {
    ends_in(guests::LOOP_FOREVER, FaultKind::OutOfFuel).await;
}

#[tokio::test]
async fn a_refused_allocation_is_known_behind_its_abort() {
    ends_in(guests::ALLOCATE, FaultKind::Memory).await;
}

#[tokio::test]
async fn endless_recursion_ends_by_its_stack() {
    ends_in(guests::RECURSE, FaultKind::Stack).await;
}

#[tokio::test]
async fn a_panic_says_its_words_in_the_log() {
    let report = ends_in(guests::TRAP, FaultKind::Trap).await;
    let line = report.logs.last().expect("the panic's words");
    assert_eq!(line.level, LogLevel::Error);
    assert!(line.message.contains("the cause that the author reads"));
}

#[tokio::test]
async fn a_flood_of_logs_is_cut_and_counted() {
    let report = twice(guests::FLOOD_LOGS).await;
    assert_eq!(texts(&report), ["logged"]);
    assert_eq!(report.logs.len(), 100);
    assert!(report.logs.iter().all(|line| line.message.len() <= 1 << 10));
    assert_eq!(report.calls[0].log_dropped, 900);
}

#[tokio::test]
async fn a_flood_of_effects_ends_by_its_host_calls() {
    ends_in(guests::FLOOD_EFFECTS, FaultKind::HostCalls).await;
}

#[tokio::test]
async fn a_flood_of_host_calls_ends_by_its_host_calls() {
    ends_in(guests::FLOOD_HOST_CALLS, FaultKind::HostCalls).await;
}

#[tokio::test]
async fn four_mebibytes_for_the_host_are_a_fault() {
    ends_in(guests::BIG_OUTPUT, FaultKind::OutputBytes).await;
}

#[tokio::test]
async fn of_a_turn_that_faults_half_way_nothing_happens() {
    let report = ends_in(guests::HALF_EFFECTS_THEN_FAULT, FaultKind::Declared).await;
    assert!(report.kv.iter().all(|kv| kv.writes.is_empty()));
}

#[tokio::test]
async fn timers_by_the_million_end_by_host_calls_and_few_by_their_quota() {
    ends_in(guests::TIMERS_BY_THE_MILLION, FaultKind::HostCalls).await;
    let stage = Stage::of(guests::TIMERS_BY_THE_MILLION, json!({})).await;
    // Every second one lies beyond a year.
    for (wanted, taken) in [("31", "16"), ("100", "16"), ("3", "2")] {
        let report = stage.hears(wanted).await;
        assert_eq!(texts(&report), [taken], "of {wanted}");
    }
}

#[tokio::test]
async fn attributes_that_are_none_are_refused_one_by_one() {
    let report = twice(guests::ATTRIBUTE_BOMB).await;
    let all = "list,item,text,nul,nan,infinite,day,line,vestibule.handed_back,full,twice";
    assert_eq!(texts(&report), [all]);
    assert_eq!(report.effects.len(), 1);
}

#[tokio::test]
async fn one_hook_sets_no_more_facts_than_a_conversation_may_have() {
    // What a conversation has already, what the hook tries, and what it gets.
    for (has, tried, taken) in [
        (20, "tags 12", 12),
        (20, "tags 13", 12),
        (31, "tags 31", 1),
        (32, "tags 31", 0),
        (60, "attributes 4", 4),
        (60, "attributes 5", 4),
        // With their names of two bytes they are 32 KiB, and one byte more.
        (0, "weigh 20480 12284", 2),
        (0, "weigh 20480 12285", 1),
        (0, "weigh 20480 20480", 1),
        (0, "weigh 32766 1", 1),
    ] {
        let stage = Stage::of(guests::ATTRIBUTE_BOMB, json!({})).await;
        let stage = stage.knowing(|conversation| {
            let names = (0..has).map(|n| format!("old {n}"));
            match tried.starts_with("tags") {
                true => conversation.tags.extend(names),
                false => conversation
                    .attributes
                    .extend(names.map(|name| (name, "v".into()))),
            }
        });
        let report = stage.hears(tried).await;
        assert_eq!(
            texts(&report),
            [format!("{taken} taken")],
            "{has}, then {tried}"
        );
        assert_eq!(report.effects.len(), taken + 1, "{has}, then {tried}");
    }
}

#[tokio::test]
async fn nothing_that_is_forged_is_taken() {
    let report = twice(guests::FORGER).await;
    assert_eq!(texts(&report), ["taken: "]);
    assert_eq!(report.effects.len(), 1);
}
