//! What running a plugin costs: the measurements behind `docs/decisions/0001-guest-execution.md`.
//!
//! Bare wasmtime makes a store, instantiates, calls one hook and drops it all, with each way of metering and of
//! resetting memory; the plugin host then does whole turns of the same components. One component hot and 1,000 of them
//! round robin, on one and on two threads. Prints a Markdown table.
//!
//! `plugin_host [SECONDS_PER_CELL [METER_AND_RESET]]`: the second picks the rows of bare wasmtime, `FuelMemset` say.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measuring program reads the clock and prints"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use futures::StreamExt;
use vestibule::domain::{
    ContactId, ConversationId, EventId, InboundContent, InstallationId, TenantId, Timestamp, TurnId,
};
use vestibule::plugin_host::engine::{self, EngineOptions, Meter, PoolSize, Reset};
use vestibule::plugin_host::{
    About, ArtifactId, ArtifactKey, ComponentDigest, ConfigJson, ConversationView, Grants,
    HostAnswers, HostConfig, Limits, MessageView, NoHttp, NoReads, Plugin, PluginBinding,
    PluginHost, TurnRequest, Weight, inspect,
};
use wasmtime::component::{
    Component, ComponentType, InstancePre, Lift, Linker, Lower, Resource, ResourceType,
};
use wasmtime::{Engine, Store};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

/// Components of the round robin.
const MANY: usize = 1_000;
/// Pages of a guest's memory: 192 KiB is a Rust plugin of our SDK, 1.1 MiB one with rustc's default stack.
const PAGES: [(usize, &str); 2] = [(3, "192 KiB"), (18, "1.1 MiB")];
/// Turns in flight while the host is measured, per thread.
const IN_FLIGHT: usize = 16;

fn main() -> anyhow::Result<()> {
    let seconds = std::env::args()
        .nth(1)
        .map_or(Ok(1.0), |text| text.parse())?;
    let time = Duration::from_secs_f64(seconds);
    let only = std::env::args().nth(2);
    println!(
        "| memory | what | meter | reset | 1 hot, 1 thread | 1 hot, 2 threads | {MANY} rr, 1 thread | {MANY} rr, 2 threads |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (pages, memory) in PAGES {
        let guests: Vec<Vec<u8>> = (0..MANY)
            .map(|n| guest(pages, n))
            .collect::<anyhow::Result<_>>()?;
        for meter in [Meter::Fuel, Meter::Epoch] {
            for reset in [Reset::Memset, Reset::CopyOnWrite, Reset::CopyOnWriteScan] {
                if only
                    .as_deref()
                    .is_some_and(|only| only != format!("{meter:?}{reset:?}"))
                {
                    continue;
                }
                let options = EngineOptions { meter, reset };
                let cells = bare(options, &guests, time)?;
                println!("| {memory} | bare wasmtime | {meter:?} | {reset:?} | {cells} |");
            }
        }
        let cells = host(&guests, time)?;
        let EngineOptions { meter, reset } = EngineOptions::default();
        println!("| {memory} | plugin host | {meter:?} | {reset:?} | {cells} |");
    }
    Ok(())
}

/// The gateway's own allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What was measured in one arrangement.
#[derive(Clone, Copy, Default)]
struct Cell {
    /// CPU of this process per call, user and system: what a busy machine does not falsify.
    cpu_us: f64,
    /// Of it, by the host's own threads: the rest makes the turns up, hands them over and takes their reports.
    guest_us: f64,
    /// Calls by wall time: means something on a quiet machine only.
    per_second: f64,
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} µs", self.cpu_us)?;
        if self.guest_us > 0.0 {
            write!(f, " (guest threads {:.1})", self.guest_us)?;
        }
        write!(f, ", {:.0}/s", self.per_second)
    }
}

/// Counts calls against the process's CPU and the wall clock.
struct Stopwatch {
    cpu: Duration,
    guests: Duration,
    wall: Instant,
}

impl Stopwatch {
    fn start() -> Self {
        Self {
            cpu: process_cpu(),
            guests: guest_cpu(),
            wall: Instant::now(),
        }
    }

