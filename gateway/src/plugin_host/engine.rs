//! How wasmtime is set up, for running and for compiling. The two must agree, or no artifact would load.
//!
//! The choices were measured (docs/decisions/0001-guest-execution.md; `vestibule-bench`, `plugin_host`). The options
//! exist for that measurement; the gateway always takes the default.

use std::hash::Hash;
use std::sync::OnceLock;

use siphasher::sip::SipHasher13;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OperatorCost, PoolingAllocationConfig,
};

use super::limits::{
    FIBER_STACK, INSTANCES, MAX_MEMORY, MEMORIES, TABLE_ELEMENTS, TABLES, WASM_STACK,
};

/// The exact version that is linked: part of an artifact's key. A test compares it with Cargo.lock.
pub const WASMTIME_VERSION: &str = "48.0.8";

/// What is decided by measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EngineOptions {
    pub meter: Meter,
    pub reset: Reset,
}

/// Who judges a guest's use of the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meter {
    /// Counts instructions: the same verdict on every machine, busy or not, and in every replay.
    Fuel,
    /// Looks at a clock tick.
    Epoch,
}

/// How a memory becomes clean for the next guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reset {
    /// Zeroed and initialised by plain stores: no system call, whatever component comes next.
    Memset,
    /// Mapped copy-on-write from the component's image.
    CopyOnWrite,
    /// The same, asking the kernel which pages are dirty. In 48.0.x only safe between tenants without swap.
    CopyOnWriteScan,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            meter: Meter::Fuel,
            reset: Reset::Memset,
        }
    }
}

/// How many components can be alive at the same time.
#[derive(Debug, Clone, Copy)]
pub struct PoolSize {
    stores: u32,
}

impl PoolSize {
    pub fn for_stores(stores: usize) -> Self {
        Self {
            stores: u32::try_from(stores).unwrap_or(u32::MAX),
        }
    }
}

/// The engine that runs guests: memories, tables and stacks come from a pool that is mapped once.
pub fn for_running(options: &EngineOptions, size: PoolSize) -> wasmtime::Result<Engine> {
    let mut config = base(options);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(options, size)));
    Engine::new(&config)
}

/// The engine of the compiling child: runs nothing, so it maps nothing.
pub fn for_compiling(options: &EngineOptions) -> wasmtime::Result<Engine> {
    let mut config = base(options);
    config.allocation_strategy(InstanceAllocationStrategy::OnDemand);
    Engine::new(&config)
}

/// The same for a component that carries the lines of its source: the machine code says from which of its bytes it comes, and
/// a trap can be told with file and line. It loads like any other; that the map is there is no part of the compatibility.
pub fn for_compiling_with_map(options: &EngineOptions) -> wasmtime::Result<Engine> {
    let mut config = base(options);
    config
        .allocation_strategy(InstanceAllocationStrategy::OnDemand)
        .generate_address_map(true);
    Engine::new(&config)
}

/// What an artifact must have been compiled with to load here: target, CPU features, compiler flags, tunables.
pub fn compatibility(engine: &Engine) -> u64 {
    use std::hash::Hasher;
    let mut hasher = SipHasher13::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.finish()
}

/// [`compatibility`] of this gateway's engines, whichever of them has been made.
pub fn current_compatibility() -> wasmtime::Result<u64> {
    static CURRENT: OnceLock<u64> = OnceLock::new();
    if let Some(&known) = CURRENT.get() {
        return Ok(known);
    }
    let current = compatibility(&for_compiling(&EngineOptions::default())?);
    Ok(*CURRENT.get_or_init(|| current))
}

