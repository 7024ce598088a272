//! The compiling child as it really runs: this package's binary, started anew for every component.
//!
//! Stands here and not in `vestibule-tests`, because only this package's tests are told where its binary is.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use vestibule::plugin_host::{CompileError, CompileLimits, Compiler};

fn compiler(change: impl FnOnce(&mut CompileLimits)) -> Compiler {
    let mut limits = CompileLimits::default();
    change(&mut limits);
    Compiler::new(PathBuf::from(env!("CARGO_BIN_EXE_vestibule")), limits)
}

fn component(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).expect("valid WAT")
}

/// One function with `n` nested blocks and as many values alive: more work than its length says.
fn bomb(functions: usize, size: usize) -> Vec<u8> {
    let body: String = (0..size)
        .map(|i| format!("(local.set 0 (i32.add (local.get 0) (i32.mul (local.get 1) (i32.const {i})))) (if (local.get 0) (then (local.set 1 (i32.xor (local.get 0) (local.get 1)))))"))
        .collect();
    let function = format!("(func (param i32 i32) (result i32) {body} (local.get 0))");
    component(&format!(
        "(component (core module {}))",
        function.repeat(functions)
    ))
}

#[tokio::test]
async fn a_component_becomes_an_artifact() {
    let artifact = compiler(|_| {})
        .compile(component("(component (core module (func (export \"f\"))))"))
        .await
        .expect("compiles");
    assert!(artifact.starts_with(b"\x7fELF"));
}

#[tokio::test]
async fn what_is_no_component_is_refused_with_the_reason() {
    for bytes in [
        b"".to_vec(),
        b"\0asm\x0d\0\x01\0garbage".to_vec(),
        component("(module)"),
    ] {
        let refused = compiler(|_| {}).compile(bytes).await;
        assert!(matches!(refused, Err(CompileError::Refused(why)) if !why.is_empty()));
    }
}

#[tokio::test]
async fn features_that_the_host_does_not_offer_are_refused() {
    let refused = compiler(|_| {})
        .compile(component("(component (core module (memory i64 1)))"))
        .await
        .map(drop);
    assert!(
        matches!(refused, Err(CompileError::Refused(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_component_that_takes_minutes_runs_out_of_cpu_time() {
    let compiler = compiler(|limits| limits.cpu = Duration::from_secs(1));
    #[allow(
        clippy::disallowed_methods,
        reason = "the limit that is tested is one of wall time"
    )]
    let started = Instant::now();
    let bombed = compiler.compile(bomb(400, 600)).await.map(drop);
    assert!(matches!(bombed, Err(CompileError::CpuTime)), "{bombed:?}");
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn a_component_that_takes_much_memory_is_stopped() {
    let compiler = compiler(|limits| limits.memory = 160 << 20);
    let bombed = compiler.compile(bomb(1, 60_000)).await.map(drop);
    assert!(matches!(bombed, Err(CompileError::Memory)), "{bombed:?}");
}

#[tokio::test]
async fn an_artifact_beyond_the_limit_is_not_taken() {
    let compiler = compiler(|limits| limits.artifact = 4_096);
    let refused = compiler.compile(bomb(10, 10)).await.map(drop);
    assert!(
        matches!(refused, Err(CompileError::ArtifactSize)),
        "{refused:?}"
    );
}

/// A stand-in for the binary that does whatever `script` says.
fn stand_in(folder: &Path, script: &str, limits: CompileLimits) -> Compiler {
    let exe = folder.join("stand-in");
    // Written by another process: were it open for writing here while another test starts a child, that child would hold
    // it open, and Linux runs no file that somebody may write to.
    let written = std::process::Command::new("/bin/sh")
        .args([
            "-c",
            "printf '%s\\n' '#!/bin/sh' \"$2\" >\"$1\" && chmod 700 \"$1\"",
            "sh",
        ])
        .arg(&exe)
        .arg(script)
        .status();
    assert!(written.expect("a shell").success(), "the script is written");
    Compiler::new(exe, limits)
}

#[tokio::test]
async fn a_child_that_hangs_is_killed_when_its_time_is_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = CompileLimits {
        wall: Duration::from_millis(200),
        ..CompileLimits::default()
    };
    let pid_file = folder.path().join("pid");
    let script = format!("echo $$ > {}; exec /bin/sleep 1000", pid_file.display());
    let late = stand_in(folder.path(), &script, limits)
        .compile(Vec::new())
        .await;
    assert!(matches!(late, Err(CompileError::WallTime)), "{late:?}");
    let pid = std::fs::read_to_string(pid_file).expect("it ran");
    let state = std::fs::read_to_string(format!("/proc/{}/comm", pid.trim()));
    assert!(state.is_err(), "still there: {state:?}");
}

#[tokio::test]
async fn the_child_inherits_no_environment() {
    let folder = tempfile::tempdir().expect("a folder");
    let compiler = stand_in(folder.path(), "/usr/bin/env", CompileLimits::default());
    let environment = compiler.compile(Vec::new()).await.expect("its output");
    let environment = String::from_utf8(environment).expect("text");
    // What the shell itself sets.
    let foreign: Vec<_> = environment
        .lines()
        .filter(|line| {
            !["PWD=", "SHLVL=", "_=", "OLDPWD="]
                .iter()
                .any(|own| line.starts_with(own))
        })
        .collect();
    // And what keeps our allocator from reserving addresses, which its limit counts.
    assert_eq!(foreign, ["MIMALLOC_ARENA_RESERVE=0"]);
}

#[tokio::test]
async fn a_child_that_somebody_kills_is_not_said_to_have_used_its_cpu_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let compiler = stand_in(folder.path(), "kill -9 $$", CompileLimits::default());
    let killed = compiler.compile(Vec::new()).await;
    assert!(
        matches!(killed, Err(CompileError::Crashed { .. })),
        "{killed:?}"
    );
}

/// What the engine says for want of memory, as an error of its own and as a panic of one of its containers.
#[tokio::test]
async fn a_machine_without_memory_is_no_refusal_of_the_component() {
    let folder = tempfile::tempdir().expect("a folder");
    let compile = async |said: &str, status: u8| {
        let script = format!("echo 'thread main: {said}' >&2; exit {status}");
        stand_in(folder.path(), &script, CompileLimits::default())
            .compile(Vec::new())
            .await
            .map(drop)
    };
    const REFUSED: u8 = 2;
    const PANICKED: u8 = 101;
    for (said, status) in [
        (
            "mmap failed to reserve 0x1000 bytes: Cannot allocate memory (os error 12)",
            REFUSED,
        ),
        (
            "compiling: out of memory (failed to allocate 2097216 bytes)",
            REFUSED,
        ),
        (
            "unhandled out-of-memory error: out of memory (failed to allocate 2097216 bytes) note: run with",
            PANICKED,
        ),
        ("memory allocation of 64 bytes failed", PANICKED),
    ] {
        let memory = compile(said, status).await;
        assert!(
            matches!(memory, Err(CompileError::Memory)),
            "{said}: {memory:?}"
        );
    }
    for said in [
        "mmap failed to reserve 0x1000 bytes: out of bounds",
        "an import named out of memory (failed to allocate 1 bytes) is unknown",
        "an import named out of memory (failed to allocate all bytes)",
    ] {
        let refused = compile(said, REFUSED).await;
        assert!(
            matches!(refused, Err(CompileError::Refused(_))),
            "{said}: {refused:?}"
        );
    }
}
