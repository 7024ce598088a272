//! Endpoints that follow a tenant's stream, and deliveries that failed. What to do with them is `hooks`'s.

use sqlx::FromRow;

use super::{Result, StorageError, Tx, batch, execute, execute_rows, on_backend, rows};
use crate::domain::{HookId, StreamKind, TenantId, Timestamp};

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    pub id: HookId,
    pub tenant: TenantId,
    pub url: String,
    /// Envelope.
    pub secret: Vec<u8>,
    /// What it wants; empty: everything.
    pub kinds: Vec<StreamKind>,
    pub enabled: bool,
    /// Moves with every change by people.
    pub version: i64,
    /// Every event up to this number is delivered, or stands among its deliveries.
    pub position: i64,
    /// Failed requests since the last that went well.
    pub failures: i64,
    /// Nothing is sent before.
    pub next_try_at: Timestamp,
    pub last_error: String,
    pub created_at: Timestamp,
    /// Envelope of the secret before; empty: none.
    pub old_secret: Vec<u8>,
    /// Until then it signs beside the new one.
    pub old_secret_until: Timestamp,
    /// When it last answered well.
    pub answered_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct HookRow {
    id: i64,
    tenant: i64,
    url: String,
    secret: Vec<u8>,
    kinds: String,
    enabled: i64,
    version: i64,
    position: i64,
    failures: i64,
    next_try_at: i64,
    last_error: String,
    created_at: i64,
    old_secret: Vec<u8>,
    old_secret_until: i64,
    answered_at: i64,
}

const COLUMNS: &str = "SELECT id, tenant, url, secret, kinds, enabled, version, position, failures, next_try_at, last_error,
    created_at, old_secret, old_secret_until, answered_at FROM hook";

fn hook(row: HookRow) -> Result<Hook> {
    let words: Vec<String> = serde_json::from_str(&row.kinds)
        .map_err(|_| StorageError::Corrupt(format!("event types of hook {}", row.id)))?;
    Ok(Hook {
        id: HookId::from_raw(row.id),
        tenant: TenantId::from_raw(row.tenant),
        url: row.url,
        secret: row.secret,
        // A word that a newer build knows is none that could happen here.
        kinds: words
            .iter()
            .filter_map(|word| StreamKind::from_word(word))
            .collect(),
        enabled: row.enabled != 0,
        version: row.version,
        position: row.position,
        failures: row.failures,
        next_try_at: Timestamp::from_millis(row.next_try_at),
        last_error: row.last_error,
        created_at: Timestamp::from_millis(row.created_at),
        old_secret: row.old_secret,
        old_secret_until: Timestamp::from_millis(row.old_secret_until),
        answered_at: rows::moment(row.answered_at),
    })
}

fn kinds_json(kinds: &[StreamKind]) -> String {
    let words: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
    serde_json::to_string(&words).expect("a list of words is JSON")
}

/// Adds an endpoint.
pub async fn insert_hook(tx: &mut Tx, tenant: TenantId, hook: &Hook) -> Result<()> {
    const SQL: &str = "INSERT INTO hook (id, tenant, url, secret, kinds, enabled, version, position, failures, next_try_at,
        last_error, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0, '', $9)";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(hook.id.raw())
            .bind(tenant.raw())
            .bind(&hook.url)
            .bind(&hook.secret)
            .bind(kinds_json(&hook.kinds))
            .bind(i64::from(hook.enabled))
            .bind(hook.version)
            .bind(hook.position)
            .bind(hook.created_at.millis())
    )?;
    Ok(())
}

/// One endpoint of a tenant.
pub async fn find(tx: &mut Tx, tenant: TenantId, id: HookId) -> Result<Option<Hook>> {
    let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE tenant = $1 AND id = $2"));
    let row: Option<HookRow> = rows::one(tx, tenant, sql, id.raw()).await?;
    row.map(hook).transpose()
}

/// A tenant's endpoints after this one, oldest first.
pub async fn list(tx: &mut Tx, tenant: TenantId, after: HookId, limit: i64) -> Result<Vec<Hook>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "{COLUMNS} WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3"
    ));
    let rows: Vec<HookRow> = on_backend!(tx, |conn| {
        sqlx::query_as(sql)
            .bind(tenant.raw())
            .bind(after.raw())
            .bind(limit)
            .fetch_all(conn)
            .await
    })?;
    rows.into_iter().map(hook).collect()
}

