//! `vestibule key …`

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::access::Role;
use crate::admin::Command;
use crate::domain::ApiKeyId;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make an API key. Its text is printed once and stored nowhere.
    Add {
        /// What people call it.
        #[arg(default_value = "command line")]
        name: String,
        #[command(flatten)]
        whose: Whose,
        /// What it may do: tenant_admin, developer, agent, analyst, auditor, plugin_author (docs/api.md).
        #[arg(
            long,
            required_unless_present = "operator",
            conflicts_with = "operator"
        )]
        role: Option<Role>,
        /// How long it works, like "720h". Default: until it is revoked.
        #[arg(long = "for", value_name = "DURATION")]
        lasts: Option<jiff::SignedDuration>,
    },
    /// Keys, those that are over too.
    List {
        #[command(flatten)]
        whose: Whose,
    },
    /// Refuse a key from now on.
    Revoke {
        /// The key's id.
        key: ApiKeyId,
        #[command(flatten)]
        whose: Whose,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Whose {
    /// Name or id of the tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// The operator's own.
    #[arg(long)]
    operator: bool,
}

impl Verb {
    pub(super) fn command(self) -> anyhow::Result<Command> {
        Ok(match self {
            Self::Add {
                name,
                whose,
                role,
                lasts,
            } => {
                let seconds = lasts
                    .map(|lasts| u64::try_from(lasts.as_secs()))
                    .transpose();
                Command::KeyAdd {
                    tenant: whose.tenant,
                    name,
                    role: role.unwrap_or(Role::Operator),
                    seconds: seconds.context("a key cannot work for a negative time")?,
                }
            }
            Self::List { whose } => Command::KeyList {
                tenant: whose.tenant,
            },
            Self::Revoke { key, whose } => Command::KeyRevoke {
                tenant: whose.tenant,
                key,
            },
        })
    }
}
