//! The moments when the host runs the guest's code in the middle of something: instantiation, `realloc` under a result,
//! post-return. Whatever it does there costs its own turn.

use super::*;

/// A call whose result needs the guest's `realloc`.
fn asking() -> Guest {
    Guest::replying(&format!("(call $text (local.get $m) {RET})"))
}

/// Makes a function of these instructions the start function.
fn starting(body: &str) -> Guest {
    well_behaved().with(&format!("(func $begin {body}) (start $begin)"))
}

/// Makes a function of these instructions what is called when the host has read the hook's result.
fn after_return(body: &str) -> Guest {
    let name = "cabi_post_vestibule:plugin/auto-reply@0.1.0#reply";
    well_behaved().with(&format!(
        "(func (export {name:?}) (param i32) (local $i i32) {body})"
    ))
}

#[tokio::test]
async fn a_start_function_that_loops_is_out_of_fuel() {
    faults(starting("(loop (br 0))"), FaultKind::OutOfFuel).await;
}

#[tokio::test]
async fn a_start_function_that_traps_recurses_or_allocates_is_that_fault() {
    faults(starting("unreachable"), FaultKind::Trap).await;
    faults(starting("(call $begin)"), FaultKind::Stack).await;
    let allocates = "(if (i32.eq (memory.grow (i32.const 900)) (i32.const -1)) (then unreachable))";
    faults(starting(allocates), FaultKind::Memory).await;
}

#[tokio::test]
async fn a_start_function_that_calls_the_host_is_stopped_before_it_has_said_anything() {
    let guest = starting("(call $log (i32.const 1) (i32.const 0) (i32.const 4))");
    let host = host();
    let report = run(&host, guest).await;
    let fault = only_fault(&report);
    assert!(!fault.kind.is_ours(), "{fault}");
}

#[tokio::test]
async fn a_realloc_that_loops_is_out_of_fuel() {
    faults(
        asking().reallocating("(loop (br 0)) unreachable"),
        FaultKind::OutOfFuel,
    )
    .await;
}

#[tokio::test]
async fn a_realloc_that_traps_is_a_trap() {
    faults(asking().reallocating("unreachable"), FaultKind::Trap).await;
}

#[tokio::test]
async fn a_realloc_that_recurses_is_a_stack_fault() {
    let body = "(call $again (i32.const 0))";
    let guest = asking()
        .reallocating(body)
        .with("(func $again (param i32) (result i32) (i32.add (call $again (local.get 0)) (i32.const 1)))");
    faults(guest, FaultKind::Stack).await;
}

#[tokio::test]
async fn a_realloc_that_answers_nonsense_is_a_fault_of_the_guest() {
    for pointer in ["-1", "-8", "131072", "131070", "0x7fffffff"] {
        let guest = asking().reallocating(&format!("(i32.const {pointer})"));
        faults(guest, FaultKind::Malformed).await;
    }
}

#[tokio::test]
async fn a_realloc_that_answers_where_the_guest_already_has_something_overwrites_its_own_only() {
    let host = host();
    let body = format!(
        "(call $text (local.get $m) {RET}) (call $reply-text (i32.const 4096) (i32.const 5) {RET})"
    );
    let guest = Guest::replying(&body).reallocating("(i32.const 4096)");
    assert_eq!(texts(&run(&host, guest).await), ["hello"]);
}

#[tokio::test]
async fn a_realloc_that_calls_the_host_is_stopped() {
    let body = format!("(call $close {RET}) (drop (call $random)) (i32.const 70000)");
    let host = host();
    let report = run(&host, asking().reallocating(&body)).await;
    let fault = only_fault(&report);
    assert!(!fault.kind.is_ours(), "{fault}");
    assert_eq!(report.effects, []);
}

