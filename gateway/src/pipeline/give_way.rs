//! How many slots are shared out, by how long turns of those who ask for little wait. Pure.
//!
//! Slots alone do not keep a flood from the others: two hundred turns of one tenant before the guest threads and in the next
//! commits are tens of milliseconds for whoever comes after them. So it is measured how long the turns of tenants wait for
//! the node that have all they want: for a guest thread, and from their plugins' end to their commit, not what their plugins
//! take. As somebody begins to want more than its share while others are there, few slots are shared out, and twice as many after
//! each measurement until the others wait for more than half as long again as is usual. Then it is half of them, and an eighth
//! more each time they do not. Who was alone gives all but few up as soon as those who came have waited. Where nobody is but those who want more than they have, nothing is measured, and all slots are
//! there; so they are where nobody wants more than its share.

use std::time::Duration;

use crate::domain::Timestamp;

/// So long, and so many turns of others, are one measurement. Guesses: what was given up shows a few commits later.
const MEASURED_FOR: Duration = Duration::from_millis(40);
const MEASURED: u32 = 8;
/// As long, however few turns there were.
const MEASURED_AT_MOST: Duration = Duration::from_millis(250);
/// Nobody else has had a turn for so long: those who want more than they have are alone.
const ALONE: Duration = Duration::from_millis(250);
/// There are always so many, and those above their share have so many under way together, as long as the reserve of all slots is
/// free: a commit of so many turns takes hardly longer than one of a single one.
pub(super) const LEAST: usize = 8;
/// What is usual until it was measured, and at least, by database: a commit and what it gathers. Found by `vestibule-bench`.
pub(super) const USUAL_SQLITE: Duration = Duration::from_millis(3);
pub(super) const USUAL_POSTGRES: Duration = Duration::from_millis(15);
/// How fast it is learnt: so much of a measurement while nobody is above its share, and in so long while those who are have
/// given up all they can. What is left then is not their doing; but it may be that of what they are sent, so it is believed
/// slowly.
const LEARNT: f64 = 1.0 / 8.0;
const LEARNT_IN_VAIN: Duration = Duration::from_secs(10);

/// In milliseconds, as means.
#[derive(Debug)]
pub(super) struct GiveWay {
    slots: usize,
    limit: usize,
    /// How long turns wait when nobody is above its share, and at least.
    usual: f64,
    least_usual: f64,
    measured: Measured,
    backlog: bool,
    /// Somebody wants more than its share.
    gives: bool,
    /// Since it began to, the others have not waited for too long.
    rises: bool,
    /// All slots are there because nobody else was, not because others have borne it.
    was_alone: bool,
}

/// One measurement.
#[derive(Debug, Default)]
struct Measured {
    since: Timestamp,
    turns: u32,
    waited: f64,
    /// Somebody was above its share meanwhile, or had a backlog.
    above: bool,
    last: Timestamp,
}

impl GiveWay {
    pub(super) fn new(slots: usize, usual: Duration) -> Self {
        let usual = usual.as_secs_f64() * 1_000.0;
        Self {
            slots,
            limit: slots,
            usual,
            least_usual: usual,
            measured: Measured::default(),
            backlog: false,
            gives: false,
            rises: false,
            was_alone: false,
        }
    }

    /// Slots to share out.
    pub(super) fn slots(&self, now: Timestamp) -> usize {
        match self.is_over(now) || !self.gives {
            true => self.slots,
            false => self.limit,
        }
    }

    /// Of 1, how much of all slots that is.
    pub(super) fn share(&self, now: Timestamp) -> f64 {
        self.slots(now) as f64 / self.slots as f64
    }

    /// Does somebody have a backlog before it comes to turns?
    pub(super) fn tell_backlog(&mut self, backlog: bool, now: Timestamp) {
        self.backlog = backlog;
        if backlog {
            self.take(now);
        }
    }

    /// A turn of a tenant above its share begins, or somebody waits for more of them.
    pub(super) fn take(&mut self, now: Timestamp) {
        if !self.gives {
            self.gives = true;
            self.was_alone = false;
            self.rises = true;
            self.limit = self.least();
            self.begin(now);
        }
    }

    fn least(&self) -> usize {
        LEAST.min(self.slots)
    }

