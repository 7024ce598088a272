//! The composition: every part of a node, made and wired here and nowhere else.
//!
//! [`Node::start`] is what `serve`, `demo` and the tests run. It owns no rule; each part explains itself.

mod body;
mod followers;
mod listen;
mod monitor;
mod parts;
mod ports;
mod retention;
mod turns;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use siphasher::sip::SipHasher13;
use tokio::sync::mpsc;

use crate::admin::{self, AdminContext, AdminSocket, DataLock};
use crate::api::{Api, Claims, Media, Rates, Streams, UploadRoom};
use crate::audit::{self, VerifyJob};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::consent;
use crate::consent::block_watch::BlockWatch;
use crate::consent::pseudonym::Pseudonyms;
use crate::console::Joining;
use crate::contacts::{EraseJournalsJob, ImportJob};
use crate::delivery::{
    Chance, ClaimsAtOnce, Delivery, DeliveryConfig, Observer, ProcessTime, World,
};
use crate::directory::Directory;
use crate::directory::rounds::Rounds;
use crate::domain::{Clock, IdGenerator, Leeway};
use crate::explain::wamids::{self, Digester};
use crate::graph::GraphClient;
use crate::ingest::{Attacher, AttacherConfig, Backlogs, Intake, Kept, RawWriter, RawWriterConfig};
use crate::jobs::{Runner, Traffic, Wake};
use crate::lifecycle::{Health, Shutdown};
use crate::metering::{self, Meter, QualityWatch};
use crate::ownership::{self, Keeper, KeeperConfig, Owned, UnderWay, Wakeups};
use crate::plugin_host::{CompileLimits, Compiler};
use crate::replay::ReplayJob;
use crate::secrets::Keyring;
use crate::storage::{Db, migrate};
use crate::telemetry;
use crate::telemetry::PluginMeters;
use crate::templates::{Changes, Schedule, SyncJob};
use crate::tenants::{EraseJob, SetupContext};

use parts::Parts;
pub use ports::plugin_limits;
use ports::{BacklogGate, DirectoryPort};

pub use followers::Followers;
pub use parts::PartFailed;

/// A running node. [`Node::finished`] returns when everything has ended.
pub struct Node {
    /// Where webhooks come in.
    pub http: SocketAddr,
    /// Where the management API is.
    pub api: SocketAddr,
    /// Where Prometheus reads, if it does.
    pub metrics: Option<SocketAddr>,
    pub context: AdminContext,
    pub directory: Arc<Directory>,
    pub owned: Owned,
    /// While set, no turn begins.
    pub turns_paused: Arc<AtomicBool>,
    /// What people, clients and endpoints follow and work with.
    pub followers: Followers,
    parts: Parts,
    db: Db,
    _lock: Option<DataLock>,
}

/// What a node is started with beside its configuration.
pub struct StartOptions {
    pub shutdown: Shutdown,
    pub clock: Arc<dyn Clock>,
    pub observer: Arc<dyn Observer>,
    /// Bring the database to this build's schema first. `serve` does on SQLite; on PostgreSQL an operator decides when.
    pub migrate: bool,
    /// The recorder of this process; none: metrics are not served.
    pub recorder: Option<telemetry::Recorder>,
    /// Whose hidden verbs compile, check settings and replay; none: this process's own program, which must be the gateway.
    pub program: Option<PathBuf>,
}

impl StartOptions {
    pub fn new(shutdown: Shutdown) -> Self {
        Self {
            shutdown,
            clock: Arc::new(SystemClock),
            observer: Arc::new(()),
            migrate: true,
            recorder: None,
            program: None,
        }
    }
}

/// Everything that the parts share.
struct Shared {
    db: Db,
    clock: Arc<dyn Clock>,
    ids: Arc<IdGenerator>,
    keyring: Arc<Keyring>,
    directory: Arc<Directory>,
    owned: Owned,
    under_way: UnderWay,
    meter: Arc<Meter>,
    /// What jobs yield to.
    traffic: Traffic,
    wakeups: Arc<Wakeups>,
    leeway: Arc<Leeway>,
    backlogs: Arc<Backlogs>,
    shutdown: Shutdown,
    parts: Parts,
    /// This node's name among the holders of slots.
    holder: String,
    /// What children are started from.
    program: PathBuf,
    meters: Arc<PluginMeters>,
}

