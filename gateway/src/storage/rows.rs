//! Reading rows of one tenant by id: one of them, or a page. The statement says of which table, in which order, and
//! whether it locks.

use sqlx::postgres::PgRow;
use sqlx::{FromRow, SqlSafeStr};

use super::{Result, Tx, embedded, on_backend};
use crate::domain::{TenantId, Timestamp};

/// A row that reads alike on both databases.
pub(super) trait Readable:
    for<'r> FromRow<'r, embedded::Row> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<R> Readable for R where
    R: for<'r> FromRow<'r, embedded::Row> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

/// The row of this id. `sql`: `$1` is the tenant, `$2` the id.
pub(super) async fn one<R: Readable>(
    tx: &mut Tx,
    tenant: TenantId,
    sql: impl SqlSafeStr,
    id: i64,
) -> Result<Option<R>> {
    Ok(on_backend!(tx, |conn| {
        sqlx::query_as(sql)
            .bind(tenant.raw())
            .bind(id)
            .fetch_optional(conn)
            .await
    })?)
}

/// At most `most` rows from an id on. `sql`: `$1` is the tenant, `$2` the id that the last page ended with, `$3` how many.
pub(super) async fn page<R: Readable>(
    tx: &mut Tx,
    tenant: TenantId,
    sql: impl SqlSafeStr,
    from: i64,
    most: i64,
) -> Result<Vec<R>> {
    Ok(on_backend!(tx, |conn| {
        sqlx::query_as(sql)
            .bind(tenant.raw())
            .bind(from)
            .bind(most)
            .fetch_all(conn)
            .await
    })?)
}

/// A time as columns hold it: 0 is none, because no column is NULL.
pub(super) fn moment(millis: i64) -> Option<Timestamp> {
    (millis != 0).then(|| Timestamp::from_millis(millis))
}
