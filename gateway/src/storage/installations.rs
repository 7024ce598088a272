//! Which plugins run for whom. What runs in an installation are its [`versions`](super::plugin_versions).
//!
//! Whoever changes one bumps the counter of setup first: changes of setup wait for each other there, so that nobody
//! decides by what somebody else is changing.

use std::collections::HashMap;

use sqlx::FromRow;

use super::plugin_versions::{self, Version};
use super::{Result, StorageError, Tx, batch, execute, fetch_list, on_backend, rows};
use crate::domain::breaker::Breaker;
use crate::domain::rollout::{Bounds, Stage};
use crate::domain::{InstallationId, NumberId, TenantId, Timestamp};

/// A plugin's place at a tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct Installation {
    pub id: InstallationId,
    pub tenant: TenantId,
    /// `None`: every number of the tenant.
    pub number: Option<NumberId>,
    pub plugin: String,
    /// Plugins of a turn run in this order.
    pub position: i64,
    /// Nothing of it runs until somebody resumes it.
    pub paused: bool,
    pub bounds: Bounds,
    /// Moves with every change: a commit checks that it still runs under the generation that it began with.
    pub generation: i64,
    /// Of its active version, while it is open.
    pub breaker: Option<Breaker>,
    /// A version of it that is or was in service exports `on-receipt`: receipts are events for it.
    pub hears_receipts: bool,
    pub created_at: Timestamp,
    /// Those that are not retired: one active, one candidate at most.
    pub versions: Vec<Version>,
    /// In setup as a node has it: its active version is stopped, and nobody has put another one in its place yet.
    pub awaits_successor: bool,
}

impl Installation {
    pub fn active(&self) -> Option<&Version> {
        self.versions.iter().find(|v| v.stage == Stage::Active)
    }

    /// The breaker, if it is of the version that is in service.
    pub fn open_breaker(&self) -> Option<&Breaker> {
        let active = self.active()?;
        self.breaker.as_ref().filter(|open| open.seq == active.seq)
    }

    pub fn candidate(&self) -> Option<&Version> {
        self.versions.iter().find(|v| v.stage.is_candidate())
    }

    /// Is it a number's own installation of what the other is for all of the tenant's numbers? A turn has one of them:
    /// they share name, memory and timers.
    pub fn takes_place_of(&self, other: &Self) -> bool {
        self.number.is_some() && other.number.is_none() && self.plugin == other.plugin
    }

    /// Is a version of it in service, or about to be?
    pub fn serves(&self) -> bool {
        self.awaits_successor || self.active().is_some()
    }

    /// With no version of it in a turn: is it missed there, so that the tenant's fallback answers for it? A first version on its
    /// way is not; one that was stopped is, or whose breaker is open.
    pub fn is_missed(&self) -> bool {
        self.serves() || self.candidate().is_none()
    }

    /// Takes out the versions of which the operator has stopped the digest, until they are moved on in the database.
    pub fn cut_out(&mut self, is_stopped: impl Fn(&Version) -> bool) -> Vec<Version> {
        let gone: Vec<Version> = (self.versions)
            .extract_if(.., |version| is_stopped(version))
            .collect();
        self.awaits_successor |= gone.iter().any(|version| version.stage == Stage::Active);
        gone
    }

    /// Why it does not run for a while.
    pub fn rests(&self) -> Option<Rest> {
        match () {
            () if self.versions.is_empty() && !self.awaits_successor => None,
            () if self.paused => Some(Rest::Paused),
            () if self.awaits_successor => Some(Rest::Stopped),
            () => self.open_breaker().map(|_| Rest::Broken),
        }
    }

    /// One for tests, with a version for each of these stages.
    #[cfg(test)]
    pub(crate) fn blank(id: i64, number: Option<NumberId>, stages: &[Stage]) -> Self {
        let at = Timestamp::from_millis(0);
        Self {
            id: InstallationId::from_raw(id),
            tenant: TenantId::from_raw(1),
            number,
            plugin: "menu".to_owned(),
            position: 0,
            paused: false,
            bounds: Bounds::default(),
            generation: 1,
            breaker: None,
            hears_receipts: false,
            created_at: at,
            versions: (1..)
                .zip(stages)
                .map(|(seq, stage)| Version::blank(seq, *stage))
                .collect(),
            awaits_successor: false,
        }
    }
}

