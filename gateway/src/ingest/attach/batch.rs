//! One batch in one transaction: everything that a set of bodies means, or nothing of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::consent::{self, Opinion};
use super::receipts::Receipts;
use super::split::{Kept, Message, Split};
use super::{AttachError, Attached, Attacher, count, people};
use crate::domain::{
    Bucket, ContactId, ConversationId, EventId, NumberId, Owner, RawId, Timestamp,
};
use crate::ownership::OwnedBuckets;
use crate::storage::buckets;
use crate::storage::conversations::{self, Conversation};
use crate::storage::events::{self, EventKey, EventKind, NewEvent, PendingEvent};
use crate::storage::people::{self as contacts, ContactRow};
use crate::storage::raw::{self, NewRaw, RawRow};
use crate::storage::{StorageError, Tx, outbox};
use crate::telemetry::{CommitTimer, names};

/// Commits what a batch of bodies holds.
pub(super) async fn commit(
    attacher: &Attacher,
    owned: &OwnedBuckets,
    raws: &[RawRow],
    mut split: Split,
) -> Result<Attached, AttachError> {
    let now = attacher.clock.now();
    let leases = owned.leases_of(raws.iter().filter_map(|row| Bucket::from_raw(row.bucket)));
    let leases = leases.ok_or(AttachError::Storage(StorageError::Fenced(-1)))?;
    let mut tx = attacher.db.begin().await?;
    let _held = CommitTimer::start("attach", raws.len());
    buckets::fence(&mut tx, &leases).await?;
    drop_known(attacher, &mut tx, &mut split, now).await?;
    let receipts = Receipts::of(&mut tx, &split.statuses).await?;
    let attached = attach_messages(attacher, &mut tx, &split, &receipts, now).await?;
    let kept: Vec<NewEvent> = split
        .kept
        .iter()
        .map(|kept| kept_event(attacher, kept, now))
        .collect();
    events::append_all_tenants(&mut tx, &kept).await?;
    receipts.apply(attacher, &mut tx, now).await?;
    forward_strays(attacher, &mut tx, &split, now).await?;
    let ids: Vec<RawId> = raws.iter().map(|row| RawId::from_raw(row.id)).collect();
    raw::mark_attached_all_tenants(&mut tx, &ids, now).await?;
    tx.commit().await?;
    count::count(&split, now.minus(attacher.config.known_for));
    Ok(attached)
}

/// Leaves out what came before. Messages older than we remember are not asked about: they are kept as stale.
async fn drop_known(
    attacher: &Attacher,
    tx: &mut Tx,
    split: &mut Split,
    now: Timestamp,
) -> Result<(), AttachError> {
    let horizon = now.minus(attacher.config.known_for);
    let all = split
        .messages
        .iter()
        .filter(|message| message.at >= horizon)
        .map(|message| message.key);
    let keys: BTreeSet<EventKey> = all.chain(split.kept.iter().map(|kept| kept.key)).collect();
    let keys: Vec<EventKey> = keys.into_iter().collect();
    let mut fresh: HashSet<EventKey> = events::first_seen_all_tenants(tx, &keys)
        .await?
        .into_iter()
        .collect();
    let doubled = split.messages.len() + split.kept.len();
    split
        .messages
        .retain(|message| message.at < horizon || fresh.remove(&message.key));
    split.kept.retain(|kept| fresh.remove(&kept.key));
    let doubled = doubled - split.messages.len() - split.kept.len();
    metrics::counter!(names::EVENTS_DOUBLED).increment(doubled as u64);
    Ok(())
}

