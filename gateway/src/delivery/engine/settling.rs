//! Doubts: how long they hold their conversations, and when they are settled by receipt or by rule (promise 5).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::delivery::scan::{self, Settled};
use crate::domain::{OutboxId, Timestamp};
use crate::outbox::DoubtEnd;
use crate::ownership::OwnedBuckets;
use crate::storage::Result;
use crate::storage::outbox::OutboxRow;
use crate::telemetry::names;

use super::{Delivery, Done, trace};

impl Delivery {
    pub(super) fn begin_doubt(&mut self, row: OutboxRow, now: Timestamp) {
        let holds = match row.draft.content.has_receipts() {
            true => self.world.config.unknown_holds,
            // Nothing will tell what became of it.
            false => Duration::ZERO,
        };
        let until = row.changed_at.plus(holds);
        self.queue.doubt(&row, until, now);
        self.doubts.add(row, until);
    }

    /// Asks about the doubts that somebody waits for, and ends those whose grace is over.
    pub(super) fn settle_what_can(&mut self, now: Timestamp) {
        if self.settling || self.stopping {
            return;
        }
        let over = self.doubts.over(self.world.config.unknown_grace);
        let holding = self.doubts.holding(now);
        let (world, leases) = (self.world.clone(), self.leases.clone());
        if !over.is_empty() {
            self.settling = true;
            self.tasks.spawn(async move {
                let settled = scan::settle(&world, &leases, over).await;
                Done::Settled(leases, settled)
            });
        } else if !holding.is_empty() {
            self.settling = true;
            self.tasks.spawn(async move {
                let unknown = scan::still_unknown(&world, &holding).await;
                Done::Asked(holding, unknown)
            });
        }
    }

    pub(super) fn take_asked(&mut self, asked: &[OutboxId], unknown: Result<Vec<OutboxId>>) {
        self.settling = false;
        match unknown {
            Ok(unknown) => {
                let now = self.now();
                for id in asked.iter().filter(|id| !unknown.contains(id)) {
                    if let Some(row) = self.doubts.remove(*id) {
                        self.queue.forget(&row, now);
                    }
                }
            }
            Err(error) => self.failed("scan", &error, &BTreeMap::new()),
        }
    }

    pub(super) fn take_settled(&mut self, under: &OwnedBuckets, settled: Result<Vec<Settled>>) {
        self.settling = false;
        let settled = match settled {
            Ok(settled) => settled,
            Err(error) => return self.failed("settle", &error, &under.leases),
        };
        let now = self.now();
        for one in settled {
            // The bucket may have gone meanwhile, and with it the doubt.
            if self.doubts.remove(one.row.draft.id).is_none() {
                continue;
            }
            self.queue.forget(&one.row, now);
            let Some(end) = one.end else {
                continue;
            };
            tracing::warn!(outbox = %one.row.draft.id, ?end, "a doubt was settled by rule");
            let word = match end {
                DoubtEnd::SentOnceMore => "sent_once_more",
                DoubtEnd::GivenUp => "given_up",
            };
            metrics::counter!(names::DELIVERY_DOUBTS, "end" => word).increment(1);
            self.world.observer.sent(&trace(&one.row, None));
            if end == DoubtEnd::SentOnceMore {
                self.queue.put_back(one.row, now);
            }
        }
    }
}
