//! The brake: marketing of a number stops for some hours when people hold it off, before Meta stops the number.
//!
//! 131048 says that people block or report the number, 131049 that somebody has had enough of businesses (facts §6.8, §7).
//! A few of the latter are ordinary; a share of them says that the campaign reaches the wrong people.

use std::time::Duration;

use crate::domain::{HoldId, Timestamp};
use crate::storage::holds::{Held, Hold};

/// How long marketing is held. A guess: an evening's campaign is over by then, and somebody has looked.
pub const BRAKED_FOR: Duration = Duration::from_secs(6 * 3600);
/// Errors of an hour that are too few to say anything, and the share of the hour's marketing that says enough. Guesses:
/// more of either would let a campaign of thousands run on.
const FEW: u32 = 20;
const SHARE_PERCENT: u32 = 20;

const MINUTE: i64 = 60_000;
const MINUTES: usize = 60;

/// The person has had enough of businesses for now (facts §6.8).
pub const HAD_ENOUGH: i64 = 131_049;

/// Does this error say that people hold messages off?
pub fn is_held_off(code: i64) -> bool {
    matches!(code, 131_048 | HAD_ENOUGH)
}

/// How it came that the brake was put on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brake {
    pub held_off: u32,
    pub of: u32,
}

impl Brake {
    /// The hold that it is.
    pub fn hold(&self, id: HoldId, held: Held, by: &str, now: Timestamp) -> Hold {
        Hold {
            id,
            held,
            reason: format!(
                "People hold the number's marketing off: {} of the last hour's {} (Meta's 131048, 131049). Send to \
                 fewer people who want it. It ends by itself.",
                self.held_off, self.of
            ),
            placed_by: format!("{by}: rate of 131048 and 131049"),
            placed_at: now,
            until: Some(now.plus(BRAKED_FOR)),
            lifted_at: None,
        }
    }
}

/// A number's marketing of the last hour, by the minute.
#[derive(Debug)]
pub(super) struct LastHour {
    cells: [Cell; MINUTES],
    /// Not again before this: it is on.
    quiet_until: Timestamp,
}

#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    minute: i64,
    sent: u32,
    held_off: u32,
}

impl Default for LastHour {
    fn default() -> Self {
        Self {
            cells: [Cell::default(); MINUTES],
            quiet_until: Timestamp::ZERO,
        }
    }
}

impl LastHour {
    pub(super) fn sent(&mut self, now: Timestamp) {
        self.cell(now).sent += 1;
    }

    pub(super) fn held_off(&mut self, now: Timestamp) -> Option<Brake> {
        self.cell(now).held_off += 1;
        let this = now.millis() / MINUTE;
        let lately = self
            .cells
            .iter()
            .filter(|cell| this - cell.minute < MINUTES as i64);
        let (sent, held_off) = lately.fold((0, 0), |(sent, held_off), cell| {
            (sent + cell.sent, held_off + cell.held_off)
        });
        // An error that answers the POST is of no send that was taken; one that comes later is.
        let of = sent.max(held_off);
        let too_many = held_off >= FEW && held_off * 100 >= of * SHARE_PERCENT;
        if !too_many || now < self.quiet_until {
            return None;
        }
        self.quiet_until = now.plus(BRAKED_FOR);
        Some(Brake { held_off, of })
    }

    fn cell(&mut self, now: Timestamp) -> &mut Cell {
        let minute = now.millis() / MINUTE;
        let place = usize::try_from(minute.rem_euclid(MINUTES as i64)).unwrap_or(0);
        let cell = &mut self.cells[place];
        if cell.minute != minute {
            *cell = Cell {
                minute,
                ..Cell::default()
            };
        }
        cell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: u64) -> Timestamp {
        Timestamp::from_secs(1_795_000_000).plus(Duration::from_secs(minute * 60))
    }

    fn after(sent: u32, held_off: u32, minute: u64) -> Option<Brake> {
        let mut hour = LastHour::default();
        (0..sent).for_each(|_| hour.sent(at(0)));
        let met: Vec<_> = (0..held_off).map(|_| hour.held_off(at(minute))).collect();
        met.into_iter().flatten().next()
    }

    #[test]
    fn a_share_of_an_hour_puts_the_brake_on_and_a_few_do_not() {
        assert_eq!(after(100, 19, 1), None);
        let brake = Brake {
            held_off: 20,
            of: 100,
        };
        assert_eq!(after(100, 20, 1), Some(brake));
        assert_eq!(after(1000, 100, 1), None);
        assert!(after(1000, 200, 1).is_some());
        // What was sent more than an hour ago is no excuse.
        assert!(after(1000, 20, 60).is_some());
    }

    #[test]
    fn it_is_put_on_once() {
        let mut hour = LastHour::default();
        let put: Vec<_> = (0..100).filter_map(|_| hour.held_off(at(1))).collect();
        assert_eq!(put.len(), 1);
        let later = at(1 + 6 * 60);
        let again: Vec<_> = (0..100).filter_map(|_| hour.held_off(later)).collect();
        assert_eq!(again.len(), 1);
    }
}
