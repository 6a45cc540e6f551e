//! What a browser gets: pages for everybody, data for who came in by a link, and nothing for another page.

use crate::served::{Served, TOKEN, request};
use ikigai_access::Policy;
use ikigai_http::{Authority, Front, Site, SiteFile};
use ikigai_memory::MemoryStore;
use std::sync::Arc;

/// One page.
#[derive(Debug)]
struct OnePage;

impl Site for OnePage {
    fn file(&self, path: &str) -> Option<SiteFile> {
        let file = SiteFile { kind: "text/html; charset=utf-8", bytes: b"<title>x</title>" };
        ["/", "/login", "/task/T003"].contains(&path).then_some(file)
    }

    fn policy(&self) -> &'static str {
        "default-src 'none'"
    }
}

pub async fn served(authority: Authority) -> Served {
    Served::fronted(
        None,
        Front { site: Some(Arc::new(OnePage)), authority: Arc::new(authority), ..Front::default() },
    )
    .await
}

/// The headers of a browser that came in.
struct Session {
    cookie: String,
    key: String,
}

impl Session {
    fn headers(&self) -> String {
        format!("Cookie: {}\r\nX-Ikigai-Key: {}\r\n", self.cookie, self.key)
    }
}

async fn code(served: &Served) -> String {
    let answer = served.local("POST", "/v1/session/links", "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let url = answer.json()["url"].as_str().unwrap().to_owned();
    let (page, code) = url.split_once('#').unwrap();
    assert_eq!(page, format!("http://{}/login", served.address));
    code.to_owned()
}

async fn come_in(served: &Served) -> Session {
    let body = format!("{{\"code\":\"{}\"}}", code(served).await);
    let answer =
        served.raw(&request("POST", "/v1/session", "Origin: http://localhost:PORT\r\n", &body)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let set = answer.header("set-cookie").unwrap();
    assert!(set.contains("; HttpOnly; SameSite=Strict; Path=/; Max-Age="), "{set}");
    let cookie = set.split(';').next().unwrap().to_owned();
    assert!(cookie.starts_with(&format!("ikigai-{}=", served.address.port())), "{cookie}");
    let key = answer.json()["key"].as_str().unwrap().to_owned();
    assert!(!cookie.contains(&key), "the halves are one");
    Session { cookie, key }
}

async fn status(served: &Served, method: &str, path: &str, headers: &str) -> u16 {
    served.raw(&request(method, path, headers, "")).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_for_everybody_and_hold_to_their_policy() {
    let served = served(Authority::default()).await;
    let page = served.raw(&request("GET", "/", "", "")).await;
    assert_eq!((page.status, &*page.body), (200, "<title>x</title>"), "{page:?}");
    assert_eq!(page.header("content-security-policy"), Some("default-src 'none'"));
    assert_eq!(page.header("cache-control"), Some("no-cache"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("set-cookie"), None);
    let known = format!("If-None-Match: {}\r\n", page.header("etag").unwrap());
    assert_eq!(status(&served, "GET", "/", &known).await, 304);
    assert_eq!(served.raw(&request("HEAD", "/login", "", "")).await.body, "");
    let led = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n";
    assert_eq!(status(&served, "GET", "/task/T003", led).await, 200, "a link in a mail");
    let framed = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n";
    assert_eq!(status(&served, "GET", "/", framed).await, 403);
    assert_eq!(status(&served, "GET", "/", "Sec-Fetch-Site: cross-site\r\n").await, 403);
    assert_eq!(status(&served, "POST", "/", "").await, 401, "a page is only read");
    for path in ["/v1/tasks", "/health", "/nowhere", "//evil", "/../etc"] {
        assert_eq!(status(&served, "GET", path, "").await, 401, "{path}");
    }
    let rebound = request("GET", "/", "", "").replace("Host: localhost", "Host: evil.example");
    assert_eq!(served.raw(&rebound).await.status, 421);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_opens_once_and_both_halves_are_needed() {
    let served = served(Authority::default()).await;
    let code = code(&served).await;
    let open = |code: &str| {
        request(
            "POST",
            "/v1/session",
            "Origin: http://localhost:PORT\r\n",
            &format!("{{\"code\":\"{code}\"}}"),
        )
    };
    assert_eq!(served.raw(&open("0000")).await.status, 401);
    assert_eq!(served.raw(&open(&code)).await.status, 200);
    let again = served.raw(&open(&code)).await;
    assert_eq!((again.status, again.header("set-cookie")), (401, None), "{again:?}");

    let session = come_in(&served).await;
    assert_eq!(status(&served, "GET", "/v1/tasks", &session.headers()).await, 200);
    assert_eq!(status(&served, "GET", "/v1/tasks", &format!("Cookie: {}\r\n", session.cookie)).await, 401);
    assert_eq!(status(&served, "GET", "/v1/tasks", &format!("X-Ikigai-Key: {}\r\n", session.key)).await, 401);
    let twice = format!("Cookie: {}\r\n{}", session.cookie, session.headers());
    assert_eq!(status(&served, "GET", "/v1/tasks", &twice).await, 401, "two cookies of one name");
    let other = session.headers().replace("ikigai-", "ikigai-1");
    assert_eq!(status(&served, "GET", "/v1/tasks", &other).await, 401, "the cookie of another node");
    let wrong = format!("{}Authorization: Bearer nope\r\n", session.headers());
    assert_eq!(status(&served, "GET", "/v1/tasks", &wrong).await, 401, "a wrong token is refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_page_cannot_use_a_session() {
    let served = served(Authority::default()).await;
    let session = come_in(&served).await;
    let act = |headers: &str| {
        request("POST", "/v1/tasks/T003/pause", &format!("{}{headers}", session.headers()), "{}")
    };
    let before = served.fake.asked();
    for foreign in [
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
        "Origin: http://t003-1.localhost:PORT\r\n",
        "Origin: http://localhost:1\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
    ] {
        assert_eq!(served.raw(&act(foreign)).await.status, 403, "{foreign}");
    }
    let body = format!("{{\"code\":\"{}\"}}", code(&served).await);
    let login = request("POST", "/v1/session", "Origin: http://evil.example\r\n", &body);
    assert_eq!(served.raw(&login).await.status, 403, "logged in by another page");
    assert_eq!(served.fake.asked(), before);
    assert_eq!(served.raw(&act("Origin: http://localhost:PORT\r\n")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_logged_out_is_out() {
    let served = served(Authority::default()).await;
    let session = come_in(&served).await;
    let shown = served.raw(&request("GET", "/v1/session", &session.headers(), "")).await;
    assert_eq!((shown.status, shown.json()["key"].is_null()), (200, true), "{shown:?}");
    let ended = served.raw(&request("POST", "/v1/session/end", &session.headers(), "")).await;
    assert!(ended.status == 200 && ended.header("set-cookie").unwrap().contains("Max-Age=0"), "{ended:?}");
    assert_eq!(status(&served, "GET", "/v1/tasks", &session.headers()).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_the_node_and_ends_when_it_was_ended() {
    let store = Arc::new(MemoryStore::new());
    let kept = || Authority::kept_in(store.clone(), Policy::standard());
    let hash = |n: u8| [b"session/".to_vec(), vec![n; 32]].concat();
    let old = ikigai_ports::store::Batch::default().put(hash(1), 1_u64.to_be_bytes()).put(hash(2), b"x");
    ikigai_ports::Store::commit(&*store, old).await.unwrap();
    let first = served(kept().await.unwrap()).await;
    let (kept_session, ended) = (come_in(&first).await, come_in(&first).await);
    assert_eq!(status(&first, "POST", "/v1/session/end", &ended.headers()).await, 200);
    let port = first.address.port().to_string();
    drop(first);

    let second = served(kept().await.unwrap()).await;
    let now = |s: &Session| s.headers().replace(&port, &second.address.port().to_string());
    assert_eq!(status(&second, "GET", "/v1/tasks", &now(&kept_session)).await, 200);
    assert_eq!(status(&second, "GET", "/v1/tasks", &now(&ended)).await, 401);
    let stored = ikigai_ports::Store::scan(&*store, b"session/", b"session/", 9).await.unwrap();
    assert_eq!(stored.len(), 0, "sessions from before there were users are removed");
    let stored = ikigai_ports::Store::scan(&*store, b"access/pass/", b"access/pass/", 9).await.unwrap();
    assert_eq!(stored.len(), 1);
    let text = String::from_utf8_lossy(&stored[0].1.value).into_owned();
    assert!(
        !text.contains(&kept_session.key) && !text.contains(kept_session.cookie.split_once('=').unwrap().1),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_pages_there_is_no_link() {
    let served = Served::shop().await;
    assert_eq!(served.local("POST", "/v1/session/links", "").await.status, 404);
    assert_eq!(served.call("POST", "/v1/session/links", "", "").await.status, 404, "{TOKEN}");
    assert_eq!(served.raw(&request("POST", "/v1/session/links", "", "")).await.status, 401);
}
