//! What other nodes call themselves and where they say they are, made fit to be shown and dialled.

use core::net::IpAddr;

/// The port a node listens on for others unless told otherwise.
pub const MESH_PORT: u16 = 7421;
/// Most addresses of a node.
pub const MAX_ADDRESSES: usize = 8;
/// Longest address, in bytes.
pub const MAX_ADDRESS: usize = 256;
/// Longest name that is read, in bytes.
pub const MAX_NAME: usize = 256;
/// Longest name that is shown, in characters.
const SHOWN_NAME: usize = 64;

/// A name without what steers a terminal or turns text around, at most 64 characters long; may be empty.
pub fn clean_name(name: &str) -> String {
    let kept: String = name.chars().filter(|c| !steers(*c)).collect();
    let words: Vec<&str> = kept.split_whitespace().collect();
    words.join(" ").chars().take(SHOWN_NAME).collect()
}

/// Control characters, direction marks, and what has no width.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether `address` looks like a multiaddress: `/` and visible ASCII, at most 256 bytes.
pub fn is_address(address: &str) -> bool {
    address.starts_with('/')
        && (2..=MAX_ADDRESS).contains(&address.len())
        && address.bytes().all(|b| b.is_ascii_graphic())
}

/// Where `text`, as a person writes it, leads to: a multiaddress, `10.0.0.1:7421`, `[::1]:7421`, `server:7421`, or
/// without the port.
pub fn address_of(text: &str) -> Option<String> {
    if text.starts_with('/') {
        return Some(text.to_owned()).filter(|a| is_address(a));
    }
    let (host, port) = match text.parse::<IpAddr>() {
        Ok(_) => (text, MESH_PORT),
        Err(_) => match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|p| *p > 0)?),
            None => (text, MESH_PORT),
        },
    };
    let host = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => Some(format!("/ip4/{ip}/tcp/{port}")),
        Ok(IpAddr::V6(ip)) => Some(format!("/ip6/{ip}/tcp/{port}")),
        Err(_) if is_host(host) => Some(format!("/dns/{host}/tcp/{port}")),
        Err(_) => None,
    }
}

/// Whether `host` looks like a name of DNS, and not like a mistyped address.
fn is_host(host: &str) -> bool {
    let label = |l: &str| {
        (1..=63).contains(&l.len()) && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let numeric = host.rsplit('.').next().is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit()));
    host.len() <= 240 && !numeric && host.split('.').all(label)
}

/// The addresses among `given` that look like some, each once, at most eight, in their order.
pub fn clean_addresses<S: AsRef<str>>(given: impl IntoIterator<Item = S>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for address in given {
        let address = address.as_ref();
        if kept.len() < MAX_ADDRESSES && is_address(address) && !kept.iter().any(|a| a == address) {
            kept.push(address.to_owned());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_steer_a_terminal_or_pose_as_another() {
        assert_eq!(clean_name("server\u{1b}[31m \u{202e}pot\u{200b}pal\n"), "server[31m potpal");
        assert_eq!(clean_name("  a \t b "), "a b");
        assert_eq!(clean_name(&"é".repeat(100)).chars().count(), 64);
        assert_eq!(clean_name("\u{feff}\u{0}"), "");
    }

    #[test]
    fn an_address_is_read_as_people_write_it() {
        let read = |text| address_of(text).unwrap_or_default();
        assert_eq!(read("10.0.0.1:9"), "/ip4/10.0.0.1/tcp/9");
        assert_eq!(read("10.0.0.1"), "/ip4/10.0.0.1/tcp/7421");
        assert_eq!(read("::1"), "/ip6/::1/tcp/7421");
        assert_eq!(read("[fd00::2]:9"), "/ip6/fd00::2/tcp/9");
        assert_eq!(read("server.lan:9"), "/dns/server.lan/tcp/9");
        assert_eq!(read("/ip4/10.0.0.1/udp/7421/quic-v1"), "/ip4/10.0.0.1/udp/7421/quic-v1");
        for bad in ["", "a b", "10.0.0:1", "10.0.0.999", "x:0", "x:y", "http://x", ":7421", "/", "a..b"] {
            assert_eq!(address_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn addresses_are_bounded() {
        let many: Vec<_> = (0..20).map(|n| format!("/ip4/10.0.0.{n}/tcp/7421")).collect();
        assert_eq!(clean_addresses(&many).len(), MAX_ADDRESSES);
        assert_eq!(clean_addresses(["/a", "b", "/a", "/\u{7f}", "/é", "/"]), ["/a"]);
        assert!(!is_address(&format!("/{}", "a".repeat(256))));
    }
}
