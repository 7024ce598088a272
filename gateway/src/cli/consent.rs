//! `vestibule consent …`

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use super::{ask, output};
use crate::admin::{Answer, Command, ConsentCommand};
use crate::config::Config;
use crate::consent::file::{Format, Place};

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
    /// Block a person on a number, at Meta too. Only who wrote to it within 24 hours can be.
    Block {
        /// Id of the contact, or a phone.
        contact: String,
        #[arg(long)]
        tenant: String,
        #[arg(long)]
        number: String,
        /// Why: it stands in the person's records.
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Unblock a person on a number, at Meta too.
    Unblock {
        /// Id of the contact, or a phone.
        contact: String,
        #[arg(long)]
        tenant: String,
        #[arg(long)]
        number: String,
    },
    /// List who is blocked on a number: Meta's own list.
    Blocked {
        #[arg(long)]
        tenant: String,
        #[arg(long)]
        number: String,
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
        Verb::Block {
            contact,
            tenant,
            number,
            note,
        } => ConsentCommand::Block {
            tenant,
            number,
            contact,
            note,
        },
        Verb::Unblock {
            contact,
            tenant,
            number,
        } => ConsentCommand::Unblock {
            tenant,
            number,
            contact,
        },
        Verb::Blocked { tenant, number } => ConsentCommand::Blocked { tenant, number },
    };
    let answer = ask::ask(config, Command::Consent(command)).await?;
    output::answer(&answer, json);
    Ok(ExitCode::SUCCESS)
}

/// A person's file is its owner's alone.
fn create(path: &Path) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let options = options.write(true).create_new(true).mode(0o600);
    options.open(path)
}

/// Part by part, however long it is.
async fn export(
    config: &Config,
    mut contact: String,
    tenant: String,
    to: Option<PathBuf>,
) -> anyhow::Result<()> {
    let ending = to.as_deref().and_then(Path::extension);
    let format = match ending.is_some_and(|ending| ending == "html") {
        true => Format::Html,
        false => Format::Json,
    };
    let (mut file, mut place) = (None, Some(Place::Head));
    while let Some(at) = place {
        let command = ConsentCommand::Export {
            tenant: tenant.clone(),
            contact,
            format,
            place: at,
        };
        let Answer::Record(answer) = ask::ask(config, Command::Consent(command)).await? else {
            anyhow::bail!("the server gave no file");
        };
        let of = |name: &str| answer.get(name).cloned().context("the server gave no file");
        let part: String = serde_json::from_value(of("part")?)?;
        // A phone may be somebody else's by the next part.
        contact = serde_json::from_value(of("contact")?)?;
        place = serde_json::from_value(of("next")?)?;
        let Some(path) = &to else {
            output::part(&part);
            continue;
        };
        let cannot = || format!("cannot write {}", path.display());
        let file = match &mut file {
            Some(file) => file,
            None => file.insert(create(path).with_context(cannot)?),
        };
        file.write_all(part.as_bytes()).with_context(cannot)?;
    }
    match to {
        None => output::line(""),
        Some(path) => output::line(&format!("written to {}", path.display())),
    }
    Ok(())
}
