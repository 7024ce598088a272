//! What versions did, added up by each node, and which nodes have a candidate loaded.
//!
//! A node writes rows of its own only and adds to them: no row is shared, and none is written more than once a second.

use std::collections::BTreeMap;

use super::{Db, Result, Tx, batch, execute, execute_rows, fetch_rows, forget, on_backend};
use crate::domain::rollout::{Stage, Tally};
use crate::domain::{InstallationId, TenantId, Timestamp};

/// One version in one stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part {
    pub tenant: TenantId,
    pub installation: InstallationId,
    pub seq: i64,
    pub stage: Stage,
}

/// Adds what a node's versions did since it last said so.
pub async fn add_all_tenants(
    tx: &mut Tx,
    node: i64,
    done: &[(Part, Tally)],
    now: Timestamp,
) -> Result<()> {
    const HEAD: &str = "INSERT INTO plugin_health (installation, seq, stage, node, measure, item, tenant, n, ran_at) VALUES";
    const TAIL: &str = "ON CONFLICT (installation, seq, stage, node, measure, item)
        DO UPDATE SET n = plugin_health.n + excluded.n, ran_at = excluded.ran_at";
    let mut rows: Vec<(&Part, String, i64, i64)> = Vec::new();
    for (part, tally) in done {
        let of_part = tally.rows().into_iter();
        rows.extend(of_part.map(|(measure, item, n)| (part, measure, item, n)));
    }
    for run in batch::groups(tx, &rows) {
        let sql = batch::rows(HEAD, 9, TAIL);
        execute_rows!(tx, sql, run, |query, (part, measure, item, n)| {
            query
                .bind(part.installation.raw())
                .bind(part.seq)
                .bind(part.stage.word())
                .bind(node)
                .bind(measure)
                .bind(item)
                .bind(part.tenant.raw())
                .bind(n)
                .bind(now.millis())
        })?;
    }
    Ok(())
}

/// Forgets what versions of installations did that were taken out, or went with their tenant, and have had no turn since a
/// moment. Answers how many rows went.
pub async fn forget_removed_all_tenants(db: &Db, before: Timestamp) -> Result<u64> {
    // A count that did not move lately is of an installation that ran lately all the same: all of them go, or none.
    const SQL: &str =
        "DELETE FROM plugin_health WHERE (installation, seq, stage, node, measure, item) IN
        (SELECT h.installation, h.seq, h.stage, h.node, h.measure, h.item
            FROM plugin_health h LEFT JOIN installation i ON i.id = h.installation
            WHERE (i.id IS NULL OR i.state = 'retired') AND NOT EXISTS
                (SELECT 1 FROM plugin_health l WHERE l.installation = h.installation AND l.ran_at >= $1)
            LIMIT $2)";
    forget::in_steps_all_tenants(db, SQL, before.millis()).await
}

/// Forgets who has loaded what is no candidate any more: a node may say so after the rollout's end, or its tenant's. Answers
/// how many rows went.
pub async fn forget_loaded_all_tenants(tx: &mut Tx) -> Result<u64> {
    const SQL: &str = "DELETE FROM node_plugin WHERE NOT EXISTS
        (SELECT 1 FROM installation_version v WHERE v.installation = node_plugin.installation
            AND v.seq = node_plugin.seq AND v.stage IN ('waiting', 'shadow', 'canary'))";
    Ok(execute!(tx, sqlx::query(SQL))?)
}

/// Versions that ran, the last one first.
pub async fn ran_lately_all_tenants(tx: &mut Tx, most: i64) -> Result<Vec<(InstallationId, i64)>> {
    const SQL: &str = "SELECT installation, seq FROM plugin_health WHERE measure = 'turns'
        GROUP BY installation, seq ORDER BY MAX(ran_at) DESC, installation LIMIT $1";
    let rows: Vec<(i64, i64)> = on_backend!(tx, |conn| sqlx::query_as(SQL)
        .bind(most)
        .fetch_all(conn)
        .await)?;
    let read = |(id, seq)| (InstallationId::from_raw(id), seq);
    Ok(rows.into_iter().map(read).collect())
}

