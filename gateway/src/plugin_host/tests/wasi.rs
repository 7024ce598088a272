//! WASI's polite world, met by a component that imports all of it.

use super::*;
use crate::domain::Timestamp;

/// Calls whatever can be called without a handle from elsewhere, and traps where an answer is not the polite one.
const CALLS_EVERYTHING: &str = r#"
    ;; an empty environment: no list has an element, no option a value
    (call $cli/environment.get-environment (i32.const 1024)) (call $empty (i32.const 1028))
    (call $cli/environment.get-arguments (i32.const 1024)) (call $empty (i32.const 1028))
    (call $cli/environment.initial-cwd (i32.const 1024)) (call $none)
    (call $cli/terminal-stdin.get-terminal-stdin (i32.const 1024)) (call $none)
    (call $cli/terminal-stdout.get-terminal-stdout (i32.const 1024)) (call $none)
    (call $cli/terminal-stderr.get-terminal-stderr (i32.const 1024)) (call $none)
    (call $filesystem/preopens.get-directories (i32.const 1024)) (call $empty (i32.const 1028))
    ;; stdin is closed
    (local.set $i (call $cli/stdin.get-stdin))
    (call $io/streams.input-stream.read (local.get $i) (i64.const 9) (i32.const 1024)) (call $closed (i32.const 1028))
    (call $io/streams.input-stream.blocking-read (local.get $i) (i64.const 9) (i32.const 1024)) (call $closed (i32.const 1028))
    (call $io/streams.input-stream.skip (local.get $i) (i64.const 9) (i32.const 1024)) (call $closed (i32.const 1032))
    (call $io/streams.input-stream.blocking-skip (local.get $i) (i64.const 9) (i32.const 1024)) (call $closed (i32.const 1032))
    (call $ready (call $io/streams.input-stream.subscribe (local.get $i)))
    ;; stdout and stderr are the log
    (global.set $out (call $cli/stdout.get-stdout))
    (call $io/streams.output-stream.check-write (global.get $out) (i32.const 1024)) (call $ok)
    (call $io/streams.output-stream.write (global.get $out) {{one
tw}} (i32.const 1024)) (call $ok)
    (call $io/streams.output-stream.blocking-write-and-flush (global.get $out) {{o
three}} (i32.const 1024)) (call $ok)
    (call $io/streams.output-stream.flush (global.get $out) (i32.const 1024)) (call $ok)
    (call $io/streams.output-stream.blocking-flush (global.get $out) (i32.const 1024)) (call $ok)
    (call $io/streams.output-stream.write-zeroes (global.get $out) (i64.const -1) (i32.const 1024)) (call $ok)
    (call $io/streams.output-stream.blocking-write-zeroes-and-flush (global.get $out) (i64.const -1) (i32.const 1024)) (call $ok)
    (call $io/streams.output-stream.splice (global.get $out) (local.get $i) (i64.const 9) (i32.const 1024)) (call $closed (i32.const 1032))
    (call $io/streams.output-stream.blocking-splice (global.get $out) (local.get $i) (i64.const 9) (i32.const 1024)) (call $closed (i32.const 1032))
    (call $ready (call $io/streams.output-stream.subscribe (global.get $out)))
    (call $io/streams.drop-output-stream (global.get $out))
    (call $io/streams.drop-input-stream (local.get $i))
    (global.set $out (call $cli/stderr.get-stderr))
    (call $io/streams.output-stream.write (global.get $out) {{Error: it is wrong
  at line 7
}} (i32.const 1024)) (call $ok)
    ;; clocks stand at the turn's time, and waits end at once
    (call $clocks/wall-clock.now (i32.const 1024))
    (call $same (i64.load (i32.const 1024)) (i64.const 1795000000)) (call $same (i64.load32_u (i32.const 1032)) (i64.const 123000000))
    (call $clocks/wall-clock.resolution (i32.const 1024))
    (call $same (i64.load32_u (i32.const 1032)) (call $clocks/monotonic-clock.resolution))
    (call $same (call $clocks/monotonic-clock.now) (i64.const 1795000000123000000))
    (call $waits (call $clocks/monotonic-clock.subscribe-duration (i64.const 5000000000)))
    (call $same (call $clocks/monotonic-clock.now) (i64.const 1795000005123000000))
    (call $ready (call $clocks/monotonic-clock.subscribe-instant (i64.const 7)))
    (i32.store (i32.const 3072) (call $clocks/monotonic-clock.subscribe-duration (i64.const 9)))
    (i32.store (i32.const 3076) (call $clocks/monotonic-clock.subscribe-duration (i64.const 8)))
    (call $io/poll.poll (i32.const 3072) (i32.const 2) (i32.const 1024))
    (call $same (i64.load32_u (i32.const 1028)) (i64.const 1))
    (call $same (i64.load32_u (i32.load (i32.const 1024))) (i64.const 1))
    ;; chance
    (call $random/insecure-seed.insecure-seed (i32.const 1024))
    (call $random/insecure.get-insecure-random-bytes (i64.const 8) (i32.const 1024)) (call $says)
    (call $random/random.get-random-bytes (i64.const 8) (i32.const 1024)) (call $says)
    (drop (call $random/insecure.get-insecure-random-u64)) (drop (call $random/random.get-random-u64))
