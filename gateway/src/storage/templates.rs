//! Templates of each WhatsApp Business Account as Meta has them. What a row may become is `templates::learn`'s to say.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::{Result, Tx, batch, execute, execute_rows, fetch_list, on_backend, rows, rows::moment};
use crate::domain::{TemplateId, TenantId, Timestamp};

/// One language version. Statuses, categories and qualities are Meta's words, those that nobody knows yet too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pub id: TemplateId,
    pub tenant: TenantId,
    /// WABA.
    pub account: String,
    pub name: String,
    pub language: String,
    pub meta_id: String,
    /// Empty: not told yet.
    pub status: String,
    pub status_at: Timestamp,
    /// What it was submitted as, if that was done here.
    pub asked_category: String,
    /// What Meta charges it as today.
    pub category: String,
    pub category_at: Timestamp,
    pub next_category: String,
    pub next_category_at: Option<Timestamp>,
    pub quality: String,
    pub quality_at: Timestamp,
    pub rejected: String,
    /// JSON; empty: not read yet.
    pub components: String,
    pub ttl_seconds: i64,
    /// Id of the pass that saw it last, or of what spoke of it since.
    pub heard: i64,
    pub gone_at: Option<Timestamp>,
    pub refetch: bool,
    pub created_at: Timestamp,
    pub changed_at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    tenant: i64,
    account: String,
    name: String,
    language: String,
    meta_id: String,
    status: String,
    status_at: i64,
    asked_category: String,
    category: String,
    category_at: i64,
    next_category: String,
    next_category_at: i64,
    quality: String,
    quality_at: i64,
    rejected: String,
    components: String,
    ttl_seconds: i64,
    heard: i64,
    gone_at: i64,
    refetch: i64,
    created_at: i64,
    changed_at: i64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, tenant, account, name, language, meta_id, status, status_at, asked_category, category, category_at,
                next_category, next_category_at, quality, quality_at, rejected, components, ttl_seconds, heard, gone_at,
                refetch, created_at, changed_at FROM template ",
            $rest
        )
    };
}

impl From<Row> for Template {
    fn from(row: Row) -> Self {
        Self {
            id: TemplateId::from_raw(row.id),
            tenant: TenantId::from_raw(row.tenant),
            account: row.account,
            name: row.name,
            language: row.language,
            meta_id: row.meta_id,
            status: row.status,
            status_at: Timestamp::from_millis(row.status_at),
            asked_category: row.asked_category,
            category: row.category,
            category_at: Timestamp::from_millis(row.category_at),
            next_category: row.next_category,
            next_category_at: moment(row.next_category_at),
            quality: row.quality,
            quality_at: Timestamp::from_millis(row.quality_at),
            rejected: row.rejected,
            components: row.components,
            ttl_seconds: row.ttl_seconds,
            heard: row.heard,
            gone_at: moment(row.gone_at),
            refetch: row.refetch == 1,
            created_at: Timestamp::from_millis(row.created_at),
            changed_at: Timestamp::from_millis(row.changed_at),
        }
    }
}

fn read(rows: Vec<Row>) -> Vec<Template> {
    rows.into_iter().map(Template::from).collect()
}

/// The account's templates of these names, locked, in the order of names and languages.
pub async fn lock_named(
    tx: &mut Tx,
    tenant: TenantId,
    account: &str,
    names: &[&str],
) -> Result<Vec<Template>> {
    const HEAD: &str = select!("WHERE tenant = $1 AND account = $2 AND name IN");
    let mut names = names.to_vec();
    names.sort_unstable();
    names.dedup();
    let tail = tx.pick(
        "ORDER BY name, language",
        "ORDER BY name, language FOR UPDATE",
    );
    let mut found = Vec::new();
    for run in batch::runs(&names) {
        let sql = batch::list(HEAD, run.len(), 3, tail);
        let rows: Vec<Row> = on_backend!(tx, |conn| {
            let mut query = sqlx::query_as(sql).bind(tenant.raw()).bind(account);
            for name in run {
                query = query.bind(*name);
            }
            query.fetch_all(conn).await
        })?;
        found.extend(read(rows));
    }
    Ok(found)
}

/// Every language of a name in one account, or of every account.
pub async fn languages(
    tx: &mut Tx,
    tenant: TenantId,
    account: &str,
    name: &str,
) -> Result<Vec<Template>> {
    const SQL: &str = select!("WHERE tenant = $1 AND account = $2 AND name = $3 ORDER BY language");
    let rows: Vec<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(account)
            .bind(name)
            .fetch_all(conn)
            .await
    })?;
    Ok(read(rows))
}

pub async fn find(tx: &mut Tx, tenant: TenantId, id: TemplateId) -> Result<Option<Template>> {
    let sql = select!("WHERE tenant = $1 AND id = $2");
    let row: Option<Row> = rows::one(tx, tenant, sql, id.raw()).await?;
    Ok(row.map(Template::from))
}

