//! The way in: the webhook's bytes, what was attached, and then the turn.

use serde_json::{Value, json};

use super::chain::{About, Explanation, Mark, Step};
use super::ground::Ground;
use super::sight::preview;
use super::{Result, Teller, send, turn};
use crate::domain::{Occasion, RawId, id};
use crate::graph::webhook;
use crate::policy::WindowState;
use crate::storage::chains::{self, ChainEvent};
use crate::storage::events::{EventKind, word};
use crate::storage::{apps, history, outbox, raw, replays};

/// Everything that an event caused.
pub(super) async fn tell(teller: &mut Teller, event: &ChainEvent) -> Result<Explanation> {
    let mut told = Explanation::new(about(teller, event).await?, teller.now);
    let ground = Ground::load(
        teller,
        event.number,
        Some(event.conversation),
        event.contact,
    )
    .await?;
    way_in(teller, &mut told, ground.as_ref(), event).await?;
    match event.turn {
        Some(id) => match replays::turn(&mut teller.tx, teller.tenant, id).await? {
            Some(row) => turn::tell(teller, &mut told, ground.as_ref(), &row).await?,
            None => told.lacks("turn", "the turn's journal is older than journals are kept"),
        },
        None => without_turn(&mut told, event),
    }
    if event.word == word::CONSENT {
        confirmation(teller, &mut told, ground.as_ref(), event).await?;
    }
    Ok(told)
}

async fn about(teller: &mut Teller, event: &ChainEvent) -> Result<About> {
    let some = |wamid: &str| (!wamid.is_empty()).then(|| teller.sight.wamid(wamid));
    let wamid = some(&event.wamid);
    Ok(About {
        kind: "event".to_owned(),
        id: Some(event.id.to_string()),
        tenant: teller.tenant,
        number: Some(event.number),
        conversation: (event.conversation.raw() != 0).then_some(event.conversation),
        contact: (event.contact.raw() != 0).then_some(event.contact),
        person: super::person::address(teller, event.contact).await?,
        wamid,
    })
}

/// The bytes, and what was made of them.
pub(super) async fn way_in(
    teller: &mut Teller,
    told: &mut Explanation,
    ground: Option<&Ground>,
    event: &ChainEvent,
) -> Result<()> {
    if event.kind == EventKind::Occasion as i64 {
        told.steps.push(occasion(teller, event));
        return Ok(());
    }
    webhook_step(teller, told, event).await?;
    told.steps.push(attached(teller, ground, event));
    if event.word != word::NONE {
        let (what, words) = match event.word {
            word::HUMAN => ("human", "the person asks for a person: no plugin is asked"),
            _ => (
                "consent",
                "a word about consent: the gateway obeys it at once, and no plugin sees it",
            ),
        };
        let step = Step::new(Some(id::made_at(event.id.raw())), "word", Mark::Done, words);
        told.steps.push(step.with("word", what));
    }
    Ok(())
}

async fn webhook_step(
    teller: &mut Teller,
    told: &mut Explanation,
    event: &ChainEvent,
) -> Result<()> {
    let Some(body) = chains::body_all_tenants(&mut teller.tx, event.raw).await? else {
        told.lacks(
            "webhook",
            "the webhook's bytes are older than they are kept",
        );
        return Ok(());
    };
    let app = apps::apps_all_tenants(&mut teller.tx).await?;
    let app = app.into_iter().find(|app| app.id == body.app);
    let app = app.map_or_else(|| body.app.to_string(), |app| app.meta_app_id);
    let words = format!(
        "Meta posted {} bytes for the app {app}; the signature was accepted",
        body.bytes
    );
    let step = Step::new(Some(body.received_at), "webhook", Mark::Done, words);
    let step = step
        .of(event.raw)
        .with("bytes", body.bytes)
        .with("app", app)
        .with("item", event.ordinal);
    let step = match teller.raw {
        true => {
            let shown = raw_shown(teller, event.raw, event.ordinal).await?;
            step.with("raw", shown)
        }
        false => step,
    };
    told.steps.push(step);
    Ok(())
}

/// All bytes for the operator. A body holds messages of several tenants: each tenant sees its own item.
async fn raw_shown(teller: &mut Teller, id: RawId, ordinal: i64) -> Result<Value> {
    let Some(body) = raw::body_all_tenants(&mut teller.tx, id).await? else {
        return Ok(Value::Null);
    };
    if teller.sight.whole_body {
        return Ok(json!(String::from_utf8_lossy(&body)));
    }
    let items = webhook::read(&body).unwrap_or_default();
    let item = usize::try_from(ordinal)
        .ok()
        .and_then(|ordinal| items.into_iter().nth(ordinal));
    Ok(item.map_or(Value::Null, |item| json!(item.raw)))
}

