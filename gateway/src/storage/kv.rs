//! What plugins remember: per tenant and plugin name, committed with the turn, checked for lost races.

use std::collections::{HashMap, HashSet};

use sqlx::FromRow;

use super::{Db, Result, Tx, batch, execute_rows, fetch_rows, on_backend};
use crate::domain::{TenantId, Timestamp};

/// The place of one remembered value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KvKey {
    pub tenant: TenantId,
    pub plugin: String,
    pub item: String,
}

/// Whose memory it is: a plugin by its name, which versions share, at a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KvOwner {
    pub tenant: TenantId,
    pub plugin: String,
}

impl KvKey {
    pub fn owner(&self) -> KvOwner {
        KvOwner {
            tenant: self.tenant,
            plugin: self.plugin.clone(),
        }
    }

    /// What this key and that value count for in the quota.
    pub fn bytes(&self, value: &[u8]) -> i64 {
        i64::try_from(self.item.len() + value.len()).unwrap_or(i64::MAX)
    }
}

/// A value with the version that says whether it moved. Version 0 means absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvValue {
    pub value: Vec<u8>,
    pub version: i64,
    /// Unix milliseconds; from then on it is gone, though its row may still be there. 0: never.
    pub expires_at: i64,
}

impl KvValue {
    /// Is it there at this moment?
    pub fn lives(&self, now: Timestamp) -> bool {
        self.expires_at == 0 || self.expires_at > now.millis()
    }
}

#[derive(FromRow)]
struct Row {
    tenant: i64,
    plugin: String,
    item: String,
    value: Vec<u8>,
    version: i64,
    expires_at: i64,
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
    for run in batch::groups(tx, keys) {
        let on = format!(
            ") AS v JOIN plugin_kv k ON k.tenant = v.column1 AND k.plugin = v.column2 AND k.item = v.column3 {tail}"
        );
        let head =
            "SELECT k.tenant, k.plugin, k.item, k.value, k.version, k.expires_at FROM (VALUES";
        let sql = batch::rows(head, 3, &on);
        let rows: Vec<Row> = fetch_rows!(tx, sql, run, |query, key| {
            query
                .bind(key.tenant.raw())
                .bind(&key.plugin)
                .bind(&key.item)
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
                    expires_at: row.expires_at,
                },
            )
        }));
    }
    Ok(found)
}

/// Writes values under a version that was never used before (the turn's id: a value that was deleted and set again must
/// not look like the old one). Keys must be distinct and sorted.
pub async fn put_all_tenants(tx: &mut Tx, writes: &[(KvKey, KvValue)]) -> Result<()> {
    for run in batch::groups(tx, writes) {
        let sql = batch::rows(
            "INSERT INTO plugin_kv (tenant, plugin, item, value, version, expires_at) VALUES",
            6,
            "ON CONFLICT (tenant, plugin, item) DO UPDATE SET value = excluded.value, version = excluded.version,
                expires_at = excluded.expires_at",
        );
        execute_rows!(tx, sql, run, |query, (key, value)| {
            query
                .bind(key.tenant.raw())
                .bind(&key.plugin)
                .bind(&key.item)
                .bind(&value.value)
                .bind(value.version)
                .bind(value.expires_at)
        })?;
    }
    Ok(())
}

