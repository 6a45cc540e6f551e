//! What an address may look like.

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

/// An address as enrolment tells it; none, with a warning, when it cannot be dialled.
pub fn parse(text: &str) -> Option<Multiaddr> {
    let address = text.parse().ok().map(|a| without_peer(&a)).filter(is_dialable);
    if address.is_none() {
        let text: String = text.chars().take(200).collect();
        tracing::warn!(address = text, "address not used: want one like /ip4/192.0.2.7/tcp/7421");
    }
    address
}

/// An address without the name of whom it leads to.
pub fn without_peer(address: &Multiaddr) -> Multiaddr {
    let mut address = address.clone();
    if let Some(Protocol::P2p(_)) = address.iter().last() {
        address.pop();
    }
    address
}

/// Whether it leads through a relay.
pub fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

/// Whether it leads to this machine alone.
pub fn is_loopback(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        Some(Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name)) => name == "localhost",
        _ => false,
    }
}

/// Whether our transports can dial it: an IP address or a name, a TCP or QUIC port, and perhaps a relay there.
pub fn is_dialable(address: &Multiaddr) -> bool {
    let mut parts = address.iter();
    let host = match parts.next() {
        Some(Protocol::Ip4(ip)) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        // Link-local ones need a zone, which an address has no place for.
        Some(Protocol::Ip6(ip)) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_unicast_link_local(),
        Some(Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name)) => {
            !name.is_empty() && name.len() <= 253
        }
        _ => false,
    };
    let port = match parts.next() {
        Some(Protocol::Tcp(port)) => port != 0,
        Some(Protocol::Udp(port)) => port != 0 && parts.next() == Some(Protocol::QuicV1),
        _ => false,
    };
    let rest = match (parts.next(), parts.next()) {
        (None, None) | (Some(Protocol::P2p(_)), Some(Protocol::P2pCircuit)) => parts.next().is_none(),
        _ => false,
    };
    host && port && rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_dialled_is_taken() {
        let peer = "12D3KooWSahP5pFRCEfaziPEba7urXGeif6T1y8jmodzdFUvzBHj";
        let good = [
            "/ip4/192.0.2.7/tcp/7421",
            "/ip4/192.0.2.7/udp/7421/quic-v1",
            "/ip6/2001:db8::1/tcp/1",
            "/dns4/node.example/tcp/7421",
            &format!("/ip4/192.0.2.7/tcp/7421/p2p/{peer}"),
            &format!("/ip4/192.0.2.7/tcp/7421/p2p/{peer}/p2p-circuit"),
            &format!("/ip4/192.0.2.7/tcp/7421/p2p/{peer}/p2p-circuit/p2p/{peer}"),
        ];
        for text in good {
            assert!(parse(text).is_some(), "{text}");
        }
        let bad = [
            "",
            "192.0.2.7:7421",
            "/ip4/192.0.2.7",
            "/ip4/0.0.0.0/tcp/7421",
            "/ip4/224.0.0.1/tcp/7421",
            "/ip6/fe80::1/tcp/7421",
            "/ip4/192.0.2.7/tcp/0",
            "/ip4/192.0.2.7/udp/7421",
            "/ip4/192.0.2.7/tcp/7421/ws",
            "/unix/tmp",
            "/p2p-circuit",
            &format!("/ip4/192.0.2.7/tcp/7421/p2p/{peer}/p2p-circuit/ip4/127.0.0.1/tcp/22"),
            &format!("/ip4/192.0.2.7/tcp/7421/p2p/{peer}/p2p-circuit/p2p-circuit"),
        ];
        for text in bad {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
