//! `vestibule plugin …`

use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};

use crate::admin::Command;
use crate::reference_plugins::MENU;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Put a plugin into service, in the place of the version before it.
    Install(Install),
}

#[derive(Debug, Args)]
pub(super) struct Install {
    /// The component file; `reference:menu` is the plugin that comes with the gateway.
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
    /// Plugins of a turn run in this order.
    #[arg(long, default_value_t = 0)]
    position: i64,
}

impl Verb {
    pub(super) fn command(self) -> anyhow::Result<Command> {
        let Self::Install(install) = self;
        let wasm = component(&install.component)?;
        let config = match &install.settings_file {
            Some(file) => std::fs::read_to_string(file)
                .with_context(|| format!("cannot read {}", file.display()))?,
            None => install.settings,
        };
        Ok(Command::PluginInstall {
            tenant: install.tenant,
            number: install.number,
            component: STANDARD.encode(wasm),
            config,
            grants: install.grants.into_iter().collect(),
            position: install.position,
        })
    }
}

fn component(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file == Path::new("reference:menu") {
        return Ok(MENU.to_vec());
    }
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}
