//! What a guest could do with WASI: the polite world has the limits of the contract's own calls.

use super::*;

const OUT: &str = "(local.set $i (call $cli/stdout.get-stdout))";

fn polite(body: &str) -> Guest {
    Guest::replying(body).wasi("0.2.6")
}

/// Starts at once and goes on for ever.
fn for_ever(before: &str, step: &str) -> Guest {
    polite(&format!(
        "{before} (loop {step} (global.set $top (i32.const 65536)) (br 0))"
    ))
}

#[tokio::test]
async fn lines_without_end_are_dropped_and_end_by_their_bytes() {
    let write = "(call $io/streams.output-stream.write (local.get $i)";
    for (text, lost) in [
        // Lines, the shortest there are, and what never becomes one.
        ("{{0123456789abcdef\n0123456789abcdef\n}}", 1_000),
        ("(i32.const 32768) (i32.const 32000)", 0),
    ] {
        let guest = for_ever(OUT, &format!("{write} {text} {RET})"));
        let host = host();
        let report = run(&host, guest).await;
        let fault = only_fault(&report);
        assert!(
            matches!(fault.kind, FaultKind::OutputBytes | FaultKind::HostCalls),
            "{fault}"
        );
        assert!(report.logs.len() <= 100);
        assert!(report.calls[0].log_dropped >= lost);
    }
}

#[tokio::test]
async fn a_line_is_cut_and_harmless_however_it_came_to_be() {
    let host = host();
    let step = format!(
        "(call $io/streams.output-stream.write (local.get $i) {{{{\u{1b}[31m é\r}}}} {RET})"
    );
    let report = run(&host, polite(&format!("{OUT} {}", step.repeat(200)))).await;
    let [line] = &report.logs[..] else {
        panic!("one line: {:?}", report.logs)
    };
    assert!(line.message.len() <= 1_024, "{}", line.message.len());
    assert!(!line.message.contains(['\u{1b}', '\r', '\n']));
}

#[tokio::test]
async fn chance_without_end_ends_by_its_bytes() {
    for draw in [
        "(call $random/random.get-random-bytes (i64.const 65536) (i32.const 1024))",
        "(call $random/insecure.get-insecure-random-bytes (i64.const 65536) (i32.const 1024))",
    ] {
        faults(for_ever("", draw), FaultKind::OutputBytes).await;
    }
    let all_at_once = "(call $random/random.get-random-bytes (i64.const -1) (i32.const 1024))";
    faults(polite(all_at_once), FaultKind::OutputBytes).await;
    let numbers = "(drop (call $random/random.get-random-u64))";
    faults(for_ever("", numbers), FaultKind::HostCalls).await;
}

#[tokio::test]
async fn waiting_without_end_ends_by_its_calls_and_takes_no_time() {
    let forever = "(local.set $i (call $clocks/monotonic-clock.subscribe-instant (i64.const -1)))";
    faults(
        for_ever(forever, "(call $io/poll.pollable.block (local.get $i))"),
        FaultKind::HostCalls,
    )
    .await;
    let poll = "(i32.store (i32.const 3072) (local.get $i))
        (call $io/poll.poll (i32.const 3072) (i32.const 1) (i32.const 1024))";
    faults(for_ever(forever, poll), FaultKind::HostCalls).await;
    let nothing = "(call $io/poll.poll (i32.const 3072) (i32.const 0) (i32.const 1024))";
    let why = faults(polite(nothing), FaultKind::Malformed).await;
    assert_eq!(why, "waited for nothing");
}

#[tokio::test]
async fn waits_that_are_kept_end_by_their_handles() {
    let keep = "(drop (call $clocks/monotonic-clock.subscribe-duration (i64.const 1)))";
    let host = host();
    let report = run(&host, for_ever("", keep)).await;
    let fault = only_fault(&report);
    assert!(!fault.kind.is_ours(), "{fault}");
    assert!(report.calls[0].host_calls <= 1_001);
}

#[tokio::test]
async fn an_exit_in_the_middle_is_a_stop_that_says_so_and_undoes_the_call() {
    for (exit, code) in [
        ("(call $cli/exit.exit (i32.const 0))", "code 0"),
        ("(call $cli/exit.exit (i32.const 1))", "code 1"),
        ("(call $cli/exit.exit-with-code (i32.const 77))", "code 77"),
    ] {
        let body = format!("(call $reply-text {{{{hi}}}} {RET}) {exit}");
        let host = host();
        let report = run(&host, polite(&body)).await;
        let fault = only_fault(&report);
        assert_eq!(fault.kind, FaultKind::Exited, "{fault}");
        assert!(fault.message.contains(code), "{fault}");
        assert!(report.effects.is_empty());
        assert_eq!(texts(&run(&host, well_behaved()).await), ["hi"]);
    }
}

#[tokio::test]
async fn files_errors_and_terminals_are_handles_that_nobody_has() {
    for call in [
        "(call $filesystem/types.descriptor.stat (i32.const 3) (i32.const 1024))",
        "(call $filesystem/types.descriptor.sync (i32.const 0) (i32.const 1024))",
        "(call $filesystem/types.directory-entry-stream.read-directory-entry (i32.const 1) (i32.const 1024))",
        "(call $filesystem/types.filesystem-error-code (i32.const 1) (i32.const 1024))",
        "(call $io/error.error.to-debug-string (i32.const 1) (i32.const 1024))",
        "(call $cli/terminal-output.drop-terminal-output (i32.const 1))",
        // Of another kind: a stream is no file.
        "(call $filesystem/types.descriptor.stat (call $cli/stdin.get-stdin) (i32.const 1024))",
        "(call $io/poll.pollable.block (call $cli/stdin.get-stdin))",
    ] {
        let host = host();
        let report = run(&host, polite(call)).await;
        let fault = only_fault(&report);
        assert!(!fault.kind.is_ours(), "{call}: {fault}");
    }
}
