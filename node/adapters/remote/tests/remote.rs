//! The remote handle against a pretending node, over connections that break.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use futures::StreamExt;
use ikigai_http::{Api, ApiOptions, AuthOptions, Listener, TokenHash};
use ikigai_ports::NodeHandle;
use ikigai_ports::testsuite::fake_node::FakeNode;
use ikigai_remote::RemoteNode;
use ikigai_types::{AttemptId, TaskId, Timestamp};
use ikigai_wire::api::{Code, Command, Filter, NodeCommand, SubmitRequest, SubmitSource};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

async fn serve(fake: &FakeNode, dir: &Path) -> (PathBuf, std::net::SocketAddr) {
    let auth = AuthOptions { token: Some(TokenHash::of(TOKEN)), hosts: Vec::new() };
    let api = Api::new(Arc::new(fake.clone()), ApiOptions { auth, fallback: None });
    let socket = dir.join("node.sock");
    let unix = Listener::unix(&socket).await.unwrap();
    let tcp = Listener::tcp("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let Listener::Tcp(_, address) = tcp else { panic!("not TCP") };
    tokio::spawn(api.serve(vec![unix, tcp], CancellationToken::new()));
    (socket, address)
}

async fn shop() -> (FakeNode, TempDir, PathBuf, std::net::SocketAddr) {
    let dir = tempfile::tempdir().unwrap();
    let fake = FakeNode::shop(Timestamp(1_700_000_000_000), "/srv/my shop");
    let (socket, address) = serve(&fake, dir.path()).await;
    (fake, dir, socket, address)
}

/// A way to `to` that cuts each connection after `lengths` bytes, one after the other, then no more.
async fn cutter(to: PathBuf, at: PathBuf, lengths: Vec<usize>) -> Arc<AtomicU32> {
    let cuts = Arc::new(AtomicU32::new(0));
    let (counted, listener) = (cuts.clone(), UnixListener::bind(at).unwrap());
    tokio::spawn(async move {
        let mut lengths = lengths.into_iter();
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(pass(stream, to.clone(), lengths.next(), counted.clone()));
        }
    });
    cuts
}

async fn pass(near: UnixStream, to: PathBuf, limit: Option<usize>, cuts: Arc<AtomicU32>) {
    let mut far = UnixStream::connect(to).await.unwrap();
    let (mut near_in, mut near_out) = near.into_split();
    let (mut far_in, mut far_out) = far.split();
    let up = tokio::io::copy(&mut near_in, &mut far_out);
    let down = async {
        let Some(limit) = limit else { return tokio::io::copy(&mut far_in, &mut near_out).await.map(drop) };
        let mut left = limit;
        let mut bytes = [0; 512];
        while left > 0 {
            let most = left.min(bytes.len());
            let n = far_in.read(&mut bytes[..most]).await?;
            if n == 0 {
                return near_out.shutdown().await;
            }
            near_out.write_all(&bytes[..n]).await?;
            left -= n;
        }
        cuts.fetch_add(1, Ordering::SeqCst);
        Ok(())
    };
    tokio::select! { _ = up => {}, _ = down => {} }
}

fn attempt(short: &str) -> AttemptId {
    AttemptId { task: TaskId::new(format!("1f0c2a77.001-shop.{short}")).unwrap(), number: 1 }
}

