//! Conversations: one contact with one number. Who owns them, how far their turns are, and their window.

mod blocks;
mod desk;
mod owners;

use std::collections::BTreeSet;

use sqlx::FromRow;

use super::rows::{moment, one};
use super::{Result, StorageError, Tx, batch, execute, execute_rows, fetch_list, fetch_rows};
use crate::domain::attribute::Fields;
use crate::domain::number::Number;
use crate::domain::{
    Bsuid, Bucket, ContactId, ConversationId, NumberId, Owner, Phone, Recipient, StreamEvent,
    StreamKind, TenantId, Timestamp,
};

pub use blocks::{block, blocked, unblock};
pub use desk::{Filter, OwnedBy, due_all_tenants, page, store_desk};
pub use owners::{
    LoggedChange, OwnerLogRow, change_owner, log_owners_all_tenants, logged, owner_log,
};

/// A conversation's row.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    pub id: ConversationId,
    pub tenant: TenantId,
    pub number: NumberId,
    pub contact: ContactId,
    pub bucket: Bucket,
    pub owner: Owner,
    /// Moves with every change of owner.
    pub owner_version: i64,
    /// Moves with every turn and every change of owner: what a turn's commit must still find.
    pub version: i64,
    /// The number that the next event gets.
    pub next_seq: i64,
    /// The last event that had its turn.
    pub done_seq: i64,
    /// Meta's time of the last message that opened the window.
    pub last_inbound_at: Option<Timestamp>,
    pub closed_by_meta_at: Option<Timestamp>,
    /// Since when the business has the person on the number's block list.
    pub blocked_at: Option<Timestamp>,
    /// Loop brake: the hour that is counted, and the bot's replies in it.
    pub bot_hour_at: Timestamp,
    pub bot_hour_count: i64,
    pub language: Option<String>,
    pub attributes: Fields,
    pub tags: BTreeSet<String>,
    /// Somebody said that it is done; the next message opens it again.
    pub closed_at: Option<Timestamp>,
    /// The newest entry of its history: an inbound event or a send.
    pub last_entry: i64,
    /// When a person or client first wrote since the bot had it last.
    pub human_replied_at: Option<Timestamp>,
    /// Nobody needs to look at it until then, or until the customer writes.
    pub snoozed_until: Option<Timestamp>,
    /// When it goes back to the bot by itself.
    pub hand_back_at: Option<Timestamp>,
    /// The contact's name as last shown; joined, not of this row.
    pub display_name: String,
    /// The contact's username as last shown; joined.
    pub username: String,
    /// Of the contact, as the tenant keeps them: a JSON object; joined, empty when it was not read.
    pub contact_attributes: String,
    /// How to reach the contact; joined, empty when unknown. The BSUID may be one that linked portfolios share.
    pub phone: String,
    pub bsuid: String,
}

impl Conversation {
    /// One in which nothing has happened, the bot's.
    pub fn begun(
        id: ConversationId,
        tenant: TenantId,
        number: NumberId,
        contact: ContactId,
    ) -> Self {
        Self {
            id,
            tenant,
            number,
            contact,
            bucket: Bucket::of(number),
            owner: Owner::Bot,
            owner_version: 0,
            version: 0,
            next_seq: 1,
            done_seq: 0,
            last_inbound_at: None,
            closed_by_meta_at: None,
            blocked_at: None,
            bot_hour_at: Timestamp::ZERO,
            bot_hour_count: 0,
            language: None,
            attributes: Fields::new(),
            tags: BTreeSet::new(),
            closed_at: None,
            last_entry: 0,
            human_replied_at: None,
            snoozed_until: None,
            hand_back_at: None,
            display_name: String::new(),
            username: String::new(),
            contact_attributes: String::new(),
            phone: String::new(),
            bsuid: String::new(),
        }
    }

    /// How the contact is addressed: by phone when it is known, else by BSUID (`whatsapp-cloud-api.md` §4.1).
    pub fn recipient(&self) -> Option<Recipient> {
        Phone::parse(&self.phone)
            .map(Recipient::Phone)
            .or_else(|| Bsuid::parse(&self.bsuid).map(Recipient::Bsuid))
    }

    /// Gives it to somebody else, and answers who had it. `hand_back_at`: when it goes back to the bot by itself, if it
    /// is not the bot's now.
    pub fn give_to(&mut self, to: Owner, hand_back_at: Option<Timestamp>) -> Owner {
        self.owner_version += 1;
        self.hand_back_at = hand_back_at.filter(|_| !to.is_bot());
        if to.is_bot() {
            self.human_replied_at = None;
            self.snoozed_until = None;
        }
        std::mem::replace(&mut self.owner, to)
    }
}

