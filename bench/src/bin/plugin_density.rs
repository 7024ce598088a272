//! Many tenants, each with its own Rust plugin, on one node that does not hold all of them (design.md §8): what stays
//! resident, and how long the first call of a cold plugin takes, from the look-up to the report of its turn: of one that the
//! node has on its disk, where it puts what is installed behind everybody's back, and of one that it reads from the
//! database, because the message came before that.
//!
//! Every tenant has the reference plugin `faq` under a digest of its own, so its machine code is read, authenticated and
//! loaded for itself. Calls go to tenants uniformly. The database is SQLite in a temporary folder, the budgets are the
//! defaults of the configuration, but for the disk where 2 GiB do not hold all. Prints a Markdown table.
//!
//! `plugin_density [TENANTS [CALLS]]`

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measuring program reads the clock and prints"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use vestibule::clock::SystemClock;
use vestibule::config::Config;
use vestibule::domain::{
    Clock, ContactId, ConversationId, EventId, InboundContent, InstallationId, TenantId, Timestamp,
    TurnId,
};
use vestibule::pipeline::{ComponentBudget, Components, Stocked};
use vestibule::plugin_host::engine::{self, EngineOptions};
use vestibule::plugin_host::{
    About, ArtifactId, ArtifactKey, ComponentDigest, ConfigJson, ConversationView, Grants,
    HostAnswers, HostConfig, Limits, MessageView, NoHttp, NoReads, Plugin, PluginBinding,
    PluginHost, TurnRequest, Weight, inspect,
};
use vestibule::reference_plugins::FAQ;
use vestibule::storage::components::{self, Component};
use vestibule::storage::{Db, OpenOptions, migrate, open};
use vestibule::tenants::installations::{Wanted, engine_name};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEY: [u8; 32] = [7; 32];
/// Uploads in one transaction while the database is filled.
const TOGETHER: usize = 100;
/// One of so many tenants is called before the node has put its plugin on disk.
const UNSTOCKED: usize = 8;
/// More than an artifact has, and the part of the folder that is left for what nobody foresaw.
const FILE_BYTES: u64 = 1_200_000;

fn main() -> anyhow::Result<()> {
    let number = |place, default| {
        let given = std::env::args().nth(place);
        given.map_or(Ok(default), |text| text.parse::<usize>())
    };
    let (tenants, calls) = (number(1, 10_000)?, number(2, 40_000)?);
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(measure(tenants, calls))
}

async fn measure(tenants: usize, calls: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite:{}", folder.path().join("db").display());
    let db = open(&OpenOptions::new(url)).await?;
    migrate::migrate(&db, SystemClock.now()).await?;
    let code = engine::for_compiling(&EngineOptions::default())?.precompile_component(FAQ)?;
    let digests = fill(&db, tenants, &code).await?;
    let config = Config::load_with(None, [])?;
    let threads = config.plugins.guest_threads;
    let host = PluginHost::start(HostConfig::new(threads, tokio::runtime::Handle::current()))?;
    let cache = components_of(&config, folder.path(), &host, &db, tenants);
    let mut on_disk = vec![false; tenants];
    let began = Instant::now();
    for n in (0..tenants).filter(|n| n % UNSTOCKED != 0) {
        let tenant = TenantId::from_raw(n as i64 + 1);
        let stocked = cache.stock(tenant, &digests[n].to_string()).await?;
        anyhow::ensure!(stocked == Stocked::Now, "{stocked:?}");
        on_disk[n] = true;
    }
    let stocking = began.elapsed() / u32::try_from(tenants - tenants.div_ceil(UNSTOCKED))?.max(1);
    let empty = resident()?;
    let (mut first, mut cold, mut warm) = (Vec::new(), Vec::new(), Vec::new());
    let mut draw: u64 = 88_172_645_463_325_252;
    for n in 0..calls {
        draw ^= draw << 13;
        draw ^= draw >> 7;
        draw ^= draw << 17;
        let tenant = usize::try_from(draw % tenants as u64)?;
        let was_loaded = cache.is_loaded(&digests[tenant]);
        let began = Instant::now();
        let hex = digests[tenant].to_string();
        let plugin = cache
            .get(TenantId::from_raw(tenant as i64 + 1), &hex)
            .await?;
        host.run_turn(turn(n, tenant, plugin)).await?;
        let was_on_disk = std::mem::replace(&mut on_disk[tenant], true);
        match (was_loaded, was_on_disk) {
            (true, _) => warm.push(began.elapsed()),
            (false, true) => cold.push(began.elapsed()),
            (false, false) => first.push(began.elapsed()),
        }
    }
    println!(
        "{tenants} tenants, {calls} calls, machine code {} KiB each, put on disk in {:.2} ms",
        code.len() >> 10,
        stocking.as_secs_f64() * 1e3
    );
    println!(
        "| resident before | after | in memory | cold, from the database: p50 | p99 | cold, on disk: p50 | p99 | warm: p50 | p99 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    println!(
        "| {} MiB | {} MiB | {} components | {}: {} | {} | {}: {} | {} | {} | {} |",
        empty >> 20,
        resident()? >> 20,
        cache.len(),
        first.len(),
        quantile(&mut first, 0.5),
        quantile(&mut first, 0.99),
        cold.len(),
        quantile(&mut cold, 0.5),
        quantile(&mut cold, 0.99),
        quantile(&mut warm, 0.5),
        quantile(&mut warm, 0.99),
    );
    db.close().await;
    Ok(())
}

