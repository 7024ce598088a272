//! Handles: guessed, of another kind, used after they are gone, dropped twice, made without end.

use super::super::super::limits::HANDLES;
use super::*;

/// A guest that has a resource of its own, for which each `$make` is a handle more.
fn making(body: &str) -> Guest {
    Guest::replying(body)
        .exporting("export things: interface { resource thing { constructor(); } } ")
        .importing(
            r#"(import "[export]things" "[resource-new]thing" (func $make (param i32) (result i32)))
               (import "[export]things" "[resource-drop]thing" (func $unmake (param i32)))"#,
        )
        .with(r#"(func (export "things#[constructor]thing") (result i32) (call $make (i32.const 1)))"#)
}

#[tokio::test]
async fn handles_to_the_handle() {
    let host = host();
    let makes = |n: usize| {
        let many = times(n as u32, "(drop (call $make (i32.const 7)))");
        making(&format!("{many} (call $reply-text {{{{hi}}}} {RET})"))
    };
    // Two are the message's and the conversation's.
    assert_eq!(texts(&run(&host, makes(HANDLES - 2)).await), ["hi"]);
    let report = run(&host, makes(HANDLES - 1)).await;
    assert!(!only_fault(&report).kind.is_ours());
}

#[tokio::test]
async fn handles_that_are_given_back_can_be_made_for_ever() {
    let host = host();
    let many = times(20_000, "(call $unmake (call $make (i32.const 7)))");
    let report = run(
        &host,
        making(&format!("{many} (call $reply-text {{{{hi}}}} {RET})")),
    )
    .await;
    assert_eq!(texts(&report), ["hi"]);
}

#[tokio::test]
async fn guessed_handles_are_nobodys() {
    for handle in ["3", "99", "1000000", "-1", "0"] {
        let body = format!("(call $text (i32.const {handle}) {RET})");
        faults(Guest::replying(&body), FaultKind::Malformed).await;
    }
}

#[tokio::test]
async fn a_conversation_is_no_message() {
    let body = format!("(call $text (local.get $c) {RET})");
    faults(Guest::replying(&body), FaultKind::Malformed).await;
}

#[tokio::test]
async fn a_handle_dropped_twice_is_a_fault() {
    faults(
        Guest::replying("(call $drop-message (local.get $m))"),
        FaultKind::Malformed,
    )
    .await;
}

#[tokio::test]
async fn a_handle_that_is_never_dropped_is_a_fault() {
    let body = "(call $drop-message (local.get $m)) (return (i32.const 2048))";
    let host = host();
    let report = run(&host, Guest::replying(body)).await;
    assert!(!only_fault(&report).kind.is_ours());
}

#[tokio::test]
async fn a_handle_of_an_earlier_hook_is_gone_in_the_next() {
    let host = host();
    let guest = Guest::default()
        .hook(Hook::Enrichment, "(global.set $kept (local.get $m))")
        .hook(
            Hook::AutoReply,
            &format!(
                "(call $drop-message (local.get $m)) (call $drop-conversation (local.get $c))
                 (call $text (global.get $kept) {RET}) (return (i32.const 2048))"
            ),
        )
        .with("(global $kept (mut i32) (i32.const 0))");
    let report = run(&host, guest).await;
    let last = report.calls.last().map(|call| &call.outcome);
    assert!(
        matches!(last, Some(CallOutcome::Fault(fault)) if fault.kind == FaultKind::Malformed),
        "{last:?}"
    );
}

#[tokio::test]
async fn a_resource_of_the_guests_own_is_no_message() {
    let body = format!("(call $text (call $make (i32.const 1)) {RET})");
    faults(making(&body), FaultKind::Malformed).await;
}
