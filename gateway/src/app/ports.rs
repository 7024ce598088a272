//! What edges ask of the world, answered from the directory.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::BoxFuture;
use secrecy::SecretString;

use crate::config;
use crate::delivery;
use crate::directory::Directory;
use crate::domain::breaker::BreakerRule;
use crate::domain::number::Number;
use crate::domain::{Draft, NumberId, Timestamp};
use crate::pipeline::ComponentBudget;
use crate::plugin_host::Limits;
use crate::policy::limits::LimitRules;
use crate::sync::lock;

/// The directory as delivery sees it.
pub(super) struct DirectoryPort(Arc<Directory>);

impl DirectoryPort {
    pub(super) fn new(directory: Arc<Directory>) -> Self {
        Self(directory)
    }
}

impl delivery::Directory for DirectoryPort {
    fn number(&self, id: NumberId) -> Option<Arc<Number>> {
        self.0
            .snapshot()
            .number(id)
            .map(|entry| entry.number.clone())
    }

    fn limits(&self, number: NumberId) -> Arc<LimitRules> {
        let snapshot = self.0.snapshot();
        let entry = snapshot.number(number);
        entry
            .map(|entry| entry.tenant.limits.clone())
            .unwrap_or_default()
    }

    fn bearing_on(&self, draft: &Draft, now: Timestamp) -> Option<delivery::Bearing> {
        let snapshot = self.0.snapshot();
        let entry = snapshot.number(draft.number)?;
        let own = entry.number.tenant == draft.tenant;
        Some(delivery::Bearing {
            number: entry.number.clone(),
            holds: if own { entry.holds.clone() } else { Vec::new() },
            basis: entry.tenant.settings.consent_basis,
            topic: entry.tenant.topic(&draft.content),
            template: entry.template(&draft.content, now),
            limits: entry.tenant.limits.clone(),
            ingest_gap_until: snapshot.ingest_gap_until,
        })
    }
}

impl delivery::Credentials for DirectoryPort {
    fn token(&self, number: &Number) -> BoxFuture<'_, Option<SecretString>> {
        let snapshot = self.0.snapshot();
        let token = snapshot
            .number(number.id)
            .and_then(|entry| entry.token.clone());
        async move { token }.boxed()
    }
}

/// Whose receipts come: ingest is up and has no backlog of theirs. Holds the numbers that are late; `None`: anybody may be.
#[derive(Debug, Default)]
pub(super) struct BacklogGate(Mutex<Option<BTreeSet<NumberId>>>);

impl BacklogGate {
    pub(super) fn set(&self, late: Option<BTreeSet<NumberId>>) {
        *lock(&self.0) = late;
    }
}

impl delivery::Receipts for BacklogGate {
    fn come(&self, number: NumberId) -> bool {
        let late = lock(&self.0);
        late.as_ref().is_some_and(|late| !late.contains(&number))
    }
}

/// The plugin host's limits as configured.
pub fn plugin_limits(plugins: &config::Plugins) -> Limits {
    Limits {
        fuel: plugins.fuel,
        memory: plugins.memory_bytes,
        host_calls: plugins.host_calls,
        host_bytes: plugins.host_bytes,
        effects: plugins.effects,
        log_lines: plugins.log_lines,
        kv_keys: plugins.kv_keys,
        kv_bytes: plugins.kv_bytes,
        kv_total_bytes: plugins.kv_total_bytes,
        http_requests: plugins.http_requests,
    }
}

/// When a version in service is taken out.
pub(super) fn breaker_rule(plugins: &config::Plugins) -> BreakerRule {
    BreakerRule {
        window: plugins.breaker_window,
        least_turns: plugins.breaker_least_turns,
        fault_percent: f64::from(plugins.breaker_fault_percent),
        open: plugins.breaker_open,
        probes: plugins.breaker_probes,
    }
}

/// What a node may hold of components.
pub(super) fn component_budget(config: &config::Config) -> ComponentBudget {
    let plugins = &config.plugins;
    ComponentBudget {
        loaded: plugins.loaded_components,
        loaded_bytes: plugins.loaded_bytes,
        folder: (plugins.artifact_files_bytes > 0).then(|| config.artifact_folder()),
        folder_bytes: plugins.artifact_files_bytes,
    }
}
