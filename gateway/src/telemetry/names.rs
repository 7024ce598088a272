//! The catalog of metrics: every name, its kind, its labels and what it tells. Nobody writes a name elsewhere.
//!
//! Labels have few values: never a tenant, number or conversation (10,000 tenants would be 10,000 series each). The four
//! of plugins are the exception, whose series are bounded by seats (`telemetry/plugins.rs`).

use metrics::Unit;

/// Buckets of durations, in seconds: from a fast commit to a slow Graph call.
pub(super) const SECONDS: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}
use Kind::{Counter, Gauge, Histogram};

macro_rules! catalog {
    ($($constant:ident = $name:literal, $kind:expr, $unit:expr, $help:literal;)*) => {
        $(#[doc = $help] pub const $constant: &str = $name;)*

        const CATALOG: &[(&str, Kind, Unit, &str)] = &[$(($name, $kind, $unit, $help),)*];
    };
}

catalog! {
    COMMIT_SECONDS = "vestibule_commit_seconds", Histogram, Unit::Seconds,
        "How long one transaction of the hot path lasted, by kind: receive, raw, attach, turns, claim, record. On SQLite it held the one writer; claim and record have the flush of what must last besides.";
    COMMIT_ROWS = "vestibule_commit_rows_total", Counter, Unit::Count,
        "Bodies, turns or sends in those transactions, by kind: divided by their number, how well commits are shared.";
    SQLITE_LOG_BYTES = "vestibule_sqlite_log_bytes", Gauge, Unit::Bytes,
        "What stands in SQLite's log (the -wal file), in the database's file or not yet. It begins anew after some 16 MB, unless somebody reads for long.";

    WEBHOOKS = "vestibule_webhooks_total", Counter, Unit::Count,
        "Webhook POSTs by outcome: kept, or why not: wrong_signature, unknown_app, too_large, unreadable, full, failed.";
    MESSAGES = "vestibule_messages_total", Counter, Unit::Count,
        "Customers' messages by kind and outcome: attached, or stale (older than events are known: no turn acts on it).";
    EVENTS_DOUBLED = "vestibule_events_doubled_total", Counter, Unit::Count,
        "Events that were known already.";
    EVENTS_KEPT = "vestibule_events_kept_total", Counter, Unit::Count,
        "Items kept raw, by what they are; unknown_number and number_of_another_app are those of no number of the app's.";
    ATTACHED_LEFT = "vestibule_attached_left_in_database_total", Counter, Unit::Count,
        "Times that attached messages were left for the pipeline to find in the database, its queue being full.";
    INGEST_BACKLOG_SECONDS = "vestibule_ingest_backlog_age_seconds", Gauge, Unit::Seconds,
        "Age of the oldest raw body of this node that is not split yet.";
    RECEIPTS = "vestibule_receipts_total", Counter, Unit::Count,
        "Receipts by outcome: fresh, backward, doubled, unknown_send.";

    TURNS = "vestibule_turns_total", Counter, Unit::Count,
        "Turns by what their commit came to: committed, not_ours, lost_race, alone, failed.";
    PLUGIN_CALLS = "vestibule_plugin_calls_total", Counter, Unit::Count,
        "Plugin calls by hook and outcome: ok, rejected, retry, or the fault's kind.";
    PLUGIN_REQUESTS = "vestibule_plugin_requests_total", Counter, Unit::Count,
        "Requests of plugins to other servers by outcome: answered, or why not: timeout, unreachable, not_public (a private or denied address; its plugin is told unreachable), too_large, denied, invalid, absent, quota, unavailable.";
    PLUGIN_ROLLBACKS = "vestibule_plugin_rollbacks_total", Counter, Unit::Count,
        "Versions that a bound took out, by stage: shadow, canary, active.";
    PLUGIN_BREAKERS = "vestibule_plugin_breakers_total", Counter, Unit::Count,
        "Breakers of versions in service that this node moved, by what: opened, closed.";
    PLUGIN_TURNS = "vestibule_plugin_turns_total", Counter, Unit::Count,
        "Turns of a plugin, by tenant, plugin and version: those with a seat, and all others as `other` (docs/operating.md).";
    PLUGIN_FAULTS = "vestibule_plugin_faults_total", Counter, Unit::Count,
        "Turns that it could not end, by the same.";
    PLUGIN_FUEL = "vestibule_plugin_fuel_total", Counter, Unit::Count,
        "Fuel of its turns, by the same: what it takes of the CPU.";
    PLUGIN_WALL = "vestibule_plugin_wall_seconds_total", Counter, Unit::Seconds,
        "Wall time of its turns, without what they waited for other servers, by the same.";
    SPANS = "vestibule_spans_total", Counter, Unit::Count,
        "Spans for the collector, by result: sent, dropped.";
    PLUGIN_CALL_SECONDS = "vestibule_plugin_call_seconds", Histogram, Unit::Seconds,
        "Wall time of one plugin call, what it waited for other servers included.";

    PLUGINS_LOADED = "vestibule_plugins_loaded", Gauge, Unit::Count,
        "Components that this node holds in memory.";
    PLUGINS_LOADED_BYTES = "vestibule_plugins_loaded_bytes", Gauge, Unit::Bytes,
        "Bytes of those components, about.";
    PLUGINS_EVICTED = "vestibule_plugins_evicted_total", Counter, Unit::Count,
        "Components that had to go for others. Many of them: plugins.loaded_bytes or loaded_components are too small.";
    PLUGIN_LOADS = "vestibule_plugin_loads_total", Counter, Unit::Count,
        "Components loaded, by result: loaded, failed.";
    ARTIFACT_FILES_BYTES = "vestibule_artifact_files_bytes", Gauge, Unit::Bytes,
        "Bytes of machine code that this node keeps on its disk.";
    PLUGINS_TO_COMPILE = "vestibule_plugins_to_compile", Gauge, Unit::Count,
        "Components that are not compiled for this node's engine yet.";
    PLUGINS_RECOMPILED = "vestibule_plugins_recompiled_total", Counter, Unit::Count,
        "Components compiled anew for this engine, by result: compiled, refused, failed.";

    HOOK_DELIVERIES = "vestibule_hook_deliveries_total", Counter, Unit::Count,
        "Requests to tenants' endpoints by outcome: delivered, failed; dead: given up after a day.";

    POLICY_DECISIONS = "vestibule_policy_decisions_total", Counter, Unit::Count,
        "Decisions by gate (claim: just before the POST, each send once) and outcome: cleared, deferred, or why it did not go.";

    DELIVERY_CALLS = "vestibule_delivery_calls_total", Counter, Unit::Count,
        "Sends to Graph by outcome: accepted, retry, failed, unknown, given_back.";
    DELIVERY_CALL_SECONDS = "vestibule_delivery_call_seconds", Histogram, Unit::Seconds,
        "From a send's first byte to Graph's whole answer.";
    DELIVERY_UNKNOWN = "vestibule_delivery_unknown", Gauge, Unit::Count,
        "Sends of this node whose answer never came and that are not settled.";
    DELIVERY_DOUBTS = "vestibule_delivery_doubts_settled_total", Counter, Unit::Count,
        "Sends in doubt that no receipt settled, by end: sent_once_more, given_up.";

    LEASES_LOST = "vestibule_lease_lost_total", Counter, Unit::Count,
        "Times that this node lost its slot and began again.";
    BUCKETS_OWNED = "vestibule_buckets_owned", Gauge, Unit::Count,
        "Buckets that this node owns.";
    FENCED_COMMITS = "vestibule_fenced_commits_total", Counter, Unit::Count,
        "Commits refused because the bucket had a new owner.";
    ADMIN_COMMANDS = "vestibule_admin_commands_total", Counter, Unit::Count,
        "Commands of the command line by verb and result: done, refused, failed.";
    API_REQUESTS = "vestibule_api_requests_total", Counter, Unit::Count,
        "Requests to the management API by operation and status.";
    API_SECONDS = "vestibule_api_seconds", Histogram, Unit::Seconds,
        "From a request's head to its answer's head, by operation.";
    JOBS = "vestibule_jobs_total", Counter, Unit::Count,
        "Jobs that are over by end: done, failed, cancelled.";
}

/// What a name tells.
pub(super) fn help(name: &str) -> &'static str {
    let entry = CATALOG.iter().find(|entry| entry.0 == name);
    entry.map_or("", |entry| entry.3)
}

/// Tells the recorder what each name means.
pub(super) fn describe() {
    for &(name, kind, unit, help) in CATALOG {
        match kind {
            Counter => metrics::describe_counter!(name, unit, help),
            Gauge => metrics::describe_gauge!(name, unit, help),
            Histogram => metrics::describe_histogram!(name, unit, help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_follows_the_rules_of_prometheus() {
        for (name, kind, unit, help) in CATALOG {
            assert!(name.starts_with("vestibule_"), "{name}");
            let letters = |letter: char| letter == '_' || letter.is_ascii_lowercase();
            assert!(name.chars().all(letters), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Counter, "{name}");
            let seconds = name.trim_end_matches("_total").ends_with("_seconds");
            assert_eq!(seconds, *unit == Unit::Seconds, "{name}");
            assert!(help.ends_with('.'), "{name}");
        }
    }

    #[test]
    fn no_name_stands_there_twice() {
        let names: std::collections::BTreeSet<_> = CATALOG.iter().map(|entry| entry.0).collect();
        assert_eq!(names.len(), CATALOG.len());
    }
}
