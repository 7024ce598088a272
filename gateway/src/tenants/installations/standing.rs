//! Which installations stand for a number: of one plugin, the number's own rather than the one for all of the tenant's.
//!
//! The own one takes the other's place once a version of it is in service, and keeps it while it is paused, its breaker is
//! open or what it goes on with after a stop is not found yet. Before that both stand, and each turn has one of them (`pipeline/plugins.rs`): the own candidate has the
//! conversations of its share, the tenant's installation all others. With nothing to run it leaves the place.

use crate::domain::NumberId;
use crate::storage::installations::Installation;

/// Those of a tenant's installations that stand for a number, in order.
pub fn standing(all: &[Installation], number: NumberId) -> impl Iterator<Item = &Installation> {
    let concerns = move |one: &&Installation| one.number.is_none_or(|only| only == number);
    let of_number: Vec<&Installation> = all.iter().filter(concerns).collect();
    let own_serves = |one: &Installation| {
        let mut others = of_number.iter();
        others.any(|own| own.takes_place_of(one) && own.serves())
    };
    let gives_way = |one: &Installation| {
        let tries = one.candidate().is_some() && !one.paused;
        let mut others = of_number.iter();
        !one.serves() && !tries && others.any(|other| one.takes_place_of(other))
    };
    let stands: Vec<&Installation> = of_number
        .iter()
        .copied()
        .filter(|one| !own_serves(one) && !gives_way(one))
        .collect();
    stands.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::rollout::Stage;

    const NUMBER: NumberId = NumberId::from_raw(1);
    const OTHER: NumberId = NumberId::from_raw(2);

    fn installed(id: i64, number: Option<NumberId>, stage: Option<Stage>) -> Installation {
        Installation::blank(id, number, stage.as_slice())
    }

    fn ids(all: &[Installation], number: NumberId) -> Vec<i64> {
        standing(all, number).map(|one| one.id.raw()).collect()
    }

    /// Who stands for the number beside one for all numbers, when its own is so.
    fn beside(own: Installation) -> Vec<i64> {
        let all = [installed(1, None, Some(Stage::Active)), own];
        assert_eq!(ids(&all, OTHER), [1], "another number has the tenant's");
        ids(&all, NUMBER)
    }

    #[test]
    fn a_numbers_own_installation_takes_the_place_of_the_tenants_once_it_serves() {
        let own = |stage| installed(2, Some(NUMBER), stage);
        assert_eq!(beside(own(Some(Stage::Active))), [2]);
        for stage in [Stage::Waiting, Stage::Shadow, Stage::Canary] {
            assert_eq!(beside(own(Some(stage))), [1, 2], "{stage}");
        }
        assert_eq!(
            beside(own(None)),
            [1],
            "what has no version leaves the place"
        );
    }

    #[test]
    fn a_pause_of_the_own_one_holds_its_place_only_if_it_had_it() {
        let paused = |stage| Installation {
            paused: true,
            ..installed(2, Some(NUMBER), Some(stage))
        };
        assert_eq!(beside(paused(Stage::Active)), [2]);
        assert_eq!(beside(paused(Stage::Canary)), [1]);
    }

    #[test]
    fn a_stop_of_the_own_one_leaves_its_place_to_nobody_before_it_is_known_what_comes() {
        let stopped = |stage| {
            let mut own = installed(2, Some(NUMBER), Some(stage));
            own.cut_out(|_| true);
            own
        };
        assert_eq!(beside(stopped(Stage::Active)), [2]);
        assert_eq!(beside(stopped(Stage::Canary)), [1]);
    }

    #[test]
    fn other_plugins_and_what_stands_alone_stay_in_their_order() {
        let mut other = installed(3, None, Some(Stage::Active));
        other.plugin = "desk".to_owned();
        let own = installed(2, Some(NUMBER), Some(Stage::Active));
        let all = [installed(1, None, None), own, other];
        assert_eq!(ids(&all, NUMBER), [2, 3]);
        assert_eq!(ids(&all, OTHER), [1, 3]);
        let alone = [installed(2, Some(NUMBER), None)];
        assert_eq!(ids(&alone, NUMBER), [2], "and is missed by its turns");
    }
}
