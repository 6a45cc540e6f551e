//! Requests a browser, a rebinding name or a smuggler would send, and what the guard says.

use super::*;
use crate::{Authority, TokenHash};
use http::Request;
use ikigai_access::Principal;

const TCP: Transport = Transport::Tcp { port: 7420 };

fn auth() -> AuthOptions {
    AuthOptions { token: Some(TokenHash::of("secret")), hosts: vec!["box.lan".into()] }
}

fn verdict(transport: Transport, uri: &str, headers: &[(&str, &str)]) -> Result<(), Reason> {
    let mut request = Request::post(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let host = host(&parts, transport).map_err(|r| r.reason)?;
    check(&parts, &host, transport, &auth()).map_err(|r| r.reason)?;
    match Authority::default().who(&parts.headers, &transport.into(), &auth()).map_err(|r| r.reason)? {
        Principal::Nobody => Err(Reason::Token),
        _ => check_body(&parts.headers).map_err(|r| r.reason),
    }
}

/// Good headers with `extra` added; a header that `extra` names replaces the good one.
fn tcp(extra: &[(&str, &str)]) -> Result<(), Reason> {
    let good = [("host", "localhost:7420"), ("authorization", "Bearer secret")];
    let kept = good.iter().filter(|(n, _)| !extra.iter().any(|(e, _)| e == n));
    let headers: Vec<_> = kept.chain(extra).copied().filter(|(_, v)| !v.is_empty()).collect();
    verdict(TCP, "/v1/tasks", &headers)
}

#[test]
fn the_right_caller_passes() {
    assert_eq!(tcp(&[]), Ok(()));
    for host in ["127.0.0.1:7420", "[::1]:7420", "LOCALHOST:7420", "box.lan:7420"] {
        assert_eq!(tcp(&[("host", host)]), Ok(()), "{host}");
    }
    for origin in ["http://localhost:7420", "http://127.0.0.1:7420", "http://[::1]:7420"] {
        assert_eq!(tcp(&[("origin", origin)]), Ok(()), "{origin}");
    }
    assert_eq!(tcp(&[("content-length", "2"), ("content-type", "application/json; charset=utf-8")]), Ok(()));
    assert_eq!(tcp(&[("sec-fetch-site", "same-origin")]), Ok(()));
}

#[test]
fn host_is_there_once_and_is_ours() {
    for bad in [
        "",
        "localhost",
        "localhost:7421",
        "localhost:",
        "localhost:07420x",
        "evil.example:7420",
        "localhost.:7420",
        "a.localhost:7420",
        "localhost:7420.evil.example",
        "127.0.0.1.nip.io:7420",
        "127.1:7420",
        "[::ffff:127.0.0.1]:7420",
        "user@localhost:7420",
        "localhost:7420/",
        "0.0.0.0:7420",
        "[::1:7420",
        "localhost:7420:7420",
    ] {
        assert_eq!(tcp(&[("host", bad)]), Err(Reason::Host), "{bad:?}");
    }
    let twice = [("host", "localhost:7420"), ("host", "localhost:7420"), ("authorization", "Bearer secret")];
    assert_eq!(verdict(TCP, "/v1/tasks", &twice), Err(Reason::Host));
}

#[test]
fn another_origin_is_refused() {
    for bad in [
        "null",
        "http://evil.example",
        "http://localhost:7421",
        "https://localhost:7420",
        "http://a.localhost:7420",
        "http://localhost:7420.evil.example",
        "file://",
        "http://localhost",
        "http://localhost:7420, http://evil",
    ] {
        assert_eq!(tcp(&[("origin", bad)]), Err(Reason::Origin), "{bad:?}");
    }
    assert_eq!(tcp(&[("origin", "http://localhost:7420"), ("origin", "http://evil")]), Err(Reason::Origin));
    assert_eq!(tcp(&[("sec-fetch-site", "cross-site")]), Err(Reason::Origin));
    assert_eq!(tcp(&[("sec-fetch-site", "same-site")]), Err(Reason::Origin));
}

#[test]
fn loopback_needs_the_token() {
    for bad in ["", "Bearer", "Bearer ", "Bearer wrong", "Basic c2VjcmV0", "secret", "Bearer secret secret"] {
        assert_eq!(tcp(&[("authorization", bad)]), Err(Reason::Token), "{bad:?}");
    }
    assert_eq!(tcp(&[("authorization", "Bearer secret"), ("authorization", "Bearer x")]), Err(Reason::Token));
    assert_eq!(tcp(&[("authorization", ""), ("cookie", "token=secret")]), Err(Reason::Token));
}

#[test]
fn forms_that_smuggle_are_refused() {
    let good = [("host", "localhost:7420"), ("authorization", "Bearer secret")];
    assert_eq!(verdict(TCP, "http://localhost:7420/v1/tasks", &good), Err(Reason::Form));
    assert_eq!(verdict(TCP, "http://evil.example/v1/tasks", &good), Err(Reason::Form));
    assert_eq!(tcp(&[("upgrade", "h2c"), ("http2-settings", "AAMAAABkAAQAAP__")]), Err(Reason::Form));
    assert_eq!(tcp(&[("upgrade", "websocket")]), Err(Reason::Form));
    assert_eq!(
        tcp(&[("transfer-encoding", "chunked"), ("content-type", "application/json")]),
        Err(Reason::Form)
    );
}

#[test]
fn bodies_are_small_and_json() {
    assert_eq!(
        tcp(&[("content-length", "1073741824"), ("content-type", "application/json")]),
        Err(Reason::Size)
    );
    for bad in
        ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp"]
    {
        assert_eq!(tcp(&[("content-length", "2"), ("content-type", bad)]), Err(Reason::Type), "{bad:?}");
    }
}

#[test]
fn the_unix_socket_needs_no_token_but_no_page_may_use_it() {
    let unix = |headers: &[(&str, &str)]| verdict(Transport::Unix, "/v1/tasks", headers);
    assert_eq!(unix(&[("host", "localhost")]), Ok(()));
    assert_eq!(unix(&[("host", "localhost:7420")]), Ok(()));
    assert_eq!(unix(&[("host", "evil.example")]), Err(Reason::Host));
    assert_eq!(unix(&[]), Err(Reason::Host));
    assert_eq!(unix(&[("host", "localhost"), ("origin", "http://localhost:7420")]), Err(Reason::Origin));
}

#[test]
fn over_tls_the_address_that_was_called_is_a_host_and_a_name_must_be_ours() {
    let at = |host: &str, origin: &str| {
        let headers = [("host", host), ("authorization", "Bearer secret"), ("origin", origin)];
        let headers: Vec<_> = headers.into_iter().filter(|(_, v)| !v.is_empty()).collect();
        verdict(Transport::Tls { at: "10.0.0.5:7420".parse().unwrap() }, "/v1/tasks", &headers)
    };
    for host in ["10.0.0.5:7420", "box.lan:7420", "localhost:7420"] {
        assert_eq!(at(host, ""), Ok(()), "{host}");
        assert_eq!(at(host, &format!("https://{host}")), Ok(()), "{host}");
        assert_eq!(at(host, &format!("http://{host}")), Err(Reason::Origin), "{host}");
    }
    for host in ["10.0.0.6:7420", "10.0.0.5", "10.0.0.5:443", "evil.example:7420", "10.0.0.5.nip.io:7420"] {
        assert_eq!(at(host, ""), Err(Reason::Host), "{host}");
    }
    assert_eq!(tcp(&[("host", "10.0.0.5:7420")]), Err(Reason::Host), "not without TLS");
}
