//! What an address means: what is reached by it, and whether that is on the public Internet. Whatever is not known to be is
//! not.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whatever may be reached by connecting to an address: itself, the IPv4 address that stands in it, and this machine where it
/// names none.
pub(super) fn reached(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let within = match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => embedded_v4(address).map(IpAddr::V4),
    };
    let here = this_host(within.unwrap_or(address));
    [Some(address), within, here].into_iter().flatten()
}

/// The IPv4 address that a translator, a tunnel or the kernel finds in an IPv6 one. What a network's own prefix leads to,
/// nobody can tell from the address: the operator names it.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |[high, low]: [u16; 2]| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        // This machine, and nobody: no compatible ones, though they begin alike.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // IPv4-compatible, mapped, translated (RFC 4291 §2.5.5, RFC 2765 §2.1).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => {
            Some(v4([high, low]))
        }
        // NAT64 (RFC 6052 §2.1).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4([high, low])),
        // 6to4 (RFC 3056 §2).
        [0x2002, high, low, ..] => Some(v4([high, low])),
        // Teredo, with the bits turned round (RFC 4380 §4).
        [0x2001, 0, .., high, low] => Some(v4([!high, !low])),
        _ => None,
    }
}

/// Who connects to nobody in particular connects to this machine (Linux; RFC 1122 §3.2.1.3 for all of 0.0.0.0/8).
fn this_host(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) if address.octets()[0] == 0 => Some(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Some(Ipv6Addr::LOCALHOST.into()),
        _ => None,
    }
}

/// May an address that a tenant chose be connected to?
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// All but the special-purpose registry of IANA (RFC 6890 and later), in which private networks, this machine and
/// clouds' metadata services lie.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        (0 | 10 | 127, ..) => true,
        (100, 64..=127, _) => true,
        (169, 254, _) => true,
        (172, 16..=31, _) => true,
        (192, 0, 0 | 2) | (192, 88, 99) | (192, 168, _) => true,
        (198, 18 | 19, _) | (198, 51, 100) => true,
        (203, 0, 113) => true,
        // Multicast, reserved, broadcast.
        (224.., ..) => true,
        _ => false,
    };
    !special
}

/// Only global unicast, and of that nothing that leads to an IPv4 address by a tunnel or a translator.
fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // Teredo, ORCHID and other IETF protocols (2001::/23), documentation, 6to4, documentation again.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => {
            false
        }
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn what_stands_in_an_address_is_reached_by_it() {
        for (text, others) in [
            ("10.0.0.1", &[][..]),
            ("2606:4700::a00:1", &[]),
            ("::1", &[]),
            ("::", &["::1"]),
            ("0.0.0.0", &["127.0.0.1"]),
            ("0.1.2.3", &["127.0.0.1"]),
            ("::a00:1", &["10.0.0.1"]),
            ("::2", &["0.0.0.2", "127.0.0.1"]),
            ("::ffff:10.0.0.1", &["10.0.0.1"]),
            ("::ffff:0.0.0.0", &["0.0.0.0", "127.0.0.1"]),
            ("::ffff:0:10.0.0.1", &["10.0.0.1"]),
            ("64:ff9b::10.0.0.1", &["10.0.0.1"]),
            ("64:ff9b::", &["0.0.0.0", "127.0.0.1"]),
            ("64:ff9b:1::a00:1", &[]),
            ("2002:a00:1::5", &["10.0.0.1"]),
            ("2001:0:1:2:3:4:f5ff:fffe", &["10.0.0.1"]),
        ] {
            let mut expected = vec![address(text)];
            expected.extend(others.iter().copied().map(address));
            let found: Vec<IpAddr> = reached(address(text)).collect();
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn only_the_internet_is_public() {
        let public = [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
        ];
        let private = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.2",
            "169.254.169.254",
            "172.31.255.255",
            "192.168.0.1",
            "192.0.0.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        let is = |text: &str| is_public(address(text));
        assert!(public.into_iter().all(is));
        for text in private {
            assert!(!is(text), "{text}");
        }
    }
}
