//! The plugin host as the rest of the gateway sees it: load components, run turns.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::domain::{Leeway, TenantCounts, TenantId};
use crate::sync::lock;

use super::abi;
use super::artifact::AuthenticArtifact;
use super::engine::{self, EngineOptions, PoolSize};
use super::guest_state::GuestState;
use super::guest_thread::{self, GuestThread, Job};
use super::limits::PLUGINS_PER_TURN;
use super::manifest::Manifest;
use super::plugin::{LoadError, Plugin};
use super::report::TurnReport;
use super::request::{TurnRequest, Weight};

/// How much the host runs at once.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// OS threads that run guests, for each [`Weight`]. One per core that plugins may use.
    pub threads: usize,
    /// Instances alive at the same time on one thread. More only wait for each other.
    pub stores_per_thread: usize,
    /// Turns waiting or running, over all threads; beyond it the answer is [`Overload::Full`].
    pub turns: usize,
    /// Turns of one tenant among them; beyond it the answer is [`Overload::TenantShare`]. A net behind the pipeline, which
    /// shares its slots between tenants before it asks (`pipeline/queue.rs`).
    pub turns_per_tenant: usize,
    /// Where questions to the store run. Never a guest thread.
    pub io: Handle,
    /// While those who want much have little of the node, so have heavy turns.
    pub leeway: Arc<Leeway>,
}

impl HostConfig {
    /// Sensible numbers for `threads` guest threads.
    pub fn new(threads: usize, io: Handle) -> Self {
        Self {
            threads,
            // Enough to hide waits for the store, little enough that the pool's memories stay warm; on many cores fewer,
            // because each reserves gigabytes of addresses, and a process has 128 TiB.
            stores_per_thread: (3_072 / threads.max(1)).clamp(16, 64),
            turns: threads * 512,
            turns_per_tenant: threads * 256,
            io,
            leeway: Arc::default(),
        }
    }
}

/// The turn was not taken, nothing of it ran: try again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Overload {
    #[error("the plugin host has all the turns that it can hold")]
    Full,
    #[error("this tenant has its share of turns running")]
    TenantShare,
    #[error("more plugins in one turn than the {PLUGINS_PER_TURN} that can be")]
    TooManyPlugins,
    #[error("the plugin host lost this turn")]
    Lost,
    #[error("the components in use leave no room for another")]
    Components,
    #[error("a component is not compiled for this engine yet")]
    NotCompiled,
    #[error("a plugin that should hear of it cannot be loaded")]
    NotLoaded,
}

/// Why the host cannot start at all.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot make the Wasm engine")]
    Engine(#[source] wasmtime::Error),
    #[error("cannot start a guest thread")]
    Thread(#[source] std::io::Error),
}

/// Owns the engine, the pool and the guest threads. Dropping it lets running turns end and then ends the threads.
pub struct PluginHost {
    linker: Linker<GuestState>,
    light: Vec<GuestThread>,
    heavy: Vec<GuestThread>,
    admission: Arc<Admission>,
}

impl PluginHost {
    pub fn start(config: HostConfig) -> Result<Arc<Self>, StartError> {
        let stores = config.stores_per_thread.max(PLUGINS_PER_TURN);
        let threads = config.threads.max(1);
        let pool = PoolSize::for_stores(2 * stores * threads);
        let engine =
            engine::for_running(&EngineOptions::default(), pool).map_err(StartError::Engine)?;
        let mut linker = Linker::new(&engine);
        abi::add_to_linker(&mut linker).map_err(StartError::Engine)?;
        let start = |weight| {
            let one = |index| {
                let (io, leeway) = (config.io.clone(), config.leeway.clone());
                guest_thread::start(weight, index, stores, io, leeway)
            };
            let all = (0..threads).map(one).collect::<Result<_, _>>();
            all.map_err(StartError::Thread)
        };
        let admission = Arc::new(Admission {
            most: config.turns,
            most_per_tenant: config.turns_per_tenant,
            counts: Mutex::default(),
        });
        Ok(Arc::new(Self {
            linker,
            light: start(Weight::Light)?,
            heavy: start(Weight::Heavy)?,
            admission,
        }))
    }

    /// Links an artifact into this process. Takes well under a millisecond for a Rust plugin, 20 for an interpreter: the
    /// caller caches, and calls it where blocking is allowed.
    pub fn load(
        &self,
        artifact: &AuthenticArtifact,
        manifest: &Manifest,
    ) -> Result<Arc<Plugin>, LoadError> {
        Plugin::load(&self.linker, artifact, manifest).map(Arc::new)
    }

    /// Runs all stages of a turn on a guest thread.
    ///
    /// An `Err` means that nothing ran. Dropping the future drops the turn's instances; nothing of it remains.
    #[allow(
        clippy::disallowed_methods,
        reason = "when a call began is telemetry, no decision depends on it"
    )]
    pub async fn run_turn(&self, request: TurnRequest) -> Result<TurnReport, Overload> {
        if request.plugins.len() > PLUGINS_PER_TURN {
            return Err(Overload::TooManyPlugins);
        }
        let thread = thread_for(request.weight, &self.light, &self.heavy);
        let instances = request.plugins.len();
        let in_flight = (self.admission).admit(request.tenant, instances, &thread.in_flight)?;
        let (reply, report) = oneshot::channel();
        let job = Job {
            // It goes through many hands.
            request: Arc::new(thread.with_places(request)),
            asked: Instant::now(),
            reply,
            in_flight,
        };
        thread.send(job)?;
        let (report, _in_flight) = report.await.map_err(|_| Overload::Lost)?;
        Ok(report)
    }

    pub fn engine(&self) -> &Engine {
        self.linker.engine()
    }

    /// Turns waiting or running now.
    pub fn turns_in_flight(&self) -> usize {
        self.admission.counts().all
    }
}

