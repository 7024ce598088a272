//! Contacts as people and clients edit them: the tenant's own key, typed attributes, lists; and imports that wait.

use sqlx::FromRow;

use super::embedded::Embedded;
use super::{Result, Tx, batch, execute, execute_rows, on_backend, rows::moment};
use crate::domain::{ContactId, TenantId, Timestamp};

/// A contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    pub id: ContactId,
    pub display_name: String,
    pub phone: String,
    pub bsuid: String,
    pub parent_bsuid: String,
    /// As they show it; it may become somebody else's.
    pub username: String,
    /// When Meta last said that they have another number or user id.
    pub moved_at: Option<Timestamp>,
    /// The tenant's own key; empty: none.
    pub external_id: String,
    /// JSON object.
    pub attributes: String,
    /// Moves with every change by people.
    pub version: i64,
    pub created_at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    display_name: String,
    phone: String,
    bsuid: String,
    parent_bsuid: String,
    username: String,
    moved_at: i64,
    external_id: String,
    attributes: String,
    version: i64,
    created_at: i64,
}

fn contact(row: Row) -> Contact {
    Contact {
        id: ContactId::from_raw(row.id),
        display_name: row.display_name,
        phone: row.phone,
        bsuid: row.bsuid,
        parent_bsuid: row.parent_bsuid,
        username: row.username,
        moved_at: moment(row.moved_at),
        external_id: row.external_id,
        attributes: row.attributes,
        version: row.version,
        created_at: Timestamp::from_millis(row.created_at),
    }
}

const COLUMNS: &str = "SELECT id, display_name, phone, bsuid, parent_bsuid, username, moved_at, external_id, attributes,
    version, created_at FROM contact";

/// One contact of a tenant.
pub async fn find(tx: &mut Tx, tenant: TenantId, id: ContactId) -> Result<Option<Contact>> {
    one(tx, tenant, "id = $2", id.raw(), "").await
}

/// The same, locked until the transaction ends.
pub async fn lock(tx: &mut Tx, tenant: TenantId, id: ContactId) -> Result<Option<Contact>> {
    let tail = tx.pick("", "FOR UPDATE");
    one(tx, tenant, "id = $2", id.raw(), tail).await
}

/// The contact that the tenant calls so, locked until the transaction ends.
pub async fn lock_external(
    tx: &mut Tx,
    tenant: TenantId,
    external_id: &str,
) -> Result<Option<Contact>> {
    let tail = tx.pick("", "FOR UPDATE");
    // The index's predicate, word for word.
    one(
        tx,
        tenant,
        "external_id <> '' AND external_id = $2",
        external_id,
        tail,
    )
    .await
}

async fn one<'a, T>(
    tx: &mut Tx,
    tenant: TenantId,
    which: &str,
    key: T,
    tail: &str,
) -> Result<Option<Contact>>
where
    T: 'a + Send + sqlx::Encode<'a, Embedded> + sqlx::Type<Embedded>,
    T: sqlx::Encode<'a, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let sql = sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE tenant = $1 AND {which} {tail}"));
    let row: Option<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(sql)
            .bind(tenant.raw())
            .bind(key)
            .fetch_optional(conn)
            .await
    })?;
    Ok(row.map(contact))
}

/// Which contacts are asked for; what is empty does not matter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub external_id: String,
    pub phone: String,
    /// Part of the name, whatever its case.
    pub name: String,
}

/// A tenant's contacts after this one, oldest first.
pub async fn page(
    tx: &mut Tx,
    tenant: TenantId,
    filter: &Filter,
    after: i64,
    limit: i64,
) -> Result<Vec<Contact>> {
    let external = match filter.external_id.as_str() {
        "" => "AND $3 = ''",
        _ => "AND external_id <> '' AND external_id = $3",
    };
    let phone = match filter.phone.as_str() {
        "" => "AND $4 = ''",
        _ => {
            "AND id IN (SELECT contact FROM identity WHERE tenant = $1 AND scope = '' AND kind = 1 AND value = $4)"
        }
    };
    let sql = sqlx::AssertSqlSafe(format!(
        "{COLUMNS} WHERE tenant = $1 AND id > $2 {external} {phone}
            AND ($5 = '' OR LOWER(display_name) LIKE $5 ESCAPE '!') ORDER BY id LIMIT $6"
    ));
    let name = match filter.name.as_str() {
        "" => String::new(),
        name => format!("%{}%", escaped(&name.to_lowercase())),
    };
    let rows: Vec<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(sql)
            .bind(tenant.raw())
            .bind(after)
            .bind(&filter.external_id)
            .bind(&filter.phone)
            .bind(&name)
            .bind(limit)
            .fetch_all(conn)
            .await
    })?;
    Ok(rows.into_iter().map(contact).collect())
}

