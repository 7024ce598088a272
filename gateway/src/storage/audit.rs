//! The audit log's rows and the ends of sealed chains. Entries are appended; only
//! the sealer, once, and the erasure of a person write on one again.

use sqlx::FromRow;

use super::{Result, Tx, batch, execute, execute_rows, on_backend, rows};
use crate::domain::{AuditId, TenantId, Timestamp};

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    pub id: AuditId,
    /// Tenant 0: the operator's.
    pub tenant: TenantId,
    pub at: Timestamp,
    pub actor_kind: String,
    pub actor: String,
    pub actor_name: String,
    pub address: String,
    pub agent: String,
    pub action: String,
    pub object: String,
    /// JSON; `""`: there was nothing.
    pub was: String,
    pub became: String,
    /// Empty once `was` and `became` are erased.
    pub salt: Vec<u8>,
    /// Of `was` and `became` with the salt; empty in entries that bind them by their commitment itself.
    pub value_hash: Vec<u8>,
    pub commitment: Vec<u8>,
    /// The entry that says that `was` and `became` went with a person.
    pub erased_by: Option<AuditId>,
    /// Place in its tenant's chain, from 1 on; 0: not sealed yet.
    pub seq: i64,
    pub mac: Vec<u8>,
}

/// A ledger whose rows are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ledger {
    Audit,
    Consent,
}

impl Ledger {
    pub const ALL: [Self; 2] = [Self::Audit, Self::Consent];

    /// As its chains are named.
    pub fn name(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Consent => "consent",
        }
    }

    fn table(self) -> &'static str {
        match self {
            Self::Audit => "audit_entry",
            Self::Consent => "consent_record",
        }
    }
}

/// The end of a sealed chain.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SealHead {
    pub seq: i64,
    pub mac: Vec<u8>,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    tenant: i64,
    at: i64,
    actor_kind: String,
    actor: String,
    actor_name: String,
    address: String,
    agent: String,
    action: String,
    object: String,
    was: String,
    became: String,
    salt: Vec<u8>,
    value_hash: Vec<u8>,
    commitment: Vec<u8>,
    erased_by: i64,
    seq: i64,
    mac: Vec<u8>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, tenant, at, actor_kind, actor, actor_name, address, agent, action, object, was, became, salt,
                value_hash, commitment, erased_by, seq, mac FROM audit_entry ",
            $rest
        )
    };
}

pub async fn append(tx: &mut Tx, tenant: TenantId, entry: &AuditEntry) -> Result<()> {
    const SQL: &str = "INSERT INTO audit_entry (id, tenant, at, actor_kind, actor, actor_name, address, agent, action,
            object, was, became, salt, value_hash, commitment, mac)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(entry.id.raw())
            .bind(tenant.raw())
            .bind(entry.at.millis())
            .bind(&entry.actor_kind)
            .bind(&entry.actor)
            .bind(&entry.actor_name)
            .bind(&entry.address)
            .bind(&entry.agent)
            .bind(&entry.action)
            .bind(&entry.object)
            .bind(&entry.was)
            .bind(&entry.became)
            .bind(&entry.salt)
            .bind(&entry.value_hash)
            .bind(&entry.commitment)
            .bind(&entry.mac)
    )?;
    Ok(())
}

/// Entries before an id, newest first.
pub async fn entries(
    tx: &mut Tx,
    tenant: TenantId,
    before: i64,
    most: i64,
) -> Result<Vec<AuditEntry>> {
    let sql = select!("WHERE tenant = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
    let rows: Vec<Row> = rows::page(tx, tenant, sql, before, most).await?;
    Ok(rows.into_iter().map(AuditEntry::from).collect())
}

pub async fn entry(tx: &mut Tx, tenant: TenantId, id: AuditId) -> Result<Option<AuditEntry>> {
    let sql = select!("WHERE tenant = $1 AND id = $2");
    let row: Option<Row> = rows::one(tx, tenant, sql, id.raw()).await?;
    Ok(row.map(AuditEntry::from))
}

/// Entries of a chain after a place, in order.
pub async fn sealed(
    tx: &mut Tx,
    tenant: TenantId,
    after: i64,
    most: i64,
) -> Result<Vec<AuditEntry>> {
    let sql = select!("WHERE tenant = $1 AND seq > $2 ORDER BY seq, id LIMIT $3");
    let rows: Vec<Row> = rows::page(tx, tenant, sql, after, most).await?;
    Ok(rows.into_iter().map(AuditEntry::from).collect())
}

/// What a step through a tenant's entries may find of a person.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// Their contacts and conversations, as entries name what was changed.
    pub objects: &'a [String],
    /// Phones and user ids, as they stand within values.
    pub known_as: &'a [String],
    /// Entries of this action say nothing of anybody: they say what was erased.
    pub but: &'a str,
}