impl Node {
    /// Starts every part. When it returns, the node listens and owns its share of the work.
    pub async fn start(config: &Config, options: StartOptions) -> anyhow::Result<Self> {
        // Whoever was first in this process has set the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let lock = admin::lock(config)?;
        let db = admin::open_database(config).await?;
        if options.migrate {
            migrate::migrate(&db, options.clock.now()).await?;
        }
        let pending = migrate::pending(&db).await?;
        anyhow::ensure!(
            pending == 0,
            "the database lacks {pending} migrations: run `vestibule migrate`"
        );
        // An erasure may have ended with the process that was to empty it.
        db.empty_log().await?;
        let keyring = Arc::new(admin::load_keyring(config)?);
        monitor::begin_ingest(&db, options.clock.as_ref()).await?;
        let directory = Arc::new(Directory::load(db.clone(), keyring.clone()).await?);
        let holder = ownership::holder_name(ownership::Holder::Node, options.clock.now());
        let keeper = KeeperConfig {
            holder: holder.clone(),
            ttl: config.leases.ttl,
            tick: config.leases.renew_every,
        };
        let program = match options.program {
            Some(program) => program,
            None => admin::own_program()?,
        };
        let (clock, under_way) = (options.clock.clone(), UnderWay::default());
        let (keeper, ids, owned) =
            Keeper::start(db.clone(), keeper, clock, under_way.clone()).await?;
        let shared = Shared {
            db: db.clone(),
            clock: options.clock.clone(),
            ids,
            keyring,
            directory,
            owned,
            under_way,
            meter: Arc::default(),
            traffic: Traffic::default(),
            wakeups: Arc::default(),
            leeway: Arc::default(),
            backlogs: Arc::default(),
            shutdown: options.shutdown.clone(),
            parts: Parts::new(options.shutdown.clone()),
            holder,
            program,
            meters: Arc::new(PluginMeters::new(config.metrics.plugin_seats)),
        };
        let turns_paused = Arc::new(AtomicBool::new(false));
        let (intake, claims) = shared.start_delivery(config, options.observer.clone())?;
        let sends = (intake.clone(), claims);
        let events = shared.start_pipeline(config, sends, turns_paused.clone())?;
        let followers = shared.start_followers(config, intake.clone(), events.clone())?;
        let attacher = shared.start_attacher(config, events, intake);
        let health = shared.start_health();
        let context = shared.admin_context(config)?;
        let jobs = shared.start_jobs(config, &context)?;
        let api = Arc::new(Api {
            setup: context.setup.clone(),
            compiler: context.compiler.clone(),
            health: health.clone(),
            jobs,
            traffic: shared.traffic.clone(),
            rates: Rates::new(config.api.requests_per_minute),
            claims: Claims::default(),
            max_body: config.api.max_body_bytes,
            desk: followers.desk.clone(),
            endpoints: followers.endpoints.clone(),
            occasions: followers.occasions.clone(),
            streams: Streams::new(
                followers.sealed.clone(),
                shared.shutdown.soft().clone(),
                config.api.event_streams,
                config.api.event_heartbeat,
            ),
            media: Media::new(graph(config)?),
            uploads: UploadRoom::for_components(),
            templates: Changes {
                graph: graph(config)?,
            },
            templates_every: config.templates.sync_every,
            address_header: config.api.client_address_header.clone(),
        });
        let (http, api) = shared.start_http(config, &health, api, attacher).await?;
        let metrics = shared
            .start_metrics(config, options.recorder, &health)
            .await?;
        shared.start_housekeeping(config, keeper, &context);
        tracing::info!(%http, "vestibule listens");
        Ok(Self {
            http,
            api,
            metrics,
            context,
            directory: shared.directory,
            owned: shared.owned,
            turns_paused,
            followers,
            parts: shared.parts,
            db,
            _lock: lock,
        })
    }

    /// Waits until every part has ended after a shutdown began, then closes the database. An error: a part broke down,
    /// and that is why the node stopped.
    pub async fn finished(self) -> Result<(), PartFailed> {
        let ended = self.parts.finished().await;
        self.db.close().await;
        ended
    }
}

