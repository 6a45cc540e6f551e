//! Policies as a person writes them, and what they say of requests.

use super::*;
use serde_json::json;

fn egress(endpoints: serde_json::Value) -> Egress {
    let egress: Egress = serde_json::from_value(json!({"x": {"endpoints": endpoints}})).unwrap();
    egress.check().unwrap();
    egress
}

fn host(text: &str) -> EgressHost {
    EgressHost::exact(text).unwrap()
}

/// `GET docs.lan:80/path`, `POST+body docs.lan:80/`, `CONNECT docs.lan:443`.
fn judged(egress: &Egress, request: &str) -> Result<(), EgressDenial> {
    let (method, rest) = request.split_once(' ').unwrap();
    let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (name, port) = place.rsplit_once(':').unwrap();
    let path = format!("/{path}");
    let way = match method.split_once('+') {
        None if method == "CONNECT" => EgressWay::Tunnel,
        None => EgressWay::Plain { method, path: &path, body: false },
        Some((method, _)) => EgressWay::Plain { method, path: &path, body: true },
    };
    egress.judge(&EgressAsk { host: host(name), port: port.parse().unwrap(), way }).map(drop)
}

#[test]
fn what_is_not_listed_is_denied() {
    let none = Egress::default();
    assert_eq!(judged(&none, "GET docs.lan:80/"), Err(EgressDenial::NotListed));
    let docs = egress(json!([{"host": "docs.lan"}]));
    assert_eq!(judged(&docs, "GET docs.lan:80/any/thing"), Ok(()));
    for other in ["GET docs.lan:8080/", "GET xdocs.lan:80/", "GET a.docs.lan:80/", "GET 10.0.0.1:80/"] {
        assert_eq!(judged(&docs, other), Err(EgressDenial::NotListed), "{other}");
    }
}

#[test]
fn reading_is_what_is_allowed_unless_more_is_said() {
    let by_access = |access| egress(json!([{"host": "docs.lan", "access": access}]));
    let docs = egress(json!([{"host": "docs.lan"}]));
    for method in ["GET", "HEAD", "OPTIONS"] {
        assert_eq!(judged(&docs, &format!("{method} docs.lan:80/")), Ok(()));
    }
    for method in ["POST", "PUT", "DELETE", "get", "PROPFIND"] {
        let asked = format!("{method} docs.lan:80/");
        assert!(matches!(judged(&docs, &asked), Err(EgressDenial::Method(_))), "{method}");
    }
    assert_eq!(judged(&docs, "GET+body docs.lan:80/"), Err(EgressDenial::Body));
    assert_eq!(judged(&by_access("read-write"), "POST+body docs.lan:80/"), Ok(()));
    assert!(judged(&by_access("read-write"), "DELETE docs.lan:80/").is_err());
    assert_eq!(judged(&by_access("full"), "DELETE docs.lan:80/"), Ok(()));
}

#[test]
fn rules_name_methods_and_paths() {
    let api = egress(json!([{"host": "api.lan", "port": 8080, "rules": [
        {"allow": {"method": "GET", "path": "/repos/*/issues/**"}},
        {"allow": {"method": "POST", "path": "/v1/find-*.json"}},
        {"allow": {"method": "HEAD"}},
    ]}]));
    for good in [
        "GET api.lan:8080/repos/a/issues",
        "GET api.lan:8080/repos/a/issues/1/comments",
        "POST+body api.lan:8080/v1/find-all.json",
        "HEAD api.lan:8080/anything/at/all",
    ] {
        assert_eq!(judged(&api, good), Ok(()), "{good}");
    }
    for bad in [
        "GET api.lan:8080/repos/a/b/issues",
        "GET api.lan:8080/repos/a/issuesx",
        "GET api.lan:8080/repos/a/issues/../../../admin",
        "GET api.lan:8080/repos/a/issues/%2e%2e/%2E%2E/admin",
        "GET api.lan:8080/repos/a%2f..%2fb/issues",
        "GET api.lan:8080/repos/a/issues//admin",
        "GET api.lan:8080/repos/a/issues/..;/admin",
        "GET api.lan:8080/repos/a/issues/\\..\\admin",
        "HEAD api.lan:8080/a/%252e%252e/b",
        "POST api.lan:8080/v1/find-all.xml",
        "DELETE api.lan:8080/repos/a/issues",
    ] {
        assert_eq!(judged(&api, bad), Err(EgressDenial::Path), "{bad}");
    }
}

#[test]
fn a_tunnel_needs_a_word_of_its_own_and_gives_no_other_right() {
    let crates =
        egress(json!([{"host": "*.crates.io", "tls": "passthrough"}, {"host": "plain.lan", "port": 443}]));
    assert_eq!(judged(&crates, "CONNECT static.crates.io:443"), Ok(()));
    assert_eq!(judged(&crates, "CONNECT crates.io:443"), Err(EgressDenial::NotListed));
    assert_eq!(judged(&crates, "CONNECT static.crates.io:22"), Err(EgressDenial::NotListed));
    assert_eq!(judged(&crates, "GET static.crates.io:443/"), Err(EgressDenial::OnlyTunnel));
    assert_eq!(judged(&crates, "CONNECT plain.lan:443"), Err(EgressDenial::OnlyPlain));
}