/// These of the tenant's, in no order.
pub async fn by_ids(tx: &mut Tx, tenant: TenantId, ids: &[i64]) -> Result<Vec<Template>> {
    const HEAD: &str = select!("WHERE tenant = $1 AND id IN");
    let mut found = Vec::new();
    for run in batch::groups(tx, &batch::sorted(ids.iter().copied())) {
        let sql = batch::any_of(HEAD, 2, "");
        let rows: Vec<Row> = fetch_list!(tx, sql, [tenant.raw()], run)?;
        found.extend(read(rows));
    }
    Ok(found)
}

/// Where a template stands in the order of lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place(pub String, pub String, pub String);

impl Template {
    pub fn place(&self) -> Place {
        Place(
            self.account.clone(),
            self.name.clone(),
            self.language.clone(),
        )
    }
}

/// Which templates are asked for; what is empty does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub account: String,
    pub name: String,
    pub language: String,
    pub status: String,
    pub category: String,
    /// Those that a whole pass did not see, too.
    pub gone: bool,
}

/// By account, name and language, after a place.
pub async fn page(
    tx: &mut Tx,
    tenant: TenantId,
    filter: &Filter,
    after: &Place,
    most: i64,
) -> Result<Vec<Template>> {
    const SQL: &str = select!(
        "WHERE tenant = $1 AND (account, name, language) > ($2, $3, $4)
            AND ($5 = '' OR account = $5) AND ($6 = '' OR name = $6) AND ($7 = '' OR language = $7)
            AND ($8 = '' OR status = $8) AND ($9 = '' OR category = $9) AND ($10 = 1 OR gone_at = 0)
        ORDER BY account, name, language LIMIT $11"
    );
    let rows: Vec<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(&after.0)
            .bind(&after.1)
            .bind(&after.2)
            .bind(&filter.account)
            .bind(&filter.name)
            .bind(&filter.language)
            .bind(&filter.status)
            .bind(&filter.category)
            .bind(i64::from(filter.gone))
            .bind(most)
            .fetch_all(conn)
            .await
    })?;
    Ok(read(rows))
}

/// Adds rows. Answers how many: one that somebody else has added since the caller looked is left as it is.
pub async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    templates: &[Template],
    revision: i64,
) -> Result<u64> {
    const HEAD: &str = "INSERT INTO template (id, tenant, account, name, language, meta_id, status, status_at, asked_category,
        category, category_at, next_category, next_category_at, quality, quality_at, rejected, components, ttl_seconds,
        heard, gone_at, refetch, revision, created_at, changed_at) VALUES";
    const TAIL: &str = "ON CONFLICT (tenant, account, name, language) DO NOTHING";
    let mut added = 0;
    for run in batch::groups(tx, templates) {
        let sql = batch::rows(HEAD, 24, TAIL);
        added += execute_rows!(tx, sql, run, |query, row| query
            .bind(row.id.raw())
            .bind(tenant.raw())
            .bind(&row.account)
            .bind(&row.name)
            .bind(&row.language)
            .bind(&row.meta_id)
            .bind(&row.status)
            .bind(row.status_at.millis())
            .bind(&row.asked_category)
            .bind(&row.category)
            .bind(row.category_at.millis())
            .bind(&row.next_category)
            .bind(row.next_category_at.map_or(0, Timestamp::millis))
            .bind(&row.quality)
            .bind(row.quality_at.millis())
            .bind(&row.rejected)
            .bind(&row.components)
            .bind(row.ttl_seconds)
            .bind(row.heard)
            .bind(row.gone_at.map_or(0, Timestamp::millis))
            .bind(i64::from(row.refetch))
            .bind(revision)
            .bind(row.created_at.millis())
            .bind(row.changed_at.millis()))?;
    }
    Ok(added)
}

/// Writes everything of a row that may change.
pub async fn update(tx: &mut Tx, tenant: TenantId, row: &Template, revision: i64) -> Result<()> {
    const SQL: &str = "UPDATE template SET meta_id = $3, status = $4, status_at = $5, asked_category = $6, category = $7,
            category_at = $8, next_category = $9, next_category_at = $10, quality = $11, quality_at = $12, rejected = $13,
            components = $14, ttl_seconds = $15, heard = $16, gone_at = $17, refetch = $18, revision = $19, changed_at = $20
        WHERE tenant = $1 AND id = $2";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(row.id.raw())
            .bind(&row.meta_id)
            .bind(&row.status)
            .bind(row.status_at.millis())
            .bind(&row.asked_category)
            .bind(&row.category)
            .bind(row.category_at.millis())
            .bind(&row.next_category)
            .bind(row.next_category_at.map_or(0, Timestamp::millis))
            .bind(&row.quality)
            .bind(row.quality_at.millis())
            .bind(&row.rejected)
            .bind(&row.components)
            .bind(row.ttl_seconds)
            .bind(row.heard)
            .bind(row.gone_at.map_or(0, Timestamp::millis))
            .bind(i64::from(row.refetch))
            .bind(revision)
            .bind(row.changed_at.millis())
    )?;
    Ok(())
}