impl Shared {
    fn start_delivery(
        &self,
        config: &Config,
        observer: Arc<dyn Observer>,
    ) -> anyhow::Result<(crate::delivery::Intake, ClaimsAtOnce)> {
        let port = Arc::new(DirectoryPort::new(self.directory.clone()));
        let gate = Arc::new(BacklogGate::default());
        self.parts.work(
            "backlog",
            monitor::watch_backlog(
                self.db.clone(),
                self.owned.clone(),
                self.clock.clone(),
                self.backlogs.clone(),
                gate.clone(),
                self.shutdown.soft().clone(),
            ),
        );
        let world = World {
            db: self.db.clone(),
            graph: graph(config)?,
            clock: self.clock.clone(),
            monotonic: Arc::new(ProcessTime::start()),
            draw: Arc::new(Chance::new(seed(), self.ids.clone(), self.clock.clone())),
            credentials: port.clone(),
            directory: port,
            receipts: gate,
            observer,
            meter: self.meter.clone(),
            under_way: self.under_way.clone(),
            config: DeliveryConfig::new(&config.delivery, &config.graph),
        };
        let (delivery, intake, claims) =
            Delivery::new(world, self.owned.clone(), self.wakeups.clone());
        let (soft, hard) = (self.shutdown.soft().clone(), self.shutdown.hard().clone());
        self.parts.work("delivery", delivery.run(soft, hard));
        Ok((intake, claims))
    }

    fn start_attacher(
        &self,
        config: &Config,
        events: mpsc::Sender<Vec<crate::storage::events::PendingEvent>>,
        intake: crate::delivery::Intake,
    ) -> Arc<Attacher> {
        let attacher = Arc::new(Attacher {
            db: self.db.clone(),
            config: AttacherConfig {
                known_for: config.retention.events,
                ..AttacherConfig::on(&self.db)
            },
            directory: self.directory.clone(),
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            hasher: SipHasher13::new_with_key(&self.keyring.dedupe_key()),
            owned: self.owned.clone(),
            wakeups: self.wakeups.clone(),
            events,
            kept: Kept::default(),
            leeway: self.leeway.clone(),
            backlogs: self.backlogs.clone(),
            received: {
                let (intake, traffic) = (intake.clone(), self.traffic.clone());
                Arc::new(move |events| {
                    traffic.passes();
                    intake.received(events.iter().map(|event| event.number));
                })
            },
            meter: self.meter.clone(),
            sends: Arc::new(move |rows| intake.offer(rows)),
        });
        let attaching = attacher.clone().run(self.shutdown.soft().clone());
        self.parts.work("attacher", attaching);
        attacher
    }

    fn start_health(&self) -> Health {
        let health = Health::new(self.shutdown.clone());
        let watch = monitor::watch_health(
            self.db.clone(),
            self.owned.clone(),
            self.directory.clone(),
            health.clone(),
            self.parts.worked().clone(),
        );
        self.parts.upkeep("health", watch);
        health
    }

    /// Answers where webhooks come in and where the API is.
    async fn start_http(
        &self,
        config: &Config,
        health: &Health,
        api: Arc<Api>,
        attacher: Arc<Attacher>,
    ) -> anyhow::Result<(SocketAddr, SocketAddr)> {
        let listener = listen::bind(config.http.listen).await?;
        let address = listener.local_addr()?;
        let writer = RawWriterConfig {
            most: config.ingest.group_commit_bodies,
            waiting: config.ingest.queue_bodies,
        };
        let (writer, writing) = RawWriter::new(
            self.db.clone(),
            writer,
            (self.owned.clone(), self.wakeups.clone()),
            Some(attacher),
        );
        self.parts.work("raw writer", writing);
        let intake = Arc::new(Intake {
            directory: self.directory.clone(),
            writer,
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            max_body: config.http.max_body_bytes,
        });
        let header = config.api.client_address_header.clone();
        let joining = Joining::new(api.setup.clone(), header);
        let mut routes = crate::ingest::routes(intake)
            .merge(health.routes())
            .merge(crate::console::routes(Arc::new(joining)));
        let limits = listen::Limits {
            connections: config.http.max_connections,
            read_timeout: config.http.read_timeout,
        };
        let mut api_address = address;
        if let Some(own) = config.api.listen {
            let listener = listen::bind(own).await?;
            api_address = listener.local_addr()?;
            let stop = self.shutdown.soft().clone();
            let serving = listen::serve(listener, crate::api::routes(api), limits, stop);
            self.parts.work("api", serving);
        } else {
            routes = routes.merge(crate::api::routes(api));
        }
        self.parts.work(
            "webhooks",
            listen::serve(listener, routes, limits, self.shutdown.soft().clone()),
        );
        Ok((address, api_address))
    }

