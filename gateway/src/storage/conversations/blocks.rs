//! Who is on the block list of a number, as far as the gateway knows: a mark of the conversation, where every send looks.

use super::super::{Result, Tx, execute};
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
