//! An author's desk: a folder, the program, and `vestibule plugin run` as a process whose lines are read as they come.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use vestibule_tests::{Deployment, Program, until};

/// An author's folder and a deployment for the upload.
pub(super) struct Desk {
    pub deployment: Deployment,
    folder: TempDir,
}

impl Desk {
    pub(super) fn new() -> Self {
        Self {
            deployment: Deployment::new(Program::under_test(), "sqlite:", "http://127.0.0.1:9"),
            folder: TempDir::new().expect("a folder"),
        }
    }

    pub(super) fn at(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join(path)
    }

    /// `vestibule plugin …` in a folder below the author's.
    pub(super) async fn plugin(&self, within: &str, arguments: &[&str]) -> Output {
        let mut command = Command::from(self.deployment.command("node"));
        command.arg("plugin").args(arguments);
        run(command, &self.at(within)).await
    }

    /// `vestibule plugin run` in a folder below the author's, with the phone on a port of its own.
    pub(super) fn start(&self, within: &str, arguments: &[&str]) -> Running {
        std::fs::create_dir_all(self.temporary()).expect("a folder");
        let mut process = Command::from(self.deployment.command("node"))
            .args(["plugin", "run", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .envs(surroundings())
            .env("TMPDIR", self.temporary())
            .current_dir(self.at(within))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let (tell, lines) = mpsc::unbounded_channel();
        tokio::spawn(read(process.stdout.take().expect("a pipe"), tell.clone()));
        tokio::spawn(read(process.stderr.take().expect("a pipe"), tell));
        Running {
            process,
            lines,
            said: String::new(),
            phone: String::new(),
        }
    }

    /// What it says of a machine that cannot compile plugins, and has nobody who adds to it.
    pub(super) async fn refused_without_target(&self, arguments: &[&str]) -> String {
        let fakes = self.at("fakes");
        std::fs::create_dir(&fakes).expect("a folder");
        for (name, script) in [("rustc", "echo /nowhere"), ("rustup", "exit 1")] {
            let text = format!("#!/bin/sh\n{script}\n");
            std::fs::write(fakes.join(name), text).expect("written");
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(fakes.join(name), mode).expect("executable");
        }
        let mut path = fakes.clone().into_os_string();
        for (_, ours) in surroundings().filter(|(name, _)| name == "PATH") {
            path.push(":");
            path.push(ours);
        }
        let mut command = Command::from(self.deployment.command("node"));
        command.envs(surroundings()).env("PATH", path);
        command.env("RUSTC", fakes.join("rustc"));
        command.arg("plugin").args(arguments);
        let output = command.current_dir(self.folder.path()).output().await;
        let output = output.expect("it starts");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).expect("UTF-8")
    }

    /// Somebody else compiles in a folder of this plugin's own, until the lock is dropped.
    pub(super) fn hold_target(&self, name: &str) -> File {
        let settings = self.at(name).join(".cargo/config.toml");
        std::fs::write(settings, "[net]\noffline = true\n").expect("written");
        let folder = self
            .at(name)
            .join("target/wasm32-unknown-unknown/guest-lines");
        std::fs::create_dir_all(&folder).expect("a folder");
        let lock = File::create(folder.join(".cargo-lock")).expect("a file");
        lock.lock().expect("locked");
        lock
    }

    fn temporary(&self) -> PathBuf {
        self.at("temporary")
    }

    /// What a gateway of `plugin run` has left behind.
    pub(super) fn left(&self) -> Vec<OsString> {
        let entries = std::fs::read_dir(self.temporary()).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        names
            .filter(|name| name.as_encoded_bytes().starts_with(b"vestibule-"))
            .collect()
    }

    /// A new plugin of this name, pinned.
    pub(super) async fn begin(&self, name: &str) {
        succeeded(&self.plugin("", &["new", name]).await);
        self.pin(name);
    }

    /// Another text in a file of a plugin.
    pub(super) fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.at(file);
        let text = std::fs::read_to_string(&path).expect("it is read");
        assert!(text.contains(from), "{file} has no {from}");
        std::fs::write(path, text.replace(from, to)).expect("written");
    }

    pub(super) async fn refused(&self, arguments: &[&str]) -> String {
        let output = self.plugin("", arguments).await;
        assert!(!output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).expect("UTF-8")
    }