/// Why an installation does not run, though it will again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Until somebody resumes it.
    Paused,
    /// Its breaker is open, or a node could not load it. Single turns try it; when they go well, it runs again.
    Broken,
    /// Its version is stopped; until what it goes on with is found, in some seconds.
    Stopped,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    tenant: i64,
    number: i64,
    plugin: String,
    position: i64,
    state: String,
    bounds: String,
    generation: i64,
    hears_receipts: i64,
    created_at: i64,
    breaker: String,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, tenant, number, plugin, position, state, bounds, generation, hears_receipts, created_at,
                    breaker FROM installation ",
            $rest
        )
    };
}

fn state(paused: bool) -> &'static str {
    if paused { "paused" } else { "active" }
}

fn bounds_text(bounds: &Bounds) -> Result<String> {
    serde_json::to_string(bounds).map_err(|error| StorageError::Corrupt(error.to_string()))
}

fn breaker_text(breaker: Option<&Breaker>) -> Result<String> {
    let text = breaker.map(serde_json::to_string).transpose();
    let text = text.map_err(|error| StorageError::Corrupt(error.to_string()))?;
    Ok(text.unwrap_or_default())
}

/// A new installation without versions.
pub async fn insert(tx: &mut Tx, tenant: TenantId, new: &Installation) -> Result<()> {
    const SQL: &str = "INSERT INTO installation (id, tenant, number, plugin, position, state, bounds, generation, created_at,
            hears_receipts)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(new.id.raw())
            .bind(tenant.raw())
            .bind(new.number.map_or(0, NumberId::raw))
            .bind(&new.plugin)
            .bind(new.position)
            .bind(state(new.paused))
            .bind(bounds_text(&new.bounds)?)
            .bind(new.generation)
            .bind(new.created_at.millis())
            .bind(i64::from(new.hears_receipts))
    )?;
    Ok(())
}

/// Writes what can be changed of an installation and moves its generation: turns that began before commit nothing.
pub async fn update(tx: &mut Tx, tenant: TenantId, changed: &Installation) -> Result<()> {
    const SQL: &str =
        "UPDATE installation SET position = $3, state = $4, bounds = $5, hears_receipts = $6, breaker = $7,
            generation = generation + 1
        WHERE tenant = $1 AND id = $2 AND state <> 'retired'";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(changed.id.raw())
            .bind(changed.position)
            .bind(state(changed.paused))
            .bind(bounds_text(&changed.bounds)?)
            .bind(i64::from(changed.hears_receipts))
            .bind(breaker_text(changed.open_breaker())?)
    )?;
    Ok(())
}

/// Moves the generation of the installations that a query finds: whoever commits waits or has committed, and turns that began
/// before commit nothing. Rows are locked in the order in which commits lock them.
/// `and`: which of them it moves, where those are not all.
fn outdating(tx: &Tx, found: &str, and: &str) -> sqlx::AssertSqlSafe<String> {
    let locked = match tx.is_postgres() {
        true => "ORDER BY id FOR UPDATE",
        false => "",
    };
    sqlx::AssertSqlSafe(format!(
        "WITH found AS ({found} {locked})
        UPDATE installation SET generation = generation + 1 WHERE id IN (SELECT id FROM found) {and}"
    ))
}

/// Of every installation in which a digest stands. Answers how many they are.
pub async fn outdate_digest_all_tenants(tx: &mut Tx, digest: &str) -> Result<u64> {
    const STANDING: &str = "SELECT id FROM installation WHERE state <> 'retired' AND id IN
            (SELECT v.installation FROM installation_version v WHERE v.digest = $1 AND v.stage <> 'retired')";
    let sql = outdating(tx, STANDING, "");
    Ok(execute!(tx, sqlx::query(sql).bind(digest))?)
}

/// Of every installation of a tenant.
pub async fn outdate_tenant(tx: &mut Tx, tenant: TenantId) -> Result<()> {
    const STANDING: &str = "SELECT id FROM installation WHERE tenant = $1 AND state <> 'retired'";
    let sql = outdating(tx, STANDING, "");
    execute!(tx, sqlx::query(sql).bind(tenant.raw()))?;
    Ok(())
}