/// Forgets values. Keys must be sorted.
pub async fn delete_all_tenants(tx: &mut Tx, keys: &[KvKey]) -> Result<()> {
    for run in batch::groups(tx, keys) {
        let sql = batch::rows(
            "DELETE FROM plugin_kv WHERE (tenant, plugin, item) IN (VALUES",
            3,
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

/// Bytes of keys and values that these plugins remember, unlocked. Who remembers nothing yet is left out.
pub async fn usage_all_tenants(tx: &mut Tx, owners: &[KvOwner]) -> Result<Vec<(KvOwner, i64)>> {
    read_usage(tx, owners, "").await
}

/// As [`usage_all_tenants`], each owner's row locked until the transaction ends, and made when there is none: whoever
/// writes memory does this first, because a key that is absent cannot be locked itself. Owners must come sorted.
pub async fn lock_usage_all_tenants(
    tx: &mut Tx,
    owners: &[KvOwner],
) -> Result<Vec<(KvOwner, i64)>> {
    // SQLite has one writer, and it is us.
    let lock = if tx.is_postgres() {
        "ORDER BY u.tenant, u.plugin FOR UPDATE OF u"
    } else {
        ""
    };
    let mut found = read_usage(tx, owners, lock).await?;
    let known: HashSet<&KvOwner> = found.iter().map(|(owner, _)| owner).collect();
    let new: Vec<KvOwner> = owners
        .iter()
        .filter(|owner| !known.contains(owner))
        .cloned()
        .collect();
    if !new.is_empty() {
        make_usage(tx, &new).await?;
        found.extend(read_usage(tx, &new, lock).await?);
    }
    Ok(found)
}

async fn read_usage(tx: &mut Tx, owners: &[KvOwner], tail: &str) -> Result<Vec<(KvOwner, i64)>> {
    let mut found = Vec::new();
    for run in batch::groups(tx, owners) {
        let on = format!(
            ") AS v JOIN plugin_kv_usage u ON u.tenant = v.column1 AND u.plugin = v.column2 {tail}"
        );
        let head = "SELECT u.tenant, u.plugin, u.bytes FROM (VALUES";
        let sql = batch::rows(head, 2, &on);
        let rows: Vec<(i64, String, i64)> = fetch_rows!(tx, sql, run, |query, owner| {
            query.bind(owner.tenant.raw()).bind(&owner.plugin)
        })?;
        found.extend(rows.into_iter().map(|(tenant, plugin, bytes)| {
            let tenant = TenantId::from_raw(tenant);
            (KvOwner { tenant, plugin }, bytes)
        }));
    }
    Ok(found)
}

async fn make_usage(tx: &mut Tx, owners: &[KvOwner]) -> Result<()> {
    for run in batch::groups(tx, owners) {
        let sql = batch::rows(
            "INSERT INTO plugin_kv_usage (tenant, plugin, bytes) VALUES",
            3,
            "ON CONFLICT (tenant, plugin) DO NOTHING",
        );
        execute_rows!(tx, sql, run, |query, owner| {
            query
                .bind(owner.tenant.raw())
                .bind(&owner.plugin)
                .bind(0_i64)
        })?;
    }
    Ok(())
}

/// Writes down what is remembered in all, of owners whose rows are locked.
pub async fn set_usage_all_tenants(tx: &mut Tx, usage: &[(KvOwner, i64)]) -> Result<()> {
    for run in batch::groups(tx, usage) {
        let sql = batch::rows(
            "INSERT INTO plugin_kv_usage (tenant, plugin, bytes) VALUES",
            3,
            "ON CONFLICT (tenant, plugin) DO UPDATE SET bytes = excluded.bytes",
        );
        execute_rows!(tx, sql, run, |query, (owner, bytes)| {
            query
                .bind(owner.tenant.raw())
                .bind(&owner.plugin)
                .bind(*bytes)
        })?;
    }
    Ok(())
}

/// Keys of a contact's and a conversation's space begin with U+0001 (`plugin_host/kv.rs`), and those of the tenant's never
/// do. They sort before all others, so a list of the tenant's space begins here.
const BEHIND_OTHER_SPACES: &str = "\u{2}";

/// Keys of one plugin that begin with `prefix` and come after `after`, in the order of their bytes, at most `most`. Without
/// a prefix they are those of the tenant's space.
pub async fn list(
    tx: &mut Tx,
    tenant: TenantId,
    plugin: &str,
    (prefix, after): (&str, &str),
    most: i64,
    now: Timestamp,
) -> Result<Vec<String>> {
    // `starts_with` by bounds, so that the key's index is read along.
    const SQL: &str =
        "SELECT item FROM plugin_kv WHERE tenant = $1 AND plugin = $2 AND item > $3 AND item >= $4
        AND item < $5 AND (expires_at = 0 OR expires_at > $6) ORDER BY item LIMIT $7";
    let first = if prefix.is_empty() {
        BEHIND_OTHER_SPACES
    } else {
        prefix
    };
    Ok(on_backend!(tx, |conn| sqlx::query_scalar(SQL)
        .bind(tenant.raw())
        .bind(plugin)
        .bind(after)
        .bind(first)
        .bind(behind(prefix))
        .bind(now.millis())
        .bind(most)
        .fetch_all(conn)
        .await)?)
}

/// What sorts behind every key that begins with `prefix`: keys may hold the last character too, but are not that long.
fn behind(prefix: &str) -> String {
    const LONGER_THAN_A_KEY: usize = 128;
    format!("{prefix}{}", "\u{10ffff}".repeat(LONGER_THAN_A_KEY))
}

/// Values swept in one transaction.
const STEP: i64 = 500;

/// Sweeps values that have ended, and takes them out of what their plugins use.
pub async fn forget_ended_all_tenants(db: &Db, now: Timestamp) -> Result<u64> {
    let mut gone = 0;
    loop {
        let mut tx = db.begin().await?;
        let step = forget_some(&mut tx, now).await?;
        tx.commit().await?;
        gone += step;
        if step < STEP.unsigned_abs() {
            return Ok(gone);
        }
    }
}

async fn forget_some(tx: &mut Tx, now: Timestamp) -> Result<u64> {
    const ENDED: &str =
        "SELECT tenant, plugin, item FROM plugin_kv WHERE expires_at > 0 AND expires_at <= $1
        ORDER BY expires_at LIMIT $2";
    let rows: Vec<(i64, String, String)> = on_backend!(tx, |conn| sqlx::query_as(ENDED)
        .bind(now.millis())
        .bind(STEP)
        .fetch_all(conn)
        .await)?;
    let mut keys: Vec<KvKey> = rows
        .into_iter()
        .map(|(tenant, plugin, item)| KvKey {
            tenant: TenantId::from_raw(tenant),
            plugin,
            item,
        })
        .collect();
    keys.sort_unstable();
    let found = keys.len() as u64;
    // As a turn's commit: usage before keys.
    let mut owners: Vec<KvOwner> = keys.iter().map(KvKey::owner).collect();
    owners.dedup();
    let mut used: HashMap<KvOwner, i64> = lock_usage_all_tenants(tx, &owners)
        .await?
        .into_iter()
        .collect();
    // A turn may have set some of them anew meanwhile.
    let mut ended = read_all_tenants(tx, &keys, true).await?;
    ended.retain(|(_, value)| !value.lives(now));
    ended.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    for (key, value) in &ended {
        *used.entry(key.owner()).or_default() -= key.bytes(&value.value);
    }
    let gone: Vec<KvKey> = ended.into_iter().map(|(key, _)| key).collect();
    delete_all_tenants(tx, &gone).await?;
    let mut used: Vec<(KvOwner, i64)> = used.into_iter().collect();
    used.sort_unstable();
    set_usage_all_tenants(tx, &used).await?;
    Ok(found)
}