async fn attach_messages(
    attacher: &Attacher,
    tx: &mut Tx,
    split: &Split,
    receipts: &Receipts,
    now: Timestamp,
) -> Result<Attached, AttachError> {
    let messages = split.messages.as_slice();
    let authors = people::resolve(
        attacher,
        tx,
        &people::authors(split),
        &receipts.contacts,
        now,
    )
    .await?;
    // Consent before conversations, conversations before sends, as a claim locks them: the other way round the two
    // would wait for each other.
    let opinions = consent::apply(tx, split, &authors, &receipts.contacts).await?;
    let contacts = &authors[..messages.len()];
    let also = &receipts.conversations;
    let mut conversations = conversations_of(attacher, tx, messages, contacts, also, now).await?;
    let mut attached = Attached::default();
    let mut sends = Vec::new();
    let mut written = Vec::with_capacity(messages.len());
    for ((message, contact), opinion) in messages.iter().zip(contacts).zip(opinions) {
        let key = (message.entry.number.id, *contact);
        let conversation = conversations
            .get_mut(&key)
            .expect("every pair was found or made");
        learn_name(tx, message, conversation).await?;
        let event = place(attacher, message, *contact, conversation, &opinion, now);
        if let Some(send) = consent::confirmation(attacher, message, conversation, &opinion, now) {
            sends.push(send);
        }
        if event.kind == EventKind::Message {
            attached.events.push(pending(&event, message));
        }
        written.push(event);
    }
    events::append_all_tenants(tx, &written).await?;
    let spoken: BTreeSet<ConversationId> = written.iter().filter_map(|e| e.conversation).collect();
    let mut changed: Vec<&Conversation> = conversations
        .values()
        .filter(|conversation| spoken.contains(&conversation.id))
        .collect();
    changed.sort_unstable_by_key(|conversation| conversation.id);
    conversations::advance_all_tenants(tx, &changed).await?;
    attached.sends = outbox::insert_all_tenants(tx, sends).await?;
    Ok(attached)
}

/// People change the name they show.
async fn learn_name(
    tx: &mut Tx,
    message: &Message,
    conversation: &mut Conversation,
) -> Result<(), AttachError> {
    let Some(name) = message
        .profile_name
        .as_ref()
        .filter(|name| **name != conversation.display_name)
    else {
        return Ok(());
    };
    conversation.display_name.clone_from(name);
    let (id, tenant) = (conversation.contact, conversation.tenant);
    let row = ContactRow {
        id,
        tenant,
        display_name: name.clone(),
        phone: String::new(),
        bsuid: String::new(),
    };
    Ok(contacts::update_contact(tx, tenant, &row).await?)
}

/// Gives a message its place: the next number of its conversation, and the window that it opens.
fn place(
    attacher: &Attacher,
    message: &Message,
    contact: ContactId,
    conversation: &mut Conversation,
    opinion: &Opinion,
    now: Timestamp,
) -> NewEvent {
    let stale = message.at < now.minus(attacher.config.known_for);
    let seq = if stale { 0 } else { conversation.next_seq };
    conversation.next_seq += i64::from(!stale);
    if message.content.opens_window() {
        conversation.last_inbound_at = conversation.last_inbound_at.max(Some(message.at));
    }
    let id = EventId::from_raw(attacher.ids.next(now));
    NewEvent {
        id,
        tenant: Some(message.entry.number.tenant),
        number: Some(message.entry.number.id),
        bucket: message.entry.number.bucket(),
        conversation: Some(conversation.id),
        contact: Some(contact),
        seq,
        raw: message.raw,
        ordinal: message.ordinal,
        kind: if stale {
            EventKind::Stale
        } else {
            EventKind::Message
        },
        at: message.at,
        wamid: message.wamid.clone(),
        content: serde_json::to_string(&message.content).expect("content is JSON"),
        word: opinion.code,
        prev: std::mem::replace(&mut conversation.last_entry, id.raw()),
        owner: conversation.owner.code(),
    }
}

fn pending(event: &NewEvent, message: &Message) -> PendingEvent {
    let number = &message.entry.number;
    PendingEvent {
        id: event.id,
        tenant: number.tenant,
        number: number.id,
        bucket: event.bucket,
        conversation: event.conversation.expect("a message has a conversation"),
        contact: event.contact.expect("a message has a contact"),
        seq: event.seq,
        raw: event.raw,
        ordinal: event.ordinal,
        at: event.at,
        wamid: event.wamid.clone(),
        content: message.content.clone(),
        word: event.word,
        element: Some(message.element.clone()),
    }
}

