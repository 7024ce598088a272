//! Room for what is in a node's memory whole: plugins that are uploaded, files of messages. It is taken before a byte of one
//! is read, and given back when it is answered.
//!
//! Whoever finds no room is told so at once and reads nothing in. The last of it is kept for those who have nothing under
//! way, so that a few tenants on slow lines keep nobody else out.

use std::sync::{Arc, Mutex};

use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER};

use super::Answer;
use super::problem::Problem;
use crate::audit::OPERATOR;
use crate::domain::{TenantCounts, TenantId};
use crate::plugin_host::COMPONENT_BYTES;
use crate::sync::lock;

/// A plugin compiles in a second or less, as a rule.
const AGAIN: HeaderValue = HeaderValue::from_static("5");

/// How much there is, and for whom.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// Bytes in memory at once.
    bytes: usize,
    /// What a small one takes as well: this bounds their number.
    least: usize,
    /// Under way at once of one tenant.
    per_tenant: usize,
    /// Bytes that nobody gets who has one under way already.
    for_newcomers: usize,
    /// Bytes that no tenant gets.
    for_operators: usize,
}

/// Sixteen of the largest, of which operators keep two and newcomers four; no more than 256 wait, however small they are. Of a
/// tenant one compiles and three wait. Guesses.
const COMPONENTS: Bounds = Bounds {
    bytes: 16 * COMPONENT_BYTES,
    least: 1 << 20,
    per_tenant: 4,
    for_newcomers: 4 * COMPONENT_BYTES,
    for_operators: 2 * COMPONENT_BYTES,
};

/// Two of the largest, of which a newcomer keeps one. Small ones are many: their senders are held by their bytes alone, and
/// operators send none of their own. Guesses.
const FILES: Bounds = Bounds {
    bytes: 200 << 20,
    least: 64 << 10,
    per_tenant: usize::MAX,
    for_newcomers: 100 << 20,
    for_operators: 0,
};

/// The room of a node for one kind of upload.
#[derive(Debug)]
pub struct UploadRoom {
    bounds: Bounds,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Taken {
    bytes: usize,
    under_way: TenantCounts,
}

/// An upload's place. It travels with the request.
#[derive(Debug, Clone)]
pub struct UploadPlace {
    _taken: Arc<Share>,
}

#[derive(Debug)]
struct Share {
    of: Arc<Mutex<Taken>>,
    tenant: TenantId,
    bytes: usize,
}

impl UploadRoom {
    pub fn for_components() -> Self {
        Self::within(COMPONENTS)
    }

    pub(super) fn for_files() -> Self {
        Self::within(FILES)
    }

    fn within(bounds: Bounds) -> Self {
        Self {
            bounds,
            taken: Arc::default(),
        }
    }

    /// Room for so many bytes.
    pub(super) fn take(&self, realm: TenantId, bytes: usize) -> Answer<UploadPlace> {
        let bytes = bytes.max(self.bounds.least);
        let mut taken = lock(&self.taken);
        let own = taken.under_way.of(realm);
        // Operators push for many tenants, and have the whole room.
        if own >= self.bounds.per_tenant && realm != OPERATOR {
            return Err(too_many(own));
        }
        if taken.bytes + bytes + self.bounds.kept_from(realm, own) > self.bounds.bytes {
            return Err(full());
        }
        taken.bytes += bytes;
        taken.under_way.add(realm, 1);
        let share = Share {
            of: self.taken.clone(),
            tenant: realm,
            bytes,
        };
        Ok(UploadPlace {
            _taken: Arc::new(share),
        })
    }
}

impl Bounds {
    /// What stays free for others, of somebody with so many under way.
    fn kept_from(&self, realm: TenantId, under_way: usize) -> usize {
        match under_way {
            _ if realm == OPERATOR => 0,
            0 => self.for_operators,
            _ => self.for_operators + self.for_newcomers,
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = lock(&self.of);
        taken.bytes -= self.bytes;
        taken.under_way.take_away(self.tenant, 1);
    }
}

fn too_many(under_way: usize) -> Problem {
    let detail = format!(
        "{under_way} uploads of this tenant are under way on this node: they are compiled one after the other"
    );
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_uploads", detail)
        .with_header(RETRY_AFTER, AGAIN)
}

fn full() -> Problem {
    let detail = "this node takes in as many uploads as it bears: try again in a moment";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "full", detail).with_header(RETRY_AFTER, AGAIN)
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    const LARGEST: usize = COMPONENT_BYTES;

