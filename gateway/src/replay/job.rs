//! A replay as a job of the API: queued, looked at, cancelled like any other; its report is its result.
//!
//! A step only looks. The work is a task of this node that reads the journal and feeds a [`child`] process; when the node
//! ends, or the job gets another owner, it is begun again from its start: a replay changes nothing. A node has one place:
//! those that wait for it have no steps, and tenants take it in turn.

use std::collections::{BTreeSet, HashMap};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::process::Command;
use tokio::task::AbortHandle;

use super::child::{Begin, Said, Told, VERB};
use super::read::{self, Asked, just_before};
use super::recorded::Entry;
use super::rehearsal::{parts_of, with_causes};
use super::source;
use super::stage::{PartKey, memory};
use super::words;
use crate::domain::{Bucket, InstallationId, JobId, TenantId, Timestamp};
use crate::jobs::{self, JobKind, Step, StepError};
use crate::ownership::Owned;
use crate::plugin_host::{CompileLimits, Limits, cries_for_memory};
use crate::storage::buckets::Lease;
use crate::storage::jobs::{self as stored, Job};
use crate::storage::{StorageError, Tx, components, replay_reports, replays};
use crate::sync::lock;
use crate::tenants::{SetupContext, SetupError};

/// What is to be replayed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewReplay {
    pub installation: InstallationId,
    /// The digest of an upload.
    pub candidate: String,
    pub since: Timestamp,
    pub until: Option<Timestamp>,
    /// Most turns, the oldest first.
    pub limit: usize,
    pub bounds: Vec<String>,
}

/// The kind of job.
#[derive(Debug)]
pub struct ReplayJob {
    setup: SetupContext,
    /// Whose jobs this node works on.
    owned: Owned,
    exe: PathBuf,
    limits: Limits,
    compile: CompileLimits,
    under_way: Mutex<HashMap<JobId, UnderWay>>,
}

/// On one node: a replay takes every core that others leave.
const PLACES: usize = 1;

#[derive(Debug)]
struct UnderWay {
    news: Arc<Mutex<News>>,
    task: AbortHandle,
    /// What it was begun under. Under another one the job may have been somebody else's in between, and be over.
    lease: Option<Lease>,
    looked_at: Timestamp,
}

/// How far it got.
#[derive(Debug, Default)]
struct News {
    done: i64,
    total: Option<i64>,
    ended: Option<Result<Value, String>>,
}

/// Between two looks at a replay under way.
const LOOK: Duration = Duration::from_secs(1);
/// From start to end. A guess: the most turns of a slow plugin on a busy machine.
const WALL: Duration = Duration::from_secs(3_600);
/// Bytes of turns that one replay takes: the child holds them all.
const BYTES: usize = 256 << 20;
/// Bytes of what the child says.
const SAID: u64 = 64 << 20;
/// A task that no step has looked at for so long belongs to a job that is gone. Longer than the longest round of steps that a
/// busy runner makes: it must not take its own place away.
const FORGOTTEN: Duration = Duration::from_secs(600);

impl ReplayJob {
    pub const NAME: &'static str = replay_reports::KIND;

    /// `exe`: this gateway's binary.
    pub fn new(
        setup: SetupContext,
        owned: Owned,
        exe: PathBuf,
        limits: Limits,
        compile: CompileLimits,
    ) -> Self {
        Self {
            setup,
            owned,
            exe,
            limits,
            compile,
            under_way: Mutex::default(),
        }
    }

    fn lease(&self, job: JobId) -> Option<Lease> {
        self.owned.borrow().lease(Bucket::spread(job.raw()))
    }

