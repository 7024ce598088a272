//! What needs a limited child process, from the parent's side: compiling an upload, checking settings against a schema,
//! reading debug information.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::{OwnedMutexGuard, Semaphore, SemaphorePermit};

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
use crate::domain::TenantId;
use crate::sync::lock;

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
    /// One for each tenant that has something to compile.
    tenants: Mutex<HashMap<TenantId, Arc<tokio::sync::Mutex<()>>>>,
    room_for_settings: Semaphore,
    room_for_lines: Semaphore,
}

/// A place among those that compile, until it is dropped.
#[derive(Debug)]
pub struct CompileTurn<'a> {
    compiler: &'a Compiler,
    _place: SemaphorePermit<'a>,
    _tenant: Option<OwnedMutexGuard<()>>,
}

impl CompileTurn<'_> {
    /// Compiles a component into an artifact for this gateway's engine. Dropping the future kills the child.
    pub async fn compile(&self, component: &[u8]) -> Result<Vec<u8>, CompileError> {
        if component.len() > COMPONENT_BYTES {
            return Err(CompileError::TooLarge);
        }
        let own = &self.compiler.limits;
        let limits = ChildLimits {
            memory: own.memory,
            cpu: own.cpu,
            wall: own.wall,
            output: own.artifact,
        };
        let exe = &self.compiler.exe;
        Ok(child_process::run(exe, Work::Compile, &limits, component).await?)
    }
}

impl Compiler {
    /// `exe`: this gateway's binary, which takes the hidden verb [`super::CHILD_VERB`].
    pub fn new(exe: PathBuf, limits: CompileLimits) -> Self {
        Self {
            exe,
            room: Semaphore::new(limits.at_once.max(1)),
            tenants: Mutex::default(),
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

    /// Waits for a place, and compiles.
    pub async fn compile(&self, component: impl AsRef<[u8]>) -> Result<Vec<u8>, CompileError> {
        let turn = CompileTurn {
            compiler: self,
            _place: self.place().await,
            _tenant: None,
        };
        turn.compile(component.as_ref()).await
    }

    /// Waits for a place for something of a tenant's. Of each tenant one has or awaits a place at a time, so that tenants
    /// come one after the other, however much one of them has brought.
    pub async fn turn_of(&self, tenant: TenantId) -> CompileTurn<'_> {
        let gate = {
            let mut tenants = lock(&self.tenants);
            tenants.retain(|_, gate| Arc::strong_count(gate) > 1);
            tenants.entry(tenant).or_default().clone()
        };
        let alone = gate.lock_owned().await;
        CompileTurn {
            compiler: self,
            _place: self.place().await,
            _tenant: Some(alone),
        }
    }

    async fn place(&self) -> SemaphorePermit<'_> {
        self.room.acquire().await.expect("never closed")
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

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    const ONE: TenantId = TenantId::from_raw(1);
    const OTHER: TenantId = TenantId::from_raw(2);

    fn compiler(at_once: usize) -> Compiler {
        let limits = CompileLimits {
            at_once,
            ..CompileLimits::default()
        };
        Compiler::new("/nonexistent".into(), limits)
    }

    #[tokio::test]
    async fn a_tenant_has_one_turn_at_a_time_however_much_room_there_is() {
        let compiler = compiler(3);
        let first = compiler.turn_of(ONE).now_or_never().expect("room");
        assert!(compiler.turn_of(ONE).now_or_never().is_none());
        let _other = compiler.turn_of(OTHER).now_or_never().expect("room");
        drop(first);
        let _second = compiler.turn_of(ONE).now_or_never().expect("its turn");
        let _third = compiler.place().now_or_never().expect("the last place");
        assert!(compiler.place().now_or_never().is_none());
    }

    #[tokio::test]
    async fn who_brought_much_is_not_before_who_brought_one() {
        let compiler = compiler(1);
        let first = compiler.turn_of(ONE).await;
        let mut second = Box::pin(compiler.turn_of(ONE));
        let mut other = Box::pin(compiler.turn_of(OTHER));
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut other).now_or_never().is_none());
        drop(first);
        assert!((&mut second).now_or_never().is_none());
        drop((&mut other).now_or_never().expect("before the second"));
        drop(second.now_or_never().expect("the last"));
        // Whoever waits no more is forgotten.
        drop(compiler.turn_of(OTHER).await);
        assert_eq!(lock(&compiler.tenants).len(), 1);
    }
}
