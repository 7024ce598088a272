//! How many requests are out at once. Who finds no room is told so and does not wait: a waiting turn holds an instance,
//! and a tenant whose server is slow would hold everybody's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crate::domain::TenantId;
use crate::plugin_host::HttpRefused;
use crate::sync::lock;

pub(super) struct Room {
    most: usize,
    most_per_tenant: usize,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Default)]
struct Counts {
    all: usize,
    by_tenant: HashMap<TenantId, usize>,
}

/// A request's place; dropping it gives it back.
pub(super) struct Inside {
    counts: Arc<Mutex<Counts>>,
    tenant: TenantId,
}

impl Room {
    pub(super) fn new(most: usize, most_per_tenant: usize) -> Self {
        Self {
            most,
            most_per_tenant,
            counts: Arc::default(),
        }
    }

    pub(super) fn enter(&self, tenant: TenantId) -> Result<Inside, HttpRefused> {
        let mut counts = lock(&self.counts);
        let own = counts.by_tenant.get(&tenant).copied().unwrap_or(0);
        if own >= self.most_per_tenant {
            let most = self.most_per_tenant;
            let why = format!("the tenant has {most} requests under way");
            return Err(HttpRefused::Quota(why));
        }
        if counts.all >= self.most {
            let why = "the gateway has as many requests under way as it can";
            return Err(HttpRefused::Unavailable(why.to_owned()));
        }
        counts.all += 1;
        counts.by_tenant.insert(tenant, own + 1);
        Ok(Inside {
            counts: self.counts.clone(),
            tenant,
        })
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        counts.all -= 1;
        if let Some(own) = counts.by_tenant.get_mut(&self.tenant) {
            *own -= 1;
            if *own == 0 {
                counts.by_tenant.remove(&self.tenant);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_its_share_and_gives_it_back() {
        let room = Room::new(3, 2);
        let (one, other) = (TenantId::from_raw(1), TenantId::from_raw(2));
        let first = room.enter(one).expect("room");
        let _second = room.enter(one).expect("room");
        assert!(matches!(room.enter(one), Err(HttpRefused::Quota(_))));
        let _third = room.enter(other).expect("room for others");
        assert!(matches!(
            room.enter(other),
            Err(HttpRefused::Unavailable(_))
        ));
        drop(first);
        assert!(room.enter(one).is_ok());
    }
}
