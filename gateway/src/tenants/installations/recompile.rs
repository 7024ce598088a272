//! After an upgrade of wasmtime: every component is compiled anew for this engine, in the background, what ran lately first.
//!
//! A turn whose component is not ready waits ([`Wanted`] brings it to the front); nothing of it is lost and nothing
//! falls back. Nodes share the work by claims, and a fleet of two versions keeps the artifacts of both.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::upload::{refused, sealed};
use super::{Result, SetupContext, SetupError, engine_name};
use crate::domain::TenantId;
use crate::plugin_host::{ArtifactId, Compiler, ComponentDigest, Manifest};
use crate::storage::{compile_work, components};
use crate::sync::lock;
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
    pub compiler: Arc<Compiler>,
    pub wanted: Arc<Wanted>,
    /// The node's name, of this life.
    pub holder: String,
    /// How many a minute, beside those that turns wait for.
    pub per_minute: u32,
    /// How long a claim holds: longer than a compilation may take.
    pub claim: Duration,
}

/// Between two looks while nothing is missing: another node may have taken an upload for its own engine.
const LOOK: Duration = Duration::from_secs(60);
/// After a trouble of ours: no memory for a child, no database.
const AGAIN: Duration = Duration::from_secs(5);
/// A compiler that crashed so often on the same bytes would go on. A guess.
const TRIES: i64 = 3;
/// Digests that one look finds.
const FOUND: i64 = 20_000;
/// Artifacts of other engines are kept so long, for a way back to the version before.
const OTHERS_KEPT: Duration = Duration::from_hours(7 * 24);
/// Artifacts that one transaction forgets: each is some hundred kilobytes.
const FORGOTTEN_AT_ONCE: i64 = 16;

/// What became of one component.
enum Done {
    Compiled,
    Refused,
    /// Another node has it, or had it a moment ago.
    Elsewhere,
}

impl Recompiler {
    pub async fn keep(self, stop: CancellationToken) {
        let pause = Duration::from_secs(60) / self.per_minute.max(1);
        let mut missing = VecDeque::new();
        let mut passed = HashSet::new();
        while !stop.is_cancelled() {
            if missing.is_empty() {
                missing = self.look(&mut passed).await;
            }
            metrics::gauge!(names::PLUGINS_TO_COMPILE).set(missing.len() as f64);
            let (urgent, digest) = match self.wanted.take() {
                Some(digest) => (true, Some(digest)),
                None => (false, missing.pop_front()),
            };
            let wait = match digest {
                None => LOOK,
                Some(digest) => match self.one(&digest, &stop).await {
                    Ok(Done::Compiled | Done::Refused) if urgent => Duration::ZERO,
                    Ok(Done::Compiled | Done::Refused) => pause,
                    Ok(Done::Elsewhere) => {
                        passed.insert(digest);
                        Duration::ZERO
                    }
                    Err(error) => {
                        metrics::counter!(names::PLUGINS_RECOMPILED, "result" => "failed")
                            .increment(1);
                        tracing::warn!(digest, %error, "a component could not be compiled anew yet");
                        AGAIN
                    }
                },
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.wanted.news.notified() => {}
                () = tokio::time::sleep(wait) => {}
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
        let mut tx = self.setup.db.read().await?;
        Ok(compile_work::missing_all_tenants(&mut tx, &engine, FOUND).await?)
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
        let now = self.setup.clock.now();
        let mut tx = self.setup.db.begin().await?;
        let owners = compile_work::owners_all_tenants(&mut tx, digest, &engine).await?;
        let until = now.plus(self.claim);
        let work = (digest, engine.as_str());
        if owners.is_empty()
            || !compile_work::claim_all_tenants(&mut tx, work, &self.holder, now, until).await?
        {
            return Ok(Done::Elsewhere);
        }
        let tries = compile_work::tries_all_tenants(&mut tx, digest, &engine).await?;
        let source = compile_work::source_all_tenants(&mut tx, digest).await?;
        tx.commit().await?;
        let Some((wasm, manifest)) = source else {
            return Ok(Done::Elsewhere);
        };
        let manifest: Manifest = serde_json::from_str(&manifest)
            .map_err(|error| SetupError::Engine(format!("a stored manifest: {error}")))?;
        let compiled = tokio::select! {
            () = stop.cancelled() => return Ok(Done::Elsewhere),
            compiled = self.compile(&id, &wasm, &manifest) => compiled,
        };
        let problem = match compiled {
            Ok(sealed) => {
                self.keep_artifact(digest, &engine, &owners, &sealed)
                    .await?;
                metrics::counter!(names::PLUGINS_RECOMPILED, "result" => "compiled").increment(1);
                tracing::info!(digest, "a component was compiled anew for this engine");
                return Ok(Done::Compiled);
            }
            Err(SetupError::Upload(problems)) => problems.join("; "),
            Err(error) if tries >= TRIES => format!("it could not be compiled: {error}"),
            Err(error) => {
                self.release(digest, &engine).await?;
                return Err(error);
            }
        };
        metrics::counter!(names::PLUGINS_RECOMPILED, "result" => "refused").increment(1);
        tracing::error!(
            digest,
            problem,
            "this engine refuses a component; where it is installed, turns fall back"
        );
        let mut tx = self.setup.db.begin().await?;
        compile_work::refuse_all_tenants(&mut tx, digest, &engine, &problem).await?;
        tx.commit().await?;
        Ok(Done::Refused)
    }

    async fn compile(&self, id: &ArtifactId, wasm: &[u8], manifest: &Manifest) -> Result<Bytes> {
        let machine_code = self.compiler.compile(wasm).await.map_err(refused)?;
        sealed(&self.setup, id, machine_code, manifest).await
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

    /// Gives a claim back; how often it was tried stays.
    async fn release(&self, digest: &str, engine: &str) -> Result<()> {
        let mut tx = self.setup.db.begin().await?;
        compile_work::release_all_tenants(&mut tx, digest, engine, &self.holder).await?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_wait_for_is_asked_for_once_and_in_order() {
        let wanted = Wanted::default();
        let tenant = TenantId::from_raw(7);
        for digest in ["b", "a", "b"] {
            wanted.want(tenant, digest);
        }
        assert_eq!(wanted.waiting(), ["b", "a"]);
        assert_eq!(wanted.take().as_deref(), Some("b"));
        assert_eq!(wanted.waiting(), ["a"]);
    }
}
