//! What is looked at all the time: is the database there, is work ours, is ingest behind?

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::ports::BacklogGate;
use crate::directory::Directory;
use crate::domain::{Clock, NumberId};
use crate::ingest::Backlogs;
use crate::lifecycle::{Health, Need};
use crate::ownership::Owned;
use crate::storage::{Db, Result, ingest_life, nodes, raw};

const LOOK: Duration = Duration::from_millis(500);
/// A body that waits longer than this is a backlog (promise 5).
const BACKLOG: Duration = Duration::from_secs(5);

/// Tells the gate whose receipts can be expected to have come.
pub(super) async fn watch_backlog(
    db: Db,
    owned: Owned,
    clock: Arc<dyn Clock>,
    backlogs: Arc<Backlogs>,
    gate: Arc<BacklogGate>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let buckets = owned.borrow().buckets();
        let oldest = async {
            let mut tx = db.glance().await?;
            raw::oldest_unattached_all_tenants(&mut tx, &buckets).await
        };
        let now = clock.now();
        let late = match oldest.await {
            Ok(oldest) => {
                let age = oldest.map_or(Duration::ZERO, |at| now.since(at));
                metrics::gauge!(crate::telemetry::names::INGEST_BACKLOG_SECONDS)
                    .set(age.as_secs_f64());
                late(age, || backlogs.late(now))
            }
            Err(_) => None,
        };
        gate.set(late);
        pause(&stop).await;
    }
}

/// Which numbers are late, where the oldest body waits for so long: asked where somebody must be, and an answer that does not
/// say who is not believed. `None`: anybody may be.
fn late(
    oldest: Duration,
    ask: impl FnOnce() -> Option<BTreeSet<NumberId>>,
) -> Option<BTreeSet<NumberId>> {
    match oldest <= BACKLOG {
        true => Some(BTreeSet::new()),
        false => ask().filter(|late| !late.is_empty()),
    }
}

/// How often it is written down that webhooks can be kept.
const BEAT: Duration = Duration::from_secs(10);
/// A longer time without that is a gap. A guess: Meta gives again what a restart of seconds has missed, within minutes;
/// being wrong costs one refusal (131047) for each person whose window has closed meanwhile.
const GAP: Duration = Duration::from_secs(60);

/// Says that webhooks can be kept from now on, before anybody asks policy.
pub(super) async fn begin_ingest(db: &Db, clock: &dyn Clock) -> Result<()> {
    let mut tx = db.begin().await?;
    if ingest_life::beat_all_tenants(&mut tx, clock.now(), GAP).await? {
        tracing::warn!(
            "webhooks could not be kept for a while: for a day, windows that look closed are unknown"
        );
    }
    tx.commit().await
}

/// Goes on saying so. While the database is away nothing can be kept, and nothing is said.
pub(super) async fn watch_ingest(db: Db, clock: Arc<dyn Clock>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(BEAT) => {}
        }
        if let Err(error) = begin_ingest(&db, clock.as_ref()).await {
            tracing::warn!(%error, "it could not be written down that webhooks are kept");
        }
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
    let mut tx = db.glance().await?;
    nodes::database_now(&mut tx).await.map(|_| ())
}

async fn pause(stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(LOOK) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Receipts as _;

    /// Whether the receipts of the numbers 1 and 2 come.
    fn come(oldest: u64, told: Option<&[i64]>) -> [bool; 2] {
        let numbers = |late: &[i64]| late.iter().copied().map(NumberId::from_raw).collect();
        let gate = BacklogGate::default();
        gate.set(late(Duration::from_secs(oldest), || told.map(numbers)));
        [1, 2].map(|number| gate.come(NumberId::from_raw(number)))
    }

    #[test]
    fn receipts_come_but_those_of_numbers_that_are_late() {
        assert_eq!(come(5, None), [true, true]);
        assert_eq!(come(6, Some(&[1])), [false, true]);
        assert_eq!(come(6, None), [false, false], "it may be anybody's");
        assert_eq!(come(6, Some(&[])), [false, false], "somebody must be");
        let unknown = BacklogGate::default();
        assert!(!unknown.come(NumberId::from_raw(1)));
    }
}
