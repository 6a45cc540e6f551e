//! What of an agent's answer reaches the browser. Pure.

use crate::inbound::{self, remove_hop_by_hop};
use crate::page::Refusal;
use http::header::{
    ALT_SVC, CONNECTION, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, LOCATION, REFERRER_POLICY, REFRESH,
    SET_COOKIE, STRICT_TRANSPORT_SECURITY, UPGRADE,
};
use http::{HeaderValue, StatusCode};

/// Headers by which an agent would reach beyond its own pages: another server for this origin, a worker over
/// our own paths, the browser's store of our cookie, a redirect by another name.
const BEYOND: [HeaderName; 5] = [
    ALT_SVC,
    REFRESH,
    STRICT_TRANSPORT_SECURITY,
    HeaderName::from_static("service-worker-allowed"),
    HeaderName::from_static("clear-site-data"),
];

/// Cleans an answer's headers for the browser of `origin`.
///
/// # Errors
/// [`Refusal::Elsewhere`] when it would lead to another origin, [`Refusal::Answer`] when it is no answer to
/// what was asked.
pub fn clean(
    status: StatusCode,
    headers: &mut HeaderMap,
    origin: &str,
    upgrade: bool,
) -> Result<(), Refusal> {
    if status.is_informational() && !(upgrade && status == StatusCode::SWITCHING_PROTOCOLS) {
        return Err(Refusal::Answer);
    }
    remove_hop_by_hop(headers);
    if status == StatusCode::SWITCHING_PROTOCOLS {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    for name in &BEYOND {
        headers.remove(name);
    }
    let ours: Vec<_> = headers.keys().filter(|name| name.as_str().contains("ikigai")).cloned().collect();
    for name in ours {
        headers.remove(name);
    }
    clean_location(headers, origin)?;
    clean_cookies(headers);
    // Added to what the agent says, which can only make it stricter: no other site shows this one in a frame.
    headers.append(CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'self'"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    Ok(())
}

fn clean_location(headers: &mut HeaderMap, origin: &str) -> Result<(), Refusal> {
    let mut locations = headers.get_all(LOCATION).into_iter();
    let Some(location) = locations.next() else { return Ok(()) };
    let text = location.to_str().map_err(|_| Refusal::Elsewhere)?;
    let local = stay(text, origin).filter(|_| locations.next().is_none()).ok_or(Refusal::Elsewhere)?;
    let value = HeaderValue::from_str(local).map_err(|_| Refusal::Elsewhere)?;
    headers.insert(LOCATION, value);
    Ok(())
}

/// The part of `location` behind `origin`, or all of it where it is relative; `None` when it leads, or might
/// by some browser be read to lead, anywhere else.
fn stay<'a>(location: &'a str, origin: &str) -> Option<&'a str> {
    if location.is_empty() || !location.bytes().all(|b| b.is_ascii_graphic() && b != b'\\') {
        return None;
    }
    let local = match location.strip_prefix(origin) {
        Some("") => "/",
        Some(rest) if rest.starts_with(['/', '?', '#']) => rest,
        Some(_) => return None,
        None => location,
    };
    let scheme = local.split(['/', '?', '#']).next().is_some_and(|first| first.contains(':'));
    (!local.starts_with("//") && !scheme).then_some(local)
}

/// Drops every cookie that is ours or could be taken for it, and every one for more than this very host.
fn clean_cookies(headers: &mut HeaderMap) {
    let kept: Vec<_> = headers.get_all(SET_COOKIE).into_iter().filter(|v| may_set(v)).cloned().collect();
    headers.remove(SET_COOKIE);
    for value in kept {
        headers.append(SET_COOKIE, value);
    }
}