/// Of the tenant's installation whose place a number's own one takes: of a turn that began with it nothing is committed for that
/// number any more. Both rows are locked, so this comes before the own one is written.
pub async fn outdate_place(tx: &mut Tx, tenant: TenantId, own: &Installation) -> Result<()> {
    const BOTH: &str = "SELECT id FROM installation
        WHERE tenant = $1 AND plugin = $2 AND (number = 0 OR id = $3) AND state <> 'retired'";
    let sql = outdating(tx, BOTH, "AND number = 0");
    execute!(
        tx,
        sqlx::query(sql)
            .bind(tenant.raw())
            .bind(&own.plugin)
            .bind(own.id.raw())
    )?;
    Ok(())
}

/// Takes an installation out of service for good.
pub async fn retire(tx: &mut Tx, tenant: TenantId, id: InstallationId) -> Result<()> {
    const SQL: &str = "UPDATE installation SET state = 'retired', generation = generation + 1
        WHERE tenant = $1 AND id = $2 AND state <> 'retired'";
    execute!(tx, sqlx::query(SQL).bind(tenant.raw()).bind(id.raw()))?;
    Ok(())
}

/// How many installations a number of the tenant has, those for all numbers included. `None`: the number that has most.
pub async fn most_on_a_number(
    tx: &mut Tx,
    tenant: TenantId,
    number: Option<NumberId>,
) -> Result<i64> {
    const SQL: &str = "SELECT CAST(COALESCE(SUM(CASE WHEN number = 0 THEN n ELSE 0 END), 0) \
         + COALESCE(MAX(CASE WHEN number = 0 THEN 0 ELSE n END), 0) AS BIGINT) FROM (\
         SELECT number, COUNT(*) AS n FROM installation \
         WHERE tenant = $1 AND state <> 'retired' AND ($2 = 0 OR number IN (0, $2)) GROUP BY number) AS own";
    Ok(on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(tenant.raw())
            .bind(number.map_or(0, NumberId::raw))
            .fetch_one(conn)
            .await
    })?)
}

/// Every installation, in the order of its tenant's turns.
pub async fn installations_all_tenants(tx: &mut Tx) -> Result<Vec<Installation>> {
    const SQL: &str = select!("WHERE state <> 'retired' ORDER BY tenant, position, id");
    let rows: Vec<Row> = on_backend!(tx, |conn| sqlx::query_as(SQL).fetch_all(conn).await)?;
    let mut versions: HashMap<InstallationId, Vec<Version>> = HashMap::new();
    for (id, version) in plugin_versions::in_service_all_tenants(tx).await? {
        versions.entry(id).or_default().push(version);
    }
    let read = |row: Row| {
        let versions = versions.remove(&InstallationId::from_raw(row.id));
        row.read(versions.unwrap_or_default())
    };
    rows.into_iter().map(read).collect()
}

/// A tenant's installation.
pub async fn installation(
    tx: &mut Tx,
    tenant: TenantId,
    id: InstallationId,
) -> Result<Option<Installation>> {
    const SQL: &str = select!("WHERE tenant = $1 AND id = $2 AND state <> 'retired'");
    let row: Option<Row> = rows::one(tx, tenant, SQL, id.raw()).await?;
    with_versions(tx, tenant, row).await
}

/// The installation of a plugin for a number of the tenant; `None`: for all of them.
pub async fn of_plugin(
    tx: &mut Tx,
    tenant: TenantId,
    plugin: &str,
    number: Option<NumberId>,
) -> Result<Option<Installation>> {
    const SQL: &str =
        select!("WHERE tenant = $1 AND plugin = $2 AND number = $3 AND state <> 'retired'");
    let row: Option<Row> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(plugin)
            .bind(number.map_or(0, NumberId::raw))
            .fetch_optional(conn)
            .await
    })?;
    with_versions(tx, tenant, row).await
}

async fn with_versions(
    tx: &mut Tx,
    tenant: TenantId,
    row: Option<Row>,
) -> Result<Option<Installation>> {
    let Some(row) = row else {
        return Ok(None);
    };
    let id = InstallationId::from_raw(row.id);
    let mut versions = plugin_versions::of_installation(tx, tenant, id).await?;
    versions.retain(|version| version.stage != Stage::Retired);
    row.read(versions).map(Some)
}

