//! What is open ends when its caller may have it no more, and what was done is in the log though nobody waits for it.

use crate::served::{Served, ask, request};
use async_trait::async_trait;
use ikigai_access::Policy;
use ikigai_http::{Authority, Front};
use ikigai_memory::MemoryStore;
use ikigai_ports::gate::Duplex;
use ikigai_ports::node::Answer;
use ikigai_ports::{EditorLinks, Holder, Terminals};
use ikigai_wire::api::{Code, Problem};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

/// Longest that something may stay open.
const SOON: Duration = Duration::from_secs(2);
const UPGRADE: &str =
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Terminals that say nothing, and let nobody in before they are told to.
#[derive(Debug)]
struct Slow {
    asked: mpsc::UnboundedSender<DuplexStream>,
    lets_in: Arc<Semaphore>,
}

#[async_trait]
impl Terminals for Slow {
    async fn attach(&self, _: &str, _: &str) -> Answer<Box<dyn Duplex>> {
        let (ours, theirs) = tokio::io::duplex(64);
        self.asked.send(ours).unwrap();
        self.lets_in.acquire().await.unwrap().forget();
        Ok(Box::new(theirs))
    }
}

/// Links that remember whom they are for.
#[derive(Debug, Default)]
struct Links(Mutex<Vec<(String, Arc<dyn Holder>)>>);

impl EditorLinks for Links {
    fn mint(&self, _: &str) -> String {
        unreachable!("the node makes links")
    }
    fn tie(&self, link: &str, holder: Arc<dyn Holder>) {
        self.0.lock().unwrap().push((link.to_owned(), holder));
    }
}

/// A node, what opens its terminals, and those that were asked for.
struct Scene {
    served: Served,
    lets_in: Arc<Semaphore>,
    asked: mpsc::UnboundedReceiver<DuplexStream>,
    links: Arc<Links>,
}

impl Scene {
    async fn with(policy: Policy) -> Self {
        let authority = Authority::kept_in(Arc::new(MemoryStore::new()), policy).await.unwrap();
        let ((sender, asked), lets_in) = (mpsc::unbounded_channel(), Arc::new(Semaphore::new(0)));
        let (slow, links) = (Slow { asked: sender, lets_in: lets_in.clone() }, Arc::new(Links::default()));
        let front = Front {
            authority: Arc::new(authority),
            terminals: Some(Arc::new(slow)),
            editors: Some(links.clone()),
            ..Front::default()
        };
        Self { served: Served::fronted(None, front).await, lets_in, asked, links }
    }

    async fn own(&self, method: &str, path: &str, body: &str) -> serde_json::Value {
        let answer = self.served.local(method, path, body).await;
        assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
        answer.json()
    }

