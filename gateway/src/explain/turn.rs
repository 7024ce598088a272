//! A turn as its journal has it: the plugins that were called, what they wanted, and what policy said to each draft.

use std::collections::BTreeMap;

use serde_json::Value;

use super::chain::{About, Explanation, Mark, Step};
use super::ground::Ground;
use super::{Result, Teller, inbound, send, stop};
use crate::domain::{InstallationId, OutboxId, id};
use crate::policy::Ruling;
use crate::storage::outbox::OutboxRow;
use crate::storage::replays::{self, KeptTurn};
use crate::storage::{chains, conversations, outbox};

/// The turn, and what became of everything that it wanted to send.
pub(super) async fn tell(
    teller: &mut Teller,
    told: &mut Explanation,
    ground: Option<&Ground>,
    turn: &KeptTurn,
) -> Result<()> {
    let journal: Value = serde_json::from_str(&turn.journal).unwrap_or_default();
    told.steps.push(ended(turn, &journal));
    plugins(teller, told, turn, &journal).await?;
    let words = outcome_words(&turn.outcome);
    told.ends("done", "");
    for line in list(&journal["decisions"]) {
        draft(teller, told, ground, turn, line).await?;
    }
    told.summary = format!("{words} {}", told.summary).trim().to_owned();
    for part in list(&journal["cut"]).iter().filter_map(Value::as_str) {
        let words = format!("the journal had to leave out: {part}");
        told.steps
            .push(Step::new(None, "journal", Mark::Gone, words));
        told.gone.push(format!("{part} of {}", turn.id));
    }
    Ok(())
}

/// Only the drafts that policy did not let through: what it did stands in the history itself.
pub(super) async fn tell_refused(
    teller: &mut Teller,
    told: &mut Explanation,
    ground: Option<&Ground>,
    turn: &KeptTurn,
) -> Result<()> {
    let journal: Value = serde_json::from_str(&turn.journal).unwrap_or_default();
    for line in list(&journal["decisions"]) {
        if !is_cleared(line) {
            draft(teller, told, ground, turn, line).await?;
        }
    }
    Ok(())
}

fn is_cleared(line: &Value) -> bool {
    // What is put off has its place in the outbox all the same.
    line["refused"].is_null()
}

/// A draft that was refused in its turn: the way to the turn, and its refusal.
pub(super) async fn tell_draft(
    teller: &mut Teller,
    turn: &KeptTurn,
    draft: OutboxId,
) -> Result<Explanation> {
    let rows = conversations::load_all_tenants(&mut teller.tx, &[turn.conversation]).await?;
    let row = rows.into_iter().find(|row| row.tenant == teller.tenant);
    let contact = row.as_ref().map(|row| row.contact);
    let mut told = Explanation::new(
        About {
            kind: "send".to_owned(),
            id: Some(draft.to_string()),
            tenant: teller.tenant,
            number: row.as_ref().map(|row| row.number),
            conversation: Some(turn.conversation),
            contact,
            person: match contact {
                Some(contact) => super::person::address(teller, contact).await?,
                None => None,
            },
            wamid: None,
        },
        teller.now,
    );
    let ground = match row {
        Some(row) => Ground::load(teller, row.number, Some(row.id), row.contact).await?,
        None => None,
    };
    origin(teller, &mut told, ground.as_ref(), turn).await?;
    let journal: Value = serde_json::from_str(&turn.journal).unwrap_or_default();
    let name = draft.to_string();
    for line in list(&journal["decisions"]) {
        if line["send"] == name.as_str() {
            self::draft(teller, &mut told, ground.as_ref(), turn, line).await?;
        }
    }
    Ok(told)
}

