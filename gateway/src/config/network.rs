//! A block of addresses, as operators write one: `203.0.113.0/24`, `2001:db8::/32`, or one address.

use std::fmt;
use std::net::IpAddr;

/// So many leading bits of an address.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    prefix: u32,
}

impl Network {
    /// Reads one, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let shape = || {
            "must be a network, like \"203.0.113.0/24\" or \"2001:db8::/32\", or an address"
                .to_owned()
        };
        let (first, prefix) = match text.split_once('/') {
            Some((first, prefix)) => (first, Some(prefix)),
            None => (text, None),
        };
        let first: IpAddr = first.parse().map_err(|_| shape())?;
        if first != first.to_canonical() {
            return Err("must spell an IPv4 network as one, like \"203.0.113.0/24\"".to_owned());
        }
        let bits = bits_of(first);
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let prefix = match prefix {
            Some(prefix) if digits(prefix) => prefix.parse().map_err(|_| shape())?,
            Some(_) => return Err(shape()),
            None => bits,
        };
        if prefix > bits {
            return Err(format!(
                "must have at most {bits} bits behind the slash of such an address"
            ));
        }
        let network = Self { first, prefix };
        match network.leading(first) == number(first) {
            true => Ok(network),
            // Which of the two was meant, nobody can tell.
            false => Err("must be 0 in the bits that its prefix leaves free".to_owned()),
        }
    }

    /// Is the address in it, in whatever spelling?
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let same_kind = address.is_ipv4() == self.first.is_ipv4();
        same_kind && self.leading(address) == number(self.first)
    }

    fn leading(&self, address: IpAddr) -> u128 {
        let free = bits_of(address) - self.prefix;
        let cut = number(address).checked_shr(free).unwrap_or(0);
        cut.checked_shl(free).unwrap_or(0)
    }
}

fn bits_of(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(_) => u32::BITS,
        IpAddr::V6(_) => u128::BITS,
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        let network = Network::parse(network).expect("a network");
        network.contains(address.parse().expect("an address"))
    }

    #[test]
    fn a_network_is_from_its_first_address_to_its_last() {
        for (network, inside, outside) in [
            (
                "203.0.113.0/24",
                ["203.0.113.0", "203.0.113.255"],
                "203.0.114.0",
            ),
            ("10.0.0.0/31", ["10.0.0.0", "10.0.0.1"], "10.0.0.2"),
            ("8.8.8.8", ["8.8.8.8", "::ffff:8.8.8.8"], "8.8.8.9"),
            ("0.0.0.0/0", ["0.0.0.0", "255.255.255.255"], "::1"),
            ("::/0", ["::", "ffff::"], "1.1.1.1"),
            (
                "2001:db8::/96",
                ["2001:db8::", "2001:db8::ffff:ffff"],
                "2001:db8::1:0:0",
            ),
            ("2600::1", ["2600::1", "2600:0::1"], "2600::2"),
        ] {
            for address in inside {
                assert!(contains(network, address), "{address} is in {network}");
            }
            assert!(!contains(network, outside), "{outside} is not in {network}");
        }
    }

    #[test]
    fn what_is_no_network_is_told_why() {
        for (text, why) in [
            ("", "must be a network"),
            ("example.com", "must be a network"),
            ("10.0.0/8", "must be a network"),
            ("10.0.0.0/", "must be a network"),
            ("10.0.0.0/+8", "must be a network"),
            ("10.0.0.0/99999999999", "must be a network"),
            ("10.0.0.0/255.0.0.0", "must be a network"),
            ("10.0.0.0/33", "must have at most 32 bits"),
            ("2600::/129", "must have at most 128 bits"),
            ("10.0.0.1/8", "must be 0 in the bits"),
            ("::ffff:10.0.0.0/104", "must spell an IPv4 network"),
        ] {
            let said = Network::parse(text).expect_err(text);
            assert!(said.starts_with(why), "{text}: {said}");
        }
    }
}