fn may_set(value: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else { return false };
    let mut parts = text.split(';');
    let pair = parts.next().unwrap_or_default();
    // A cookie without a name is sent back as its value alone, which may spell any name.
    let named = pair.split_once('=').is_some_and(|(name, _)| !name.trim().is_empty());
    let wide =
        parts.any(|p| p.split('=').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("domain")));
    named && !wide && !inbound::is_ours(pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "http://a.localhost:7420";

    #[track_caller]
    fn location(given: &str, expect: Option<&str>) {
        assert_eq!(stay(given, ORIGIN), expect, "{given:?}");
    }

    #[test]
    fn a_redirect_stays_on_its_origin() {
        location("/", Some("/"));
        location("./?folder=/workspace", Some("./?folder=/workspace"));
        location("?a=b:c", Some("?a=b:c"));
        location("/x:y", Some("/x:y"));
        location("login", Some("login"));
        location("http://a.localhost:7420/x", Some("/x"));
        location("http://a.localhost:7420", Some("/"));
        location("http://a.localhost:7420?x", Some("?x"));
    }

    #[test]
    fn a_redirect_elsewhere_is_refused_however_it_is_written() {
        for bad in [
            "",
            "//evil",
            "///evil",
            "/\\evil",
            "\\\\evil",
            "http://evil/",
            "https://a.localhost:7420/",
            "HTTP://a.localhost:7420/",
            "http:evil",
            "http:/evil",
            "javascript:alert(1)",
            "data:text/html,x",
            "http://a.localhost:74200/",
            "http://a.localhost:7420.evil/",
            "http://a.localhost:7420@evil/",
            "http://a.localhost:7420//evil",
            "http://a.localhost:7420\\evil",
            "vscode://x",
            "/ /evil",
            "/\t/evil",
            "http://b.localhost:7420/",
            "http://localhost:7420/",
            "//a.localhost:7420/",
        ] {
            location(bad, None);
        }
    }

    fn headers(given: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in given {
            map.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        map
    }

    #[test]
    fn two_redirects_or_one_elsewhere_are_no_answer() {
        for given in [&[("location", "//evil")][..], &[("location", "/a"), ("location", "//evil")]] {
            let cleaned = clean(StatusCode::FOUND, &mut headers(given), ORIGIN, false);
            assert_eq!(cleaned, Err(Refusal::Elsewhere));
        }
    }

    #[track_caller]
    fn cookie(value: &str, expect: bool) {
        assert_eq!(may_set(&value.parse().unwrap()), expect, "{value:?}");
    }

    #[test]
    fn an_agent_sets_its_own_cookies_only() {
        cookie("a=b", true);
        cookie("vscode-tkn=x; Path=/; HttpOnly; Max-Age=1", true);
        cookie("a=ikigai-editor", true);
        for bad in [
            "ikigai-editor=x",
            " ikigai-editor =x",
            "IKIGAI-EDITOR=x; Path=/foo",
            "=ikigai-editor=x",
            "ikigai-editor",
            "anything",
            "=x",
            "__Host-ikigai-editor=x; Secure",
            "a=b; Domain=localhost",
            "a=b;domain =.localhost",
            "a=b; DOMAIN=a.localhost",
            "",
        ] {
            cookie(bad, false);
        }
    }

    #[test]
    fn what_reaches_beyond_the_agents_pages_is_dropped() {
        let given = [
            ("service-worker-allowed", "/"),
            ("clear-site-data", "\"*\""),
            ("alt-svc", "h3=\":1\""),
            ("refresh", "0"),
            ("strict-transport-security", "max-age=1"),
            ("x-ikigai-trust", "1"),
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("content-type", "text/html"),
            ("content-security-policy", "sandbox"),
        ];
        let mut map = headers(&given);
        clean(StatusCode::OK, &mut map, ORIGIN, false).unwrap();
        let mut left: Vec<_> = map.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        left.sort_unstable();
        let expect = [
            "content-security-policy: frame-ancestors 'self'",
            "content-security-policy: sandbox",
            "content-type: text/html",
            "referrer-policy: same-origin",
        ];
        assert_eq!(left, expect);
    }

    #[test]
    fn a_change_of_protocol_nobody_asked_for_is_no_answer() {
        for status in [100, 101, 103] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(clean(status, &mut HeaderMap::new(), ORIGIN, false), Err(Refusal::Answer));
        }
        assert_eq!(clean(StatusCode::SWITCHING_PROTOCOLS, &mut HeaderMap::new(), ORIGIN, true), Ok(()));
        assert_eq!(clean(StatusCode::CONTINUE, &mut HeaderMap::new(), ORIGIN, true), Err(Refusal::Answer));
    }
}