    /// A turn of a tenant that had all it wanted is committed. It waited so long, while `above` turns of tenants above their share were
    /// under way.
    pub(super) fn waited(&mut self, waited: Duration, above: usize, now: Timestamp) {
        if self.is_over(now) {
            // What was learnt of others long ago says nothing of those who are here now. Perhaps they are few: all slots are there
            // until they have waited.
            self.limit = self.slots;
            self.rises = false;
            self.was_alone = true;
            // It is known as soon as this turn has waited long enough, and others with it.
            self.begin(now.minus(waited.min(MEASURED_FOR)));
        }
        let measured = &mut self.measured;
        measured.turns += 1;
        measured.waited += waited.as_secs_f64() * 1_000.0;
        measured.above |= above > 0 || self.backlog;
        measured.last = now;
        let measured_for = match measured.turns >= MEASURED {
            true => MEASURED_FOR,
            false => MEASURED_AT_MOST,
        };
        if now >= measured.since.plus(measured_for) {
            self.judge(now);
            self.begin(now);
        }
    }

    /// Nobody was there for long, or the clock went back.
    fn is_over(&self, now: Timestamp) -> bool {
        now > self.measured.last.plus(ALONE) || now < self.measured.since
    }

    fn judge(&mut self, now: Timestamp) {
        let mean = self.measured.waited / f64::from(self.measured.turns);
        let least = self.least();
        let learnt = match (self.measured.above, self.limit == least) {
            (false, _) => LEARNT,
            // It is seen soon whether that was all they can give up.
            (true, _) if self.rises => 0.0,
            (true, true) => {
                let took = now.since(self.measured.since).as_secs_f64();
                1.0 - (-took / LEARNT_IN_VAIN.as_secs_f64()).exp()
            }
            (true, false) => 0.0,
        };
        self.usual = (self.usual + (mean - self.usual) * learnt).max(self.least_usual);
        self.gives = self.measured.above;
        let waits = mean > 1.5 * self.usual;
        let was_alone = std::mem::take(&mut self.was_alone);
        self.limit = match (waits, self.rises) {
            (true, _) if was_alone => least,
            (true, _) => (self.limit / 2).max(least),
            (false, true) => (self.limit * 2).min(self.slots),
            (false, false) => (self.limit + self.limit.div_ceil(8)).min(self.slots),
        };
        self.rises = match waits {
            true => was_alone,
            false => self.rises,
        };
    }