/// Entries between two ids that say something of a person, oldest first.
pub async fn saying(
    tx: &mut Tx,
    tenant: TenantId,
    (after, end): (i64, i64),
    about: About<'_>,
) -> Result<Vec<AuditId>> {
    let object = |n: usize| format!("object = ${n}");
    let value = |n: usize| format!("was LIKE '%' || ${n} || '%' OR became LIKE '%' || ${n} || '%'");
    let known_from = 5 + about.objects.len();
    let objects = (5..known_from).map(object);
    let values = (known_from..known_from + about.known_as.len()).map(value);
    let any: Vec<String> = objects.chain(values).collect();
    if any.is_empty() {
        return Ok(Vec::new());
    }
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT id FROM audit_entry WHERE tenant = $1 AND id > $2 AND id <= $3 AND action <> $4
            AND (was <> '' OR became <> '') AND ({}) ORDER BY id",
        any.join(" OR ")
    ));
    let ids: Vec<i64> = on_backend!(tx, |conn| {
        let mut query = sqlx::query_scalar(sql)
            .bind(tenant.raw())
            .bind(after)
            .bind(end)
            .bind(about.but);
        for text in about.objects.iter().chain(about.known_as) {
            query = query.bind(text);
        }
        query.fetch_all(conn).await
    })?;
    Ok(ids.into_iter().map(AuditId::from_raw).collect())
}

/// Takes away what entries say; `by` names them.
pub async fn erase(tx: &mut Tx, tenant: TenantId, ids: &[AuditId], by: AuditId) -> Result<()> {
    const HEAD: &str = "UPDATE audit_entry SET was = '', became = '', salt = $1, erased_by = $2
        WHERE tenant = $3 AND id IN";
    for run in batch::runs(ids) {
        let sql = batch::list(HEAD, run.len(), 4, "");
        on_backend!(tx, |conn| {
            let mut query = sqlx::query(sql)
                .bind(Vec::<u8>::new())
                .bind(by.raw())
                .bind(tenant.raw());
            for id in run {
                query = query.bind(id.raw());
            }
            query.execute(conn).await.map(drop)
        })?;
    }
    Ok(())
}

/// Tenants that have entries which are not sealed.
pub async fn tenants_to_seal_all_tenants(tx: &mut Tx, ledger: Ledger) -> Result<Vec<TenantId>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT DISTINCT tenant FROM {} WHERE seq = 0 ORDER BY tenant",
        ledger.table()
    ));
    let rows: Vec<(i64,)> = on_backend!(tx, |conn| sqlx::query_as(sql).fetch_all(conn).await)?;
    Ok(rows
        .into_iter()
        .map(|(id,)| TenantId::from_raw(id))
        .collect())
}

/// Everybody who has a chain.
pub async fn tenants_with_chains_all_tenants(tx: &mut Tx, ledger: &str) -> Result<Vec<TenantId>> {
    const SQL: &str = "SELECT tenant FROM seal_head WHERE ledger = $1 ORDER BY tenant";
    let rows: Vec<(i64,)> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(ledger)
        .fetch_all(conn)
        .await)?;
    Ok(rows
        .into_iter()
        .map(|(id,)| TenantId::from_raw(id))
        .collect())
}

/// Entries of a tenant that are not sealed, oldest first: ids and commitments.
pub async fn unsealed(
    tx: &mut Tx,
    tenant: TenantId,
    ledger: Ledger,
    most: i64,
) -> Result<Vec<(i64, Vec<u8>)>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT id, commitment FROM {} WHERE seq = 0 AND tenant = $1 ORDER BY id LIMIT $2",
        ledger.table()
    ));
    Ok(on_backend!(tx, |conn| sqlx::query_as(sql)
        .bind(tenant.raw())
        .bind(most)
        .fetch_all(conn)
        .await)?)
}

