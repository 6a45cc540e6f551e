//! Which agent a host name stands for: exactly `<agent>.localhost`, and nothing that looks like it.

/// The domain below which each agent has its own origin. Browsers resolve it to the loopback and take it for
/// a secure context; no agent's origin is the same site as another's.
const DOMAIN: &str = ".localhost";

/// The agent and the port of a `Host` header, if it names an agent.
pub fn read(host: &str) -> Option<(&str, Option<u16>)> {
    let (name, port) = match host.split_once(':') {
        Some((name, port)) => (name, Some(read_port(port)?)),
        None => (host, None),
    };
    let agent = name.strip_suffix(DOMAIN)?;
    is_label(agent).then_some((agent, port))
}

/// Whether this is one lower-case DNS label.
pub fn is_label(text: &str) -> bool {
    let fits = (1..=63).contains(&text.len());
    let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    fits && plain && !text.starts_with('-') && !text.ends_with('-')
}

/// The origin of an agent, as browsers write it.
pub fn origin(agent: &str, port: u16) -> String {
    match port {
        80 => format!("http://{agent}{DOMAIN}"),
        _ => format!("http://{agent}{DOMAIN}:{port}"),
    }
}

fn read_port(text: &str) -> Option<u16> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, expect: Option<(&str, Option<u16>)>) {
        assert_eq!(read(host), expect, "{host:?}");
    }

    #[test]
    fn an_agent_is_one_label_below_localhost() {
        check("t012-1-ab12cd.localhost", Some(("t012-1-ab12cd", None)));
        check("t012-1-ab12cd.localhost:7420", Some(("t012-1-ab12cd", Some(7420))));
        check("a.localhost:1", Some(("a", Some(1))));
        check(&format!("{}.localhost", "a".repeat(63)), Some((&"a".repeat(63), None)));
    }

    #[test]
    fn what_looks_like_an_agent_is_none() {
        for bad in [
            "",
            "localhost",
            ".localhost",
            "localhost:7420",
            "127.0.0.1",
            "[::1]:7420",
            "a",
            "a.b.localhost",
            "a.localhost.",
            "a.localhost.evil.com",
            "a.localhostx",
            "xlocalhost",
            "a.evil.com",
            "evil.com",
            "a.LOCALHOST",
            "A.localhost",
            "-a.localhost",
            "a-.localhost",
            "a_b.localhost",
            "é.localhost",
            "a.localhost:",
            "a.localhost:0",
            "a.localhost:07420",
            "a.localhost:70000",
            "a.localhost:7420:1",
            "a.localhost:+1",
            "a.localhost:7420@evil.com",
            "user@a.localhost",
            "a.localhost/..",
            "a .localhost",
            " a.localhost",
            "a.localhost ",
            "a%2e.localhost",
            "a.localhost#",
            "a.localhost\\",
            "a,b.localhost",
        ] {
            check(bad, None);
        }
        check(&format!("{}.localhost", "a".repeat(64)), None);
    }

    #[test]
    fn an_origin_leaves_out_the_port_a_browser_leaves_out() {
        assert_eq!(origin("a", 7420), "http://a.localhost:7420");
        assert_eq!(origin("a", 80), "http://a.localhost");
    }
}
