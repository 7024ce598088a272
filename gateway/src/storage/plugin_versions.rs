//! Versions of a plugin inside an installation: what was uploaded, with its settings and grants, and where it stands.

use sqlx::FromRow;

use super::{Result, StorageError, Tx, execute, on_backend};
use crate::domain::rollout::{Stage, Watch};
use crate::domain::{InstallationId, TenantId, Timestamp};

/// A version of a plugin at a tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// From 1 on, within the installation.
    pub seq: i64,
    /// SHA-256 of the component, hex.
    pub digest: String,
    /// As its manifest says.
    pub version: String,
    /// JSON object.
    pub config: String,
    /// JSON array of names: what its manifest asks for.
    pub asked: String,
    /// JSON array of names: what it was given.
    pub grants: String,
    pub granted_by: String,
    pub granted_at: Timestamp,
    /// Of these, those that an earlier version had already: a JSON object that says of each who gave it and when.
    pub inherited: String,
    /// Of these, those that are not used, because the operator lets the tenant's plugins have less. Not stored: it is there
    /// where a version is shown.
    pub withheld: Vec<String>,
    pub stage: Stage,
    /// Of the conversations, while in canary.
    pub percent: i64,
    /// It was active, and did not leave because of a fault.
    pub good: bool,
    /// While it is active: the version whose place it took by a promotion; 0: it was the first, or came back.
    pub instead_of: i64,
    /// Why it is where it is.
    pub reason: String,
    /// When it came there.
    pub changed_at: Timestamp,
    pub created_at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    installation: i64,
    seq: i64,
    digest: String,
    plugin_version: String,
    config: String,
    asked: String,
    grants: String,
    granted_by: String,
    granted_at: i64,
    inherited: String,
    stage: String,
    percent: i64,
    good: i64,
    instead_of: i64,
    reason: String,
    changed_at: i64,
    created_at: i64,
}

impl Version {
    /// One for tests.
    #[cfg(test)]
    pub(crate) fn blank(seq: i64, stage: Stage) -> Self {
        let at = Timestamp::from_millis(0);
        Self {
            seq,
            digest: String::new(),
            version: format!("{seq}.0.0"),
            config: "{}".to_owned(),
            asked: "[]".to_owned(),
            grants: "[]".to_owned(),
            granted_by: String::new(),
            granted_at: at,
            inherited: "{}".to_owned(),
            withheld: Vec::new(),
            stage,
            percent: 0,
            instead_of: 0,
            good: false,
            reason: String::new(),
            changed_at: at,
            created_at: at,
        }
    }

    /// Is it still to be judged by the bounds, though it is in service?
    pub fn watch(&self) -> Option<Watch> {
        (self.stage == Stage::Active && self.instead_of != 0).then_some(Watch {
            before: self.instead_of,
            since: self.changed_at,
        })
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT installation, seq, digest, plugin_version, config, asked, grants, granted_by, granted_at, stage,
                percent, good, reason, changed_at, created_at, instead_of, inherited FROM installation_version ",
            $rest
        )
    };
}

/// Adds a version behind all that the installation had.
pub async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    installation: InstallationId,
    new: &Version,
) -> Result<()> {
    const SQL: &str = "INSERT INTO installation_version (installation, seq, tenant, digest, plugin_version, config, asked,
            grants, granted_by, granted_at, stage, percent, good, reason, changed_at, created_at, instead_of,
            inherited)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(installation.raw())
            .bind(new.seq)
            .bind(tenant.raw())
            .bind(&new.digest)
            .bind(&new.version)
            .bind(&new.config)
            .bind(&new.asked)
            .bind(&new.grants)
            .bind(&new.granted_by)
            .bind(new.granted_at.millis())
            .bind(new.stage.word())
            .bind(new.percent)
            .bind(i64::from(new.good))
            .bind(&new.reason)
            .bind(new.changed_at.millis())
            .bind(new.created_at.millis())
            .bind(new.instead_of)
            .bind(&new.inherited)
    )?;
    Ok(())
}

