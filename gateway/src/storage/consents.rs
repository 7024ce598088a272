//! The consent ledger's rows, the wordings they name, and what waits for a person's own word. Records are appended; only
//! the sealer and an erasure write on one again.

use sqlx::FromRow;

use super::{Result, StorageError, Tx, batch, execute, execute_rows, on_backend, rows};
use crate::domain::{
    ConsentChannel, ConsentId, ConsentScope, ConsentStatus, ContactId, TenantId, Timestamp,
};

/// A record as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentRecord {
    pub id: ConsentId,
    pub tenant: TenantId,
    pub contact: ContactId,
    pub scope: ConsentScope,
    pub status: ConsentStatus,
    pub channel: ConsentChannel,
    pub said_at: Timestamp,
    pub recorded_at: Timestamp,
    pub recorded_by: String,
    /// Digest of the wording; empty: none was shown.
    pub wording: Vec<u8>,
    /// JSON; `""` once erased.
    pub value: String,
    pub salt: Vec<u8>,
    pub value_hash: Vec<u8>,
    pub commitment: Vec<u8>,
    pub seq: i64,
    pub mac: Vec<u8>,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    contact: i64,
    scope: String,
    status: String,
    channel: String,
    said_at: i64,
    recorded_at: i64,
    recorded_by: String,
    wording: Vec<u8>,
    value: String,
    salt: Vec<u8>,
    value_hash: Vec<u8>,
    commitment: Vec<u8>,
    seq: i64,
    mac: Vec<u8>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, contact, scope, status, channel, said_at, recorded_at, recorded_by, wording, value, salt,
                value_hash, commitment, seq, mac FROM consent_record ",
            $rest
        )
    };
}

impl Row {
    fn record(self, tenant: TenantId) -> Result<ConsentRecord> {
        let corrupt =
            |what: &str| StorageError::Corrupt(format!("consent record {}: {what}", self.id));
        Ok(ConsentRecord {
            id: ConsentId::from_raw(self.id),
            tenant,
            contact: ContactId::from_raw(self.contact),
            scope: self.scope.parse().map_err(|_| corrupt("its scope"))?,
            status: self.status.parse().map_err(|_| corrupt("its status"))?,
            channel: self.channel.parse().map_err(|_| corrupt("its channel"))?,
            said_at: Timestamp::from_millis(self.said_at),
            recorded_at: Timestamp::from_millis(self.recorded_at),
            recorded_by: self.recorded_by,
            wording: self.wording,
            value: self.value,
            salt: self.salt,
            value_hash: self.value_hash,
            commitment: self.commitment,
            seq: self.seq,
            mac: self.mac,
        })
    }
}

pub async fn append_all_tenants(tx: &mut Tx, records: &[ConsentRecord]) -> Result<()> {
    for run in batch::groups(tx, records) {
        let sql = batch::rows(
            "INSERT INTO consent_record (id, tenant, contact, scope, status, channel, said_at, recorded_at, recorded_by,
                wording, value, salt, value_hash, commitment, mac) VALUES",
            15,
            "",
        );
        execute_rows!(tx, sql, run, |query, row| {
            query
                .bind(row.id.raw())
                .bind(row.tenant.raw())
                .bind(row.contact.raw())
                .bind(row.scope.to_string())
                .bind(row.status.word())
                .bind(row.channel.word())
                .bind(row.said_at.millis())
                .bind(row.recorded_at.millis())
                .bind(&row.recorded_by)
                .bind(&row.wording)
                .bind(&row.value)
                .bind(&row.salt)
                .bind(&row.value_hash)
                .bind(&row.commitment)
                .bind(&row.mac)
        })?;
    }
    Ok(())
}

/// A person's records before an id, newest first.
pub async fn of_contact(
    tx: &mut Tx,
    tenant: TenantId,
    contact: ContactId,
    before: i64,
    most: i64,
) -> Result<Vec<ConsentRecord>> {
    let sql = select!("WHERE tenant = $1 AND contact = $2 AND id < $3 ORDER BY id DESC LIMIT $4");
    let rows: Vec<Row> = on_backend!(tx, |conn| sqlx::query_as(sql)
        .bind(tenant.raw())
        .bind(contact.raw())
        .bind(before)
        .bind(most)
        .fetch_all(conn)
        .await)?;
    rows.into_iter().map(|row| row.record(tenant)).collect()
}