fn base(options: &EngineOptions) -> Config {
    let mut config = Config::new();
    match options.meter {
        Meter::Fuel => config.consume_fuel(true).operator_cost(operator_cost()),
        Meter::Epoch => config.epoch_interruption(true),
    };
    config
        .memory_init_cow(options.reset != Reset::Memset)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK)
        // A replay on another machine must see the same bits.
        .cranelift_nan_canonicalization(true)
        // Components come and go: registering each with the system's unwinder gets slower with their number.
        .native_unwind_info(false)
        // Maps from machine code back to the component: half of an artifact. Those that name their source have one all the
        // same (`for_compiling_with_map`).
        .generate_address_map(false)
        // A symbol for each function is another tenth. A trap is told by the names that the component carries.
        .debug_symbols(false)
        // No component-model async: most advisories of 2026 lie there (plugin-hosts.md §3.7).
        .concurrency_support(false)
        // What the toolchains of today do not need is not offered to the hostile.
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .wasm_tail_call(false);
    config
}

/// Growing ends in the kernel and costs far more than one instruction does.
fn operator_cost() -> OperatorCost {
    let mut cost = OperatorCost::new();
    cost.MemoryGrow = u8::MAX;
    cost.TableGrow = u8::MAX;
    cost
}

fn pool(options: &EngineOptions, size: PoolSize) -> PoolingAllocationConfig {
    let stores = size.stores;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(stores)
        .total_stacks(stores)
        // As much for every store as one component may have: nobody can take a neighbour's share.
        .total_core_instances(stores.saturating_mul(INSTANCES as u32))
        .total_memories(stores.saturating_mul(MEMORIES as u32))
        .total_tables(stores.saturating_mul(TABLES as u32))
        .max_core_instances_per_component(INSTANCES as u32)
        .max_memories_per_component(MEMORIES as u32)
        .max_tables_per_component(TABLES as u32)
        .max_memories_per_module(MEMORIES as u32)
        .max_tables_per_module(TABLES as u32)
        .max_core_instance_size(4 << 20)
        .max_component_instance_size(4 << 20)
        .max_memory_size(MAX_MEMORY)
        .table_elements(TABLE_ELEMENTS)
        .max_unused_warm_slots(match options.reset {
            // A fresh slot only when all that were ever used are taken: the fewer there are, the more of them are in the
            // cache. (A component has the one that it had last, if it is free, else the one that is unused longest.)
            Reset::Memset => 0,
            Reset::CopyOnWrite | Reset::CopyOnWriteScan => stores,
        })
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(TABLE_ELEMENTS * 8)
        .pagemap_scan(match options.reset {
            Reset::CopyOnWriteScan => Enabled::Yes,
            Reset::Memset | Reset::CopyOnWrite => Enabled::No,
        });
    pool
}

/// Bytes of a memory that stay mapped between two guests. More than a Rust guest has, so that it costs no system call;
/// beyond it the kernel takes pages back.
pub const KEEP_RESIDENT: usize = 2 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_compiles_and_what_runs_agree() {
        for meter in [Meter::Fuel, Meter::Epoch] {
            for reset in [Reset::Memset, Reset::CopyOnWrite] {
                let options = EngineOptions { meter, reset };
                let running = for_running(&options, PoolSize::for_stores(2)).expect("an engine");
                let compiling = for_compiling(&options).expect("an engine");
                assert_eq!(compatibility(&running), compatibility(&compiling));
            }
        }
    }

    #[test]
    fn machine_code_has_no_symbols_beside_it() {
        let wat = r#"(component (core module (func (export "run"))))"#;
        let component = wat::parse_str(wat).expect("valid WAT");
        let has_symbols = |engine: wasmtime::Result<Engine>| {
            let code = engine.and_then(|engine| engine.precompile_component(&component));
            let code = code.expect("compiles");
            code.windows(18).any(|bytes| bytes == b"wasm[0]::function[")
        };
        let options = EngineOptions::default();
        assert!(!has_symbols(for_compiling(&options)));
        assert!(!has_symbols(for_compiling_with_map(&options)));
        assert!(has_symbols(Engine::new(&Config::new())));
    }

    #[test]
    fn the_version_is_the_one_that_is_linked() {
        let lock = include_str!("../../../Cargo.lock");
        let entry = format!("name = \"wasmtime\"\nversion = \"{WASMTIME_VERSION}\"");
        assert!(lock.contains(&entry));
    }
}
