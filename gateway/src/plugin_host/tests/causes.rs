//! A fault names what ended the guest, not what went wrong before and was survived.

use super::*;

/// Asks for more memory than there is and does not care.
const REFUSED: &str = "(drop (memory.grow (i32.const 900)))";

#[tokio::test]
async fn a_guest_that_survives_a_refusal_and_then_loops_is_out_of_fuel() {
    let host = host();
    let report = run(&host, Guest::replying(&format!("{REFUSED} (loop (br 0))"))).await;
    assert_eq!(only_fault(&report).kind, FaultKind::OutOfFuel);
}

#[tokio::test]
async fn a_guest_that_survives_a_refusal_and_then_recurses_is_a_stack_fault() {
    let host = host();
    let guest = Guest::replying(&format!("{REFUSED} (call $down)"))
        .with("(func $down (call $down) (call $down))");
    let report = run(&host, guest).await;
    assert_eq!(only_fault(&report).kind, FaultKind::Stack);
}

#[tokio::test]
async fn a_refusal_ends_with_the_hook_that_returned_ok() {
    let host = host();
    let guest = Guest::default()
        .hook(Hook::Enrichment, REFUSED)
        .hook(Hook::AutoReply, "unreachable");
    let report = run(&host, guest).await;
    let last = report.calls.last().map(|call| &call.outcome);
    assert!(
        matches!(last, Some(CallOutcome::Fault(fault)) if fault.kind == FaultKind::Trap),
        "{last:?}"
    );
}
