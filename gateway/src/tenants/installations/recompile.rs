//! After an upgrade of wasmtime: every component is compiled anew for this engine, in the background, what ran lately first.
//!
//! A turn whose component is not ready waits ([`Wanted`] brings it to the front); nothing of it is lost and nothing
//! falls back. Nodes share the work by claims, and a fleet of two versions keeps the artifacts of both. What fails is
//! tried again as `verdict.rs` says. The bytes come from the database, which is not believed: what is compiled under a
//! digest is of that digest, and what is sealed with it stands in the same bytes.

mod verdict;

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::verdict::Verdict;
use super::upload::sealed;
use super::{Result, SetupContext, SetupError, engine_name};
use crate::domain::{TenantId, Timestamp};
use crate::plugin_host::{ArtifactId, Compiler, ComponentDigest, Manifest, inspect};
use crate::storage::{compile_work, components};
use crate::sync::{blocking, lock};
use crate::telemetry::names;

/// Components that turns wait for. Whoever compiles takes them first.
#[derive(Debug, Default)]
pub struct Wanted {
    waiting: Mutex<VecDeque<String>>,
    news: Notify,
}

impl Wanted {
    /// A turn of this tenant has no artifact to run.
    pub fn want(&self, tenant: TenantId, digest: &str) {
        let mut waiting = lock(&self.waiting);
        if !waiting.iter().any(|known| known == digest) {
            tracing::info!(%tenant, digest, "a turn waits for a component to be compiled for this engine");
            waiting.push_back(digest.to_owned());
            self.news.notify_one();
        }
    }

    fn take(&self) -> Option<String> {
        lock(&self.waiting).pop_front()
    }

    /// Those that nobody has taken on yet.
    pub fn waiting(&self) -> Vec<String> {
        lock(&self.waiting).iter().cloned().collect()
    }
}

/// Compiles what lacks an artifact of this engine.
pub struct Recompiler {
    pub setup: SetupContext,
    /// Its own: with room for [`Self::children`] and one more, and never behind an upload.
    pub compiler: Arc<Compiler>,
    pub wanted: Arc<Wanted>,
    /// The node's name, of this life.
    pub holder: String,
    /// Components that are compiled at the same time, beside one that a turn waits for.
    pub children: usize,
    /// How many a minute each child compiles, beside those that turns wait for.
    pub per_minute: u32,
    /// How long a claim holds: longer than a compilation may take.
    pub claim: Duration,
}

/// Between two looks while nothing is missing: another node may have taken an upload for its own engine.
const LOOK: Duration = Duration::from_secs(60);
/// After a trouble of ours: no memory for a child, no database.
const AGAIN: Duration = Duration::from_secs(5);
/// Digests that one look finds.
const FOUND: i64 = 20_000;
/// Artifacts of other engines are kept so long, for a way back to the version before.
const OTHERS_KEPT: Duration = Duration::from_hours(7 * 24);
/// Artifacts that one transaction forgets: each is some hundred kilobytes.
const FORGOTTEN_AT_ONCE: i64 = 16;

/// What became of one component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Compiled,
    Refused,
    /// Another node has it, or had it a moment ago; or it failed a moment ago.
    Elsewhere,
}

/// What is still to do, for all workers.
#[derive(Default)]
struct Queue {
    missing: VecDeque<String>,
    /// What was passed by: asked for again when the rest is done.
    passed: HashSet<String>,
}

/// A component that was taken on.
struct Work {
    /// Whose it is.
    owners: Vec<TenantId>,
    tries: i64,
}

impl Recompiler {
    pub async fn keep(self, stop: CancellationToken) {
        let queue = tokio::sync::Mutex::default();
        let workers = (0..self.children.max(1)).map(|n| self.work(n, &queue, &stop));
        tokio::join!(self.work_for_turns(&stop), join_all(workers));
    }

