//! T9: every way in that must be shut, tried with the bytes a stranger would send.

use crate::served::{Served, TOKEN, ask, request};
use std::io::Write as _;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const GET: &str = "GET /v1/tasks HTTP/1.1\r\n";
const END: &str = "Connection: close\r\n\r\n";

/// Each is one request over TCP and the status that refuses it.
fn strangers() -> Vec<(&'static str, String, u16)> {
    let with = |headers: &str| format!("{GET}{headers}{END}");
    let auth = "Authorization: Bearer TOKEN\r\n";
    let host = "Host: localhost:PORT\r\n";
    let post = |headers: &str, body: &str| {
        format!(
            "POST /v1/tasks HTTP/1.1\r\n{host}{auth}{headers}Content-Length: {}\r\n{END}{body}",
            body.len()
        )
    };
    vec![
        ("no token", with(host), 401),
        ("wrong token", with(&format!("{host}Authorization: Bearer nope\r\n")), 401),
        ("token as cookie", with(&format!("{host}Cookie: token=TOKEN\r\n")), 401),
        ("token in the query", format!("GET /v1/tasks?token=TOKEN HTTP/1.1\r\n{host}{END}"), 401),
        ("no host", with(auth), 421),
        ("empty host", with(&format!("Host:\r\n{auth}")), 421),
        ("two hosts", with(&format!("{host}{host}{auth}")), 421),
        ("rebinding name", with(&format!("Host: evil.example:PORT\r\n{auth}")), 421),
        ("other port", with(&format!("Host: localhost:1\r\n{auth}")), 421),
        ("no port", with(&format!("Host: localhost\r\n{auth}")), 421),
        ("agent's name without an agent", with(&format!("Host: t003-1.localhost:PORT\r\n{auth}")), 421),
        ("null origin", with(&format!("{host}{auth}Origin: null\r\n")), 403),
        ("foreign origin", with(&format!("{host}{auth}Origin: http://evil.example\r\n")), 403),
        ("an agent's origin", with(&format!("{host}{auth}Origin: http://t003-1.localhost:PORT\r\n")), 403),
        ("cross-site", with(&format!("{host}{auth}Sec-Fetch-Site: cross-site\r\n")), 403),
        ("absolute form", format!("GET http://localhost:PORT/v1/tasks HTTP/1.1\r\n{host}{auth}{END}"), 400),
        (
            "foreign absolute form",
            format!("GET http://evil.example/v1/tasks HTTP/1.1\r\n{host}{auth}{END}"),
            400,
        ),
        ("connect", format!("CONNECT localhost:PORT HTTP/1.1\r\n{host}{auth}{END}"), 400),
        ("asterisk", format!("OPTIONS * HTTP/1.1\r\n{host}{auth}{END}"), 400),
        (
            "h2c upgrade",
            with(&format!("{host}{auth}Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"))
                .replace("close", "Upgrade, HTTP2-Settings"),
            400,
        ),
        (
            "websocket of another origin",
            with(&format!(
                "{host}{auth}Origin: http://evil\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"
            ))
            .replace("close", "Upgrade"),
            400,
        ),
        ("form post", post("Content-Type: application/x-www-form-urlencoded\r\n", "a=b"), 415),
        ("text post", post("Content-Type: text/plain\r\n", "{}"), 415),
        ("post without type", post("", "{}"), 415),
        (
            "cookie post of another site",
            post("Content-Type: text/plain\r\nOrigin: http://evil\r\nCookie: a=b\r\n", "{}"),
            403,
        ),
        (
            "a gigabyte",
            format!(
                "POST /v1/tasks HTTP/1.1\r\n{host}{auth}Content-Type: application/json\r\nContent-Length: 1073741824\r\n{END}"
            ),
            413,
        ),
        (
            "two lengths",
            format!(
                "POST /v1/tasks HTTP/1.1\r\n{host}{auth}Content-Type: application/json\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n{END}0\r\n\r\n"
            ),
            411,
        ),
        ("10,000 headers", with(&format!("{host}{auth}{}", "X-A: b\r\n".repeat(10_000))), 431),
        ("one long header", with(&format!("{host}{auth}X-A: {}\r\n", "b".repeat(100_000))), 431),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused_before_any_handler() {
    let served = Served::shop().await;
    for (name, request, status) in strangers() {
        let answer = served.raw(&request).await;
        assert_eq!(answer.status, status, "{name}: {answer:?}");
        assert!(!answer.body.contains("T003"), "{name}: {answer:?}");
    }
    assert_eq!(served.fake.asked(), Vec::<String>::new());
    let good =
        served.raw(&format!("{GET}Host: localhost:PORT\r\nAuthorization: Bearer TOKEN\r\n{END}")).await;
    assert_eq!(good.status, 200, "{good:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_wants_the_token() {
    let served = Served::shop().await;
    for path in [
        "/",
        "/health",
        "/metrics",
        "/openapi.json",
        "/v1/events",
        "/v1/snapshot",
        "/nowhere",
        "//evil",
        "/../etc",
    ] {
        let answer = served.raw(&request("GET", path, "", "")).await;
        assert_eq!(answer.status, 401, "{path}: {answer:?}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_the_one_error_document_and_closes() {
    let served = Served::shop().await;
    let answer = served.raw("GET /health HTTP/1.1\r\nHost: evil\r\n\r\nGET /health HTTP/1.1\r\n\r\n").await;
    let error = answer.json();
    assert_eq!((error["kind"].as_str(), error["code"].as_str()), (Some("Error"), Some("denied")));
    assert!(error["hint"].as_str().unwrap().contains("localhost"));
    assert_eq!(error["requestId"].as_str(), answer.header("x-request-id"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(
        answer.body.matches("apiVersion").count(),
        1,
        "what followed was read as a request: {answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_chunks_is_not_taken() {
    let served = Served::shop().await;
    let head =
        request("POST", "/v1/tasks", "Authorization: Bearer TOKEN\r\nTransfer-Encoding: chunked\r\n", "{}");
    let head = head.replace("Content-Length: 2\r\n", "").replace("\r\n\r\n{}", "\r\n\r\n");
    let head = head.replace("PORT", &served.address.port().to_string()).replace("TOKEN", TOKEN);
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000)).repeat(64);
    let answer = ask(served.tcp().await, format!("{head}{chunk}0\r\n\r\n").as_bytes()).await;
    // Either the answer came through, or the connection was reset under four megabytes nobody would read.
    assert!([411, 0].contains(&answer.status), "{answer:?}");
    assert_eq!(served.fake.asked(), Vec::<String>::new());
    assert_eq!(served.call("GET", "/health", "", "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_by_prior_knowledge_is_no_way_in() {
    let served = Served::shop().await;
    let answer = served.raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!([0, 400, 505].contains(&answer.status), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_request_on_a_connection_is_checked_too() {
    let served = Served::shop().await;
    let mut stream = served.tcp().await;
    let port = served.address.port();
    let good =
        format!("GET /health HTTP/1.1\r\nHost: localhost:{port}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    let bad = format!("GET /health HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
    stream.write_all(format!("{good}{bad}").as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.contains("HTTP/1.1 200") && text.contains("HTTP/1.1 401"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_never_ends_is_given_up() {
    let served = Served::shop().await;
    let mut stream = served.tcp().await;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await.unwrap();
    let mut bytes = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await;
    assert!(ended.is_ok(), "the connection is still open");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_unix_socket_needs_no_token_and_takes_no_page() {
    let served = Served::shop().await;
    assert_eq!(served.local("GET", "/health", "").await.status, 200);
    let page = "GET /health HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:7420\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(served.unix().await, page.as_bytes()).await.status, 403);
    let named = "GET /health HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert_eq!(ask(served.unix().await, named.as_bytes()).await.status, 421);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_is_not_let_in_by_the_unix_socket() {
    use std::os::unix::fs::PermissionsExt;
    let served = Served::shop().await;
    if !rustix::process::geteuid().is_root() {
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED another_user_is_not_let_in_by_the_unix_socket: only root can become another user"
        );
        return;
    }
    // Even with the file's own lock open, the kernel tells who it is.
    std::fs::set_permissions(&served.socket, std::fs::Permissions::from_mode(0o777)).unwrap();
    std::fs::set_permissions(served.socket.parent().unwrap(), std::fs::Permissions::from_mode(0o777))
        .unwrap();
    let ask = "import socket,os,sys; os.setgid(65534); os.setuid(65534); s=socket.socket(socket.AF_UNIX); \
        s.connect(sys.argv[1]); s.sendall(b'GET /health HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n'); \
        print(len(s.recv(4096)))";
    let out = tokio::process::Command::new("python3").args(["-c", ask]).arg(&served.socket).output().await;
    let Ok(out) = out else {
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED another_user_is_not_let_in_by_the_unix_socket: there is no python3"
        );
        return;
    };
    let (text, errors) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    let cut =
        text.trim() == "0" || errors.contains("ConnectionResetError") || errors.contains("BrokenPipeError");
    assert!(cut, "{text}{errors}");
    assert_eq!(served.local("GET", "/health", "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_counted() {
    let served = Served::shop().await;
    served.raw(&request("GET", "/health", "", "")).await;
    served.raw(&request("GET", "/health", "Origin: null\r\n", "")).await;
    let page = served.local("GET", "/metrics", "").await.body;
    assert!(page.contains("ikigai_http_refused_total{reason=\"token\"} 1\n"), "{page}");
    assert!(page.contains("ikigai_http_refused_total{reason=\"origin\"} 1\n"), "{page}");
    assert!(page.contains("ikigai_tasks{state=\"review\"} 2\n"), "{page}");
}