    fn tenant(n: usize) -> TenantId {
        TenantId::from_raw(n as i64 + 1)
    }

    fn refused(taken: Answer<UploadPlace>) -> u16 {
        let response = taken.expect_err("no room").into_response();
        assert!(response.headers().contains_key(RETRY_AFTER));
        response.status().as_u16()
    }

    #[test]
    fn a_tenant_has_four_uploads_under_way_and_not_five() {
        let room = UploadRoom::for_components();
        let one = tenant(0);
        let mut places: Vec<_> = (0..COMPONENTS.per_tenant)
            .map(|_| room.take(one, 1).expect("room"))
            .collect();
        assert_eq!(refused(room.take(one, 1)), 429);
        room.take(tenant(1), 1).expect("another tenant's");
        let travels = places.pop().expect("a place");
        drop(travels.clone());
        assert_eq!(refused(room.take(one, 1)), 429);
        drop(travels);
        places.push(room.take(one, 1).expect("one was answered"));
        drop(places);
        assert_eq!(*lock(&room.taken), Taken::default());
    }

    #[test]
    fn sixteen_of_the_largest_are_in_memory_and_not_a_byte_more() {
        let room = UploadRoom::for_components();
        let mut places: Vec<_> = (0..14)
            .map(|n| room.take(tenant(n), LARGEST).expect("room"))
            .collect();
        places.extend((0..2).map(|_| room.take(OPERATOR, LARGEST).expect("room")));
        for bytes in [1, LARGEST] {
            for who in [tenant(99), OPERATOR] {
                assert_eq!(refused(room.take(who, bytes)), 503);
            }
        }
        assert_eq!(
            lock(&room.taken).under_way.tenants(),
            15,
            "it is not counted"
        );
        places.pop();
        room.take(OPERATOR, LARGEST)
            .expect("as much was given back");
    }

    #[test]
    fn whoever_is_slow_leaves_room_for_newcomers_and_they_for_operators() {
        let room = UploadRoom::for_components();
        // Three tenants send as much as they may, and end never.
        let slow: Vec<_> = (0..3 * COMPONENTS.per_tenant)
            .map_while(|n| room.take(tenant(n % 3), LARGEST).ok())
            .collect();
        assert_eq!(slow.len(), 10);
        assert_eq!(refused(room.take(tenant(1), LARGEST)), 503);
        let newcomers: Vec<_> = (10..99)
            .map_while(|n| room.take(tenant(n), LARGEST).ok())
            .collect();
        assert_eq!(newcomers.len(), 4);
        assert_eq!(refused(room.take(tenant(10), LARGEST)), 503);
        let operators: Vec<_> = (0..2)
            .map(|_| room.take(OPERATOR, LARGEST).expect("kept for operators"))
            .collect();
        assert_eq!(refused(room.take(OPERATOR, LARGEST)), 503);
        drop(slow);
        room.take(tenant(10), LARGEST).expect("its second");
        drop((newcomers, operators));
        assert_eq!(*lock(&room.taken), Taken::default());
    }

    #[test]
    fn small_ones_are_bounded_too_and_operators_by_the_room_alone() {
        let room = UploadRoom::for_components();
        let places: Vec<_> = (0..256)
            .map(|_| room.take(OPERATOR, 0).expect("room"))
            .collect();
        assert_eq!(refused(room.take(OPERATOR, 0)), 503);
        drop(places);
    }

    #[test]
    fn a_tenant_with_a_large_file_under_way_leaves_room_for_that_of_another() {
        let (room, largest) = (UploadRoom::for_files(), 100 << 20);
        let first = room.take(tenant(0), largest).expect("room");
        assert_eq!(refused(room.take(tenant(0), 1)), 503);
        let second = room.take(tenant(1), largest).expect("kept for newcomers");
        assert_eq!(refused(room.take(tenant(2), 1)), 503);
        drop(first);
        room.take(tenant(2), 1).expect("room again");
        drop(second);
    }
}
