//! One batch in one transaction: everything that a set of bodies means, or nothing of it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::consent::{self, Opinion};
use super::people::Resolved;
use super::receipts::Receipts;
use super::split::{Change, Kept, Message, Place, Split};
use super::{AttachError, Attached, Attacher, account, count, owners, people, templates};
use crate::domain::{
    Bsuid, Bucket, ContactId, ConversationId, EventId, InboundMessage, NumberId, Owner, Phone,
    RawId, Source, Timestamp,
};
use crate::ownership::OwnedBuckets;
use crate::storage::buckets::{self, Lease};
use crate::storage::conversations::{self, Conversation};
use crate::storage::events::{self, EventKey, EventKind, Met, NewEvent, PendingEvent, Subject};
use crate::storage::people::{self as contacts, ContactRow};
use crate::storage::raw::{self, Lane, NewRaw, RawRow, Whose};
use crate::storage::{StorageError, Tx, claims, entry_points, outbox};
use crate::telemetry::{CommitTimer, names};

/// Commits what a batch of bodies holds.
pub(super) async fn commit(
    attacher: &Attacher,
    owned: &OwnedBuckets,
    raws: &[RawRow],
    mut split: Split,
) -> Result<Attached, AttachError> {
    let now = attacher.clock.now();
    let leases = leases_of(owned, raws)?;
    let mut tx = attacher.db.begin_unsynced().await?;
    let _held = CommitTimer::start("attach", raws.len());
    buckets::fence(&mut tx, &leases).await?;
    let ids: Vec<RawId> = raws.iter().map(|row| RawId::from_raw(row.id)).collect();
    raw::mark_attached_all_tenants(&mut tx, &ids, now).await?;
    let attached = write(attacher, &mut tx, &mut split, now).await?;
    tx.commit().await?;
    told(attacher, &split, now);
    Ok(attached)
}

/// What is known once a batch is committed.
pub(super) fn told(attacher: &Attacher, split: &Split, now: Timestamp) {
    if !split.strays.is_empty() {
        // Whoever looked before the commit did not see their rows.
        attacher.kept.forget();
    }
    count::count(split, now.minus(attacher.config.known_for));
}

pub(super) fn leases_of(owned: &OwnedBuckets, raws: &[RawRow]) -> Result<Vec<Lease>, AttachError> {
    let leases = owned.leases_of(raws.iter().filter_map(|row| Bucket::from_raw(row.bucket)));
    leases.ok_or(AttachError::Storage(StorageError::Fenced(-1)))
}