/// Meta was heard of these, and said nothing new. `read_at`: when all that is known of them was read; zero: it was not.
pub async fn hear(
    tx: &mut Tx,
    tenant: TenantId,
    ids: &[i64],
    heard: i64,
    read_at: Timestamp,
) -> Result<()> {
    const HEAD: &str = "UPDATE template SET heard = CASE WHEN heard < $1 THEN $1 ELSE heard END,
            refetch = CASE WHEN $2 > 0 THEN 0 ELSE refetch END,
            status_at = CASE WHEN status_at < $2 THEN $2 ELSE status_at END,
            category_at = CASE WHEN category_at < $2 THEN $2 ELSE category_at END,
            quality_at = CASE WHEN quality_at < $2 THEN $2 ELSE quality_at END
        WHERE tenant = $3 AND id IN";
    for run in batch::runs(&batch::sorted(ids.iter().copied())) {
        let sql = batch::list(HEAD, run.len(), 4, "");
        on_backend!(tx, |conn| {
            let mut query = sqlx::query(sql)
                .bind(heard)
                .bind(read_at.millis())
                .bind(tenant.raw());
            for id in run {
                query = query.bind(*id);
            }
            query.execute(conn).await.map(|done| done.rows_affected())
        })?;
    }
    Ok(())
}

/// Those of an account (`name` empty) or of one of its names that are there as far as we know, and of which nothing was
/// heard since `before`. Locked, a bounded number.
pub async fn lock_unheard(
    tx: &mut Tx,
    tenant: TenantId,
    account: &str,
    name: &str,
    before: i64,
    most: i64,
) -> Result<Vec<Template>> {
    let sql = tx.pick(
        select!(
            "WHERE tenant = $1 AND account = $2 AND ($3 = '' OR name = $3) AND heard < $4 AND gone_at = 0
            ORDER BY name, language LIMIT $5"
        ),
        select!(
            "WHERE tenant = $1 AND account = $2 AND ($3 = '' OR name = $3) AND heard < $4 AND gone_at = 0
            ORDER BY name, language LIMIT $5 FOR UPDATE"
        ),
    );
    let rows: Vec<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(sql)
            .bind(tenant.raw())
            .bind(account)
            .bind(name)
            .bind(before)
            .bind(most)
            .fetch_all(conn)
            .await
    })?;
    Ok(read(rows))
}

/// Says that what is kept of a name may be out of date. Answers whether a row of it is kept at all.
pub async fn mark_stale(tx: &mut Tx, tenant: TenantId, account: &str, name: &str) -> Result<bool> {
    const SQL: &str =
        "UPDATE template SET refetch = 1 WHERE tenant = $1 AND account = $2 AND name = $3";
    let rows = execute!(
        tx,
        sqlx::query(SQL).bind(tenant.raw()).bind(account).bind(name)
    )?;
    Ok(rows > 0)
}

/// Nothing of this name is to be asked for again: it was just now.
pub async fn mark_fresh(tx: &mut Tx, tenant: TenantId, account: &str, name: &str) -> Result<()> {
    const SQL: &str = "UPDATE template SET refetch = 0
        WHERE tenant = $1 AND account = $2 AND name = $3 AND refetch = 1";
    execute!(
        tx,
        sqlx::query(SQL).bind(tenant.raw()).bind(account).bind(name)
    )?;
    Ok(())
}

/// Names that are to be asked for again: `(tenant, account, name)`.
pub async fn stale_all_tenants(tx: &mut Tx, most: i64) -> Result<Vec<(TenantId, String, String)>> {
    const SQL: &str = "SELECT DISTINCT tenant, account, name FROM template WHERE refetch = 1
        ORDER BY tenant, account, name LIMIT $1";
    let rows: Vec<(i64, String, String)> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL).bind(most).fetch_all(conn).await
    })?;
    let named = |(tenant, account, name)| (TenantId::from_raw(tenant), account, name);
    Ok(rows.into_iter().map(named).collect())
}

/// What sending needs to know of a template.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ForSending {
    pub revision: i64,
    pub id: i64,
    pub tenant: i64,
    pub account: String,
    pub name: String,
    pub language: String,
    pub status: String,
    pub category: String,
    pub next_category: String,
    pub next_category_at: i64,
    pub quality: String,
    pub components: String,
    pub gone_at: i64,
}

/// The states of an account's templates, those that are gone among them, without their words.
pub async fn states(tx: &mut Tx, tenant: TenantId, account: &str) -> Result<Vec<ForSending>> {
    const SQL: &str =
        "SELECT revision, id, tenant, account, name, language, status, category, next_category,
            next_category_at, quality, '' AS components, gone_at FROM template WHERE tenant = $1 AND account = $2";
    Ok(on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(account)
            .fetch_all(conn)
            .await
    })?)
}

/// What has changed after a revision and an id of it, in that order.
pub async fn changed_all_tenants(
    tx: &mut Tx,
    after: (i64, i64),
    most: i64,
) -> Result<Vec<ForSending>> {
    const SQL: &str =
        "SELECT revision, id, tenant, account, name, language, status, category, next_category,
            next_category_at, quality, components, gone_at FROM template
        WHERE revision >= $1 AND (revision > $1 OR id > $2) ORDER BY revision, id LIMIT $3";
    Ok(on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(after.0)
            .bind(after.1)
            .bind(most)
            .fetch_all(conn)
            .await
    })?)
}
