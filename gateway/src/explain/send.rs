//! The way out: who wanted to say it, what policy said, the outbox, Meta's answer, the receipts.

use serde_json::{Value, json};

use super::chain::{About, Explanation, Mark, Step, Stop};
use super::ground::Ground;
use super::sight::shortened;
use super::{Result, Teller, stop, turn};
use crate::domain::{
    DraftClass, OutboundContent, OutboxId, OutboxState, ReceiptStatus, Recipient, Sender,
    Timestamp, id,
};
use crate::graph::errors::classify;
use crate::policy::{Decision, Reason, Ruling};
use crate::storage::outbox::OutboxRow;
use crate::storage::receipts::{self, KeptReceipt};
use crate::storage::refusals::Refused;
use crate::storage::{conversations, replays};

/// A send, with what led to it.
pub(super) async fn tell(teller: &mut Teller, row: &OutboxRow) -> Result<Explanation> {
    let draft = &row.draft;
    let about = About {
        kind: "send".to_owned(),
        id: Some(draft.id.to_string()),
        tenant: teller.tenant,
        number: Some(draft.number),
        conversation: Some(draft.conversation),
        contact: Some(draft.contact),
        person: Some(teller.sight.person(match &draft.recipient {
            Recipient::Phone(phone) => phone.digits(),
            Recipient::Bsuid(bsuid) => bsuid.as_str(),
        })),
        wamid: row.wamid.as_deref().map(|wamid| teller.sight.wamid(wamid)),
    };
    let mut told = Explanation::new(about, teller.now);
    let talk = Some(draft.conversation);
    let ground = Ground::load(teller, draft.number, talk, draft.contact).await?;
    if let Some(id) = row.turn {
        match replays::turn(&mut teller.tx, teller.tenant, id).await? {
            Some(kept) => turn::origin(teller, &mut told, ground.as_ref(), &kept).await?,
            None => told.lacks("turn", "the turn's journal is older than journals are kept"),
        }
    }
    append(teller, &mut told, ground.as_ref(), row).await?;
    Ok(told)
}

/// What a person or client wanted to say and might not.
pub(super) async fn tell_refused(teller: &mut Teller, refused: &Refused) -> Result<Explanation> {
    let about = About {
        kind: "send".to_owned(),
        id: Some(refused.id.to_string()),
        tenant: teller.tenant,
        number: Some(refused.number),
        conversation: Some(refused.conversation),
        contact: Some(refused.contact),
        person: super::person::address(teller, refused.contact).await?,
        wamid: None,
    };
    let mut told = Explanation::new(about, teller.now);
    let talk = Some(refused.conversation);
    let ground = Ground::load(teller, refused.number, talk, refused.contact).await?;
    append_refused(teller, &mut told, ground.as_ref(), refused).await?;
    Ok(told)
}

/// The same as a step of something longer.
pub(super) async fn append_refused(
    teller: &mut Teller,
    told: &mut Explanation,
    ground: Option<&Ground>,
    refused: &Refused,
) -> Result<()> {
    let when = id::made_at(refused.id.raw());
    let place = (refused.id, refused.conversation);
    let stopped = stop::of_ruling(teller, ground, place, &refused.ruling, when).await?;
    refused_step(told, refused.id, &refused.ruling, stopped, when);
    Ok(())
}

/// A draft that the first gate did not let through.
pub(super) fn refused_step(
    told: &mut Explanation,
    id: OutboxId,
    ruling: &Ruling,
    stopped: Stop,
    when: Timestamp,
) {
    let by = sender_words(&ruling.sender);
    let what = what_words(&ruling.content, ruling.class, ruling.template.as_ref());
    let (verb, outcome) = match ruling.refused {
        true => ("was refused", "refused"),
        false => ("was put off", "deferred"),
    };
    let words = format!("{by} wanted to send {what}; it {verb}: {}", ruling.reason);
    let step = Step::new(Some(when), "decision", Mark::Stopped, words)
        .of(id)
        .with("gate", "first")
        .with("decision", outcome)
        .with("reason", ruling.reason.as_str())
        .with("class", json!(ruling.class))
        .with("sender", json!(ruling.sender));
    told.steps.push(step);
    told.ends(outcome, format!("It was not sent. {}", stopped.explanation));
    told.stops.push(stopped);
}