/// What led to a turn, and the turn: for one of its drafts.
pub(super) async fn origin(
    teller: &mut Teller,
    told: &mut Explanation,
    ground: Option<&Ground>,
    turn: &KeptTurn,
) -> Result<()> {
    match &turn.event {
        Some(event) => {
            if let Some(event) = chains::event(&mut teller.tx, teller.tenant, event.id).await? {
                inbound::way_in(teller, told, ground, &event).await?;
            }
        }
        None => told.lacks("attached", "the message is older than messages are kept"),
    }
    let journal: Value = serde_json::from_str(&turn.journal).unwrap_or_default();
    told.steps.push(ended(turn, &journal));
    plugins(teller, told, turn, &journal).await
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn ended(turn: &KeptTurn, journal: &Value) -> Step {
    let words = outcome_words(&turn.outcome);
    let mark = match turn.outcome.as_str() {
        "fallback" | "failed" | "not_told" | "unanswered" => Mark::Stopped,
        _ => Mark::Done,
    };
    let races = journal["lost_races"].as_i64().unwrap_or(0);
    Step::new(Some(turn.at), "turn", mark, words)
        .of(turn.id)
        .with("outcome", turn.outcome.as_str())
        .with("owner", journal["owner"].clone())
        .with("lost_races", races)
}

fn outcome_words(outcome: &str) -> &'static str {
    match outcome {
        "answered" => "A plugin answered, handed over or closed.",
        "routed" => "Routing gave the conversation to people.",
        "silent" => "The plugins had nothing to say.",
        "not_the_bots" => "The bot does not have the conversation: nobody was to answer.",
        "timer_held" => {
            "The timer's plugin is paused, behind an open breaker or cannot be loaded: it was set again and waits."
        }
        "timer_dropped" => {
            "The timer's plugin is stopped or not installed any more: nobody was asked."
        }
        "noted" => "The plugins heard of it and answered nothing.",
        "not_told" => "A plugin could not be loaded, and was not told of it; the others were.",
        "unanswered" => "No plugin answered.",
        "fallback" => "No plugin could answer: the tenant's fallback was due.",
        "failed" => "The plugins failed; nobody waits for an answer.",
        "human_requested" => "The person asked for a person: the conversation went to the queue.",
        "consent_word" => "A word about consent: the gateway answered it, no plugin saw it.",
        "no_plugin" => "No plugin is installed for the number.",
        _ => "The turn ended.",
    }
}

/// Calls with their outcome, cost and faults; then effects that are no sends.
async fn plugins(
    teller: &mut Teller,
    told: &mut Explanation,
    turn: &KeptTurn,
    journal: &Value,
) -> Result<()> {
    let mut names = Names::default();
    let report = &journal["report"];
    let calls = list(&report["calls"]);
    let fuel = |call: &Value| call["fuel"].as_u64().unwrap_or(0);
    let all: u64 = calls.iter().map(fuel).sum();
    for call in calls {
        let id = call["installation"].as_str().unwrap_or("-");
        let name = names.of(teller, journal, id).await?;
        // Of what the turn's calls used together.
        let share = 100.0 * fuel(call) as f64 / all.max(1) as f64;
        told.steps
            .push(called(teller, turn, (&name, id), call, share));
    }
    for name in list(&journal["not_runnable"])
        .iter()
        .filter_map(Value::as_str)
    {
        let words = format!("{name} could not run");
        told.steps
            .push(Step::new(Some(turn.at), "call", Mark::Stopped, words).with("plugin", name));
    }
    let effects = list(&report["effects"]).iter().filter_map(effect_word);
    let effects: Vec<String> = effects.collect();
    if !effects.is_empty() {
        let words = format!("effects: {}", effects.join(", "));
        let step = Step::new(Some(turn.at), "effects", Mark::Done, words);
        told.steps.push(step.with("effects", effects));
    }
    Ok(())
}

#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    /// The plugin and its version behind an installation, as it ran in that turn.
    async fn of(&mut self, teller: &mut Teller, journal: &Value, id: &str) -> Result<String> {
        if let Some(known) = self.0.get(id) {
            return Ok(known.clone());
        }
        let seen = list(&journal["seen"]["plugins"]);
        let version = seen.iter().find(|row| row["installation"] == id);
        let version = version.and_then(|row| row["version"].as_i64());
        let row = match id.parse::<InstallationId>() {
            Ok(id) => replays::installed(&mut teller.tx, teller.tenant, id, version).await?,
            Err(_) => None,
        };
        let name = row.map_or_else(
            || id.to_owned(),
            |row| format!("{} {}", row.plugin, row.plugin_version),
        );
        self.0.insert(id.to_owned(), name.clone());
        Ok(name)
    }
}

