//! What POSTs with an idempotency key were answered: kept a day, so that asking again changes nothing.

use super::{Db, Result, Tx, execute, on_backend};
use crate::domain::{ApiKeyId, TenantId, Timestamp};

/// What is known of an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// SHA-256 of what was asked.
    pub request: Vec<u8>,
    /// `None`: under way, or its process ended in the middle.
    pub answer: Option<(u16, Vec<u8>)>,
    pub began_at: Timestamp,
}

/// Claims a key for a request. `None`: it is ours; else what is known of it.
pub async fn claim(
    tx: &mut Tx,
    tenant: TenantId,
    principal: ApiKeyId,
    item: &str,
    request: &[u8],
    now: Timestamp,
    forgotten: Timestamp,
) -> Result<Option<Remembered>> {
    const OLD: &str =
        "DELETE FROM idempotency WHERE principal = $1 AND item = $2 AND created_at < $3";
    const NEW: &str =
        "INSERT INTO idempotency (principal, item, tenant, request, status, response, created_at)
        VALUES ($1, $2, $3, $4, 0, $5, $6) ON CONFLICT (principal, item) DO NOTHING";
    const KNOWN: &str = "SELECT request, status, response, created_at FROM idempotency WHERE principal = $1 AND item = $2";
    execute!(
        tx,
        sqlx::query(OLD)
            .bind(principal.raw())
            .bind(item)
            .bind(forgotten.millis())
    )?;
    let added = execute!(
        tx,
        sqlx::query(NEW)
            .bind(principal.raw())
            .bind(item)
            .bind(tenant.raw())
            .bind(request)
            .bind(Vec::<u8>::new())
            .bind(now.millis())
    )?;
    if added == 1 {
        return Ok(None);
    }
    let (request, status, response, at): (Vec<u8>, i64, Vec<u8>, i64) =
        on_backend!(tx, |conn| sqlx::query_as(KNOWN)
            .bind(principal.raw())
            .bind(item)
            .fetch_one(conn)
            .await)?;
    let status = u16::try_from(status).unwrap_or_default();
    Ok(Some(Remembered {
        request,
        answer: (status != 0).then_some((status, response)),
        began_at: Timestamp::from_millis(at),
    }))
}

/// Keeps the answer of a claimed request.
pub async fn answer(
    tx: &mut Tx,
    tenant: TenantId,
    principal: ApiKeyId,
    item: &str,
    status: u16,
    response: &[u8],
) -> Result<()> {
    const SQL: &str = "UPDATE idempotency SET status = $4, response = $5
        WHERE tenant = $1 AND principal = $2 AND item = $3 AND status = 0";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(principal.raw())
            .bind(item)
            .bind(i64::from(status))
            .bind(response)
    )?;
    Ok(())
}

/// Rows deleted in one transaction: nobody waits for the writer longer than that takes.
const STEP: i64 = 2_000;

/// Lets go of what is older. Answers how many rows that was.
pub async fn forget_all_tenants(db: &Db, before: Timestamp) -> Result<u64> {
    const SQL: &str = "DELETE FROM idempotency WHERE (principal, item) IN
        (SELECT principal, item FROM idempotency WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
    let mut gone = 0;
    loop {
        let mut tx = db.begin().await?;
        let step = execute!(&mut tx, sqlx::query(SQL).bind(before.millis()).bind(STEP))?;
        tx.commit().await?;
        gone += step;
        if step < STEP.unsigned_abs() {
            return Ok(gone);
        }
    }
}