#[derive(FromRow)]
struct Row {
    id: i64,
    tenant: i64,
    number: i64,
    contact: i64,
    bucket: i64,
    owner: i64,
    owner_name: String,
    owner_version: i64,
    version: i64,
    next_seq: i64,
    done_seq: i64,
    last_inbound_at: i64,
    closed_by_meta_at: i64,
    blocked_at: i64,
    bot_hour_at: i64,
    bot_hour_count: i64,
    language: String,
    attributes: String,
    tags: String,
    closed_at: i64,
    last_entry: i64,
    human_replied_at: i64,
    snoozed_until: i64,
    hand_back_at: i64,
    display_name: String,
    username: String,
    contact_attributes: String,
    phone: String,
    bsuid: String,
}

const SELECT: &str = "SELECT c.id, c.tenant, c.number, c.contact, c.bucket, c.owner, c.owner_name, c.owner_version,
    c.version, c.next_seq, c.done_seq, c.last_inbound_at, c.closed_by_meta_at, c.blocked_at, c.bot_hour_at, c.bot_hour_count,
    c.language, c.attributes, c.tags, c.closed_at, c.last_entry, c.human_replied_at, c.snoozed_until, c.hand_back_at,
    p.display_name, p.username, p.attributes AS contact_attributes, p.phone, CASE WHEN p.bsuid = '' THEN p.parent_bsuid ELSE p.bsuid END AS bsuid
    FROM conversation c JOIN contact p ON p.id = c.contact";

/// Conversations by id.
pub async fn load_all_tenants(tx: &mut Tx, ids: &[ConversationId]) -> Result<Vec<Conversation>> {
    select(tx, ids, "").await
}

/// The same, locked on PostgreSQL until the transaction ends, in the order of their ids.
pub async fn lock_all_tenants(tx: &mut Tx, ids: &[ConversationId]) -> Result<Vec<Conversation>> {
    let tail = tx.pick("", "ORDER BY c.id FOR UPDATE OF c");
    select(tx, ids, tail).await
}

async fn select(tx: &mut Tx, ids: &[ConversationId], tail: &str) -> Result<Vec<Conversation>> {
    let head = format!("{SELECT} WHERE c.id IN");
    let ids = batch::sorted(ids.iter().map(|id| id.raw()));
    let mut found = Vec::with_capacity(ids.len());
    for run in batch::groups(tx, &ids) {
        let sql = batch::any_of(&head, 1, tail);
        let rows: Vec<Row> = fetch_list!(tx, sql, [0_i64; 0], run)?;
        for row in rows {
            found.push(conversation(row)?);
        }
    }
    Ok(found)
}

/// The newest entry of a conversation's history. `None`: the tenant has no such conversation, or nothing was said in it.
pub async fn newest_entry(tx: &mut Tx, tenant: TenantId, conversation: i64) -> Result<Option<i64>> {
    const SQL: &str = "SELECT last_entry FROM conversation WHERE tenant = $1 AND id = $2";
    let row: Option<(i64,)> = one(tx, tenant, SQL, conversation).await?;
    Ok(row.map(|row| row.0).filter(|entry| *entry != 0))
}

/// Which conversations contacts have with numbers, for those that exist. To be locked afterwards, all of them at once:
/// pairs are in no order of ids, and turns lock by id.
pub async fn find_all_tenants(
    tx: &mut Tx,
    pairs: &[(NumberId, ContactId)],
) -> Result<Vec<ConversationId>> {
    let mut found = Vec::with_capacity(pairs.len());
    for run in batch::groups(tx, pairs) {
        let sql = batch::rows(
            "SELECT c.id FROM conversation c JOIN (VALUES",
            2,
            ") AS v ON c.number = v.column1 AND c.contact = v.column2",
        );
        let rows: Vec<(i64,)> = fetch_rows!(tx, sql, run, |query, (number, contact)| {
            query.bind(number.raw()).bind(contact.raw())
        })?;
        found.extend(rows.into_iter().map(|row| ConversationId::from_raw(row.0)));
    }
    Ok(found)
}

