//! How many instances of one guest thread wait for other servers. A turn that waits keeps those of all its plugins, and turns
//! that find none free wait behind it, whoever's they are: so all that wait keep half of them at most, which tenants share
//! as all places ([`TenantPlaces`]). Who finds no place is told so and does not wait.

use std::sync::{Arc, Mutex};

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{HttpAnswer, HttpAsked, HttpRefused, HttpSender};
use crate::domain::{NoRoom, TenantId, TenantPlaces};
use crate::sync::lock;

#[derive(Debug)]
pub(in crate::plugin_host) struct Places(Mutex<TenantPlaces>);

impl Places {
    /// Among so many instances.
    pub(in crate::plugin_host) fn among(instances: usize) -> Arc<Self> {
        let most = (instances / 2).max(1);
        // Of 32, a turn of as many plugins as one may have. A guess.
        let reserve = most / 4;
        let places = TenantPlaces::new(most, most - reserve, reserve);
        Arc::new(Self(Mutex::new(places)))
    }

    /// Sends for a turn that keeps so many instances meanwhile. On the host's own runtime, as every sender: no guest thread
    /// takes the lock.
    pub(in crate::plugin_host) fn sender(
        self: &Arc<Self>,
        sender: Arc<dyn HttpSender>,
        instances: usize,
    ) -> Arc<dyn HttpSender> {
        Arc::new(InPlaces {
            places: self.clone(),
            instances,
            sender,
        })
    }

    fn enter(self: &Arc<Self>, tenant: TenantId, instances: usize) -> Result<Waiting, HttpRefused> {
        lock(&self.0).enter(tenant, instances).map_err(no_room)?;
        Ok(Waiting {
            places: self.clone(),
            tenant,
            instances,
        })
    }
}

fn no_room(why: NoRoom) -> HttpRefused {
    match why {
        NoRoom::Own => {
            let why = "as many of the tenant's turns wait for answers as may at once";
            HttpRefused::Quota(why.to_owned())
        }
        NoRoom::All => {
            let why = "as many turns wait for answers as the gateway lets wait at once";
            HttpRefused::Unavailable(why.to_owned())
        }
    }
}

/// The places of a turn that waits; dropping it gives them back.
#[derive(Debug)]
struct Waiting {
    places: Arc<Places>,
    tenant: TenantId,
    instances: usize,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        lock(&self.places.0).leave(self.tenant, self.instances);
    }
}

struct InPlaces {
    places: Arc<Places>,
    instances: usize,
    sender: Arc<dyn HttpSender>,
}

impl HttpSender for InPlaces {
    fn recall(&self, asked: &HttpAsked) -> Option<HttpAnswer> {
        self.sender.recall(asked)
    }

    fn send<'a>(&'a self, asked: &'a HttpAsked) -> BoxFuture<'a, HttpAnswer> {
        async move {
            let _waiting = self.places.enter(asked.tenant, self.instances)?;
            self.sender.send(asked).await
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOG: TenantId = TenantId::from_raw(1);
    const QUIET: TenantId = TenantId::from_raw(2);

    type Entered = Result<Waiting, HttpRefused>;

    /// As many turns with so many instances as may wait, and how the next one is refused.
    fn fill(places: &Arc<Places>, tenant: TenantId, instances: usize) -> (Vec<Waiting>, Entered) {
        let mut waiting = Vec::new();
        loop {
            match places.enter(tenant, instances) {
                Ok(one) => waiting.push(one),
                refused => return (waiting, refused),
            }
        }
    }

    fn is_own(refused: &Entered) -> bool {
        matches!(refused, Err(HttpRefused::Quota(_)))
    }

    fn is_all(refused: &Entered) -> bool {
        matches!(refused, Err(HttpRefused::Unavailable(_)))
    }

    #[test]
    fn a_tenant_alone_keeps_three_quarters_of_the_half() {
        for (instances, turns) in [(1, 24), (5, 4), (8, 3)] {
            let places = Places::among(64);
            let (waiting, refused) = fill(&places, HOG, instances);
            assert_eq!(waiting.len(), turns, "of {instances} plugins");
            assert!(is_own(&refused), "{refused:?}");
            let (others, refused) = fill(&places, QUIET, 8);
            assert_eq!(others.len(), 1, "a turn of as many plugins as may be");
            assert!(is_all(&refused), "half of them is kept: {refused:?}");
            drop((waiting, others));
            assert_eq!(fill(&places, QUIET, instances).0.len(), turns);
        }
    }

    #[test]
    fn a_tenant_above_its_share_leaves_the_reserve_to_others() {
        let places = Places::among(64);
        let (mut hogs, _) = fill(&places, HOG, 4);
        let quiet = places.enter(QUIET, 4);
        assert!(quiet.is_ok(), "{quiet:?}");
        hogs.pop();
        // Eight are free.
        let more = places.enter(HOG, 1);
        assert!(is_all(&more), "{more:?}");
        let others = [3, 4].map(|tenant| places.enter(TenantId::from_raw(tenant), 4));
        assert!(others.iter().all(Result::is_ok), "{others:?}");
        let more = places.enter(TenantId::from_raw(5), 1);
        assert!(is_all(&more), "{more:?}");
    }

    #[test]
    fn a_turn_of_many_plugins_waits_when_no_other_does() {
        let places = Places::among(14);
        let first = places.enter(HOG, 8).expect("none waits");
        let more = places.enter(HOG, 1);
        assert!(is_own(&more), "{more:?}");
        let other = places.enter(QUIET, 1);
        assert!(is_all(&other), "half of them is kept: {other:?}");
        drop(first);
        assert!(places.enter(QUIET, 8).is_ok(), "one always may");
        let (places, fresh) = (lock(&places.0), Places::among(14));
        assert_eq!(*places, *lock(&fresh.0), "all is given back");
    }
}
