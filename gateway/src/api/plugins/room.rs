//! Room for uploads on this node: taken before a byte of one is read, given back when it is answered.
//!
//! An upload is in memory whole, and waits for its turn to be compiled. Whoever finds no room is told so at once and reads
//! nothing in.

use std::sync::{Arc, Mutex};

use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::super::Answer;
use super::super::problem::Problem;
use crate::audit::OPERATOR;
use crate::domain::{TenantCounts, TenantId};
use crate::plugin_host::COMPONENT_BYTES;
use crate::sync::lock;

/// Bytes of uploads in memory at once: sixteen of the largest. A guess.
const ROOM: usize = 16 * COMPONENT_BYTES;
/// What a small one takes as well: so no more than 256 wait at once, however small they are.
const LEAST: usize = 1 << 20;
/// Uploads under way of one tenant: one that compiles and three that wait, a quarter of the room.
const PER_TENANT: usize = 4;
/// A plugin compiles in a second or less, as a rule.
const AGAIN: HeaderValue = HeaderValue::from_static("5");

/// The room of a node.
#[derive(Debug)]
pub struct UploadRoom {
    /// A permit a byte.
    bytes: Arc<Semaphore>,
    tenants: Tenants,
}

type Tenants = Arc<Mutex<TenantCounts>>;

/// An upload's place. It travels with the request, which may be read before its handler runs (`idempotency.rs`).
#[derive(Debug, Clone)]
pub struct UploadPlace {
    _taken: Arc<(OwnedSemaphorePermit, Counted)>,
}

/// One more of a tenant's.
#[derive(Debug)]
struct Counted {
    tenant: TenantId,
    tenants: Tenants,
}

impl Default for UploadRoom {
    fn default() -> Self {
        Self {
            bytes: Arc::new(Semaphore::new(ROOM)),
            tenants: Tenants::default(),
        }
    }
}

impl UploadRoom {
    /// `declared`: the length that the request's head tells. Who tells none may send the largest.
    pub fn take(&self, realm: TenantId, declared: Option<u64>) -> Answer<UploadPlace> {
        let bytes = match declared {
            Some(bytes) if bytes > COMPONENT_BYTES as u64 => return Err(too_large()),
            Some(bytes) => usize::try_from(bytes).unwrap_or(COMPONENT_BYTES).max(LEAST),
            None => COMPONENT_BYTES,
        };
        let counted = Counted::one_more(realm, &self.tenants)?;
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room = self.bytes.clone().try_acquire_many_owned(permits);
        let room = room.map_err(|_| {
            let detail = "this node takes in as many uploads as it bears: try again in a moment";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "full", detail)
                .with_header(RETRY_AFTER, AGAIN)
        })?;
        Ok(UploadPlace {
            _taken: Arc::new((room, counted)),
        })
    }
}

impl Counted {
    fn one_more(tenant: TenantId, tenants: &Tenants) -> Answer<Self> {
        let mut counts = lock(tenants);
        // Operators push for many tenants, and have the whole room.
        if counts.of(tenant) >= PER_TENANT && tenant != OPERATOR {
            let detail = format!(
                "{PER_TENANT} uploads of this tenant are under way on this node: they are compiled one after the other"
            );
            let busy = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_uploads", detail);
            return Err(busy.with_header(RETRY_AFTER, AGAIN));
        }
        counts.add(tenant, 1);
        Ok(Self {
            tenant,
            tenants: tenants.clone(),
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        lock(&self.tenants).take_away(self.tenant, 1);
    }
}

pub(super) fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too_large",
        format!("a component has at most {COMPONENT_BYTES} bytes"),
    )
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    const LARGEST: Option<u64> = Some(COMPONENT_BYTES as u64);

    fn tenant(n: usize) -> TenantId {
        TenantId::from_raw(n as i64 + 1)
    }

    fn refused(taken: Answer<UploadPlace>) -> u16 {
        let response = taken.expect_err("no room").into_response();
        let again = response.headers().get(RETRY_AFTER).is_some();
        assert_eq!(again, response.status() != StatusCode::PAYLOAD_TOO_LARGE);
        response.status().as_u16()
    }

    #[test]
    fn a_tenant_has_four_uploads_under_way_and_not_five() {
        let room = UploadRoom::default();
        let one = tenant(0);
        let mut places: Vec<_> = (0..PER_TENANT)
            .map(|_| room.take(one, Some(1)).expect("room"))
            .collect();
        assert_eq!(refused(room.take(one, Some(1))), 429);
        room.take(tenant(1), Some(1)).expect("another tenant's");
        let travels = places.pop().expect("a place");
        drop(travels.clone());
        assert_eq!(refused(room.take(one, Some(1))), 429);
        drop(travels);
        places.push(room.take(one, Some(1)).expect("one was answered"));
        drop(places);
        assert_eq!(*lock(&room.tenants), TenantCounts::default());
    }

    #[test]
    fn sixteen_of_the_largest_are_in_memory_and_not_a_byte_more() {
        let room = UploadRoom::default();
        // Who tells no length is counted as the largest.
        let said = |n| if n % 2 == 0 { LARGEST } else { None };
        let mut places: Vec<_> = (0..16)
            .map(|n| room.take(tenant(n / PER_TENANT), said(n)).expect("room"))
            .collect();
        for declared in [Some(1), LARGEST, None] {
            assert_eq!(refused(room.take(tenant(9), declared)), 503);
        }
        assert_eq!(lock(&room.tenants).tenants(), 4, "it is not counted");
        places.pop();
        room.take(tenant(9), LARGEST)
            .expect("as much was given back");
    }

    #[test]
    fn small_ones_are_bounded_too_and_operators_by_the_room_alone() {
        let room = UploadRoom::default();
        let places: Vec<_> = (0..256)
            .map(|_| room.take(OPERATOR, Some(0)).expect("room"))
            .collect();
        assert_eq!(refused(room.take(OPERATOR, Some(0))), 503);
        drop(places);
    }

    #[test]
    fn what_says_that_it_is_too_large_is_not_read() {
        let room = UploadRoom::default();
        room.take(tenant(0), LARGEST).expect("the largest");
        let more = LARGEST.map(|bytes| bytes + 1);
        assert_eq!(refused(room.take(tenant(0), more)), 413);
    }
}
