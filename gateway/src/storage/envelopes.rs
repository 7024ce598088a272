//! Every envelope of the database, for those who wrap them again under a newer key.

use super::{Result, Tx, execute, on_backend};

/// Where envelopes lie: table, column, and whether its rows have a tenant.
const PLACES: [(&str, &str, &str, &str); 6] = [
    (
        "app",
        "verify_token",
        "SELECT CAST(0 AS BIGINT), id, verify_token FROM app ORDER BY id",
        "UPDATE app SET verify_token = $3 WHERE id = $1 AND verify_token = $2",
    ),
    (
        "app_secret",
        "secret",
        "SELECT CAST(0 AS BIGINT), id, secret FROM app_secret ORDER BY id",
        "UPDATE app_secret SET secret = $3 WHERE id = $1 AND secret = $2",
    ),
    (
        "credential",
        "token",
        "SELECT tenant, id, token FROM credential ORDER BY id",
        "UPDATE credential SET token = $3 WHERE id = $1 AND token = $2",
    ),
    (
        "secret",
        "value",
        "SELECT tenant, id, value FROM secret ORDER BY id",
        "UPDATE secret SET value = $3 WHERE id = $1 AND value = $2",
    ),
    (
        "hook",
        "secret",
        "SELECT tenant, id, secret FROM hook ORDER BY id",
        "UPDATE hook SET secret = $3 WHERE id = $1 AND secret = $2",
    ),
    (
        "hook",
        "old_secret",
        "SELECT tenant, id, old_secret FROM hook WHERE old_secret_until > 0 ORDER BY id",
        "UPDATE hook SET old_secret = $3 WHERE id = $1 AND old_secret = $2",
    ),
];

/// An envelope and where it lies. Tenant 0: the operator's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEnvelope {
    pub table: &'static str,
    pub column: &'static str,
    pub tenant: i64,
    pub row: i64,
    pub bytes: Vec<u8>,
}

/// All of them. Setup is small: it fits into memory.
pub async fn envelopes_all_tenants(tx: &mut Tx) -> Result<Vec<StoredEnvelope>> {
    let mut envelopes = Vec::new();
    for (table, column, select, _) in PLACES {
        let rows: Vec<(i64, i64, Vec<u8>)> =
            on_backend!(tx, |conn| sqlx::query_as(select).fetch_all(conn).await)?;
        envelopes.extend(rows.into_iter().map(|(tenant, row, bytes)| StoredEnvelope {
            table,
            column,
            tenant,
            row,
            bytes,
        }));
    }
    Ok(envelopes)
}

/// Puts other bytes into an envelope's place. `false`: it has changed since it was read, and stays as it is.
pub async fn replace_envelope_all_tenants(
    tx: &mut Tx,
    old: &StoredEnvelope,
    new: &[u8],
) -> Result<bool> {
    let place = PLACES
        .iter()
        .find(|place| (place.0, place.1) == (old.table, old.column));
    let Some((.., update)) = place else {
        return Ok(false);
    };
    let changed = execute!(
        tx,
        sqlx::query(*update)
            .bind(old.row)
            .bind(&old.bytes)
            .bind(new)
    )?;
    Ok(changed == 1)
}
