//! Rule: quiet hours. What the business begins waits for the end of the person's night; it is never refused for it.
//!
//! The hours are the tenant's, the time is the person's: where their zone is not known but their country is, and it has
//! several, it is quiet while it is quiet in any of them.

use std::time::Duration;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Zoned};

use crate::domain::{Draft, DraftClass, Recipient, Timestamp};

use super::super::facts::Facts;
use super::{concerned, zones};

/// When nothing is sent, in local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QuietHours {
    /// Minutes after midnight. Quiet from the first until before the second, over midnight if that is the earlier one;
    /// equal: no hours of the day.
    pub from: u16,
    pub to: u16,
    /// Whole days: bit 0 is Monday.
    pub days: u8,
}

/// What is known of the person's night.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuietFact {
    pub utility: Option<QuietHours>,
    pub marketing: Option<QuietHours>,
    /// Where the person may be; empty while there are no hours, because nobody asks then.
    pub zones: Vec<TimeZone>,
}

/// No quiet lasts longer than a week without an open minute, or the setting is refused; with several zones it may.
const LOOK_AHEAD: Duration = Duration::from_secs(8 * 86_400);

/// When the draft may go, if it has to wait at all.
pub(in crate::policy) fn wait_until(
    facts: &Facts,
    draft: &Draft,
    now: Timestamp,
) -> Option<Timestamp> {
    let quiet = &facts.limits.quiet;
    let hours = match concerned(facts, draft)? {
        DraftClass::Utility => quiet.utility,
        DraftClass::Marketing => quiet.marketing,
        // By rule: a one-time code is asked for by who waits for it, and answers answer somebody who is awake.
        DraftClass::Authentication | DraftClass::Reply | DraftClass::OptOutConfirmation => None,
    };
    hours?.ends(&quiet.zones, now)
}

impl QuietHours {
    /// Is there a minute of the week in which something may be sent?
    pub fn leaves_time(&self) -> bool {
        self.days & 0b111_1111 != 0b111_1111
    }

    /// The next moment that is quiet in none of the zones; `None`: now is one.
    ///
    /// Hours that leave no such moment in a country of many zones are those of the first, where most people live.
    pub fn ends(&self, zones: &[TimeZone], now: Timestamp) -> Option<Timestamp> {
        let end = self
            .end_in(zones, now)
            .or_else(|| self.end_in(zones.get(..1)?, now))?;
        (end > now).then_some(end)
    }

    fn end_in(&self, zones: &[TimeZone], now: Timestamp) -> Option<Timestamp> {
        let mut at = now;
        while at.since(now) < LOOK_AHEAD {
            match zones.iter().find_map(|zone| self.end_of(zone, at)) {
                None => return Some(at),
                Some(later) => at = later,
            }
        }
        None
    }

    /// If it is quiet at `at`: the end of that, which is later.
    fn end_of(&self, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
        let local = jiff::Timestamp::from_millisecond(at.millis()).ok()?;
        let local = local.to_zoned(zone.clone());
        let end = if self.is_quiet_day(local.weekday()) {
            local.tomorrow().and_then(|day| day.start_of_day()).ok()?
        } else if self.is_quiet_time(local.time()) {
            self.end_of_night(&local)?
        } else {
            return None;
        };
        // Milliseconds round down: a moment later is not quiet any more, and this always moves on.
        let end = Timestamp::from_millis(end.timestamp().as_millisecond());
        Some(end.max(at.plus(Duration::from_millis(1))))
    }

    fn is_quiet_day(&self, day: Weekday) -> bool {
        self.days >> day.to_monday_zero_offset() & 1 == 1
    }

