//! One cluster: its folder, its server, and the guard that removes both.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};

use super::programs::{self, User};

/// What a commit costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// No fsync: for tests that end with the process.
    Fast,
    /// As PostgreSQL comes: for measurements, and for tests of what survives the machine.
    Real,
}

/// A running server. Dropped, or left behind by a process that died, it stops and its folder goes.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    guard: Child,
}

/// Runs the server until its own standard input ends, which happens when the test process is gone, however it went
/// (a panic and a `kill -9` run no destructor of ours). Then the folder goes too.
const GUARD: &str = r#"
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c config_file="$2/settings" >"$2/log" 2>&1 </dev/null &
server=$!
read -r _
kill -QUIT "$server" 2>/dev/null
wait "$server"
cd / && rm -rf "$2"
"#;

/// Fixed, so that a run does not depend on what `initdb` finds about the machine.
const SETTINGS: &str = "
max_connections = 300
shared_buffers = 256MB
max_wal_size = 1GB
checkpoint_timeout = 15min
dynamic_shared_memory_type = posix
timezone = UTC
log_timezone = UTC
";

impl Cluster {
    pub fn start(durability: Durability) -> anyhow::Result<Self> {
        let programs = programs::folder()?;
        let user = programs::other_user();
        let folder = tempfile::Builder::new()
            .prefix("vestibule-pg-")
            .tempdir_in(place(durability))?
            .keep();
        user.map_or(Ok(()), |user| user.own(&folder))?;
        initialise(&programs, &folder, user)?;
        fs::write(folder.join("settings"), settings(durability))?;
        let guard = start_guard(&programs, &folder, user)?;
        let cluster = Self { folder, guard };
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    /// The URL of one of its databases.
    pub fn url(&self, database: &str) -> String {
        let socket = self.folder.to_string_lossy().replace('/', "%2F");
        format!("postgres://vestibule@localhost/{database}?host={socket}")
    }

    /// The server's process: its children are its backends.
    pub fn pid(&self) -> Option<u32> {
        self.lock_line(0)?.parse().ok()
    }

    /// The server writes `ready` into its lock file when it takes connections.
    fn wait_until_ready(&self) -> anyhow::Result<()> {
        for _ in 0..3_000 {
            if self.lock_line(7).is_some_and(|state| state == "ready") {
                return Ok(());
            }
            pause();
        }
        anyhow::bail!("the server did not become ready: {}", self.last_words())
    }

    /// The end of what the server has logged: why it is gone, when it is.
    pub fn last_words(&self) -> String {
        const LINES: usize = 20;
        match fs::read_to_string(self.folder.join("log")) {
            Ok(log) => {
                let lines: Vec<&str> = log.lines().collect();
                let from = lines.len().saturating_sub(LINES);
                format!("the server's log ends with\n{}", lines[from..].join("\n"))
            }
            Err(error) => format!("the server's log cannot be read: {error}"),
        }
    }

    fn lock_line(&self, index: usize) -> Option<String> {
        let lock = fs::read_to_string(self.folder.join("data/postmaster.pid")).ok()?;
        lock.lines().nth(index).map(|line| line.trim().to_owned())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "the server tells nobody when it is ready: its lock file is read again"
)]
fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

/// In memory, where there is plenty of it and nothing has to outlive the machine. Each test makes and removes a database of a
/// thousand files, and ext4 looks for a number of a file that has not been removed just now: on a disk that was a fifth of the
/// tests' CPU time (`perf record -a -g`: `recently_deleted`), and they took two thirds as long again.
fn place(durability: Durability) -> PathBuf {
    const MEMORY: &str = "/dev/shm";
    const PLENTY: u64 = 4 << 30;
    let in_memory = durability == Durability::Fast && available(MEMORY) >= PLENTY;
    match in_memory {
        true => MEMORY.into(),
        false => std::env::temp_dir(),
    }
}

/// Bytes that a file system in memory and the machine both have left; none where there is no such file system.
fn available(memory: &str) -> u64 {
    /// Linux's name for `tmpfs`.
    const TMPFS: u64 = 0x0102_1994;
    let found = rustix::fs::statfs(memory).ok();
    let Some(tmpfs) = found.filter(|found| found.f_type as u64 == TMPFS) else {
        return 0;
    };
    let left = tmpfs.f_bavail * tmpfs.f_bsize as u64;
    let words = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = words.lines().find_map(|line| {
        let rest = line.strip_prefix("MemAvailable:")?;
        rest.trim().strip_suffix(" kB")?.parse::<u64>().ok()
    });
    left.min(kib.unwrap_or(0) * 1024)
}

fn settings(durability: Durability) -> String {
    let fsync = match durability {
        Durability::Fast => "fsync = off\nfull_page_writes = off\n",
        Durability::Real => "",
    };
    format!("{SETTINGS}{fsync}")
}

fn initialise(programs: &Path, folder: &Path, user: Option<User>) -> anyhow::Result<()> {
    let mut command = Command::new(programs.join("initdb"));
    command.args([
        "--no-sync",
        "--encoding=UTF8",
        "--locale=C",
        "--auth=trust",
        "--username=vestibule",
        "-D",
    ]);
    let output = as_user(&mut command, folder, user)
        .arg(folder.join("data"))
        .output()
        .context("initdb")?;
    ensure!(
        output.status.success(),
        "initdb failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn start_guard(programs: &Path, folder: &Path, user: Option<User>) -> anyhow::Result<Child> {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", GUARD, "vestibule-pg-guard"])
        .arg(programs)
        .arg(folder);
    as_user(&mut command, folder, user)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Ctrl-C in the terminal is for the tests; the guard then sees our end and does the rest.
        .process_group(0)
        .spawn()
        .context("the server's guard")
}

/// Our own folder may be closed to the other user, so the command runs in one that is not.
fn as_user<'a>(command: &'a mut Command, folder: &Path, user: Option<User>) -> &'a mut Command {
    if let Some(user) = user {
        user.run(command);
    }
    command.current_dir(folder)
}