    /// The user ana and a header that shows a token of hers.
    async fn ana(&self, role: &str) -> String {
        self.own("POST", "/v1/users", &format!(r#"{{"name":"ana","role":"{role}"}}"#)).await;
        let token = r#"{"role":"admin","user":"ana","name":"test","ttlSeconds":60}"#;
        let token = self.own("POST", "/v1/tokens", token).await;
        format!("Authorization: Bearer {}\r\n", token["token"].as_str().unwrap())
    }

    /// A request over TCP whose answer goes on.
    async fn begin(&self, path: &str, headers: &str) -> TcpStream {
        let mut text = request("GET", path, headers, "");
        if headers.contains("Upgrade") {
            text = text.replace("Connection: close", "Connection: Upgrade");
        }
        let mut stream = self.served.tcp().await;
        let text = text.replace("PORT", &self.served.address.port().to_string());
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }
}

/// Reads the head of an answer.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Reads to the end.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.ok();
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_changed_ends_what_it_may_not_have_and_nothing_else() {
    let scene = Scene::with(Policy::standard()).await;
    scene.lets_in.add_permits(1);
    let ana = scene.ana("operator").await;
    let mut terminal = scene.begin("/v1/tasks/T003/terminal", &format!("{UPGRADE}{ana}")).await;
    assert!(head(&mut terminal).await.starts_with("HTTP/1.1 101"));
    let mut events = scene.begin("/v1/events?cursor=1.0", &ana).await;
    assert!(head(&mut events).await.starts_with("HTTP/1.1 200"));
    let link = scene.served.raw(&request("POST", "/v1/tasks/T003/open", &ana, "")).await;
    assert_eq!(link.status, 200, "{link:?}");
    let (url, holder) = scene.links.0.lock().unwrap().pop().unwrap();
    assert!(link.json()["url"] == *url && holder.may());

    scene.own("POST", "/v1/users/ana", r#"{"role":"viewer"}"#).await;
    assert!(!holder.may(), "the editor goes on");
    timeout(SOON, rest(&mut terminal)).await.expect("the terminal goes on");
    scene.served.fake.turn("T003", "verifying", "she still looks");
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("she still looks") {
        seen.push(timeout(SOON, events.read_u8()).await.expect("an event").expect("the events ended"));
    }
    scene.own("DELETE", "/v1/users/ana", "").await;
    timeout(SOON, rest(&mut events)).await.expect("the events go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_caller_hangs_up_is_in_the_log() {
    let mut scene = Scene::with(Policy::standard()).await;
    let ana = scene.ana("operator").await;
    let asking = scene.begin("/v1/tasks/T003/terminal", &format!("{UPGRADE}{ana}")).await;
    let mut terminal = scene.asked.recv().await.unwrap();
    drop(asking);
    // Time for the hang-up to be seen: were the handler dropped by it, the terminal would be too.
    let dropped = timeout(Duration::from_millis(300), terminal.read_u8()).await;
    assert!(dropped.is_err(), "the handler ended with its caller");
    scene.lets_in.add_permits(1);
    let what = "GET /v1/tasks/T003/terminal";
    let noted = async {
        loop {
            let log = scene.own("GET", "/v1/audit", "").await;
            let entries = log["items"].as_array().unwrap();
            if entries.iter().any(|e| e["what"] == what && e["who"] == "ana") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, noted).await.expect("an entry of what was done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_the_policy_guards_is_evicted_by_none_of_its_names() {
    let scene = Scene::with(Policy::standard()).await;
    let id = scene.own("GET", "/v1/tasks/T003", "").await["id"].as_str().unwrap().to_owned();
    let guard = format!("forbid (principal, action == Action::\"steer\", resource == Task::\"{id}\");");
    let text = format!("{}\n{guard}", ikigai_access::DEFAULT);
    let scene = Scene::with(Policy::read(&text, "policy.cedar").unwrap()).await;
    for (body, status) in [
        (r#"{"task":"T003"}"#.to_owned(), 403),
        (format!(r#"{{"task":"{id}"}}"#), 403),
        (r#"{"agent":"t003-1"}"#.to_owned(), 403),
        (r#"{"task":"T999"}"#.to_owned(), 404),
        (r#"{"agent":"nobody"}"#.to_owned(), 404),
        ("{}".to_owned(), 400),
    ] {
        let answer = scene.served.local("POST", "/evict", &body).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
    }
    // A task that cannot be looked up might be the one.
    for path in ["/evict", "/v1/tasks/T003/pause"] {
        let away = Problem::new(Code::Unreachable, "its owner is away", "run: ikigai node ls");
        scene.served.fake.fail_next(away);
        let body = if path == "/evict" { r#"{"task":"T003"}"# } else { "{}" };
        let answer = scene.served.local("POST", path, body).await;
        assert!(answer.status >= 400 && answer.body.contains("its owner is away"), "{path}: {answer:?}");
    }
    assert_eq!(scene.served.fake.asked(), Vec::<String>::new());
    let other = scene.served.local("POST", "/v1/tasks/T004/stop", "{}").await;
    assert_eq!(other.status, 200, "the others are steered: {other:?}");
}

/// In time that passes when nothing else happens.
#[tokio::test]
async fn a_page_that_vanished_has_its_terminal_closed() {
    const PING: u8 = 0x89;
    let scene = Scene::with(Policy::standard()).await;
    scene.lets_in.add_permits(2);
    let ana = scene.ana("operator").await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = scene.begin("/v1/tasks/T003/terminal", &format!("{UPGRADE}{ana}")).await;
        assert!(head(&mut stream).await.starts_with("HTTP/1.1 101"));
        open.push(stream);
    }
    let (mut there, mut gone) = (open.remove(0), open.remove(0));
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    let answering = async {
        for _ in 0..10 {
            assert_eq!((there.read_u8().await.unwrap(), there.read_u8().await.unwrap()), (PING, 0));
            // A pong, masked as a client's.
            there.write_all(&[0x8a, 0x80, 0, 0, 0, 0]).await.unwrap();
        }
    };
    let vanished = async {
        let bytes = rest(&mut gone).await;
        assert_eq!(bytes, [PING, 0, PING, 0]);
        began.elapsed()
    };
    let ((), lasted) = tokio::join!(answering, vanished);
    assert!(lasted < Duration::from_secs(25), "{lasted:?}");
    assert!(began.elapsed() > Duration::from_secs(60), "who answers stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_read_for_the_policy_is_there_for_the_handler() {
    let text = format!("{}\n// its own", ikigai_access::DEFAULT);
    let scene = Scene::with(Policy::read(&text, "policy.cedar").unwrap()).await;
    let answer = scene.served.local("POST", "/evict", r#"{"task":"T003","graceSeconds":5}"#).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(scene.served.fake.asked().len(), 1, "{:?}", scene.served.fake.asked());
    let bad = request("POST", "/evict", "", "nonsense").replace(":PORT", "");
    assert_eq!(ask(scene.served.unix().await, bad.as_bytes()).await.status, 400);
}