#[tokio::test]
async fn a_realloc_that_asks_for_what_asks_for_realloc_is_stopped() {
    // If it could, every level would be one of the host's own stack.
    let body = "(call $text (i32.const 1) (i32.const 1024)) (i32.const 70000)";
    let host = host();
    let report = run(&host, asking().reallocating(body)).await;
    assert!(!only_fault(&report).kind.is_ours());
}

#[tokio::test]
async fn a_realloc_that_grows_memory_beyond_its_limit_is_refused_it() {
    let body = "(if (i32.eq (memory.grow (i32.const 900)) (i32.const -1)) (then unreachable)) (i32.const 70000)";
    faults(asking().reallocating(body), FaultKind::Memory).await;
}

#[tokio::test]
async fn a_post_return_that_traps_loops_or_recurses_undoes_what_was_returned() {
    faults(after_return("unreachable"), FaultKind::Trap).await;
    faults(after_return("(loop (br 0))"), FaultKind::OutOfFuel).await;
    let guest = after_return("(call $down)").with("(func $down (call $down) (call $down))");
    faults(guest, FaultKind::Stack).await;
}

#[tokio::test]
async fn a_post_return_that_calls_the_host_is_stopped() {
    let host = host();
    let body = format!("(call $reply-text {{{{late}}}} {RET})");
    let report = run(&host, after_return(&body)).await;
    assert!(!only_fault(&report).kind.is_ours());
}

#[tokio::test]
async fn a_result_outside_of_memory_is_a_fault_of_the_guest() {
    for pointer in ["-1", "131068", "0x7ffffff0", "2049"] {
        let body = format!(
            "(call $drop-message (local.get $m)) (call $drop-conversation (local.get $c))
             (return (i32.const {pointer}))"
        );
        faults(Guest::replying(&body), FaultKind::Malformed).await;
    }
}

#[tokio::test]
async fn a_result_that_is_none_of_its_cases_is_a_fault_of_the_guest() {
    faults(
        Guest::replying("(i32.store8 (i32.const 2048) (i32.const 9))"),
        FaultKind::Malformed,
    )
    .await;
    let failure =
        "(i32.store8 (i32.const 2048) (i32.const 1)) (i32.store8 (i32.const 2052) (i32.const 77))";
    faults(Guest::replying(failure), FaultKind::Malformed).await;
    let level = "(call $log (i32.const 9) (i32.const 0) (i32.const 0))";
    faults(Guest::replying(level), FaultKind::Malformed).await;
}

#[tokio::test]
async fn where_a_call_is_to_write_its_result_must_be_the_guests_own() {
    for pointer in ["-1", "131068", "1025"] {
        let body = format!("(call $config-all (i32.const {pointer}))");
        faults(Guest::replying(&body), FaultKind::Malformed).await;
    }
}

#[tokio::test]
async fn lists_that_reach_beyond_memory_or_around_its_end_are_faults() {
    for list in [
        "(i32.const 131000) (i32.const 100)",
        "(i32.const 8) (i32.const 0x10000001)",
        "(i32.const -8) (i32.const 2)",
    ] {
        let body = format!(
            "(call $reply-list (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) {list} {RET})"
        );
        let host = host();
        let report = run(&host, Guest::replying(&body)).await;
        assert!(!only_fault(&report).kind.is_ours());
    }
}

#[tokio::test]
async fn copying_tables_and_memory_for_ever_is_out_of_fuel() {
    let parts = "(table $t 10000 funcref)";
    let copy = "(loop (table.copy $t $t (i32.const 0) (i32.const 1) (i32.const 9000)) (br 0))";
    faults(Guest::replying(copy).with(parts), FaultKind::OutOfFuel).await;
    let fill = "(loop (table.fill $t (i32.const 0) (ref.null func) (i32.const 10000)) (br 0))";
    faults(Guest::replying(fill).with(parts), FaultKind::OutOfFuel).await;
    let copy = "(loop (memory.copy (i32.const 0) (i32.const 1) (i32.const 130000)) (br 0))";
    faults(Guest::replying(copy), FaultKind::OutOfFuel).await;
}