fn kept_event(attacher: &Attacher, kept: &Kept, now: Timestamp) -> NewEvent {
    NewEvent {
        id: EventId::from_raw(attacher.ids.next(now)),
        tenant: kept.entry.as_ref().map(|entry| entry.number.tenant),
        number: kept.entry.as_ref().map(|entry| entry.number.id),
        bucket: kept.bucket,
        conversation: None,
        contact: None,
        seq: 0,
        raw: kept.raw,
        ordinal: kept.ordinal,
        kind: EventKind::Kept,
        at: kept.at,
        wamid: String::new(),
        content: kept.what.clone(),
        word: 0,
        prev: 0,
        owner: Owner::Bot.code(),
    }
}

type Conversations = HashMap<(NumberId, ContactId), Conversation>;

/// The conversations of messages, found or made. They are locked together with `also`, in one order of ids, as turns
/// lock theirs.
async fn conversations_of(
    attacher: &Attacher,
    tx: &mut Tx,
    messages: &[Message],
    contacts: &[ContactId],
    also: &[ConversationId],
    now: Timestamp,
) -> Result<Conversations, AttachError> {
    let pair = |(message, contact): (&Message, &ContactId)| (message.entry.number.id, *contact);
    let pairs: BTreeSet<(NumberId, ContactId)> = messages.iter().zip(contacts).map(pair).collect();
    let pairs: Vec<(NumberId, ContactId)> = pairs.into_iter().collect();
    let mut found = conversations::find_all_tenants(tx, &pairs).await?;
    found.extend(also);
    let locked = conversations::lock_all_tenants(tx, &found).await?;
    let mut all: Conversations = locked
        .into_iter()
        .map(|row| ((row.number, row.contact), row))
        .collect();
    let mut made = Vec::new();
    for (message, contact) in messages.iter().zip(contacts) {
        all.entry((message.entry.number.id, *contact))
            .or_insert_with(|| {
                let row = new_conversation(attacher, message, *contact, now);
                made.push(row.clone());
                row
            });
    }
    conversations::add_all_tenants(tx, &made, now).await?;
    Ok(all)
}

fn new_conversation(
    attacher: &Attacher,
    message: &Message,
    contact: ContactId,
    now: Timestamp,
) -> Conversation {
    let number = &message.entry.number;
    Conversation {
        id: ConversationId::from_raw(attacher.ids.next(now)),
        tenant: number.tenant,
        number: number.id,
        contact,
        bucket: number.bucket(),
        owner: Owner::Bot,
        owner_version: 0,
        version: 0,
        next_seq: 1,
        done_seq: 0,
        last_inbound_at: None,
        closed_by_meta_at: None,
        bot_hour_at: Timestamp::ZERO,
        bot_hour_count: 0,
        language: None,
        attributes: BTreeMap::new(),
        tags: BTreeSet::new(),
        closed_at: None,
        last_entry: 0,
        human_replied_at: None,
        snoozed_until: None,
        hand_back_at: None,
        display_name: message.profile_name.clone().unwrap_or_default(),
        phone: message
            .from
            .phone
            .as_ref()
            .map_or("", |phone| phone.digits())
            .to_owned(),
        bsuid: message
            .from
            .bsuid
            .as_ref()
            .map_or("", |bsuid| bsuid.as_str())
            .to_owned(),
    }
}

/// A body's parts in other buckets get a row there, unless they have one: see [`Stray`](super::split::Stray).
async fn forward_strays(
    attacher: &Attacher,
    tx: &mut Tx,
    split: &Split,
    now: Timestamp,
) -> Result<(), AttachError> {
    let strays: BTreeSet<_> = split.strays.iter().copied().collect();
    for stray in strays {
        if raw::has_part_all_tenants(tx, stray.raw, stray.bucket).await? {
            continue;
        }
        let row = NewRaw {
            id: RawId::from_raw(attacher.ids.next(now)),
            app: stray.app,
            bucket: stray.bucket,
            part_of: Some(raw::whole_of_all_tenants(tx, stray.raw).await?),
            received_at: stray.received_at,
            body: bytes::Bytes::new(),
        };
        raw::append_all_tenants(tx, &[row]).await?;
        attacher.wakeups.raw_elsewhere();
    }
    Ok(())
}
