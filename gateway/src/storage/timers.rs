//! Timers that plugins have set. A timer that is due ends in the transaction that makes it an event of its conversation.

use sqlx::FromRow;

use super::{
    Result, StorageError, Tx, batch, execute, execute_list, execute_rows, fetch_list, on_backend,
};
use crate::domain::attribute::Fields;
use crate::domain::{Bucket, ConversationId, NumberId, TenantId, Timestamp};

/// The name of a timer: what sets or cancels it, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerKey {
    pub conversation: ConversationId,
    /// By name: versions share it.
    pub plugin: String,
    pub name: String,
}

/// A timer that is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    pub key: TimerKey,
    pub tenant: TenantId,
    pub bucket: Bucket,
    pub set_at: Timestamp,
    pub due_at: Timestamp,
    pub fields: Fields,
}

/// Sets timers, in the place of those of the same names. Keys must be distinct and sorted; their conversations locked.
pub async fn set_all_tenants(tx: &mut Tx, timers: &[Timer]) -> Result<()> {
    const ANEW: &str = "DO UPDATE SET set_at = excluded.set_at, due_at = excluded.due_at, held_from = 0, fields = excluded.fields";
    insert(tx, timers, ANEW).await
}

/// Sets timers as they were before they were taken, but for those that were set anew since.
pub async fn set_again_all_tenants(tx: &mut Tx, timers: &[Timer]) -> Result<()> {
    insert(tx, timers, "DO NOTHING").await
}

async fn insert(tx: &mut Tx, timers: &[Timer], if_there: &'static str) -> Result<()> {
    for run in batch::groups(tx, timers) {
        let tail = format!("ON CONFLICT (conversation, plugin, name) {if_there}");
        let sql = batch::rows(
            "INSERT INTO timer (conversation, plugin, name, tenant, bucket, set_at, due_at, fields) VALUES",
            8,
            &tail,
        );
        execute_rows!(tx, sql, run, |query, timer| {
            query
                .bind(timer.key.conversation.raw())
                .bind(&timer.key.plugin)
                .bind(&timer.key.name)
                .bind(timer.tenant.raw())
                .bind(timer.bucket.raw())
                .bind(timer.set_at.millis())
                .bind(timer.due_at.millis())
                .bind(serde_json::to_string(&timer.fields).expect("fields are JSON"))
        })?;
    }
    Ok(())
}

/// Ends timers by their names. Keys must be sorted.
pub async fn cancel_all_tenants(tx: &mut Tx, keys: &[TimerKey]) -> Result<()> {
    for run in batch::groups(tx, keys) {
        let sql = batch::rows(
            "DELETE FROM timer WHERE (conversation, plugin, name) IN (VALUES",
            3,
            ")",
        );
        execute_rows!(tx, sql, run, |query, key| query
            .bind(key.conversation.raw())
            .bind(&key.plugin)
            .bind(&key.name))?;
    }
    Ok(())
}

/// Ends every timer of these conversations: the bot has them no more, or they are closed.
pub async fn end_of_all_tenants(tx: &mut Tx, conversations: &[ConversationId]) -> Result<()> {
    let ids = batch::sorted(conversations.iter().map(|id| id.raw()));
    for run in batch::groups(tx, &ids) {
        let sql = batch::any_of("DELETE FROM timer WHERE conversation IN", 1, "");
        execute_list!(tx, sql, [0_i64; 0], run)?;
    }
    Ok(())
}

/// The names of the timers of these conversations.
pub async fn names_of_all_tenants(
    tx: &mut Tx,
    conversations: &[ConversationId],
) -> Result<Vec<TimerKey>> {
    let ids = batch::sorted(conversations.iter().map(|id| id.raw()));
    let mut found = Vec::new();
    for run in batch::groups(tx, &ids) {
        let head = "SELECT conversation, plugin, name FROM timer WHERE conversation IN";
        let sql = batch::any_of(head, 1, "");
        let rows: Vec<(i64, String, String)> = fetch_list!(tx, sql, [0_i64; 0], run)?;
        found.extend(rows.into_iter().map(|(id, plugin, name)| TimerKey {
            conversation: ConversationId::from_raw(id),
            plugin,
            name,
        }));
    }
    Ok(found)
}

/// How many timers a tenant has; it is not counted beyond `most`.
pub async fn count(tx: &mut Tx, tenant: TenantId, most: i64) -> Result<i64> {
    const SQL: &str =
        "SELECT COUNT(*) FROM (SELECT 1 FROM timer WHERE tenant = $1 LIMIT $2) AS counted";
    Ok(on_backend!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(tenant.raw())
        .bind(most)
        .fetch_one(conn)
        .await)?)
}

/// Timers of these buckets that are due, the longest due first; unlocked.
pub async fn due_all_tenants(
    tx: &mut Tx,
    buckets: &[Bucket],
    now: Timestamp,
    most: i64,
) -> Result<Vec<(Bucket, TimerKey)>> {
    if buckets.is_empty() {
        return Ok(Vec::new());
    }
    let buckets = batch::padded(&buckets.iter().map(|b| b.raw()).collect::<Vec<_>>());
    let head =
        "SELECT bucket, conversation, plugin, name FROM timer WHERE due_at <= $1 AND bucket IN";
    let tail = "ORDER BY due_at LIMIT $2";
    let sql = batch::any_of(head, 3, tail);
    let rows: Vec<(i64, i64, String, String)> =
        fetch_list!(tx, sql, [now.millis(), most], &buckets)?;
    let due = rows.into_iter().filter_map(|(bucket, id, plugin, name)| {
        let key = TimerKey {
            conversation: ConversationId::from_raw(id),
            plugin,
            name,
        };
        Some((Bucket::from_raw(bucket)?, key))
    });
    Ok(due.collect())
}