/// Writes what people changed. `false`: it is gone, or somebody changed it since `version`. A change closes the circuit:
/// whoever repaired it wants to see it work.
pub async fn update_hook(tx: &mut Tx, tenant: TenantId, hook: &Hook, version: i64) -> Result<bool> {
    const SQL: &str =
        "UPDATE hook SET url = $3, secret = $4, kinds = $5, enabled = $6, version = version + 1,
            failures = 0, next_try_at = 0, old_secret = $8, old_secret_until = $9
        WHERE tenant = $1 AND id = $2 AND version = $7";
    let touched = execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(hook.id.raw())
            .bind(&hook.url)
            .bind(&hook.secret)
            .bind(kinds_json(&hook.kinds))
            .bind(i64::from(hook.enabled))
            .bind(version)
            .bind(&hook.old_secret)
            .bind(hook.old_secret_until.millis())
    )?;
    Ok(touched == 1)
}

/// Sends the endpoint back, or ahead, to a number: what comes after it is delivered next.
pub async fn set_position(
    tx: &mut Tx,
    tenant: TenantId,
    id: HookId,
    position: i64,
) -> Result<bool> {
    const SQL: &str =
        "UPDATE hook SET position = $3, failures = 0, next_try_at = 0, version = version + 1
        WHERE tenant = $1 AND id = $2";
    let touched = execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(id.raw())
            .bind(position)
    )?;
    Ok(touched == 1)
}

/// Removes an endpoint, what it still had to get and its dead letters. What was delivered at last goes with retention.
pub async fn delete_hook(tx: &mut Tx, tenant: TenantId, id: HookId) -> Result<bool> {
    // One statement for each of the two partial indexes.
    let (waiting, dead) = (
        "DELETE FROM hook_delivery WHERE hook = $1 AND tenant = $2 AND state = 0",
        "DELETE FROM hook_delivery WHERE hook = $1 AND tenant = $2 AND state = 1",
    );
    for sql in [waiting, dead] {
        execute!(tx, sqlx::query(sql).bind(id.raw()).bind(tenant.raw()))?;
    }
    let sql = "DELETE FROM hook WHERE tenant = $1 AND id = $2";
    let touched = execute!(tx, sqlx::query(sql).bind(tenant.raw()).bind(id.raw()))?;
    Ok(touched == 1)
}

/// Endpoints that have something to do now: their tenant's stream is ahead of them, or a delivery is to be tried again.
pub async fn with_work_all_tenants(
    tx: &mut Tx,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<(TenantId, HookId)>> {
    const SQL: &str = "SELECT h.tenant, h.id FROM hook h LEFT JOIN stream_head s ON s.tenant = h.tenant
        WHERE h.enabled = 1 AND h.next_try_at <= $1 AND (h.position < COALESCE(s.last_seq, 0) OR EXISTS (
            SELECT 1 FROM hook_delivery d WHERE d.hook = h.id AND d.state = 0 AND d.next_at <= $1))
        LIMIT $2";
    let rows: Vec<(i64, i64)> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(now.millis())
            .bind(limit)
            .fetch_all(conn)
            .await
    })?;
    let ids = |(tenant, id)| (TenantId::from_raw(tenant), HookId::from_raw(id));
    Ok(rows.into_iter().map(ids).collect())
}

/// A delivery that failed.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Delivery {
    pub id: i64,
    pub seq: i64,
    /// One of [`delivery`].
    pub state: i64,
    pub attempts: i64,
    /// Not before, unix milliseconds.
    pub next_at: i64,
    pub first_at: i64,
    pub error: String,
}

/// What becomes of a delivery that failed.
pub mod delivery {
    pub const RETRY: i64 = 0;
    pub const DEAD: i64 = 1;
    pub const DONE: i64 = 2;
}

const DELIVERY: &str =
    "SELECT id, seq, state, attempts, next_at, first_at, error FROM hook_delivery";

/// Deliveries that are to be tried again now, the one that waits longest first.
pub async fn due(
    tx: &mut Tx,
    tenant: TenantId,
    id: HookId,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Delivery>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "{DELIVERY} WHERE hook = $1 AND state = 0 AND next_at <= $2 AND tenant = $3 ORDER BY next_at LIMIT $4"
    ));
    Ok(on_backend!(tx, |conn| {
        sqlx::query_as(sql)
            .bind(id.raw())
            .bind(now.millis())
            .bind(tenant.raw())
            .bind(limit)
            .fetch_all(conn)
            .await
    })?)
}

