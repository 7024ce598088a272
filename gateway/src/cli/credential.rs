//! `vestibule credential …`

use std::path::PathBuf;

use clap::Subcommand;

use super::secret_input;
use crate::admin::Command;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Add an access token for a tenant's numbers.
    Add {
        /// Name or id of the tenant.
        #[arg(long)]
        tenant: String,
        /// What people call it; unique within the tenant.
        name: String,
        /// File with the token; `-` is standard input.
        #[arg(long, value_name = "FILE")]
        token_file: Option<PathBuf>,
        /// Environment variable with the token.
        #[arg(long, value_name = "NAME", conflicts_with = "token_file")]
        token_env: Option<String>,
        /// Give the credential of this name the new token.
        #[arg(long)]
        replace: bool,
    },
    /// Remove an access token that no number sends with any more.
    Remove {
        /// Name or id of the tenant.
        #[arg(long)]
        tenant: String,
        /// Its name or id.
        credential: String,
    },
}

impl Verb {
    pub(super) fn command(self) -> anyhow::Result<Command> {
        Ok(match self {
            Self::Add {
                tenant,
                name,
                token_file,
                token_env,
                replace,
            } => Command::CredentialAdd {
                tenant,
                name,
                token: secret_input::one(
                    "the access token",
                    token_file.as_deref(),
                    token_env.as_deref(),
                )?,
                replace,
            },
            Self::Remove { tenant, credential } => Command::CredentialRemove { tenant, credential },
        })
    }
}
