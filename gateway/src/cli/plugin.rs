//! `vestibule plugin …`

use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};

use super::replay::Replay;
use super::trace::Trace;
use crate::admin::Command;
use crate::reference_plugins;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Put a plugin into service, in the place of the version before it.
    Install(Install),
    /// Try a candidate on the turns of the journal: would it have done the same? Nothing is sent.
    Replay(Replay),
    /// Show one turn: calls, fuel, memory, effects, what policy decided, log, faults.
    Trace(Trace),
}

#[derive(Debug, Args)]
pub(super) struct Install {
    /// The component file; `reference:menu`, `reference:faq`, `reference:department-router` and
    /// `reference:contact-enricher` are the plugins that come with the gateway.
    component: PathBuf,
    /// Name or id of the tenant.
    #[arg(long)]
    tenant: String,
    /// One number of the tenant: Meta's id, our id, or as it is displayed. Default: all its numbers.
    #[arg(long)]
    number: Option<String>,
    /// The plugin's settings, a JSON object.
    #[arg(long = "settings", default_value = "{}", value_name = "JSON")]
    settings: String,
    /// File with the plugin's settings.
    #[arg(long, conflicts_with = "settings", value_name = "FILE")]
    settings_file: Option<PathBuf>,
    /// What it may use, of what its manifest asks for. May be given several times.
    #[arg(long = "grant", value_name = "NAME")]
    grants: Vec<String>,
    /// Plugins of a turn run in this order; numbers below zero are for those that come first.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    position: i64,
}

impl Install {
    pub(super) fn command(self) -> anyhow::Result<Command> {
        let wasm = component(&self.component)?;
        let config = match &self.settings_file {
            Some(file) => std::fs::read_to_string(file)
                .with_context(|| format!("cannot read {}", file.display()))?,
            None => self.settings,
        };
        Ok(Command::PluginInstall {
            tenant: self.tenant,
            number: self.number,
            component: STANDARD.encode(wasm),
            config,
            grants: self.grants.into_iter().collect(),
            position: self.position,
        })
    }
}

/// The bytes of a file, or of a plugin that comes with the gateway.
pub(super) fn component(file: &Path) -> anyhow::Result<Vec<u8>> {
    if let Some(name) = file
        .to_str()
        .and_then(|name| name.strip_prefix("reference:"))
    {
        let component = reference_plugins::named(name).with_context(|| {
            let names: Vec<_> = reference_plugins::ALL
                .iter()
                .map(|(name, _)| *name)
                .collect();
            format!(
                "there is no reference plugin `{name}`, but {}",
                names.join(", ")
            )
        })?;
        return Ok(component.to_vec());
    }
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}