    /// Compiler and crates as this workspace has them, from what is on this machine; what was compiled stays for the next run.
    pub(super) fn pin(&self, name: &str) {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        for file in ["Cargo.lock", "rust-toolchain.toml"] {
            std::fs::copy(workspace.join(file), self.at(name).join(file)).expect("copied");
        }
        let settings = format!(
            "[build]\ntarget-dir = {:?}\n[net]\noffline = true\n",
            Path::new(env!("CARGO_TARGET_TMPDIR")).join("authors")
        );
        std::fs::create_dir(self.at(name).join(".cargo")).expect("a folder");
        std::fs::write(self.at(name).join(".cargo/config.toml"), settings).expect("written");
    }
}

/// To its end, with what cargo needs of our own surroundings.
pub(super) async fn run(mut command: Command, within: &Path) -> Output {
    let command = command.envs(surroundings()).current_dir(within);
    command.output().await.expect("it starts")
}

fn surroundings() -> impl Iterator<Item = (OsString, OsString)> {
    let wanted = [
        "PATH",
        "HOME",
        "CARGO",
        "CARGO_HOME",
        "RUSTUP_HOME",
        "RUSTUP_TOOLCHAIN",
    ];
    std::env::vars_os().filter(move |(name, _)| wanted.iter().any(|wanted| name == wanted))
}

pub(super) fn succeeded(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn read(output: impl AsyncRead + Unpin, tell: UnboundedSender<String>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        // Who does not listen any more has heard enough.
        let _ = tell.send(line);
    }
}

/// What a compiler may take that shares the machine with the compilers of other tests.
const COMPILES: Duration = Duration::from_secs(300);

/// A running `vestibule plugin run`, until dropped.
pub(super) struct Running {
    process: Child,
    lines: UnboundedReceiver<String>,
    /// Everything so far.
    said: String,
    phone: String,
}

impl Running {
    /// Reads on to a line with this in it; answers what was said since the last time, it included.
    pub(super) async fn says(&mut self, expected: &str) -> String {
        let mut since = String::new();
        loop {
            let line = tokio::time::timeout(COMPILES, self.lines.recv()).await;
            let Ok(Some(line)) = line else {
                panic!("no {expected:?}, but: {}{since}", self.said);
            };
            if let Some(url) = line.trim().strip_prefix("http://") {
                self.phone = format!("http://{url}");
            }
            since.push_str(&line);
            since.push('\n');
            if line.contains(expected) {
                self.said.push_str(&since);
                return since;
            }
        }
    }

    /// This was said, or is: what comes by another pipe may come later.
    pub(super) async fn has_said(&mut self, expected: &str) {
        if !self.said.contains(expected) {
            self.says(expected).await;
        }
    }

    /// Writes as the customer, and waits for this answer.
    pub(super) async fn answers(&self, text: &str, expected: &str) {
        self.told(text).await;
        let url = format!("{}/chat", self.chat());
        until(expected, async || {
            let chat = client().get(&url).send().await.expect("an answer");
            let chat = chat.text().await.expect("a chat");
            chat.contains(expected).then_some(())
        })
        .await;
    }

    /// Writes as the customer.
    pub(super) async fn told(&self, text: &str) {
        let url = format!("{}/messages", self.chat());
        let sent = client().post(url).json(&json!({ "text": text })).send();
        let sent = sent.await.expect("an answer");
        assert!(sent.status().is_success(), "{}", sent.status());
    }

    /// Its address, when it was told.
    pub(super) fn phone(&self) -> &str {
        &self.phone
    }

    fn chat(&self) -> String {
        let customer = "simulator/numbers/770000000000001/customers/447700900123";
        format!("{}{customer}", self.phone)
    }

    /// Ctrl-C.
    pub(super) async fn end(mut self) -> ExitStatus {
        let pid = self.process.id();
        let pid = pid.and_then(|id| Pid::from_raw(id.cast_signed()));
        kill_process(pid.expect("it runs"), Signal::INT).expect("a signal");
        self.process.wait().await.expect("it ends")
    }
}

fn client() -> reqwest::Client {
    vestibule_tests::tls::provide();
    let client = reqwest::Client::builder().no_proxy().build();
    client.expect("a client")
}
