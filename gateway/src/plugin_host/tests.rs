//! Whole turns over hand-written guests: limits, isolation, fairness, determinism.

mod causes;
mod contract_floods;
mod floods;
mod hostile;
mod kv;
mod limits;
mod shares;
mod wasi;

use std::sync::Arc;

use super::testing::*;
use super::*;
use crate::domain::{InstallationId, OutboundContent, TenantId};

const RET: &str = "(i32.const 1024)";

async fn run(host: &PluginHost, guest: Guest) -> TurnReport {
    let plugin = guest.load(host);
    run_bound(host, binding(&plugin)).await
}

async fn run_bound(host: &PluginHost, binding: PluginBinding) -> TurnReport {
    host.run_turn(turn(vec![binding])).await.expect("room")
}

fn texts(report: &TurnReport) -> Vec<&str> {
    report
        .effects
        .iter()
        .map(|effect| match &effect.effect {
            Effect::Reply { content, .. } => match &**content {
                OutboundContent::Text { body, .. } => body.as_str(),
                other => other.kind(),
            },
            other => other.kind(),
        })
        .collect()
}

#[track_caller]
fn only_fault(report: &TurnReport) -> &Fault {
    assert_eq!(report.effects, []);
    match &report.calls[..] {
        [call] => match &call.outcome {
            CallOutcome::Fault(fault) => fault,
            other => panic!("expected a fault: {other:?}"),
        },
        other => panic!("expected one call: {other:?}"),
    }
}

/// A guest that replies, so that a test can see that others still run.
fn well_behaved() -> Guest {
    Guest::replying(&format!("(call $reply-text {{{{hi}}}} {RET})"))
}

#[tokio::test]
async fn a_reply_comes_back_as_an_effect_with_its_author_and_cost() {
    let host = host();
    let report = run(&host, well_behaved()).await;
    assert_eq!(texts(&report), ["hi"]);
    assert_eq!(report.effects[0].plugin, "test");
    assert_eq!(report.effects[0].version, "1.2.3");
    assert_eq!(report.ending, Ending::Answered);
    let [call] = &report.calls[..] else {
        panic!("one call")
    };
    assert_eq!(call.outcome, CallOutcome::Ok);
    assert!(call.fuel > 0 && call.memory_peak >= 2 * 65_536 && call.host_calls == 1);
}

#[tokio::test]
async fn a_loop_without_end_is_out_of_fuel() {
    let host = host();
    let report = run(&host, Guest::replying("(loop (br 0))")).await;
    assert_eq!(only_fault(&report).kind, FaultKind::OutOfFuel);
    assert_eq!(report.ending, Ending::Unanswered);
    assert!(report.calls[0].fuel >= Limits::default().fuel);
}

#[tokio::test]
async fn filling_memory_again_and_again_is_out_of_fuel() {
    let host = host();
    let body = "(loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 131072)) (br 0))";
    let report = run(&host, Guest::replying(body)).await;
    assert_eq!(only_fault(&report).kind, FaultKind::OutOfFuel);
}

#[tokio::test]
async fn a_refused_allocation_is_named_though_the_guest_panics_over_it() {
    let host = host();
    let body = "(if (i32.eq (memory.grow (i32.const 900)) (i32.const -1)) (then unreachable))";
    let report = run(&host, Guest::replying(body)).await;
    let fault = only_fault(&report);
    assert_eq!(fault.kind, FaultKind::Memory);
    assert!(fault.message.contains("bytes of memory"), "{fault}");
}

#[tokio::test]
async fn a_table_is_memory_too() {
    let host = host();
    let body = "(if (i32.eq (table.grow $t (ref.null func) (i32.const 1000000)) (i32.const -1)) (then unreachable))";
    let guest = Guest::replying(body).with("(table $t 1 funcref)");
    let report = run(&host, guest).await;
    assert_eq!(only_fault(&report).kind, FaultKind::Memory);
}

