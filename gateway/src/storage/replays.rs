//! The journal as a replay reads it: turns with the events that they were about, and installations whether or not they
//! still run.

use sqlx::FromRow;

use super::events::{EventKind, Subject};
use super::journals::{self, Window};
use super::{Result, StorageError, Tx, on_backend, rows};
use crate::domain::{
    ContactId, ConversationId, EventId, InstallationId, RawId, TenantId, Timestamp, TurnId,
};

/// A turn as it is kept.
#[derive(Debug, Clone)]
pub struct KeptTurn {
    pub id: TurnId,
    pub conversation: ConversationId,
    pub at: Timestamp,
    pub outcome: String,
    /// JSON.
    pub journal: String,
    /// None when retention has taken it.
    pub event: Option<KeptEvent>,
}

/// What a turn was about.
#[derive(Debug, Clone)]
pub struct KeptEvent {
    pub id: EventId,
    pub contact: ContactId,
    pub at: Timestamp,
    /// Personal data: it contains the phone number.
    pub wamid: String,
    pub raw: RawId,
    pub ordinal: i64,
    pub subject: Subject,
}

/// What an installation runs, or ran.
#[derive(Debug, Clone, FromRow)]
pub struct Installed {
    pub plugin: String,
    pub plugin_version: String,
    /// SHA-256 of the component, hex.
    pub digest: String,
    /// JSON object.
    pub config: String,
    /// JSON array of names.
    pub grants: String,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    conversation: i64,
    at: i64,
    outcome: String,
    journal: String,
    event: Option<i64>,
    contact: Option<i64>,
    sent_at: Option<i64>,
    wamid: Option<String>,
    raw: Option<i64>,
    ordinal: Option<i64>,
    kind: Option<i64>,
    content: Option<String>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT t.id, t.conversation, t.at, t.outcome, t.journal, e.id AS event, e.contact, e.at AS sent_at, e.wamid,
                e.raw, e.ordinal, e.kind, e.content
             FROM turn t LEFT JOIN inbound_event e ON e.id = t.event ",
            $rest
        )
    };
}

/// A tenant's turns out of the window after `after`, those from before a moment, oldest first.
pub async fn turns(
    tx: &mut Tx,
    tenant: TenantId,
    after: TurnId,
    before: Timestamp,
    most: i64,
) -> Result<Window<KeptTurn>> {
    const SQL: &str =
        select!("WHERE t.tenant = $1 AND t.id > $2 AND t.id <= $3 ORDER BY t.id LIMIT $4");
    let stretch = journals::stretch(tx, tenant, after, Some(before)).await?;
    let rows: Vec<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(stretch.after)
            .bind(stretch.last)
            .bind(most)
            .fetch_all(conn)
            .await
    })?;
    let rows = rows.into_iter().map(kept).collect::<Result<Vec<_>>>()?;
    Ok(stretch.window(rows, most, |row: &KeptTurn| row.id))
}

/// One turn of a tenant.
pub async fn turn(tx: &mut Tx, tenant: TenantId, turn: TurnId) -> Result<Option<KeptTurn>> {
    const SQL: &str = select!("WHERE t.tenant = $1 AND t.id = $2");
    let row: Option<Row> = rows::one(tx, tenant, SQL, turn.raw()).await?;
    row.map(kept).transpose()
}

/// A version of a tenant's installation, in service or not; without a number the active one, or the last.
pub async fn installed(
    tx: &mut Tx,
    tenant: TenantId,
    installation: InstallationId,
    version: Option<i64>,
) -> Result<Option<Installed>> {
    const SQL: &str = "SELECT i.plugin, v.plugin_version, v.digest, v.config, v.grants
        FROM installation i JOIN installation_version v ON v.installation = i.id
        WHERE i.tenant = $1 AND i.id = $2 AND (v.seq = $3 OR $3 = 0)
        ORDER BY (CASE WHEN v.stage = 'active' THEN 0 ELSE 1 END), v.seq DESC LIMIT 1";
    Ok(on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(installation.raw())
            .bind(version.unwrap_or(0))
            .fetch_optional(conn)
            .await
    })?)
}

/// The bytes of an upload of the tenant, or of one for every tenant.
pub async fn wasm(tx: &mut Tx, tenant: TenantId, digest: &str) -> Result<Option<Vec<u8>>> {
    const SQL: &str = "SELECT wasm FROM component_wasm WHERE tenant IN ($1, 0) AND digest = $2
        ORDER BY tenant DESC LIMIT 1";
    Ok(on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(tenant.raw())
            .bind(digest)
            .fetch_optional(conn)
            .await
    })?)
}

fn kept(row: Row) -> Result<KeptTurn> {
    let event = match (row.event, row.content) {
        (Some(event), Some(content)) => Some(KeptEvent {
            id: EventId::from_raw(event),
            contact: ContactId::from_raw(row.contact.unwrap_or(0)),
            at: Timestamp::from_millis(row.sent_at.unwrap_or(0)),
            wamid: row.wamid.unwrap_or_default(),
            raw: RawId::from_raw(row.raw.unwrap_or(0)),
            ordinal: row.ordinal.unwrap_or(0),
            subject: subject(row.kind, &content)
                .map_err(|_| StorageError::Corrupt(format!("content of event {event}")))?,
        }),
        _ => None,
    };
    Ok(KeptTurn {
        id: TurnId::from_raw(row.id),
        conversation: ConversationId::from_raw(row.conversation),
        at: Timestamp::from_millis(row.at),
        outcome: row.outcome,
        journal: row.journal,
        event,
    })
}

fn subject(kind: Option<i64>, content: &str) -> serde_json::Result<Subject> {
    Ok(match kind == Some(EventKind::Occasion as i64) {
        true => Subject::Occasion(serde_json::from_str(content)?),
        false => Subject::Message(serde_json::from_str(content)?),
    })
}