fn conversation(row: Row) -> Result<Conversation> {
    let corrupt = |what: &str| StorageError::Corrupt(format!("{what} of conversation {}", row.id));
    Ok(Conversation {
        id: ConversationId::from_raw(row.id),
        tenant: TenantId::from_raw(row.tenant),
        number: NumberId::from_raw(row.number),
        contact: ContactId::from_raw(row.contact),
        bucket: Bucket::from_raw(row.bucket).ok_or_else(|| corrupt("bucket"))?,
        owner: Owner::from_parts(row.owner, &row.owner_name).ok_or_else(|| corrupt("owner"))?,
        owner_version: row.owner_version,
        version: row.version,
        next_seq: row.next_seq,
        done_seq: row.done_seq,
        last_inbound_at: moment(row.last_inbound_at),
        closed_by_meta_at: moment(row.closed_by_meta_at),
        blocked_at: moment(row.blocked_at),
        bot_hour_at: Timestamp::from_millis(row.bot_hour_at),
        bot_hour_count: row.bot_hour_count,
        language: (!row.language.is_empty()).then_some(row.language.clone()),
        attributes: serde_json::from_str(&row.attributes).map_err(|_| corrupt("attributes"))?,
        tags: serde_json::from_str(&row.tags).map_err(|_| corrupt("tags"))?,
        closed_at: moment(row.closed_at),
        last_entry: row.last_entry,
        human_replied_at: moment(row.human_replied_at),
        snoozed_until: moment(row.snoozed_until),
        hand_back_at: moment(row.hand_back_at),
        display_name: row.display_name,
        username: row.username,
        contact_attributes: row.contact_attributes,
        phone: row.phone,
        bsuid: row.bsuid,
    })
}

/// Adds conversations.
pub async fn add_all_tenants(tx: &mut Tx, rows: &[Conversation], now: Timestamp) -> Result<()> {
    for run in batch::groups(tx, rows) {
        let sql = batch::rows(
            "INSERT INTO conversation (id, tenant, number, contact, bucket, owner, owner_name, owner_version, version,
                next_seq, done_seq, last_inbound_at, closed_by_meta_at, pair_debt_at, bot_hour_at, bot_hour_count,
                language, attributes, tags, closed_at, created_at) VALUES",
            21,
            "",
        );
        execute_rows!(tx, sql, run, |query, row| {
            query
                .bind(row.id.raw())
                .bind(row.tenant.raw())
                .bind(row.number.raw())
                .bind(row.contact.raw())
                .bind(row.bucket.raw())
                .bind(row.owner.code())
                .bind(row.owner.name())
                .bind(row.owner_version)
                .bind(row.version)
                .bind(row.next_seq)
                .bind(row.done_seq)
                .bind(row.last_inbound_at.map_or(0, Timestamp::millis))
                .bind(0_i64)
                .bind(0_i64)
                .bind(0_i64)
                .bind(0_i64)
                .bind("")
                .bind("{}")
                .bind("[]")
                .bind(0_i64)
                .bind(now.millis())
        })?;
    }
    for row in rows {
        let kind = StreamKind::ConversationOpened;
        tx.tell(StreamEvent::new(row.tenant, row.id, kind, now));
    }
    Ok(())
}

/// Begins a conversation that its customer did not begin; one that is there already stays as it is.
pub async fn begin(
    tx: &mut Tx,
    tenant: TenantId,
    number: &Number,
    contact: ContactId,
    id: ConversationId,
    now: Timestamp,
) -> Result<()> {
    const SQL: &str = "INSERT INTO conversation (id, tenant, number, contact, bucket, owner, owner_name, owner_version,
            version, next_seq, done_seq, last_inbound_at, closed_by_meta_at, pair_debt_at, bot_hour_at, bot_hour_count,
            language, attributes, tags, closed_at, created_at)
        VALUES ($1, $2, $3, $4, $5, 0, '', 0, 0, 1, 0, 0, 0, 0, 0, 0, '', '{}', '[]', 0, $6)
        ON CONFLICT (number, contact) DO NOTHING";
    let begun = execute!(
        tx,
        sqlx::query(SQL)
            .bind(id.raw())
            .bind(tenant.raw())
            .bind(number.id.raw())
            .bind(contact.raw())
            .bind(number.bucket().raw())
            .bind(now.millis())
    )?;
    if begun == 1 {
        let kind = StreamKind::ConversationOpened;
        tx.tell(StreamEvent::new(tenant, id, kind, now));
    }
    Ok(())
}