/// The latest thing that a person's records say of a scope.
pub async fn latest(
    tx: &mut Tx,
    tenant: TenantId,
    contact: ContactId,
    scope: &ConsentScope,
) -> Result<Option<ConsentRecord>> {
    let sql = select!(
        "WHERE tenant = $1 AND contact = $2 AND scope = $3 AND status IN ('given', 'withdrawn') ORDER BY said_at DESC,
            id DESC LIMIT 1"
    );
    let row: Option<Row> = on_backend!(tx, |conn| sqlx::query_as(sql)
        .bind(tenant.raw())
        .bind(contact.raw())
        .bind(scope.to_string())
        .fetch_optional(conn)
        .await)?;
    row.map(|row| row.record(tenant)).transpose()
}

/// Records of a chain after a place, in order. What no longer reads as a record is told by its place.
pub async fn sealed(
    tx: &mut Tx,
    tenant: TenantId,
    after: i64,
    most: i64,
) -> Result<Vec<Result<ConsentRecord, (i64, i64)>>> {
    let sql = select!("WHERE tenant = $1 AND seq > $2 ORDER BY seq, id LIMIT $3");
    let rows: Vec<Row> = rows::page(tx, tenant, sql, after, most).await?;
    let read = |row: Row| {
        let place = (row.seq, row.id);
        row.record(tenant).map_err(|_| place)
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Takes away what a person's records say. Their hashes stay, so that the chain holds.
pub async fn erase(tx: &mut Tx, tenant: TenantId, contact: ContactId) -> Result<u64> {
    const SQL: &str = "UPDATE consent_record SET value = '', salt = $3
        WHERE tenant = $1 AND contact = $2 AND value <> ''";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(contact.raw())
            .bind(Vec::<u8>::new())
    )
    .map_err(Into::into)
}

/// The record that says that this person was erased, the latest.
pub async fn erasure_of(
    tx: &mut Tx,
    tenant: TenantId,
    contact: ContactId,
) -> Result<Option<ConsentId>> {
    const SQL: &str = "SELECT MAX(id) FROM consent_record WHERE tenant = $1 AND contact = $2 AND status = 'erased'";
    let id: Option<i64> = on_backend!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(tenant.raw())
        .bind(contact.raw())
        .fetch_one(conn)
        .await)?;
    Ok(id.map(ConsentId::from_raw))
}

/// A wording that people were shown.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Wording {
    pub digest: Vec<u8>,
    pub version: String,
    pub language: String,
    pub body: String,
    pub created_at: i64,
}

/// Keeps a wording, once.
pub async fn keep_wording(tx: &mut Tx, tenant: TenantId, wording: &Wording) -> Result<()> {
    const SQL: &str =
        "INSERT INTO consent_wording (tenant, digest, version, language, body, created_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant, digest) DO NOTHING";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(&wording.digest)
            .bind(&wording.version)
            .bind(&wording.language)
            .bind(&wording.body)
            .bind(wording.created_at)
    )?;
    Ok(())
}

pub async fn wording(tx: &mut Tx, tenant: TenantId, digest: &[u8]) -> Result<Option<Wording>> {
    const SQL: &str = "SELECT digest, version, language, body, created_at FROM consent_wording
        WHERE tenant = $1 AND digest = $2";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(tenant.raw())
        .bind(digest)
        .fetch_optional(conn)
        .await)?)
}

/// Something that waits for the person's own word.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Pending {
    pub id: i64,
    /// 0: whoever sends the code.
    pub contact: i64,
    pub code: String,
    pub scope: String,
    pub wording: Vec<u8>,
    pub value: String,
    pub expires_at: i64,
}

