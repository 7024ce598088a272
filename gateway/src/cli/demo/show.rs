//! What came back, and what the gateway did for it: read from the journal, the outbox and the receipts.

use std::fmt::Write as _;

use serde_json::Value;

use crate::app::Node;
use crate::delivery::SendTrace;
use crate::simulator::{Author, ChatItem, Tick};
use crate::storage::{outbox, turns};

/// Does this reply still wait for its blue ticks?
pub(super) fn waits_for_ticks(item: &ChatItem) -> bool {
    item.author == Author::Business && item.tick < Tick::Read
}

/// The new part of the chat, and under it what happened inside.
pub(super) async fn heard(
    node: &Node,
    items: &[ChatItem],
    traces: &[SendTrace],
) -> anyhow::Result<String> {
    let mut text = String::new();
    let replies = items.iter().filter(|item| item.author == Author::Business);
    for item in replies {
        write!(text, "\n  {}", indented(&item.text))?;
        for choice in &item.choices {
            write!(text, "\n    [{}] {}", choice.id, choice.title)?;
        }
        writeln!(text, "   {}", ticks(item.tick))?;
    }
    if text.is_empty() {
        text.push_str("  (no reply)\n");
    }
    if let Some(first) = traces.first() {
        text.push_str(&inside(node, first, traces).await?);
    }
    Ok(text)
}

async fn inside(node: &Node, first: &SendTrace, traces: &[SendTrace]) -> anyhow::Result<String> {
    let mut tx = node.context.setup.db.read().await?;
    let row = outbox::find(&mut tx, first.tenant, first.outbox).await?;
    let mut text = String::new();
    let turn = row.and_then(|row| row.turn);
    match turn {
        None => writeln!(
            text,
            "    rule      a word that the gateway itself obeys; no plugin was asked"
        )?,
        Some(turn) => {
            if let Some((outcome, journal)) = turns::journal(&mut tx, first.tenant, turn).await? {
                let journal: Value = serde_json::from_str(&journal)?;
                let message = journal["message"].as_str().unwrap_or("?");
                writeln!(text, "    event     {message} → turn {turn}: {outcome}")?;
                for call in journal["report"]["calls"].as_array().into_iter().flatten() {
                    writeln!(text, "    plugin    {}", call_line(call))?;
                }
            }
        }
    }
    for trace in traces {
        let took = trace.elapsed.map_or_else(
            || "not asked".to_owned(),
            |took| format!("{:.1} ms", took.as_secs_f64() * 1e3),
        );
        writeln!(
            text,
            "    policy    {} {}; graph: {} in {took} ({})",
            trace.kind,
            trace.decision,
            trace.state.word(),
            trace.outbox
        )?;
        if let Some(row) = outbox::find(&mut tx, trace.tenant, trace.outbox).await?
            && let Some(receipt) = row.receipt
        {
            writeln!(text, "    receipts  up to {receipt:?}")?;
        }
    }
    Ok(text)
}

fn call_line(call: &Value) -> String {
    let number = |key: &str| call[key].as_u64().unwrap_or(0);
    format!(
        "{} {}: fuel {}, {} µs, {} KiB, {} host calls",
        call["hook"].as_str().unwrap_or("?"),
        match &call["outcome"] {
            Value::String(word) => word.clone(),
            other => other.to_string(),
        },
        number("fuel"),
        number("wall_us"),
        number("memory_peak") / 1024,
        number("host_calls"),
    )
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n  ")
}

fn ticks(tick: Tick) -> &'static str {
    match tick {
        Tick::Accepted => "(clock)",
        Tick::Sent => "✓",
        Tick::Delivered => "✓✓",
        Tick::Read | Tick::Played => "✓✓ (read)",
        Tick::Failed => "✗",
    }
}
