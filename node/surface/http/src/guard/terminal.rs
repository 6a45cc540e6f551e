//! The one change of protocol that is served: a WebSocket to an agent's terminal.
//!
//! A page cannot add headers to a WebSocket. So the half of a session that the page keeps comes as a protocol
//! that is offered, beside the one that is spoken, and is made a header here: whatever asks for credentials asks
//! for this one as for any other.

use super::one;
use http::Method;
use http::header::{HeaderName, HeaderValue, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::request::Parts;

/// The protocol that is spoken.
pub(crate) const PROTOCOL: &str = "ikigai.terminal.v1";
/// Before the key, in the protocol that carries it.
const KEY_PREFIX: &str = "ikigai.key.";
/// The header other requests bring it in.
const KEY: HeaderName = HeaderName::from_static("x-ikigai-key");

/// Whether a request asks for a terminal.
pub(crate) fn is_asked(parts: &Parts) -> bool {
    let task = parts.uri.path().strip_prefix("/v1/tasks/").and_then(|p| p.strip_suffix("/terminal"));
    parts.method == Method::GET
        && parts.headers.contains_key(UPGRADE)
        && task.is_some_and(|t| !t.is_empty() && !t.contains('/'))
}

/// Makes the key a header, if the request asks for a terminal and brings one.
pub(crate) fn take_key(parts: &mut Parts) {
    if !is_asked(parts) || parts.headers.contains_key(KEY) {
        return;
    }
    let offered = one(&parts.headers, SEC_WEBSOCKET_PROTOCOL).ok().flatten().unwrap_or_default();
    let key = offered.split(',').find_map(|p| p.trim().strip_prefix(KEY_PREFIX));
    if let Some(key) = key.and_then(|k| HeaderValue::from_str(k).ok()) {
        parts.headers.insert(KEY, key);
        // What is logged, answered or passed on from here holds no half of a session.
        parts.headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(method: &str, path: &str, headers: &[(&str, &str)]) -> Parts {
        let request = http::Request::builder().method(method).uri(path);
        let request = headers.iter().fold(request, |r, (name, value)| r.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_a_terminal_is_asked_for_by_its_own_path() {
        let upgrade = [("upgrade", "websocket")];
        assert!(is_asked(&parts("GET", "/v1/tasks/p.f.T001/terminal", &upgrade)));
        assert!(!is_asked(&parts("GET", "/v1/tasks/T001/terminal", &[])));
        assert!(!is_asked(&parts("POST", "/v1/tasks/T001/terminal", &upgrade)));
        for path in ["/v1/tasks//terminal", "/v1/tasks/a/b/terminal", "/v1/events", "/v1/tasks/T001/open"] {
            assert!(!is_asked(&parts("GET", path, &upgrade)), "{path}");
        }
    }

    #[test]
    fn the_key_of_a_page_becomes_a_header_and_is_offered_no_more() {
        let offered = ("sec-websocket-protocol", "ikigai.terminal.v1, ikigai.key.abc");
        let mut asked = parts("GET", "/v1/tasks/T001/terminal", &[("upgrade", "websocket"), offered]);
        take_key(&mut asked);
        assert_eq!(asked.headers["x-ikigai-key"], "abc");
        assert_eq!(asked.headers["sec-websocket-protocol"], PROTOCOL);
        let mut other = parts("GET", "/v1/events", &[("upgrade", "websocket"), offered]);
        take_key(&mut other);
        assert!(!other.headers.contains_key("x-ikigai-key"));
    }
}
