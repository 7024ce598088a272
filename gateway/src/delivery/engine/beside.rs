//! Those who claim beside us, in the commits that write the rows: who may, and what became of it.

use crate::delivery::at_once::{Became, Held, Word};
use crate::delivery::call::call;
use crate::domain::Timestamp;
use crate::storage::outbox::OutboxRow;

use super::{Delivery, Done};

impl Delivery {
    pub(super) fn hear_all(&mut self, word: Word) {
        self.hear(word);
        while let Ok(word) = self.beside.try_recv() {
            self.hear(word);
        }
    }

    fn hear(&mut self, word: Word) {
        match word {
            Word::May(rows, answer) => {
                let held = self.hold(rows);
                // Who asked is gone: nothing of it will ever be written.
                if let Err(held) = answer.send(held) {
                    let rows = held.into_iter().map(|held| Became::Nothing(held.row));
                    rows.for_each(|became| self.take_became(became));
                }
            }
            Word::Became(became) => {
                became
                    .into_iter()
                    .for_each(|became| self.take_became(became));
            }
        }
    }

    /// Those that may go; they are under way from here on.
    fn hold(&mut self, rows: Vec<OutboxRow>) -> Vec<Held> {
        if self.owned.has_changed().unwrap_or(false) {
            self.own();
        }
        let now = self.now();
        // What is claimed before a take-over would look like the former owner's.
        if self.stopping || self.rest_until > now || !self.untaken().is_empty() {
            return Vec::new();
        }
        // What lasted before was offered before: it goes first.
        while let Some(rows) = self.fresh.waiting() {
            self.take_fresh(rows);
        }
        for number in self.fresh.take_missed() {
            self.queue.miss(number);
        }
        self.charge_received(now);
        rows.into_iter()
            .filter_map(|row| self.hold_one(row, now))
            .collect()
    }

    fn hold_one(&mut self, row: OutboxRow, now: Timestamp) -> Option<Held> {
        // A part of the room stays for what waits in line.
        let room = self.room() > self.world.config.concurrency / 4;
        if !room || !self.scanned.contains(&row.bucket) || !self.leases.owns(row.bucket) {
            return None;
        }
        self.know(&row, now);
        if !self.queue.reserve(&row, now) {
            return None;
        }
        self.under_way += 1;
        let work = self.world.under_way.begin(row.bucket);
        Some(Held { row, work })
    }

    fn take_became(&mut self, became: Became) {
        let now = self.now();
        match became {
            Became::Claimed(claimed) => {
                let world = self.world.clone();
                self.tasks
                    .spawn(async move { Done::Answered(call(&world, *claimed).await) });
            }
            Became::Queued(row) => {
                self.let_go(&row);
                if self.leases.owns(row.bucket) {
                    self.queue.put_back(row, now);
                }
            }
            Became::Nothing(row) => {
                self.let_go(&row);
                self.queue.forget(&row, now);
            }
            Became::Unsure(row) => {
                self.let_go(&row);
                if self.leases.owns(row.bucket) {
                    self.unsure.insert(row.draft.id, row.bucket);
                    self.queue.put_back(row, now);
                }
            }
        }
    }

    fn let_go(&mut self, row: &OutboxRow) {
        self.under_way -= 1;
        self.queue.unspend(row);
    }
}
