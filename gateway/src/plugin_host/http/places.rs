//! How many instances of one guest thread wait for other servers. A turn that waits keeps those of all its plugins, and turns
//! that find none free wait behind it, whoever's they are: so all that wait keep half of them at most, and those of
//! one tenant an eighth. Who finds no place is told so and does not wait.

use std::sync::{Arc, Mutex};

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{HttpAnswer, HttpAsked, HttpRefused, HttpSender};
use crate::domain::{TenantCounts, TenantId};
use crate::sync::lock;

#[derive(Debug)]
pub(in crate::plugin_host) struct Places {
    most: usize,
    most_per_tenant: usize,
    counts: Mutex<Counts>,
}

/// Instances whose turns wait.
#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_tenant: TenantCounts,
}

impl Places {
    /// Among so many instances.
    pub(in crate::plugin_host) fn among(instances: usize) -> Arc<Self> {
        Arc::new(Self {
            most: instances / 2,
            most_per_tenant: instances / 8,
            counts: Mutex::default(),
        })
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

    /// A turn that keeps more than its share still waits if no other of its tenant does, and one that keeps more than half if
    /// no other does at all.
    fn enter(self: &Arc<Self>, tenant: TenantId, instances: usize) -> Result<Waiting, HttpRefused> {
        let mut counts = lock(&self.counts);
        let own = counts.by_tenant.of(tenant);
        let is_beyond = |waiting: usize, most: usize| waiting > 0 && waiting + instances > most;
        if is_beyond(own, self.most_per_tenant) {
            let why = "as many of the tenant's turns wait for answers as may at once";
            return Err(HttpRefused::Quota(why.to_owned()));
        }
        if is_beyond(counts.all, self.most) {
            let why = "as many turns wait for answers as the gateway lets wait at once";
            return Err(HttpRefused::Unavailable(why.to_owned()));
        }
        counts.all += instances;
        counts.by_tenant.add(tenant, instances);
        Ok(Waiting {
            places: self.clone(),
            tenant,
            instances,
        })
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
        let mut counts = lock(&self.places.counts);
        counts.all -= self.instances;
        counts.by_tenant.take_away(self.tenant, self.instances);
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

    #[test]
    fn a_tenant_keeps_an_eighth_and_all_keep_half() {
        let places = Places::among(16);
        let hogs: Vec<_> = (0..2).map(|_| places.enter(HOG, 1)).collect();
        assert!(hogs.iter().all(Result::is_ok));
        let refused = places.enter(HOG, 1);
        assert!(matches!(refused, Err(HttpRefused::Quota(_))), "{refused:?}");
        let others = (2..5).map(|tenant| places.enter(TenantId::from_raw(tenant), 2));
        let others: Vec<_> = others.collect();
        assert!(others.iter().all(Result::is_ok), "{others:?}");
        let refused = places.enter(TenantId::from_raw(9), 1);
        assert!(
            matches!(refused, Err(HttpRefused::Unavailable(_))),
            "{refused:?}"
        );
        drop(hogs);
        assert!(places.enter(TenantId::from_raw(9), 1).is_ok());
    }

    #[test]
    fn a_turn_of_many_plugins_waits_when_no_other_of_its_tenant_does() {
        let places = Places::among(16);
        let first = places.enter(HOG, 8).expect("none of the tenant's waits");
        let more = places.enter(HOG, 1);
        assert!(matches!(more, Err(HttpRefused::Quota(_))), "{more:?}");
        let other = places.enter(QUIET, 1);
        assert!(
            matches!(other, Err(HttpRefused::Unavailable(_))),
            "half of them is kept: {other:?}"
        );
        drop(first);
        assert!(places.enter(QUIET, 16).is_ok(), "one always may");
        assert_eq!(lock(&places.counts).by_tenant, TenantCounts::default());
    }
}