/// `false`: the code is in use.
pub async fn add_pending(tx: &mut Tx, tenant: TenantId, pending: &Pending) -> Result<bool> {
    const SQL: &str =
        "INSERT INTO consent_pending (id, tenant, contact, code, scope, wording, value, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant, contact, code) DO NOTHING";
    let added = execute!(
        tx,
        sqlx::query(SQL)
            .bind(pending.id)
            .bind(tenant.raw())
            .bind(pending.contact)
            .bind(&pending.code)
            .bind(&pending.scope)
            .bind(&pending.wording)
            .bind(&pending.value)
            .bind(pending.expires_at)
    )?;
    if added == 1 && pending.contact != 0 {
        const FLAG: &str = "UPDATE consent SET pending = 1 WHERE contact = $1 AND tenant = $2";
        execute!(
            tx,
            sqlx::query(FLAG).bind(pending.contact).bind(tenant.raw())
        )?;
    }
    Ok(added == 1)
}

/// Codes that wait for this contact.
pub async fn pending_codes(
    tx: &mut Tx,
    tenant: TenantId,
    contact: ContactId,
) -> Result<Vec<String>> {
    const SQL: &str = "SELECT code FROM consent_pending WHERE tenant = $1 AND contact = $2";
    Ok(on_backend!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(tenant.raw())
        .bind(contact.raw())
        .fetch_all(conn)
        .await)?)
}

/// Takes what waits for this code, of this contact (0: of nobody yet): it is confirmed once.
pub async fn take_pending(
    tx: &mut Tx,
    tenant: TenantId,
    contact: i64,
    code: &str,
) -> Result<Option<Pending>> {
    const SQL: &str = "DELETE FROM consent_pending WHERE tenant = $1 AND contact = $2 AND code = $3
        RETURNING id, contact, code, scope, wording, value, expires_at";
    let taken: Option<Pending> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(tenant.raw())
        .bind(contact)
        .bind(code)
        .fetch_optional(conn)
        .await)?;
    if taken.is_some() && contact != 0 {
        const FLAG: &str = "UPDATE consent SET pending =
                CASE WHEN EXISTS (SELECT 1 FROM consent_pending WHERE tenant = $1 AND contact = $2) THEN 1 ELSE 0 END
            WHERE tenant = $1 AND contact = $2";
        execute!(tx, sqlx::query(FLAG).bind(tenant.raw()).bind(contact))?;
    }
    Ok(taken)
}

/// Lets go of everything that waits for this contact.
pub async fn drop_pending(tx: &mut Tx, tenant: TenantId, contact: ContactId) -> Result<()> {
    const SQL: &str = "DELETE FROM consent_pending WHERE tenant = $1 AND contact = $2";
    execute!(tx, sqlx::query(SQL).bind(tenant.raw()).bind(contact.raw()))?;
    Ok(())
}

/// Lets go of what waited too long, some of it.
pub async fn drop_over_all_tenants(tx: &mut Tx, now: Timestamp, most: i64) -> Result<u64> {
    const SQL: &str = "DELETE FROM consent_pending WHERE id IN
        (SELECT id FROM consent_pending WHERE expires_at < $1 LIMIT $2)";
    Ok(execute!(
        tx,
        sqlx::query(SQL).bind(now.millis()).bind(most)
    )?)
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Topic {
    pub tenant: i64,
    pub bit: i64,
    pub name: String,
    pub title: String,
    pub created_at: i64,
}

/// Every topic of every tenant: part of setup.
pub async fn topics_all_tenants(tx: &mut Tx) -> Result<Vec<Topic>> {
    const SQL: &str =
        "SELECT tenant, bit, name, title, created_at FROM consent_topic ORDER BY tenant, bit";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .fetch_all(conn)
        .await)?)
}

/// A tenant's topics in the order of their coming.
pub async fn topics(tx: &mut Tx, tenant: TenantId) -> Result<Vec<Topic>> {
    const SQL: &str = "SELECT tenant, bit, name, title, created_at FROM consent_topic WHERE tenant = $1 ORDER BY bit";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(tenant.raw())
        .fetch_all(conn)
        .await)?)
}

/// `false`: the name or the bit is in use.
pub async fn add_topic(tx: &mut Tx, tenant: TenantId, topic: &Topic) -> Result<bool> {
    const SQL: &str = "INSERT INTO consent_topic (tenant, bit, name, title, created_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT DO NOTHING";
    let added = execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(topic.bit)
            .bind(&topic.name)
            .bind(&topic.title)
            .bind(topic.created_at)
    )?;
    Ok(added == 1)
}
