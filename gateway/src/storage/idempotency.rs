//! What POSTs with an idempotency key were answered: kept a day, so that asking again changes nothing.

use super::{Db, Result, Tx, execute, forget, on_backend};
use crate::domain::{ApiKeyId, TenantId, Timestamp};

/// What a key was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// SHA-256 of what was asked.
    pub request: Vec<u8>,
    pub status: u16,
    /// Envelope of headers and body.
    pub response: Vec<u8>,
}

/// What is known of a key since a time.
pub async fn find(
    tx: &mut Tx,
    tenant: TenantId,
    principal: ApiKeyId,
    item: &str,
    since: Timestamp,
) -> Result<Option<Remembered>> {
    const SQL: &str = "SELECT request, status, response FROM idempotency
        WHERE tenant = $1 AND principal = $2 AND item = $3 AND created_at >= $4";
    let row: Option<(Vec<u8>, i64, Vec<u8>)> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(principal.raw())
            .bind(item)
            .bind(since.millis())
            .fetch_optional(conn)
            .await
    })?;
    Ok(row.map(|(request, status, response)| Remembered {
        request,
        status: u16::try_from(status).unwrap_or_default(),
        response,
    }))
}

/// Remembers an answer, in the transaction of what it tells of. `false`: another request with the key was faster, and this
/// transaction must not be committed. Whoever is about to be faster is waited for.
pub async fn remember(
    tx: &mut Tx,
    tenant: TenantId,
    principal: ApiKeyId,
    item: &str,
    answer: &Remembered,
    now: Timestamp,
    since: Timestamp,
) -> Result<bool> {
    const SQL: &str =
        "INSERT INTO idempotency (principal, item, tenant, request, status, response, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (principal, item) DO UPDATE SET tenant = excluded.tenant,
            request = excluded.request, status = excluded.status, response = excluded.response,
            created_at = excluded.created_at WHERE idempotency.created_at < $8";
    let written = execute!(
        tx,
        sqlx::query(SQL)
            .bind(principal.raw())
            .bind(item)
            .bind(tenant.raw())
            .bind(&answer.request)
            .bind(i64::from(answer.status))
            .bind(&answer.response)
            .bind(now.millis())
            .bind(since.millis())
    )?;
    Ok(written == 1)
}

/// Lets go of what is older. Answers how many rows that was.
pub async fn forget_all_tenants(db: &Db, before: Timestamp) -> Result<u64> {
    const SQL: &str = "DELETE FROM idempotency WHERE (principal, item) IN
        (SELECT principal, item FROM idempotency WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
    forget::in_steps_all_tenants(db, SQL, before.millis()).await
}
