//! The limited child from its parent's side: start it, feed it, bound it, read its verdict.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::child::{CHILD_VERB, REFUSED, Work};
use super::words;

/// What one child may take.
#[derive(Debug, Clone)]
pub(super) struct ChildLimits {
    /// Address space.
    pub(super) memory: u64,
    pub(super) cpu: Duration,
    /// From start to end, waiting included.
    pub(super) wall: Duration,
    /// Bytes of its result.
    pub(super) output: u64,
}

/// Why there is no result.
#[derive(Debug)]
pub(super) enum ChildError {
    /// The child looked at its input and says what is wrong with it.
    Refused(String),
    CpuTime,
    WallTime,
    Memory,
    /// The input is nested deeper than the stack reaches.
    Stack,
    OutputSize,
    Crashed {
        status: String,
        message: String,
    },
    Start(std::io::Error),
    Talk(std::io::Error),
}

/// Runs one child to its end. Dropping the future kills it.
pub(super) async fn run(
    exe: &Path,
    work: Work,
    limits: &ChildLimits,
    input: &[u8],
) -> Result<Vec<u8>, ChildError> {
    let mut child = start(exe, work, limits)?;
    let talk = converse(&mut child, input, limits.output);
    let said = match tokio::time::timeout(limits.wall, talk).await {
        Ok(said) => said.map_err(ChildError::Talk)?,
        Err(_) => return Err(kill(child, ChildError::WallTime).await),
    };
    match said.status {
        Some(status) if status.success() => Ok(said.output),
        Some(status) => Err(verdict(status, &said.message)),
        None => Err(kill(child, ChildError::OutputSize).await),
    }
}

fn start(exe: &Path, work: Work, limits: &ChildLimits) -> Result<Child, ChildError> {
    Command::new(exe)
        .arg(CHILD_VERB)
        .arg(work.word())
        .arg(limits.memory.to_string())
        .arg(limits.cpu.as_secs().max(1).to_string())
        .env_clear()
        // The allocator would set a gibibyte of addresses aside, which is what the child's limit counts.
        .env("MIMALLOC_ARENA_RESERVE", "0")
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(ChildError::Start)
}

struct Said {
    output: Vec<u8>,
    message: String,
    /// `None`: it said more than it may and was not waited for.
    status: Option<ExitStatus>,
}

/// Bytes of stderr that are read.
const MESSAGE_BYTES: u64 = 8 << 10;
/// Characters of it that are told: the error's chain, or the line that a crash begins with.
const MESSAGE_CHARS: usize = 2_000;

/// Feeds and reads at the same time: either side may fill its pipe first.
async fn converse(child: &mut Child, input: &[u8], most: u64) -> std::io::Result<Said> {
    let mut stdin = child.stdin.take();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let feed = async move {
        if let Some(stdin) = &mut stdin {
            // A child that stops reading has said why on stderr.
            let _ = stdin.write_all(input).await;
        }
    };
    let ((), output, message) = tokio::join!(
        feed,
        read_up_to(stdout, most + 1),
        read_up_to(stderr, MESSAGE_BYTES)
    );
    let (output, message) = (output?, message?);
    let status = if output.len() as u64 > most {
        None
    } else {
        Some(child.wait().await?)
    };
    Ok(Said {
        output,
        message: String::from_utf8_lossy(&message).trim().to_owned(),
        status,
    })
}

async fn read_up_to(stream: Option<impl AsyncRead + Unpin>, most: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        stream.take(most).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

async fn kill(mut child: Child, error: ChildError) -> ChildError {
    // Already dead is as good.
    let _ = child.kill().await;
    error
}

fn verdict(status: ExitStatus, message: &str) -> ChildError {
    // It repeats names of the upload's.
    let told = words::shown(message, MESSAGE_CHARS);
    // What the engine could not get is no fault of the input's, though the engine reports it in the same way.
    if status.code() == Some(i32::from(REFUSED)) && !ends_for_memory(message) {
        return ChildError::Refused(told);
    }
    if cries_for_memory(message) {
        return ChildError::Memory;
    }
    // Rust's guard page, when a thread runs into it.
    if message.contains("has overflowed its stack") {
        return ChildError::Stack;
    }
    match status.signal() {
        // The soft limit's signal. The hard limit is later, so a SIGKILL is somebody else's: the kernel's, for want of
        // memory, or an operator's.
        Some(libc::SIGXCPU) => ChildError::CpuTime,
        _ => ChildError::Crashed {
            status: status.to_string(),
            message: told,
        },
    }
}

/// What the kernel calls it.
const ENOMEM: &str = "Cannot allocate memory";
/// How wasmtime's own error for an allocation that failed begins.
const OUT_OF_MEMORY: &str = "out of memory (failed to allocate ";

/// Whether the chain of an error ends with the want of memory as its cause.
fn ends_for_memory(message: &str) -> bool {
    let kernel = message.strip_suffix(" (os error 12)");
    let bytes = message.strip_suffix(" bytes)").unwrap_or_default();
    kernel.is_some_and(|message| message.ends_with(ENOMEM))
        || bytes.rsplit_once(OUT_OF_MEMORY).is_some_and(|(_, bytes)| {
            !bytes.is_empty() && bytes.bytes().all(|byte| byte.is_ascii_digit())
        })
}

/// Whether a process broke down for want of memory. All that can find none say so in words: Rust's allocator before it
/// aborts, wasmtime when the kernel refuses a mapping, and the engine's containers, which panic.
pub(crate) fn cries_for_memory(cry: &str) -> bool {
    ["memory allocation of", ENOMEM, OUT_OF_MEMORY]
        .iter()
        .any(|words| cry.contains(words))
}
