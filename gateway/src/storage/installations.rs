//! Which plugin version runs for whom.

use sqlx::FromRow;

use super::{Result, Tx, batch, changes, execute, fetch_list, on_backend, rows};
use crate::domain::{InstallationId, NumberId, TenantId, Timestamp};

/// An installation that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    pub id: InstallationId,
    pub tenant: TenantId,
    /// `None`: every number of the tenant.
    pub number: Option<NumberId>,
    pub plugin: String,
    pub plugin_version: String,
    /// SHA-256 of the component, hex.
    pub digest: String,
    /// Plugins of a turn run in this order.
    pub position: i64,
    /// JSON object.
    pub config: String,
    /// JSON array of names.
    pub grants: String,
    /// Moves with every change: a commit checks that it still runs under the generation that it began with.
    pub generation: i64,
    /// Its plugin exports `on-receipt`.
    pub hears_receipts: bool,
    pub created_at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    tenant: i64,
    number: i64,
    plugin: String,
    plugin_version: String,
    digest: String,
    position: i64,
    config: String,
    grants: String,
    generation: i64,
    hears_receipts: i64,
    created_at: i64,
}

/// Puts an installation into service in the place of whatever version of that plugin ran for the same numbers.
pub async fn replace_installation(
    tx: &mut Tx,
    tenant: TenantId,
    installation: &Installation,
) -> Result<()> {
    const SQL: &str = "INSERT INTO installation (id, tenant, number, plugin, plugin_version, digest, position, config,
            grants, state, generation, created_at, hears_receipts)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'active', $10, $11, $12)";
    let number = installation.number.map_or(0, NumberId::raw);
    retire_installations(tx, tenant, &installation.plugin, number).await?;
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(installation.id.raw())
            .bind(tenant.raw())
            .bind(number)
            .bind(&installation.plugin)
            .bind(&installation.plugin_version)
            .bind(&installation.digest)
            .bind(installation.position)
            .bind(&installation.config)
            .bind(&installation.grants)
            .bind(installation.generation)
            .bind(installation.created_at.millis())
            .bind(i64::from(installation.hears_receipts))
    )?;
    changes::bump_setup_all_tenants(tx).await
}

async fn retire_installations(
    tx: &mut Tx,
    tenant: TenantId,
    plugin: &str,
    number: i64,
) -> Result<()> {
    const SQL: &str = "UPDATE installation SET state = 'retired', generation = generation + 1
        WHERE tenant = $1 AND plugin = $2 AND number = $3 AND state = 'active'";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(plugin)
            .bind(number)
    )?;
    Ok(())
}

/// For which numbers of the tenant an installation runs, one for each; `None`: for all of them.
pub async fn numbers_of_installations(
    tx: &mut Tx,
    tenant: TenantId,
) -> Result<Vec<Option<NumberId>>> {
    const SQL: &str = "SELECT number FROM installation WHERE tenant = $1 AND state = 'active'";
    let rows: Vec<(i64,)> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(tenant.raw())
        .fetch_all(conn)
        .await)?;
    let number = |(raw,): (i64,)| (raw != 0).then(|| NumberId::from_raw(raw));
    Ok(rows.into_iter().map(number).collect())
}

/// Every installation that runs, in the order of its tenant's turns.
pub async fn installations_all_tenants(tx: &mut Tx) -> Result<Vec<Installation>> {
    const SQL: &str = "SELECT id, tenant, number, plugin, plugin_version, digest, position, config, grants, generation,
            hears_receipts, created_at FROM installation WHERE state = 'active' ORDER BY tenant, position, id";
    let rows: Vec<Row> = on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(Installation::from).collect())
}

/// A tenant's installation that runs.
pub async fn installation(
    tx: &mut Tx,
    tenant: TenantId,
    id: InstallationId,
) -> Result<Option<Installation>> {
    const SQL: &str = "SELECT id, tenant, number, plugin, plugin_version, digest, position, config, grants, generation,
            hears_receipts, created_at FROM installation WHERE tenant = $1 AND id = $2 AND state = 'active'";
    let row: Option<Row> = rows::one(tx, tenant, SQL, id.raw()).await?;
    Ok(row.map(Installation::from))
}

/// A tenant's installations that run, after an id, oldest first.
pub async fn installations_of(
    tx: &mut Tx,
    tenant: TenantId,
    after: i64,
    most: i64,
) -> Result<Vec<Installation>> {
    const SQL: &str = "SELECT id, tenant, number, plugin, plugin_version, digest, position, config, grants, generation,
            hears_receipts, created_at FROM installation WHERE tenant = $1 AND state = 'active' AND id > $2 ORDER BY id LIMIT $3";
    let rows: Vec<Row> = rows::page(tx, tenant, SQL, after, most).await?;
    Ok(rows.into_iter().map(Installation::from).collect())
}

/// Takes an installation out of service.
pub async fn retire_installation(tx: &mut Tx, tenant: TenantId, id: InstallationId) -> Result<()> {
    const SQL: &str = "UPDATE installation SET state = 'retired', generation = generation + 1
        WHERE tenant = $1 AND id = $2 AND state = 'active'";
    execute!(tx, sqlx::query(SQL).bind(tenant.raw()).bind(id.raw()))?;
    changes::bump_setup_all_tenants(tx).await
}

/// Which of these installations run, and under which generation.
pub async fn running_all_tenants(
    tx: &mut Tx,
    ids: &[InstallationId],
) -> Result<Vec<(InstallationId, i64)>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids = batch::padded(&ids.iter().map(|id| id.raw()).collect::<Vec<_>>());
    let head = "SELECT id, generation FROM installation WHERE state = 'active' AND id IN";
    let rows: Vec<(i64, i64)> =
        fetch_list!(tx, batch::list(head, ids.len(), 1, ""), [0_i64; 0], &ids)?;
    Ok(rows
        .into_iter()
        .map(|(id, generation)| (InstallationId::from_raw(id), generation))
        .collect())
}

impl From<Row> for Installation {
    fn from(row: Row) -> Self {
        Self {
            id: InstallationId::from_raw(row.id),
            tenant: TenantId::from_raw(row.tenant),
            number: (row.number != 0).then(|| NumberId::from_raw(row.number)),
            plugin: row.plugin,
            plugin_version: row.plugin_version,
            digest: row.digest,
            position: row.position,
            config: row.config,
            grants: row.grants,
            generation: row.generation,
            hears_receipts: row.hears_receipts != 0,
            created_at: Timestamp::from_millis(row.created_at),
        }
    }
}
