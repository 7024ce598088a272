//! How many of something are under way at once, in all and of one tenant: requests, look-ups of names. A place is held until
//! it is dropped.
//!
//! A tenant below its share enters while there is a place, one above it only while a reserve stays free, as turns begin
//! (`pipeline/queue.rs`): a tenant that is alone has nearly all that one may, and a few with slow servers do not have all.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use crate::domain::{TenantCounts, TenantId};
use crate::sync::lock;

/// So many places. Cheap to clone: clones share them.
#[derive(Clone)]
pub struct Room(Arc<Places>);

struct Places {
    most: usize,
    most_per_tenant: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_tenant: TenantCounts,
    waiting: VecDeque<Waiting>,
}

type Waiting = (TenantId, oneshot::Sender<Inside>);

/// Why somebody has no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// The tenant has as many as one may.
    Own,
    /// All of them are taken.
    All,
}

/// A place; dropping it gives it back.
pub struct Inside {
    places: Arc<Places>,
    tenant: TenantId,
}

impl Room {
    pub fn new(most: usize, most_per_tenant: usize) -> Self {
        Self(Arc::new(Places {
            most,
            most_per_tenant,
            taken: Mutex::default(),
        }))
    }

    /// A place at once, or none.
    pub fn enter(&self, tenant: TenantId) -> Result<Inside, NoRoom> {
        self.0.take(&mut lock(&self.0.taken), tenant)?;
        Ok(self.0.inside(tenant))
    }

    /// A place when there is one: of those who wait, whoever came first and may.
    pub async fn wait(&self, tenant: TenantId) -> Inside {
        match self.stand_in_line(tenant) {
            Ok(inside) => inside,
            Err(told) => told
                .await
                .expect("who waits stands in line until there is a place"),
        }
    }

    fn stand_in_line(&self, tenant: TenantId) -> Result<Inside, oneshot::Receiver<Inside>> {
        let mut taken = lock(&self.0.taken);
        if self.0.take(&mut taken, tenant).is_ok() {
            return Ok(self.0.inside(tenant));
        }
        let (tell, told) = oneshot::channel();
        taken.waiting.push_back((tenant, tell));
        Err(told)
    }
}

impl Places {
    fn take(&self, taken: &mut Taken, tenant: TenantId) -> Result<(), NoRoom> {
        self.may_enter(taken, tenant)?;
        taken.all += 1;
        taken.by_tenant.add(tenant, 1);
        Ok(())
    }

    fn may_enter(&self, taken: &Taken, tenant: TenantId) -> Result<(), NoRoom> {
        let own = taken.by_tenant.of(tenant);
        if own >= self.most_per_tenant {
            return Err(NoRoom::Own);
        }
        let free = self.most.saturating_sub(taken.all);
        let kept = match own < self.fair_share(taken, own) {
            true => 0,
            false => self.reserve(),
        };
        match free > kept {
            true => Ok(()),
            false => Err(NoRoom::All),
        }
    }

    /// An equal part for everybody inside, for who asks, and for one more who may come.
    fn fair_share(&self, taken: &Taken, own: usize) -> usize {
        let present = taken.by_tenant.tenants() + usize::from(own == 0);
        (self.most / (present + 1)).max(1)
    }

    /// Kept free for tenants below their share. A guess, the one of turns: an eighth costs a tenant who is alone little.
    fn reserve(&self) -> usize {
        self.most.div_ceil(8).min(self.most.saturating_sub(1))
    }

    fn inside(self: &Arc<Self>, tenant: TenantId) -> Inside {
        Inside {
            places: self.clone(),
            tenant,
        }
    }

