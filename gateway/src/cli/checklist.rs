//! `vestibule tenant checklist`: what is still to be done before going live. With `--say-stop` a customer of the simulator
//! writes the word first: an opt-out tried from end to end.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::{ask, output};
use crate::admin::Command;
use crate::checklist::{Checklist, Item, State, text};
use crate::config::Config;
use crate::graph::client::{HttpClientConfig, http_client};

/// The customer who says it. The digits are nobody's: simulators alone know them.
const TESTER: &str = "15005550006";
/// How long a confirmation may take before something is wrong.
const PATIENCE: Duration = Duration::from_secs(60);
/// Meta's times are whole seconds, and a START of the STOP's own lifts nothing.
const NEXT_SECOND: Duration = Duration::from_millis(1100);
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn run(
    config: &Config,
    json: bool,
    tenant: String,
    say_stop: bool,
) -> anyhow::Result<ExitCode> {
    if say_stop {
        let list = read(config, &tenant).await?;
        try_stop(config, &tenant, &list).await?;
    }
    show(config, json, Command::TenantChecklist { tenant }).await
}

/// The list that a command answers with.
pub(super) async fn show(
    config: &Config,
    json: bool,
    command: Command,
) -> anyhow::Result<ExitCode> {
    let answer = ask::ask(config, command).await?;
    match json {
        true => output::answer(&answer, true),
        false => {
            let list: Checklist = serde_json::from_value(serde_json::to_value(answer)?)?;
            output::line(&text::text(&list));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn read(config: &Config, tenant: &str) -> anyhow::Result<Checklist> {
    let tenant = tenant.to_owned();
    let answer = ask::ask(config, Command::TenantChecklist { tenant }).await?;
    Ok(serde_json::from_value(serde_json::to_value(answer)?)?)
}

/// START, so that STOP is news; STOP, until a new confirmation was seen; START again, so that nobody stays stopped.
async fn try_stop(config: &Config, tenant: &str, list: &Checklist) -> anyhow::Result<()> {
    let base = &config.graph.base_url;
    ensure!(
        base.starts_with("http://"),
        "graph.base_url is {base}, no simulator: write STOP from a phone"
    );
    ensure!(!list.numbers.is_empty(), "the tenant has no number");
    let client = http_client(&HttpClientConfig::default())?;
    for number in &list.numbers {
        let place = format!(
            "{}/simulator/numbers/{}/customers/{TESTER}/messages",
            base.trim_end_matches('/'),
            number.phone_number_id
        );
        let before = confirmed(&read(config, tenant).await?);
        for word in ["START", "STOP"] {
            say(&client, &place, word).await?;
        }
        let ended = until_confirmed(config, tenant, before);
        let ended = tokio::time::timeout(PATIENCE, ended).await;
        tokio::time::sleep(NEXT_SECOND).await;
        say(&client, &place, "START").await?;
        if ended.is_err() {
            let seen = read(config, tenant).await?;
            let seen = seen.lines.iter().find(|one| one.item == Item::OptOutTested);
            bail!(
                "STOP to {} was not confirmed: is the server running? What was seen last: {}",
                number.display_number,
                seen.and_then(|line| line.evidence.as_deref())
                    .unwrap_or("no STOP")
            );
        }
        ended??;
    }
    Ok(())
}

async fn say(client: &reqwest::Client, place: &str, word: &str) -> anyhow::Result<()> {
    let body: Value = json!({"text": word});
    let asked = client.post(place).body(body.to_string()).send().await;
    let answer = asked.with_context(|| format!("{place} does not answer"))?;
    ensure!(
        answer.status().is_success(),
        "{place} answered {}: is it the simulator, and does it know the number?",
        answer.status()
    );
    Ok(())
}

/// The latest STOP that was confirmed, as the list names it.
fn confirmed(list: &Checklist) -> Option<String> {
    let line = list
        .lines
        .iter()
        .find(|line| line.item == Item::OptOutTested);
    line.filter(|line| line.state == State::Ok)
        .and_then(|line| line.evidence.clone())
}

async fn until_confirmed(
    config: &Config,
    tenant: &str,
    before: Option<String>,
) -> anyhow::Result<()> {
    loop {
        let seen = confirmed(&read(config, tenant).await?);
        if seen.is_some() && seen != before {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