/// Dead letters after this one, oldest first.
pub async fn dead(
    tx: &mut Tx,
    tenant: TenantId,
    id: HookId,
    after: i64,
    limit: i64,
) -> Result<Vec<Delivery>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "{DELIVERY} WHERE hook = $1 AND state = 1 AND id > $2 AND tenant = $3 ORDER BY id LIMIT $4"
    ));
    Ok(on_backend!(tx, |conn| {
        sqlx::query_as(sql)
            .bind(id.raw())
            .bind(after)
            .bind(tenant.raw())
            .bind(limit)
            .fetch_all(conn)
            .await
    })?)
}

/// Tries dead letters again, from now on for as long as a fresh failure; those of these numbers, or all. Answers how many.
pub async fn revive(
    tx: &mut Tx,
    tenant: TenantId,
    id: HookId,
    seqs: &[i64],
    now: Timestamp,
) -> Result<u64> {
    const SQL: &str =
        "UPDATE hook_delivery SET state = 0, attempts = 0, next_at = $3, first_at = $3
        WHERE hook = $1 AND tenant = $2 AND state = 1 AND ($4 = 0 OR seq = $4)";
    let mut revived = 0;
    // No event has the number 0: it stands for all.
    let all = [0];
    for seq in if seqs.is_empty() { &all } else { seqs } {
        revived += execute!(
            tx,
            sqlx::query(SQL)
                .bind(id.raw())
                .bind(tenant.raw())
                .bind(now.millis())
                .bind(*seq)
        )?;
    }
    const WAKE: &str = "UPDATE hook SET next_try_at = 0 WHERE id = $1 AND tenant = $2";
    execute!(tx, sqlx::query(WAKE).bind(id.raw()).bind(tenant.raw()))?;
    Ok(revived)
}

/// What a round of deliveries came to.
#[derive(Debug, Clone)]
pub struct Progress {
    /// As it was read: whoever moved it meanwhile wins.
    pub from: i64,
    pub position: i64,
    pub failures: i64,
    pub next_try_at: Timestamp,
    pub enabled: bool,
    pub last_error: String,
    /// When a request of this round went well; `None`: none did.
    pub answered_at: Option<Timestamp>,
}

/// Records a round. `false`: somebody sent the endpoint to another number, or removed it; nothing was written.
pub async fn record(tx: &mut Tx, tenant: TenantId, id: HookId, round: &Progress) -> Result<bool> {
    const SQL: &str = "UPDATE hook SET position = $3, failures = $4, next_try_at = $5,
            enabled = CASE WHEN $6 = 0 THEN 0 ELSE enabled END, last_error = $7,
            answered_at = CASE WHEN $9 = 0 THEN answered_at ELSE $9 END
        WHERE tenant = $1 AND id = $2 AND position = $8";
    let touched = execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(id.raw())
            .bind(round.position)
            .bind(round.failures)
            .bind(round.next_try_at.millis())
            .bind(i64::from(round.enabled))
            .bind(&round.last_error)
            .bind(round.from)
            .bind(round.answered_at.map_or(0, Timestamp::millis))
    )?;
    Ok(touched == 1)
}

/// Adds failed deliveries.
pub async fn add_failed(
    tx: &mut Tx,
    tenant: TenantId,
    id: HookId,
    failed: &[Delivery],
) -> Result<()> {
    for run in batch::groups(tx, failed) {
        let sql = batch::rows(
            "INSERT INTO hook_delivery (id, tenant, hook, seq, state, attempts, next_at, first_at, error) VALUES",
            9,
            "",
        );
        execute_rows!(tx, sql, run, |query, row| {
            query
                .bind(row.id)
                .bind(tenant.raw())
                .bind(id.raw())
                .bind(row.seq)
                .bind(row.state)
                .bind(row.attempts)
                .bind(row.next_at)
                .bind(row.first_at)
                .bind(&row.error)
        })?;
    }
    Ok(())
}

/// Writes what became of a delivery that was tried again.
pub async fn settle(tx: &mut Tx, tenant: TenantId, id: HookId, tried: &Delivery) -> Result<()> {
    const SQL: &str = "UPDATE hook_delivery SET state = $4, attempts = $5, next_at = $6, error = $7
        WHERE id = $1 AND hook = $2 AND tenant = $3 AND state = 0";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tried.id)
            .bind(id.raw())
            .bind(tenant.raw())
            .bind(tried.state)
            .bind(tried.attempts)
            .bind(tried.next_at)
            .bind(&tried.error)
    )?;
    Ok(())
}