fn called(
    teller: &Teller,
    turn: &KeptTurn,
    (name, id): (&str, &str),
    call: &Value,
    share: f64,
) -> Step {
    let hook = call["hook"].as_str().unwrap_or("-");
    let (word, told) = match &call["outcome"] {
        Value::String(word) => (word.clone(), Value::Null),
        Value::Object(parts) => parts
            .iter()
            .next()
            .map_or(("-".to_owned(), Value::Null), |(word, told)| {
                (word.clone(), told.clone())
            }),
        _ => ("-".to_owned(), Value::Null),
    };
    let kind = told["kind"].as_str().map(str::to_owned);
    let message = told["message"].as_str().or(told.as_str());
    let message = message.and_then(|message| teller.sight.words(message));
    let failed = matches!(word.as_str(), "fault" | "rejected");
    let mark = if failed { Mark::Stopped } else { Mark::Done };
    let fuel = call["fuel"].as_u64().unwrap_or(0);
    let because = [kind.clone(), message.clone()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(": ");
    let because = match because.is_empty() {
        true => String::new(),
        false => format!(" ({because})"),
    };
    let words = format!(
        "{name} was called ({hook}): {word}{because}; fuel {fuel}, {share:.0} % of the turn's"
    );
    let step = Step::new(Some(turn.at), "call", mark, words)
        .of(id)
        .with("plugin", name)
        .with("hook", hook)
        .with("outcome", word)
        .with("fuel", fuel)
        .with("fuel_share", share.round())
        .with("host_calls", call["host_calls"].clone())
        .with("log_lines", call["log_lines"].clone());
    let step = match kind {
        Some(kind) => step.with("fault", kind),
        None => step,
    };
    match message {
        Some(message) => step.with("message", message),
        None => step,
    }
}

/// What an effect is, without what it says. Those that send are told as drafts.
fn effect_word(line: &Value) -> Option<String> {
    let word = line["effect"]["effect"].as_str()?;
    let sends = matches!(word, "reply" | "react" | "mark_read");
    (!sends).then(|| word.to_owned())
}

/// One draft's decision, and where its send stands.
async fn draft(
    teller: &mut Teller,
    told: &mut Explanation,
    ground: Option<&Ground>,
    turn: &KeptTurn,
    line: &Value,
) -> Result<()> {
    let name = line["send"].as_str().unwrap_or_default();
    let Ok(id) = name.parse::<OutboxId>() else {
        return Ok(());
    };
    if is_cleared(line) {
        let rows: Vec<OutboxRow> =
            outbox::by_ids(&mut teller.tx, teller.tenant, &[id.raw()]).await?;
        return match rows.first() {
            Some(row) => send::append(teller, told, ground, row).await,
            None => {
                let words = format!("{id} was cleared; the send is older than sends are kept");
                told.lacks("send", &words);
                Ok(())
            }
        };
    }
    let kind = line["kind"].as_str().unwrap_or("something");
    let ruling: Option<Ruling> = serde_json::from_value(line["ruling"].clone()).ok();
    let Some(ruling) = ruling else {
        // Journals of before rulings were kept have the code alone.
        let reason = line["refused"].as_str().unwrap_or_default();
        let words = format!("a {kind} was refused: {reason}");
        told.steps
            .push(Step::new(Some(turn.at), "decision", Mark::Stopped, words).of(id));
        told.ends("refused", format!("Refused: {reason}."));
        return Ok(());
    };
    let when = id::made_at(turn.id.raw());
    let at = (id, turn.conversation);
    let stopped = stop::of_ruling(teller, ground, at, &ruling, when).await?;
    send::refused_step(told, id, &ruling, stopped, when);
    Ok(())
}
