//! Owners of conversations: changed, and each change kept in the log and told.

use super::super::{Result, StorageError, Tx, batch, execute_rows, fetch_list, on_backend};
use crate::domain::{ConversationId, OwnerChange, StreamEvent, StreamKind, TenantId, Timestamp};

/// A line for the ownership log.
#[derive(Debug, Clone)]
pub struct OwnerLogRow {
    pub id: i64,
    pub tenant: TenantId,
    pub conversation: ConversationId,
    pub owner_version: i64,
    pub change: OwnerChange,
    pub at: Timestamp,
    /// The entry of its conversation before this one, which is the last from now on.
    pub prev: i64,
}

/// Appends to the ownership log.
pub async fn log_owners_all_tenants(tx: &mut Tx, rows: &[OwnerLogRow]) -> Result<()> {
    for run in batch::groups(tx, rows) {
        let sql = batch::rows(
            "INSERT INTO owner_log (id, tenant, conversation, owner_version, change, at, prev) VALUES",
            7,
            "",
        );
        execute_rows!(tx, sql, run, |query, row| {
            query
                .bind(row.id)
                .bind(row.tenant.raw())
                .bind(row.conversation.raw())
                .bind(row.owner_version)
                .bind(serde_json::to_string(&row.change).expect("an owner change is JSON"))
                .bind(row.at.millis())
                .bind(row.prev)
        })?;
    }
    for row in rows {
        let kind = StreamKind::of_owner(&row.change.to);
        let event = StreamEvent::new(row.tenant, row.conversation, kind, row.at);
        tx.tell(event.about(row.id).noting(&row.change.reason));
    }
    Ok(())
}

/// The ownership log of one conversation, oldest first.
pub async fn owner_log(
    tx: &mut Tx,
    tenant: TenantId,
    conversation: ConversationId,
) -> Result<Vec<(Timestamp, OwnerChange)>> {
    let rows: Vec<(i64, String)> = on_backend!(tx, |conn| {
        sqlx::query_as(
            "SELECT at, change FROM owner_log WHERE tenant = $1 AND conversation = $2 ORDER BY id",
        )
        .bind(tenant.raw())
        .bind(conversation.raw())
        .fetch_all(conn)
        .await
    })?;
    rows.into_iter()
        .map(|(at, change)| {
            let change = serde_json::from_str(&change)
                .map_err(|_| StorageError::Corrupt(format!("owner log of {conversation}")))?;
            Ok((Timestamp::from_millis(at), change))
        })
        .collect()
}

/// A line of the log, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedChange {
    pub id: i64,
    pub owner_version: i64,
    pub change: OwnerChange,
    pub at: Timestamp,
}

/// Lines of a tenant's ownership logs by their ids.
pub async fn logged(tx: &mut Tx, tenant: TenantId, ids: &[i64]) -> Result<Vec<LoggedChange>> {
    let ids = batch::sorted(ids.iter().copied());
    let mut found = Vec::with_capacity(ids.len());
    for run in batch::groups(tx, &ids) {
        let head =
            "SELECT id, owner_version, change, at FROM owner_log WHERE tenant = $1 AND id IN";
        let sql = batch::any_of(head, 2, "");
        let rows: Vec<(i64, i64, String, i64)> = fetch_list!(tx, sql, [tenant.raw()], run)?;
        for (id, owner_version, change, at) in rows {
            found.push(LoggedChange {
                id,
                owner_version,
                change: serde_json::from_str(&change)
                    .map_err(|_| StorageError::Corrupt(format!("line {id} of an owner log")))?,
                at: Timestamp::from_millis(at),
            });
        }
    }
    Ok(found)
}

/// Changes the owner in a transaction of its own kind: a person taking over, or handing back.
///
/// The line is an entry of the conversation's history behind `prev`: whoever stores the conversation says that it is the
/// last. `None`: no such conversation, or it moved since `expected_version`. The version moves, so a bot's turn that began
/// before commits nothing.
pub async fn change_owner(
    tx: &mut Tx,
    tenant: TenantId,
    id: ConversationId,
    change: &OwnerChange,
    (log_id, prev): (i64, i64),
    now: Timestamp,
) -> Result<Option<i64>> {
    let owner_version: Option<i64> = on_backend!(tx, |conn| {
        sqlx::query_scalar(
            "UPDATE conversation SET owner = $3, owner_name = $4, owner_version = owner_version + 1,
                version = version + 1 WHERE id = $1 AND tenant = $2 RETURNING owner_version",
        )
        .bind(id.raw())
        .bind(tenant.raw())
        .bind(change.to.code())
        .bind(change.to.name())
        .fetch_optional(conn)
        .await
    })?;
    if let Some(owner_version) = owner_version {
        let change = change.clone();
        let row = OwnerLogRow {
            id: log_id,
            tenant,
            conversation: id,
            owner_version,
            change,
            at: now,
            prev,
        };
        log_owners_all_tenants(tx, &[row]).await?;
    }
    Ok(owner_version)
}
