//! `vestibule doctor`: looks at everything that a deployment stands on and says what to do.
//!
//! It changes nothing, and it works beside a running server.

mod database;
mod machine;
mod meta;

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use super::output;
use crate::config::Config;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Also try to reach Graph.
    #[arg(long)]
    online: bool,
}

/// How one thing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Health {
    Good,
    /// It works, but an operator should know.
    Doubtful,
    /// Something promised does not hold.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    health: Health,
    detail: String,
}

impl Finding {
    fn good(what: &'static str, detail: impl Into<String>) -> Self {
        Self {
            what,
            health: Health::Good,
            detail: detail.into(),
        }
    }

    fn doubtful(what: &'static str, detail: impl Into<String>) -> Self {
        Self {
            what,
            health: Health::Doubtful,
            detail: detail.into(),
        }
    }

    fn bad(what: &'static str, detail: impl Into<String>) -> Self {
        Self {
            what,
            health: Health::Bad,
            detail: detail.into(),
        }
    }

    /// Bad with an error and what it came from.
    fn failed(what: &'static str, error: impl Into<anyhow::Error>) -> Self {
        Self::bad(what, format!("{:#}", error.into()))
    }
}

/// Fails when anything is bad.
pub(super) async fn run(
    config: &Config,
    json: bool,
    arguments: &Arguments,
) -> anyhow::Result<ExitCode> {
    let mut findings = machine::look(config);
    findings.extend(database::look(config).await);
    findings.extend(meta::look(config, arguments.online).await);
    match json {
        true => output::line(&serde_json::json!(findings).to_string()),
        false => findings
            .iter()
            .for_each(|finding| output::line(&line(finding))),
    }
    let worst = findings.iter().map(|finding| finding.health).max();
    Ok(match worst {
        Some(Health::Bad) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    })
}

fn line(finding: &Finding) -> String {
    let mark = match finding.health {
        Health::Good => "ok  ",
        Health::Doubtful => "note",
        Health::Bad => "BAD ",
    };
    format!("{mark}  {:20}  {}", finding.what, finding.detail)
}
