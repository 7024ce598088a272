//! What types alone cannot say: keys that must not be zero, and keys that must fit together.

use std::time::Duration;

use super::Config;
use super::reader::Reader;

/// The largest part of a lease's life that may pass between two renewals, as a divisor.
const RENEWALS_PER_TTL: u32 = 3;

/// A claimed send begins within two seconds or is given back (design.md §1, promise 4).
const MOST_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Meta repeats a webhook for as long (facts §1): until then a receipt may come.
const LEAST_SENDS: Duration = Duration::from_secs(7 * 86_400);

/// What the plugin host's pool has room for (`plugin_host::limits::MAX_MEMORY`).
const MOST_PLUGIN_MEMORY: usize = 64 << 20;

/// The customer waits for it, and the net behind it (`plugin_host::limits::HTTP_WAIT`) is a minute.
const MOST_HTTP_TIMEOUT: Duration = Duration::from_secs(30);

/// Buckets of keys count in milliseconds (`api::rate`).
const MOST_REQUESTS_PER_MINUTE: u32 = 60_000;

pub(super) fn check(config: &Config, reader: &mut Reader<'_>) {
    for (key, value) in not_zero(config) {
        if value == 0 {
            reader.complain(key, "must be at least 1".to_owned());
        }
    }
    for (key, complaint) in fits(config) {
        if let Some(what) = complaint {
            reader.complain(key, what.to_owned());
        }
    }
}

fn not_zero(config: &Config) -> Vec<(&'static str, u128)> {
    let Config {
        http,
        database,
        ingest,
        turns,
        delivery,
        plugins,
        ..
    } = config;
    vec![
        ("http.max_body_bytes", http.max_body_bytes as u128),
        ("http.max_connections", http.max_connections as u128),
        ("http.read_timeout", http.read_timeout.as_nanos()),
        ("api.max_body_bytes", config.api.max_body_bytes as u128),
        (
            "api.requests_per_minute",
            config.api.requests_per_minute.into(),
        ),
        ("api.event_streams", config.api.event_streams as u128),
        ("api.event_heartbeat", config.api.event_heartbeat.as_nanos()),
        (
            "database.postgres_connections",
            database.postgres_connections.into(),
        ),
        ("database.sqlite_readers", database.sqlite_readers.into()),
        (
            "graph.connect_timeout",
            config.graph.connect_timeout.as_nanos(),
        ),
        (
            "graph.response_timeout",
            config.graph.response_timeout.as_nanos(),
        ),
        (
            "ingest.group_commit_bodies",
            ingest.group_commit_bodies as u128,
        ),
        ("ingest.queue_bodies", ingest.queue_bodies as u128),
        ("turns.group_commit_turns", turns.group_commit_turns as u128),
        ("turns.queue_messages", turns.queue_messages as u128),
        ("delivery.concurrency", delivery.concurrency as u128),
        (
            "delivery.concurrency_per_number",
            delivery.concurrency_per_number as u128,
        ),
        ("delivery.claim_rows", delivery.claim_rows as u128),
        ("delivery.record_rows", delivery.record_rows as u128),
        ("plugins.fuel", plugins.fuel.into()),
        ("plugins.memory_bytes", plugins.memory_bytes as u128),
        ("plugins.http_timeout", plugins.http_timeout.as_nanos()),
        (
            "plugins.recompile_per_minute",
            plugins.recompile_per_minute.into(),
        ),
        (
            "plugins.uploads_per_tenant",
            plugins.uploads_per_tenant.into(),
        ),
        (
            "plugins.loaded_components",
            plugins.loaded_components as u128,
        ),
        ("plugins.breaker_window", plugins.breaker_window.as_nanos()),
        (
            "plugins.breaker_least_turns",
            plugins.breaker_least_turns.into(),
        ),
        ("plugins.breaker_probes", plugins.breaker_probes.into()),
        ("plugins.loaded_bytes", plugins.loaded_bytes as u128),
        ("plugins.compile_cpu", plugins.compile_cpu.as_nanos()),
        (
            "plugins.compile_timeout",
            plugins.compile_timeout.as_nanos(),
        ),
        ("hooks.timeout", config.hooks.timeout.as_nanos()),
        ("leases.ttl", config.leases.ttl.as_nanos()),
        ("leases.renew_every", config.leases.renew_every.as_nanos()),
    ]
}

fn fits(config: &Config) -> [(&'static str, Option<&'static str>); 12] {
    let renewals = config.leases.renew_every * RENEWALS_PER_TTL;
    [
        (
            "api.requests_per_minute",
            (config.api.requests_per_minute > MOST_REQUESTS_PER_MINUTE)
                .then_some("must be at most 60000"),
        ),
        (
            "api.client_address_header",
            config
                .api
                .client_address_header
                .as_ref()
                .and_then(|name| http::HeaderName::try_from(name).err())
                .map(|_| "must be the name of a header, like \"x-forwarded-for\""),
        ),
        (
            "traces.endpoint",
            collector(&config.traces.endpoint),
        ),
        (
            "traces.percent",
            (config.traces.percent > 100).then_some("must be 0 to 100"),
        ),
        ("graph.base_url", base_url(&config.graph.base_url)),
        ("graph.version", graph_version(&config.graph.version)),
        (
            "leases.renew_every",
            (renewals > config.leases.ttl).then_some("must be at most a third of leases.ttl"),
        ),
        (
            "graph.connect_timeout",
            (config.graph.connect_timeout >= MOST_CONNECT_TIMEOUT)
                .then_some("must be less than 2s: a claimed send begins within two seconds"),
        ),
        (
            "plugins.memory_bytes",
            (config.plugins.memory_bytes > MOST_PLUGIN_MEMORY)
                .then_some("must be at most 67108864"),
        ),
        (
            "plugins.http_timeout",
            (config.plugins.http_timeout > MOST_HTTP_TIMEOUT).then_some("must be at most 30s"),
        ),
        (
            "retention.sends",
            (config.retention.sends < LEAST_SENDS)
                .then_some("must be at least 7d: a customer's phone may be off for days, and receipts name sends"),
        ),
        (
            "log.level",
            config
                .log
                .level
                .parse::<tracing_subscriber::EnvFilter>()
                .is_err()
                .then_some(
                    "must be a level or directives, like \"info,vestibule::delivery=debug\"",
                ),
        ),
    ]
}

/// "": nowhere.
fn collector(url: &str) -> Option<&'static str> {
    let parsed: Option<http::Uri> = url.parse().ok();
    let whole = parsed.is_some_and(|url| url.scheme().is_some() && url.host().is_some());
    (!url.is_empty() && !whole).then_some("must be a URL, like \"http://127.0.0.1:4318/v1/traces\"")
}

fn base_url(url: &str) -> Option<&'static str> {
    let parsed: Option<http::Uri> = url.parse().ok();
    let whole = parsed.is_some_and(|url| url.host().is_some() && url.query().is_none());
    if !whole || url.ends_with('/') {
        Some("must be a URL without a slash at its end, like \"https://graph.facebook.com\"")
    } else {
        None
    }
}

/// `v25.0` (facts §0 "Graph API versions").
fn graph_version(version: &str) -> Option<&'static str> {
    let numbers = version
        .strip_prefix('v')
        .and_then(|rest| rest.split_once('.'));
    let good = numbers
        .is_some_and(|(major, minor)| major.parse::<u16>().is_ok() && minor.parse::<u16>().is_ok());
    (!good).then_some("must look like \"v25.0\"")
}
