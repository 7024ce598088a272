//! Business phone numbers.

use sqlx::FromRow;

use super::{Result, Tx, changes, execute, on_backend, rows};
use crate::domain::number::Number;
use crate::domain::{AppId, CredentialId, NumberId, TenantId, Timestamp};

#[derive(FromRow)]
pub(super) struct Row {
    id: i64,
    tenant: i64,
    app: i64,
    credential: i64,
    portfolio: String,
    waba_id: String,
    phone_number_id: String,
    display_number: String,
    time_zone: String,
    throughput: i64,
    connected_at: i64,
}

/// Adds a number to `tenant`. `false`: its phone-number id is somebody's already, and nothing changed.
pub async fn insert_number(tx: &mut Tx, tenant: TenantId, number: &Number) -> Result<bool> {
    const SQL: &str = "INSERT INTO number (id, tenant, app, credential, portfolio, waba_id, phone_number_id,
            display_number, time_zone, throughput, bucket, connected_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (phone_number_id) DO NOTHING";
    let added = execute!(
        tx,
        sqlx::query(SQL)
            .bind(number.id.raw())
            .bind(tenant.raw())
            .bind(number.app.raw())
            .bind(number.credential.raw())
            .bind(&number.portfolio)
            .bind(&number.waba_id)
            .bind(&number.phone_number_id)
            .bind(&number.display_number)
            .bind(&number.time_zone)
            .bind(number.throughput)
            .bind(number.bucket().raw())
            .bind(number.connected_at.millis())
    )?;
    changes::bump_setup_all_tenants(tx).await?;
    Ok(added == 1)
}

/// Meta lets the number send so many messages a second from now on. It has never taken any back, so one that is set
/// higher stays.
pub async fn raise_throughput(
    tx: &mut Tx,
    tenant: TenantId,
    number: NumberId,
    throughput: i64,
) -> Result<()> {
    let sql = "UPDATE number SET throughput = $3 WHERE id = $1 AND tenant = $2 AND throughput < $3";
    let raised = execute!(
        tx,
        sqlx::query(sql)
            .bind(number.raw())
            .bind(tenant.raw())
            .bind(throughput)
    )?;
    if raised > 0 {
        changes::bump_setup_all_tenants(tx).await?;
    }
    Ok(())
}

/// The number with this id of Meta's, whoever's it is.
pub async fn number_by_phone_number_id_all_tenants(
    tx: &mut Tx,
    phone_number_id: &str,
) -> Result<Option<Number>> {
    const SQL: &str =
        "SELECT id, tenant, app, credential, portfolio, waba_id, phone_number_id, display_number,
            time_zone, throughput, connected_at FROM number WHERE phone_number_id = $1";
    let row: Option<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(phone_number_id)
            .fetch_optional(conn)
            .await
    })?;
    Ok(row.map(Number::from))
}

/// A tenant's number.
pub async fn number(tx: &mut Tx, tenant: TenantId, id: NumberId) -> Result<Option<Number>> {
    const SQL: &str =
        "SELECT id, tenant, app, credential, portfolio, waba_id, phone_number_id, display_number,
            time_zone, throughput, connected_at FROM number WHERE tenant = $1 AND id = $2";
    let row: Option<Row> = rows::one(tx, tenant, SQL, id.raw()).await?;
    Ok(row.map(Number::from))
}

/// A tenant's numbers after an id, oldest first.
pub async fn numbers_of(
    tx: &mut Tx,
    tenant: TenantId,
    after: i64,
    most: i64,
) -> Result<Vec<Number>> {
    const SQL: &str =
        "SELECT id, tenant, app, credential, portfolio, waba_id, phone_number_id, display_number,
            time_zone, throughput, connected_at FROM number WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3";
    let rows: Vec<Row> = rows::page(tx, tenant, SQL, after, most).await?;
    Ok(rows.into_iter().map(Number::from).collect())
}

/// What Meta is asked for of each number once in a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    Quality,
    BlockList,
}

/// When Meta was last asked for it, by whichever node; zero: never.
pub async fn read_at(
    tx: &mut Tx,
    tenant: TenantId,
    number: NumberId,
    reading: Reading,
) -> Result<Timestamp> {
    let sql = match reading {
        Reading::Quality => "SELECT quality_read_at FROM number WHERE tenant = $1 AND id = $2",
        Reading::BlockList => "SELECT blocks_read_at FROM number WHERE tenant = $1 AND id = $2",
    };
    let at: Option<i64> = on_backend!(tx, |conn| {
        sqlx::query_scalar(sql)
            .bind(tenant.raw())
            .bind(number.raw())
            .fetch_optional(conn)
            .await
    })?;
    Ok(Timestamp::from_millis(at.unwrap_or(0)))
}

/// Nothing that is kept in memory of a number: no node has to read setup again.
pub async fn set_read_at(
    tx: &mut Tx,
    tenant: TenantId,
    number: NumberId,
    reading: Reading,
    at: Timestamp,
) -> Result<()> {
    let sql = match reading {
        Reading::Quality => "UPDATE number SET quality_read_at = $3 WHERE tenant = $1 AND id = $2",
        Reading::BlockList => "UPDATE number SET blocks_read_at = $3 WHERE tenant = $1 AND id = $2",
    };
    execute!(
        tx,
        sqlx::query(sql)
            .bind(tenant.raw())
            .bind(number.raw())
            .bind(at.millis())
    )?;
    Ok(())
}

/// Writes what may change of a number.
pub async fn update_number(tx: &mut Tx, tenant: TenantId, number: &Number) -> Result<()> {
    const SQL: &str =
        "UPDATE number SET credential = $3, display_number = $4, time_zone = $5, throughput = $6
        WHERE tenant = $1 AND id = $2";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(number.id.raw())
            .bind(number.credential.raw())
            .bind(&number.display_number)
            .bind(&number.time_zone)
            .bind(number.throughput)
    )?;
    changes::bump_setup_all_tenants(tx).await
}

/// Every number, oldest first.
pub async fn numbers_all_tenants(tx: &mut Tx) -> Result<Vec<Number>> {
    const SQL: &str =
        "SELECT id, tenant, app, credential, portfolio, waba_id, phone_number_id, display_number,
            time_zone, throughput, connected_at FROM number ORDER BY id";
    let rows: Vec<Row> = on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(Number::from).collect())
}

impl From<Row> for Number {
    fn from(row: Row) -> Self {
        Self {
            id: NumberId::from_raw(row.id),
            tenant: TenantId::from_raw(row.tenant),
            app: AppId::from_raw(row.app),
            credential: CredentialId::from_raw(row.credential),
            portfolio: row.portfolio,
            waba_id: row.waba_id,
            phone_number_id: row.phone_number_id,
            display_number: row.display_number,
            time_zone: row.time_zone,
            throughput: row.throughput,
            connected_at: Timestamp::from_millis(row.connected_at),
        }
    }
}