#[test]
fn hosts_have_one_spelling() {
    assert_eq!(host("Docs.LAN."), host("docs.lan"));
    assert_eq!(host("[::FFFF:10.0.0.1]"), host("10.0.0.1"));
    assert_eq!(host("[0:0::1]").to_string(), "[::1]");
    let all: EgressHost = "*.lan".parse().unwrap();
    assert!(all.covers(&host("a.b.lan")) && all.covers(&"*.b.lan".parse().unwrap()) && all.covers(&all));
    assert!(!all.covers(&host("lan")) && !all.covers(&host("xlan")) && !host("a.lan").covers(&all));
    for bad in [
        "",
        "*",
        "*.",
        "a..b",
        "*.10.0.0.1",
        "a b",
        "ä.lan",
        "a/b",
        "a:80",
        "[a]",
        "u@a",
        "a.*.lan",
        "*.*.lan",
    ] {
        assert!(bad.parse::<EgressHost>().is_err(), "{bad}");
    }
    assert!(EgressHost::exact("*.lan").is_err());
    let numbers: EgressHost = "*.0.0.1".parse().unwrap();
    assert!(!numbers.covers(&host("127.0.0.1")), "an address is below no name");
}

#[test]
fn addresses_that_are_not_everybodys_are_known() {
    let is = |text: &str| kind(text.parse().unwrap());
    for public in ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111"] {
        assert_eq!(is(public), AddressKind::Public, "{public}");
    }
    for loopback in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]
    {
        assert_eq!(is(loopback), AddressKind::Loopback, "{loopback}");
    }
    for private in
        ["10.1.2.3", "172.16.0.1", "192.168.1.1", "fd00::1", "fc00::1", "::ffff:a00:1", "::10.0.0.1"]
    {
        assert_eq!(is(private), AddressKind::Private, "{private}");
    }
    for link in
        ["169.254.169.254", "fe80::1", "fec0::1", "::ffff:169.254.169.254", "2001:0:1:1:1:1:5601:5601"]
    {
        assert_eq!(is(link), AddressKind::LinkLocal, "{link}");
    }
    assert_eq!(is("100.100.1.1"), AddressKind::Shared);
    for special in [
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "ff02::1",
        "2001:db8::1",
        "100::1",
    ] {
        assert_eq!(is(special), AddressKind::Special, "{special}");
    }
}

#[test]
fn an_address_that_is_not_public_has_to_be_named() {
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let of = |endpoint| egress(json!([endpoint])).0["x"].endpoints[0].clone();
    let named = of(json!({"host": "docs.lan", "allowed_ips": ["192.168.1.5"]}));
    assert!(named.may_reach(ip("192.168.1.5")) && named.may_reach(ip("1.1.1.1")));
    assert!(!named.may_reach(ip("192.168.1.6")) && !named.may_reach(ip("127.0.0.1")));
    let itself = of(json!({"host": "127.0.0.1", "port": 8000}));
    assert!(itself.may_reach(ip("127.0.0.1")) && !itself.may_reach(ip("127.0.0.2")));
    assert!(!of(json!({"host": "localhost"})).may_reach(ip("127.0.0.1")));
}

#[test]
fn a_node_is_asked_for_what_it_lists_and_no_more() {
    let node = egress(json!([{"host": "*.lan"}, {"host": "docs.org", "tls": "passthrough"}]));
    let lacks = |endpoint| node.lacks(&egress(json!([endpoint]))).map(ToString::to_string);
    assert_eq!(lacks(json!({"host": "a.lan", "access": "full"})), None, "each request is judged by both");
    assert_eq!(lacks(json!({"host": "docs.org", "tls": "passthrough"})), None);
    assert_eq!(lacks(json!({"host": "docs.org"})).as_deref(), Some("docs.org:80 (read-only)"));
    assert_eq!(lacks(json!({"host": "a.lan", "port": 81})).as_deref(), Some("a.lan:81 (read-only)"));
    assert_eq!(node.named(&["x".into()]), Ok(node.clone()));
    assert_eq!(node.named(&["y".into()]), Err("y"));
}

#[test]
fn an_entry_that_means_nothing_is_an_error() {
    let wrong = |endpoints| {
        let read = serde_json::from_value::<Egress>(json!({"docs": {"endpoints": endpoints}}));
        read.map_err(|e| e.to_string()).and_then(|e| e.check().map_err(|e| e.to_string())).unwrap_err()
    };
    assert_eq!(wrong(json!([])), "egress.docs has no endpoints");
    assert!(
        wrong(json!([{"host": "a", "access": "full", "rules": [{"allow": {"method": "GET"}}]}]))
            .contains("give one")
    );
    assert!(wrong(json!([{"host": "a", "tls": "passthrough", "access": "full"}])).contains("no method"));
    assert!(wrong(json!([{"host": "a", "rules": [{"allow": {"method": "get"}}]}])).contains("capitals"));
    assert!(
        wrong(json!([{"host": "a", "rules": [{"allow": {"method": "GET", "path": "v1"}}]}]))
            .contains("begins with /")
    );
    for unknown in [
        json!([{"host": "a", "deny_rules": []}]),
        json!([{"host": "a", "access": "write"}]),
        json!([{"host": "a", "tls": "terminate"}]),
        json!([{"host": "a", "rules": [{"deny": {"method": "GET"}}]}]),
        json!([{"host": "http://a"}]),
    ] {
        wrong(unknown);
    }
}
