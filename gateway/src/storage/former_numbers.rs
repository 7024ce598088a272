//! Numbers that were taken away: kept, so that their history stays readable, and come back as what they were.

use sqlx::FromRow;

use super::numbers::Row;
use super::{Result, Tx, batch, changes, execute, on_backend, rows};
use crate::domain::number::Number;
use crate::domain::{Bucket, NumberId, TenantId, Timestamp};

/// A number that is gone, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerNumber {
    pub number: Number,
    pub removed_at: Timestamp,
}

#[derive(FromRow)]
struct FormerRow {
    #[sqlx(flatten)]
    number: Row,
    removed_at: i64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, tenant, app, credential, portfolio, waba_id, phone_number_id, display_number, time_zone,
                throughput, connected_at, removed_at FROM former_number ",
            $rest
        )
    };
}

/// Takes a number away. Who waits on it must have been dealt with before.
pub async fn remove(tx: &mut Tx, tenant: TenantId, id: NumberId, now: Timestamp) -> Result<()> {
    const KEEP: &str = "INSERT INTO former_number (id, tenant, app, credential, portfolio, waba_id, phone_number_id,
            display_number, time_zone, throughput, connected_at, removed_at)
        SELECT id, tenant, app, credential, portfolio, waba_id, phone_number_id, display_number, time_zone, throughput,
            connected_at, $3 FROM number WHERE tenant = $1 AND id = $2";
    const GO: &str = "DELETE FROM number WHERE tenant = $1 AND id = $2";
    execute!(
        tx,
        sqlx::query(KEEP)
            .bind(tenant.raw())
            .bind(id.raw())
            .bind(now.millis())
    )?;
    execute!(tx, sqlx::query(GO).bind(tenant.raw()).bind(id.raw()))?;
    changes::bump_setup_all_tenants(tx).await
}

/// The tenant's number with this id of Meta's comes back: it is not former any more. Answers what it was called here.
pub async fn take_back(
    tx: &mut Tx,
    tenant: TenantId,
    phone_number_id: &str,
) -> Result<Option<NumberId>> {
    const SQL: &str =
        "DELETE FROM former_number WHERE tenant = $1 AND phone_number_id = $2 RETURNING id";
    let id: Option<i64> = on_backend!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(tenant.raw())
        .bind(phone_number_id)
        .fetch_optional(conn)
        .await)?;
    Ok(id.map(NumberId::from_raw))
}

pub async fn find(tx: &mut Tx, tenant: TenantId, id: NumberId) -> Result<Option<FormerNumber>> {
    let sql = select!("WHERE tenant = $1 AND id = $2");
    let row: Option<FormerRow> = rows::one(tx, tenant, sql, id.raw()).await?;
    Ok(row.map(FormerNumber::from))
}

/// Every former number.
pub async fn all_tenants(tx: &mut Tx) -> Result<Vec<FormerNumber>> {
    let sql = select!("ORDER BY id");
    let rows: Vec<FormerRow> = on_backend!(tx, |conn| sqlx::query_as(sql).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(FormerNumber::from).collect())
}

/// Locks the conversations in which messages wait for their turn, by id: they are locked before the row that counts
/// changes of setup, as everywhere. Answers them.
pub async fn lock_conversations(tx: &mut Tx, tenant: TenantId, id: NumberId) -> Result<Vec<i64>> {
    let waiting = tx.pick(
        "SELECT id FROM conversation WHERE tenant = $1 AND number = $2 AND done_seq < next_seq - 1 ORDER BY id",
        "SELECT id FROM conversation WHERE tenant = $1 AND number = $2 AND done_seq < next_seq - 1 ORDER BY id
            FOR UPDATE",
    );
    Ok(on_backend!(tx, |conn| sqlx::query_scalar(waiting)
        .bind(tenant.raw())
        .bind(id.raw())
        .fetch_all(conn)
        .await)?)
}

/// Messages of a number that no turn will answer: they keep their place in the history. Nothing, while the number is
/// there.
pub async fn end_turns(tx: &mut Tx, tenant: TenantId, id: NumberId) -> Result<()> {
    const GONE: &str = "NOT EXISTS (SELECT id FROM number WHERE id = $2)";
    let ids = lock_conversations(tx, tenant, id).await?;
    for run in batch::runs(&ids) {
        let head = format!(
            "UPDATE conversation SET done_seq = next_seq - 1, version = version + 1
                WHERE tenant = $1 AND number = $2 AND {GONE} AND id IN"
        );
        let sql = batch::list(&head, run.len(), 3, "");
        on_backend!(tx, |conn| {
            let mut query = sqlx::query(sql).bind(tenant.raw()).bind(id.raw());
            for id in run {
                query = query.bind(id);
            }
            query.execute(conn).await.map(|_| ())
        })?;
    }
    let sql = sqlx::AssertSqlSafe(format!(
        "UPDATE inbound_event SET state = 2 WHERE state = 0 AND bucket = $3 AND tenant = $1 AND number = $2 AND {GONE}"
    ));
    execute!(
        tx,
        sqlx::query(sql)
            .bind(tenant.raw())
            .bind(id.raw())
            .bind(Bucket::of(id).raw())
    )?;
    Ok(())
}

impl From<FormerRow> for FormerNumber {
    fn from(row: FormerRow) -> Self {
        Self {
            number: row.number.into(),
            removed_at: Timestamp::from_millis(row.removed_at),
        }
    }
}