/// Writes what bodies hold, under the leases of their buckets. What was known before is taken out of `split`.
pub(super) async fn write(
    attacher: &Attacher,
    tx: &mut Tx,
    split: &mut Split,
    now: Timestamp,
) -> Result<Attached, AttachError> {
    drop_known(attacher, tx, split, now).await?;
    let receipts = Receipts::of(tx, &split.statuses).await?;
    let mut attached = attach_messages(attacher, tx, split, &receipts, now).await?;
    let kept: Vec<NewEvent> = split
        .kept
        .iter()
        .map(|kept| kept_event(attacher, kept, now))
        .collect();
    events::append_all_tenants(tx, &kept).await?;
    owners::withdraw(tx, &attached.taken, &receipts, now).await?;
    attached.turns = receipts.apply(attacher, tx, now).await?;
    let mut heard = account::apply(attacher, tx, &split.news, now).await?;
    heard.extend(templates::charged(tx, &split.statuses, now).await?);
    forward_strays(attacher, tx, split, now).await?;
    templates::apply(attacher, tx, heard, now).await?;
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
    let messages = split.messages.iter();
    let others = split.changes.iter().map(|change| change.place);
    let others = others.chain(split.news.iter().map(|news| news.place));
    let others = others.chain(split.kept.iter().map(|kept| kept.place));
    let keys: BTreeSet<EventKey> = messages
        .filter(|message| message.at >= horizon)
        .map(|message| message.place.key)
        .chain(others.map(|place| place.key))
        .collect();
    let keys: Vec<EventKey> = keys.into_iter().collect();
    let mut fresh: HashSet<EventKey> = events::first_seen_all_tenants(tx, &keys)
        .await?
        .into_iter()
        .collect();
    let items = |split: &Split| {
        split.messages.len() + split.changes.len() + split.news.len() + split.kept.len()
    };
    let doubled = items(split);
    split
        .messages
        .retain(|message| message.at < horizon || fresh.remove(&message.place.key));
    let mut is_fresh = |place: &Place| fresh.remove(&place.key);
    split.changes.retain(|change| is_fresh(&change.place));
    split.news.retain(|news| is_fresh(&news.place));
    split.kept.retain(|kept| is_fresh(&kept.place));
    let doubled = doubled - items(split);
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
    let authors = people::authors(split);
    let (changes, others) = (&split.changes, &receipts.contacts);
    let people = people::resolve(attacher, tx, &authors, changes, others, now).await?;
    // Consent before conversations, conversations before sends, as a claim locks them: the other way round the two
    // would wait for each other.
    let opinions = consent::apply(attacher, tx, split, &people.authors, &receipts.contacts).await?;
    let contacts = &people.authors[..messages.len()];
    let mut also = of_changed(attacher, tx, changes, &people).await?;
    also.extend(&receipts.conversations);
    let mut conversations = conversations_of(attacher, tx, messages, contacts, &also, now).await?;
    let mut attached = Attached::default();
    let mut sends = Vec::new();
    let mut written = Vec::with_capacity(messages.len());
    // Their rows have another version than we know.
    let mut moved = BTreeSet::new();
    let mut consents = HashMap::new();
    for ((message, contact), opinion) in messages.iter().zip(contacts).zip(opinions) {
        let key = (message.entry.number.id, *contact);
        let conversation = conversations
            .get_mut(&key)
            .expect("every pair was found or made");
        learn_names(tx, message, conversation).await?;
        let event = place(attacher, message, *contact, conversation, &opinion, now);
        if event.kind != EventKind::Stale {
            remember_referral(tx, message, conversation).await?;
            let before = conversation.owner_version;
            let taken = owners::obey(attacher, tx, message, conversation, now).await?;
            attached.taken.extend(taken);
            if conversation.owner_version != before {
                moved.insert(conversation.id);
            }
        }
        if let Some(send) = consent::confirmation(attacher, message, conversation, &opinion, now) {
            sends.push(send);
        }
        consents.insert(*contact, opinion.state);
        if event.kind == EventKind::Message {
            attached.events.push(pending(&event, message));
        }
        written.push(event);
    }
    written.extend(notices(attacher, changes, &people, &mut conversations, now));
    let spoken: BTreeSet<ConversationId> = written.iter().filter_map(|e| e.conversation).collect();
    events::append_all_tenants(tx, &written).await?;
    let mut changed: Vec<&Conversation> = conversations
        .values()
        .filter(|conversation| spoken.contains(&conversation.id))
        .collect();
    changed.sort_unstable_by_key(|conversation| conversation.id);
    conversations::advance_all_tenants(tx, &changed).await?;
    close_windows(tx, &people, &conversations).await?;
    for event in &mut attached.events {
        let conversation = &conversations[&(event.number, event.contact)];
        // Of a conversation that was begun here, nothing is known of what the tenant keeps of its contact.
        let next = event.seq == conversation.done_seq + 1
            && !moved.contains(&conversation.id)
            && !conversation.contact_attributes.is_empty();
        event.met = next.then(|| {
            Arc::new(Met {
                conversation: conversation.clone(),
                consent: consents[&event.contact],
            })
        });
    }
    attached.sends = outbox::insert_all_tenants(tx, sends).await?;
    Ok(attached)
}

/// The conversations of people of whom Meta has spoken: with the number it spoke to, and where their windows close,
/// with every number of the tenant.
async fn of_changed(
    attacher: &Attacher,
    tx: &mut Tx,
    changes: &[Change],
    people: &Resolved,
) -> Result<Vec<ConversationId>, AttachError> {
    let mut pairs = BTreeSet::new();
    for (change, contact) in changes.iter().zip(&people.changed) {
        pairs.insert((change.entry.number.id, *contact));
    }
    for (tenant, contact, _) in &people.closed {
        let snapshot = attacher.directory.snapshot();
        let numbers = snapshot.numbers().map(|entry| &entry.number);
        let own = numbers.filter(|number| number.tenant == *tenant);
        pairs.extend(own.map(|number| (number.id, *contact)));
    }
    let pairs: Vec<(NumberId, ContactId)> = pairs.into_iter().collect();
    Ok(conversations::find_all_tenants(tx, &pairs).await?)
}

/// A new number or identity has no open window until it writes (`whatsapp-cloud-api.md` §2.3).
async fn close_windows(
    tx: &mut Tx,
    people: &Resolved,
    conversations: &Conversations,
) -> Result<(), AttachError> {
    for (tenant, contact, at) in &people.closed {
        let mut own: Vec<ConversationId> = conversations
            .values()
            .filter(|conversation| conversation.contact == *contact)
            .map(|conversation| conversation.id)
            .collect();
        own.sort_unstable();
        for conversation in own {
            claims::close_window(tx, *tenant, conversation, *at).await?;
        }
    }
    Ok(())
}

/// What Meta said of people, as events of their conversations, if they have some.
fn notices(
    attacher: &Attacher,
    changes: &[Change],
    people: &Resolved,
    conversations: &mut Conversations,
    now: Timestamp,
) -> Vec<NewEvent> {
    let notice = |(change, contact): (&Change, &ContactId)| {
        let number = &change.entry.number;
        let base = event_at(attacher, &change.place, now);
        let conversation = conversations.get_mut(&(number.id, *contact));
        let (conversation, prev) = match conversation {
            Some(row) => {
                let prev = std::mem::replace(&mut row.last_entry, base.id.raw());
                (Some(row.id), prev)
            }
            None => (None, 0),
        };
        NewEvent {
            tenant: Some(number.tenant),
            number: Some(number.id),
            conversation,
            contact: Some(*contact),
            kind: EventKind::Notice,
            wamid: change.wamid.clone(),
            content: json(&change.message),
            prev,
            ..base
        }
    };
    changes.iter().zip(&people.changed).map(notice).collect()
}