    /// What is under way here, is this node's to do, and is still looked at.
    fn under_way(&self, now: Timestamp) -> MutexGuard<'_, HashMap<JobId, UnderWay>> {
        let mut under_way = lock(&self.under_way);
        under_way.retain(|job, one| {
            let is_ours = one.lease.is_some() && one.lease == self.lease(*job);
            let kept = is_ours && one.looked_at.plus(FORGOTTEN) >= now;
            if !kept {
                one.task.abort();
            }
            kept
        });
        under_way
    }

    /// Answers also whether the work begins with this step.
    fn look(&self, job: &Job) -> Result<(Step, bool), StepError> {
        let asked: NewReplay = serde_json::from_str(&job.params)
            .map_err(|error| StepError::Refused(format!("the job does not read: {error}")))?;
        let now = self.setup.clock.now();
        let mut under_way = self.under_way(now);
        let begins = !under_way.contains_key(&job.id);
        let own = under_way
            .entry(job.id)
            .or_insert_with(|| self.begin(job, asked, now));
        own.looked_at = now;
        let news = lock(&own.news);
        let step = Step {
            // After a new beginning it counts from the start.
            done: (news.done - job.done).max(0),
            total: news.total,
            progress: json!({"replayed": news.done}),
            wait: Some(LOOK),
            ..Step::default()
        };
        // Looked at and not taken: the commit of this step may fail.
        match news.ended.clone() {
            None => Ok((step, begins)),
            Some(Ok(report)) => {
                let step = Step {
                    result: Some(report),
                    wait: None,
                    ..step
                };
                Ok((step, begins))
            }
            Some(Err(why)) => Err(StepError::Refused(why)),
        }
    }

    fn begin(&self, job: &Job, asked: NewReplay, now: Timestamp) -> UnderWay {
        let news = Arc::new(Mutex::new(News::default()));
        let work = Work {
            setup: self.setup.clone(),
            exe: self.exe.clone(),
            limits: self.limits.clone(),
            compile: self.compile.clone(),
            tenant: job.tenant,
            asked,
            news: news.clone(),
        };
        let told = news.clone();
        let task = tokio::spawn(async move {
            let ended = tokio::time::timeout(WALL, work.run()).await;
            let ended = ended.unwrap_or_else(|_| Err("it took longer than it may".to_owned()));
            lock(&told).ended = Some(ended);
        });
        UnderWay {
            news,
            task: task.abort_handle(),
            lease: self.lease(job.id),
            looked_at: now,
        }
    }
}

impl JobKind for ReplayJob {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn full(&self) -> Option<Vec<JobId>> {
        let under_way = self.under_way(self.setup.clock.now());
        (under_way.len() >= PLACES).then(|| under_way.keys().copied().collect())
    }

    fn step<'a>(&'a self, tx: &'a mut Tx, job: &'a Job) -> BoxFuture<'a, Result<Step, StepError>> {
        async move {
            let (mut step, begins) = self.look(job)?;
            if let Some(report) = &mut step.result {
                // Somebody may have been erased since their turns were read.
                words::take_out_gone(tx, job.tenant, report).await?;
            }
            if begins {
                // Then it is another tenant's turn, however many this one has queued.
                let now = self.setup.clock.now();
                stored::go_behind(tx, job.tenant, job, now).await?;
            }
            Ok(step)
        }
        .boxed()
    }

    fn ended<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<(), StorageError>> {
        if let Some(under_way) = lock(&self.under_way).remove(&job.id) {
            // With it goes the child.
            under_way.task.abort();
        }
        std::future::ready(Ok(())).boxed()
    }
}

/// One replay, from the journal to the report.
struct Work {
    setup: SetupContext,
    exe: PathBuf,
    limits: Limits,
    compile: CompileLimits,
    tenant: TenantId,
    asked: NewReplay,
    news: Arc<Mutex<News>>,
}

impl Work {
    async fn run(&self) -> Result<Value, String> {
        let mut child = Command::new(&self.exe)
            .arg(VERB)
            .arg(memory(&self.limits).to_string())
            .env_clear()
            // The allocator would set a gibibyte aside, which the child's bound counts.
            .env("MIMALLOC_ARENA_RESERVE", "0")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("cannot start the process: {error}"))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err("the process has no pipes".to_owned());
        };
        let (fed, said, cry) =
            tokio::join!(self.feed(stdin), self.listen(stdout), last_words(stderr));
        let more = fed?;
        let Some(mut report) = said? else {
            let status = child.wait().await.map_err(|error| error.to_string())?;
            return Err(without_a_word(status, &cry));
        };
        report["more_turns"] = more.into();
        Ok(report)
    }

    /// Tells the child everything. Answers whether there were more turns than it may have.
    async fn feed(&self, mut to: impl AsyncWrite + Unpin) -> Result<bool, String> {
        let mut ran = BTreeSet::new();
        let more = self.turns(&mut to, &mut ran).await?;
        for key in ran {
            let setup = read::setup_of(&self.setup, &self.name(), key.0, Some(key.1)).await;
            // What is not kept any more: its turns are left out, and counted.
            if let Ok(setup) = setup {
                write(&mut to, &Told::Part(key, Box::new(setup))).await;
            }
        }
        let own = read::setup_of(&self.setup, &self.name(), self.asked.installation, None).await;
        let begin = Begin {
            installation: self.asked.installation,
            candidate: STANDARD.encode(self.candidate().await?),
            own: own.map_err(|error| with_causes(&error))?,
            bounds: self.asked.bounds.clone(),
            limits: self.limits.clone(),
            compile: self.compile.clone(),
        };
        write(&mut to, &Told::Begin(Box::new(begin))).await;
        Ok(more)
    }

    async fn turns(
        &self,
        to: &mut (impl AsyncWrite + Unpin),
        ran: &mut BTreeSet<PartKey>,
    ) -> Result<bool, String> {
        let now = self.setup.clock.now();
        let mut asked = Asked {
            tenant: self.name(),
            installation: self.asked.installation,
            after: just_before(self.asked.since),
            before: self.asked.until.unwrap_or(now).min(now),
        };
        let (mut turns, mut bytes) = (0, 0);
        loop {
            let page = read::page(&self.setup, &asked).await;
            let page = page.map_err(|error| with_causes(&error))?;
            for entry in page.entries {
                if turns >= self.asked.limit || bytes >= BYTES {
                    return Ok(true);
                }
                if let Entry::Whole(recorded) = &entry {
                    ran.extend(parts_of([&**recorded]));
                }
                turns += 1;
                bytes += write(to, &Told::Entry(Box::new(entry))).await;
            }
            match page.next {
                Some(next) => asked.after = next,
                None => return Ok(false),
            }
        }
    }

    /// Services find a tenant by its name or its id.
    fn name(&self) -> String {
        self.tenant.to_string()
    }

    async fn candidate(&self) -> Result<Vec<u8>, String> {
        let read = async {
            let mut tx = self.setup.db.read().await?;
            source::component(&mut tx, self.tenant, &self.asked.candidate).await
        };
        let read: Result<_, SetupError> = read.await;
        let wasm = read.map_err(|error| with_causes(&error))?;
        wasm.ok_or_else(|| "the candidate is not kept any more".to_owned())
    }

    /// Reads to the report.
    async fn listen(&self, from: impl AsyncRead + Unpin) -> Result<Option<Value>, String> {
        let mut lines = BufReader::new(from.take(SAID)).lines();
        while let Some(line) = lines.next_line().await.map_err(|error| error.to_string())? {
            match serde_json::from_str(&line).map_err(|error| error.to_string())? {
                Said::Replayed { done, total } => {
                    let mut news = lock(&self.news);
                    news.done = i64::try_from(done).unwrap_or(i64::MAX);
                    news.total = i64::try_from(total).ok();
                }
                Said::Report(report) => return Ok(Some(report)),
                Said::Refused(why) => return Err(why),
            }
        }
        Ok(None)
    }
}

