//! What is kept of the people of a tenant that is gone: let go of, some rows at a time.
//!
//! Messages, sends, journals and bodies grow with traffic and have no index by tenant: retention lets go of those, as of
//! everybody's. The audit log stays.

use super::{Result, Tx, batch, execute, fetch_list};
use crate::domain::TenantId;

/// Rows of one statement: some milliseconds of the writer.
const MOST: i64 = 200;
/// The same of installations: of each there are some hundred counts.
const INSTALLATIONS: i64 = 4;

/// A table, how many of its rows go at once, and what hangs on them: `[(table, its column)]`.
type Family = (&'static str, i64, &'static [(&'static str, &'static str)]);

const FAMILIES: [Family; 4] = [
    (
        "contact",
        MOST,
        &[("consent", "contact"), ("identity", "contact")],
    ),
    (
        "conversation",
        MOST,
        &[("owner_log", "conversation"), ("refusal", "conversation")],
    ),
    ("job", MOST, &[("job_reject", "job")]),
    // All of them were taken out before the tenant was.
    (
        "installation",
        INSTALLATIONS,
        &[
            ("installation_version", "installation"),
            ("plugin_health", "installation"),
            ("node_plugin", "installation"),
        ],
    ),
];

/// Tables of their own, with their primary keys.
const TABLES: &[(&str, &str)] = &[
    ("contact_attribute", "tenant, name"),
    ("contact_import", "id, ordinal"),
    ("identity", "tenant, scope, kind, value"),
    ("begun", "contact, outbox"),
    ("reached", "portfolio, contact"),
    ("portfolio_limit", "portfolio"),
    ("month_count", "tenant, month, number, class"),
    ("plugin_kv", "tenant, plugin, item"),
    ("plugin_kv_usage", "tenant, plugin"),
    (
        "account_fact",
        "tenant, account, kind, name, language, fact, at",
    ),
    ("template_history", "id"),
    ("template", "id"),
    ("template_account", "tenant, account"),
    ("stream_block", "id"),
    ("stream_head", "tenant"),
    ("former_number", "id"),
    ("hold", "id"),
    ("journal_bound", "tenant"),
    ("attestation", "tenant, item"),
    ("api_key", "id"),
    ("api_user", "id"),
    ("consent_pending", "id"),
    ("consent_import", "id, piece"),
    ("consent_page", "tenant, name, seq"),
    ("consent_topic", "tenant, bit"),
    ("consent_erased", "tenant, pseudonym"),
    ("consent_record", "id"),
    ("consent_wording", "tenant, digest"),
];

/// Lets go of some of it. Answers how many rows; 0: nothing is left.
pub async fn people(tx: &mut Tx, tenant: TenantId) -> Result<u64> {
    for (parent, most, children) in FAMILIES {
        let sql = sqlx::AssertSqlSafe(format!(
            "SELECT id FROM {parent} WHERE tenant = $1 ORDER BY id LIMIT {most}"
        ));
        let ids: Vec<i64> = super::on_backend!(tx, |conn| sqlx::query_scalar(sql)
            .bind(tenant.raw())
            .fetch_all(conn)
            .await)?;
        if !ids.is_empty() {
            for (table, column) in children {
                delete(tx, tenant, table, column, &ids).await?;
            }
            return delete(tx, tenant, parent, "id", &ids).await;
        }
    }
    for (table, key) in TABLES {
        let sql = sqlx::AssertSqlSafe(format!(
            "DELETE FROM {table} WHERE tenant = $1 AND ({key}) IN
                (SELECT {key} FROM {table} WHERE tenant = $1 LIMIT {MOST})"
        ));
        let gone = execute!(tx, sqlx::query(sql).bind(tenant.raw()))?;
        if gone > 0 {
            return Ok(gone);
        }
    }
    // Of the ledger that went with them; the audit log stays, and says that the tenant was removed.
    const HEAD: &str = "DELETE FROM seal_head WHERE tenant = $1 AND ledger = 'consent'";
    execute!(tx, sqlx::query(HEAD).bind(tenant.raw()))?;
    Ok(0)
}

async fn delete(
    tx: &mut Tx,
    tenant: TenantId,
    table: &str,
    column: &str,
    ids: &[i64],
) -> Result<u64> {
    let mut gone = 0;
    for run in batch::groups(tx, ids) {
        let head = format!("DELETE FROM {table} WHERE tenant = $1 AND {column} IN");
        let sql = batch::any_of(&head, 2, "RETURNING 1");
        let rows: Vec<(i32,)> = fetch_list!(tx, sql, [tenant.raw()], run)?;
        gone += rows.len() as u64;
    }
    Ok(gone)
}
