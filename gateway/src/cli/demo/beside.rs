//! A story for the panel beside the phone: the same facts that `show` prints, as steps with their costs.

use serde_json::Value;

use super::show;
use super::story::{Send, Story};
use crate::directory::Snapshot;
use crate::domain::{OutboxState, ReceiptStatus};
use crate::simulator::{self, Step};

/// The story as the phone page shows it.
pub(super) fn story(story: &Story, setup: &Snapshot) -> simulator::Story {
    let mut steps = vec![event(story)];
    steps.extend(
        show::meaning(&story.told.outcome).map(|meaning| step("gateway", "By itself", meaning)),
    );
    let calls = story.journal["report"]["calls"].as_array();
    for call in calls.into_iter().flatten() {
        steps.push(plugin(story, call, setup));
        steps.extend(show::log(&story.journal, call).map(logged));
    }
    steps.extend(
        show::refusals(&story.journal)
            .into_iter()
            .map(|(_, refusal)| Step {
                bad: true,
                ..step("policy", "Refused", refusal)
            }),
    );
    for send in &story.sends {
        steps.extend(of_send(send));
    }
    simulator::Story {
        wamid: story.told.wamid.clone(),
        said: show::inbound(&story.told.content),
        steps,
        sends: story
            .sends
            .iter()
            .filter_map(|send| send.row.wamid.clone())
            .collect(),
    }
}

fn step(stage: &'static str, title: impl Into<String>, detail: impl Into<String>) -> Step {
    Step {
        stage,
        title: title.into(),
        detail: detail.into(),
        cost_us: None,
        bad: false,
    }
}

fn event(story: &Story) -> Step {
    let kind = story.journal["message"].as_str().unwrap_or("message");
    let title = format!("Received: {}", kind.replace('_', " "));
    step(
        "event",
        title,
        format!(
            "signed, stored, message {} of the conversation",
            story.told.seq
        ),
    )
}

fn plugin(story: &Story, call: &Value, setup: &Snapshot) -> Step {
    let number = |key: &str| call[key].as_u64().unwrap_or(0);
    let outcome = show::outcome(call);
    let detail = format!(
        "{} · fuel {} · {} KiB of memory · {} host calls",
        outcome,
        number("fuel"),
        number("memory_peak") / 1024,
        number("host_calls")
    );
    let title = format!("Plugin {}", show::plugin(story, call, setup));
    Step {
        cost_us: call["wall_us"].as_u64(),
        bad: outcome != "ok",
        ..step("plugin", title, detail)
    }
}

/// A line of the plugin's log.
fn logged((level, message): (&str, &str)) -> Step {
    Step {
        bad: level == "error",
        ..step("log", format!("Log: {level}"), message)
    }
}

fn of_send(send: &Send) -> Vec<Step> {
    let row = &send.row;
    let kind = row.draft.content.kind().replace('_', " ");
    let Some(trace) = &send.trace else {
        return vec![step(
            "policy",
            format!("Policy: {kind} waits"),
            &*row.reason,
        )];
    };
    let cleared = trace.decision == "cleared";
    let mut steps = vec![Step {
        bad: !cleared,
        ..step(
            "policy",
            format!("Policy: {kind} {}", trace.decision.replace('_', " ")),
            "",
        )
    }];
    if let Some(took) = trace.elapsed {
        let error = trace.error.map(|error| format!(" · Meta’s error {error}"));
        let detail = format!(
            "{} · attempt {}{}",
            row.state.word(),
            trace.attempt,
            error.unwrap_or_default()
        );
        steps.push(Step {
            cost_us: u64::try_from(took.as_micros()).ok(),
            bad: row.state != OutboxState::Accepted,
            ..step("graph", format!("Graph call: {kind}"), detail)
        });
    }
    if let Some(receipt) = row.receipt {
        steps.push(Step {
            bad: receipt == ReceiptStatus::Failed,
            ..step("receipts", "Receipts", show::course(receipt))
        });
    }
    steps
}