    fn begin(&mut self, now: Timestamp) {
        self.measured = Measured {
            since: now,
            last: self.measured.last,
            ..Measured::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOTS: usize = 256;

    /// A street on which a turn of somebody else is committed each five milliseconds.
    struct Street {
        way: GiveWay,
        now: Timestamp,
    }

    impl Street {
        fn new() -> Self {
            Self {
                way: GiveWay::new(SLOTS, USUAL_SQLITE),
                now: Timestamp::from_millis(1_000_000),
            }
        }

        /// For a second others wait so long while `above` turns are under way.
        fn second(&mut self, waited: u64, above: usize) -> usize {
            for _ in 0..200 {
                self.now = self.now.plus(Duration::from_millis(5));
                self.way
                    .waited(Duration::from_millis(waited), above, self.now);
            }
            self.way.limit
        }

        fn slots(&self) -> usize {
            self.way.slots(self.now)
        }
    }

    #[test]
    fn who_is_alone_gives_nothing_up() {
        assert_eq!(Street::new().slots(), SLOTS);
    }

    #[test]
    fn those_above_give_way_while_others_wait_and_come_back_when_they_do_not() {
        let mut street = Street::new();
        assert_eq!(street.second(3, 100), SLOTS);
        assert_eq!(street.second(40, 100), LEAST);
        assert_eq!(street.slots(), LEAST);
        street.second(3, LEAST);
        assert_eq!(street.second(3, LEAST), SLOTS);
    }

    #[test]
    fn whoever_begins_to_want_more_has_little_at_once_and_then_twice_as_much_each_time() {
        let mut street = Street::new();
        street.second(3, 0);
        assert_eq!(street.slots(), SLOTS);
        street.way.take(street.now);
        assert_eq!(street.slots(), LEAST);
        let mut limits = Vec::new();
        while street.slots() < SLOTS {
            street.now = street.now.plus(Duration::from_millis(5));
            street.way.waited(Duration::from_millis(3), 8, street.now);
            limits.push(street.slots());
        }
        limits.dedup();
        assert_eq!(limits, [8, 16, 32, 64, 128, 256]);
        assert_eq!(street.second(40, 100), LEAST);
        street.second(3, 0);
        assert_eq!(street.slots(), SLOTS, "nobody wants more");
    }

    #[test]
    fn beside_few_it_is_soon_known_that_they_do_not_wait() {
        let mut street = Street::new();
        let after = |street: &mut Street, ms: u64| {
            street.now = street.now.plus(Duration::from_millis(ms));
            street.way.waited(Duration::from_millis(3), 8, street.now);
        };
        after(&mut street, 5);
        street.way.take(street.now);
        assert_eq!(street.slots(), LEAST);
        // Five of them a second.
        (0..12).for_each(|_| after(&mut street, 200));
        assert_eq!(street.slots(), SLOTS);
    }

    #[test]
    fn whoever_is_alone_as_it_begins_gives_nothing_up_until_somebody_has_waited() {
        let mut street = Street::new();
        street.way.take(street.now);
        assert_eq!(street.slots(), SLOTS);
        street.now = street.now.plus(Duration::from_millis(5));
        street.way.waited(Duration::from_millis(3), 8, street.now);
        assert_eq!(street.slots(), SLOTS);
        assert_eq!(street.second(40, 100), LEAST);
    }

    #[test]
    fn whoever_was_alone_gives_all_up_with_the_first_commit_of_others_that_have_waited() {
        let mut street = Street::new();
        street.way.take(street.now);
        for n in 0..MEASURED {
            assert_eq!(street.slots(), SLOTS, "after {n}");
            street
                .way
                .waited(Duration::from_millis(50), 100, street.now);
        }
        assert_eq!(street.slots(), LEAST);
        street.second(3, LEAST);
        assert_eq!(street.slots(), SLOTS, "it was not their doing");
    }

    #[test]
    fn it_settles_where_others_wait_for_half_as_long_again_as_is_usual() {
        let mut street = Street::new();
        street.second(3, 0);
        // A turn of theirs that is under way costs each of the others a tenth of a millisecond.
        let mut limits = Vec::new();
        for _ in 0..1_000 {
            street.now = street.now.plus(Duration::from_millis(5));
            let (above, now) = (street.way.limit, street.now);
            let waited = Duration::from_micros(3_000 + 100 * above as u64);
            street.way.waited(waited, above, now);
            limits.push(above);
        }
        let settled = &limits[200..];
        assert!(
            settled.iter().all(|limit| (8..=30).contains(limit)),
            "{settled:?}"
        );
    }

    #[test]
    fn it_settles_too_where_others_bear_more_than_half_of_all() {
        let mut street = Street::new();
        let mut limits = Vec::new();
        for _ in 0..1_000 {
            street.now = street.now.plus(Duration::from_millis(5));
            let (above, now) = (street.way.limit, street.now);
            let waited = if above > 3 * SLOTS / 4 { 30 } else { 3 };
            street.way.waited(Duration::from_millis(waited), above, now);
            limits.push(above);
        }
        let settled = &limits[300..];
        assert!(
            settled.iter().all(|limit| *limit > SLOTS / 4),
            "{settled:?}"
        );
    }

    #[test]
    fn what_is_usual_is_learnt_when_nobody_is_above() {
        let mut street = Street::new();
        street.second(15, 0);
        street.second(15, 0);
        assert_eq!(street.second(20, 100), SLOTS);
        assert_eq!(street.second(30, 100), LEAST);
    }

    #[test]
    fn who_gave_way_in_vain_does_so_no_longer() {
        let mut street = Street::new();
        let limits: Vec<usize> = (0..30).map(|_| street.second(20, LEAST)).collect();
        assert_eq!(limits[..3], [LEAST; 3]);
        assert_eq!(
            limits[29], SLOTS,
            "others wait for something else: {limits:?}"
        );
    }

    #[test]
    fn beside_a_backlog_that_makes_no_turns_what_others_wait_for_is_not_usual() {
        let mut street = Street::new();
        street.way.tell_backlog(true, street.now);
        // While it may have all it takes its time from the others; else it does not.
        for _ in 0..2_000 {
            let waited = if street.way.share(street.now) == 1.0 {
                30
            } else {
                4
            };
            street.now = street.now.plus(Duration::from_millis(5));
            let waited = Duration::from_millis(waited);
            street.way.waited(waited, 0, street.now);
        }
        assert!(street.way.usual < 4.0, "{}", street.way.usual);
        assert_eq!(street.second(40, 0), LEAST);
        street.way.tell_backlog(false, street.now);
        street.second(40, 0);
        street.second(40, 0);
        assert_eq!(street.slots(), SLOTS);
    }

    #[test]
    fn a_clock_that_goes_back_holds_nobody_up() {
        let mut street = Street::new();
        street.second(40, 100);
        street.now = street.now.minus(Duration::from_secs(3_600));
        assert_eq!(street.slots(), SLOTS);
    }

    #[test]
    fn when_the_others_have_gone_all_is_free_at_once() {
        let mut street = Street::new();
        street.second(40, 100);
        street.now = street.now.plus(Duration::from_millis(251));
        assert_eq!(street.slots(), SLOTS);
        street
            .way
            .waited(Duration::from_millis(40), 100, street.now);
        assert_eq!(street.slots(), SLOTS, "it begins anew");
    }
}
