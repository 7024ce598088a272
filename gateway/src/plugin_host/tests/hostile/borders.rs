//! Every limit of a turn from both sides: exactly what a guest takes is enough, one less is the fault of that name.

use super::super::super::limits::{
    HOST_CALL_BYTES, HOST_CALL_FUEL, KV_KEY_BYTES, KV_VALUE_BYTES, LOG_LINE_BYTES, REASON_CHARS,
    TABLE_ELEMENTS,
};
use super::*;

/// Takes some of everything: a page, an element, calls, bytes, a loop.
fn modest() -> Guest {
    let calls = times(20, "(call $log (i32.const 1) {{line}})");
    let body = format!(
        "(if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))
         (if (i32.eq (table.grow $t (ref.null func) (i32.const 10)) (i32.const -1)) (then unreachable))
         {calls} (call $reply-text {{{{hi}}}} {RET}) {TAKEN}"
    );
    Guest::replying(&body).with("(table $t 1 funcref)")
}

/// What the guest takes when nothing is short, and what becomes of it with a limit of that and of `less`.
async fn border(
    taken: impl Fn(&CallTrace) -> u64,
    limit: impl Fn(&mut Limits, u64),
    less: u64,
) -> (u64, FaultKind) {
    let host = host();
    let mut bound = binding(&modest().load(&host));
    let took = taken(&run_bound(&host, bound.clone()).await.calls[0]);
    limit(&mut bound.limits, took);
    assert_eq!(texts(&run_bound(&host, bound.clone()).await), ["hi"]);
    limit(&mut bound.limits, took - less);
    let fuel = bound.limits.fuel;
    let report = run_bound(&host, bound).await;
    // The journal says of how much it took what it took.
    assert_eq!(report.calls[0].fuel_limit, fuel);
    (took, only_fault(&report).kind)
}

#[tokio::test]
async fn fuel_to_the_last_call() {
    let set = |limits: &mut Limits, fuel: u64| limits.fuel = fuel;
    // Half of a host call: wasm looks at its fuel where loops and functions begin, so the end of one is never too long.
    let (_, kind) = border(|call| call.fuel, set, HOST_CALL_FUEL / 2).await;
    assert_eq!(kind, FaultKind::OutOfFuel);
}

#[tokio::test]
async fn memory_to_the_byte() {
    let set = |limits: &mut Limits, bytes| limits.memory = bytes as usize;
    let (took, kind) = border(|call| call.memory_peak as u64, set, 1).await;
    assert!(took >= 3 * 65_536 + 11 * 8, "{took}");
    assert_eq!(kind, FaultKind::Memory);
}

#[tokio::test]
async fn host_calls_to_the_call() {
    let set = |limits: &mut Limits, calls| limits.host_calls = calls as u32;
    let (took, kind) = border(|call| u64::from(call.host_calls), set, 1).await;
    assert_eq!((took, kind), (21, FaultKind::HostCalls));
}

#[tokio::test]
async fn host_bytes_to_the_byte() {
    // A line has its level's byte besides.
    let bytes = |call: &CallTrace| u64::from(call.host_calls - 1) * 5 + "hi".len() as u64;
    let set = |limits: &mut Limits, bytes| limits.host_bytes = bytes as usize;
    let (_, kind) = border(bytes, set, 1).await;
    assert_eq!(kind, FaultKind::OutputBytes);
}

#[tokio::test]
async fn effects_to_the_effect() {
    let host = host();
    let most = Limits::default().effects as u32;
    let reply = format!("(call $reply-text {{{{x}}}} {RET})");
    let body = times(most, &format!("{reply} {TAKEN}")) + &reply + &refused_as(1);
    let report = run(&host, Guest::replying(&body)).await;
    assert_eq!(report.effects.len(), most as usize);
}

