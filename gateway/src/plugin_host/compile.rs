//! Compiling an upload, from the parent's side: start the child, feed it, bound it, read its verdict.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

use super::compile_child::{CHILD_VERB, REFUSED};
use super::limits::COMPONENT_BYTES;

/// What one compilation may take.
#[derive(Debug, Clone)]
pub struct CompileLimits {
    /// Address space of the child.
    pub memory: u64,
    pub cpu: Duration,
    /// From start to end, waiting included.
    pub wall: Duration,
    /// Bytes of machine code: SpiderMonkey's 12 MB become 35.
    pub artifact: u64,
    /// Children at the same time.
    pub at_once: usize,
}

impl Default for CompileLimits {
    /// What SpiderMonkey needs (20 s of CPU, plugin-hosts.md §2.3) with room to spare, one after the other.
    fn default() -> Self {
        Self {
            memory: 2 << 30,
            cpu: Duration::from_secs(60),
            wall: Duration::from_secs(120),
            artifact: 128 << 20,
            at_once: 1,
        }
    }
}

/// Why there is no artifact.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The upload's fault: not a valid component, or one that uses what this host does not offer.
    #[error("the component is not valid: {0}")]
    Refused(String),
    #[error("compiling takes more than its CPU time")]
    CpuTime,
    #[error("compiling takes longer than it may")]
    WallTime,
    #[error("compiling takes more memory than it may")]
    Memory,
    #[error("the machine code is larger than it may be")]
    ArtifactSize,
    #[error("larger than {COMPONENT_BYTES} bytes")]
    TooLarge,
    #[error("the compiler crashed ({status}): {message}")]
    Crashed { status: String, message: String },
    #[error("cannot start the compiling process")]
    Start(#[source] std::io::Error),
    #[error("cannot talk to the compiling process")]
    Talk(#[source] std::io::Error),
}

/// Compiles uploads, each in a process of its own.
#[derive(Debug)]
pub struct Compiler {
    exe: PathBuf,
    limits: CompileLimits,
    room: Semaphore,
}

impl Compiler {
    /// `exe`: this gateway's binary, which takes the hidden verb [`CHILD_VERB`].
    pub fn new(exe: PathBuf, limits: CompileLimits) -> Self {
        let room = Semaphore::new(limits.at_once.max(1));
        Self { exe, limits, room }
    }

    /// Compiles a component into an artifact for this gateway's engine. Dropping the future kills the child.
    pub async fn compile(&self, component: Vec<u8>) -> Result<Vec<u8>, CompileError> {
        if component.len() > COMPONENT_BYTES {
            return Err(CompileError::TooLarge);
        }
        let _place = self.room.acquire().await.expect("never closed");
        let mut child = self.start()?;
        let talk = converse(&mut child, &component, self.limits.artifact);
        let said = match tokio::time::timeout(self.limits.wall, talk).await {
            Ok(said) => said.map_err(CompileError::Talk)?,
            Err(_) => return Err(kill(child, CompileError::WallTime).await),
        };
        if said.artifact.len() as u64 > self.limits.artifact {
            return Err(kill(child, CompileError::ArtifactSize).await);
        }
        match said.status {
            Some(status) if status.success() => Ok(said.artifact),
            Some(status) => Err(verdict(status, &said.message)),
            None => Err(kill(child, CompileError::WallTime).await),
        }
    }

    fn start(&self) -> Result<Child, CompileError> {
        Command::new(&self.exe)
            .arg(CHILD_VERB)
            .arg(self.limits.memory.to_string())
            .arg(self.limits.cpu.as_secs().max(1).to_string())
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(CompileError::Start)
    }
}

struct Said {
    artifact: Vec<u8>,
    message: String,
    status: Option<ExitStatus>,
}

/// Bytes of stderr that are read.
const MESSAGE_BYTES: u64 = 8 << 10;

/// Feeds and reads at the same time: either side may fill its pipe first.
async fn converse(child: &mut Child, component: &[u8], most: u64) -> std::io::Result<Said> {
    let mut stdin = child.stdin.take();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let feed = async move {
        if let Some(stdin) = &mut stdin {
            // A child that stops reading has said why on stderr.
            let _ = stdin.write_all(component).await;
        }
    };
    let ((), artifact, message) = tokio::join!(
        feed,
        read_up_to(stdout, most + 1),
        read_up_to(stderr, MESSAGE_BYTES)
    );
    let (artifact, message) = (artifact?, message?);
    let status = if artifact.len() as u64 > most {
        None
    } else {
        Some(child.wait().await?)
    };
    Ok(Said {
        artifact,
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

async fn kill(mut child: Child, error: CompileError) -> CompileError {
    // Already dead is as good.
    let _ = child.kill().await;
    error
}

fn verdict(status: ExitStatus, message: &str) -> CompileError {
    if status.code() == Some(i32::from(REFUSED)) {
        return CompileError::Refused(message.to_owned());
    }
    // Both say so in words: Rust's allocator before it aborts, wasmtime when the kernel refuses a mapping.
    if message.contains("memory allocation of") || message.contains("Cannot allocate memory") {
        return CompileError::Memory;
    }
    match status.signal() {
        // The soft limit's signal. The hard limit is later, so a SIGKILL is somebody else's: the kernel's, for want of
        // memory, or an operator's.
        Some(libc::SIGXCPU) => CompileError::CpuTime,
        _ => CompileError::Crashed {
            status: status.to_string(),
            message: message.to_owned(),
        },
    }
}
