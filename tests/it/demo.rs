//! The README's first command: scripted, it fails by itself when an expected reply is missing; and as people use it. However it
//! is ended, it leaves nothing behind.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdout, Command};
use vestibule_tests::{Deployment, Program, until};

/// The demo brings its own database and its own Meta; what the deployment names is not used.
fn deployment() -> Deployment {
    Deployment::new(Program::under_test(), "sqlite:", "http://127.0.0.1:9")
}

#[tokio::test]
async fn the_scripted_demo_gets_every_reply() {
    let said = deployment().run("demo", &["demo", "--script"], &[]).await;
    assert!(said.contains("7 of 7 replies as expected"), "{said}");
}

/// Reads on until the demo has printed this. Answers everything since the last time.
async fn printed(output: &mut ChildStdout, expected: &str) -> String {
    let mut text = String::new();
    until(expected, async || {
        let mut part = [0; 4096];
        let read = output.read(&mut part).await.expect("it is read");
        assert_ne!(read, 0, "it ended after: {text}");
        text.push_str(&String::from_utf8_lossy(&part[..read]));
        text.contains(expected).then_some(())
    })
    .await;
    text
}

#[tokio::test]
async fn every_turn_is_told_and_ctrl_c_ends_the_demo_while_it_waits_for_input() {
    let deployment = deployment();
    let mut demo = Command::from(deployment.command("demo"))
        .arg("demo")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let mut input = demo.stdin.take().expect("a pipe");
    let mut output = demo.stdout.take().expect("a pipe");
    input.write_all(b"STOP\n").await.expect("typed");
    printed(&mut output, ": consent_word").await;
    // The second one changes nothing and gets no answer; it has its turn all the same.
    input.write_all(b"STOP\n").await.expect("typed");
    let silent = printed(&mut output, ": consent_word").await;
    assert!(silent.contains("(no reply)"), "{silent}");

    send(&demo, Signal::INT);
    let ended = demo.wait().await.expect("it ends");
    assert!(ended.success(), "{ended}");
    drop(input);
}

#[tokio::test]
async fn who_begins_the_demo_under_nohup_may_close_the_terminal() {
    let deployment = deployment();
    let program = deployment.command("demo");
    let environment = program.get_envs();
    let mut demo = Command::new("/bin/sh")
        .args(["-c", "trap '' HUP; exec \"$0\" demo"])
        .arg(program.get_program())
        .env_clear()
        .envs(environment.filter_map(|(name, value)| Some((name, value?))))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let mut output = demo.stdout.take().expect("a pipe");
    // What ends it is heard before it says anything.
    printed(&mut output, "> ").await;
    let status = format!("/proc/{}/status", demo.id().expect("it runs"));
    let status = std::fs::read_to_string(status).expect("it runs");
    let set = |name: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix(name));
        u64::from_str_radix(mask.expect("a mask").trim(), 16).expect("a number")
    };
    let bit = |signal: Signal| 1 << (signal.as_raw() - 1);
    assert_ne!(set("SigIgn:") & bit(Signal::HUP), 0, "{status}");
    assert_ne!(set("SigCgt:") & bit(Signal::TERM), 0, "{status}");
    send(&demo, Signal::TERM);
    let ended = demo.wait().await.expect("it ends");
    assert!(ended.success(), "{ended}");
}

fn send(demo: &Child, signal: Signal) {
    let pid = demo.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    kill_process(pid.expect("it runs"), signal).expect("a signal");
}

#[tokio::test]
async fn the_demo_leaves_no_folder_behind_whatever_ends_it() {
    let cases = [
        (&["demo"][..], Signal::TERM),
        (&["demo"], Signal::HUP),
        (&["demo", "--script"], Signal::INT),
        (&["demo", "--script"], Signal::TERM),
    ];
    let deployment = deployment();
    for (arguments, signal) in cases {
        let temporary = tempfile::tempdir().expect("a temporary folder");
        let left = || {
            std::fs::read_dir(temporary.path())
                .expect("a folder")
                .count()
        };
        let mut demo = Command::from(deployment.command("demo"))
            .args(arguments)
            .env("TMPDIR", temporary.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        // Even before it stands.
        until("it has its folder", async || (left() > 0).then_some(())).await;
        send(&demo, signal);
        let ended = demo.wait().await.expect("it ends");
        assert_eq!(
            ended.signal(),
            None,
            "{arguments:?} ends by itself at {signal:?}"
        );
        assert_eq!(left(), 0, "{arguments:?} at {signal:?}");
    }
}
