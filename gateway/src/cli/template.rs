//! `vestibule template …`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;

use super::output;
use crate::admin::{Command, TemplateCommand, finding_line};
use crate::domain::TemplateId;
use crate::templates::TemplateDraft;
use crate::templates::lint::{has_errors, lint};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Read an account's templates from Meta: a job, done by a running node.
    Sync {
        tenant: String,
        /// The WhatsApp Business Account. Default: the only one there is.
        #[arg(long)]
        account: Option<String>,
    },
    /// Templates as Meta has them.
    List {
        tenant: String,
        #[arg(long)]
        account: Option<String>,
        #[arg(long)]
        name: Option<String>,
        /// Such as APPROVED.
        #[arg(long)]
        status: Option<String>,
        /// With those that Meta has no longer.
        #[arg(long)]
        gone: bool,
    },
    /// One template with its words and what became of it.
    Show {
        tenant: String,
        template: TemplateId,
    },
    /// What Meta and its reviewers would say of a template. Works offline; fails when Meta would refuse it.
    Lint {
        /// A template as Graph takes it: {"name", "language", "category", "components"}.
        file: PathBuf,
    },
    /// Lint a template, and submit it for review.
    Create {
        tenant: String,
        file: PathBuf,
        #[arg(long)]
        account: Option<String>,
    },
    /// Delete a template at Meta. What is kept of it stays.
    Delete {
        tenant: String,
        template: TemplateId,
        /// Every language of its name.
        #[arg(long)]
        all_languages: bool,
    },
}

impl Verb {
    pub(super) fn command(self) -> anyhow::Result<Command> {
        Ok(Command::Template(match self {
            Self::Sync { tenant, account } => TemplateCommand::Sync { tenant, account },
            Self::List {
                tenant,
                account,
                name,
                status,
                gone,
            } => TemplateCommand::List {
                tenant,
                account,
                name,
                status,
                gone,
            },
            Self::Show { tenant, template } => TemplateCommand::Show { tenant, template },
            Self::Lint { .. } => anyhow::bail!("lint asks nobody"),
            Self::Create {
                tenant,
                file,
                account,
            } => TemplateCommand::Create {
                tenant,
                account,
                draft: Box::new(read(&file)?),
            },
            Self::Delete {
                tenant,
                template,
                all_languages,
            } => TemplateCommand::Delete {
                tenant,
                template,
                all_languages,
            },
        }))
    }
}

fn read(file: &Path) -> anyhow::Result<TemplateDraft> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no template", file.display()))
}

/// Says what there is to say. Fails when Meta would refuse the template.
pub(super) fn lint_file(file: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let findings = lint(&read(file)?);
    if json {
        output::line(&serde_json::to_string_pretty(&findings)?);
    } else if findings.is_empty() {
        output::line("nothing to say: it may be submitted");
    } else {
        for finding in &findings {
            output::line(&finding_line(finding));
        }
    }
    Ok(match has_errors(&findings) {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}