/// A send from its draft to where it stands.
pub(super) async fn append(
    teller: &mut Teller,
    told: &mut Explanation,
    ground: Option<&Ground>,
    row: &OutboxRow,
) -> Result<()> {
    let decided = decided(teller, row);
    told.steps.push(decided);
    let sends = [row.draft.id.raw()];
    let receipts = receipts::of_sends(&mut teller.tx, teller.tenant, &sends).await?;
    state(teller, told, ground, row, &receipts).await?;
    for receipt in &receipts {
        told.steps.push(received(row, receipt));
    }
    if row.receipt == Some(ReceiptStatus::Failed) {
        let code = receipts
            .iter()
            .find(|receipt| receipt.status == ReceiptStatus::Failed.code());
        let (code, when) = code.map_or((row.error.unwrap_or(0), row.changed_at), |receipt| {
            (receipt.error, receipt.at)
        });
        told.stops.push(stop::of_meta(row, code, when));
    }
    ends(told, row);
    Ok(())
}

/// The first gate's yes: nothing else enters the outbox.
fn decided(teller: &Teller, row: &OutboxRow) -> Step {
    let draft = &row.draft;
    let template = draft.content.template();
    let template = template.map(|template| (template.name.clone(), template.language.clone()));
    let what = what_words(draft.content.kind(), draft.class, template.as_ref());
    let said = match &draft.content {
        OutboundContent::Text { body, .. } if teller.sight.texts => {
            format!(" “{}”", shortened(body))
        }
        _ => String::new(),
    };
    let by = sender_words(&draft.sender);
    let words = format!("{by} wrote {what}{said}; policy cleared it");
    let kind = draft.content.kind();
    Step::new(Some(draft.created_at), "decision", Mark::Done, words)
        .of(draft.id)
        .with("gate", "first")
        .with("decision", "cleared")
        .with("class", json!(draft.class))
        .with("sender", json!(draft.sender))
        .with("content", teller.sight.content(kind, json!(draft.content)))
}

async fn state(
    teller: &mut Teller,
    told: &mut Explanation,
    ground: Option<&Ground>,
    row: &OutboxRow,
    receipts: &[KeptReceipt],
) -> Result<()> {
    let step = |mark, words: String| {
        Step::new(Some(row.changed_at), "outbox", mark, words)
            .of(row.draft.id)
            .with("state", row.state.word())
            .with("attempts", row.attempts)
            .with("doubts", row.doubts)
            .with("error", json!(row.error))
    };
    let why = format!("{}{}", reason_words(teller, &row.reason), error_words(row));
    match row.state {
        OutboxState::Queued | OutboxState::Deferred => {
            let words = format!("{}, due at {}{why}", row.state.word(), row.due_at);
            let step = step(Mark::Waits, words).with("due_at", row.due_at.to_string());
            told.steps.push(step);
            if let Some(stop) = stop::of_row(teller, ground, row).await? {
                told.stops.push(stop);
            } else if let Some(ground) = ground {
                foreseen(teller, told, ground, row);
            }
        }
        OutboxState::Claimed => told
            .steps
            .push(step(Mark::Waits, "handed to a request to Meta".to_owned())),
        OutboxState::Accepted => {
            let mut taken = step(Mark::Done, accepted_words(row));
            // The row moves with every receipt; when Meta took it is not written down apart.
            taken.at = receipts.is_empty().then(|| row.changed_at.to_string());
            told.steps.push(taken);
        }
        OutboxState::Unknown => told.steps.push(step(
            Mark::Waits,
            format!("no answer came: it may have been sent{why}"),
        )),
        OutboxState::Refused => {
            let words = format!("refused when it was claimed{why}");
            told.steps.push(step(Mark::Stopped, words));
            if let Some(stop) = stop::of_row(teller, ground, row).await? {
                told.stops.push(stop);
            }
        }
        OutboxState::Failed => {
            told.steps
                .push(step(Mark::Stopped, format!("given up{why}")));
            if let Some(code) = row.error {
                told.stops.push(stop::of_meta(row, code, row.changed_at));
            }
        }
        OutboxState::Cancelled => cancelled(teller, told, row, step(Mark::Stopped, why)).await?,
    }
    Ok(())
}

