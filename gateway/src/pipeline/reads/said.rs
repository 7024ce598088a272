//! From rows of a conversation's history to what plugins may know of it: who said what, and nothing that names a person.

use std::collections::{HashMap, HashSet};

use crate::domain::inbound::Source;
use crate::domain::{
    InboundContent, InboundMessage, OutboundContent, OutboxState, Sender, TenantId,
};
use crate::plugin_host::{HISTORY_BYTES, HISTORY_ENTRIES, Said, Speaker, message_token};
use crate::storage::history::InboundEntry;
use crate::storage::outbox::OutboxRow;

/// What was said, in the order of `ids`, within the bounds of what may be given.
pub(super) fn newest_first(
    tenant: TenantId,
    ids: &[i64],
    heard: Vec<InboundEntry>,
    sent: Vec<OutboxRow>,
) -> Vec<Said> {
    let heard = heard.into_iter().filter_map(|row| {
        let message: InboundMessage = serde_json::from_str(&row.content).ok()?;
        Some((row.id.raw(), (row, message)))
    });
    let heard: HashMap<i64, (InboundEntry, InboundMessage)> = heard.collect();
    let deleted: HashSet<&str> = heard.values().filter_map(|(_, m)| deletes(m)).collect();
    let sent: HashMap<i64, OutboxRow> = sent.into_iter().map(|r| (r.draft.id.raw(), r)).collect();
    let said = ids.iter().filter_map(|id| match heard.get(id) {
        Some((row, message)) => {
            let gone = deleted.contains(row.wamid.as_str());
            received(tenant, row, message, gone)
        }
        None => answered(tenant, sent.get(id)?),
    });
    bounded(said)
}

/// The wamid of the message that its author deleted by this.
fn deletes(message: &InboundMessage) -> Option<&str> {
    match &message.content {
        InboundContent::Revoke { original } => Some(original),
        _ => None,
    }
}

fn bounded(said: impl Iterator<Item = Said>) -> Vec<Said> {
    let mut room = HISTORY_BYTES;
    let fits = |said: &Said| {
        let left = room.checked_sub(said.text.len());
        room = left.unwrap_or(0);
        left.is_some()
    };
    said.take_while(fits)
        .take(HISTORY_ENTRIES as usize)
        .collect()
}

fn received(
    tenant: TenantId,
    row: &InboundEntry,
    message: &InboundMessage,
    gone: bool,
) -> Option<Said> {
    let who = match message.source {
        Source::Customer | Source::Standby => Speaker::Person,
        Source::Echo => Speaker::Agent,
        // Nobody said it.
        Source::Notice => return None,
    };
    let text = match &message.content {
        InboundContent::System { .. } => return None,
        InboundContent::Reaction { emoji, .. } => emoji.as_deref().unwrap_or(""),
        content => content.words(),
    };
    Some(Said {
        who: who.into(),
        kind: message.content.word().to_owned(),
        text: if gone { String::new() } else { cut(text) },
        at: row.at,
        token: token(tenant, &row.wamid),
    })
}

fn answered(tenant: TenantId, row: &OutboxRow) -> Option<Said> {
    use OutboxState::{Accepted, Claimed, Queued, Unknown};
    let said = matches!(row.state, Queued | Claimed | Accepted | Unknown);
    let content = &row.draft.content;
    if !said || matches!(content, OutboundContent::MarkRead { .. }) {
        return None;
    }
    Some(Said {
        who: match row.draft.sender {
            Sender::Plugin { .. } => Speaker::Bot.into(),
            Sender::Agent { .. } => Speaker::Agent.into(),
            Sender::ApiKey { .. } => Speaker::Client.into(),
            Sender::Rule { .. } => Speaker::Gateway.into(),
        },
        kind: content.kind().to_owned(),
        text: cut(content.words()),
        at: row.draft.created_at,
        token: row.wamid.as_deref().and_then(|wamid| token(tenant, wamid)),
    })
}

/// Characters of one text (WIT contract): what may be sent. People may write sixteen times as much, and would hide
/// everything before it.
const TEXT_CHARS: usize = 4096;

fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARS).collect()
}

fn token(tenant: TenantId, wamid: &str) -> Option<String> {
    (!wamid.is_empty()).then(|| message_token(tenant, wamid))
}

#[cfg(test)]
mod tests;
