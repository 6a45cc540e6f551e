//! Tables of requests and what becomes of them.

use super::*;
use http::Request;

const TOKEN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const OWN: &str = "origin: http://a.localhost:7420";

/// `GET /path` and header lines; `host: a.localhost:7420` unless another host is given.
fn parts(line: &str, headers: &[&str]) -> Parts {
    let (method, uri) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(uri);
    if !headers.iter().any(|h| h.starts_with("host:")) {
        request = request.header("host", "a.localhost:7420");
    }
    for header in headers.iter().filter(|h| **h != "host:") {
        let (name, value) = header.split_once(": ").unwrap();
        request = request.header(name, value);
    }
    request.body(()).unwrap().into_parts().0
}

#[track_caller]
fn refused(line: &str, headers: &[&str], expect: Refusal) {
    assert_eq!(decide(&parts(line, headers), 7420), Decision::Refuse(expect), "{line} {headers:?}");
}

#[track_caller]
fn passes(line: &str, headers: &[&str]) -> Decision {
    let decision = decide(&parts(line, headers), 7420);
    assert!(!matches!(decision, Decision::Refuse(_)), "{line} {headers:?}: {decision:?}");
    decision
}

#[test]
fn the_form_must_be_plain() {
    refused("GET http://a.localhost:7420/", &[], Refusal::Form);
    refused("GET http://evil.com/", &[], Refusal::Form);
    refused("CONNECT a.localhost:7420", &[], Refusal::Form);
    refused("TRACE /", &[], Refusal::Form);
    refused("OPTIONS *", &[], Refusal::Form);
    let mut h2 = parts("GET /", &[]);
    h2.version = Version::HTTP_2;
    assert_eq!(decide(&h2, 7420), Decision::Refuse(Refusal::Form));
}

#[test]
fn the_host_must_be_one_agent_at_our_port() {
    for host in ["localhost:7420", "127.0.0.1:7420", "evil.com", "a.localhost.evil.com", "a.localhost:7421"] {
        refused("GET /", &[&format!("host: {host}")], Refusal::Host);
    }
    refused("GET /", &["host:"], Refusal::Host);
    refused("GET /", &["host: a.localhost:7420", "host: a.localhost:7420"], Refusal::Host);
    refused("GET /", &["host: a.localhost:7420", "host: b.localhost:7420"], Refusal::Host);
    passes("GET /", &["host: a.localhost"]);
}

#[test]
fn another_origin_may_not_call() {
    passes("GET /", &[]);
    passes("GET /", &[OWN]);
    passes("POST /x", &[OWN]);
    for origin in [
        "null",
        "http://b.localhost:7420",
        "http://a.localhost",
        "https://a.localhost:7420",
        "http://localhost:7420",
        "http://a.localhost:7420/",
        "http://a.localhost:7420.evil.com",
        "http://A.localhost:7420",
        "http://evil.com",
    ] {
        refused("GET /", &[&format!("origin: {origin}")], Refusal::Origin);
    }
    refused("GET /", &[OWN, OWN], Refusal::Origin);
    for method in ["POST", "PUT", "DELETE", "PATCH", "PROPFIND"] {
        refused(&format!("{method} /"), &[], Refusal::Origin);
    }
}

#[test]
fn a_websocket_needs_our_origin() {
    let ws = ["connection: Upgrade", "upgrade: websocket"];
    refused("GET /", &ws, Refusal::Origin);
    refused("GET /", &[ws[0], ws[1], "origin: http://b.localhost:7420"], Refusal::Origin);
    assert!(matches!(passes("GET /", &[ws[0], ws[1], OWN]), Decision::Pass { upgrade: true, .. }));
    refused("GET /", &["connection: Upgrade", "upgrade: h2c", OWN], Refusal::Form);
    refused("GET /", &["upgrade: websocket", "upgrade: h2c", OWN], Refusal::Form);
    refused("POST /", &[ws[0], ws[1], OWN], Refusal::Form);
}

#[test]
fn other_sites_may_only_lead_a_person_here() {
    for site in ["cross-site", "same-site"] {
        let site = format!("sec-fetch-site: {site}");
        refused("GET /", &[&site], Refusal::Origin);
        refused("GET /", &[&site, "sec-fetch-mode: no-cors", "sec-fetch-dest: image"], Refusal::Origin);
        refused("GET /", &[&site, "sec-fetch-mode: navigate", "sec-fetch-dest: iframe"], Refusal::Origin);
        let page = [&*site, "sec-fetch-mode: navigate", "sec-fetch-dest: document"];
        assert!(matches!(passes("GET /", &page), Decision::Pass { from_elsewhere: true, .. }));
        refused("POST /", &[page[0], page[1], page[2], OWN], Refusal::Origin);
    }
    for site in ["same-origin", "none"] {
        let decision = passes("GET /", &[&format!("sec-fetch-site: {site}")]);
        assert!(matches!(decision, Decision::Pass { from_elsewhere: false, .. }));
    }
}

#[test]
fn a_link_is_a_page_with_a_token() {
    let link = format!("GET /.ikigai/open?token={TOKEN}");
    let expect = Decision::Open { agent: "a".into(), token: TOKEN.into() };
    assert_eq!(passes(&link, &[]), expect);
    assert_eq!(passes(&link, &["sec-fetch-dest: document", "sec-fetch-site: cross-site"]), expect);
    refused(&link, &["sec-fetch-dest: iframe"], Refusal::Link);
    refused(&link, &["sec-fetch-dest: empty"], Refusal::Link);
    refused(&link, &["host: evil.com"], Refusal::Host);
    refused("GET /.ikigai/open", &[], Refusal::Link);
    refused("GET /.ikigai/open?token=", &[], Refusal::Link);
    refused(&format!("{link}0"), &[], Refusal::Link);
    refused(&format!("{link}&next=//evil"), &[], Refusal::Link);
    refused(&format!("POST /.ikigai/open?token={TOKEN}"), &[OWN], Refusal::NotHere);
    refused("GET /.ikigai/", &[], Refusal::NotHere);
    refused("GET /x/../.ikigai/open", &[], Refusal::NotHere);
    refused("GET /%2eikigai/open", &[], Refusal::NotHere);
}

#[test]
fn a_service_worker_cannot_have_the_whole_origin() {
    refused("GET /sw.js", &["service-worker: script"], Refusal::Worker);
    passes("GET /stable/pre/service-worker.js", &["service-worker: script"]);
    passes("GET /sw.js", &[]);
}

#[track_caller]
fn names(cookies: &[&str], expect: &[&str]) {
    match passes("GET /", cookies) {
        Decision::Pass { sessions, .. } => assert_eq!(sessions, expect, "{cookies:?}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn sessions_are_read_from_cookies_of_exactly_our_name() {
    names(&[], &[]);
    names(&["cookie: ikigai-editor=s"], &["s"]);
    names(&["cookie: a=b; ikigai-editor=s; c"], &["s"]);
    names(&["cookie: ikigai-editor=1", "cookie: ikigai-editor=2;ikigai-editor=3"], &["1", "2", "3"]);
    names(&["cookie: xikigai-editor=s; ikigai-editorx=s; Ikigai-Editor=s; =ikigai-editor=s"], &[]);
    let many = format!("cookie: {}", "ikigai-editor=x;".repeat(100));
    names(&[&many], &["x"; 8]);
}
