//! Sends as people look at them: by id, not done, doubted.

use super::super::{Result, Tx, batch, fetch_list, on_backend};
use super::{COLUMNS, OutboxRow, Row, TODO, limit_of, row};
use crate::domain::{Bucket, NumberId, OutboxState, TenantId};

/// Sends of a tenant, for those ids that are sends of it and still there, by id.
pub async fn by_ids(tx: &mut Tx, tenant: TenantId, ids: &[i64]) -> Result<Vec<OutboxRow>> {
    let ids = batch::sorted(ids.iter().copied());
    let mut found = Vec::with_capacity(ids.len());
    for run in batch::groups(tx, &ids) {
        let head = format!("{COLUMNS} WHERE tenant = $1 AND id IN");
        let sql = batch::any_of(&head, 2, "ORDER BY id");
        let rows: Vec<Row> = fetch_list!(tx, sql, [tenant.raw()], run)?;
        for found_row in rows {
            found.push(row(found_row)?);
        }
    }
    Ok(found)
}

/// A tenant's sends that are not done, before this one, the newest first. `buckets` are those of its numbers.
pub async fn open(
    tx: &mut Tx,
    tenant: TenantId,
    buckets: &[Bucket],
    before: i64,
    limit: i64,
) -> Result<Vec<OutboxRow>> {
    newest(tx, TODO, tenant, buckets, before, limit).await
}

/// A tenant's sends in a state, before this one, the newest first.
pub(super) async fn newest(
    tx: &mut Tx,
    state: &str,
    tenant: TenantId,
    buckets: &[Bucket],
    before: i64,
    limit: i64,
) -> Result<Vec<OutboxRow>> {
    if buckets.is_empty() {
        return Ok(Vec::new());
    }
    let buckets = batch::padded(&batch::sorted(buckets.iter().map(|b| b.raw())));
    let head = format!("{COLUMNS} WHERE {state} AND tenant = $1 AND id < $2 AND bucket IN");
    let sql = batch::any_of(&head, 4, "ORDER BY id DESC LIMIT $3");
    let rows: Vec<Row> = fetch_list!(tx, sql, [tenant.raw(), before, limit], &buckets)?;
    rows.into_iter().map(row).collect()
}

/// A tenant's sends that may have reached the person twice, or not at all, before this one: as
/// [`doubted_all_tenants`] finds them.
pub async fn doubted(
    tx: &mut Tx,
    tenant: TenantId,
    before: i64,
    limit: i64,
) -> Result<Vec<OutboxRow>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "{COLUMNS} WHERE doubts > 0 AND (state = 3 OR doubts > 1 OR reason LIKE 'sent_once_more%'
            OR reason LIKE 'in_doubt%') AND tenant = $1 AND id < $2 ORDER BY id DESC LIMIT $3"
    ));
    let rows: Vec<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(sql)
            .bind(tenant.raw())
            .bind(before)
            .bind(limit)
            .fetch_all(conn)
            .await
    })?;
    rows.into_iter().map(row).collect()
}

/// How many sends of a number are in each state that is not an end.
pub async fn open_of_number(
    tx: &mut Tx,
    tenant: TenantId,
    number: NumberId,
) -> Result<Vec<(OutboxState, i64)>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT state, COUNT(*) FROM outbox WHERE {TODO} AND bucket = $1 AND number = $2 AND tenant = $3 GROUP BY state
         UNION ALL SELECT state, COUNT(*) FROM outbox
            WHERE state = 7 AND bucket = $1 AND number = $2 AND tenant = $3 GROUP BY state"
    ));
    let rows: Vec<(i64, i64)> = on_backend!(tx, |conn| sqlx::query_as(sql)
        .bind(Bucket::of(number).raw())
        .bind(number.raw())
        .bind(tenant.raw())
        .fetch_all(conn)
        .await)?;
    let known = |(state, count)| Some((OutboxState::from_code(state)?, count));
    Ok(rows.into_iter().filter_map(known).collect())
}

/// What is queued for one number, or waits for an hour, oldest first: a page of `limit` rows.
pub async fn queued_of_number(
    tx: &mut Tx,
    tenant: TenantId,
    number: NumberId,
    limit: usize,
) -> Result<Vec<OutboxRow>> {
    let sql = sqlx::AssertSqlSafe(format!(
        "SELECT * FROM ({COLUMNS} WHERE {TODO} AND state = 0 AND bucket = $1 AND number = $2 AND tenant = $3
         UNION ALL {COLUMNS} WHERE state = 7 AND bucket = $1 AND number = $2 AND tenant = $3) AS waiting
         ORDER BY id LIMIT $4"
    ));
    let rows: Vec<Row> = on_backend!(tx, |conn| sqlx::query_as(sql)
        .bind(Bucket::of(number).raw())
        .bind(number.raw())
        .bind(tenant.raw())
        .bind(limit_of(limit))
        .fetch_all(conn)
        .await)?;
    rows.into_iter().map(row).collect()
}
