//! Conversations: one contact with one number. Who owns them, how far their turns are, and their window.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;

use super::{Result, StorageError, Tx, batch, execute_rows, fetch_list};
use crate::domain::{
    Bsuid, Bucket, ContactId, ConversationId, NumberId, Owner, OwnerChange, Phone, Recipient,
    StreamEvent, StreamKind, TenantId, Timestamp,
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
    /// Loop brake: the hour that is counted, and the bot's replies in it.
    pub bot_hour_at: Timestamp,
    pub bot_hour_count: i64,
    pub language: Option<String>,
    pub attributes: BTreeMap<String, String>,
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
    /// How to reach the contact; joined, empty when unknown.
    pub phone: String,
    pub bsuid: String,
}

impl Conversation {
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
    phone: String,
    bsuid: String,
}

const SELECT: &str = "SELECT c.id, c.tenant, c.number, c.contact, c.bucket, c.owner, c.owner_name, c.owner_version,
    c.version, c.next_seq, c.done_seq, c.last_inbound_at, c.closed_by_meta_at, c.bot_hour_at, c.bot_hour_count,
    c.language, c.attributes, c.tags, c.closed_at, c.last_entry, c.human_replied_at, c.snoozed_until, c.hand_back_at,
    p.display_name, p.phone, p.bsuid
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
    for run in batch::runs(&ids) {
        let sql = batch::list(&head, run.len(), 1, tail);
        let rows: Vec<Row> = fetch_list!(tx, sql, [0_i64; 0], run)?;
        for row in rows {
            found.push(conversation(row)?);
        }
    }
    Ok(found)
}

/// Which conversations contacts have with numbers, for those that exist. To be locked afterwards, all of them at once:
/// pairs are in no order of ids, and turns lock by id.
pub async fn find_all_tenants(
    tx: &mut Tx,
    pairs: &[(NumberId, ContactId)],
) -> Result<Vec<ConversationId>> {
    let mut found = Vec::with_capacity(pairs.len());
    for run in batch::runs(pairs) {
        let sql = batch::values(
            "SELECT c.id FROM conversation c JOIN (VALUES",
            run.len(),
            2,
            1,
            ") AS v ON c.number = v.column1 AND c.contact = v.column2",
        );
        let values = run
            .iter()
            .flat_map(|(number, contact)| [number.raw(), contact.raw()]);
        let rows: Vec<(i64,)> = fetch_list!(tx, sql, [0_i64; 0], values)?;
        found.extend(rows.into_iter().map(|row| ConversationId::from_raw(row.0)));
    }
    Ok(found)
}

fn conversation(row: Row) -> Result<Conversation> {
    let corrupt = |what: &str| StorageError::Corrupt(format!("{what} of conversation {}", row.id));
    let some = |millis: i64| (millis != 0).then(|| Timestamp::from_millis(millis));
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
        last_inbound_at: some(row.last_inbound_at),
        closed_by_meta_at: some(row.closed_by_meta_at),
        bot_hour_at: Timestamp::from_millis(row.bot_hour_at),
        bot_hour_count: row.bot_hour_count,
        language: (!row.language.is_empty()).then_some(row.language.clone()),
        attributes: serde_json::from_str(&row.attributes).map_err(|_| corrupt("attributes"))?,
        tags: serde_json::from_str(&row.tags).map_err(|_| corrupt("tags"))?,
        closed_at: some(row.closed_at),
        last_entry: row.last_entry,
        human_replied_at: some(row.human_replied_at),
        snoozed_until: some(row.snoozed_until),
        hand_back_at: some(row.hand_back_at),
        display_name: row.display_name,
        phone: row.phone,
        bsuid: row.bsuid,
    })
}