#[tokio::test]
async fn recursion_without_end_is_a_stack_fault() {
    let host = host();
    let guest = Guest::replying("(call $down)").with("(func $down (call $down) (call $down))");
    let report = run(&host, guest).await;
    assert_eq!(only_fault(&report).kind, FaultKind::Stack);
}

#[tokio::test]
async fn a_panic_is_a_trap() {
    let host = host();
    let report = run(&host, Guest::replying("unreachable")).await;
    assert_eq!(only_fault(&report).kind, FaultKind::Trap);
}

#[tokio::test]
async fn one_call_cannot_hand_over_a_megabyte() {
    let host = host();
    let guest = Guest::replying(
        "(drop (memory.grow (i32.const 20))) (call $log (i32.const 0) (i32.const 0) (i32.const 1000000))",
    );
    let report = run(&host, guest).await;
    assert_eq!(only_fault(&report).kind, FaultKind::OutputBytes);
}

#[tokio::test]
async fn text_that_is_no_utf8_is_malformed() {
    let host = host();
    let body = format!(
        "(i32.store8 (i32.const 0) (i32.const 255)) (call $reply-text (i32.const 0) (i32.const 1) {RET})"
    );
    let report = run(&host, Guest::replying(&body)).await;
    assert_eq!(only_fault(&report).kind, FaultKind::Malformed);
}

#[tokio::test]
async fn a_pointer_out_of_bounds_is_a_fault_of_the_guest() {
    let host = host();
    let body = format!("(call $reply-text (i32.const -16) (i32.const 64) {RET})");
    let report = run(&host, Guest::replying(&body)).await;
    assert!(!only_fault(&report).kind.is_ours());
}

#[tokio::test]
async fn keeping_a_handle_beyond_the_call_is_a_fault() {
    let host = host();
    let report = run(&host, Guest::replying("(return (i32.const 2048))")).await;
    assert!(!only_fault(&report).kind.is_ours());
}

#[tokio::test]
async fn log_lines_beyond_the_limit_are_dropped_and_counted() {
    let host = host();
    let body = "(loop (call $log (i32.const 1) {{line}})
        (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if 0 (i32.lt_u (local.get $i) (i32.const 150))))";
    let report = run(&host, Guest::replying(body)).await;
    assert_eq!(report.logs.len(), 100);
    assert_eq!(report.logs[0].level, LogLevel::Info);
    assert_eq!(report.calls[0].log_lines, 100);
    assert_eq!(report.calls[0].log_dropped, 50);
}

#[tokio::test]
async fn effects_beyond_the_limit_are_a_quota_the_guest_can_read() {
    let host = host();
    let body = format!(
        "(loop (call $reply-text {{{{x}}}} {RET})
        (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if 0 (i32.lt_u (local.get $i) (i32.const 40))))
        (if (i32.ne (i32.load8_u (i32.const 1024)) (i32.const 1)) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.const 1028)) (i32.const 1)) (then unreachable))"
    );
    let report = run(&host, Guest::replying(&body)).await;
    assert_eq!(report.effects.len(), Limits::default().effects);
}

#[tokio::test]
async fn an_invalid_effect_is_a_value_and_never_a_trap() {
    let host = host();
    let body = format!(
        "(call $reply-text (i32.const 0) (i32.const 0) {RET})
        (if (i32.ne (i32.load8_u (i32.const 1024)) (i32.const 1)) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.const 1028)) (i32.const 0)) (then unreachable))"
    );
    let report = run(&host, Guest::replying(&body)).await;
    assert_eq!(report.calls[0].outcome, CallOutcome::Ok);
    assert_eq!(report.ending, Ending::Unanswered);
}

#[tokio::test]
async fn a_reply_in_enrichment_is_denied_and_facts_are_taken() {
    let host = host();
    let body = format!(
        "(call $reply-text {{{{hi}}}} {RET})
        (if (i32.ne (i32.load8_u (i32.const 1028)) (i32.const 2)) (then unreachable))
        (call $set-language {{{{pt-BR}}}} {RET})"
    );
    let report = run(&host, Guest::default().hook(Hook::Enrichment, &body)).await;
    assert_eq!(texts(&report), ["set_language"]);
}