"#;

/// What the calls' answers are held against.
const CHECKS: &str = r#"
    (global $out (mut i32) (i32.const 0))
    (func $empty (param i32) (if (i32.load (local.get 0)) (then unreachable)))
    (func $none (if (i32.load8_u (i32.const 1024)) (then unreachable)))
    (func $ok (if (i32.load8_u (i32.const 1024)) (then unreachable)))
    (func $closed (param i32)
      (if (i32.ne (i32.load8_u (i32.const 1024)) (i32.const 1)) (then unreachable))
      (if (i32.ne (i32.load8_u (local.get 0)) (i32.const 1)) (then unreachable)))
    (func $same (param i64 i64) (if (i64.ne (local.get 0) (local.get 1)) (then unreachable)))
    (func $ready (param i32)
      (if (i32.eqz (call $io/poll.pollable.ready (local.get 0))) (then unreachable))
      (call $io/poll.drop-pollable (local.get 0)))
    (func $waits (param i32)
      (if (call $io/poll.pollable.ready (local.get 0)) (then unreachable))
      (call $io/poll.pollable.block (local.get 0))
      (call $ready (local.get 0)))
    ;; as a tag: eight bytes as letters
    (func $says (local $i i32)
      (loop
        (i32.store8 (i32.add (i32.const 3200) (local.get $i))
          (i32.add (i32.const 97) (i32.and (i32.const 15)
            (i32.load8_u (i32.add (i32.load (i32.const 1024)) (local.get $i))))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if 0 (i32.lt_u (local.get $i) (i32.const 8))))
      (call $add-tag (i32.const 3200) (i32.const 8) (i32.const 1024)) (call $ok))
"#;

fn polite(body: &str) -> Guest {
    Guest::replying(body).wasi("0.2.12").with(CHECKS)
}

async fn turn_of(host: &PluginHost, guest: &Guest) -> TurnReport {
    let mut request = turn(vec![binding(&guest.load(host))]);
    request.now = Timestamp::from_millis(1_795_000_000_123);
    host.run_turn(request).await.expect("room")
}

#[tokio::test]
async fn all_of_it_is_there_empty_and_the_turns_own() {
    let host = host();
    let report = turn_of(&host, &polite(CALLS_EVERYTHING)).await;
    assert_eq!(report.calls[0].outcome, CallOutcome::Ok);
    let lines: Vec<_> = report
        .logs
        .iter()
        .map(|line| (line.level, line.message.as_str()))
        .collect();
    assert_eq!(
        lines,
        [
            (LogLevel::Info, "one"),
            (LogLevel::Info, "two"),
            (LogLevel::Error, "Error: it is wrong"),
            (LogLevel::Error, "  at line 7"),
            (LogLevel::Info, "three"),
        ]
    );
    assert_eq!(report.effects.len(), 2);
    assert_ne!(report.effects[0].effect, report.effects[1].effect);
}

#[tokio::test]
async fn the_same_turn_sees_the_same_again() {
    let host = host();
    let first = turn_of(&host, &polite(CALLS_EVERYTHING)).await;
    let second = turn_of(&host, &polite(CALLS_EVERYTHING)).await;
    assert_eq!(first.mark(), second.mark());
    assert_eq!(first.logs, second.logs);
    assert_eq!(first.calls[0].fuel, second.calls[0].fuel);
}

#[tokio::test]
async fn every_patch_of_0_2_is_met() {
    let host = host();
    for version in ["0.2.0", "0.2.6", "0.2.99"] {
        let guest = Guest::replying(CALLS_EVERYTHING).wasi(version).with(CHECKS);
        let report = turn_of(&host, &guest).await;
        assert_eq!(report.calls[0].outcome, CallOutcome::Ok, "{version}");
    }
}