/// A tenant's installations, after an id, oldest first.
pub async fn installations_of(
    tx: &mut Tx,
    tenant: TenantId,
    after: i64,
    most: i64,
) -> Result<Vec<Installation>> {
    const SQL: &str =
        select!("WHERE tenant = $1 AND state <> 'retired' AND id > $2 ORDER BY id LIMIT $3");
    let rows: Vec<Row> = rows::page(tx, tenant, SQL, after, most).await?;
    let mut found = Vec::new();
    for row in rows {
        found.extend(with_versions(tx, tenant, Some(row)).await?);
    }
    Ok(found)
}

/// Whose an installation is: for operators, who name it alone.
pub async fn tenant_of_all_tenants(tx: &mut Tx, id: InstallationId) -> Result<Option<TenantId>> {
    const SQL: &str = "SELECT tenant FROM installation WHERE id = $1 AND state <> 'retired'";
    let tenant: Option<i64> = on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(id.raw())
            .fetch_optional(conn)
            .await
    })?;
    Ok(tenant.map(TenantId::from_raw))
}

/// Under which generation these installations stand, kept so until the transaction ends: a switch of versions waits for
/// it, and what commits after the switch sees it.
pub async fn hold_generations_all_tenants(
    tx: &mut Tx,
    ids: &[InstallationId],
) -> Result<Vec<(InstallationId, i64)>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids = batch::padded(&batch::sorted(ids.iter().map(|id| id.raw())));
    let head = "SELECT id, generation FROM installation WHERE state <> 'retired' AND id IN";
    let lock = if tx.is_postgres() {
        "ORDER BY id FOR SHARE"
    } else {
        ""
    };
    let sql = batch::any_of(head, 1, lock);
    let rows: Vec<(i64, i64)> = fetch_list!(tx, sql, [0_i64; 0], &ids)?;
    Ok(rows
        .into_iter()
        .map(|(id, generation)| (InstallationId::from_raw(id), generation))
        .collect())
}

impl Row {
    fn read(self, versions: Vec<Version>) -> Result<Installation> {
        let bounds = serde_json::from_str(&self.bounds)
            .map_err(|error| StorageError::Corrupt(format!("bounds: {error}")))?;
        let breaker = match self.breaker.is_empty() {
            true => None,
            false => Some(
                serde_json::from_str(&self.breaker)
                    .map_err(|error| StorageError::Corrupt(format!("breaker: {error}")))?,
            ),
        };
        Ok(Installation {
            breaker,
            id: InstallationId::from_raw(self.id),
            tenant: TenantId::from_raw(self.tenant),
            number: (self.number != 0).then(|| NumberId::from_raw(self.number)),
            plugin: self.plugin,
            position: self.position,
            paused: self.state == "paused",
            bounds,
            generation: self.generation,
            hears_receipts: self.hears_receipts != 0,
            created_at: Timestamp::from_millis(self.created_at),
            versions,
            awaits_successor: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stopped_under_it_is_waited_for_and_a_stopped_candidate_is_not() {
        let stopped = |stage| {
            let mut one = Installation::blank(1, None, &[Stage::Active, Stage::Canary]);
            let gone = one.cut_out(|version| version.stage == stage);
            assert_eq!(gone.len(), 1);
            one
        };
        let active = stopped(Stage::Active);
        assert_eq!(
            (active.rests(), active.serves()),
            (Some(Rest::Stopped), true)
        );
        let candidate = stopped(Stage::Canary);
        assert_eq!((candidate.rests(), candidate.serves()), (None, true));
        let mut all = Installation::blank(1, None, &[Stage::Active]);
        all.cut_out(|_| true);
        assert_eq!(all.rests(), Some(Rest::Stopped), "it has no version left");
        // The fallback answers for it meanwhile, also beside the next version, which is still looked at.
        assert!(active.is_missed() && all.is_missed() && candidate.is_missed());
        let first = Installation::blank(1, None, &[Stage::Shadow]);
        assert!(!first.is_missed(), "nobody had it yet");
        let gone = Installation::blank(1, None, &[]);
        assert_eq!((gone.rests(), gone.serves()), (None, false));
    }
}