#[tokio::test]
async fn later_hooks_see_what_earlier_ones_set() {
    let host = host();
    let guest = Guest::default()
        .hook(
            Hook::Enrichment,
            &format!("(call $set-language {{{{pt-BR}}}} {RET})"),
        )
        .hook(
            Hook::AutoReply,
            &format!(
                "(call $language (local.get $c) {RET})
                (if (i32.ne (i32.load8_u (i32.const 1024)) (i32.const 1)) (then unreachable))
                (call $reply-text (i32.load (i32.const 1028)) (i32.load (i32.const 1032)) {RET})"
            ),
        );
    assert_eq!(texts(&run(&host, guest).await), ["set_language", "pt-BR"]);
}

#[tokio::test]
async fn nothing_of_a_hook_that_faults_is_kept() {
    let host = host();
    let body = format!(
        "(call $reply-text {{{{hi}}}} {RET}) (call $kv-set {{{{k}}}} {{{{v}}}} {RET}) unreachable"
    );
    let report = run(&host, Guest::replying(&body)).await;
    assert_eq!(only_fault(&report).kind, FaultKind::Trap);
    assert!(report.kv.iter().all(|kv| kv.writes.is_empty()));
}

#[tokio::test]
async fn the_next_plugin_is_asked_when_one_faults() {
    let host = host();
    let broken = binding(&Guest::replying("unreachable").load(&host));
    let mut good = binding(&well_behaved().load(&host));
    good.installation = InstallationId::from_raw(12);
    let report = host.run_turn(turn(vec![broken, good])).await.expect("room");
    assert_eq!(texts(&report), ["hi"]);
    assert_eq!(report.effects[0].installation, InstallationId::from_raw(12));
    assert_eq!(report.calls.len(), 2);
}

/// Writes a failure (its discriminant, and its payload's first word) into the result.
fn failing(case: u32, payload: u32) -> String {
    format!(
        "(i32.store8 (i32.const 2048) (i32.const 1)) (i32.store8 (i32.const 2052) (i32.const {case}))
        (i32.store (i32.const 2056) (i32.const {payload}))"
    )
}

#[tokio::test]
async fn a_retry_undoes_the_turn_and_says_when() {
    let host = host();
    let guest = Guest::default()
        .hook(
            Hook::Enrichment,
            &format!("(call $add-tag {{{{vip}}}} {RET})"),
        )
        .hook(Hook::AutoReply, &failing(1, 250));
    let report = run(&host, guest).await;
    assert_eq!(report.ending, Ending::Retry);
    assert_eq!(report.effects, []);
    assert_eq!(
        report.retry_after,
        Some(std::time::Duration::from_millis(250))
    );
}

#[tokio::test]
async fn a_rejection_ends_the_turn_and_a_declared_fault_asks_the_next() {
    let host = host();
    let rejecting = binding(&Guest::replying(&failing(0, 0)).load(&host));
    let faulty = binding(&Guest::replying(&failing(2, 0)).load(&host));
    let good = binding(&well_behaved().load(&host));
    let report = host
        .run_turn(turn(vec![rejecting, good.clone()]))
        .await
        .expect("room");
    assert_eq!(report.ending, Ending::Rejected);
    assert_eq!(report.calls.len(), 1);
    let report = host.run_turn(turn(vec![faulty, good])).await.expect("room");
    assert_eq!(report.ending, Ending::Answered);
    assert!(matches!(&report.calls[0].outcome,
        CallOutcome::Fault(fault) if fault.kind == FaultKind::Declared));
}

#[tokio::test]
async fn every_turn_has_a_fresh_instance() {
    let host = host();
    let body = format!(
        "(if (i32.load (i32.const 60000)) (then unreachable)) (i32.store (i32.const 60000) (i32.const 1))
        (if (i32.load (i32.const 130000)) (then unreachable)) (i32.store (i32.const 130000) (i32.const 1))
        (global.set $seen (i32.add (global.get $seen) (i32.const 1)))
        (if (i32.ne (global.get $seen) (i32.const 1)) (then unreachable))
        (call $reply-text {{{{hi}}}} {RET})"
    );
    let guest = Guest::replying(&body).with("(global $seen (mut i32) (i32.const 0))");
    let binding = binding(&guest.load(&host));
    for _ in 0..50 {
        assert_eq!(texts(&run_bound(&host, binding.clone()).await), ["hi"]);
    }
}

