//! Keepers without a gateway around them: what each believes to own, and what the table says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vestibule::clock::SystemClock;
use vestibule::domain::Bucket;
use vestibule::ownership::{Keeper, KeeperConfig, Owned, UnderWay};
use vestibule::storage::buckets::{self, Lease};
use vestibule::storage::{Db, nodes};

/// Longer than a test lasts: whatever happens, happens because somebody did it.
pub const LONG: Duration = Duration::from_secs(600);
pub const TICK: Duration = Duration::from_millis(200);

/// A keeper that runs.
pub struct Member {
    pub holder: String,
    pub owned: Owned,
    pub under_way: UnderWay,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Member {
    pub async fn start(db: &Db, holder: &str, ttl: Duration) -> Self {
        let config = KeeperConfig {
            holder: holder.to_owned(),
            ttl,
            tick: TICK,
        };
        let (clock, under_way) = (Arc::new(SystemClock), UnderWay::default());
        let keeper = Keeper::start(db.clone(), config, clock, under_way.clone()).await;
        let (keeper, _ids, owned) = keeper.expect("a slot");
        let stop = CancellationToken::new();
        Self {
            holder: holder.to_owned(),
            owned,
            under_way,
            running: tokio::spawn(keeper.run(stop.clone())),
            stop,
        }
    }

    pub fn leases(&self) -> BTreeMap<Bucket, i64> {
        self.owned.borrow().leases.clone()
    }

    /// A clean end: everything is given back.
    pub async fn end(self) {
        self.stop.cancel();
        self.running.await.expect("a clean end");
    }

    /// As a process that dies: its connections close, nothing is given back.
    pub async fn die(self) {
        self.running.abort();
        let _ = self.running.await;
    }

    pub async fn slot(&self, db: &Db) -> u16 {
        let mut tx = db.read().await.expect("a transaction");
        let live = nodes::live_slots(&mut tx).await.expect("slots");
        let slot = live.iter().find(|slot| slot.holder == self.holder);
        slot.expect("a live slot").number
    }
}

/// Every bucket's lease by the table.
pub async fn table(db: &Db) -> Vec<(Lease, i64)> {
    let mut tx = db.read().await.expect("a transaction");
    buckets::all(&mut tx).await.expect("leases")
}

/// Waits until every bucket is worked for by one of these, as the table says, and by as many as it should be.
pub async fn until_shared(db: &Db, members: &[&Member], share: std::ops::RangeInclusive<usize>) {
    vestibule_tests::until("every bucket has one who works for it", async || {
        let believed: Vec<Lease> = members
            .iter()
            .flat_map(|member| member.leases())
            .map(|(bucket, epoch)| Lease { bucket, epoch })
            .collect();
        let table = table(db).await;
        let is_true = table.iter().all(|(lease, _)| believed.contains(lease));
        let is_fair = members
            .iter()
            .all(|member| share.contains(&member.leases().len()));
        (is_true && is_fair && believed.len() == table.len()).then_some(())
    })
    .await;
}
