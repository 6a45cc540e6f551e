//! From a name to a connection, over an address that may be reached.

use ikigai_types::egress::kind;
use std::net::{IpAddr, SocketAddr};
use tokio::net::{TcpStream, lookup_host};

/// Addresses of one name that are tried.
const TRIES: usize = 4;

/// Why there is no connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unreached {
    /// Its addresses are not allowed.
    Denied(String),
    /// It is not there.
    Away(String),
}

/// Connects to `host` and `port`, over one of its addresses that `may` be reached.
pub(crate) async fn dial(
    (host, port): (&str, u16),
    may: impl Fn(IpAddr) -> bool,
) -> Result<TcpStream, Unreached> {
    let found = match host.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => lookup_host((host, port)).await.map_err(|e| away(&e))?.collect(),
    };
    let mut why = Unreached::Away("its name has no address".to_owned());
    for address in allowed(found, may)?.into_iter().take(TRIES) {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true).ok();
                return Ok(stream);
            }
            Err(e) => why = away(&e),
        }
    }
    Err(why)
}

fn away(error: &std::io::Error) -> Unreached {
    Unreached::Away(error.to_string())
}

/// The addresses that may be reached; when there are only others, what they are.
fn allowed(found: Vec<SocketAddr>, may: impl Fn(IpAddr) -> bool) -> Result<Vec<SocketAddr>, Unreached> {
    let other = found.iter().map(SocketAddr::ip).find(|ip| !may(*ip));
    let good: Vec<_> = found.into_iter().filter(|address| may(address.ip())).collect();
    match other {
        Some(ip) if good.is_empty() => {
            let kind = kind(ip);
            let text = format!("its address {ip} is {kind}, and allowed_ips of its entry does not name it");
            Err(Unreached::Denied(text))
        }
        _ => Ok(good),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_may_be_reached_are_tried() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let public = |ip: IpAddr| kind(ip) == ikigai_types::egress::AddressKind::Public;
        let both = vec![at("10.0.0.1:80"), at("1.1.1.1:80")];
        assert_eq!(allowed(both, public), Ok(vec![at("1.1.1.1:80")]));
        let Err(Unreached::Denied(why)) = allowed(vec![at("169.254.169.254:80")], public) else { panic!() };
        assert!(why.starts_with("its address 169.254.169.254 is link-local"), "{why}");
        assert_eq!(allowed(Vec::new(), public), Ok(Vec::new()));
    }
}
