//! A child process that a test kills, stops and wakes. It never outlives its value.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

/// A started process; its output goes to a file.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

/// Runs a verb of the command line to its end: what it printed, or what it said when it refused.
pub async fn said(command: impl Into<tokio::process::Command>) -> Result<String, String> {
    let output = command.into().output().await.expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    match output.status.code() {
        Some(0) => Ok(text(output.stdout)),
        Some(1) => Err(text(output.stderr)),
        other => panic!("exit code {other:?}: {output:?}"),
    }
}

impl Process {
    /// Starts `command`; standard output and error are appended to `log`.
    pub fn start(command: &mut Command, log: &Path) -> std::io::Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `SIGKILL`, and waits until the kernel has taken the process away.
    pub fn kill9(&mut self) {
        // An error means that it has ended by itself, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// `SIGSTOP`: it stands still, with its sockets and locks held.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// `SIGCONT`.
    pub fn cont(&self) {
        self.signal(Signal::CONT);
    }

    /// `SIGTERM`, then waits for the end.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        crate::until("the process ends after SIGTERM", async || self.has_ended()).await
    }

    /// Its exit status, if it is over.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Everything it has written so far.
    pub fn logs(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a child has a process id");
        // An error means that it has ended.
        let _ = kill_process(pid, signal);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// An address on which nobody listens now. Another process could take it before ours does; the ephemeral range is large
/// and a start that finds it taken says so.
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener
        .local_addr()
        .expect("a bound listener has an address")
}