/// What attaching messages changes: the next sequence number, the end of the history, and the window, which only moves
/// forward.
///
/// The version stays: a turn that is running may still commit.
pub async fn advance_all_tenants(tx: &mut Tx, rows: &[&Conversation]) -> Result<()> {
    for run in batch::groups(tx, rows) {
        let sql = batch::rows(
            "UPDATE conversation SET next_seq = v.column2,
                last_inbound_at = CASE WHEN last_inbound_at < v.column3 THEN v.column3 ELSE last_inbound_at END,
                last_entry = v.column4
             FROM (VALUES",
            4,
            ") AS v WHERE conversation.id = v.column1",
        );
        execute_rows!(tx, sql, run, |query, row| {
            query
                .bind(row.id.raw())
                .bind(row.next_seq)
                .bind(row.last_inbound_at.map_or(0, Timestamp::millis))
                .bind(row.last_entry)
        })?;
    }
    Ok(())
}

/// What a turn's commit must know of its conversation as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct Locked {
    pub id: i64,
    pub version: i64,
    /// The newest entry of its history: attaching moves it, and not the version.
    pub last_entry: i64,
}

/// The versions of conversations as they stand, locked until the transaction ends, in the order of their ids.
pub async fn lock_versions_all_tenants(tx: &mut Tx, ids: &[ConversationId]) -> Result<Vec<Locked>> {
    let tail = tx.pick("", "ORDER BY id FOR UPDATE");
    let head = "SELECT id, version, last_entry FROM conversation WHERE id IN";
    let ids = batch::sorted(ids.iter().map(|id| id.raw()));
    let mut found = Vec::with_capacity(ids.len());
    for run in batch::groups(tx, &ids) {
        let sql = batch::any_of(head, 1, tail);
        let rows: Vec<Locked> = fetch_list!(tx, sql, [0_i64; 0], run)?;
        found.extend(rows);
    }
    Ok(found)
}

/// Writes what turns did to their conversations, with the pair debts of those whose sends go at once. Versions must be
/// locked and checked before.
pub async fn store_turns_all_tenants(
    tx: &mut Tx,
    rows: &[(&Conversation, Option<Timestamp>)],
) -> Result<()> {
    for run in batch::groups(tx, rows) {
        let sql = batch::rows(
            "UPDATE conversation SET version = v.column2, done_seq = v.column3, owner = v.column4,
                owner_name = v.column5, owner_version = v.column6, bot_hour_at = v.column7,
                bot_hour_count = v.column8, language = v.column9, attributes = v.column10, tags = v.column11,
                closed_at = v.column12, last_entry = v.column13,
                pair_debt_at = CASE WHEN v.column14 = 0 THEN pair_debt_at ELSE v.column14 END
             FROM (VALUES",
            14,
            ") AS v WHERE conversation.id = v.column1",
        );
        execute_rows!(tx, sql, run, |query, (row, debt)| {
            query
                .bind(row.id.raw())
                .bind(row.version)
                .bind(row.done_seq)
                .bind(row.owner.code())
                .bind(row.owner.name())
                .bind(row.owner_version)
                .bind(row.bot_hour_at.millis())
                .bind(row.bot_hour_count)
                .bind(row.language.as_deref().unwrap_or(""))
                .bind(serde_json::to_string(&row.attributes).expect("a map of texts is JSON"))
                .bind(serde_json::to_string(&row.tags).expect("a set of texts is JSON"))
                .bind(row.closed_at.map_or(0, Timestamp::millis))
                .bind(row.last_entry)
                .bind(debt.map_or(0, Timestamp::millis))
        })?;
    }
    Ok(())
}

/// Writes what waits for people: few turns change it, so the statement of all turns does not carry it.
pub async fn store_attention_all_tenants(tx: &mut Tx, rows: &[&Conversation]) -> Result<()> {
    for run in batch::groups(tx, rows) {
        let sql = batch::rows(
            "UPDATE conversation SET human_replied_at = v.column2, snoozed_until = v.column3, hand_back_at = v.column4
             FROM (VALUES",
            4,
            ") AS v WHERE conversation.id = v.column1",
        );
        execute_rows!(tx, sql, run, |query, row| {
            query
                .bind(row.id.raw())
                .bind(row.human_replied_at.map_or(0, Timestamp::millis))
                .bind(row.snoozed_until.map_or(0, Timestamp::millis))
                .bind(row.hand_back_at.map_or(0, Timestamp::millis))
        })?;
    }
    Ok(())
}
