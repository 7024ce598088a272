//! Sends that waited for an hour and are due: queued again, a number's only as far as it will send them in a moment, so
//! that a campaign of a hundred thousand keeps no reply of its number waiting.

use std::collections::HashMap;
use std::sync::Arc;

use crate::delivery::queue::Queue;
use crate::delivery::scan::wake;
use crate::domain::NumberId;
use crate::ownership::OwnedBuckets;
use crate::storage::Result;
use crate::storage::outbox::OutboxRow;

use super::{Delivery, Done, LOOK_EVERY};

impl Delivery {
    pub(super) fn begin_waking(&mut self) {
        let now = self.now();
        let looked = now.since(self.woke_at) < LOOK_EVERY && self.woke_at <= now;
        let ready = self.scanned.len() == self.leases.leases.len() && self.untaken().is_empty();
        if self.waking || looked || !ready || self.leases.leases.is_empty() {
            return;
        }
        self.waking = true;
        self.woke_at = now;
        let rooms: HashMap<NumberId, usize> = self.queue.rooms().collect();
        let (world, leases) = (self.world.clone(), self.leases.clone());
        self.tasks.spawn(async move {
            let woken = wake(&world, &leases, rooms).await;
            Done::Woken(leases, woken)
        });
    }

    pub(super) fn take_woken(&mut self, under: &Arc<OwnedBuckets>, woken: Result<Vec<OutboxRow>>) {
        self.waking = false;
        match woken {
            Ok(rows) => {
                for row in rows {
                    self.take_found(row, Queue::add_found);
                }
            }
            Err(error) => self.failed("wake", &error, &under.leases),
        }
    }
}