#[tokio::test]
async fn log_lines_to_the_line_and_their_bytes_to_the_byte() {
    let host = host();
    let line = |bytes: usize| {
        format!(
            "(memory.fill (i32.const 8192) (i32.const 97) (i32.const {bytes}))
            (call $log (i32.const 1) (i32.const 8192) (i32.const {bytes}))"
        )
    };
    let most = Limits::default().log_lines;
    let body = line(LOG_LINE_BYTES) + &line(LOG_LINE_BYTES + 1) + &times(most - 2, &line(1));
    let report = run(&host, Guest::replying(&body)).await;
    assert_eq!(report.logs[0].message.len(), LOG_LINE_BYTES);
    assert_eq!(report.logs[1].message.len(), LOG_LINE_BYTES);
    assert_eq!(
        (report.calls[0].log_lines, report.calls[0].log_dropped),
        (most, 0)
    );
    let report = run(&host, Guest::replying(&(body + &line(1)))).await;
    assert_eq!(
        (report.calls[0].log_lines, report.calls[0].log_dropped),
        (most, 1)
    );
}

#[tokio::test]
async fn random_bytes_to_the_byte() {
    let host = host();
    let asks = |bytes: usize| {
        Guest::replying(&format!(
            "(drop (memory.grow (i32.const 8))) (call $random-bytes (i32.const {bytes}) {RET})
             (call $reply-text {{{{hi}}}} {RET})"
        ))
    };
    assert_eq!(texts(&run(&host, asks(HOST_CALL_BYTES)).await), ["hi"]);
    for bytes in [HOST_CALL_BYTES + 1, 1 << 31, u32::MAX as usize] {
        let report = run(&host, asks(bytes)).await;
        assert_eq!(only_fault(&report).kind, FaultKind::OutputBytes);
    }
}

#[tokio::test]
async fn one_call_hands_over_so_many_bytes_and_not_one_more() {
    let host = host();
    let says = |bytes: usize| {
        Guest::replying(&format!(
            "(drop (memory.grow (i32.const 8))) (call $log (i32.const 0) (i32.const 65536) (i32.const {bytes}))
             (call $reply-text {{{{hi}}}} {RET})"
        ))
    };
    assert_eq!(texts(&run(&host, says(HOST_CALL_BYTES)).await), ["hi"]);
    let report = run(&host, says(HOST_CALL_BYTES + 1)).await;
    assert_eq!(only_fault(&report).kind, FaultKind::OutputBytes);
}

#[tokio::test]
async fn keys_and_values_of_kv_to_the_byte() {
    let host = host();
    let set = |key: usize, value: usize| {
        format!(
            "(call $kv-set (i32.const 8192) (i32.const {key}) (i32.const 8192) (i32.const {value}) {RET})"
        )
    };
    let body = format!(
        "(memory.fill (i32.const 8192) (i32.const 97) (i32.const 300)) {} {TAKEN} {} {} {} {}",
        set(KV_KEY_BYTES, KV_VALUE_BYTES),
        set(KV_KEY_BYTES + 1, 1),
        refused_as(1),
        set(1, KV_VALUE_BYTES + 1),
        refused_as(1),
    );
    let report = run(&host, Guest::replying(&body)).await;
    assert_eq!(report.calls[0].outcome, CallOutcome::Ok);
    assert_eq!(report.kv[0].writes.len(), 1);
}

#[tokio::test]
async fn keys_of_a_turn_to_the_key() {
    let host = host();
    let most = Limits::default().kv_keys as u32;
    let set = format!(
        "(i32.store8 (i32.const 8192) (i32.add (i32.const 32) (local.get $i)))
         (call $kv-set (i32.const 8192) (i32.const 1) (i32.const 0) (i32.const 0) {RET})"
    );
    let body = times(most, &format!("{set} {TAKEN}")) + &set + &refused_as(1);
    let report = run(&host, Guest::replying(&body)).await;
    assert_eq!(report.calls[0].outcome, CallOutcome::Ok);
    assert_eq!(report.kv[0].writes.len(), most as usize);
}