#[derive(FromRow)]
struct Row {
    tenant: i64,
    bucket: i64,
    set_at: i64,
    due_at: i64,
    fields: String,
}

/// Ends a timer that is due and answers it as it was; none when it was cancelled, put off or taken by somebody else.
/// Its conversation must be locked.
pub async fn take_all_tenants(
    tx: &mut Tx,
    key: &TimerKey,
    now: Timestamp,
) -> Result<Option<Timer>> {
    const SQL: &str =
        "DELETE FROM timer WHERE conversation = $1 AND plugin = $2 AND name = $3 AND due_at <= $4
        RETURNING tenant, bucket, set_at, CASE WHEN held_from > 0 THEN held_from ELSE due_at END AS due_at, fields";
    let row: Option<Row> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(key.conversation.raw())
        .bind(&key.plugin)
        .bind(&key.name)
        .bind(now.millis())
        .fetch_optional(conn)
        .await)?;
    row.map(|row| {
        let corrupt = || StorageError::Corrupt(format!("a timer of {}", key.conversation));
        Ok(Timer {
            key: key.clone(),
            tenant: TenantId::from_raw(row.tenant),
            bucket: Bucket::from_raw(row.bucket).ok_or_else(corrupt)?,
            set_at: Timestamp::from_millis(row.set_at),
            due_at: Timestamp::from_millis(row.due_at),
            fields: serde_json::from_str(&row.fields).map_err(|_| corrupt())?,
        })
    })
    .transpose()
}

/// Holds timers that are due: they stay as they were set, and are looked at again at `again`. Their conversations must be
/// locked.
pub async fn hold_all_tenants(
    tx: &mut Tx,
    keys: &[TimerKey],
    now: Timestamp,
    again: Timestamp,
) -> Result<()> {
    for run in batch::groups(tx, keys) {
        let sql = batch::rows(
            "UPDATE timer SET held_from = CASE WHEN timer.held_from > 0 THEN timer.held_from ELSE timer.due_at END,
                due_at = v.column5 FROM (VALUES",
            5,
            ") AS v WHERE timer.conversation = v.column1 AND timer.plugin = v.column2 AND timer.name = v.column3
                AND timer.due_at <= v.column4",
        );
        execute_rows!(tx, sql, run, |query, key| query
            .bind(key.conversation.raw())
            .bind(&key.plugin)
            .bind(&key.name)
            .bind(now.millis())
            .bind(again.millis()))?;
    }
    Ok(())
}

/// Timers of a plugin at one of the tenant's numbers that are held and not looked at before `now`, from behind `after` on,
/// in order; unlocked.
pub async fn held(
    tx: &mut Tx,
    (tenant, number): (TenantId, NumberId),
    (plugin, after): (&str, &(ConversationId, String)),
    now: Timestamp,
    most: i64,
) -> Result<Vec<(Bucket, TimerKey)>> {
    const SQL: &str = "SELECT t.bucket, t.conversation, t.name FROM timer t JOIN conversation c ON c.id = t.conversation
        WHERE t.tenant = $1 AND t.plugin = $2 AND t.held_from > 0 AND t.due_at > $3 AND (t.conversation, t.name) > ($4, $5)
            AND c.number = $6
        ORDER BY t.conversation, t.name LIMIT $7";
    let rows: Vec<(i64, i64, String)> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(plugin)
            .bind(now.millis())
            .bind(after.0.raw())
            .bind(&after.1)
            .bind(number.raw())
            .bind(most)
            .fetch_all(conn)
            .await
    })?;
    let held = rows.into_iter().filter_map(|(bucket, id, name)| {
        let key = TimerKey {
            conversation: ConversationId::from_raw(id),
            plugin: plugin.to_owned(),
            name,
        };
        Some((Bucket::from_raw(bucket)?, key))
    });
    Ok(held.collect())
}

/// Lets timers that are held be due at `now`: in line behind what was due before. Their conversations must be locked.
pub async fn release_all_tenants(tx: &mut Tx, keys: &[TimerKey], now: Timestamp) -> Result<()> {
    for run in batch::groups(tx, keys) {
        let sql = batch::rows(
            "UPDATE timer SET due_at = v.column4 FROM (VALUES",
            4,
            ") AS v WHERE timer.conversation = v.column1 AND timer.plugin = v.column2 AND timer.name = v.column3
                AND timer.held_from > 0 AND timer.due_at > v.column4",
        );
        execute_rows!(tx, sql, run, |query, key| query
            .bind(key.conversation.raw())
            .bind(&key.plugin)
            .bind(&key.name)
            .bind(now.millis()))?;
    }
    Ok(())
}

/// Ends every timer of a conversation of this tenant.
pub async fn end_of(tx: &mut Tx, tenant: TenantId, conversation: ConversationId) -> Result<()> {
    const SQL: &str = "DELETE FROM timer WHERE conversation = $1 AND tenant = $2";
    execute!(
        tx,
        sqlx::query(SQL).bind(conversation.raw()).bind(tenant.raw())
    )?;
    Ok(())
}
