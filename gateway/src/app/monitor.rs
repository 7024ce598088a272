//! What is looked at all the time: is the database there, is work ours, is ingest behind?

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::ports::BacklogGate;
use crate::directory::Directory;
use crate::domain::Clock;
use crate::lifecycle::{Health, Need};
use crate::ownership::Owned;
use crate::storage::{Db, Result, nodes, raw};

const LOOK: Duration = Duration::from_millis(500);
/// A body that waits longer than this is a backlog (promise 4).
const BACKLOG: Duration = Duration::from_secs(5);

/// Tells the gate whether receipts can be expected to have come.
pub(super) async fn watch_backlog(
    db: Db,
    owned: Owned,
    clock: Arc<dyn Clock>,
    gate: Arc<BacklogGate>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let buckets = owned.borrow().buckets();
        let oldest = async {
            let mut tx = db.read().await?;
            raw::oldest_unattached_all_tenants(&mut tx, &buckets).await
        };
        let now = clock.now();
        let clear = match oldest.await {
            Ok(oldest) => {
                let age = oldest.map_or(Duration::ZERO, |at| now.since(at));
                metrics::gauge!(crate::telemetry::names::INGEST_BACKLOG_SECONDS)
                    .set(age.as_secs_f64());
                age <= BACKLOG
            }
            Err(_) => false,
        };
        gate.set(clear);
        pause(&stop).await;
    }
}

/// Keeps readiness true.
pub(super) async fn watch_health(
    db: Db,
    owned: Owned,
    directory: Arc<Directory>,
    health: Health,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let answers = tokio::time::timeout(Duration::from_secs(2), asks(&db)).await;
        health.set(Need::Database, matches!(answers, Ok(Ok(()))));
        health.set(Need::Leases, !owned.borrow().leases.is_empty());
        health.set(Need::Setup, directory.is_fresh());
        pause(&stop).await;
    }
}

async fn asks(db: &Db) -> Result<()> {
    let mut tx = db.read().await?;
    nodes::database_now(&mut tx).await.map(|_| ())
}

async fn pause(stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(LOOK) => {}
    }
}