/// Gives entries (row, place, keyed hash) their places in the chain.
pub async fn seal(
    tx: &mut Tx,
    tenant: TenantId,
    ledger: Ledger,
    entries: &[(i64, i64, Vec<u8>)],
) -> Result<()> {
    let table = ledger.table();
    let head = format!("UPDATE {table} SET seq = v.column2, mac = v.column3 FROM (VALUES");
    let tail = format!(
        ") AS v WHERE {table}.id = v.column1 AND {table}.tenant = v.column4 AND {table}.seq = 0"
    );
    for run in batch::groups(tx, entries) {
        let sql = batch::rows(&head, 4, &tail);
        execute_rows!(tx, sql, run, |query, (row, seq, mac)| {
            query.bind(*row).bind(*seq).bind(mac).bind(tenant.raw())
        })?;
    }
    Ok(())
}

/// The keyed hash at a place of a chain; of a sound one there is one.
pub async fn macs_at(
    tx: &mut Tx,
    tenant: TenantId,
    ledger: Ledger,
    seq: i64,
) -> Result<Vec<Vec<u8>>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT mac FROM {} WHERE tenant = $1 AND seq = $2",
        ledger.table()
    ));
    Ok(on_backend!(tx, |conn| sqlx::query_scalar(sql)
        .bind(tenant.raw())
        .bind(seq)
        .fetch_all(conn)
        .await)?)
}

/// The end of a chain; another sealer waits until this transaction ends.
pub async fn head_for_update(tx: &mut Tx, tenant: TenantId, ledger: &str) -> Result<SealHead> {
    const NEW: &str = "INSERT INTO seal_head (ledger, tenant, seq, mac) VALUES ($1, $2, 0, $3)
        ON CONFLICT (ledger, tenant) DO NOTHING";
    execute!(
        tx,
        sqlx::query(NEW)
            .bind(ledger)
            .bind(tenant.raw())
            .bind(Vec::<u8>::new())
    )?;
    let sql = tx.pick(
        "SELECT seq, mac FROM seal_head WHERE ledger = $1 AND tenant = $2",
        "SELECT seq, mac FROM seal_head WHERE ledger = $1 AND tenant = $2 FOR UPDATE",
    );
    let (seq, mac) = on_backend!(tx, |conn| sqlx::query_as(sql)
        .bind(ledger)
        .bind(tenant.raw())
        .fetch_one(conn)
        .await)?;
    Ok(SealHead { seq, mac })
}

/// The end of a chain; none: nothing is sealed.
pub async fn head(tx: &mut Tx, tenant: TenantId, ledger: &str) -> Result<SealHead> {
    const SQL: &str = "SELECT seq, mac FROM seal_head WHERE ledger = $1 AND tenant = $2";
    let row: Option<(i64, Vec<u8>)> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(ledger)
        .bind(tenant.raw())
        .fetch_optional(conn)
        .await)?;
    Ok(row
        .map(|(seq, mac)| SealHead { seq, mac })
        .unwrap_or_default())
}

pub async fn set_head(tx: &mut Tx, tenant: TenantId, ledger: &str, head: &SealHead) -> Result<()> {
    const SQL: &str = "UPDATE seal_head SET seq = $3, mac = $4 WHERE ledger = $1 AND tenant = $2";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(ledger)
            .bind(tenant.raw())
            .bind(head.seq)
            .bind(&head.mac)
    )?;
    Ok(())
}

impl From<Row> for AuditEntry {
    fn from(row: Row) -> Self {
        Self {
            id: AuditId::from_raw(row.id),
            tenant: TenantId::from_raw(row.tenant),
            at: Timestamp::from_millis(row.at),
            actor_kind: row.actor_kind,
            actor: row.actor,
            actor_name: row.actor_name,
            address: row.address,
            agent: row.agent,
            action: row.action,
            object: row.object,
            was: row.was,
            became: row.became,
            salt: row.salt,
            value_hash: row.value_hash,
            commitment: row.commitment,
            erased_by: (row.erased_by != 0).then(|| AuditId::from_raw(row.erased_by)),
            seq: row.seq,
            mac: row.mac,
        }
    }
}
