//! Where a turn's randomness comes from: a secret and the event, so that a re-run and a replay draw the same.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::EventId;

/// Makes seeds.
#[derive(Clone)]
pub struct Seeds(Hmac<Sha256>);

impl Seeds {
    pub fn new(key: &[u8; 32]) -> Self {
        let mut mac = Hmac::new_from_slice(key).expect("HMAC takes keys of any length");
        mac.update(b"vestibule turn seed");
        Self(mac)
    }

    pub fn of(&self, event: EventId) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(&event.raw().to_be_bytes());
        mac.finalize().into_bytes().into()
    }
}