    fn stop(&self, calls: usize) -> Cell {
        let calls = calls as f64;
        Cell {
            cpu_us: (process_cpu() - self.cpu).as_secs_f64() * 1e6 / calls,
            guest_us: guest_cpu().saturating_sub(self.guests).as_secs_f64() * 1e6 / calls,
            per_second: calls / self.wall.elapsed().as_secs_f64(),
        }
    }
}

fn process_cpu() -> Duration {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage fills the struct it is given; all-zero is a valid one.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    let time = |at: libc::timeval| {
        Duration::from_secs(at.tv_sec.unsigned_abs())
            + Duration::from_micros(at.tv_usec.unsigned_abs())
    };
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// CPU of the threads that run guests, as the scheduler counts it; none where bare wasmtime is measured.
fn guest_cpu() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let of_thread = |thread: std::io::Result<std::fs::DirEntry>| {
        let folder = thread.ok()?.path();
        let name = std::fs::read_to_string(folder.join("comm")).ok()?;
        let spent = std::fs::read_to_string(folder.join("schedstat")).ok()?;
        let spent: u64 = spent.split(' ').next()?.parse().ok()?;
        name.starts_with("guest-").then_some(spent)
    };
    Duration::from_nanos(threads.filter_map(of_thread).sum())
}

/// Of the four arrangements.
struct Cells([Cell; 4]);

impl std::fmt::Display for Cells {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let texts: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join(" | "))
    }
}

/// The arrangements, in the order of the table's columns.
fn arrangements<T>(all: &[T]) -> [(&[T], usize); 4] {
    [(&all[..1], 1), (&all[..1], 2), (all, 1), (all, 2)]
}

// Bare wasmtime.

struct Message;
struct Conversation;

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum EffectError {
    #[component(name = "invalid")]
    Invalid(String),
    #[component(name = "quota")]
    Quota(String),
    #[component(name = "denied")]
    Denied(String),
}

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum Failure {
    #[component(name = "reject")]
    Reject(String),
    #[component(name = "retry")]
    Retry(u32),
    #[component(name = "fault")]
    Fault(String),
}

type Hook = (Resource<Message>, Resource<Conversation>);

fn bare_linker(engine: &Engine) -> wasmtime::Result<Linker<Vec<String>>> {
    let mut linker = Linker::new(engine);
    let mut inbound = linker.instance("vestibule:plugin/inbound@0.1.0")?;
    inbound.resource("message", ResourceType::host::<Message>(), |_, _| Ok(()))?;
    inbound.resource(
        "conversation",
        ResourceType::host::<Conversation>(),
        |_, _| Ok(()),
    )?;
    inbound.func_wrap("[method]message.text", |_, _: (Resource<Message>,)| {
        Ok(("hello".to_owned(),))
    })?;
    let mut effects = linker.instance("vestibule:plugin/effects@0.1.0")?;
    effects.func_wrap(
        "reply-text",
        |mut store: wasmtime::StoreContextMut<'_, Vec<String>>, (body,): (String,)| {
            store.data_mut().push(body);
            Ok((Ok::<(), EffectError>(()),))
        },
    )?;
    linker.instance("vestibule:plugin/outcome@0.1.0")?;
    Ok(linker)
}

fn bare(options: EngineOptions, guests: &[Vec<u8>], time: Duration) -> anyhow::Result<Cells> {
    let engine = engine::for_running(&options, PoolSize::for_stores(128))?;
    let linker = bare_linker(&engine)?;
    let pres: Vec<InstancePre<Vec<String>>> = guests
        .iter()
        .map(|guest| linker.instantiate_pre(&Component::new(&engine, guest)?))
        .collect::<wasmtime::Result<_>>()?;
    let mut rates = [Cell::default(); 4];
    for (rate, (pres, threads)) in rates.iter_mut().zip(arrangements(&pres)) {
        *rate = per_second(threads, time, |n| bare_call(&pres[n % pres.len()], options))?;
    }
    Ok(Cells(rates))
}

