//! Names of machines in addresses, looked up as the system does it.

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use std::net::IpAddr;
use std::time::Duration;
use tokio::net::lookup_host;
use tokio::time::timeout;

/// How long all look-ups of a dial may take.
const LIMIT: Duration = Duration::from_secs(3);
/// Addresses that one name may stand for.
const PER_NAME: usize = 4;

/// Whether there is a name in it.
pub fn is_name(address: &Multiaddr) -> bool {
    matches!(address.iter().next(), Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_)))
}

/// `addresses` with each name replaced by what it stands for; a name that stands for nothing is left out.
pub async fn resolve(addresses: Vec<Multiaddr>) -> Vec<Multiaddr> {
    let all = futures::future::join_all(addresses.into_iter().map(one)).await;
    all.into_iter().flatten().collect()
}

async fn one(address: Multiaddr) -> Vec<Multiaddr> {
    let (name, wanted): (String, fn(&IpAddr) -> bool) = match address.iter().next() {
        Some(Protocol::Dns(name)) => (name.into(), |_| true),
        Some(Protocol::Dns4(name)) => (name.into(), IpAddr::is_ipv4),
        Some(Protocol::Dns6(name)) => (name.into(), IpAddr::is_ipv6),
        _ => return vec![address],
    };
    let found = match timeout(LIMIT, lookup_host((name.as_str(), 0))).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            tracing::debug!(name, %error, "name not found");
            return Vec::new();
        }
        Err(_) => {
            tracing::debug!(name, "name not found in time");
            return Vec::new();
        }
    };
    let mut ips: Vec<IpAddr> = found.map(|socket| socket.ip()).filter(wanted).collect();
    ips.sort();
    ips.dedup();
    let rest: Vec<Protocol<'_>> = address.iter().skip(1).collect();
    let with = |ip: IpAddr| std::iter::once(Protocol::from(ip)).chain(rest.iter().cloned()).collect();
    ips.into_iter().take(PER_NAME).map(with).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_become_addresses() {
        let given =
            ["/dns4/localhost/tcp/7421", "/ip4/192.0.2.7/udp/7/quic-v1", "/dns/no.such.invalid/tcp/1"];
        let found = resolve(given.iter().map(|text| text.parse().unwrap()).collect()).await;
        let found: Vec<String> = found.iter().map(Multiaddr::to_string).collect();
        assert_eq!(found, ["/ip4/127.0.0.1/tcp/7421", "/ip4/192.0.2.7/udp/7/quic-v1"]);
    }
}