    fn compiler(&self, config: &Config, at_once: usize) -> Compiler {
        admin::compiler_of(config, self.program.clone(), at_once)
    }

    fn admin_context(&self, config: &Config) -> anyhow::Result<AdminContext> {
        let (db, keyring) = (self.db.clone(), self.keyring.clone());
        Ok(AdminContext {
            setup: SetupContext {
                require_signature: config.plugins.require_signature,
                uploads_per_tenant: config.plugins.uploads_per_tenant,
                changed: self.wakeups.setup.clone(),
                ..SetupContext::new(db, keyring, self.clock.clone(), self.ids.clone())
            },
            compiler: Arc::new(self.compiler(config, CompileLimits::default().at_once)),
            graph: graph(config)?,
            traffic: self.traffic.clone(),
        })
    }

    /// The audit log's sealer and the runner of jobs. Answers how to wake the runner.
    fn start_jobs(&self, config: &Config, context: &AdminContext) -> anyhow::Result<Wake> {
        let soft = self.shutdown.soft();
        let sealing = audit::keep_sealing(self.db.clone(), self.keyring.chain_key(), soft.clone());
        self.parts.work("sealer", sealing);
        let wake = Wake::default();
        let runner = Runner {
            db: self.db.clone(),
            owned: self.owned.clone(),
            clock: self.clock.clone(),
            kinds: vec![
                Arc::new(VerifyJob(self.keyring.chain_key())),
                Arc::new(EraseJob),
                Arc::new(EraseJournalsJob),
                Arc::new(ReplayJob::new(
                    context.setup.clone(),
                    self.owned.clone(),
                    context.compiler.exe().to_owned(),
                    plugin_limits(&config.plugins),
                    context.compiler.limits().clone(),
                )),
                Arc::new(consent::VerifyJob(self.keyring.chain_key())),
                Arc::new(consent::erase::EraseJob {
                    setup: context.setup.clone(),
                }),
                Arc::new(consent::import::ImportJob {
                    ids: self.ids.clone(),
                    clock: self.clock.clone(),
                    pseudonyms: Pseudonyms::new(self.keyring.pseudonym_key()),
                }),
                Arc::new(ImportJob {
                    ids: self.ids.clone(),
                    clock: self.clock.clone(),
                    pseudonyms: Pseudonyms::new(self.keyring.pseudonym_key()),
                }),
                Arc::new(SyncJob {
                    graph: graph(config)?,
                    directory: self.directory.clone(),
                    clock: self.clock.clone(),
                    ids: self.ids.clone(),
                }),
            ],
            wake: wake.clone(),
            traffic: self.traffic.clone(),
        };
        self.parts.work("jobs", runner.run(soft.clone()));
        if !config.templates.sync_every.is_zero() {
            let schedule = Schedule {
                setup: self.admin_context(config)?.setup,
                directory: self.directory.clone(),
                owned: self.owned.clone(),
                wake: wake.clone(),
                every: config.templates.sync_every,
            };
            self.parts.work("templates", schedule.run(soft.clone()));
        }
        let digester = Digester {
            db: self.db.clone(),
            clock: self.clock.clone(),
            owned: self.owned.clone(),
            rows: wamids::ROWS,
            behind: wamids::BEHIND,
        };
        self.parts.work("wamids", digester.run(soft.clone()));
        if !config.graph.quality_every.is_zero() {
            let watch = QualityWatch {
                graph: graph(config)?,
                rounds: self.rounds(config, config.graph.quality_every)?,
            };
            self.parts.work("quality", watch.run(soft.clone()));
        }
        if !config.graph.blocks_every.is_zero() {
            let watch = BlockWatch {
                graph: graph(config)?,
                rounds: self.rounds(config, config.graph.blocks_every)?,
            };
            self.parts.work("blocks", watch.run(soft.clone()));
        }
        Ok(wake)
    }