/// What would stop a queued row if it were claimed now.
fn foreseen(teller: &Teller, told: &mut Explanation, ground: &Ground, row: &OutboxRow) {
    let (decision, _) = ground.claims(&row.draft, teller.now);
    let words = match decision {
        Decision::Cleared(_) => return,
        Decision::Refused(refusal) => format!("it would be refused now: {}", refusal.reason),
        Decision::Deferred { until, reason } => format!("it waits until {until}: {reason}"),
    };
    told.steps
        .push(Step::new(None, "foreseen", Mark::Waits, words).of(row.draft.id));
}

fn accepted_words(row: &OutboxRow) -> String {
    let tries = match row.attempts {
        0 | 1 => String::new(),
        n => format!(" at attempt {n}"),
    };
    let twice = match row.doubts {
        0 => "",
        _ => "; it was in doubt before",
    };
    format!("Meta took it{tries}{twice}")
}

/// Withdrawn: by a person or client by name, or because somebody took the conversation over.
async fn cancelled(
    teller: &mut Teller,
    told: &mut Explanation,
    row: &OutboxRow,
    step: Step,
) -> Result<()> {
    let mut words = format!("withdrawn before it left{}", step.words);
    if row.reason == "taken_over" {
        let talk = row.draft.conversation;
        let log = conversations::owner_log(&mut teller.tx, teller.tenant, talk).await?;
        let change = log.iter().rev().find(|(when, _)| *when <= row.changed_at);
        if let Some((when, change)) = change {
            words = format!(
                "withdrawn: {}",
                super::evidence::change_words(change, *when)
            );
        }
    }
    told.steps.push(Step { words, ..step });
    Ok(())
}

/// Meta's last answer to a send that is not through, by the one error table (facts §7).
fn error_words(row: &OutboxRow) -> String {
    let last = row.error.filter(|_| row.state != OutboxState::Accepted);
    last.map_or_else(String::new, |code| {
        let verdict = classify(Some(code), None, false);
        format!("; Meta answered {code}: {}", verdict.meaning)
    })
}

/// The row's reason: a stable word, and after a colon words that may quote Meta's answer.
fn reason_words(teller: &Teller, reason: &str) -> String {
    if reason.is_empty() {
        return String::new();
    }
    let (word, words) = reason.split_once(':').unwrap_or((reason, ""));
    let known = Reason::from_code(word).map(Reason::explanation);
    match (known, teller.sight.texts, words.trim()) {
        (Some(known), ..) => format!(": {word} ({known})"),
        (None, true, words) if !words.is_empty() => format!(": {word} ({})", shortened(words)),
        _ => format!(": {word}"),
    }
}

fn received(row: &OutboxRow, receipt: &KeptReceipt) -> Step {
    let word = ReceiptStatus::from_code(receipt.status).map_or("unknown", ReceiptStatus::word);
    let failed = receipt.status == ReceiptStatus::Failed.code();
    let mark = if failed { Mark::Stopped } else { Mark::Done };
    let mut words = match word {
        "sent" => "Meta sent it on".to_owned(),
        "delivered" => "it is on the person's device".to_owned(),
        "read" => "the person has seen it".to_owned(),
        "played" => "the person has played it".to_owned(),
        "failed" => {
            let verdict = classify(Some(receipt.error), None, false);
            format!(
                "Meta could not deliver it: {} {}",
                receipt.error, verdict.meaning
            )
        }
        other => other.to_owned(),
    };
    let pricing: Value = serde_json::from_str(&receipt.pricing).unwrap_or_default();
    if let Some(price) = price_words(&pricing) {
        words = format!("{words}; {price}");
    }
    let step = Step::new(Some(receipt.at), "receipt", mark, words)
        .of(row.draft.id)
        .with("status", word);
    let step = match receipt.error {
        0 => step,
        code => step.with("error", code),
    };
    match pricing {
        Value::Null => step,
        pricing => step.with("pricing", pricing),
    }
}

