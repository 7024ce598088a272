//! Places that tenants share, and who may have more of them. Pure.
//!
//! A tenant below its share enters while there is a place, one above it only while a reserve stays free, as turns begin
//! (`pipeline/queue.rs`): a tenant that is alone has nearly all that one may, and a few with slow servers do not have all.

use super::{TenantCounts, TenantId};

/// So many places, and who is inside.
#[derive(Debug, PartialEq, Eq)]
pub struct TenantPlaces {
    most: usize,
    most_per_tenant: usize,
    /// Kept free for tenants below their share.
    reserve: usize,
    taken: usize,
    by_tenant: TenantCounts,
}

/// Why somebody has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// The tenant has as many as one may.
    Own,
    /// All are taken, but for those that are kept for others.
    All,
}

impl TenantPlaces {
    pub fn new(most: usize, most_per_tenant: usize, reserve: usize) -> Self {
        Self {
            most,
            most_per_tenant,
            reserve: reserve.min(most.saturating_sub(1)),
            taken: 0,
            by_tenant: TenantCounts::default(),
        }
    }

    /// Takes places together, or none. Whoever takes more than there are takes all of them.
    pub fn enter(&mut self, tenant: TenantId, places: usize) -> Result<(), NoRoom> {
        let places = self.counted(places);
        self.may_enter(tenant, places)?;
        self.taken += places;
        self.by_tenant.add(tenant, places);
        Ok(())
    }

    /// Gives back what was taken together.
    pub fn leave(&mut self, tenant: TenantId, places: usize) {
        let places = self.counted(places);
        self.taken -= places;
        self.by_tenant.take_away(tenant, places);
    }

    /// A tenant that has none is below its share, and may have more than one may, if it takes them together.
    fn may_enter(&self, tenant: TenantId, places: usize) -> Result<(), NoRoom> {
        let own = self.by_tenant.of(tenant);
        if own + places.min(self.most_per_tenant.max(1)) > self.most_per_tenant {
            return Err(NoRoom::Own);
        }
        let is_below = own == 0 || own + places <= self.fair_share(own);
        let kept = if is_below { 0 } else { self.reserve };
        match self.taken + places + kept <= self.most {
            true => Ok(()),
            false => Err(NoRoom::All),
        }
    }

    /// An equal part for everybody inside, for who asks, and for one more who may come.
    fn fair_share(&self, own: usize) -> usize {
        let present = self.by_tenant.tenants() + usize::from(own == 0);
        (self.most / (present + 1)).max(1)
    }

    fn counted(&self, places: usize) -> usize {
        places.min(self.most).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(n: i64) -> TenantId {
        TenantId::from_raw(n)
    }

    /// How often each of these, one after the other, takes so many places together until it is refused, and how it is.
    fn fill(
        places: &mut TenantPlaces,
        tenants: impl IntoIterator<Item = (i64, usize)>,
    ) -> Vec<(usize, NoRoom)> {
        let mut fill_one = |(n, together)| {
            let mut times = 0;
            loop {
                match places.enter(tenant(n), together) {
                    Ok(()) => times += 1,
                    Err(why) => return (times, why),
                }
            }
        };
        tenants.into_iter().map(&mut fill_one).collect()
    }

    #[test]
    fn a_tenant_has_its_own_most_and_gives_it_back() {
        let mut places = TenantPlaces::new(4, 2, 0);
        assert_eq!(fill(&mut places, [(1, 1)]), [(2, NoRoom::Own)]);
        assert_eq!(fill(&mut places, [(2, 1)]), [(2, NoRoom::Own)]);
        assert_eq!(places.enter(tenant(3), 1), Err(NoRoom::All));
        places.leave(tenant(1), 1);
        assert_eq!(places.enter(tenant(1), 1), Ok(()));
    }

    #[test]
    fn tenants_that_take_all_they_can_leave_room_for_others() {
        let mut places = TenantPlaces::new(64, 16, 8);
        let counts = fill(&mut places, (1..=4).map(|n| (n, 1)));
        // The fourth has its part of 64, a fifth of it, when the other three have had more.
        let own = (16, NoRoom::Own);
        assert_eq!(counts, [own, own, own, (12, NoRoom::All)]);
        for n in 5..9 {
            let newcomer = places.enter(tenant(n), 1);
            assert_eq!(newcomer, Ok(()), "there is a place for each");
            places.leave(tenant(n), 1);
        }
        let counts = fill(&mut places, [(1, 1), (4, 1), (5, 1)]);
        let times: Vec<usize> = counts.into_iter().map(|(times, _)| times).collect();
        assert_eq!(
            times,
            [0, 0, 4],
            "below its share one enters as long as there is a place"
        );
    }

    #[test]
    fn above_its_share_a_tenant_enters_while_the_reserve_is_free() {
        let mut places = TenantPlaces::new(8, 8, 1);
        assert_eq!(fill(&mut places, [(1, 1)]), [(7, NoRoom::All)]);
        assert_eq!(
            places.enter(tenant(2), 1),
            Ok(()),
            "the reserve is for this"
        );
        assert_eq!(places.enter(tenant(3), 1), Err(NoRoom::All));
        places.leave(tenant(2), 1);
        assert_eq!(
            places.enter(tenant(1), 1),
            Err(NoRoom::All),
            "it is above its share still"
        );
        places.leave(tenant(1), 1);
        assert_eq!(places.enter(tenant(1), 1), Ok(()));
    }

    #[test]
    fn places_that_are_taken_together_are_weighed_together() {
        let mut places = TenantPlaces::new(32, 24, 8);
        // The second reaches its share of 10 with its first eight: more of them would touch the reserve.
        let counts = fill(&mut places, [(1, 4), (2, 8), (3, 1)]);
        assert_eq!(
            counts,
            [(6, NoRoom::Own), (1, NoRoom::All), (0, NoRoom::All)]
        );
        for _ in 0..2 {
            places.leave(tenant(1), 4);
            assert_eq!(
                places.enter(tenant(1), 4),
                Err(NoRoom::All),
                "they are for others"
            );
        }
        assert_eq!(
            places.enter(tenant(3), 8),
            Ok(()),
            "with none inside one is below its share"
        );
    }

    #[test]
    fn who_takes_more_than_there_are_takes_all_and_gives_all_back() {
        let mut places = TenantPlaces::new(4, 2, 1);
        assert_eq!(places.enter(tenant(1), 9), Ok(()));
        assert_eq!(places.enter(tenant(2), 1), Err(NoRoom::All));
        places.leave(tenant(1), 9);
        assert_eq!(places, TenantPlaces::new(4, 2, 1));
        assert_eq!(places.enter(tenant(2), 1), Ok(()));
        assert_eq!(
            places.enter(tenant(1), 4),
            Err(NoRoom::All),
            "all, when there are all"
        );
    }

    #[test]
    fn one_place_or_none_is_no_special_case() {
        let mut one = TenantPlaces::new(1, 1, 1);
        assert_eq!(
            fill(&mut one, [(1, 1), (2, 1)]),
            [(1, NoRoom::Own), (0, NoRoom::All)]
        );
        let none = |mut places: TenantPlaces| places.enter(tenant(1), 1);
        assert_eq!(none(TenantPlaces::new(0, 1, 0)), Err(NoRoom::All));
        assert_eq!(none(TenantPlaces::new(1, 0, 0)), Err(NoRoom::Own));
    }
}
