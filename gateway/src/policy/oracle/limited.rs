//! The oracle's reading of the limits, from `docs/policy.md`.

use super::history::{Event, Limits, Listed, Step, Wish};
use super::naive::{DAY, Opinion, Past, SECOND, refused};
use crate::domain::DraftClass::{
    self, Authentication, Marketing, OptOutConfirmation, Reply, Utility,
};
use crate::domain::template::TemplateCategory;

const MINUTE: i64 = 60 * SECOND;

/// What the message is to whoever counts; nothing when it answers.
pub fn counts_as(wish: Wish) -> Option<DraftClass> {
    let answer = matches!(wish.class, Reply | OptOutConfirmation);
    match wish.template {
        Listed::There {
            category: TemplateCategory::Marketing,
            ..
        } => Some(Marketing),
        _ if answer => None,
        Listed::There {
            category: TemplateCategory::Utility,
            ..
        } => Some(Utility),
        Listed::There { .. } => Some(Authentication),
        _ => Some(wish.class),
    }
}

impl Past<'_> {
    pub fn beyond_a_limit(&self, limits: &Limits, wish: Wish, made: i64) -> Option<Opinion> {
        let class = counts_as(wish)?;
        let most = match class {
            Utility => limits.most_utility,
            Marketing => limits.most_marketing,
            _ => [None, None, limits.most_codes_a_month],
        };
        let enough =
            |step: &Step| step.event == Event::HadEnough && self.now - step.at.millis() < DAY;
        if class == Marketing && self.steps.iter().any(enough) {
            return refused("held_off");
        }
        let within = |span: i64| self.begun(class).filter(|at| self.now - at < span).count();
        let too_many = |most: Option<usize>, n: usize| most.is_some_and(|most| n >= most);
        if too_many(most[0], within(DAY)) || too_many(most[1], within(7 * DAY)) {
            return refused("person_cap");
        }
        if self.is_beyond_metas_limit(wish) && (class == Authentication || self.now - made >= DAY) {
            return refused("messaging_limit");
        }
        let this_month = self.begun(class).filter(|at| month(*at) == month(self.now));
        too_many(most[2], this_month.count()).then(|| Opinion::Refused(vec!["monthly_cap"]))
    }

    fn begun(&self, class: DraftClass) -> impl Iterator<Item = i64> {
        let of = move |event| matches!(event, Event::Begun(begun) if begun == class);
        self.steps
            .iter()
            .filter(move |step| of(step.event))
            .map(|step| step.at.millis())
    }

    pub fn is_beyond_metas_limit(&self, wish: Wish) -> bool {
        let told = self.steps.iter().rev().find_map(|step| match step.event {
            Event::TierTold(people) => Some(people),
            _ => None,
        });
        let lately = || {
            self.steps
                .iter()
                .filter(|step| self.now - step.at.millis() < DAY)
        };
        let them_too = lately().any(|step| matches!(step.event, Event::Begun(_)));
        let others: i64 = lately()
            .map(|step| match step.event {
                Event::OthersReached(people) => people,
                _ => 0,
            })
            .sum();
        let full = told.is_some_and(|people| people >= 0 && others >= people);
        counts_as(wish).is_some() && !them_too && full && !self.window_is_open()
    }

    pub fn is_quiet(&self, limits: &Limits, wish: Wish) -> bool {
        let (night, day) = match counts_as(wish) {
            Some(Utility) => (limits.quiet_utility, None),
            Some(Marketing) => (limits.quiet_marketing, limits.quiet_day),
            _ => (None, None),
        };
        let india = limits.or_india.then_some(330 * MINUTE);
        [Some(0), india].into_iter().flatten().any(|ahead| {
            let wall = self.now + ahead;
            let minute = wall % DAY / MINUTE;
            // The first day of 1970 was a Thursday.
            let weekday = (wall / DAY + 3) % 7;
            let dark = night.is_some_and(|(from, to)| {
                let (from, to) = (i64::from(from), i64::from(to));
                if from < to {
                    from <= minute && minute < to
                } else {
                    from <= minute || minute < to
                }
            });
            dark || day.is_some_and(|day| i64::from(day) == weekday)
        })
    }
}

/// Histories play in November and December 2026.
fn month(at: i64) -> i64 {
    const DECEMBER: i64 = 1_796_083_200_000;
    i64::from(at >= DECEMBER) + i64::from(at >= DECEMBER + 31 * DAY)
}