#[tokio::test]
async fn a_table_to_the_element() {
    let host = host();
    let grows = |elements: usize| {
        Guest::replying(&format!(
            "(if (i32.eq (table.grow $t (ref.null func) (i32.const {elements})) (i32.const -1)) (then unreachable))
             (call $reply-text {{{{hi}}}} {RET})"
        ))
        .with("(table $t 1 funcref)")
    };
    assert_eq!(texts(&run(&host, grows(TABLE_ELEMENTS - 1)).await), ["hi"]);
    let report = run(&host, grows(TABLE_ELEMENTS)).await;
    assert_eq!(only_fault(&report).kind, FaultKind::Memory);
}

#[tokio::test]
async fn ordinary_recursion_passes_and_a_deep_one_is_a_stack_fault() {
    let host = host();
    let down = |depth: u32| {
        Guest::replying(&format!(
            "(drop (call $down (i32.const {depth}))) (call $reply-text {{{{hi}}}} {RET})"
        ))
        .with(
            "(func $down (param $n i32) (result i32) (if (result i32) (local.get $n)
                (then (i32.add (call $down (i32.sub (local.get $n) (i32.const 1))) (local.get $n)))
                (else (i32.const 0))))",
        )
    };
    assert_eq!(texts(&run(&host, down(2_000)).await), ["hi"]);
    let report = run(&host, down(100_000)).await;
    assert_eq!(only_fault(&report).kind, FaultKind::Stack);
}

#[tokio::test]
async fn recursion_between_two_functions_by_a_table_is_a_stack_fault() {
    let parts =
        "(type $f (func)) (table $t 2 2 funcref) (elem (table $t) (i32.const 0) func $ping $pong)
        (func $ping (call_indirect $t (type $f) (i32.const 1)))
        (func $pong (call_indirect $t (type $f) (i32.const 0)))";
    faults(
        Guest::replying("(call $ping)").with(parts),
        FaultKind::Stack,
    )
    .await;
}

#[tokio::test]
async fn memory_by_the_page_until_it_is_refused_is_all_there_is() {
    let host = host();
    // Asks again and again after the refusal: the answer stays no, and the peak stays within the limit.
    let body = format!(
        "(loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
         {} (call $reply-text {{{{hi}}}} {RET})",
        times(
            500,
            "(if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))"
        )
    );
    let report = run(&host, Guest::replying(&body)).await;
    assert_eq!(texts(&report), ["hi"]);
    let peak = report.calls[0].memory_peak;
    assert!(
        peak <= Limits::default().memory && peak > Limits::default().memory - 65_536 * 2,
        "{peak}"
    );
}

#[tokio::test]
async fn reasons_of_any_length_are_cut_and_longer_ones_than_a_call_carries_are_a_fault() {
    let host = host();
    let rejects = |bytes: usize| {
        Guest::replying(&format!(
            "(drop (memory.grow (i32.const 8))) (memory.fill (i32.const 65536) (i32.const 97) (i32.const {bytes}))
             (i32.store8 (i32.const 2048) (i32.const 1)) (i32.store8 (i32.const 2052) (i32.const 0))
             (i32.store (i32.const 2056) (i32.const 65536)) (i32.store (i32.const 2060) (i32.const {bytes}))"
        ))
    };
    let report = run(&host, rejects(200_000)).await;
    assert_eq!(
        report.calls[0].outcome,
        CallOutcome::Rejected("a".repeat(REASON_CHARS))
    );
    let report = run(&host, rejects(HOST_CALL_BYTES + 1)).await;
    assert_eq!(only_fault(&report).kind, FaultKind::OutputBytes);
}

#[tokio::test]
async fn lists_of_lists_that_share_their_rows_are_counted_each_time() {
    // 1,500 sections, each of the same 1,500 rows of nothing: 2 million rows out of 60 kB.
    let body = format!(
        "{} (call $reply-list (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 8192) (i32.const 1500) {RET})",
        times(1_500, "
            (i32.store (i32.add (i32.const 8200) (i32.mul (local.get $i) (i32.const 16))) (i32.const 66000))
            (i32.store (i32.add (i32.const 8204) (i32.mul (local.get $i) (i32.const 16))) (i32.const 1500))")
    );
    faults(Guest::replying(&body), FaultKind::OutputBytes).await;
}
