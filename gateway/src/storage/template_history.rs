//! What became of templates: every change with its time and where it was learnt. Rows are added and never changed.

use sqlx::FromRow;

use super::{Result, Tx, batch, execute_rows, fetch_list, on_backend};
use crate::domain::{TemplateId, TenantId, Timestamp};

/// One change of one thing about a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChange {
    pub id: i64,
    pub template: TemplateId,
    pub at: Timestamp,
    pub what: &'static str,
    pub was: String,
    pub became: String,
    pub learnt: &'static str,
}

/// A change as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct KeptChange {
    pub id: i64,
    pub template: i64,
    pub at: i64,
    pub what: String,
    pub was: String,
    pub became: String,
    pub learnt: String,
}

pub async fn append(tx: &mut Tx, tenant: TenantId, changes: &[NewChange]) -> Result<()> {
    const HEAD: &str =
        "INSERT INTO template_history (id, template, tenant, at, what, was, became, learnt) VALUES";
    for run in batch::groups(tx, changes) {
        let sql = batch::rows(HEAD, 8, "");
        execute_rows!(tx, sql, run, |query, change| query
            .bind(change.id)
            .bind(change.template.raw())
            .bind(tenant.raw())
            .bind(change.at.millis())
            .bind(change.what)
            .bind(&change.was)
            .bind(&change.became)
            .bind(change.learnt))?;
    }
    Ok(())
}

/// Changes of a template before an id, newest first.
pub async fn page(
    tx: &mut Tx,
    tenant: TenantId,
    template: TemplateId,
    before: i64,
    most: i64,
) -> Result<Vec<KeptChange>> {
    const SQL: &str = "SELECT id, template, at, what, was, became, learnt FROM template_history
        WHERE tenant = $1 AND template = $2 AND id < $3 ORDER BY id DESC LIMIT $4";
    Ok(on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(template.raw())
            .bind(before)
            .bind(most)
            .fetch_all(conn)
            .await
    })?)
}

/// These of the tenant's, in no order.
pub async fn by_ids(tx: &mut Tx, tenant: TenantId, ids: &[i64]) -> Result<Vec<KeptChange>> {
    const HEAD: &str = "SELECT id, template, at, what, was, became, learnt FROM template_history
        WHERE tenant = $1 AND id IN";
    let mut found = Vec::new();
    for run in batch::groups(tx, &batch::sorted(ids.iter().copied())) {
        let sql = batch::any_of(HEAD, 2, "");
        let rows: Vec<KeptChange> = fetch_list!(tx, sql, [tenant.raw()], run)?;
        found.extend(rows);
    }
    Ok(found)
}
