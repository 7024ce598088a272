//! How many of something are under way at once, in all and of one tenant: requests, look-ups of names. A place is held until
//! it is dropped. Who may have one, [`TenantPlaces`] says; who waits for one stands in line here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use crate::domain::{NoRoom, TenantId, TenantPlaces};
use crate::sync::lock;

/// So many places. Cheap to clone: clones share them.
#[derive(Clone)]
pub struct Room(Arc<Mutex<Taken>>);

struct Taken {
    places: TenantPlaces,
    waiting: VecDeque<Waiting>,
}

type Waiting = (TenantId, oneshot::Sender<Inside>);

/// A place; dropping it gives it back.
pub struct Inside {
    room: Room,
    tenant: TenantId,
}

impl Room {
    pub fn new(most: usize, most_per_tenant: usize) -> Self {
        // A guess, the one of turns: an eighth costs a tenant who is alone little.
        let reserve = most.div_ceil(8);
        Self(Arc::new(Mutex::new(Taken {
            places: TenantPlaces::new(most, most_per_tenant, reserve),
            waiting: VecDeque::new(),
        })))
    }

    /// A place at once, or none.
    pub fn enter(&self, tenant: TenantId) -> Result<Inside, NoRoom> {
        lock(&self.0).places.enter(tenant, 1)?;
        Ok(self.inside(tenant))
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
        let mut taken = lock(&self.0);
        if taken.places.enter(tenant, 1).is_ok() {
            return Ok(self.inside(tenant));
        }
        let (tell, told) = oneshot::channel();
        taken.waiting.push_back((tenant, tell));
        Err(told)
    }

    fn inside(&self, tenant: TenantId) -> Inside {
        Inside {
            room: self.clone(),
            tenant,
        }
    }
}

impl Taken {
    /// Takes places for those of the line who may have one now.
    fn next(&mut self) -> VecDeque<Waiting> {
        let mut line = std::mem::take(&mut self.waiting);
        line.retain(|(_, tell)| !tell.is_closed());
        // Once is enough: who enters leaves less room to those who stand before.
        let (next, waiting) =
            (line.into_iter()).partition(|(tenant, _)| self.places.enter(*tenant, 1).is_ok());
        self.waiting = waiting;
        next
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let next = {
            let mut taken = lock(&self.room.0);
            taken.places.leave(self.tenant, 1);
            taken.next()
        };
        for (tenant, tell) in next {
            // Who has just stopped waiting drops it, and so hands it on.
            let _ = tell.send(self.room.inside(tenant));
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

    #[test]
    fn an_eighth_stays_free_for_tenants_below_their_share() {
        let room = Room::new(8, 8);
        let first: Vec<_> = (0..7).map(|_| room.enter(tenant(1))).collect();
        assert!(first.iter().all(Result::is_ok), "all but the reserve");
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