fn components_of(
    config: &Config,
    folder: &Path,
    host: &Arc<PluginHost>,
    db: &Db,
    tenants: usize,
) -> Components {
    let plugins = &config.plugins;
    let budget = ComponentBudget {
        loaded: plugins.loaded_components,
        loaded_bytes: plugins.loaded_bytes,
        folder: Some(folder.join("artifacts")),
        folder_bytes: plugins
            .artifact_files_bytes
            .max(tenants as u64 * FILE_BYTES),
    };
    let (host, db, clock) = (host.clone(), db.clone(), Arc::new(SystemClock));
    Components::new(
        host,
        db,
        ArtifactKey::new(KEY),
        clock,
        budget,
        Arc::new(Wanted::default()),
    )
}

/// An upload for every tenant, compiled.
async fn fill(db: &Db, tenants: usize, code: &[u8]) -> anyhow::Result<Vec<ComponentDigest>> {
    let own = inspect(FAQ)?.manifest;
    let manifest = serde_json::to_string(&own)?;
    let (key, now) = (ArtifactKey::new(KEY), SystemClock.now());
    let digests: Vec<_> = (0..tenants)
        .map(|n| ComponentDigest::of(&n.to_le_bytes()))
        .collect();
    for some in (0..tenants).collect::<Vec<_>>().chunks(TOGETHER) {
        let mut tx = db.begin().await?;
        for &n in some {
            let id = ArtifactId::current(digests[n])?;
            let (tenant, hex) = (TenantId::from_raw(n as i64 + 1), digests[n].to_string());
            let component = Component {
                upload: n as i64,
                tenant,
                digest: hex.clone(),
                manifest: manifest.clone(),
                bytes: FAQ.len() as i64,
                uploaded_by: String::new(),
                signed_by: String::new(),
                author: None,
                created_at: now,
            };
            components::insert_component(&mut tx, tenant, &component, FAQ).await?;
            let (engine, sealed) = (engine_name(&id), key.seal(&id, &own, code));
            components::put_artifact(&mut tx, tenant, &hex, &engine, &sealed, now).await?;
        }
        tx.commit().await?;
    }
    Ok(digests)
}

fn resident() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    Ok(kib.context("VmRSS")?.parse::<u64>()? << 10)
}

fn quantile(times: &mut [Duration], part: f64) -> String {
    times.sort();
    let at = (times.len() as f64 * part) as usize;
    let time = times.get(at.min(times.len().saturating_sub(1)));
    time.map_or("-".to_owned(), |time| {
        format!("{:.2} ms", time.as_secs_f64() * 1e3)
    })
}

fn turn(n: usize, tenant: usize, plugin: Arc<Plugin>) -> TurnRequest {
    let (n, now) = (n as i64, Timestamp::from_millis(1_795_000_000_000));
    let body = "hello".to_owned();
    let message = MessageView {
        id: EventId::from_raw(n),
        message: InboundContent::Text { body }.into(),
        sent_at: now,
        token: "msg_1".to_owned(),
        raw: "{}".to_owned(),
    };
    let binding = PluginBinding {
        plugin,
        installation: InstallationId::from_raw(tenant as i64),
        config: Arc::new(ConfigJson::empty()),
        grants: Grants::default(),
        limits: Limits::default(),
        setup: Arc::default(),
    };
    TurnRequest {
        turn: TurnId::from_raw(n),
        tenant: TenantId::from_raw(tenant as i64 + 1),
        now,
        seed: [5; 32],
        about: Arc::new(About::Message(Box::new(message))),
        conversation: Arc::new(ConversationView {
            id: ConversationId::from_raw(n),
            contact: ContactId::from_raw(n),
            display_name: None,
            language: None,
            attributes: Default::default(),
            contact_attributes: Default::default(),
            tags: Default::default(),
            is_new: false,
        }),
        plugins: vec![binding],
        kv: Arc::new(HostAnswers::default()),
        http: Arc::new(NoHttp),
        shadow: false,
        reads: Arc::new(NoReads),
        bot_owns: true,
        contact_kinds: Default::default(),
        weight: Weight::Light,
    }
}
