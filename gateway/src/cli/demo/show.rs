//! A story as text: the chat as the customer sees it, and under it, dimmed, what the gateway did.

use std::fmt::Write as _;

use serde_json::Value;

use super::story::{Send, Story};
use crate::cli::output::dim;
use crate::directory::Snapshot;
use crate::domain::{InboundContent, OutboundContent, OutboxState, ReceiptStatus};

/// What the customer wrote, as a line of the chat. `to`: the number's name.
pub(super) fn said(story: &Story, to: &str) -> String {
    format!(
        "+{} → {to}: {}",
        story.told.phone,
        inbound(&story.told.content)
    )
}

/// The answers with their ticks, then what happened inside.
pub(super) fn answered(story: &Story, setup: &Snapshot) -> String {
    let mut text = String::new();
    for send in &story.sends {
        if let Some(reply) = reply(&send.row.draft.content) {
            text.push_str(&bubble(&reply, ticks(send)));
        }
    }
    if text.is_empty() {
        text.push_str("  (no reply)\n");
    }
    for (what, detail) in inside(story, setup) {
        text.push_str(&dim(&format!("    {what:9} {detail}")));
        text.push('\n');
    }
    text
}

/// The texts that reached the customer.
pub(super) fn replies(story: &Story) -> Vec<String> {
    let arrived = |send: &&Send| send.row.state == OutboxState::Accepted;
    let sends = story.sends.iter().filter(arrived);
    sends
        .filter_map(|send| reply(&send.row.draft.content))
        .collect()
}

fn bubble(text: &str, ticks: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.len().saturating_sub(1);
    let mut drawn = String::new();
    for (index, line) in lines.into_iter().enumerate() {
        let tail = if index == last { ticks } else { "" };
        let line = format!("  │ {line}   {tail}");
        let _ = writeln!(drawn, "{}", line.trim_end());
    }
    drawn
}

pub(super) fn inbound(content: &InboundContent) -> String {
    match content {
        InboundContent::Text { body } => body.clone(),
        InboundContent::ButtonReply { title, .. } | InboundContent::ListReply { title, .. } => {
            format!("[{title}]")
        }
        InboundContent::TemplateButton { text, .. } => format!("[{text}]"),
        InboundContent::Reaction { emoji, .. } => {
            emoji.clone().unwrap_or_else(|| "(no emoji)".to_owned())
        }
        InboundContent::Media { caption, .. } => {
            format!("(media) {}", caption.as_deref().unwrap_or_default())
        }
        InboundContent::Other { kind } => format!("({kind})"),
        content => format!("({})", content.word()),
    }
}

/// What there is to read of a send; `None` when it says nothing in the chat.
fn reply(content: &OutboundContent) -> Option<String> {
    Some(match content {
        OutboundContent::Buttons { body, buttons, .. } => {
            let choices = buttons
                .iter()
                .map(|button| format!("\n[{}] {}", button.id, button.title));
            format!("{body}{}", choices.collect::<String>())
        }
        OutboundContent::List { body, sections, .. } => {
            let rows = sections.iter().flat_map(|section| &section.rows);
            let choices = rows.map(|row| format!("\n[{}] {}", row.id, row.title));
            format!("{body}{}", choices.collect::<String>())
        }
        OutboundContent::Template(template) => format!("(template {})", template.name),
        OutboundContent::Reaction { emoji, .. } => emoji.clone(),
        OutboundContent::MarkRead { .. } => return None,
        OutboundContent::Text { .. } => content.words().to_owned(),
        other => format!("({}) {}", other.kind(), other.words()),
    })
}

fn ticks(send: &Send) -> &'static str {
    match (send.row.state, send.row.receipt) {
        (_, Some(ReceiptStatus::Failed)) => "✗",
        (_, Some(ReceiptStatus::Read | ReceiptStatus::Played)) => "✓✓ read",
        (_, Some(ReceiptStatus::Delivered)) => "✓✓",
        (_, Some(ReceiptStatus::Sent)) => "✓",
        (OutboxState::Refused | OutboxState::Failed | OutboxState::Cancelled, _) => "✗ not sent",
        _ => "…",
    }
}

pub(super) type Line = (&'static str, String);

fn inside(story: &Story, setup: &Snapshot) -> Vec<Line> {
    let told = &story.told;
    let kind = story.journal["message"].as_str().unwrap_or("?");
    let mut lines = vec![(
        "event",
        format!("message {} of {}, {kind}", told.seq, told.conversation),
    )];
    lines.extend(meaning(&told.outcome).map(|meaning| ("gateway", meaning.to_owned())));
    let calls = story.journal["report"]["calls"].as_array();
    for call in calls.into_iter().flatten() {
        lines.push(("plugin", call_line(story, call, setup)));
    }
    lines.extend(refusals(&story.journal));
    for send in &story.sends {
        lines.extend(send_lines(send));
    }
    lines.push(("turn", format!("{}: {}", told.turn, told.outcome)));
    lines
}

/// What the gateway decided by itself.
pub(super) fn meaning(outcome: &str) -> Option<&'static str> {
    Some(match outcome {
        "consent_word" => "a word about consent: obeyed by the gateway, no plugin is asked",
        "human_requested" => "asks for a person: obeyed by the gateway, no plugin is asked",
        "no_plugin" => "no plugin is installed for this number",
        "not_the_bots" => "a person has this conversation: the bot keeps still",
        "fallback" => "no plugin could answer: the tenant's fallback does",
        "unanswered" => "no plugin had an answer",
        "routed" => "a plugin gave the conversation to people",
        _ => return None,
    })
}