/// Meta's price class (facts §6.2): what it charges for, never how much.
fn price_words(pricing: &Value) -> Option<String> {
    let category = pricing["category"].as_str();
    let kind = pricing["type"].as_str();
    let billable = pricing["billable"].as_bool();
    if category.is_none() && kind.is_none() && billable.is_none() {
        return None;
    }
    let charged = match (billable, kind) {
        (Some(false), _) | (None, Some("free_customer_service" | "free_entry_point")) => "free",
        _ => "charged",
    };
    Some(format!(
        "price class {} ({}, {charged})",
        category.unwrap_or("unknown"),
        kind.unwrap_or("type unknown"),
    ))
}

/// The send as one entry of a history.
pub(super) fn in_a_line(row: &OutboxRow) -> (Mark, String) {
    let draft = &row.draft;
    let template = draft.content.template();
    let template = template.map(|template| (template.name.clone(), template.language.clone()));
    let what = what_words(draft.content.kind(), draft.class, template.as_ref());
    let (outcome, summary) = end(row);
    let mark = match outcome {
        "refused" | "failed" | "cancelled" => Mark::Stopped,
        "queued" | "deferred" | "claimed" | "unknown" => Mark::Waits,
        _ => Mark::Done,
    };
    (
        mark,
        format!("{} wrote {what}. {summary}", sender_words(&draft.sender)),
    )
}

fn ends(told: &mut Explanation, row: &OutboxRow) {
    let (outcome, summary) = end(row);
    told.ends(outcome, summary);
}

/// Where it stands, in a word and in a sentence.
fn end(row: &OutboxRow) -> (&'static str, String) {
    let last = row.receipt.filter(|_| row.state == OutboxState::Accepted);
    let outcome = last.map_or(row.state.word(), ReceiptStatus::word);
    let reason = row.reason.split(':').next().unwrap_or_default();
    let summary = match outcome {
        "queued" => "It is queued.".to_owned(),
        "deferred" => format!("It waits for its hour, until {}.", row.due_at),
        "claimed" => "It is on its way to Meta.".to_owned(),
        "accepted" => "Meta took it; nothing is known of its delivery.".to_owned(),
        "sent" => "Meta sent it; the person's device has not got it.".to_owned(),
        "delivered" => "It was delivered.".to_owned(),
        "read" | "played" => "The person has seen it.".to_owned(),
        "unknown" => "No answer came: it may have been sent.".to_owned(),
        "refused" => {
            let known = Reason::from_code(reason).map(Reason::explanation);
            format!("It was not sent. {}", known.unwrap_or(reason))
        }
        "failed" => {
            let meant = row
                .error
                .map(|code| classify(Some(code), None, false).meaning);
            match meant {
                Some(meant) => format!("It did not reach the person. {meant}."),
                None => format!("It was given up: {reason}."),
            }
        }
        "cancelled" => "It was withdrawn before it left.".to_owned(),
        other => format!("It is {other}."),
    };
    (outcome, summary)
}

pub(super) fn sender_words(sender: &Sender) -> String {
    match sender {
        Sender::Plugin { name, version, .. } => format!("the plugin {name} {version}"),
        Sender::ApiKey { name } => format!("the client {name}"),
        Sender::Agent { name } => format!("the agent {name}"),
        Sender::Rule { name } => format!("the gateway's rule {name}"),
    }
}

fn what_words(kind: &str, class: DraftClass, template: Option<&(String, String)>) -> String {
    let class = match class {
        DraftClass::Reply => "as a reply",
        DraftClass::OptOutConfirmation => "to confirm a word about consent",
        DraftClass::Utility => "as utility",
        DraftClass::Marketing => "as marketing",
        DraftClass::Authentication => "as a one-time code",
    };
    match template {
        Some((name, language)) => format!("the template {name} ({language}) {class}"),
        None => format!("{kind} {class}"),
    }
}
