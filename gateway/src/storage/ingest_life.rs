//! When webhooks could last be kept, and the end of the last long time in which they could not: one row for all nodes.
//!
//! A customer may have written while nobody took webhooks, and Meta may give such a message to us late or never. Policy
//! then does not know whether their window is open (facts §6.1).

use std::time::Duration;

use super::{Result, Tx, changes, execute, on_backend, rows::moment};
use crate::domain::Timestamp;

/// Says that webhooks are kept now. If that could not be said for longer than `gap`, a gap ends now: it is remembered,
/// and nodes are told as of a change of setup. Answers whether one did.
///
/// A node that starts says so before it reads setup; one whose database comes back, when it does.
pub async fn beat_all_tenants(tx: &mut Tx, now: Timestamp, gap: Duration) -> Result<bool> {
    let alive_at = Timestamp::from_millis(on_backend!(tx, |conn| {
        sqlx::query_scalar("SELECT alive_at FROM ingest_life WHERE id = 1")
            .fetch_one(conn)
            .await
    })?);
    let gap_ends = alive_at != Timestamp::ZERO && now.since(alive_at) > gap;
    let sql = if gap_ends {
        "UPDATE ingest_life SET alive_at = $1, gap_until = $1 WHERE id = 1 AND alive_at = $2"
    } else {
        // Clocks of two nodes differ: it only moves forward.
        "UPDATE ingest_life SET alive_at = $1 WHERE id = 1 AND alive_at < $1 AND alive_at >= $2"
    };
    let touched = execute!(
        tx,
        sqlx::query(sql).bind(now.millis()).bind(alive_at.millis())
    )?;
    let ended = gap_ends && touched == 1;
    if ended {
        changes::bump_setup_all_tenants(tx).await?;
    }
    Ok(ended)
}

/// The end of the last gap.
pub async fn gap_until_all_tenants(tx: &mut Tx) -> Result<Option<Timestamp>> {
    let until: i64 = on_backend!(tx, |conn| {
        sqlx::query_scalar("SELECT gap_until FROM ingest_life WHERE id = 1")
            .fetch_one(conn)
            .await
    })?;
    Ok(moment(until))
}
