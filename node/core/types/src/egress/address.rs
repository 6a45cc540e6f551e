//! Which addresses are everybody's, and which lead into a network or a machine.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt;

/// What an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKind {
    /// Everybody's.
    Public,
    /// This machine.
    Loopback,
    /// A network of somebody's own: 10/8, 172.16/12, 192.168/16, `fc00::/7`.
    Private,
    /// Between a provider and its customers, and tailnets: 100.64/10.
    Shared,
    /// This link, and machines' metadata: 169.254/16, `fe80::/10`.
    LinkLocal,
    /// None that one host has: unspecified, multicast, broadcast, reserved, for documentation.
    Special,
}

/// What `ip` is. One that stands for another, such as `::ffff:127.0.0.1`, is what that other is.
pub fn kind(ip: IpAddr) -> AddressKind {
    match ip {
        IpAddr::V4(v4) => kind_of_v4(v4),
        IpAddr::V6(v6) => embedded(v6).map_or_else(|| kind_of_v6(v6), kind_of_v4),
    }
}

fn kind_of_v4(ip: Ipv4Addr) -> AddressKind {
    let [a, b, c, _] = ip.octets();
    match (a, b, c) {
        (127, ..) => AddressKind::Loopback,
        _ if ip.is_private() => AddressKind::Private,
        (100, 64..=127, _) => AddressKind::Shared,
        (169, 254, _) => AddressKind::LinkLocal,
        (0 | 224..=255, ..) | (192, 0, 0) | (198, 18..=19, _) => AddressKind::Special,
        _ if ip.is_documentation() => AddressKind::Special,
        _ => AddressKind::Public,
    }
}

fn kind_of_v6(ip: Ipv6Addr) -> AddressKind {
    let first = ip.segments()[0];
    if ip.is_loopback() {
        AddressKind::Loopback
    } else if first & 0xfe00 == 0xfc00 {
        AddressKind::Private
    } else if first & 0xff80 == 0xfe80 {
        // Site-local addresses too, which are as little for everybody.
        AddressKind::LinkLocal
    } else if first & 0xe000 != 0x2000 || (first == 0x2001 && ip.segments()[1] == 0xdb8) {
        AddressKind::Special
    } else {
        AddressKind::Public
    }
}

/// The IPv4 address that a translator would make of it: mapped, compatible, NAT64, 6to4, Teredo.
fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = ip.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        [0x2001, 0, .., high, low] => Some(v4(!high, !low)),
        _ => None,
    }
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Loopback => "this machine's own",
            Self::Private => "of a private network",
            Self::Shared => "of a shared network or a tailnet",
            Self::LinkLocal => "link-local, as metadata services are",
            Self::Special => "no host's",
        })
    }
}
