//! Who is on the block list of a number, as far as the gateway knows: a mark of the conversation, where every send looks.

use super::super::{Result, Tx, execute, on_backend};
use crate::domain::{ContactId, NumberId, TenantId, Timestamp};

/// Marks a contact as blocked on a number. `false`: they were, or have no conversation with it.
pub async fn block(
    tx: &mut Tx,
    tenant: TenantId,
    number: NumberId,
    contact: ContactId,
    at: Timestamp,
) -> Result<bool> {
    const SQL: &str = "UPDATE conversation SET blocked_at = $4
        WHERE number = $2 AND contact = $3 AND tenant = $1 AND blocked_at = 0";
    Ok(execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(number.raw())
            .bind(contact.raw())
            .bind(at.millis())
    )? > 0)
}

/// Whom the number has marked, after one of them, by contact.
pub async fn blocked(
    tx: &mut Tx,
    tenant: TenantId,
    number: NumberId,
    after: ContactId,
    most: i64,
) -> Result<Vec<ContactId>> {
    const SQL: &str =
        "SELECT contact FROM conversation WHERE number = $2 AND tenant = $1 AND blocked_at <> 0
        AND contact > $3 ORDER BY contact LIMIT $4";
    let ids: Vec<i64> = on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(tenant.raw())
            .bind(number.raw())
            .bind(after.raw())
            .bind(most)
            .fetch_all(conn)
            .await
    })?;
    Ok(ids.into_iter().map(ContactId::from_raw).collect())
}

/// Takes the mark away. `false`: there was none.
pub async fn unblock(
    tx: &mut Tx,
    tenant: TenantId,
    number: NumberId,
    contact: ContactId,
) -> Result<bool> {
    const SQL: &str = "UPDATE conversation SET blocked_at = 0
        WHERE number = $2 AND contact = $3 AND tenant = $1 AND blocked_at <> 0";
    Ok(execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(number.raw())
            .bind(contact.raw())
    )? > 0)
}