/// Adds conversations.
pub async fn add_all_tenants(tx: &mut Tx, rows: &[Conversation], now: Timestamp) -> Result<()> {
    for run in batch::runs(rows) {
        let sql = batch::values(
            "INSERT INTO conversation (id, tenant, number, contact, bucket, owner, owner_name, owner_version, version,
                next_seq, done_seq, last_inbound_at, closed_by_meta_at, pair_debt_at, bot_hour_at, bot_hour_count,
                language, attributes, tags, closed_at, created_at) VALUES",
            run.len(),
            21,
            1,
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

/// What attaching messages changes: the next sequence number, the end of the history, and the window, which only moves
/// forward.
///
/// The version stays: a turn that is running may still commit.
pub async fn advance_all_tenants(tx: &mut Tx, rows: &[&Conversation]) -> Result<()> {
    for run in batch::runs(rows) {
        let sql = batch::values(
            "UPDATE conversation SET next_seq = v.column2,
                last_inbound_at = CASE WHEN last_inbound_at < v.column3 THEN v.column3 ELSE last_inbound_at END,
                last_entry = v.column4
             FROM (VALUES",
            run.len(),
            4,
            1,
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
pub async fn lock_versions_all_tenants(
    tx: &mut Tx,
    ids: &[ConversationId],
) -> Result<Vec<Locked>> {
    let tail = tx.pick("", "ORDER BY id FOR UPDATE");
    let head = "SELECT id, version, last_entry FROM conversation WHERE id IN";
    let ids = batch::sorted(ids.iter().map(|id| id.raw()));
    let mut found = Vec::with_capacity(ids.len());
    for run in batch::runs(&ids) {
        let sql = batch::list(head, run.len(), 1, tail);
        let rows: Vec<Locked> = fetch_list!(tx, sql, [0_i64; 0], run)?;
        found.extend(rows);
    }
    Ok(found)
}

/// Writes what turns did to their conversations. Versions must be locked and checked before.
pub async fn store_turns_all_tenants(tx: &mut Tx, rows: &[&Conversation]) -> Result<()> {
    for run in batch::runs(rows) {
        let sql = batch::values(
            "UPDATE conversation SET version = v.column2, done_seq = v.column3, owner = v.column4,
                owner_name = v.column5, owner_version = v.column6, bot_hour_at = v.column7,
                bot_hour_count = v.column8, language = v.column9, attributes = v.column10, tags = v.column11,
                closed_at = v.column12, last_entry = v.column13
             FROM (VALUES",
            run.len(),
            13,
            1,
            ") AS v WHERE conversation.id = v.column1",
        );
        execute_rows!(tx, sql, run, |query, row| {
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
        })?;
    }
    Ok(())
}

/// Writes what waits for people: few turns change it, so the statement of all turns does not carry it.
pub async fn store_attention_all_tenants(tx: &mut Tx, rows: &[&Conversation]) -> Result<()> {
    for run in batch::runs(rows) {
        let sql = batch::values(
            "UPDATE conversation SET human_replied_at = v.column2, snoozed_until = v.column3, hand_back_at = v.column4
             FROM (VALUES",
            run.len(),
            4,
            1,
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

/// A line for the ownership log.
#[derive(Debug, Clone)]
pub struct OwnerLogRow {
    pub id: i64,
    pub tenant: TenantId,
    pub conversation: ConversationId,
    pub owner_version: i64,
    pub change: OwnerChange,
    pub at: Timestamp,
}

/// Appends to the ownership log.
pub async fn log_owners_all_tenants(tx: &mut Tx, rows: &[OwnerLogRow]) -> Result<()> {
    for run in batch::runs(rows) {
        let sql = batch::values(
            "INSERT INTO owner_log (id, tenant, conversation, owner_version, change, at) VALUES",
            run.len(),
            6,
            1,
            "",
        );
        execute_rows!(tx, sql, run, |query, row| {
            query
                .bind(row.id)
                .bind(row.tenant.raw())
                .bind(row.conversation.raw())
                .bind(row.owner_version)
                .bind(serde_json::to_string(&row.change).expect("an owner change is JSON"))
                .bind(row.at.millis())
        })?;
    }
    for row in rows {
        let kind = StreamKind::of_owner(&row.change.to);
        let event = StreamEvent::new(row.tenant, row.conversation, kind, row.at);
        tx.tell(event.about(row.id).noting(&row.change.reason));
    }
    Ok(())
}

/// The ownership log of one conversation, oldest first.
pub async fn owner_log(
    tx: &mut Tx,
    tenant: TenantId,
    conversation: ConversationId,
) -> Result<Vec<(Timestamp, OwnerChange)>> {
    let rows: Vec<(i64, String)> = super::on_backend!(tx, |conn| {
        sqlx::query_as(
            "SELECT at, change FROM owner_log WHERE tenant = $1 AND conversation = $2 ORDER BY id",
        )
        .bind(tenant.raw())
        .bind(conversation.raw())
        .fetch_all(conn)
        .await
    })?;
    rows.into_iter()
        .map(|(at, change)| {
            let change = serde_json::from_str(&change)
                .map_err(|_| StorageError::Corrupt(format!("owner log of {conversation}")))?;
            Ok((Timestamp::from_millis(at), change))
        })
        .collect()
}

/// A line of the log, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedChange {
    pub id: i64,
    pub owner_version: i64,
    pub change: OwnerChange,
    pub at: Timestamp,
}

/// Lines of a tenant's ownership logs by their ids.
pub async fn logged(tx: &mut Tx, tenant: TenantId, ids: &[i64]) -> Result<Vec<LoggedChange>> {
    let ids = batch::sorted(ids.iter().copied());
    let mut found = Vec::with_capacity(ids.len());
    for run in batch::runs(&ids) {
        let head = "SELECT id, owner_version, change, at FROM owner_log WHERE tenant = $1 AND id IN";
        let sql = batch::list(head, run.len(), 2, "");
        let rows: Vec<(i64, i64, String, i64)> = fetch_list!(tx, sql, [tenant.raw()], run)?;
        for (id, owner_version, change, at) in rows {
            found.push(LoggedChange {
                id,
                owner_version,
                change: serde_json::from_str(&change)
                    .map_err(|_| StorageError::Corrupt(format!("line {id} of an owner log")))?,
                at: Timestamp::from_millis(at),
            });
        }
    }
    Ok(found)
}

/// Writes what people did to a conversation beside its owner. The row must be locked; its version moves, so a turn that
/// began before commits nothing.
pub async fn store_desk(tx: &mut Tx, tenant: TenantId, row: &Conversation) -> Result<()> {
    let attributes = serde_json::to_string(&row.attributes).expect("a map of texts is JSON");
    super::execute!(
        tx,
        sqlx::query(
            "UPDATE conversation SET version = version + 1, closed_at = $3, attributes = $4, human_replied_at = $5,
                snoozed_until = $6, hand_back_at = $7, last_entry = $8 WHERE id = $1 AND tenant = $2",
        )
        .bind(row.id.raw())
        .bind(tenant.raw())
        .bind(row.closed_at.map_or(0, Timestamp::millis))
        .bind(&attributes)
        .bind(row.human_replied_at.map_or(0, Timestamp::millis))
        .bind(row.snoozed_until.map_or(0, Timestamp::millis))
        .bind(row.hand_back_at.map_or(0, Timestamp::millis))
        .bind(row.last_entry)
    )?;
    Ok(())
}

/// Whose conversations are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OwnedBy {
    #[default]
    Anybody,
    /// A queue, an agent or an outside client.
    People,
    /// This kind of owner, as the database counts.
    Code(i64),
}

/// Which conversations are asked for; what is empty does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub owner: OwnedBy,
    pub owner_name: String,
    pub number: Option<NumberId>,
    pub contact: Option<ContactId>,
    /// `open`, `closed`, `snoozed`.
    pub state: String,
}

/// A tenant's conversations before this one, the youngest first.
pub async fn page(
    tx: &mut Tx,
    tenant: TenantId,
    filter: &Filter,
    before: i64,
    limit: i64,
) -> Result<Vec<Conversation>> {
    // The predicate of the index of those that people have, word for word.
    let people = match filter.owner {
        OwnedBy::Anybody | OwnedBy::Code(0) => "",
        _ => "AND owner <> 0",
    };
    let state = match filter.state.as_str() {
        "open" => "AND closed_at = 0",
        "closed" => "AND closed_at > 0",
        "snoozed" => "AND snoozed_until > 0",
        _ => "",
    };
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT id FROM conversation WHERE tenant = $1 AND id < $2 {people} {state}
            AND ($3 < 0 OR owner = $3) AND ($4 = '' OR owner_name = $4)
            AND ($5 = 0 OR number = $5) AND ($6 = 0 OR contact = $6) ORDER BY id DESC LIMIT $7"
    ));
    let code = match filter.owner {
        OwnedBy::Code(code) => code,
        _ => -1,
    };
    let ids: Vec<i64> = super::on_backend!(tx, |conn| {
        sqlx::query_scalar(sql)
            .bind(tenant.raw())
            .bind(before)
            .bind(code)
            .bind(&filter.owner_name)
            .bind(filter.number.map_or(0, NumberId::raw))
            .bind(filter.contact.map_or(0, ContactId::raw))
            .bind(limit)
            .fetch_all(conn)
            .await
    })?;
    let ids: Vec<ConversationId> = ids.into_iter().map(ConversationId::from_raw).collect();
    let mut rows = load_all_tenants(tx, &ids).await?;
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.id));
    Ok(rows)
}

/// Conversations of these buckets whose snooze is over, or that go back to the bot now: a few at a time.
pub async fn due_all_tenants(
    tx: &mut Tx,
    buckets: &[Bucket],
    now: Timestamp,
) -> Result<Vec<(TenantId, ConversationId)>> {
    if buckets.is_empty() {
        return Ok(Vec::new());
    }
    let buckets = batch::padded(&buckets.iter().map(|b| b.raw()).collect::<Vec<_>>());
    let mut due = Vec::new();
    for column in ["snoozed_until", "hand_back_at"] {
        let head = format!(
            "SELECT tenant, id FROM conversation WHERE {column} > 0 AND {column} <= $1 AND bucket IN"
        );
        let tail = format!("ORDER BY {column} LIMIT 100");
        let sql = batch::list(&head, buckets.len(), 2, &tail);
        let rows: Vec<(i64, i64)> = fetch_list!(tx, sql, [now.millis()], &buckets)?;
        due.extend(rows.into_iter().map(|(tenant, id)| {
            (TenantId::from_raw(tenant), ConversationId::from_raw(id))
        }));
    }
    Ok(due)
}

/// Changes the owner in a transaction of its own kind: a person taking over, or handing back.
///
/// `None`: no such conversation, or it moved since `expected_version`. The version moves, so a bot's turn that began
/// before commits nothing.
pub async fn change_owner(
    tx: &mut Tx,
    tenant: TenantId,
    id: ConversationId,
    change: &OwnerChange,
    log_id: i64,
    now: Timestamp,
) -> Result<Option<i64>> {
    let owner_version: Option<i64> = super::on_backend!(tx, |conn| {
        sqlx::query_scalar(
            "UPDATE conversation SET owner = $3, owner_name = $4, owner_version = owner_version + 1,
                version = version + 1 WHERE id = $1 AND tenant = $2 RETURNING owner_version",
        )
        .bind(id.raw())
        .bind(tenant.raw())
        .bind(change.to.code())
        .bind(change.to.name())
        .fetch_optional(conn)
        .await
    })?;
    if let Some(owner_version) = owner_version {
        let change = change.clone();
        let row = OwnerLogRow {
            id: log_id,
            tenant,
            conversation: id,
            owner_version,
            change,
            at: now,
        };
        log_owners_all_tenants(tx, &[row]).await?;
    }
    Ok(owner_version)
}
