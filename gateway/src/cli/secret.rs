//! `vestibule secret …`

use std::path::PathBuf;

use clap::Subcommand;

use super::secret_input;
use crate::admin::Command;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Give a tenant a secret for plugins' requests, or a secret another value.
    Set {
        /// Name or id of the tenant.
        #[arg(long)]
        tenant: String,
        /// Lower-case letters, digits, hyphens and underscores; unique within the tenant.
        name: String,
        /// File with the value; `-` is standard input.
        #[arg(long, value_name = "FILE", default_value = "-")]
        value_file: PathBuf,
        /// A host that it may be sent to, or `*.` and a name; may be given several times. None: every host that a plugin
        /// with the grant may ask.
        #[arg(long = "host", value_name = "HOST")]
        hosts: Vec<String>,
    },
    /// A tenant's secrets, without their values.
    List {
        /// Name or id of the tenant.
        #[arg(long)]
        tenant: String,
    },
    /// Remove a secret: requests that name it are refused.
    Remove {
        /// Name or id of the tenant.
        #[arg(long)]
        tenant: String,
        name: String,
    },
}

impl Verb {
    pub(super) fn command(self) -> anyhow::Result<Command> {
        Ok(match self {
            Self::Set {
                tenant,
                name,
                value_file,
                hosts,
            } => Command::SecretSet {
                tenant,
                name,
                value: secret_input::one("the secret", Some(&value_file), None)?,
                hosts,
            },
            Self::List { tenant } => Command::SecretList { tenant },
            Self::Remove { tenant, name } => Command::SecretRemove { tenant, name },
        })
    }
}