/// Writes what can be changed of a version: its settings, its grants, where it stands.
pub async fn update(
    tx: &mut Tx,
    tenant: TenantId,
    installation: InstallationId,
    changed: &Version,
) -> Result<()> {
    const SQL: &str = "UPDATE installation_version SET config = $4, grants = $5, granted_by = $6, granted_at = $7,
            stage = $8, percent = $9, good = $10, reason = $11, changed_at = $12, instead_of = $13,
            inherited = $14
        WHERE tenant = $1 AND installation = $2 AND seq = $3";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(installation.raw())
            .bind(changed.seq)
            .bind(&changed.config)
            .bind(&changed.grants)
            .bind(&changed.granted_by)
            .bind(changed.granted_at.millis())
            .bind(changed.stage.word())
            .bind(changed.percent)
            .bind(i64::from(changed.good))
            .bind(&changed.reason)
            .bind(changed.changed_at.millis())
            .bind(changed.instead_of)
            .bind(&changed.inherited)
    )?;
    Ok(())
}

/// All that are kept of an installation, oldest first.
pub async fn of_installation(
    tx: &mut Tx,
    tenant: TenantId,
    installation: InstallationId,
) -> Result<Vec<Version>> {
    const SQL: &str = select!("WHERE tenant = $1 AND installation = $2 ORDER BY seq");
    let rows: Vec<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(installation.raw())
            .fetch_all(conn)
            .await
    })?;
    let read = rows.into_iter().map(Row::read);
    read.map(|read| read.map(|(_, version)| version)).collect()
}

/// Every version that is not retired, of installations that stand.
pub(super) async fn in_service_all_tenants(tx: &mut Tx) -> Result<Vec<(InstallationId, Version)>> {
    const SQL: &str = select!("WHERE stage <> 'retired' ORDER BY installation, seq");
    let rows: Vec<Row> = on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await)?;
    rows.into_iter().map(Row::read).collect()
}

/// Where a digest stands and is not retired, after an installation, in their order.
pub async fn with_digest_all_tenants(
    tx: &mut Tx,
    digest: &str,
    after: InstallationId,
    most: i64,
) -> Result<Vec<(TenantId, InstallationId)>> {
    const SQL: &str = "SELECT DISTINCT i.tenant, i.id FROM installation_version v
        JOIN installation i ON i.id = v.installation
        WHERE v.digest = $1 AND v.installation > $2 AND v.stage <> 'retired' AND i.state <> 'retired'
        ORDER BY i.id LIMIT $3";
    let rows: Vec<(i64, i64)> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(digest)
        .bind(after.raw())
        .bind(most)
        .fetch_all(conn)
        .await)?;
    let read = |(tenant, id)| (TenantId::from_raw(tenant), InstallationId::from_raw(id));
    Ok(rows.into_iter().map(read).collect())
}

/// Forgets a version, and what it did.
pub async fn forget(
    tx: &mut Tx,
    tenant: TenantId,
    installation: InstallationId,
    seq: i64,
) -> Result<()> {
    for sql in [
        "DELETE FROM installation_version WHERE tenant = $1 AND installation = $2 AND seq = $3",
        "DELETE FROM plugin_health WHERE tenant = $1 AND installation = $2 AND seq = $3",
        "DELETE FROM node_plugin WHERE tenant = $1 AND installation = $2 AND seq = $3",
    ] {
        execute!(
            tx,
            sqlx::query(sql)
                .bind(tenant.raw())
                .bind(installation.raw())
                .bind(seq)
        )?;
    }
    Ok(())
}

impl Row {
    fn read(self) -> Result<(InstallationId, Version)> {
        let stage = Stage::from_word(&self.stage)
            .ok_or_else(|| StorageError::Corrupt(format!("stage `{}`", self.stage)))?;
        let version = Version {
            seq: self.seq,
            digest: self.digest,
            version: self.plugin_version,
            config: self.config,
            asked: self.asked,
            grants: self.grants,
            granted_by: self.granted_by,
            granted_at: Timestamp::from_millis(self.granted_at),
            inherited: self.inherited,
            withheld: Vec::new(),
            stage,
            percent: self.percent,
            good: self.good != 0,
            instead_of: self.instead_of,
            reason: self.reason,
            changed_at: Timestamp::from_millis(self.changed_at),
            created_at: Timestamp::from_millis(self.created_at),
        };
        Ok((InstallationId::from_raw(self.installation), version))
    }
}
