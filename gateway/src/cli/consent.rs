//! `vestibule consent …`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use super::{ask, output};
use crate::admin::{Answer, Command, ConsentCommand};
use crate::config::Config;
use crate::consent::file::page_of;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Read every sealed record again and compare it with what was sealed. Fails when something was changed.
    Verify {
        /// A head that an earlier verification printed, "TENANT SEQ:MAC". May be given several times.
        #[arg(long = "head", value_name = "HEAD")]
        heads: Vec<String>,
    },
    /// Import a list: CSV with a header, or JSON Lines (by its ending .jsonl or .ndjson). A job of a running node records it.
    Import {
        file: PathBuf,
        /// Name or id of the tenant.
        #[arg(long)]
        tenant: String,
        /// Only say what would become of it.
        #[arg(long)]
        dry_run: bool,
    },
    /// Write a person's whole file: JSON, or a page to read and print if the file ends in .html.
    Export {
        /// Id of the contact, or a phone.
        contact: String,
        #[arg(long)]
        tenant: String,
        /// The new file. Without it the JSON is printed.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Erase a person. There is no way back.
    Erase {
        /// Id of the contact, or a phone.
        contact: String,
        #[arg(long)]
        tenant: String,
        /// Says that it is meant.
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(config: &Config, json: bool, verb: Verb) -> anyhow::Result<ExitCode> {
    let command = match verb {
        Verb::Export {
            contact,
            tenant,
            to,
        } => {
            export(config, contact, tenant, to).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Verb::Verify { heads } => ConsentCommand::Verify { heads },
        Verb::Import {
            file,
            tenant,
            dry_run,
        } => {
            let ending = file.extension().and_then(|ending| ending.to_str());
            ConsentCommand::Import {
                json_lines: matches!(ending, Some("jsonl" | "ndjson")),
                // The server's working directory is another one.
                file: std::path::absolute(&file)?,
                tenant,
                dry_run,
            }
        }
        Verb::Erase {
            contact,
            tenant,
            yes,
        } => {
            anyhow::ensure!(yes, "this cannot be undone: say --yes if it is meant");
            ConsentCommand::Erase { tenant, contact }
        }
    };
    let answer = ask::ask(config, Command::Consent(command)).await?;
    output::answer(&answer, json);
    Ok(ExitCode::SUCCESS)
}

/// A person's file is its owner's alone.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

async fn export(
    config: &Config,
    contact: String,
    tenant: String,
    to: Option<PathBuf>,
) -> anyhow::Result<()> {
    let command = ConsentCommand::Export { tenant, contact };
    let Answer::Record(answer) = ask::ask(config, Command::Consent(command)).await? else {
        anyhow::bail!("the server gave no file");
    };
    let file = answer.get("file").context("the server gave no file")?;
    let text = match &to {
        Some(path) if path.extension().is_some_and(|ending| ending == "html") => page_of(file),
        _ => serde_json::to_string_pretty(file)?,
    };
    match to {
        None => output::line(&text),
        Some(path) => {
            write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
            output::line(&format!("written to {}", path.display()));
        }
    }
    Ok(())
}
