//! The sections of the configuration as types. What each key means stands in `config.default.toml`, once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::network::Network;
use super::reader::Reader;
use super::setting::{DatabaseUrl, Hidden, LogFormat};

/// A section: its struct, and a reader that asks for every key before it gives up.
macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident = $section:literal { $($field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name {
            $(pub $field: $type,)*
        }

        impl $name {
            pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
                $(let $field = reader.get::<$type>(concat!($section, ".", stringify!($field)));)*
                Some(Self { $($field: $field?,)* })
            }
        }
    )*};
}

sections! {
    /// The listener for webhooks.
    Http = "http" {
        listen: SocketAddr,
        max_body_bytes: usize,
        max_connections: usize,
        read_timeout: Duration,
    }

    /// The management API.
    Api = "api" {
        listen: Option<SocketAddr>,
        max_body_bytes: usize,
        requests_per_minute: u32,
        event_streams: usize,
        event_heartbeat: Duration,
        client_address_header: Option<String>,
    }

    /// The listener for Prometheus.
    Metrics = "metrics" {
        listen: Option<SocketAddr>,
        plugin_seats: usize,
    }

    /// Traces for an OpenTelemetry collector.
    Traces = "traces" {
        endpoint: String,
        percent: u32,
    }

    /// Which database, and how many connections to it.
    Database = "database" {
        url: DatabaseUrl,
        postgres_connections: u32,
        sqlite_readers: u32,
        sqlite_cache_bytes: u64,
    }

    /// Meta's Graph API.
    Graph = "graph" {
        base_url: String,
        version: String,
        connect_timeout: Duration,
        response_timeout: Duration,
        max_idle_connections: usize,
        quality_every: Duration,
        blocks_every: Duration,
    }

    /// Where the keys of the envelopes come from.
    Secrets = "secrets" {
        keys: Vec<Hidden>,
        key_file: Option<PathBuf>,
    }

    /// Webhooks in.
    Ingest = "ingest" {
        group_commit_bodies: usize,
        queue_bodies: usize,
    }

    /// Turns: how many, and how they are committed.
    Turns = "turns" {
        concurrency: usize,
        group_commit_turns: usize,
        queue_messages: usize,
    }

    /// Sends: how many at once, and what happens to those that fail or stay in doubt.
    Delivery = "delivery" {
        concurrency: usize,
        concurrency_per_number: usize,
        claim_rows: usize,
        record_rows: usize,
        unknown_grace: Duration,
        give_up_after: Duration,
    }

    /// The plugin host's threads and limits.
    Plugins = "plugins" {
        guest_threads: usize,
        fuel: u64,
        memory_bytes: usize,
        host_calls: u32,
        host_bytes: usize,
        effects: usize,
        log_lines: u32,
        kv_keys: usize,
        kv_bytes: usize,
        kv_total_bytes: u64,
        http_requests: u32,
        http_timeout: Duration,
        http_concurrency: usize,
        http_concurrency_per_tenant: usize,
        http_plain_hosts: Vec<String>,
        compile_cpu: Duration,
        compile_timeout: Duration,
        compile_memory_bytes: u64,
        recompile_concurrency: usize,
        recompile_per_minute: u32,
        loaded_components: usize,
        loaded_bytes: usize,
        artifact_files_bytes: u64,
        require_signature: bool,
        uploads_per_tenant: u32,
        breaker_window: Duration,
        breaker_least_turns: u64,
        breaker_fault_percent: u32,
        breaker_open: Duration,
        breaker_probes: u32,
    }

    /// Hooks out.
    Hooks = "hooks" {
        allow_private_addresses: bool,
        denied_networks: Vec<Network>,
        timeout: Duration,
        retry_for: Duration,
    }

    /// Templates.
    Templates = "templates" {
        sync_every: Duration,
    }

    /// Ownership of buckets.
    Leases = "leases" {
        ttl: Duration,
        renew_every: Duration,
    }

    /// How long rows are kept.
    Retention = "retention" {
        events: Duration,
        raw_bodies: Duration,
        journal: Duration,
        sends: Duration,
        jobs: Duration,
        uploads: Duration,
    }

    /// Logs.
    Log = "log" {
        format: LogFormat,
        level: String,
    }

    /// The end of the process.
    Shutdown = "shutdown" {
        soft_timeout: Duration,
    }
}
