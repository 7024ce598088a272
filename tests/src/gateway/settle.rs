//! When everything that was caused has happened: asked of the database, never waited for by the clock.

use vestibule::storage::{Db, counts};

use crate::wait;

/// Work that is not done yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pending {
    /// Bodies not split, events without their turn.
    pub inbound: i64,
    /// Sends queued or under way.
    pub sends: i64,
    /// Sends in doubt: a receipt or, after its grace period, a rule settles them.
    pub unknown: i64,
}

impl Pending {
    pub async fn read(db: &Db) -> Self {
        let mut tx = db.read().await.expect("a readable database");
        let counts = counts::counts_all_tenants(&mut tx)
            .await
            .expect("readable counts");
        let count = |name: &str| {
            let found = counts.iter().find(|(known, _)| *known == name);
            found
                .unwrap_or_else(|| panic!("storage::counts knows no {name:?}"))
                .1
        };
        Self {
            inbound: count("raw bodies to split") + count("events awaiting a turn"),
            sends: count("sends queued") + count("sends claimed"),
            unknown: count("sends in doubt"),
        }
    }

    fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// Waits until no work is pending, in-doubt sends included, for as long as it goes on: what is held or paced takes its
/// time. Webhooks that the simulator has not delivered yet are not seen here: wait for its `webhooks_idle()` first.
pub async fn settle(db: &Db) {
    let mut pending = Pending::read(db).await;
    while !pending.is_nothing() {
        eprintln!("{pending:?}");
        pending = wait::until(
            "pending work goes on (its course is in the output above)",
            async || {
                let now = Pending::read(db).await;
                (now != pending).then_some(now)
            },
        )
        .await;
    }
}
