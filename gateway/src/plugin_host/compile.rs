//! What needs a limited child process, from the parent's side: compiling an upload, checking settings against a schema,
//! reading debug information.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;

use super::child::Work;
use super::child_process::{self, ChildError, ChildLimits};
use super::limits::{
    COMPONENT_BYTES, SETTINGS_BYTES, SETTINGS_CHECK_CPU, SETTINGS_CHECK_MEMORY,
    SETTINGS_CHECK_WALL, SETTINGS_CHECKS_AT_ONCE, SOURCE_LINES_BYTES, SOURCE_LINES_CPU,
    SOURCE_LINES_MEMORY, SOURCE_LINES_WALL,
};
use super::manifest::Manifest;
use super::settings::{self, SettingsError};
use super::source_lines::{self, SourceLine, SourceLinesError};

/// What one compilation may take.
#[derive(Debug, Clone, Serialize, Deserialize)]
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

impl From<ChildError> for CompileError {
    fn from(error: ChildError) -> Self {
        match error {
            ChildError::Refused(why) => Self::Refused(why),
            ChildError::CpuTime => Self::CpuTime,
            ChildError::WallTime => Self::WallTime,
            ChildError::Memory => Self::Memory,
            ChildError::Stack => Self::Refused("it is nested too deeply".to_owned()),
            ChildError::OutputSize => Self::ArtifactSize,
            ChildError::Crashed { status, message } => Self::Crashed { status, message },
            ChildError::Start(error) => Self::Start(error),
            ChildError::Talk(error) => Self::Talk(error),
        }
    }
}

/// Compiles uploads, checks settings and reads debug information, each in a process of its own.
#[derive(Debug)]
pub struct Compiler {
    exe: PathBuf,
    limits: CompileLimits,
    room: Semaphore,
    room_for_settings: Semaphore,
    room_for_lines: Semaphore,
}

impl Compiler {
    /// `exe`: this gateway's binary, which takes the hidden verb [`super::CHILD_VERB`].
    pub fn new(exe: PathBuf, limits: CompileLimits) -> Self {
        Self {
            exe,
            room: Semaphore::new(limits.at_once.max(1)),
            room_for_settings: Semaphore::new(SETTINGS_CHECKS_AT_ONCE),
            room_for_lines: Semaphore::new(1),
            limits,
        }
    }

    /// What one compilation may take here.
    pub fn limits(&self) -> &CompileLimits {
        &self.limits
    }

    /// The binary that is started.
    pub fn exe(&self) -> &Path {
        &self.exe
    }

    /// Compiles a component into an artifact for this gateway's engine. Dropping the future kills the child.
    pub async fn compile(&self, component: Vec<u8>) -> Result<Vec<u8>, CompileError> {
        if component.len() > COMPONENT_BYTES {
            return Err(CompileError::TooLarge);
        }
        let _place = self.room.acquire().await.expect("never closed");
        let limits = ChildLimits {
            memory: self.limits.memory,
            cpu: self.limits.cpu,
            wall: self.limits.wall,
            output: self.limits.artifact,
        };
        Ok(child_process::run(&self.exe, Work::Compile, &limits, &component).await?)
    }

    /// Checks settings against the plugin's schema; without one any object of a bounded size is taken. Answers them with
    /// the schema's defaults filled in: what the plugin is to see. Dropping the future kills the child.
    pub async fn check_settings(
        &self,
        manifest: &Manifest,
        settings: Map<String, Value>,
    ) -> Result<Map<String, Value>, SettingsError> {
        settings::check_size(&settings)?;
        let Some(schema) = &manifest.config_schema else {
            return Ok(settings);
        };
        let place = self.room_for_settings.acquire().await;
        let _place = place.expect("never closed");
        let limits = ChildLimits {
            memory: SETTINGS_CHECK_MEMORY,
            cpu: SETTINGS_CHECK_CPU,
            wall: SETTINGS_CHECK_WALL,
            output: 2 * SETTINGS_BYTES as u64,
        };
        let question = settings::question(schema, &settings);
        let said = child_process::run(&self.exe, Work::CheckSettings, &limits, &question).await;
        settings::verdict(said)
    }

    /// The lines of its source that stand at these offsets of a component, inlined functions first; none for what its debug
    /// information does not know. Dropping the future kills the child.
    pub async fn source_lines(
        &self,
        component: &[u8],
        offsets: &[u64],
    ) -> Result<Vec<Vec<SourceLine>>, SourceLinesError> {
        let _place = self.room_for_lines.acquire().await.expect("never closed");
        let limits = ChildLimits {
            memory: SOURCE_LINES_MEMORY,
            cpu: SOURCE_LINES_CPU,
            wall: SOURCE_LINES_WALL,
            output: SOURCE_LINES_BYTES,
        };
        let question = source_lines::question(component, offsets);
        source_lines::verdict(
            child_process::run(&self.exe, Work::SourceLines, &limits, &question).await,
        )
    }
}
