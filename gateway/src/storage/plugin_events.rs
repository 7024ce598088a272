//! What plugins tell: events for the tenant's own systems, and what they count by the hour.

use sqlx::FromRow;

use super::{Db, Result, Tx, batch, execute_rows, fetch_list, fetch_rows, forget, on_backend};
use crate::domain::{ConversationId, StreamEvent, StreamKind, TenantId, Timestamp};

/// An event that a plugin emits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginEvent {
    pub id: i64,
    pub tenant: TenantId,
    pub conversation: ConversationId,
    pub plugin: String,
    pub plugin_version: String,
    pub name: String,
    /// JSON object of typed values.
    pub fields: String,
    pub at: Timestamp,
}

/// Keeps events and tells them to the tenants' streams.
pub async fn append_all_tenants(tx: &mut Tx, events: &[PluginEvent]) -> Result<()> {
    for run in batch::groups(tx, events) {
        let sql = batch::rows(
            "INSERT INTO plugin_event (id, tenant, conversation, plugin, plugin_version, name, fields) VALUES",
            7,
            "",
        );
        execute_rows!(tx, sql, run, |query, event| {
            query
                .bind(event.id)
                .bind(event.tenant.raw())
                .bind(event.conversation.raw())
                .bind(&event.plugin)
                .bind(&event.plugin_version)
                .bind(&event.name)
                .bind(&event.fields)
        })?;
    }
    for event in events {
        let kind = StreamKind::PluginEvent;
        let told = StreamEvent::new(event.tenant, event.conversation, kind, event.at);
        tx.tell(told.about(event.id).noting(&event.name));
    }
    Ok(())
}

/// An event as followers read it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Emitted {
    pub id: i64,
    pub plugin: String,
    pub plugin_version: String,
    pub name: String,
    pub fields: String,
}

/// A tenant's events by their ids.
pub async fn by_ids(tx: &mut Tx, tenant: TenantId, ids: &[i64]) -> Result<Vec<Emitted>> {
    let ids = batch::sorted(ids.iter().copied());
    let mut found = Vec::with_capacity(ids.len());
    for run in batch::groups(tx, &ids) {
        let head = "SELECT id, plugin, plugin_version, name, fields FROM plugin_event
            WHERE tenant = $1 AND id IN";
        let sql = batch::any_of(head, 2, "");
        let rows: Vec<Emitted> = fetch_list!(tx, sql, [tenant.raw()], run)?;
        found.extend(rows);
    }
    Ok(found)
}

/// What a plugin counted in one hour.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Metric {
    pub plugin: String,
    pub name: String,
    /// Its beginning, unix milliseconds.
    pub hour: i64,
    pub samples: i64,
    pub total: f64,
    pub least: f64,
    pub most: f64,
}

/// Adds to what is counted. Rows must be distinct, and sorted by tenant, plugin, name and hour: they are locked so.
pub async fn count_all_tenants(tx: &mut Tx, rows: &[(TenantId, Metric)]) -> Result<()> {
    for run in batch::groups(tx, rows) {
        let sql = batch::rows(
            "INSERT INTO plugin_metric (tenant, plugin, name, hour, samples, total, least, most) VALUES",
            8,
            "ON CONFLICT (tenant, plugin, name, hour) DO UPDATE SET samples = plugin_metric.samples + excluded.samples,
                total = plugin_metric.total + excluded.total,
                least = CASE WHEN excluded.least < plugin_metric.least THEN excluded.least ELSE plugin_metric.least END,
                most = CASE WHEN excluded.most > plugin_metric.most THEN excluded.most ELSE plugin_metric.most END",
        );
        execute_rows!(tx, sql, run, |query, (tenant, row)| {
            query
                .bind(tenant.raw())
                .bind(&row.plugin)
                .bind(&row.name)
                .bind(row.hour)
                .bind(row.samples)
                .bind(row.total)
                .bind(row.least)
                .bind(row.most)
        })?;
    }
    Ok(())
}