/// What a process that breaks down says of it, as far as it is needed to know why. Reads to the end, so that nobody waits
/// for a full pipe.
async fn last_words(mut from: impl AsyncRead + Unpin) -> String {
    const MOST: u64 = 8 << 10;
    let mut cry = Vec::new();
    let _ = (&mut from).take(MOST).read_to_end(&mut cry).await;
    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&cry).into_owned()
}

/// The cry is read and not told: it may repeat what people said.
fn without_a_word(status: ExitStatus, cry: &str) -> String {
    let why = match status.signal() {
        _ if cries_for_memory(cry) => {
            "it needed more memory than a replay may have; take fewer turns".to_owned()
        }
        Some(libc::SIGXCPU) => "it took more CPU time than a replay may".to_owned(),
        Some(libc::SIGKILL) => "it was killed, perhaps for want of memory".to_owned(),
        _ => status.to_string(),
    };
    format!("the process ended without a word: {why}")
}

/// Writes one line; how many bytes it had. A child that stopped reading has said why, or is found to be gone.
async fn write(to: &mut (impl AsyncWrite + Unpin), told: &Told) -> usize {
    let mut line = serde_json::to_vec(told).unwrap_or_default();
    line.push(b'\n');
    let _ = to.write_all(&line).await;
    line.len()
}

/// Queues a replay.
pub async fn begin(
    setup: &SetupContext,
    tenant: TenantId,
    new: &NewReplay,
) -> Result<Job, SetupError> {
    let mut tx = setup.db.read().await?;
    let known = replays::installed(&mut tx, tenant, new.installation, None).await?;
    let id = new.installation;
    known.ok_or_else(|| SetupError::not_found("installation", &id.to_string()))?;
    let upload = components::component(&mut tx, tenant, &new.candidate).await?;
    upload.ok_or_else(|| SetupError::not_found("digest", &new.candidate))?;
    drop(tx);
    let mut tx = setup.db.begin().await?;
    let job = jobs::queue(setup, &mut tx, tenant, ReplayJob::NAME, &json!(new), None).await?;
    let became = Some(json!({"candidate": new.candidate, "job": job.id}));
    setup
        .record(&mut tx, tenant, "installation.replay", id, None, became)
        .await?;
    setup.commit(tx).await?;
    Ok(job)
}

/// A report without what people and plugins said: for those who may see jobs and no conversations.
pub fn without_words(report: &mut Value) {
    let differences = report["differences"].as_array_mut();
    differences.into_iter().flatten().for_each(without_words_of);
}

pub(super) fn without_words_of(difference: &mut Value) {
    if let Some(fields) = difference.as_object_mut() {
        let stays = ["conversation", "turn", "at", "gone"];
        fields.retain(|name, _| stays.contains(&name.as_str()));
    }
}

#[cfg(test)]
mod tests;
