//! `vestibule explain`: why a message was sent, or was not.

use std::process::ExitCode;

use clap::Args;

use super::{ask, output};
use crate::admin::Command;
use crate::config::Config;
use crate::explain::{self, Asked, Explanation, STEPS, Subject};

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// A message (`wamid.…`, `out_…`, `evt_…`), or a number when a person follows.
    #[arg(value_name = "MESSAGE|NUMBER")]
    what: String,
    /// Somebody seen through the number: a phone, a user id of Meta's, or `con_…`.
    person: Option<String>,
    /// Name or id of the tenant; without one every tenant's messages are looked through.
    #[arg(long)]
    tenant: Option<String>,
    /// Of a person: how many of the latest entries.
    #[arg(long, default_value_t = STEPS)]
    steps: usize,
    /// The webhook's bytes too. Written into the audit log.
    #[arg(long)]
    raw: bool,
}

pub(super) async fn run(config: &Config, json: bool, asked: Explain) -> anyhow::Result<ExitCode> {
    let subject = match asked.person {
        Some(person) => Subject::Person {
            number: asked.what,
            person,
        },
        None => Subject::Message(asked.what),
    };
    let command = Command::Explain {
        tenant: asked.tenant,
        asked: Asked {
            subject,
            steps: asked.steps,
            raw: asked.raw,
        },
    };
    let answer = ask::ask(config, command).await?;
    match json {
        true => output::answer(&answer, true),
        false => {
            let told: Explanation = serde_json::from_value(serde_json::to_value(answer)?)?;
            output::line(&explain::text::text(&told));
            let raw = told.steps.iter().filter_map(|step| step.details.get("raw"));
            raw.filter_map(serde_json::Value::as_str)
                .for_each(|bytes| output::line(&format!("\n{bytes}")));
        }
    }
    Ok(ExitCode::SUCCESS)
}