/// What a tenant's plugins counted in the hours that begin from `since` on, at most so many rows, oldest first.
pub async fn metrics(
    tx: &mut Tx,
    tenant: TenantId,
    plugin: &str,
    since: Timestamp,
    most: i64,
) -> Result<Vec<Metric>> {
    const SQL: &str = "SELECT plugin, name, hour, samples, total, least, most FROM plugin_metric
        WHERE tenant = $1 AND ($2 = '' OR plugin = $2) AND hour >= $3 ORDER BY hour, plugin, name LIMIT $4";
    Ok(on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(tenant.raw())
        .bind(plugin)
        .bind(since.millis())
        .bind(most)
        .fetch_all(conn)
        .await)?)
}

/// Forgets what was counted before this.
pub async fn forget_metrics_all_tenants(db: &Db, before: Timestamp) -> Result<u64> {
    const SQL: &str = "DELETE FROM plugin_metric WHERE (tenant, plugin, name, hour) IN
        (SELECT tenant, plugin, name, hour FROM plugin_metric WHERE hour < $1 ORDER BY hour LIMIT $2)";
    forget::in_steps_all_tenants(db, SQL, before.millis()).await
}

/// What one plugin counts at a tenant on one day.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MetricDay {
    pub tenant: TenantId,
    pub plugin: String,
    /// Since 1970.
    pub day: i64,
}

/// The day (UTC) of a moment, since 1970.
pub fn day_of(at: Timestamp) -> i64 {
    const DAY_MS: i64 = 86_400_000;
    at.millis().div_euclid(DAY_MS)
}

/// Under which names was counted on these days?
pub async fn names_of_days_all_tenants(
    tx: &mut Tx,
    days: &[MetricDay],
) -> Result<Vec<(MetricDay, String)>> {
    let mut found = Vec::new();
    for run in batch::groups(tx, days) {
        let head = "SELECT n.tenant, n.plugin, n.day, n.name FROM (VALUES";
        let on = ") AS v JOIN plugin_metric_name n ON n.tenant = v.column1 AND n.plugin = v.column2
            AND n.day = v.column3";
        let sql = batch::rows(head, 3, on);
        let rows: Vec<(i64, String, i64, String)> = fetch_rows!(tx, sql, run, |query, day| {
            query.bind(day.tenant.raw()).bind(&day.plugin).bind(day.day)
        })?;
        found.extend(rows.into_iter().map(|(tenant, plugin, day, name)| {
            let tenant = TenantId::from_raw(tenant);
            let day = MetricDay {
                tenant,
                plugin,
                day,
            };
            (day, name)
        }));
    }
    Ok(found)
}

/// Keeps names of days. They must be distinct and sorted: another node may keep the same ones.
pub async fn keep_names_all_tenants(tx: &mut Tx, names: &[(MetricDay, String)]) -> Result<()> {
    for run in batch::groups(tx, names) {
        let sql = batch::rows(
            "INSERT INTO plugin_metric_name (tenant, plugin, day, name) VALUES",
            4,
            "ON CONFLICT (tenant, plugin, day, name) DO NOTHING",
        );
        execute_rows!(tx, sql, run, |query, (day, name)| {
            query
                .bind(day.tenant.raw())
                .bind(&day.plugin)
                .bind(day.day)
                .bind(name)
        })?;
    }
    Ok(())
}

/// Forgets the names of days before this one.
pub async fn forget_names_all_tenants(db: &Db, day: i64) -> Result<u64> {
    const SQL: &str = "DELETE FROM plugin_metric_name WHERE (tenant, plugin, day, name) IN
        (SELECT tenant, plugin, day, name FROM plugin_metric_name WHERE day < $1 ORDER BY day LIMIT $2)";
    forget::in_steps_all_tenants(db, SQL, day).await
}
