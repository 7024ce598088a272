//! How often an address may ask for a page: so many times a minute, and all addresses together so many.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use crate::domain::Timestamp;
use crate::sync::lock;

const MINUTE_MS: i64 = 60_000;
/// Of one address in a minute. A guess: a family behind one address, not a script.
const OF_ONE: u32 = 30;
/// Of all addresses in a minute on one node. A guess: what it costs is a row that is gone in a day.
const OF_ALL: u32 = 3_000;

/// Counts the requests of the current minute.
#[derive(Debug, Default)]
pub(super) struct Rate(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    minute: i64,
    all: u32,
    addresses: HashMap<Option<IpAddr>, u32>,
}

impl Rate {
    /// May this address ask once more?
    pub(super) fn lets(&self, address: Option<IpAddr>, now: Timestamp) -> bool {
        let mut counted = lock(&self.0);
        let minute = now.millis().div_euclid(MINUTE_MS);
        if counted.minute != minute {
            *counted = Counted {
                minute,
                ..Counted::default()
            };
        }
        if counted.all >= OF_ALL {
            return false;
        }
        counted.all += 1;
        // A neighbourhood of IPv6 addresses is one customer's.
        let address = address.map(|address| match address {
            IpAddr::V6(address) => {
                let bits = u128::from(address) >> 64 << 64;
                IpAddr::V6(bits.into())
            }
            v4 @ IpAddr::V4(_) => v4,
        });
        let own = counted.addresses.entry(address).or_default();
        *own += 1;
        *own <= OF_ONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_minute_and_a_flood_of_addresses_theirs() {
        let (rate, now) = (Rate::default(), Timestamp::from_secs(60_000));
        let address = |text: &str| text.parse().ok();
        let one = address("2001:db8::1");
        assert!((0..OF_ONE).all(|_| rate.lets(one, now)));
        assert!(!rate.lets(address("2001:db8::2"), now));
        assert!(rate.lets(address("192.0.2.1"), now));
        assert!(rate.lets(one, Timestamp::from_secs(60_060)));
        let many = (0..OF_ALL)
            .filter(|n| rate.lets(Some(IpAddr::V4((*n).into())), now))
            .count();
        assert_eq!(many, usize::try_from(OF_ALL).expect("a count"));
        assert!(!rate.lets(address("192.0.2.9"), now));
    }
}