/// OB3: cut a hundred times, the lines are those that were printed, each once and in order.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_breaks_lose_no_line_and_repeat_none() {
    let (fake, dir, socket, _) = shop().await;
    let way = dir.path().join("way.sock");
    // From the middle of the head to the middle of a line, never the same twice.
    let cuts = cutter(socket, way.clone(), (0..100).map(|n| 300 + n * 11).collect()).await;
    let printer = fake.clone();
    let wanted: Vec<_> = (0..1000).map(|n| format!("line {n} {}", "x".repeat(n % 97))).collect();
    let lines = wanted.clone();
    tokio::spawn(async move {
        for text in lines {
            printer.print(&attempt("T003"), &text);
            tokio::task::yield_now().await;
        }
        printer.end(&attempt("T003"), 0);
    });
    let mut node = RemoteNode::unix(&way);
    let mut stream = loop {
        // The first connections may be cut before their head is through: that one the caller sees.
        match node.logs(&attempt("T003"), 4, true).await {
            Ok(stream) => break stream,
            Err(p) => assert_eq!(p.code, Code::Unreachable, "{p:?}"),
        }
        node = RemoteNode::unix(&way);
    };
    let mut got = Vec::new();
    while let Some(line) =
        tokio::time::timeout(Duration::from_secs(60), stream.next()).await.expect("goes on")
    {
        got.push(line.unwrap());
    }
    let numbers: Vec<_> = got.iter().map(|l| l.n).collect();
    assert_eq!(numbers, (4..1004).collect::<Vec<_>>());
    assert_eq!(got.into_iter().map(|l| l.text).collect::<Vec<_>>(), wanted);
    assert_eq!(cuts.load(Ordering::SeqCst), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_go_on_after_breaks() {
    let (fake, dir, socket, _) = shop().await;
    let way = dir.path().join("way.sock");
    cutter(socket, way.clone(), (0..50).map(|n| 700 + n * 61).collect()).await;
    let mut events = RemoteNode::unix(&way).events(Some("1.7".into())).await.unwrap();
    for n in 0..200 {
        fake.turn("T003", &format!("s{n}"), "turns");
    }
    for n in 0..200 {
        let event = tokio::time::timeout(Duration::from_secs(60), events.next())
            .await
            .expect("goes on")
            .unwrap()
            .unwrap();
        assert_eq!((event.cursor, event.state), (format!("1.{}", n + 8), format!("s{n}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_log_is_a_conflict_and_then_goes_on() {
    let (fake, _dir, socket, _) = shop().await;
    fake.restart_log();
    let mut events = RemoteNode::unix(&socket).events(Some("1.7".into())).await.unwrap();
    assert_eq!(events.next().await.unwrap().unwrap_err().code, Code::Conflict);
    fake.turn("T003", "review", "turns");
    assert_eq!(events.next().await.unwrap().unwrap().cursor, "2.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_answer_was_cut_is_done_once() {
    let (fake, dir, socket, _) = shop().await;
    let way = dir.path().join("way.sock");
    cutter(socket, way.clone(), vec![30, 10_000]).await;
    let comment = Command::Comment { body: "once".into() };
    RemoteNode::unix(&way).command(&attempt("T002").task, comment).await.unwrap();
    assert_eq!(fake.asked(), ["T002 Comment { body: \"once\" }"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_passes_through_both_ways_in() {
    let (fake, _dir, socket, address) = shop().await;
    let task = attempt("T003").task;
    for node in [RemoteNode::unix(&socket), RemoteNode::http(&format!("http://{address}"), TOKEN).unwrap()] {
        let filter = Filter {
            project: Some("/srv/my shop".into()),
            states: vec!["review".into(), "failed".into()],
            ..Filter::default()
        };
        let snapshot = node.snapshot(filter.clone()).await.unwrap();
        assert_eq!(snapshot, fake.snapshot(filter).await.unwrap());
        assert_eq!(node.task("T003").await.unwrap(), fake.task("T003").await.unwrap());
        assert_eq!(node.task("T404").await.unwrap_err().code, Code::NotFound);
        assert_eq!(node.task("..").await.unwrap_err().code, Code::Usage);
        let source = SubmitSource::Text { text: "Add a \"theme\" / ü".into(), story: None, parallel: false };
        let request = SubmitRequest { source, dry_run: true, ..SubmitRequest::default() };
        assert_eq!(node.submit(request.clone()).await.unwrap(), fake.submit(request).await.unwrap());
        assert_eq!(node.command(&task, Command::Pause).await.unwrap().state, "paused");
        assert_eq!(node.command(&task, Command::Resume).await.unwrap().state, "running");
        assert!(node.steer(&snapshot.node, NodeCommand::Drain { grace: 3 }).await.unwrap().cordoned);
        assert!(!node.steer(&snapshot.node, NodeCommand::Uncordon).await.unwrap().cordoned);
        assert_eq!(node.open(&task).await.unwrap(), fake.open(&task).await.unwrap());
        let review = attempt("T002").task;
        assert_eq!(node.diff(&review).await.unwrap(), fake.diff(&review).await.unwrap());
        let lines: Vec<_> = node.logs(&attempt("T006"), 1, false).await.unwrap().collect().await;
        let wanted: Vec<_> = fake.logs(&attempt("T006"), 1, false).await.unwrap().collect().await;
        assert_eq!(lines, wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_has_its_code() {
    let (_fake, dir, _socket, address) = shop().await;
    let gone =
        RemoteNode::unix(dir.path().join("nobody.sock")).snapshot(Filter::default()).await.unwrap_err();
    assert_eq!((gone.code, gone.hint.as_deref()), (Code::Unreachable, Some("run: ikigai up")));
    let wrong = RemoteNode::http(&format!("http://{address}"), "wrong").unwrap();
    assert_eq!(wrong.snapshot(Filter::default()).await.unwrap_err().code, Code::Unauthenticated);

    let silent = dir.path().join("silent.sock");
    let listener = UnixListener::bind(&silent).unwrap();
    let late =
        RemoteNode::unix(&silent).patient(Duration::from_millis(200)).snapshot(Filter::default()).await;
    assert_eq!(late.unwrap_err().code, Code::TimedOut);
    drop(listener);

    let babble = dir.path().join("babble.sock");
    let listener = UnixListener::bind(&babble).unwrap();
    tokio::spawn(async move {
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 502 Bad\r\ncontent-length: 0\r\n\r\n",
            "what?",
        ] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = [0; 4096];
            let _ = stream.read(&mut bytes).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    let node = RemoteNode::unix(&babble);
    for code in [Code::Failed, Code::Failed, Code::Unreachable] {
        assert_eq!(node.snapshot(Filter::default()).await.unwrap_err().code, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_the_other_end_is_who_has_the_certificate_that_was_named() {
    let dir = tempfile::tempdir().unwrap();
    let fake = FakeNode::shop(Timestamp(1_700_000_000_000), "/srv/my shop");
    let auth = AuthOptions { token: Some(TokenHash::of(TOKEN)), hosts: vec!["box.lan".into()] };
    let api = Api::new(Arc::new(fake.clone()), ApiOptions { auth, fallback: None });
    let tls = ikigai_http::Tls::load_or_create(dir.path(), &["localhost".to_owned()]).unwrap();
    let fingerprint = tls.fingerprint().to_owned();
    let listener = Listener::tls("127.0.0.1:0".parse().unwrap(), tls).await.unwrap();
    let Listener::Tls(_, address, _) = listener else { panic!("not TLS") };
    let stop = CancellationToken::new();
    let serving = tokio::spawn(api.serve(vec![listener], stop.clone()));
    let base = format!("https://{address}");
    let node = RemoteNode::https(&base, TOKEN, &fingerprint).unwrap();
    assert_eq!(node.task("T003").await.unwrap().short, "T003");
    let mut events = node.events(None).await.unwrap();
    assert!(events.next().await.unwrap().is_ok());
    // Another certificate: not a byte of the token is sent.
    let other = format!("sha256:{}", "0".repeat(64));
    let error = RemoteNode::https(&base, TOKEN, &other).unwrap().task("T003").await.unwrap_err();
    assert_eq!(error.code, Code::Unreachable);
    assert!(error.message.contains(&fingerprint), "{error:?}");
    let wrong =
        RemoteNode::https(&base, "wrong-token", &fingerprint).unwrap().task("T003").await.unwrap_err();
    assert_eq!(wrong.code, Code::Unauthenticated);
    // Who speaks no TLS gets no answer of ours.
    let mut plain = tokio::net::TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET /v1/tasks HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/"), "{answer:?}");
    for (base, fingerprint) in
        [(&*base, "sha256:00"), ("http://box.lan:1", &*fingerprint), ("https://box/x", &*fingerprint)]
    {
        assert_eq!(RemoteNode::https(base, TOKEN, fingerprint).unwrap_err().code, Code::Usage, "{base}");
    }
    stop.cancel();
    serving.await.unwrap();
}
