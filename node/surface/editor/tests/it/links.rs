//! Links become sessions, once, and sessions end.

use crate::harness::{HOST, ORIGIN, World};
use ikigai_ports::{EditorLinks, Holder};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[tokio::test]
async fn a_link_opens_the_editor_and_works_once() {
    let world = World::plain();
    let link = world.proxy.mint("a");
    let path = link.strip_prefix(ORIGIN).unwrap();
    assert_eq!(path.len(), "/.ikigai/open?token=".len() + 64);

    let got = world.ask(&format!("GET {path}"), None, &[]).await;
    assert_eq!((got.status, got.header("location")), (303, Some("/")));
    assert_eq!(got.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(got.header("cache-control"), Some("no-store"));
    let cookie = got.header("set-cookie").unwrap();
    let (session, rest) = cookie.strip_prefix("ikigai-editor=").unwrap().split_once(';').unwrap();
    assert_eq!(rest, " HttpOnly; SameSite=Strict; Path=/");
    assert_eq!(session.len(), 64);
    assert!(!path.contains(session));

    assert_eq!(world.ask(&format!("GET {path}"), None, &[]).await.status, 401, "used");
    let got = world.ask("GET /", Some(session), &[]).await;
    assert_eq!((got.status, &*got.body), (200, "hello"));
    assert!(world.seen().iter().all(|head| !head.contains("token") && !head.contains(session)));
}

#[tokio::test]
async fn without_a_session_a_page_says_what_to_do() {
    let world = World::plain();
    for session in [None, Some("0".repeat(64)), Some(String::new())] {
        let got = world.ask("GET /", session.as_deref(), &[]).await;
        assert_eq!(got.status, 401);
        assert!(got.body.contains("run: ikigai open &lt;task&gt;"), "{got:?}");
    }
    assert_eq!(world.seen(), [""; 0]);
}

#[tokio::test]
async fn a_session_is_for_one_agent_only() {
    let world = World::plain();
    let session = world.session().await;
    let raw = format!(
        "GET / HTTP/1.1\r\nHost: b.localhost:7420\r\nConnection: close\r\nCookie: ikigai-editor={session}\r\n\r\n"
    );
    assert_eq!(world.raw(&raw).await.status, 401);
}

#[tokio::test]
async fn links_and_sessions_grow_old() {
    let world = World::plain();
    let link = world.proxy.mint("a");
    world.clock.advance(Duration::from_secs(60));
    let path = link.strip_prefix(ORIGIN).unwrap();
    assert_eq!(world.ask(&format!("GET {path}"), None, &[]).await.status, 401);

    let session = world.session().await;
    world.clock.advance(Duration::from_secs(12 * 3600 - 1));
    assert_eq!(world.ask("GET /", Some(&session), &[]).await.status, 200);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.ask("GET /", Some(&session), &[]).await.status, 401);
}

#[tokio::test]
async fn sessions_end_with_their_agent() {
    let world = World::plain();
    let session = world.session().await;
    *world.agents.ended.lock().unwrap() = true;
    assert_eq!(world.ask("GET /", Some(&session), &[]).await.status, 410);
    *world.agents.ended.lock().unwrap() = false;
    assert_eq!(world.ask("GET /", Some(&session), &[]).await.status, 401, "a later agent of that name");
}

#[tokio::test]
async fn who_comes_from_another_site_is_asked_to_come_again_once() {
    let world = World::plain();
    let page = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];
    let got = world.ask("GET /", None, &page).await;
    assert_eq!(got.status, 200);
    assert!(got.body.contains("http-equiv=\"refresh\""));
    let again = ["Sec-Fetch-Site: same-origin", page[1], page[2]];
    assert_eq!(world.ask("GET /", None, &again).await.status, 401);
    assert_eq!(world.seen(), [""; 0]);
}

#[tokio::test]
async fn a_link_says_where_the_node_listens() {
    let world = World::plain();
    world.proxy.listens_on(8080);
    assert!(world.proxy.mint("x").starts_with("http://x.localhost:8080/.ikigai/open?token="));
    assert_ne!(world.proxy.mint("x"), world.proxy.mint("x"));
    assert!(world.proxy.mint("a").contains("8080") && HOST.ends_with("7420"));
    assert_eq!(world.ask("GET /", None, &[]).await.status, 421, "the old port");
}

/// Somebody who may, until told otherwise.
#[derive(Debug)]
struct Somebody(AtomicBool);

impl Holder for Somebody {
    fn may(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn what_a_link_opens_is_its_holders_for_as_long_as_they_may() {
    let world = World::plain();
    let ana = Arc::new(Somebody(AtomicBool::new(true)));
    let link = world.proxy.mint("a");
    world.proxy.tie(&link, ana.clone());
    let path = link.strip_prefix(ORIGIN).unwrap();
    let got = world.ask(&format!("GET {path}"), None, &[]).await;
    let session = got.header("set-cookie").unwrap().split(['=', ';']).nth(1).unwrap().to_owned();
    let of_nobody = world.session().await;
    assert_eq!(world.ask("GET /", Some(&session), &[]).await.status, 200);
    ana.0.store(false, Ordering::SeqCst);
    assert_eq!(world.ask("GET /", Some(&session), &[]).await.status, 401);
    assert_eq!(world.ask("GET /", Some(&of_nobody), &[]).await.status, 200, "another's goes on");
}