#[tokio::test]
async fn what_another_component_left_in_memory_is_never_seen() {
    let host = host();
    let writes = "(memory.fill (i32.const 70000) (i32.const 165) (i32.const 60000)) unreachable";
    let reads = format!(
        "(local.set $i (i32.const 70000))
        (loop (if (i32.load8_u (local.get $i)) (then unreachable))
          (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if 0 (i32.lt_u (local.get $i) (i32.const 130000))))
        (call $reply-text {{{{clean}}}} {RET})"
    );
    let (writes, reads) = (
        binding(&Guest::replying(writes).load(&host)),
        binding(&Guest::replying(&reads).load(&host)),
    );
    for _ in 0..40 {
        run_bound(&host, writes.clone()).await;
        assert_eq!(texts(&run_bound(&host, reads.clone()).await), ["clean"]);
    }
}

#[tokio::test]
async fn an_instance_serves_all_stages_of_its_turn() {
    let host = host();
    let guest = Guest::default()
        .hook(
            Hook::Enrichment,
            "(i32.store (i32.const 60000) (i32.const 77))",
        )
        .hook(
            Hook::AutoReply,
            &format!(
                "(if (i32.ne (i32.load (i32.const 60000)) (i32.const 77)) (then unreachable))
                (call $reply-text {{{{remembered}}}} {RET})"
            ),
        );
    assert_eq!(texts(&run(&host, guest).await), ["remembered"]);
}

#[tokio::test]
async fn the_same_turn_gives_the_same_report() {
    let host = host_with(|config| config.threads = 2);
    // Draws, reads the time and computes with a NaN of its own making; replies with the bytes of all that.
    let body = format!(
        "(i64.store (i32.const 100) (i64.and (call $random) (i64.const 0x0f0f0f0f0f0f0f0f)))
        (i64.store (i32.const 108) (i64.and (call $now) (i64.const 0x0f0f0f0f0f0f0f0f)))
        (f64.store (i32.const 116) (f64.div (f64.const 0) (f64.const 0)))
        (i64.store (i32.const 116) (i64.and (i64.load (i32.const 116)) (i64.const 0x7f7f7f7f7f7f7f7f)))
        (memory.fill (i32.const 124) (i32.const 33) (i32.const 1))
        (local.set $i (i32.const 100))
        (loop (i32.store8 (local.get $i) (i32.or (i32.load8_u (local.get $i)) (i32.const 64)))
          (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if 0 (i32.lt_u (local.get $i) (i32.const 124))))
        (call $reply-text (i32.const 100) (i32.const 25) {RET})"
    );
    let binding = binding(&Guest::replying(&body).load(&host));
    let reference = timeless(run_bound(&host, binding.clone()).await);
    assert_eq!(reference.effects.len(), 1);
    for _ in 0..20 {
        assert_eq!(timeless(run_bound(&host, binding.clone()).await), reference);
    }
    let mut other = turn(vec![binding]);
    other.seed = [6; 32];
    let other = timeless(host.run_turn(other).await.expect("room"));
    assert_ne!(other.effects, reference.effects);
}

/// Without the numbers that a replay does not repeat.
fn timeless(mut report: TurnReport) -> TurnReport {
    for call in &mut report.calls {
        (call.start_us, call.wall_us) = (0, 0);
    }
    report.asked = None;
    report
}

#[tokio::test]
async fn settings_are_handed_out_by_key() {
    let host = host();
    let body = format!(
        "(call $config {{{{greeting}}}} {RET})
        (call $reply-text (i32.load (i32.const 1028)) (i32.load (i32.const 1032)) {RET})"
    );
    assert_eq!(texts(&run(&host, Guest::replying(&body)).await), ["\"hi\""]);
}