/// Where the conversation came from this time.
async fn remember_referral(
    tx: &mut Tx,
    message: &Message,
    conversation: &Conversation,
) -> Result<(), AttachError> {
    if let Some(referral) = &message.message.referral {
        let referral = serde_json::to_string(referral).expect("a referral is JSON");
        let tenant = conversation.tenant;
        entry_points::set_referral(tx, tenant, conversation.id, &referral, message.at).await?;
    }
    Ok(())
}

/// People change the names they show.
async fn learn_names(
    tx: &mut Tx,
    message: &Message,
    conversation: &mut Conversation,
) -> Result<(), AttachError> {
    fn changed<'a>(shown: Option<&'a String>, known: &String) -> Option<&'a String> {
        shown.filter(|shown| *shown != known)
    }
    let name = changed(message.profile_name.as_ref(), &conversation.display_name);
    let username = changed(message.username.as_ref(), &conversation.username);
    if name.is_none() && username.is_none() {
        return Ok(());
    }
    let mut row = ContactRow::blank(conversation.tenant, conversation.contact);
    if let Some(name) = name {
        row.display_name.clone_from(name);
        conversation.display_name.clone_from(name);
    }
    if let Some(username) = username {
        row.username.clone_from(username);
        conversation.username.clone_from(username);
    }
    Ok(contacts::update_contact(tx, row.tenant, &row).await?)
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
    let kind = match message.message.starts_turn() {
        _ if stale => EventKind::Stale,
        true => EventKind::Message,
        false => EventKind::Notice,
    };
    let turns = kind == EventKind::Message;
    let seq = if turns { conversation.next_seq } else { 0 };
    conversation.next_seq += i64::from(turns);
    if message.message.opens_window() {
        conversation.last_inbound_at = conversation.last_inbound_at.max(Some(message.at));
    }
    let base = event_at(attacher, &message.place, now);
    let told = match message.message.source {
        Source::Customer => Some(conversation.owner.code()),
        // A copy for us is one for followers too.
        Source::Standby => Some(Owner::Bot.code()),
        _ => None,
    };
    NewEvent {
        tenant: Some(message.entry.number.tenant),
        number: Some(message.entry.number.id),
        conversation: Some(conversation.id),
        contact: Some(contact),
        seq,
        kind,
        wamid: message.wamid.clone(),
        content: json(&message.message),
        word: opinion.code,
        prev: std::mem::replace(&mut conversation.last_entry, base.id.raw()),
        told,
        ..base
    }
}

fn json(message: &InboundMessage) -> String {
    serde_json::to_string(message).expect("a message is JSON")
}

/// An event of no number and nobody, yet.
pub(super) fn event_at(attacher: &Attacher, place: &Place, now: Timestamp) -> NewEvent {
    NewEvent {
        id: EventId::from_raw(attacher.ids.next(now)),
        tenant: None,
        number: None,
        bucket: place.bucket,
        conversation: None,
        contact: None,
        seq: 0,
        raw: place.raw,
        ordinal: place.ordinal,
        kind: EventKind::Kept,
        at: place.at,
        wamid: String::new(),
        content: String::new(),
        word: events::word::NONE,
        prev: 0,
        told: None,
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
        subject: Subject::Message(message.message.clone()),
        word: event.word,
        element: Some(message.element.clone()),
        met: None,
    }
}

fn kept_event(attacher: &Attacher, kept: &Kept, now: Timestamp) -> NewEvent {
    NewEvent {
        tenant: kept.entry.as_ref().map(|entry| entry.number.tenant),
        number: kept.entry.as_ref().map(|entry| entry.number.id),
        content: kept.what.clone(),
        ..event_at(attacher, &kept.place, now)
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
    let id = ConversationId::from_raw(attacher.ids.next(now));
    Conversation {
        display_name: message.profile_name.clone().unwrap_or_default(),
        username: message.username.clone().unwrap_or_default(),
        phone: digits(message.from.phone.as_ref()),
        bsuid: opaque(message.from.bsuid.as_ref().or(message.from.parent.as_ref())),
        ..Conversation::begun(id, number.tenant, number.id, contact)
    }
}

fn digits(phone: Option<&Phone>) -> String {
    phone.map_or("", |phone| phone.digits()).to_owned()
}

fn opaque(id: Option<&Bsuid>) -> String {
    id.map_or("", |id| id.as_str()).to_owned()
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
            lane: Lane {
                bucket: stray.bucket,
                whose: Whose::Any,
            },
            part_of: Some(raw::whole_of_all_tenants(tx, stray.raw).await?),
            received_at: stray.received_at,
            body: bytes::Bytes::new(),
        };
        attacher.kept.forget();
        raw::append_all_tenants(tx, &[row], None).await?;
        attacher.wakeups.raw_elsewhere();
    }
    Ok(())
}
