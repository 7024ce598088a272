//! What Meta answered: recorded together, and what it says about the number, the app and the token.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::delivery::call::Answered;
use crate::delivery::record::{self, Recorded, record};
use crate::domain::Timestamp;
use crate::domain::number::Number;
use crate::outbox::{Ended, PutOff};
use crate::storage::buckets::Lease;
use crate::storage::holds::Held;
use crate::storage::{Result, StorageError};
use crate::telemetry::names;

use super::{Delivery, Done, HOLD_SPREADS, trace};

/// Records begin so far apart, because nobody waits for one and each is a transaction; a process that ends has so much
/// more in doubt.
const GATHER: Duration = Duration::from_millis(10);
/// Answers that do not wait for company: they take up the room of calls.
const ENOUGH: usize = 32;

impl Delivery {
    pub(super) fn begin_record(&mut self) {
        let waits = self.gathering && self.answers.len() < ENOUGH && !self.stopping;
        if self.recording || waits || self.answers.is_empty() {
            return;
        }
        self.drop_answers_of_the_lost();
        if self.answers.is_empty() {
            return;
        }
        let most = self.answers.len().min(self.world.config.record_rows);
        let answers: Vec<Answered> = self.answers.drain(..most).collect();
        self.recording = true;
        if !self.gathering {
            self.gathering = true;
            self.say_after(GATHER, Done::Gathered);
        }
        let (world, placed) = (self.world.clone(), self.placed.clone());
        self.tasks.spawn(async move {
            let recorded = record(&world, &placed, &answers).await;
            Done::Recorded(answers, recorded)
        });
    }

    /// Their rows stay claimed: the next owner finds them in doubt. A bucket that was only given up is still ours until it
    /// is released, so what is known of its sends is recorded: the fence decides.
    fn drop_answers_of_the_lost(&mut self) {
        let (lost, owned) = (&self.lost, self.owned.borrow().clone());
        let before = self.answers.len();
        self.answers.retain(|answer| {
            let Lease { bucket, epoch } = answer.claimed.lease;
            let again = owned.lease(bucket).is_some_and(|now| now.epoch != epoch);
            !again && lost.get(&bucket) != Some(&epoch)
        });
        self.under_way -= before - self.answers.len();
    }

    pub(super) fn take_recorded(
        &mut self,
        answers: Vec<Answered>,
        recorded: Result<Vec<Recorded>>,
    ) {
        self.recording = false;
        match recorded {
            Ok(recorded) => {
                self.under_way -= recorded.len();
                for one in recorded {
                    self.take_one(one);
                }
            }
            Err(error) => {
                if let StorageError::Fenced(bucket) = error {
                    let leases = answers.iter().map(|answer| answer.claimed.lease);
                    let leases = leases.map(|lease| (lease.bucket, lease.epoch)).collect();
                    self.answers.splice(0..0, answers);
                    self.lose(bucket, &leases);
                } else {
                    self.answers.splice(0..0, answers);
                    self.failed("record", &error, &BTreeMap::new());
                }
            }
        }
    }

    fn take_one(&mut self, one: Recorded) {
        let now = self.now();
        let word = record::word(&one);
        metrics::counter!(names::DELIVERY_CALLS, "outcome" => word).increment(1);
        tracing::debug!(outbox = %one.row.draft.id, attempt = one.row.attempts, outcome = word,
            error = one.row.error, "sent");
        if one.given.alert {
            tracing::error!(outbox = %one.row.draft.id, error = one.row.error,
                "Meta gave an error that is in no table");
        }
        self.slow_down(&one, now);
        self.world.observer.sent(&trace(&one.row, one.called));
        let row = one.row;
        if !self.leases.owns(row.bucket) {
            // Given up while it was under way: whoever takes the bucket reads the row.
            return;
        }
        match one.given.end {
            _ if !one.applied => self.queue.forget(&row, now),
            Ended::GivenBack => {
                self.queue.unspend(&row);
                self.queue.put_back(row, now);
            }
            Ended::Later => self.queue.put_back(row, now),
            Ended::Accepted | Ended::Failed => self.queue.forget(&row, now),
            Ended::InDoubt => self.begin_doubt(row, now),
        }
    }

    fn slow_down(&mut self, one: &Recorded, now: Timestamp) {
        match one.given.put_off {
            Some(PutOff::Number(until)) => {
                self.queue
                    .slow_down(one.row.draft.number, one.claimed_at, now);
                self.queue.block(one.row.draft.number, until, now);
            }
            Some(PutOff::App(until)) => {
                self.block_where(until, now, |number, other| number.app == other.app, one)
            }
            None => {}
        }
        if let Some(held) = &one.held {
            // Nobody sends into a hold that is placed already, only because a cache is not fresh yet.
            self.wakeups.setup.notify_one();
            let until = now.plus(HOLD_SPREADS);
            match held {
                Held::Number(..) => self.queue.block(one.row.draft.number, until, now),
                Held::Credential(..) => {
                    self.block_where(
                        until,
                        now,
                        |number, other| number.credential == other.credential,
                        one,
                    );
                }
                Held::Tenant(_) => {
                    self.block_where(
                        until,
                        now,
                        |number, other| number.tenant == other.tenant,
                        one,
                    );
                }
                Held::All
                | Held::Plugin(..)
                | Held::Template(..)
                | Held::Templates(_)
                | Held::NumberTemplates(..)
                | Held::NumberReplies(..)
                | Held::NumberMarketing(..) => {}
            }
        }
    }

    fn block_where(
        &mut self,
        until: Timestamp,
        now: Timestamp,
        alike: impl Fn(&Number, &Number) -> bool,
        one: &Recorded,
    ) {
        let directory = self.world.directory.clone();
        let Some(number) = directory.number(one.row.draft.number) else {
            return;
        };
        let others: Vec<_> = self.queue.numbers().collect();
        for other in others {
            if directory
                .number(other)
                .is_some_and(|other| alike(&number, &other))
            {
                self.queue.block(other, until, now);
            }
        }
    }
}