    fn is_quiet_time(&self, time: Time) -> bool {
        let minute =
            u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs());
        if self.from <= self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }

    /// `to` by the clock on the wall: of a night that is cut or doubled by a change to or from summer time too. A `to`
    /// that the clock leaps over comes when it has leapt.
    fn end_of_night(&self, local: &Zoned) -> Option<Zoned> {
        let to = Time::new(
            i8::try_from(self.to / 60).ok()?,
            i8::try_from(self.to % 60).ok()?,
            0,
            0,
        )
        .ok()?;
        let mut day = local.date();
        if local.time() >= to {
            day = day.tomorrow().ok()?;
        }
        let end = day
            .to_datetime(to)
            .to_zoned(local.time_zone().clone())
            .ok()?;
        // The hour that comes twice in autumn: the first `to` may be over.
        if end <= *local {
            return local.checked_add(SignedDuration::from_mins(1)).ok();
        }
        Some(end)
    }
}

/// The zones that a person may be in: the one that is on record for them, else those of their country, else where the
/// business is.
pub fn likely_zones(
    on_record: Option<&str>,
    recipient: &Recipient,
    business: &str,
) -> Vec<TimeZone> {
    if let Some(zone) = on_record.and_then(zone) {
        return vec![zone];
    }
    let of_country: Vec<TimeZone> = zones::of(recipient).into_iter().filter_map(zone).collect();
    if of_country.is_empty() {
        return zone(business).into_iter().collect();
    }
    of_country
}

