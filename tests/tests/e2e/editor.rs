//! An agent's editor through the node: a real code-server in the agent's container, a real browser in front, and
//! everybody else refused.

use crate::mesh::Mesh;
use crate::node::{NodeProcess, Runs, TestNode};
use crate::parts;
use ikigai_ports::NodeHandle as _;
use ikigai_wire::api::{Filter, NodeCommand, TaskOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Chromium and playwright-core, where they are.
fn browser(test: &str) -> Option<(PathBuf, PathBuf)> {
    let part = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.exists());
    let both = part("IKIGAI_CHROMIUM").zip(part("IKIGAI_PLAYWRIGHT"));
    if both.is_none() {
        let text = "IKIGAI_CHROMIUM and IKIGAI_PLAYWRIGHT do not name a browser and playwright-core";
        parts::missing(test, text, "IKIGAI_REQUIRE_BROWSER");
    }
    both
}

/// What an HTTP request answers.
struct Answer {
    status: u16,
    head: String,
}

/// `http://<agent>.localhost:<port>/…` in its parts.
struct Link {
    host: String,
    port: u16,
    path: String,
}

impl Link {
    fn read(url: &str) -> Self {
        let rest = url.strip_prefix("http://").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        let port = host.rsplit_once(':').unwrap().1.parse().unwrap();
        Self { host: host.to_owned(), port, path: format!("/{path}") }
    }

    /// Asks the node under the editor's name, with further header lines.
    async fn get(&self, path: &str, headers: &[&str]) -> Answer {
        get(self.port, &self.host, path, headers).await
    }
}

async fn get(port: u16, host: &str, path: &str, headers: &[&str]) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let more: String = headers.iter().map(|h| format!("{h}\r\n")).collect();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n").as_bytes()).await.unwrap();
    let mut head = Vec::new();
    let reads = async {
        while !head.windows(4).any(|w| w == b"\r\n\r\n") {
            if stream.read_buf(&mut head).await.unwrap() == 0 {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), reads).await.expect("the node does not answer");
    let head = String::from_utf8_lossy(&head).into_owned();
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
    Answer { status: status.unwrap_or_else(|| panic!("no answer to {path}: {head:?}")), head }
}

/// A node with an agent that is done and stays for its editor.
async fn lingering(image: String) -> TestNode {
    let node = TestNode::start(&Runs::Docker(image), "backend = \"git\"", "").await;
    node.submit(&["T001"], TaskOptions { linger_secs: Some(600), ..TaskOptions::default() }).await;
    node.until("result of T001", |e| e.state == "review").await;
    node
}

async fn link(node: &NodeProcess) -> String {
    let task = node.task("T001").await;
    node.handle().open(&task.id).await.unwrap().url
}

/// The cookie a link gives.
async fn cookie(node: &NodeProcess) -> String {
    let link = Link::read(&link(node).await);
    let answer = link.get(&link.path, &[]).await;
    assert_eq!(answer.status, 303, "{}", answer.head);
    let line = answer.head.lines().find(|l| l.to_ascii_lowercase().starts_with("set-cookie:")).unwrap();
    line.split_once(':').unwrap().1.split(';').next().unwrap().trim().to_owned()
}