/// Where a turn of this weight runs: a heavy one among the light ones, when its own threads get no core.
fn thread_for<'a>(
    weight: Weight,
    light: &'a [GuestThread],
    heavy: &'a [GuestThread],
) -> &'a GuestThread {
    let apart = match weight {
        Weight::Light => None,
        Weight::Heavy => Some(least_loaded(heavy)).filter(|thread| !thread.starves()),
    };
    apart.unwrap_or_else(|| least_loaded(light))
}

fn least_loaded(threads: &[GuestThread]) -> &GuestThread {
    threads
        .iter()
        .min_by_key(|thread| thread.in_flight.load(Ordering::Relaxed))
        .expect("a host has at least one thread of each kind")
}

/// Decides what is taken at all, before anything is queued.
struct Admission {
    most: usize,
    most_per_tenant: usize,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    all: usize,
    by_tenant: TenantCounts,
}

impl Admission {
    fn admit(
        self: &Arc<Self>,
        tenant: TenantId,
        instances: usize,
        thread: &Arc<AtomicUsize>,
    ) -> Result<InFlight, Overload> {
        let mut counts = self.counts();
        if counts.all >= self.most {
            return Err(Overload::Full);
        }
        if counts.by_tenant.of(tenant) >= self.most_per_tenant {
            return Err(Overload::TenantShare);
        }
        counts.by_tenant.add(tenant, 1);
        counts.all += 1;
        thread.fetch_add(instances, Ordering::Relaxed);
        Ok(InFlight {
            admission: self.clone(),
            thread: thread.clone(),
            tenant,
            instances,
        })
    }

    fn release(&self, tenant: TenantId) {
        let mut counts = self.counts();
        counts.all -= 1;
        counts.by_tenant.take_away(tenant, 1);
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        lock(&self.counts)
    }
}

/// A turn's place among those in flight; dropping it gives the place back.
pub(super) struct InFlight {
    admission: Arc<Admission>,
    thread: Arc<AtomicUsize>,
    tenant: TenantId,
    instances: usize,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.thread.fetch_sub(self.instances, Ordering::Relaxed);
        self.admission.release(self.tenant);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_heavy_turn_has_a_thread_of_its_kind_unless_that_gets_no_core() {
        let waited = |millis| [GuestThread::that_has_waited(Duration::from_millis(millis))];
        let (light, busy, starving) = (waited(0), waited(0), waited(60_000));
        let is = |one: &GuestThread, other: &[GuestThread]| std::ptr::eq(one, &raw const other[0]);
        assert!(is(thread_for(Weight::Heavy, &light, &busy), &busy));
        assert!(is(thread_for(Weight::Heavy, &light, &starving), &light));
        assert!(is(thread_for(Weight::Light, &starving, &busy), &starving));
    }
}