/// What all nodes together saw of these versions in their stages. Those that nobody saw are left out.
pub async fn of_parts_all_tenants(tx: &mut Tx, parts: &[Part]) -> Result<BTreeMap<Part, Tally>> {
    const HEAD: &str = "WITH asked AS (VALUES";
    const TAIL: &str = ") SELECT h.tenant, h.installation, h.seq, h.stage, h.measure, h.item, CAST(SUM(h.n) AS BIGINT)
        FROM asked a JOIN plugin_health h
            ON h.installation = a.column1 AND h.seq = a.column2 AND h.stage = a.column3
        GROUP BY h.tenant, h.installation, h.seq, h.stage, h.measure, h.item";
    let mut rows: Vec<Row> = Vec::new();
    for run in batch::groups(tx, parts) {
        let sql = batch::rows(HEAD, 3, TAIL);
        let found: Vec<Row> = fetch_rows!(tx, sql, run, |query, part| {
            query
                .bind(part.installation.raw())
                .bind(part.seq)
                .bind(part.stage.word())
        })?;
        rows.extend(found);
    }
    Ok(added_up(rows))
}

/// Turns and faulty ones of a version in a stage, by the node that counted them.
pub async fn by_node(
    tx: &mut Tx,
    tenant: TenantId,
    part: &Part,
) -> Result<BTreeMap<i64, (u64, u64)>> {
    const SQL: &str = "SELECT node,
            CAST(SUM(CASE WHEN measure = 'turns' THEN n ELSE 0 END) AS BIGINT),
            CAST(SUM(CASE WHEN measure = 'turns' THEN 0 ELSE n END) AS BIGINT)
        FROM plugin_health WHERE tenant = $1 AND installation = $2 AND seq = $3 AND stage = $4
            AND (measure = 'turns' OR measure LIKE 'fault:%') GROUP BY node";
    let rows: Vec<(i64, i64, i64)> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(part.installation.raw())
            .bind(part.seq)
            .bind(part.stage.word())
            .fetch_all(conn)
            .await
    })?;
    let counted = |(node, turns, faults): (i64, i64, i64)| {
        (node, (turns.unsigned_abs(), faults.unsigned_abs()))
    };
    Ok(rows.into_iter().map(counted).collect())
}

type Row = (i64, i64, i64, String, String, i64, i64);

fn added_up(rows: Vec<Row>) -> BTreeMap<Part, Tally> {
    let mut parts: BTreeMap<Part, Tally> = BTreeMap::new();
    for (tenant, installation, seq, stage, measure, item, n) in rows {
        // A stage that only a newer gateway knows has no place here.
        let Some(stage) = Stage::from_word(&stage) else {
            continue;
        };
        let part = Part {
            tenant: TenantId::from_raw(tenant),
            installation: InstallationId::from_raw(installation),
            seq,
            stage,
        };
        parts.entry(part).or_default().take_row(&measure, item, n);
    }
    parts
}

/// Says that this node has a candidate loaded, or why it could not.
pub async fn report_loaded(
    tx: &mut Tx,
    tenant: TenantId,
    installation: InstallationId,
    seq: i64,
    holder: &str,
    problem: &str,
) -> Result<()> {
    const SQL: &str = "INSERT INTO node_plugin (installation, seq, holder, tenant, problem) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (installation, seq, holder) DO UPDATE SET problem = excluded.problem";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(installation.raw())
            .bind(seq)
            .bind(holder)
            .bind(tenant.raw())
            .bind(problem)
    )?;
    Ok(())
}

/// Which nodes said what about a candidate: their names and their problems, `""` for none.
pub async fn loaded(
    tx: &mut Tx,
    tenant: TenantId,
    installation: InstallationId,
    seq: i64,
) -> Result<BTreeMap<String, String>> {
    const SQL: &str = "SELECT holder, problem FROM node_plugin WHERE tenant = $1 AND installation = $2 AND seq = $3";
    let rows: Vec<(String, String)> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(tenant.raw())
            .bind(installation.raw())
            .bind(seq)
            .fetch_all(conn)
            .await
    })?;
    Ok(rows.into_iter().collect())
}

/// The rollout is over: nobody asks any more who had it loaded.
pub async fn forget_loaded(
    tx: &mut Tx,
    tenant: TenantId,
    installation: InstallationId,
    seq: i64,
) -> Result<()> {
    const SQL: &str =
        "DELETE FROM node_plugin WHERE tenant = $1 AND installation = $2 AND seq = $3";
    execute!(
        tx,
        sqlx::query(SQL)
            .bind(tenant.raw())
            .bind(installation.raw())
            .bind(seq)
    )?;
    Ok(())
}
