//! `vestibule app …`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::secret_input;
use crate::admin::Command;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Add a Meta app.
    Add(Add),
    /// Add another secret to an app, as when Meta's is being reset.
    AddSecret(AddSecret),
    /// Remove an app that has no numbers any more.
    Remove {
        /// Meta's id, our id or the name of the app.
        app: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// Meta's id of the app.
    meta_app_id: String,
    /// What people call it. Default: Meta's id.
    #[arg(long)]
    name: Option<String>,
    /// File with the app secret; `-` is standard input. May be given several times.
    #[arg(long, value_name = "FILE")]
    secret_file: Vec<PathBuf>,
    /// Environment variable with the app secret. May be given several times.
    #[arg(long, value_name = "NAME")]
    secret_env: Vec<String>,
    /// File with the verify token.
    #[arg(long, value_name = "FILE")]
    verify_token_file: Option<PathBuf>,
    /// Environment variable with the verify token.
    #[arg(long, value_name = "NAME", conflicts_with = "verify_token_file")]
    verify_token_env: Option<String>,
    /// Let it answer at /webhooks/whatsapp without an app id. The first app does in any case.
    #[arg(long)]
    default: bool,
}

#[derive(Debug, Args)]
pub(super) struct AddSecret {
    /// Meta's id, our id or the name of the app.
    app: String,
    /// File with the secret; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Environment variable with the secret.
    #[arg(long, value_name = "NAME", conflicts_with = "secret_file")]
    secret_env: Option<String>,
    /// Webhooks signed with an older secret are refused from now on.
    #[arg(long)]
    retire_older: bool,
}

impl Verb {
    pub(super) fn command(self) -> anyhow::Result<Command> {
        Ok(match self {
            Self::Add(add) => Command::AppAdd {
                name: add.name.unwrap_or_else(|| add.meta_app_id.clone()),
                meta_app_id: add.meta_app_id,
                verify_token: secret_input::one(
                    "the verify token",
                    add.verify_token_file.as_deref(),
                    add.verify_token_env.as_deref(),
                )?,
                secrets: secret_input::several(
                    "the app secret",
                    &add.secret_file,
                    &add.secret_env,
                )?,
                is_default: add.default,
            },
            Self::Remove { app } => Command::AppRemove { app },
            Self::AddSecret(add) => Command::AppAddSecret {
                secret: secret_input::one(
                    "the app secret",
                    add.secret_file.as_deref(),
                    add.secret_env.as_deref(),
                )?,
                app: add.app,
                retire_older: add.retire_older,
            },
        })
    }
}
