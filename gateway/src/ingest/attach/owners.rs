//! Who has a conversation when others than our own people and bot take it: a human in the WhatsApp Business app, or
//! another app of the business (design.md §4 "Ownership"; `whatsapp-cloud-api.md` §1.5 `smb_message_echoes`,
//! `messaging_handovers`).

use super::receipts::Receipts;
use super::split::Message;
use super::{AttachError, Attacher};
use crate::domain::inbound::Handover;
use crate::domain::{
    ConversationId, InboundContent, NumberId, OutboxId, Owner, OwnerChange, TenantId, Timestamp,
};
use crate::storage::conversations::{self, Conversation};
use crate::storage::{Tx, entry_points, take_overs};

/// Whoever answers in the WhatsApp Business app.
const APP: &str = "whatsapp_business_app";
/// Before the role of another app that Meta has given the conversation.
const OTHER_APP: &str = "meta.";
/// Meta's times are whole seconds.
const SECOND: std::time::Duration = std::time::Duration::from_secs(1);

/// A conversation that was taken from the bot.
#[derive(Debug)]
pub(super) struct Taken {
    tenant: TenantId,
    number: NumberId,
    conversation: ConversationId,
    owner: Owner,
}

/// Changes the owner if the message says so, and is the last to. The version moves: a turn that began before commits
/// nothing.
pub(super) async fn obey(
    attacher: &Attacher,
    tx: &mut Tx,
    message: &Message,
    conversation: &mut Conversation,
    now: Timestamp,
) -> Result<Option<Taken>, AttachError> {
    let is_handover = matches!(message.message.content, InboundContent::Handover(_));
    if !is_handover && !message.message.takes_over() {
        return Ok(None);
    }
    let (tenant, id) = (conversation.tenant, conversation.id);
    // Also where nothing changes: what happened before this and comes after it is history.
    if !entry_points::move_handover(tx, tenant, id, message.at).await? {
        return Ok(None);
    }
    let Some(change) = change(message, &conversation.owner) else {
        return Ok(None);
    };
    if conversation.owner.is_bot() {
        let since = entry_points::owned_since(tx, tenant, id).await?;
        // Somebody gave it back to the bot since: this came late.
        if since.is_some_and(|since| message.at.plus(SECOND) <= since) {
            return Ok(None);
        }
    }
    let log = attacher.ids.next(now);
    let entry = (log, std::mem::replace(&mut conversation.last_entry, log));
    let owner_version = conversations::change_owner(tx, tenant, id, &change, entry, now).await?;
    conversation.owner_version = owner_version.unwrap_or(conversation.owner_version);
    let taken = change.from.is_bot();
    conversation.owner = change.to;
    Ok(taken.then_some(Taken {
        tenant,
        number: conversation.number,
        conversation: id,
        owner: conversation.owner.clone(),
    }))
}

/// Withdraws what the bot had queued in conversations that were taken from it.
pub(super) async fn withdraw(
    tx: &mut Tx,
    taken: &[Taken],
    receipts: &Receipts,
    now: Timestamp,
) -> Result<(), AttachError> {
    if taken.is_empty() {
        return Ok(());
    }
    let sends: Vec<OutboxId> = receipts.sends().collect();
    let conversations: Vec<_> = taken
        .iter()
        .map(|taken| {
            let owner = taken.owner.clone();
            (taken.tenant, taken.number, taken.conversation, owner)
        })
        .collect();
    take_overs::withdraw_all_tenants(tx, &conversations, &sends, now).await?;
    Ok(())
}

fn change(message: &Message, owner: &Owner) -> Option<OwnerChange> {
    let (to, by, note) = match &message.message.content {
        InboundContent::Handover(handover) => {
            let to = next_owner(handover, owner)?;
            let role = if handover.taken {
                &handover.new_role
            } else {
                &handover.previous_role
            };
            (to, other_app(role.as_deref()), handover.note.clone())
        }
        // A colleague who has it already in our own inbox or another keeps it.
        _ if message.message.takes_over() && matches!(owner, Owner::Bot | Owner::Queue(_)) => {
            (Owner::External(APP.to_owned()), APP.to_owned(), None)
        }
        _ => return None,
    };
    let reason = if to.is_bot() {
        "hand_back"
    } else {
        "take_over"
    };
    Some(OwnerChange {
        from: owner.clone(),
        to,
        reason: reason.to_owned(),
        by,
        note,
    })
}

/// Taken: Meta sends nothing of ours any more, whoever has it here. Passed to us: whoever the other app had it from
/// here, it goes back to the bot; what one of our people holds stays theirs.
fn next_owner(handover: &Handover, owner: &Owner) -> Option<Owner> {
    let is_other_app = matches!(owner, Owner::External(name) if name.starts_with(OTHER_APP));
    match (handover.taken, is_other_app) {
        (true, _) => {
            let to = Owner::External(other_app(handover.new_role.as_deref()));
            (to != *owner).then_some(to)
        }
        (false, true) => Some(Owner::Bot),
        (false, false) => None,
    }
}

/// Meta's roles (§1.5); what is none of them is not made an owner's name.
fn other_app(role: Option<&str>) -> String {
    const ROLES: [&str; 6] = [
        "customer_service",
        "marketing",
        "utility",
        "ctwa",
        "ai_agent",
        "escalation",
    ];
    let role = role.filter(|role| ROLES.contains(role)).unwrap_or("app");
    format!("{OTHER_APP}{role}")
}
