//! Names of machines, as URLs have them.

use core::net::IpAddr;

/// Whether what goes to `host` stays on this machine, so that it may go without TLS.
pub fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_this_machine() {
        for here in ["localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"] {
            assert!(is_this_machine(here), "{here}");
        }
        for away in ["", "localhost.evil.example", "10.0.0.1", "0.0.0.0", "::", "127.0.0.1.example"] {
            assert!(!is_this_machine(away), "{away}");
        }
    }
}