fn bare_call(pre: &InstancePre<Vec<String>>, options: EngineOptions) -> wasmtime::Result<()> {
    let mut store = Store::new(pre.engine(), Vec::new());
    match options.meter {
        Meter::Fuel => store.set_fuel(50_000_000)?,
        Meter::Epoch => store.set_epoch_deadline(1_000),
    }
    let instance = pre.instantiate(&mut store)?;
    let hook = instance
        .get_export_index(&mut store, None, "vestibule:plugin/auto-reply@0.1.0")
        .and_then(|hook| instance.get_export_index(&mut store, Some(&hook), "reply"))
        .ok_or_else(|| wasmtime::Error::msg("no hook"))?;
    let function = instance.get_typed_func::<Hook, (Result<(), Failure>,)>(&mut store, hook)?;
    let arguments = (Resource::new_borrow(0), Resource::new_borrow(0));
    let (returned,) = function.call(&mut store, arguments)?;
    if returned.is_err() || store.data().len() != 1 {
        return Err(wasmtime::Error::msg("it did not reply"));
    }
    Ok(())
}

/// Runs `call` on `threads` threads for `time`; each thread walks through the components from its own start.
fn per_second(
    threads: usize,
    time: Duration,
    call: impl Fn(usize) -> wasmtime::Result<()> + Sync,
) -> anyhow::Result<Cell> {
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let work = |start: usize| -> wasmtime::Result<()> {
        let mut n = start;
        while !stop.load(Ordering::Relaxed) {
            call(n)?;
            n += 1;
        }
        done.fetch_add(n - start, Ordering::Relaxed);
        Ok(())
    };
    // Once over everything, so that no first call is counted.
    (0..MANY).try_for_each(&call)?;
    let watch = Stopwatch::start();
    std::thread::scope(|scope| -> anyhow::Result<()> {
        let workers: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || work(thread * MANY / 2)))
            .collect();
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.join().expect("no panic")?;
        }
        Ok(())
    })?;
    Ok(watch.stop(done.load(Ordering::Relaxed)))
}

// The plugin host.

fn host(guests: &[Vec<u8>], time: Duration) -> anyhow::Result<Cells> {
    // Turns are driven from here; the guests have their own threads.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()?;
    let engine = engine::for_compiling(&EngineOptions::default())?;
    let compiled: Vec<_> = guests
        .iter()
        .map(|guest| Ok((guest, engine.precompile_component(guest)?)))
        .collect::<wasmtime::Result<_>>()?;
    let mut rates = [Cell::default(); 4];
    for (rate, (compiled, threads)) in rates.iter_mut().zip(arrangements(&compiled)) {
        let host = PluginHost::start(HostConfig::new(threads, runtime.handle().clone()))?;
        let bindings: Vec<PluginBinding> = compiled
            .iter()
            .map(|(guest, code)| Ok(binding(load(&host, guest, code)?)))
            .collect::<anyhow::Result<_>>()?;
        *rate = runtime.block_on(turns_per_second(&host, &bindings, threads, time))?;
    }
    Ok(Cells(rates))
}

async fn turns_per_second(
    host: &PluginHost,
    bindings: &[PluginBinding],
    threads: usize,
    time: Duration,
) -> anyhow::Result<Cell> {
    let turns = |until: Option<Instant>| {
        let numbers = futures::stream::iter(0..).take_while(move |n| {
            let more = until.map_or(*n < MANY, |until| Instant::now() < until);
            std::future::ready(more)
        });
        numbers
            .map(|n| async move {
                let binding = bindings[n % bindings.len()].clone();
                let report = host.run_turn(turn(n, binding)).await?;
                anyhow::ensure!(report.effects.len() == 1, "it did not reply: {report:?}");
                Ok(())
            })
            .buffer_unordered(IN_FLIGHT * threads)
            .fold(Ok(0_usize), |count: anyhow::Result<usize>, turn| {
                std::future::ready(count.and_then(|count| turn.map(|()| count + 1)))
            })
    };
    turns(None).await?;
    let watch = Stopwatch::start();
    let done = turns(Some(watch.wall + time)).await?;
    Ok(watch.stop(done))
}