fn escaped(text: &str) -> String {
    text.replace('!', "!!")
        .replace('%', "!%")
        .replace('_', "!_")
}

/// Writes what people changed. The row must be locked.
pub async fn store(tx: &mut Tx, tenant: TenantId, contact: &Contact) -> Result<()> {
    const SQL: &str = "UPDATE contact SET display_name = $3, external_id = $4, attributes = $5, version = version + 1
        WHERE tenant = $1 AND id = $2";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(contact.id.raw())
            .bind(&contact.display_name)
            .bind(&contact.external_id)
            .bind(&contact.attributes)
    )?;
    Ok(())
}

/// The attributes that a tenant has defined, with their kinds.
pub async fn definitions(tx: &mut Tx, tenant: TenantId) -> Result<Vec<(String, String)>> {
    const SQL: &str = "SELECT name, kind FROM contact_attribute WHERE tenant = $1 ORDER BY name";
    Ok(on_backend!(tx, |conn| {
        sqlx::query_as(SQL).bind(tenant.raw()).fetch_all(conn).await
    })?)
}

/// The attributes that tenants have defined, with their kinds.
pub async fn definitions_all_tenants(tx: &mut Tx) -> Result<Vec<(TenantId, String, String)>> {
    const SQL: &str = "SELECT tenant, name, kind FROM contact_attribute ORDER BY tenant, name";
    let rows: Vec<(i64, String, String)> =
        on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await)?;
    let owned = rows
        .into_iter()
        .map(|(tenant, name, kind)| (TenantId::from_raw(tenant), name, kind));
    Ok(owned.collect())
}

/// Defines an attribute. `false`: there is one of this name.
pub async fn define(
    tx: &mut Tx,
    tenant: TenantId,
    name: &str,
    kind: &str,
    now: Timestamp,
) -> Result<bool> {
    const SQL: &str =
        "INSERT INTO contact_attribute (tenant, name, kind, created_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (tenant, name) DO NOTHING";
    let added = execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(name)
            .bind(kind)
            .bind(now.millis())
    )?;
    Ok(added == 1)
}

/// Keeps what an import was given, numbered from 1 on.
pub async fn add_import(
    tx: &mut Tx,
    tenant: TenantId,
    import: i64,
    items: &[String],
) -> Result<()> {
    let numbered: Vec<(i64, &String)> = (1..).zip(items).collect();
    for run in batch::groups(tx, &numbered) {
        let sql = batch::rows(
            "INSERT INTO contact_import (id, ordinal, tenant, item) VALUES",
            4,
            "",
        );
        execute_rows!(tx, sql, run, |query, (ordinal, item)| {
            query
                .bind(import)
                .bind(*ordinal)
                .bind(tenant.raw())
                .bind(*item)
        })?;
    }
    Ok(())
}

/// Items of an import after this one.
pub async fn import_items(
    tx: &mut Tx,
    tenant: TenantId,
    import: i64,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, String)>> {
    const SQL: &str =
        "SELECT ordinal, item FROM contact_import WHERE id = $1 AND tenant = $2 AND ordinal > $3
        ORDER BY ordinal LIMIT $4";
    Ok(on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(import)
            .bind(tenant.raw())
            .bind(after)
            .bind(limit)
            .fetch_all(conn)
            .await
    })?)
}

/// Lets go of an import that was read to its end.
pub async fn drop_import(tx: &mut Tx, tenant: TenantId, import: i64) -> Result<()> {
    const SQL: &str = "DELETE FROM contact_import WHERE id = $1 AND tenant = $2";
    execute!(tx, sqlx::query(SQL).bind(import).bind(tenant.raw()))?;
    Ok(())
}