/// The event as one entry of a history.
pub(super) fn in_a_line(teller: &Teller, event: &ChainEvent) -> String {
    let content: Value = serde_json::from_str(&event.content).unwrap_or_default();
    let (kind, said) = said(teller, &content);
    let word = match event.word {
        word::CONSENT => ", a word about consent",
        word::HUMAN => ", a word for a person",
        _ => "",
    };
    match EventKind::from_code(event.kind) {
        Some(EventKind::Message | EventKind::Stale) => {
            format!("the person wrote {kind}{said}{word}")
        }
        _ => format!("{kind}{said}{word}"),
    }
}

/// The kind of content, and what it says where the asker may see it.
fn said(teller: &Teller, content: &Value) -> (String, String) {
    let kind = content["type"].as_str().unwrap_or("something");
    let said = preview(content).filter(|_| teller.sight.texts);
    let said = said.map_or_else(String::new, |said| format!(" “{said}”"));
    (kind.to_owned(), said)
}

fn attached(teller: &Teller, ground: Option<&Ground>, event: &ChainEvent) -> Step {
    let content: Value = serde_json::from_str(&event.content).unwrap_or_default();
    let (kind, said) = said(teller, &content);
    let place = match EventKind::from_code(event.kind) {
        Some(EventKind::Message) => format!("message {} of the conversation", event.seq),
        Some(EventKind::Stale) => {
            "a message of more than 30 days ago: no turn acts on it".to_owned()
        }
        Some(EventKind::Notice) => "a notice: no turn acts on it".to_owned(),
        Some(EventKind::Account) => "news of an account".to_owned(),
        _ => "nothing that the gateway acts on: kept as it came".to_owned(),
    };
    let words = format!("{kind}{said} attached: {place}; written at {}", event.at);
    let when = id::made_at(event.id.raw());
    let step = Step::new(Some(when), "attached", Mark::Done, words)
        .of(event.id)
        .with("type", kind.as_str())
        .with("seq", event.seq)
        .with("written_at", event.at.to_string())
        .with("content", teller.sight.content(&kind, content));
    let window = ground.map(|ground| ground.window(teller.now));
    match window {
        Some(WindowState::Open { until }) => step.with("window_until", until.to_string()),
        _ => step,
    }
}

fn occasion(teller: &Teller, event: &ChainEvent) -> Step {
    let occasion: Option<Occasion> = serde_json::from_str(&event.content).ok();
    let words = match &occasion {
        Some(Occasion::Event { name, .. }) => {
            format!("the business's systems told of {name}")
        }
        Some(Occasion::Timer { plugin, name, .. }) => {
            format!("the timer {name} of the plugin {plugin} was due")
        }
        Some(Occasion::Receipt { send, status, .. }) => {
            format!("Meta told that {send} was {}", status.word())
        }
        None => "something happened that this version does not know".to_owned(),
    };
    let kind = occasion.as_ref().map_or("unknown", Occasion::word);
    let content: Value = serde_json::from_str(&event.content).unwrap_or_default();
    let step = Step::new(Some(event.at), "occasion", Mark::Done, words).of(event.id);
    step.with("type", kind)
        .with("seq", event.seq)
        .with("content", teller.sight.content(kind, content))
}

/// It waits for its turn, or has none.
fn without_turn(told: &mut Explanation, event: &ChainEvent) {
    match event.state {
        0 => {
            let words = "its turn has not come, or runs";
            told.steps.push(Step::new(None, "turn", Mark::Waits, words));
            told.ends("waiting", "It was received and waits for its turn.");
        }
        _ => told.ends("kept", "It was received; no turn acts on such a thing."),
    }
}

/// The answer to a word is no turn's: it was queued as the word was obeyed, and stands behind it in the history.
async fn confirmation(
    teller: &mut Teller,
    told: &mut Explanation,
    ground: Option<&Ground>,
    event: &ChainEvent,
) -> Result<()> {
    let Some(ground) = ground else {
        return Ok(());
    };
    const LOOKED_THROUGH: usize = 500;
    let newest = ground.conversation.last_entry;
    let (ids, _) = history::walk(&mut teller.tx, teller.tenant, newest, LOOKED_THROUGH).await?;
    let place = ids.iter().position(|id| *id == event.id.raw());
    let behind = place
        .and_then(|place| place.checked_sub(1))
        .map(|at| ids[at]);
    let sent = outbox::by_ids(&mut teller.tx, teller.tenant, &Vec::from_iter(behind)).await?;
    match sent.into_iter().find(|row| row.turn.is_none()) {
        Some(row) => {
            send::append(teller, told, Some(ground), &row).await?;
            told.summary = format!("The word was obeyed. The confirmation: {}", told.summary);
        }
        None => told.ends("done", "The word was obeyed; it needed no confirmation."),
    }
    Ok(())
}