/// The system's zones are the fresher ones; where it has none, or not this one, the binary's are used.
pub fn zone(name: &str) -> Option<TimeZone> {
    let own = || jiff::tz::TimeZoneDatabase::bundled().get(name);
    TimeZone::get(name).or_else(|_| own()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Phone;
    use crate::domain::template::{TemplateCategory, TemplateStatus};
    use crate::policy::fixture::{facts, known, now, plugin_reply, template};
    use crate::policy::{Decision, Reason, decide};

    const NIGHT: QuietHours = QuietHours {
        from: 21 * 60,
        to: 8 * 60,
        days: 0,
    };

    fn at(text: &str) -> Timestamp {
        let time: jiff::Timestamp = text.parse().expect("a time");
        Timestamp::from_millis(time.as_millisecond())
    }

    fn in_zones(hours: QuietHours, names: &[&str], now: &str) -> Option<String> {
        let zones: Vec<TimeZone> = names.iter().filter_map(|name| zone(name)).collect();
        assert_eq!(zones.len(), names.len());
        hours.ends(&zones, at(now)).map(|end| end.to_string())
    }

    #[test]
    fn the_night_ends_at_the_time_that_the_wall_shows() {
        let berlin = |now| in_zones(NIGHT, &["Europe/Berlin"], now);
        assert_eq!(berlin("2026-11-25T19:59:59.999Z"), None);
        let morning = Some("2026-11-26T07:00:00.000Z".to_owned());
        assert_eq!(berlin("2026-11-25T20:00:00Z"), morning);
        assert_eq!(berlin("2026-11-26T06:59:59.999Z"), morning);
        assert_eq!(berlin("2026-11-26T07:00:00Z"), None);
    }

    #[test]
    fn a_night_in_which_the_clocks_change_ends_by_the_new_time() {
        // Summer time begins at 2027-03-28T01:00Z and ends at 2026-10-25T01:00Z.
        let berlin = |now| in_zones(NIGHT, &["Europe/Berlin"], now);
        let spring = berlin("2027-03-27T22:00:00Z");
        assert_eq!(spring.as_deref(), Some("2027-03-28T06:00:00.000Z"));
        let autumn = berlin("2026-10-24T22:00:00Z");
        assert_eq!(autumn.as_deref(), Some("2026-10-25T07:00:00.000Z"));
    }

    #[test]
    fn an_end_that_the_clock_leaps_over_or_shows_twice_is_an_end() {
        let to_half_past_two = QuietHours {
            from: 22 * 60,
            to: 150,
            days: 0,
        };
        let berlin = |now| in_zones(to_half_past_two, &["Europe/Berlin"], now);
        let spring = berlin("2027-03-28T00:30:00Z");
        assert_eq!(spring.as_deref(), Some("2027-03-28T01:30:00.000Z"));
        let autumn = berlin("2026-10-24T23:30:00Z");
        assert_eq!(autumn.as_deref(), Some("2026-10-25T00:30:00.000Z"));
        // 02:10 for the second time.
        let again = berlin("2026-10-25T01:10:00Z");
        assert_eq!(again.as_deref(), Some("2026-10-25T01:30:00.000Z"));
    }

    #[test]
    fn a_country_is_quiet_while_one_of_its_zones_is() {
        let zones = ["America/New_York", "Pacific/Honolulu"];
        let end = in_zones(NIGHT, &zones, "2026-11-26T02:00:00Z");
        assert_eq!(end.as_deref(), Some("2026-11-26T18:00:00.000Z"));
        assert_eq!(in_zones(NIGHT, &zones, "2026-11-26T18:00:00Z"), None);
        let end = in_zones(NIGHT, &zones[..1], "2026-11-26T02:00:00Z");
        assert_eq!(end.as_deref(), Some("2026-11-26T13:00:00.000Z"));
    }

    #[test]
    fn hours_that_leave_a_wide_country_no_time_are_those_of_its_first_zone() {
        let short_day = QuietHours {
            from: 18 * 60,
            to: 10 * 60,
            days: 0,
        };
        let zones = ["Europe/Moscow", "Asia/Kamchatka"];
        let end = in_zones(short_day, &zones, "2026-11-25T20:00:00Z");
        assert_eq!(end.as_deref(), Some("2026-11-26T07:00:00.000Z"));
    }

    #[test]
    fn a_quiet_sunday_ends_with_mondays_morning() {
        let hours = QuietHours {
            days: 1 << 6,
            ..NIGHT
        };
        let end = in_zones(hours, &["Europe/Paris"], "2026-11-29T11:00:00Z");
        assert_eq!(end.as_deref(), Some("2026-11-30T07:00:00.000Z"));
        assert!(hours.leaves_time());
        assert!(
            !QuietHours {
                days: 0x7f,
                ..NIGHT
            }
            .leaves_time()
        );
    }

    #[test]
    fn the_zone_on_record_counts_before_the_country_and_the_country_before_the_business() {
        let british = Recipient::Phone(Phone::parse("447700900123").expect("a phone"));
        let nowhere = Recipient::Phone(Phone::parse("88300900123").expect("a phone"));
        let named = |zones: Vec<TimeZone>| zones[0].iana_name().map(str::to_owned);
        let cases = [
            (Some("Asia/Tokyo"), &british, "Asia/Tokyo"),
            (Some("Mars/Olympus"), &british, "Europe/London"),
            (None, &british, "Europe/London"),
            (None, &nowhere, "Africa/Lagos"),
        ];
        for (on_record, to, expected) in cases {
            let found = named(likely_zones(on_record, to, "Africa/Lagos"));
            assert_eq!(found.as_deref(), Some(expected));
        }
    }

    #[test]
    fn only_what_the_business_begins_waits_and_codes_never_do() {
        let mut facts = facts();
        let all_day = QuietHours {
            from: 0,
            to: 24 * 60 - 1,
            days: 0,
        };
        facts.limits.quiet = QuietFact {
            utility: Some(all_day),
            marketing: Some(all_day),
            zones: zone("UTC").into_iter().collect(),
        };
        let waits = |draft: &Draft, facts: &Facts| match decide(facts, draft, now()) {
            Decision::Deferred { reason, until } => {
                assert_eq!(reason, Reason::QuietHours);
                assert!(until > now());
                true
            }
            _ => false,
        };
        assert!(!waits(&plugin_reply("hi"), &facts));
        let mut draft = template("order_update", "en");
        assert!(waits(&draft, &facts));
        draft.class = DraftClass::Authentication;
        assert!(!waits(&draft, &facts));
        // What Meta calls it counts, not what its sender does.
        facts.template = known(TemplateStatus::Approved, TemplateCategory::Marketing, 0);
        draft.class = DraftClass::Reply;
        assert!(waits(&draft, &facts));
    }
}