    /// Takes places for those of the line who may have one now.
    fn next(&self, taken: &mut Taken) -> Vec<Waiting> {
        taken.waiting.retain(|(_, tell)| !tell.is_closed());
        let mut next = Vec::new();
        let may = |taken: &Taken| {
            let mut line = taken.waiting.iter();
            line.position(|(tenant, _)| self.may_enter(taken, *tenant).is_ok())
        };
        while let Some(at) = may(taken) {
            let Some((tenant, tell)) = taken.waiting.remove(at) else {
                break;
            };
            if self.take(taken, tenant).is_ok() {
                next.push((tenant, tell));
            }
        }
        next
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let next = {
            let mut taken = lock(&self.places.taken);
            taken.all -= 1;
            taken.by_tenant.take_away(self.tenant, 1);
            self.places.next(&mut taken)
        };
        for (tenant, tell) in next {
            // Who has just stopped waiting drops it, and so hands it on.
            let _ = tell.send(self.places.inside(tenant));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn tenant(n: i64) -> TenantId {
        TenantId::from_raw(n)
    }

    fn refused(room: &Room, n: i64) -> Option<NoRoom> {
        room.enter(tenant(n)).err()
    }

    #[test]
    fn a_tenant_has_its_share_and_gives_it_back() {
        let room = Room::new(4, 2);
        let first = room.enter(tenant(1));
        let _second = room.enter(tenant(1));
        assert_eq!(refused(&room, 1), Some(NoRoom::Own));
        let _third = room.enter(tenant(2));
        assert_eq!(refused(&room, 2), Some(NoRoom::All));
        drop(first);
        assert_eq!(refused(&room, 1), None);
    }

    /// As many places as there are for each of these, one after the other.
    fn fill(room: &Room, tenants: impl IntoIterator<Item = i64>) -> (Vec<Inside>, Vec<usize>) {
        let mut inside = Vec::new();
        let mut counts = Vec::new();
        for n in tenants {
            let before = inside.len();
            while let Ok(one) = room.enter(tenant(n)) {
                inside.push(one);
            }
            counts.push(inside.len() - before);
        }
        (inside, counts)
    }

    #[test]
    fn tenants_that_take_all_they_can_leave_room_for_others() {
        let room = Room::new(64, 16);
        let (inside, counts) = fill(&room, 1..=4);
        // The fourth has its part of 64, a fifth of it, when the other three have had more.
        assert_eq!(counts, [16, 16, 16, 12]);
        for n in 5..9 {
            assert_eq!(refused(&room, n), None, "a place for a newcomer");
        }
        let (_others, counts) = fill(&room, [1, 4, 5]);
        assert_eq!(
            counts,
            [0, 0, 4],
            "below its share one enters as long as there is a place"
        );
        drop(inside);
    }

    #[test]
    fn above_its_share_a_tenant_enters_while_the_reserve_is_free() {
        let room = Room::new(8, 8);
        let (first, counts) = fill(&room, [1]);
        assert_eq!(counts, [7], "all but the reserve");
        assert_eq!(refused(&room, 1), Some(NoRoom::All));
        let newcomer = room.enter(tenant(2));
        assert!(newcomer.is_ok(), "the reserve is for this");
        assert_eq!(refused(&room, 3), Some(NoRoom::All));
        drop(newcomer);
        assert_eq!(refused(&room, 1), Some(NoRoom::All), "still above");
        drop(first);
        assert_eq!(refused(&room, 1), None);
    }

    #[test]
    fn a_room_of_one_or_none_is_no_special_case() {
        let room = Room::new(1, 1);
        let _one = room.enter(tenant(1));
        assert_eq!(refused(&room, 2), Some(NoRoom::All));
        assert_eq!(refused(&Room::new(0, 1), 1), Some(NoRoom::All));
    }

    #[test]
    fn who_waits_is_next_when_there_is_a_place_for_it() {
        let room = Room::new(2, 1);
        let first = room.enter(tenant(1));
        let second = room.enter(tenant(2));
        let (mut own, mut gone) = (room.wait(tenant(1)).boxed(), room.wait(tenant(3)).boxed());
        let mut other = room.wait(tenant(4)).boxed();
        for waiting in [&mut own, &mut gone, &mut other] {
            assert!(waiting.now_or_never().is_none());
        }
        drop(gone);
        drop(second);
        let other = (&mut other).now_or_never();
        assert!(other.is_some(), "the first that may, and waits still");
        assert!((&mut own).now_or_never().is_none());
        drop(first);
        assert!(own.now_or_never().is_some());
    }
}