fn load(host: &PluginHost, component: &[u8], code: &[u8]) -> anyhow::Result<Arc<Plugin>> {
    let manifest = inspect(component)?.manifest;
    let id = ArtifactId::current(ComponentDigest::of(component))?;
    let key = ArtifactKey::new([7; 32]);
    let artifact = key.open(&id, key.seal(&id, &manifest, code))?;
    Ok(host.load(&artifact, &manifest)?)
}

fn binding(plugin: Arc<Plugin>) -> PluginBinding {
    PluginBinding {
        plugin,
        installation: InstallationId::from_raw(1),
        config: Arc::new(ConfigJson::empty()),
        grants: Grants::default(),
        limits: Limits::default(),
        setup: Arc::default(),
    }
}

fn turn(n: usize, binding: PluginBinding) -> TurnRequest {
    let n = n as i64;
    TurnRequest {
        turn: TurnId::from_raw(n),
        tenant: TenantId::from_raw(n % 100),
        now: Timestamp::from_millis(1_795_000_000_000),
        seed: [5; 32],
        about: Arc::new(About::Message(Box::new(MessageView {
            id: EventId::from_raw(n),
            message: InboundContent::Text {
                body: "hello".to_owned(),
            }
            .into(),
            sent_at: Timestamp::from_millis(1_795_000_000_000),
            token: "msg_1".to_owned(),
            raw: r#"{"type":"text","text":{"body":"hello"}}"#.to_owned(),
        }))),
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

// The guest.

/// Reads the text, works a little on 8 KiB of memory, replies. `n` makes its data, and so the component, its own.
fn guest(pages: usize, n: usize) -> anyhow::Result<Vec<u8>> {
    let data = format!("reply of plugin number {n:06}").repeat(500);
    let top = pages * 65_536 - 32_768;
    let module = format!(
        r#"(module
          (import "vestibule:plugin/inbound@0.1.0" "[resource-drop]message" (func $drop-message (param i32)))
          (import "vestibule:plugin/inbound@0.1.0" "[resource-drop]conversation" (func $drop-conversation (param i32)))
          (import "vestibule:plugin/inbound@0.1.0" "[method]message.text" (func $text (param i32 i32)))
          (import "vestibule:plugin/effects@0.1.0" "reply-text" (func $reply (param i32 i32 i32)))
          (memory (export "memory") {pages})
          (global $top (mut i32) (i32.const {top}))
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (global.get $top) (global.set $top (i32.add (global.get $top) (i32.and (i32.add (local.get 3) (i32.const 7)) (i32.const -8)))))
          (func (export "vestibule:plugin/auto-reply@0.1.0#reply") (param $m i32) (param $c i32) (result i32) (local $i i32)
            (call $text (local.get $m) (i32.const 1024))
            (loop (i64.store offset=40000 (local.get $i) (i64.extend_i32_u (local.get $i)))
              (local.set $i (i32.add (local.get $i) (i32.const 8))) (br_if 0 (i32.lt_u (local.get $i) (i32.const 8192))))
            (call $reply (i32.const 4096) (i32.const 64) (i32.const 1024))
            (call $drop-message (local.get $m)) (call $drop-conversation (local.get $c))
            (i32.const 2048))
          (data (i32.const 4096) {data:?}))"#
    );
    let mut resolve = wit_parser::Resolve::default();
    let contract = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit/vestibule-plugin-0.1.0");
    let (package, _) = resolve.push_dir(contract)?;
    let world = resolve.select_world(&[package], Some("auto-reply-plugin"))?;
    let mut module = wat::parse_str(module).context("the guest's WAT")?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    let mut component = ComponentEncoder::default().module(&module)?.encode()?;
    let manifest =
        r#"{"name":"bench","version":"1.0.0","abi":"0.1.0","interfaces":["auto-reply"]}"#;
    append_manifest(&mut component, manifest);
    Ok(component)
}

/// A custom section; both lengths fit into 14 bits.
fn append_manifest(component: &mut Vec<u8>, manifest: &str) {
    let name = "vestibule:manifest";
    let length = |out: &mut Vec<u8>, n: usize| out.extend([(n % 128) as u8 | 128, (n / 128) as u8]);
    let mut body = Vec::new();
    length(&mut body, name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(manifest.as_bytes());
    component.push(0);
    length(component, body.len());
    component.extend_from_slice(&body);
}
