//! How an upload does, as far as somebody may see it: the operator everywhere, a tenant at its own place, and the author of an
//! upload that the operator gave to all wherever that runs.
//!
//! A tenant that has uploaded the same bytes itself runs its own upload: its author is the tenant, whatever the operator says
//! of another one.

use super::plugin_health::Part;
use super::{Result, Tx, on_backend};
use crate::domain::rollout::{Stage, Tally};
use crate::domain::{InstallationId, TenantId};

/// How many installations have a version in a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InUse {
    pub digest: String,
    pub version: String,
    pub stage: Stage,
    pub installations: i64,
}

/// `v` is a version. `$1`: whose realm (0: the operator's, which sees all); `$2`: 1 if it sees what it is the author of. While an
/// installation stands, an upload of its tenant's own is kept, and shows that it is one.
macro_rules! seen {
    () => {
        "($1 = 0 OR v.tenant = $1 OR ($2 = 1
            AND EXISTS (SELECT 1 FROM component c WHERE c.tenant = 0 AND c.digest = v.digest AND c.author = $1)
            AND EXISTS (SELECT 1 FROM installation s WHERE s.id = v.installation AND s.state <> 'retired')
            AND NOT EXISTS (SELECT 1 FROM component c WHERE c.tenant = v.tenant AND c.digest = v.digest)))"
    };
}

/// Did this tenant write the upload that the operator gave to all?
pub async fn is_author(tx: &mut Tx, tenant: TenantId, digest: &str) -> Result<bool> {
    const SQL: &str = "SELECT author FROM component WHERE tenant = 0 AND digest = $2 AND author = $1 AND author <> 0";
    let found: Option<i64> = on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(tenant.raw())
            .bind(digest)
            .fetch_optional(conn)
            .await
    })?;
    Ok(found.is_some())
}

/// Some parts, in the order of their installations' ids, versions and stages' words: those after this one, at most so many.
#[derive(Debug, Clone, Copy)]
pub struct Cut<'a> {
    pub after: (InstallationId, i64, &'a str),
    pub most: i64,
}

impl Cut<'_> {
    /// All of them.
    pub const NONE: Self = Self {
        after: (InstallationId::from_raw(0), 0, ""),
        most: i64::MAX,
    };
}

/// Where a digest did something (which versions of installations, in which stages; in no order), and what all of them, those
/// that are cut off too, did together. One statement, so that both tell of the same moment: nodes add to it all the time.
pub async fn parts_and_tally(
    tx: &mut Tx,
    realm: TenantId,
    as_author: bool,
    digest: &str,
    cut: Cut<'_>,
) -> Result<(Vec<Part>, Tally)> {
    // A part has no measure.
    const SQL: &str = concat!(
        "WITH seen AS (SELECT h.tenant, h.installation, h.seq, h.stage, h.measure, h.item, h.n
            FROM installation_version v JOIN plugin_health h ON h.installation = v.installation AND h.seq = v.seq
            WHERE v.digest = $3 AND ",
        seen!(),
        "), part AS (SELECT tenant, installation, seq, stage FROM seen
            WHERE (installation, seq, stage) > ($4, $5, $6)
            GROUP BY tenant, installation, seq, stage ORDER BY installation, seq, stage LIMIT $7)
        SELECT tenant, installation, seq, stage, '', CAST(0 AS BIGINT), CAST(0 AS BIGINT) FROM part
        UNION ALL SELECT CAST(0 AS BIGINT), CAST(0 AS BIGINT), CAST(0 AS BIGINT), '', measure, item, CAST(SUM(n) AS BIGINT)
            FROM seen GROUP BY measure, item"
    );
    let rows: Vec<(i64, i64, i64, String, String, i64, i64)> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(realm.raw())
            .bind(i64::from(as_author))
            .bind(digest)
            .bind(cut.after.0.raw())
            .bind(cut.after.1)
            .bind(cut.after.2)
            .bind(cut.most)
            .fetch_all(conn)
            .await
    })?;
    let (mut parts, mut tally) = (Vec::new(), Tally::default());
    for (tenant, installation, seq, stage, measure, item, n) in rows {
        if !measure.is_empty() {
            tally.take_row(&measure, item, n);
        } else if let Some(stage) = Stage::from_word(&stage) {
            // A stage that only a newer gateway knows has no place here.
            parts.push(Part {
                tenant: TenantId::from_raw(tenant),
                installation: InstallationId::from_raw(installation),
                seq,
                stage,
            });
        }
    }
    Ok((parts, tally))
}

/// In how many installations a digest stands and is not retired.
pub async fn count_standing(
    tx: &mut Tx,
    realm: TenantId,
    as_author: bool,
    digest: &str,
) -> Result<i64> {
    const SQL: &str = concat!(
        "SELECT COUNT(DISTINCT i.id) FROM installation_version v JOIN installation i ON i.id = v.installation
         WHERE v.digest = $3 AND v.stage <> 'retired' AND i.state <> 'retired' AND ",
        seen!()
    );
    Ok(on_backend!(tx, |conn| {
        sqlx::query_scalar(SQL)
            .bind(realm.raw())
            .bind(i64::from(as_author))
            .bind(digest)
            .fetch_one(conn)
            .await
    })?)
}

/// Which versions of a plugin stand in installations and are not retired, those that stand in most of them first.
pub async fn in_use(
    tx: &mut Tx,
    realm: TenantId,
    as_author: bool,
    plugin: &str,
    most: i64,
) -> Result<Vec<InUse>> {
    const SQL: &str = concat!(
        "SELECT v.digest, v.plugin_version, v.stage, COUNT(DISTINCT i.id)
         FROM installation i JOIN installation_version v ON v.installation = i.id
         WHERE i.plugin = $3 AND i.state <> 'retired' AND v.stage <> 'retired' AND ",
        seen!(),
        " GROUP BY v.digest, v.plugin_version, v.stage
          ORDER BY COUNT(DISTINCT i.id) DESC, v.digest, v.stage LIMIT $4"
    );
    let rows: Vec<(String, String, String, i64)> = on_backend!(tx, |conn| {
        sqlx::query_as(SQL)
            .bind(realm.raw())
            .bind(i64::from(as_author))
            .bind(plugin)
            .bind(most)
            .fetch_all(conn)
            .await
    })?;
    let read = |(digest, version, stage, installations): (String, String, String, i64)| {
        let stage = Stage::from_word(&stage)?;
        Some(InUse {
            digest,
            version,
            stage,
            installations,
        })
    };
    Ok(rows.into_iter().filter_map(read).collect())
}
