//! What plugins remember: per tenant and plugin name, committed with the turn, checked for lost races.

use sqlx::FromRow;

use super::{Result, Tx, batch, execute_rows, on_backend};
use crate::domain::TenantId;

/// The place of one remembered value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KvKey {
    pub tenant: TenantId,
    pub plugin: String,
    pub item: String,
}

/// A value with the version that says whether it moved. Version 0 means absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvValue {
    pub value: Vec<u8>,
    pub version: i64,
}

#[derive(FromRow)]
struct Row {
    tenant: i64,
    plugin: String,
    item: String,
    value: Vec<u8>,
    version: i64,
}

/// Reads many values at once. With `lock`, rows stay locked until the transaction ends; keys must come sorted.
pub async fn read_all_tenants(
    tx: &mut Tx,
    keys: &[KvKey],
    lock: bool,
) -> Result<Vec<(KvKey, KvValue)>> {
    let mut found = Vec::new();
    let tail = if lock && tx.is_postgres() {
        "ORDER BY k.tenant, k.plugin, k.item FOR UPDATE OF k"
    } else {
        ""
    };
    for run in batch::runs(keys) {
        let on = format!(
            ") AS v JOIN plugin_kv k ON k.tenant = v.column1 AND k.plugin = v.column2 AND k.item = v.column3 {tail}"
        );
        let head = "SELECT k.tenant, k.plugin, k.item, k.value, k.version FROM (VALUES";
        let sql = batch::values(head, run.len(), 3, 1, &on);
        let sql = batch::marks(tx, sql);
        let rows: Vec<Row> = on_backend!(tx, |conn| {
            let mut query = sqlx::query_as(sql);
            for key in run {
                query = query
                    .bind(key.tenant.raw())
                    .bind(&key.plugin)
                    .bind(&key.item);
            }
            query.fetch_all(conn).await
        })?;
        found.extend(rows.into_iter().map(|row| {
            let tenant = TenantId::from_raw(row.tenant);
            let key = KvKey {
                tenant,
                plugin: row.plugin,
                item: row.item,
            };
            (
                key,
                KvValue {
                    value: row.value,
                    version: row.version,
                },
            )
        }));
    }
    Ok(found)
}

/// Writes values under a version that was never used before (the turn's id: a value that was deleted and set again must
/// not look like the old one). Keys must be distinct and sorted.
pub async fn put_all_tenants(tx: &mut Tx, writes: &[(KvKey, KvValue)]) -> Result<()> {
    for run in batch::runs(writes) {
        let sql = batch::values(
            "INSERT INTO plugin_kv (tenant, plugin, item, value, version) VALUES",
            run.len(),
            5,
            1,
            "ON CONFLICT (tenant, plugin, item) DO UPDATE SET value = excluded.value, version = excluded.version",
        );
        execute_rows!(tx, sql, run, |query, (key, value)| {
            query
                .bind(key.tenant.raw())
                .bind(&key.plugin)
                .bind(&key.item)
                .bind(&value.value)
                .bind(value.version)
        })?;
    }
    Ok(())
}

/// Forgets values. Keys must be sorted.
pub async fn delete_all_tenants(tx: &mut Tx, keys: &[KvKey]) -> Result<()> {
    for run in batch::runs(keys) {
        let sql = batch::values(
            "DELETE FROM plugin_kv WHERE (tenant, plugin, item) IN (VALUES",
            run.len(),
            3,
            1,
            ")",
        );
        execute_rows!(tx, sql, run, |query, key| {
            query
                .bind(key.tenant.raw())
                .bind(&key.plugin)
                .bind(&key.item)
        })?;
    }
    Ok(())
}

/// Bytes that a plugin remembers at a tenant, for its quota.
pub async fn usage(tx: &mut Tx, tenant: TenantId, plugin: &str) -> Result<i64> {
    Ok(on_backend!(tx, |conn| {
        sqlx::query_scalar(
            "SELECT CAST(COALESCE(SUM(LENGTH(value) + LENGTH(item)), 0) AS BIGINT) FROM plugin_kv
             WHERE tenant = $1 AND plugin = $2",
        )
        .bind(tenant.raw())
        .bind(plugin)
        .fetch_one(conn)
        .await
    })?)
}
