//! `vestibule tenant …`

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::admin::Command;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Add a tenant.
    Add {
        /// What people call it; unique.
        name: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// Replace a tenant's settings. What is not said has its default again.
    Set {
        /// Name or id of the tenant.
        tenant: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// A tenant, with its settings as they hold.
    Show {
        /// Name or id of the tenant.
        tenant: String,
    },
    /// All tenants.
    List,
    /// Remove a tenant that has no numbers, credentials, plugins and hooks any more, and forget its people.
    Remove {
        /// Name or id of the tenant.
        tenant: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Settings {
    /// Its settings, a JSON object.
    #[arg(long, default_value = "{}", value_name = "JSON")]
    settings: String,
    /// File with its settings.
    #[arg(long, conflicts_with = "settings", value_name = "FILE")]
    settings_file: Option<PathBuf>,
}

impl Verb {
    pub(super) fn command(self) -> anyhow::Result<Command> {
        Ok(match self {
            Self::Add { name, settings } => Command::TenantAdd {
                name,
                settings: settings.read()?,
            },
            Self::Set { tenant, settings } => Command::TenantSet {
                tenant,
                settings: settings.read()?,
            },
            Self::Show { tenant } => Command::TenantShow { tenant },
            Self::List => Command::TenantList,
            Self::Remove { tenant } => Command::TenantRemove { tenant },
        })
    }
}

impl Settings {
    fn read(self) -> anyhow::Result<String> {
        match &self.settings_file {
            Some(file) => std::fs::read_to_string(file)
                .with_context(|| format!("cannot read {}", file.display())),
            None => Ok(self.settings),
        }
    }
}