/// What a person finds who opens `url` in a browser: a file, and a terminal.
async fn browse((chromium, playwright): (PathBuf, PathBuf), url: &str) -> serde_json::Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/editor/open.cjs");
    let opens = tokio::process::Command::new("node")
        .arg(script)
        .arg(url)
        .env("IKIGAI_CHROMIUM", chromium)
        .env("IKIGAI_PLAYWRIGHT", playwright)
        .env("IKIGAI_FILE", "Makefile")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let opened =
        tokio::time::timeout(Duration::from_secs(180), opens).await.expect("the browser hangs").unwrap();
    let said = String::from_utf8_lossy(&opened.stdout);
    let said: serde_json::Value = serde_json::from_str(said.trim())
        .unwrap_or_else(|_| panic!("{said:?}\n{}", String::from_utf8_lossy(&opened.stderr)));
    println!("{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_editor_opens_in_a_browser_once() {
    let test = "an_agents_editor_opens_in_a_browser_once";
    let (Some(image), Some((chromium, playwright))) = (parts::docker_image(test), browser(test)) else {
        return;
    };
    let node = lingering(image).await;
    let url = link(&node).await;
    let said = browse((chromium, playwright), &url).await;
    assert_eq!(said["ok"], true, "{said}");
    assert_eq!(said["uid"], 10_001, "the terminal is not the agent's: {said}");

    let link = Link::read(&url);
    assert_eq!(link.get(&link.path, &[]).await.status, 401, "the link worked twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_editor_opens_through_a_node_that_neither_runs_nor_owns_the_agent() {
    let test = "an_editor_opens_through_a_node_that_neither_runs_nor_owns_the_agent";
    let (Some(image), Some(browser)) = (parts::docker_image(test), browser(test)) else { return };
    let mesh = Mesh::start(3, &Runs::Docker(image), "").await;
    let [owner, second, third] = &mesh.nodes[..] else { unreachable!() };
    let nodes = owner.handle().snapshot(Filter::default()).await.unwrap().nodes;
    let id = |name: &str| nodes.iter().find(|n| n.name == name).unwrap().id;
    owner.handle().steer(&id("n1"), NodeCommand::Cordon).await.unwrap();
    owner.submit(&["T001"], TaskOptions { linger_secs: Some(600), ..TaskOptions::default() }).await;
    owner.until("result of T001", |e| e.state == "review").await;
    let ran = owner.task("T001").await.attempts[0].node;
    assert_ne!(ran, id("n1"), "the owner is cordoned");
    let other = if ran == id("n2") { third } else { second };

    let url = link(other).await;
    let editor = Link::read(&url);
    assert_eq!(editor.port, other.http().port(), "{url}");
    assert_eq!(editor.get("/", &[]).await.status, 401, "without a session");
    let cookie = format!("Cookie: {}", cookie(other).await);
    let answer = editor.get("/", &[&cookie]).await;
    assert!(matches!(answer.status, 200 | 302), "with a session: {}", answer.head);
    let through_owner = get(owner.http().port(), &editor.host, "/", &[&cookie]).await;
    assert_ne!(through_owner.status, 200, "a session of one node is none of another: {}", through_owner.head);
    let said = browse(browser, &url).await;
    assert_eq!((&said["ok"], &said["uid"]), (&true.into(), &10_001.into()), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_reaches_an_agents_editor() {
    let Some(image) = parts::docker_image("nobody_else_reaches_an_agents_editor") else { return };
    let node = lingering(image).await;
    let editor = Link::read(&link(&node).await);
    let token = std::fs::read_to_string(node.home().join("token")).unwrap();
    let bearer = format!("Authorization: Bearer {}", token.trim());

    assert_eq!(editor.get("/", &[]).await.status, 401, "without a session");
    let answer = editor.get("/", &[&bearer]).await;
    assert_eq!(answer.status, 401, "the API's token is no session: {}", answer.head);

    let cookie = format!("Cookie: {}", cookie(&node).await);
    // code-server is up a moment after it is first asked for; with a session its page is there.
    let answer = editor.get("/", &[&cookie]).await;
    assert!(matches!(answer.status, 200 | 302), "with a session: {}", answer.head);
    let upgrade = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        &cookie,
    ];
    let with = |origin: String| {
        let mut all: Vec<String> = upgrade.iter().map(ToString::to_string).collect();
        all.push(format!("Origin: {origin}"));
        all
    };
    for foreign in
        ["https://example.org".to_owned(), format!("http://localhost:{}", editor.port), "null".to_owned()]
    {
        let headers = with(foreign.clone());
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        assert_eq!(editor.get("/", &headers).await.status, 403, "a WebSocket from {foreign}");
    }
    assert_eq!(editor.get("/", &upgrade).await.status, 403, "a WebSocket that names no origin");
    let own = with(format!("http://{}", editor.host));
    let own: Vec<_> = own.iter().map(String::as_str).collect();
    assert_ne!(editor.get("/", &own).await.status, 403, "the editor's own WebSocket");

    let api = format!("127.0.0.1:{}", editor.port);
    assert_eq!(get(editor.port, &api, "/v1/tasks", &[&bearer]).await.status, 200);
    assert_eq!(
        get(editor.port, &api, "/v1/tasks", &[&cookie]).await.status,
        401,
        "the editor's cookie at the API"
    );
    let other = format!("a-0000000000.localhost:{}", editor.port);
    assert_ne!(get(editor.port, &other, "/", &[&cookie]).await.status, 200, "one session for another agent");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_stays_outlives_its_node() {
    let Some(image) = parts::docker_image("an_agent_that_stays_outlives_its_node") else { return };
    let mut node = lingering(image).await;
    node.accept_ready().await;
    let before = containers(&node).await;
    assert_eq!(before.lines().count(), 1, "{before}");
    node.kill().await;
    node.up().await;
    let editor = Link::read(&link(&node).await);
    let cookie = format!("Cookie: {}", cookie(&node).await);
    let answer = editor.get("/", &[&cookie]).await;
    assert!(matches!(answer.status, 200 | 302), "after the start: {}", answer.head);
    assert_eq!(containers(&node).await, before, "another container");
}

/// Ids of the running containers of a node.
async fn containers(node: &NodeProcess) -> String {
    let nodes = node.handle().snapshot(Filter::default()).await.unwrap().nodes;
    let label = format!("label=dev.ikigai.node={}", nodes[0].id);
    let mut list = tokio::process::Command::new("docker");
    let list = list.args(["ps", "-q", "--no-trunc", "--filter", &label]).output().await.unwrap();
    assert!(list.status.success(), "{}", String::from_utf8_lossy(&list.stderr));
    String::from_utf8(list.stdout).unwrap()
}