/// How a plugin's call ended.
pub(super) fn outcome(call: &Value) -> String {
    let told = |(word, what): (&String, &Value)| match (what["kind"].as_str(), what.as_str()) {
        (Some(kind), _) => {
            let message = what["message"].as_str().unwrap_or_default();
            format!("{word}: {kind}: {message}")
        }
        (None, Some(reason)) => format!("{word}: {reason}"),
        (None, None) => format!("{word}: {what}"),
    };
    match &call["outcome"] {
        Value::String(word) => word.clone(),
        Value::Object(parts) => parts.iter().map(told).collect(),
        other => other.to_string(),
    }
}

/// Lines that the plugin wrote to its log in this call, each with its level.
pub(super) fn log<'a>(
    journal: &'a Value,
    call: &'a Value,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let lines = journal["report"]["logs"].as_array().into_iter().flatten();
    let own = |line: &&Value| {
        let same = |key| line[key] == call[key];
        same("installation") && same("hook")
    };
    lines.filter(own).map(|line| {
        let text = |key: &str| line[key].as_str().unwrap_or_default();
        (text("level"), text("message"))
    })
}

fn call_line(story: &Story, call: &Value, setup: &Snapshot) -> String {
    let number = |key: &str| call[key].as_u64().unwrap_or(0);
    let outcome = outcome(call);
    format!(
        "{} {}: {outcome}, {:.2} ms, fuel {}, {} KiB, {} host calls",
        plugin(story, call, setup),
        call["hook"].as_str().unwrap_or("?"),
        number("wall_us") as f64 / 1e3,
        number("fuel"),
        number("memory_peak") / 1024,
        number("host_calls"),
    )
}

pub(super) fn plugin(story: &Story, call: &Value, setup: &Snapshot) -> String {
    let number = setup.number(story.told.number);
    let installed = number.and_then(|entry| {
        let mut all = entry.installations.iter();
        all.find(|one| Some(one.id.to_string().as_str()) == call["installation"].as_str())
    });
    installed.map_or_else(
        || "?".to_owned(),
        |one| {
            let version = one.active().or(one.candidate());
            let version = version.map_or("", |version| &version.version);
            format!("{} {version}", one.plugin)
        },
    )
}

pub(super) fn refusals(journal: &Value) -> Vec<Line> {
    let decisions = journal["decisions"].as_array().into_iter().flatten();
    let refused = decisions.filter_map(|decision| {
        let (kind, reason) = (decision["kind"].as_str()?, decision["refused"].as_str()?);
        Some(("policy", format!("{kind} refused: {reason}")))
    });
    refused.collect()
}

fn send_lines(send: &Send) -> Vec<Line> {
    let row = &send.row;
    let kind = row.draft.content.kind();
    let Some(trace) = &send.trace else {
        return vec![("policy", format!("{kind} waits: {}", row.reason))];
    };
    let mut lines = vec![("policy", format!("{kind} {}", trace.decision))];
    if let Some(took) = trace.elapsed {
        let error = trace
            .error
            .map_or_else(String::new, |error| format!(", Meta's error {error}"));
        lines.push((
            "graph",
            format!(
                "{} in {:.1} ms, attempt {}{error} ({})",
                row.state.word(),
                took.as_secs_f64() * 1e3,
                trace.attempt,
                trace.outbox,
            ),
        ));
    }
    if let Some(receipt) = row.receipt {
        lines.push(("receipts", course(receipt).to_owned()));
    }
    lines
}

pub(super) fn course(receipt: ReceiptStatus) -> &'static str {
    match receipt {
        ReceiptStatus::Accepted => "none yet",
        ReceiptStatus::Sent => "sent",
        ReceiptStatus::Delivered => "sent, delivered",
        ReceiptStatus::Read => "sent, delivered, read",
        ReceiptStatus::Played => "sent, delivered, read, played",
        ReceiptStatus::Failed => "failed",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_outcome_reads_as_words() {
        let told = |outcome: Value| super::outcome(&json!({ "outcome": outcome }));
        assert_eq!(told(json!("ok")), "ok");
        let fault = json!({"fault": {"kind": "trap", "hook": "auto-reply", "message": "unreachable", "frames": ["a"]}});
        assert_eq!(told(fault), "fault: trap: unreachable");
        assert_eq!(told(json!({"rejected": "no"})), "rejected: no");
        assert_eq!(
            told(json!({"retry": {"after_ms": 5}})),
            "retry: {\"after_ms\":5}"
        );
    }

    #[test]
    fn a_call_has_the_lines_of_its_own_hook() {
        let line = |installation, hook, message| json!({"installation": installation, "hook": hook, "level": "info", "message": message});
        let journal = json!({"report": {"logs": [
            line("ins_1", "routing", "a"), line("ins_1", "auto-reply", "b"), line("ins_2", "auto-reply", "c"),
        ]}});
        let call = json!({"installation": "ins_1", "hook": "auto-reply"});
        assert_eq!(log(&journal, &call).collect::<Vec<_>>(), [("info", "b")]);
    }
}
