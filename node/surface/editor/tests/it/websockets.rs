//! WebSockets: bytes both ways once agreed on, and only for the editor's own page.

use crate::harness::{Got, HOST, ORIGIN, World, text, with};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// An editor that agrees to a WebSocket and then sends back every byte.
fn echo() -> World {
    World::new(|mut request| {
        if request.headers().get("upgrade").is_none() {
            return text(426, "");
        }
        tokio::spawn(async move {
            let mut stream = TokioIo::new(hyper::upgrade::on(&mut request).await.unwrap());
            let mut buffer = [0; 1024];
            while let Ok(n @ 1..) = stream.read(&mut buffer).await {
                stream.write_all(&buffer[..n]).await.unwrap();
            }
        });
        with(101, &[("connection", "upgrade"), ("upgrade", "websocket"), ("sec-websocket-accept", "k")])
    })
}

fn upgrade(session: &str, extra: &str) -> String {
    format!(
        "GET /stable?reconnectionToken=x HTTP/1.1\r\nHost: {HOST}\r\nCookie: ikigai-editor={session}\r\n\
         Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n{extra}\r\n"
    )
}

async fn head(browser: &mut DuplexStream) -> Got {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(browser.read_u8().await.unwrap());
    }
    Got::read(&bytes)
}

#[tokio::test]
async fn bytes_pass_both_ways() {
    let world = echo();
    let session = world.session().await;
    // The first frame comes in the same write as the request.
    let raw = upgrade(&session, &format!("Origin: {ORIGIN}\r\n")) + "early";
    let mut browser = world.connect(&raw).await;
    let got = head(&mut browser).await;
    assert_eq!((got.status, got.header("sec-websocket-accept")), (101, Some("k")));
    let mut early = [0; 5];
    browser.read_exact(&mut early).await.unwrap();
    assert_eq!(&early, b"early");

    let sent: Vec<u8> = (0..1_000_000u32).map(|n| n as u8).collect();
    let (mut read, mut write) = tokio::io::split(browser);
    let expect = sent.clone();
    let writer = tokio::spawn(async move {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
    });
    let mut received = Vec::new();
    read.read_to_end(&mut received).await.unwrap();
    writer.await.unwrap();
    assert!(received == expect, "{} bytes came back", received.len());
    let [seen] = &world.seen()[..] else { panic!("one request") };
    assert!(seen.contains("upgrade: websocket") && seen.contains("sec-websocket-key: k"), "{seen}");
    assert!(!seen.contains("ikigai"), "{seen}");
}

#[tokio::test]
async fn only_the_editors_own_page_opens_one() {
    let world = echo();
    let session = world.session().await;
    for extra in
        ["", "Origin: null\r\n", "Origin: http://b.localhost:7420\r\n", "Origin: http://localhost:7420\r\n"]
    {
        let got = world.raw(&upgrade(&session, extra)).await;
        assert_eq!(got.status, 403, "{extra}");
    }
    let got = world.raw(&upgrade("nobody", &format!("Origin: {ORIGIN}\r\n"))).await;
    assert_eq!(got.status, 401);
    assert_eq!(world.seen(), [""; 0]);
}

#[tokio::test]
async fn an_editor_that_does_not_agree_is_heard() {
    let world = World::new(|_| text(400, "no"));
    let session = world.session().await;
    let mut browser = world.connect(&upgrade(&session, &format!("Origin: {ORIGIN}\r\n"))).await;
    assert_eq!(head(&mut browser).await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn a_websocket_ends_with_its_session() {
    let world = echo();
    let session = world.session().await;
    let mut browser = world.connect(&upgrade(&session, &format!("Origin: {ORIGIN}\r\n"))).await;
    assert_eq!(head(&mut browser).await.status, 101);
    // Nothing else happens, so the paused time goes on to the session's end.
    let before = tokio::time::Instant::now();
    assert_eq!(browser.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(before.elapsed().as_secs() / 60, 12 * 60);
}

/// Somebody who may for so many looks.
#[derive(Debug)]
struct Looks(std::sync::atomic::AtomicI32);

impl ikigai_ports::Holder for Looks {
    fn may(&self) -> bool {
        self.0.fetch_sub(1, std::sync::atomic::Ordering::SeqCst) > 0
    }
}

#[tokio::test(start_paused = true)]
async fn a_websocket_ends_when_its_holder_may_no_more() {
    use ikigai_ports::EditorLinks as _;
    let world = echo();
    let link = world.proxy.mint("a");
    world.proxy.tie(&link, std::sync::Arc::new(Looks(5.into())));
    let got = world.ask(&format!("GET {}", link.strip_prefix(ORIGIN).unwrap()), None, &[]).await;
    let session = got.header("set-cookie").unwrap().split(['=', ';']).nth(1).unwrap().to_owned();
    let mut browser = world.connect(&upgrade(&session, &format!("Origin: {ORIGIN}\r\n"))).await;
    assert_eq!(head(&mut browser).await.status, 101);
    let before = tokio::time::Instant::now();
    assert_eq!(browser.read(&mut [0]).await.unwrap(), 0);
    assert!(before.elapsed().as_secs() <= 6, "{:?}", before.elapsed());
}