    fn rounds(&self, config: &Config, every: Duration) -> anyhow::Result<Rounds> {
        Ok(Rounds {
            setup: self.admin_context(config)?.setup,
            directory: self.directory.clone(),
            owned: self.owned.clone(),
            every,
        })
    }

    async fn start_metrics(
        &self,
        config: &Config,
        recorder: Option<telemetry::Recorder>,
        health: &Health,
    ) -> anyhow::Result<Option<SocketAddr>> {
        let (Some(address), Some(recorder)) = (config.metrics.listen, recorder) else {
            return Ok(None);
        };
        let listener = listen::bind(address).await?;
        let address = listener.local_addr()?;
        let limits = listen::Limits {
            connections: 16,
            read_timeout: Duration::from_secs(5),
        };
        // Both go on while the node drains: `/ready` says so here when the webhooks' listener is closed already.
        let recorder = recorder.with_plugins(self.meters.clone());
        let routes = recorder.routes().merge(health.routes());
        let worked = self.parts.worked();
        self.parts
            .upkeep("recorder", recorder.upkeep(worked.clone()));
        self.parts.upkeep(
            "metrics",
            listen::serve(listener, routes, limits, worked.clone()),
        );
        Ok(Some(address))
    }

    fn start_housekeeping(&self, config: &Config, keeper: Keeper, context: &AdminContext) {
        let soft = self.shutdown.soft().clone();
        let (directory, wakeups) = (self.directory.clone(), self.wakeups.clone());
        let stop = soft.clone();
        self.parts.work("directory", async move {
            directory.keep_fresh(&wakeups, &stop).await;
        });
        let beats = monitor::watch_ingest(self.db.clone(), self.clock.clone(), soft.clone());
        self.parts.work("ingest life", beats);
        if !self.db.is_sqlite() {
            let carry = self.wakeups.clone().carry(self.db.clone(), soft.clone());
            self.parts.work("wake-ups", carry);
        }
        self.parts.work(
            "retention",
            retention::keep(
                self.db.clone(),
                self.clock.clone(),
                config.retention.clone(),
                soft.clone(),
            ),
        );
        let directory = self.directory.clone();
        let allowance = move |number| {
            let snapshot = directory.snapshot();
            let entry = snapshot.number(number);
            entry.map(|entry| entry.tenant.limits.free_service_messages)
        };
        self.parts.work(
            "metering",
            metering::keep(
                self.db.clone(),
                Arc::new(allowance),
                self.clock.clone(),
                self.meter.clone(),
                self.shutdown.soft().clone(),
            ),
        );
        // Leases are kept until everything else has ended: what is in flight must still be able to commit.
        self.parts
            .upkeep("leases", keeper.run(self.parts.worked().clone()));
        if config.sqlite_file().is_some() {
            // Bound before the node says that it has started: a command right after it finds the socket.
            match AdminSocket::bind(config.admin_socket()) {
                Ok(socket) => {
                    let serving = socket.serve(Arc::new(context.clone()), soft);
                    self.parts.work("admin socket", serving);
                }
                // Messages do without it.
                Err(error) => {
                    tracing::error!(%error, "the admin socket does not work; commands must wait for the server's end");
                }
            }
        }
        self.parts.end_upkeep_after_work();
    }
}

/// A client with connections of its own: files must not wait for sends, nor sends for files.
fn graph(config: &Config) -> anyhow::Result<GraphClient> {
    Ok(admin::graph(config)?)
}

/// For jitter only; not a secret.
fn seed() -> u64 {
    let mut bytes = [0_u8; 8];
    // Without randomness every node would draw the same jitter, which is no worse than none.
    let _ = crate::secrets::Entropy::fill(&crate::secrets::SystemEntropy, &mut bytes);
    u64::from_ne_bytes(bytes)
}