#[tokio::test]
async fn hogs_on_the_same_thread_do_not_starve_a_neighbour() {
    let host = host();
    let mut hog = binding(&Guest::replying("(loop (br 0))").load(&host));
    hog.limits.fuel = u64::MAX / 4;
    let good = binding(&well_behaved().load(&host));
    let hogs: Vec<_> = (0..4)
        .map(|_| {
            let (host, hog) = (host.clone(), hog.clone());
            tokio::spawn(async move { host.run_turn(turn(vec![hog])).await })
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(texts(&run_bound(&host, good.clone()).await), ["hi"]);
    }
    assert!(hogs.iter().all(|hog| !hog.is_finished()));
    // Whoever stops waiting stops the guest.
    hogs.iter().for_each(tokio::task::JoinHandle::abort);
    while host.turns_in_flight() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_at_once() {
    let host = host_with(|config| {
        config.turns = 3;
        config.turns_per_tenant = 2;
    });
    let mut hog = binding(&Guest::replying("(loop (br 0))").load(&host));
    hog.limits.fuel = u64::MAX / 4;
    let of_tenant = |tenant| {
        let mut request = turn(vec![hog.clone()]);
        request.tenant = TenantId::from_raw(tenant);
        request
    };
    let mut hogs = Vec::new();
    for _ in 0..2 {
        let (host, request) = (host.clone(), of_tenant(1));
        hogs.push(tokio::spawn(async move { host.run_turn(request).await }));
    }
    while host.turns_in_flight() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        host.run_turn(of_tenant(1)).await,
        Err(Overload::TenantShare)
    );
    let (other, request) = (host.clone(), of_tenant(2));
    hogs.push(tokio::spawn(async move { other.run_turn(request).await }));
    while host.turns_in_flight() < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(host.run_turn(of_tenant(3)).await, Err(Overload::Full));
    hogs.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn more_turns_than_instances_wait_for_each_other() {
    let host = host_with(|config| config.stores_per_thread = 8);
    let good = binding(&well_behaved().load(&host));
    let turns: Vec<_> = (0..200)
        .map(|_| {
            let (host, good) = (host.clone(), good.clone());
            tokio::spawn(async move { run_bound(&host, good).await })
        })
        .collect();
    for report in turns {
        assert_eq!(texts(&report.await.expect("no panic")), ["hi"]);
    }
}

#[tokio::test]
async fn routing_decides_who_answers() {
    let host = host();
    let queue = "(i32.store8 (i32.const 2052) (i32.const 1))
        (i32.store (i32.const 2056) (i32.const 70000)) (i32.store (i32.const 2060) (i32.const 5))
        (memory.fill (i32.const 70000) (i32.const 97) (i32.const 5))";
    let guest = Guest::default()
        .hook(Hook::Routing, queue)
        .hook(Hook::AutoReply, "unreachable");
    let report = run(&host, guest).await;
    assert_eq!(report.route, Some(Route::Queue("aaaaa".to_owned())));
    assert_eq!(report.ending, Ending::Routed);
}

#[tokio::test]
async fn a_queue_without_a_name_is_malformed() {
    let host = host();
    let queue = "(i32.store8 (i32.const 2052) (i32.const 1))";
    let report = run(&host, Guest::default().hook(Hook::Routing, queue)).await;
    assert_eq!(only_fault(&report).kind, FaultKind::Malformed);
}

#[tokio::test]
async fn a_component_of_another_engine_does_not_load() {
    let host = host();
    let component = well_behaved().component();
    let manifest = inspect(&component).expect("fits").manifest;
    let id = ArtifactId::current(ComponentDigest::of(&component)).expect("an engine");
    let key = ArtifactKey::new([7; 32]);
    let artifact = key
        .open(&id, key.seal(&id, &manifest, b"no machine code"))
        .expect("authentic");
    assert!(matches!(
        host.load(&artifact, &manifest),
        Err(LoadError::Artifact(_))
    ));
}
