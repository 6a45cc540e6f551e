//! What of a browser's request reaches the agent. Pure.

use http::HeaderValue;
use http::header::{
    AUTHORIZATION, CONNECTION, COOKIE, FORWARDED, HeaderMap, HeaderName, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
};

/// Headers that belong to one connection, beside those its `Connection` header names.
pub(crate) const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Takes out of a request's headers what is ours, what is the connection's, and what claims who is calling:
/// code-server believes forwarded headers from anyone.
pub fn clean(headers: &mut HeaderMap, upgrade: bool) {
    remove_hop_by_hop(headers);
    if upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    for name in [AUTHORIZATION, FORWARDED, VIA] {
        headers.remove(name);
    }
    let claims: Vec<_> = headers.keys().filter(|name| is_claim(name.as_str())).cloned().collect();
    for name in claims {
        headers.remove(name);
    }
    clean_cookies(headers);
}

/// Removes the headers that belong to one connection.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect();
    // Host and length are not the connection's, whatever it says.
    let kept = [http::header::HOST, http::header::CONTENT_LENGTH];
    for name in named.iter().filter(|n| !kept.contains(n)).chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

fn is_claim(name: &str) -> bool {
    let prefixes = ["x-forwarded-", "x-original-", "x-rewrite-", "x-client-", "x-cluster-"];
    let names = ["x-real-ip", "x-forwarded", "true-client-ip", "x-http-method-override"];
    prefixes.iter().any(|p| name.starts_with(p)) || names.contains(&name) || name.contains("ikigai")
}

/// Keeps the agent's own cookies.
fn clean_cookies(headers: &mut HeaderMap) {
    let kept: Vec<String> = headers
        .get_all(COOKIE)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .map(str::trim)
        .filter(|pair| !pair.is_empty() && !is_ours(pair))
        .map(str::to_owned)
        .collect();
    headers.remove(COOKIE);
    if let Ok(value) = HeaderValue::from_str(&kept.join("; "))
        && !kept.is_empty()
    {
        headers.insert(COOKIE, value);
    }
}

/// Whether a cookie, written `name=value`, is ours or could be mistaken for it.
pub(crate) fn is_ours(pair: &str) -> bool {
    pair.split('=').find(|part| !part.trim().is_empty()).is_some_and(|name| {
        let name = name.trim().to_ascii_lowercase();
        name.starts_with("ikigai") || name.starts_with("__host-ikigai") || name.starts_with("__secure-ikigai")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(upgrade: bool, headers: &[(&str, &str)], expect: &[(&str, &str)]) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        clean(&mut map, upgrade);
        let mut left: Vec<_> = map.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
        left.sort_unstable();
        assert_eq!(left, expect);
    }

    #[test]
    fn nothing_that_claims_who_calls_gets_through() {
        let names = [
            "Forwarded",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "X-Forwarded-Proto",
            "X-Forwarded-Anything",
            "X-Forwarded",
            "X-Real-IP",
            "X-Original-URL",
            "X-Rewrite-URL",
            "True-Client-IP",
            "Via",
            "Authorization",
            "Proxy-Authorization",
            "Proxy-Connection",
            "X-Ikigai-Token",
            "Ikigai",
            "x-my-ikigai-thing",
            "TE",
            "Trailer",
            "Keep-Alive",
            "Transfer-Encoding",
            "Upgrade",
            "Connection",
        ];
        let mut headers: Vec<_> = names.map(|n| (n, "x")).to_vec();
        headers.extend([
            ("host", "a.localhost:7420"),
            ("accept", "*/*"),
            ("origin", "http://a.localhost:7420"),
        ]);
        let kept = [("accept", "*/*"), ("host", "a.localhost:7420"), ("origin", "http://a.localhost:7420")];
        check(false, &headers, &kept);
    }

    #[test]
    fn headers_that_connection_names_go_but_never_the_host() {
        check(
            false,
            &[("connection", "close, X-Secret, host, content-length"), ("x-secret", "1"), ("host", "a")],
            &[("host", "a")],
        );
    }

    #[test]
    fn an_upgrade_keeps_what_a_websocket_needs() {
        check(
            true,
            &[("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket"), ("sec-websocket-key", "k")],
            &[("connection", "Upgrade"), ("sec-websocket-key", "k"), ("upgrade", "websocket")],
        );
    }

    #[test]
    fn our_cookies_stay_with_us_and_the_agents_go_through() {
        check(false, &[("cookie", "ikigai-editor=secret")], &[]);
        check(false, &[("cookie", "a=b; ikigai-editor=secret; c=d=e")], &[("cookie", "a=b; c=d=e")]);
        check(
            false,
            &[("cookie", "a=b"), ("cookie", "IKIGAI-session=s;vscode-tkn=t")],
            &[("cookie", "a=b; vscode-tkn=t")],
        );
        check(false, &[("cookie", "=ikigai-editor=x; ; __Host-ikigai=y; ikigai")], &[]);
    }
}
