//! Looking into the database for what waits there and is not in memory. Turns go on meanwhile.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;

use super::{Pipeline, Report};
use crate::domain::{Bucket, TenantId};
use crate::storage::events::{self, PendingEvent};
use crate::storage::{Db, Result};

/// Between two looks that were not waited for: enough that they are not all that happens.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Is there one?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Rests,
    UnderWay,
    /// What it is about has changed: its end is the begin of another.
    Outdated,
}

/// What a look found.
pub(super) struct Looked {
    events: Result<Vec<PendingEvent>>,
    /// Whom it left out.
    full: Vec<TenantId>,
    limit: usize,
}

impl Pipeline {
    /// Takes in what ingest attached; what is of somebody who is looked for when it is known what stands before it.
    pub(super) fn arrive(&mut self, event: PendingEvent) {
        let is_looked_for = self.queue.room().is_looked_for(event.tenant);
        match is_looked_for && self.arrived.len() < self.parts.config.queue {
            true => self.arrived.push(event),
            false => self.queue.offer(event),
        }
    }

    /// Finds what waits in the database and is not in memory: after an overflow, a start, a new bucket. Tenants for whom
    /// there is no room are left out, so that one tenant's backlog hides nobody's message.
    pub(super) fn look(&mut self) {
        if self.look != Look::Rests {
            return;
        }
        self.look = Look::UnderWay;
        self.ended.clear();
        let buckets = self.parts.owned.borrow().buckets();
        let room = self.queue.room();
        let full = room.full();
        room.look_begins();
        // What is known comes again; as much as there is room for must fit behind it.
        let limit = self.queue.len() + self.parts.config.queue;
        let (db, ran) = (self.parts.db.clone(), self.ran.0.clone());
        tokio::spawn(async move {
            let looking = AssertUnwindSafe(waiting(&db, &buckets, &full, limit));
            let report = match looking.catch_unwind().await {
                Ok(events) => Report::Looked(Looked {
                    events,
                    full,
                    limit,
                }),
                Err(panic) => Report::Panicked(panic),
            };
            let _ = ran.send(report);
        });
    }

    /// Takes in what the look found, then what arrived meanwhile.
    pub(super) fn looked(&mut self, looked: Looked) {
        let before = std::mem::replace(&mut self.look, Look::Rests);
        let events = looked.events.inspect_err(
            |error| tracing::warn!(error = ?error, "waiting messages could not be read"),
        );
        match events.ok().filter(|_| before == Look::UnderWay) {
            Some(events) => self.found(events, looked.full, looked.limit),
            None => self.queue.room().look_ended(None),
        }
        let arrived = std::mem::take(&mut self.arrived);
        arrived
            .into_iter()
            .for_each(|event| self.queue.offer(event));
        if before == Look::Outdated {
            self.look();
        }
    }

    fn found(&mut self, events: Vec<PendingEvent>, mut left: Vec<TenantId>, limit: usize) {
        let all = events.len() < limit;
        for event in events {
            let ended = self.ended.get(&event.conversation);
            let has_ended = ended.is_some_and(|last| event.seq <= *last);
            if has_ended || left.contains(&event.tenant) {
                continue;
            }
            let tenant = event.tenant;
            self.queue.add(event);
            if !self.queue.room().has_room(tenant) {
                // The rest of its page would leave a gap in front of what arrives next.
                left.push(tenant);
            }
        }
        let room = self.queue.room();
        left.iter().for_each(|tenant| room.fall_behind(*tenant));
        room.look_ended(all.then_some(left.as_slice()));
    }

    /// Looks again before its time when somebody who is behind has worked off half of what memory held.
    pub(super) fn look_soon(&mut self) {
        let looks = self.look_comes || self.look != Look::Rests;
        if looks || !self.queue.room().runs_low() {
            return;
        }
        self.look_comes = true;
        let ran = self.ran.0.clone();
        tokio::spawn(async move {
            tokio::time::sleep(LOOK_AGAIN).await;
            let _ = ran.send(Report::Look);
        });
    }
}

async fn waiting(
    db: &Db,
    buckets: &[Bucket],
    skip: &[TenantId],
    limit: usize,
) -> Result<Vec<PendingEvent>> {
    // Thousands, perhaps: not on a thread that serves.
    let mut tx = db.read().await?;
    events::pending_all_tenants(
        &mut tx,
        buckets,
        skip,
        i64::try_from(limit).unwrap_or(i64::MAX),
    )
    .await
}