    /// One is always there for what turns wait for: the others may be at what takes long.
    async fn work_for_turns(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            match self.wanted.take() {
                // A turn that still waits asks again.
                Some(digest) => {
                    let _ = self.try_one(&digest, stop).await;
                }
                None => tokio::select! {
                    () = stop.cancelled() => {}
                    () = self.wanted.news.notified() => {}
                },
            }
        }
    }

    async fn work(&self, n: usize, queue: &tokio::sync::Mutex<Queue>, stop: &CancellationToken) {
        let pause = Duration::from_secs(60) / self.per_minute.max(1);
        while !stop.is_cancelled() {
            let (urgent, digest) = match self.wanted.take() {
                Some(digest) => (true, Some(digest)),
                None => (false, self.next(n, queue).await),
            };
            let wait = match digest {
                None => LOOK,
                Some(digest) => match self.try_one(&digest, stop).await {
                    Some(Done::Elsewhere) => {
                        queue.lock().await.passed.insert(digest);
                        Duration::ZERO
                    }
                    Some(_) if urgent => Duration::ZERO,
                    Some(_) => pause,
                    None => AGAIN,
                },
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.wanted.news.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// The first worker looks when nothing is left, so that many idle ones ask the database once.
    async fn next(&self, n: usize, queue: &tokio::sync::Mutex<Queue>) -> Option<String> {
        let mut queue = queue.lock().await;
        if queue.missing.is_empty() && n == 0 {
            queue.missing = self.look(&mut queue.passed).await;
        }
        metrics::gauge!(names::PLUGINS_TO_COMPILE).set(queue.missing.len() as f64);
        queue.missing.pop_front()
    }

    /// None: it could not be said what becomes of it.
    async fn try_one(&self, digest: &str, stop: &CancellationToken) -> Option<Done> {
        match self.one(digest, stop).await {
            Ok(done) => Some(done),
            Err(error) => {
                metrics::counter!(names::PLUGINS_RECOMPILED, "result" => "failed").increment(1);
                tracing::warn!(digest, %error, "a component could not be compiled anew yet");
                None
            }
        }
    }

    /// What is missing, in the order in which it is wanted. What other nodes have is asked for when the rest is done.
    async fn look(&self, passed: &mut HashSet<String>) -> VecDeque<String> {
        match self.missing().await {
            Ok(missing) => {
                let all = missing.len();
                let rest: VecDeque<String> = missing
                    .into_iter()
                    .filter(|digest| !passed.remove(digest))
                    .collect();
                if !rest.is_empty() {
                    tracing::info!(
                        components = all,
                        "components are compiled anew for this engine"
                    );
                } else if all == 0 {
                    self.forget_others().await;
                }
                rest
            }
            Err(error) => {
                tracing::warn!(%error, "what is to be compiled anew could not be read");
                VecDeque::new()
            }
        }
    }

    async fn missing(&self) -> Result<Vec<String>> {
        let engine = self.engine()?;
        let now = self.setup.clock.now();
        let mut tx = self.setup.db.read().await?;
        Ok(compile_work::missing_all_tenants(&mut tx, &engine, now, FOUND).await?)
    }

    fn engine(&self) -> Result<String> {
        Ok(engine_name(&current(ComponentDigest([0; 32]))?))
    }

    async fn one(&self, digest: &str, stop: &CancellationToken) -> Result<Done> {
        let bytes = hex::decode(digest)
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        let id = current(ComponentDigest(bytes.unwrap_or_default()))?;
        let engine = engine_name(&id);
        let Some(work) = self.take_on(digest, &engine).await? else {
            return Ok(Done::Elsewhere);
        };
        let compiled = tokio::select! {
            biased;
            () = stop.cancelled() => {
                // Whoever comes next, be it this node, need not wait for the claim to run out. That this node stops is no
                // failure of the component's.
                self.release((digest, &engine), self.setup.clock.now(), 1).await?;
                return Ok(Done::Elsewhere);
            }
            compiled = self.compile(&id, digest) => compiled,
        };
        let sealed = match compiled {
            Ok(sealed) => sealed,
            Err(error) => {
                return self
                    .not_compiled(&id, (digest, &engine), work.tries, error)
                    .await;
            }
        };
        self.keep_artifact(digest, &engine, &work.owners, &sealed)
            .await?;
        metrics::counter!(names::PLUGINS_RECOMPILED, "result" => "compiled").increment(1);
        tracing::info!(digest, "a component was compiled anew for this engine");
        Ok(Done::Compiled)
    }

    /// None: somebody else has it, or it is gone.
    async fn take_on(&self, digest: &str, engine: &str) -> Result<Option<Work>> {
        let now = self.setup.clock.now();
        let until = now.plus(self.claim);
        let mut tx = self.setup.db.begin().await?;
        let owners = compile_work::owners_all_tenants(&mut tx, digest, engine).await?;
        if owners.is_empty()
            || !compile_work::claim_all_tenants(&mut tx, (digest, engine), &self.holder, now, until)
                .await?
        {
            return Ok(None);
        }
        let tries = compile_work::tries_all_tenants(&mut tx, digest, engine).await?;
        tx.commit().await?;
        Ok(Some(Work { owners, tries }))
    }

    async fn compile(&self, id: &ArtifactId, digest: &str) -> Result<Bytes> {
        let wasm = self.source(id, digest).await?;
        let machine_code = self.compiler.compile(wasm.clone()).await?;
        let manifest = blocking(move || manifest_in(&wasm)).await?;
        sealed(&self.setup, id, machine_code, &manifest).await
    }

    /// Of the first owner whose row is of the digest: what is sealed is believed from then on. A row that somebody altered
    /// costs nobody the artifact while another has the bytes.
    async fn source(&self, id: &ArtifactId, digest: &str) -> Result<Bytes> {
        let (mut after, mut why) = (None, None);
        loop {
            let mut tx = self.setup.db.read().await?;
            let stored = compile_work::source_all_tenants(&mut tx, digest, after).await?;
            drop(tx);
            let Some(stored) = stored else {
                return Err(why.unwrap_or_else(|| SetupError::not_found("digest", digest)));
            };
            let tenant = stored.tenant;
            match checked(id.component, stored.wasm).await {
                Ok(wasm) => return Ok(wasm),
                Err(error) => {
                    tracing::warn!(%error, tenant, digest, "a stored component is passed over");
                    (after, why) = (Some(tenant), Some(error));
                }
            }
        }
    }

    /// It is tried again in a while, or known to be refused for a time.
    async fn not_compiled(
        &self,
        id: &ArtifactId,
        work: (&str, &str),
        tries: i64,
        error: SetupError,
    ) -> Result<Done> {
        let now = self.setup.clock.now();
        let (problem, kept) = match verdict::of(error, tries) {
            Verdict::Refused { problem, kept } => (problem, kept),
            Verdict::Later(error) => {
                let until = now.plus(verdict::pause(&id.component, tries));
                self.release(work, until, 0).await?;
                return Err(error);
            }
        };
        metrics::counter!(names::PLUGINS_RECOMPILED, "result" => "refused").increment(1);
        tracing::error!(
            digest = work.0,
            problem,
            "a component has no artifact of this engine; where it is installed, turns fall back"
        );
        let mut tx = self.setup.db.begin().await?;
        compile_work::refuse_all_tenants(&mut tx, work, &problem, now.plus(kept)).await?;
        tx.commit().await?;
        Ok(Done::Refused)
    }

    async fn keep_artifact(
        &self,
        digest: &str,
        engine: &str,
        owners: &[TenantId],
        sealed: &[u8],
    ) -> Result<()> {
        let now = self.setup.clock.now();
        let mut tx = self.setup.db.begin().await?;
        for owner in owners {
            components::put_artifact(&mut tx, *owner, digest, engine, sealed, now).await?;
        }
        compile_work::done_all_tenants(&mut tx, digest, engine).await?;
        Ok(tx.commit().await?)
    }

    /// Gives a claim back, for a time from which on somebody may try, and so many of its tries with it.
    async fn release(&self, work: (&str, &str), until: Timestamp, uncounted: i64) -> Result<()> {
        let mut tx = self.setup.db.begin().await?;
        compile_work::release_all_tenants(&mut tx, work, &self.holder, until, uncounted).await?;
        Ok(tx.commit().await?)
    }

    /// Only when nothing is missing: until then a way back to the version before must stay short.
    async fn forget_others(&self) {
        let forget = async {
            let engine = self.engine()?;
            let before = self.setup.clock.now().minus(OTHERS_KEPT);
            let mut tx = self.setup.db.begin().await?;
            let most = FORGOTTEN_AT_ONCE;
            let gone =
                compile_work::forget_other_engines_all_tenants(&mut tx, &engine, before, most)
                    .await?;
            tx.commit().await?;
            Ok::<u64, SetupError>(gone)
        };
        match forget.await {
            Ok(0) => {}
            Ok(gone) => tracing::info!(
                artifacts = gone,
                "artifacts of other engines were forgotten"
            ),
            Err(error) => tracing::debug!(%error, "artifacts of other engines stay for now"),
        }
    }
}

fn current(digest: ComponentDigest) -> Result<ArtifactId> {
    ArtifactId::current(digest).map_err(|error| SetupError::Engine(error.to_string()))
}

/// Checks what is stored. Reads megabytes.
async fn checked(digest: ComponentDigest, wasm: Vec<u8>) -> Result<Bytes> {
    blocking(move || {
        if digest.is_of(&wasm) {
            return Ok(wasm.into());
        }
        let altered = "the bytes that are stored under its digest are not those that it is of: \
                       they were changed in the database, and are not compiled";
        Err(SetupError::Upload(vec![altered.to_owned()]))
    })
    .await
}

/// It was in order when the component came in; a later gateway may find something else wrong with it.
fn manifest_in(wasm: &[u8]) -> Result<Manifest> {
    let found = inspect(wasm);
    found.map(|good| good.manifest).or_else(|wrong| {
        let problems = wrong.problems.iter().map(ToString::to_string).collect();
        let manifest = wrong.manifest.map(|manifest| *manifest);
        manifest.ok_or(SetupError::Upload(problems))
    })
}

#[cfg(test)]
mod tests;
