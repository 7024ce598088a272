//! What turns are made of on a node: the plugin host, loaded plugins, rollouts, the pipeline, and who watches them.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::mpsc;

use super::ports::{breaker_rule, component_budget, plugin_limits};
use super::{Shared, followers};
use crate::config::Config;
use crate::delivery::{ClaimsAtOnce, Intake};
use crate::directory;
use crate::egress::{Egress, EgressConfig, LookupLimits};
use crate::graph::client::{HttpClientConfig, http_client};
use crate::outcalls::{Outcalls, OutcallsConfig};
use crate::pipeline::{
    Pipeline, PipelineConfig, PipelineParts, Plugins, PluginsParts, Rollouts, Watchers,
};
use crate::plugin_host::{ArtifactKey, HostConfig, PluginHost, Seeds};
use crate::telemetry::{Exporter, Traces};
use crate::tenants::installations::{Recompiler, Wanted};

/// Of names that plugins ask for, at once: each is a thread. A guess: ordinary ones take milliseconds, so that many more
/// requests than this are under way before it is felt.
const MOST_LOOKUPS: usize = 256;

impl Shared {
    pub(super) fn start_pipeline(
        &self,
        config: &Config,
        (intake, claims): (Intake, ClaimsAtOnce),
        paused: Arc<AtomicBool>,
    ) -> anyhow::Result<mpsc::Sender<Vec<crate::storage::events::PendingEvent>>> {
        let io = tokio::runtime::Handle::current();
        let host = PluginHost::start(HostConfig {
            leeway: self.leeway.clone(),
            ..HostConfig::new(config.plugins.guest_threads, io)
        })?;
        let key = ArtifactKey::new(*self.keyring.artifact_mac_key());
        let wanted = Arc::new(Wanted::default());
        let plugins = Arc::new(Plugins::new(PluginsParts {
            host,
            db: self.db.clone(),
            directory: self.directory.clone(),
            key,
            limits: plugin_limits(&config.plugins),
            clock: self.clock.clone(),
            budget: component_budget(config),
            wanted: wanted.clone(),
        }));
        let soft = self.shutdown.soft();
        self.parts
            .work("plugins", plugins.clone().keep(soft.clone()));
        self.start_recompiler(config, wanted)?;
        let moving = directory::stopped::keep(
            self.admin_context(config)?.setup,
            self.directory.clone(),
            self.owned.clone(),
            soft.clone(),
        );
        self.parts.work("stopped plugins", moving);
        let rollouts = Rollouts::new(
            self.admin_context(config)?.setup,
            self.directory.clone(),
            self.holder.clone(),
            &self.keyring.pseudonym_key(),
            breaker_rule(&config.plugins),
        );
        let keeping = rollouts
            .clone()
            .keep(plugins.clone(), self.shutdown.soft().clone());
        self.parts.work("rollouts", keeping);
        let (events, attached) = mpsc::channel(256);
        let pipeline = Pipeline::new(PipelineParts {
            db: self.db.clone(),
            config: PipelineConfig {
                concurrency: config.turns.concurrency,
                commit_turns: config.turns.group_commit_turns,
                queue: config.turns.queue_messages,
                guest_threads: config.plugins.guest_threads,
                kv_total_bytes: config.plugins.kv_total_bytes,
                ..PipelineConfig::default()
            },
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            directory: self.directory.clone(),
            plugins,
            rollouts,
            outcalls: self.outcalls(config)?,
            watchers: Watchers {
                traces: self.start_traces(config)?,
                meters: self.meters.clone(),
            },
            seeds: Seeds::new(&self.keyring.pseudonym_key()),
            owned: self.owned.clone(),
            events: attached,
            sends: Arc::new(move |rows| intake.offer(rows)),
            at_once: Arc::new(claims),
            paused,
            leeway: self.leeway.clone(),
        });
        self.parts
            .work("pipeline", pipeline.run(self.shutdown.soft().clone()));
        Ok(events)
    }

    /// The way out for plugins: like that of hooks, but for the hosts that may be asked by plain http.
    fn outcalls(&self, config: &Config) -> anyhow::Result<Arc<Outcalls>> {
        let plugins = &config.plugins;
        let egress = Egress::new(EgressConfig {
            allow_private_addresses: config.hooks.allow_private_addresses,
            denied_networks: config.hooks.denied_networks.clone(),
            connect_timeout: followers::CONNECT.min(plugins.http_timeout),
            timeout: plugins.http_timeout,
            plain_hosts: plugins.http_plain_hosts.clone(),
            lookups: LookupLimits {
                most: plugins.http_concurrency.min(MOST_LOOKUPS),
                most_per_tenant: plugins.http_concurrency_per_tenant,
                wait: false,
            },
        })?;
        let config = OutcallsConfig {
            timeout: plugins.http_timeout,
            concurrency: plugins.http_concurrency,
            concurrency_per_tenant: plugins.http_concurrency_per_tenant,
        };
        let (db, keyring) = (self.db.clone(), self.keyring.clone());
        Ok(Outcalls::new(db, keyring, egress, config))
    }

    /// Where turns tell their spans. What was told when work ends is posted still.
    fn start_traces(&self, config: &Config) -> anyhow::Result<Traces> {
        let endpoint = &config.traces.endpoint;
        if endpoint.is_empty() {
            return Ok(Traces::default());
        }
        let client = http_client(&HttpClientConfig::default())?;
        let percent = f64::from(config.traces.percent);
        let (exporter, traces) = Exporter::new(client, endpoint, &self.holder, percent);
        let worked = self.parts.worked().clone();
        self.parts.upkeep("traces", exporter.keep(worked));
        Ok(traces)
    }

    fn start_recompiler(&self, config: &Config, wanted: Arc<Wanted>) -> anyhow::Result<()> {
        let children = config.plugins.recompile_concurrency;
        // A compiler of its own: what turns wait for is never behind uploads, nor behind all the rest.
        let compiler = self.compiler(config, children + 1);
        let recompiler = Recompiler {
            setup: self.admin_context(config)?.setup,
            compiler: Arc::new(compiler),
            children,
            wanted,
            holder: self.holder.clone(),
            per_minute: config.plugins.recompile_per_minute,
            claim: config.plugins.compile_timeout + Duration::from_secs(30),
        };
        let keeping = recompiler.keep(self.shutdown.soft().clone());
        self.parts.work("recompiler", keeping);
        Ok(())
    }
}
