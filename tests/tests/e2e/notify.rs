//! A node that tells a person: over HTTP to a server made here, signed, once, also over a kill.

use crate::node::{NodeProcess, Runs, TestNode};
use crate::{parts, project};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ikigai_ports::NodeHandle as _;
use ikigai_wire::api::{Command, TaskOptions};
use ring::hmac;
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

const KEY: &str = "a key of more than sixteen bytes";
/// Nothing here takes this long unless it hangs.
const HANG: Duration = Duration::from_secs(60);

/// Headers and body of a request.
type Came = (BTreeMap<String, String>, Vec<u8>);

/// Takes posts; the first is told to come again. A connection that says nothing, or breaks off, is nobody's message.
async fn receiver() -> (String, mpsc::UnboundedReceiver<Came>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (came, comes) = mpsc::unbounded_channel();
    let refuse = Arc::new(AtomicBool::new(true));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (came, refuse) = (came.clone(), refuse.clone());
            tokio::spawn(async move {
                if let Some(post) = taken(stream, &refuse).await {
                    drop(came.send(post));
                }
            });
        }
    });
    (url, comes)
}

/// Reads one post from `stream` and answers it.
async fn taken(mut stream: TcpStream, refuse: &AtomicBool) -> Option<Came> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        more(&mut stream, &mut bytes).await?;
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let header = |l: &str| l.split_once(": ").map(|(n, v)| (n.to_lowercase(), v.to_owned()));
    let headers: BTreeMap<_, _> = text.lines().filter_map(header).collect();
    let end = head + 4 + headers.get("content-length")?.parse::<usize>().unwrap();
    while bytes.len() < end {
        more(&mut stream, &mut bytes).await?;
    }
    let first = refuse.swap(false, Ordering::SeqCst);
    let status = if first { "503 Service Unavailable" } else { "204 No Content" };
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.ok()?;
    Some((headers, bytes.split_off(head + 4)))
}

async fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let count = stream.read_buf(bytes).await.ok()?;
    (count > 0).then_some(())
}

/// The next message, its signature verified, and its id.
async fn next(comes: &mut mpsc::UnboundedReceiver<Came>, node: &NodeProcess) -> (String, Value) {
    let came = tokio::time::timeout(HANG, comes.recv()).await;
    let (headers, body) = came.unwrap_or_else(|_| panic!("no message:\n{}", node.log_text())).unwrap();
    let signed = format!("{}.{}.", headers["webhook-id"], headers["webhook-timestamp"]);
    let signature = headers["webhook-signature"].strip_prefix("v1,").unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
    let signed = [signed.as_bytes(), &body].concat();
    hmac::verify(&key, &signed, &STANDARD.decode(signature).unwrap()).expect("it is signed");
    (headers["webhook-id"].clone(), serde_json::from_slice(&body).unwrap())
}

fn names(message: &Value) -> Vec<&str> {
    message["items"].as_array().unwrap().iter().filter_map(|i| i["name"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_once_over_a_refusal_and_a_kill() {
    if !Path::new("/usr/bin/bwrap").is_file() {
        let test = "a_failure_is_told_once_over_a_refusal_and_a_kill";
        return parts::missing(test, "bubblewrap is not installed", "IKIGAI_REQUIRE_SANDBOX");
    }
    let (url, mut comes) = receiver().await;
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, KEY).unwrap();
    let more = format!(
        "adapter = \"command\"\nmax_attempts = 1\n[notify]\nwindow_secs = 1\nlink = \"http://box.lan:7420\"\n\
         [notify.webhook]\nurl = {url:?}\nsecret = \"file:{}\"",
        key.display()
    );
    let tools = parts::built("ikigai-agentd").parent().unwrap().to_owned();
    let mut node = TestNode::start(&Runs::Process(tools), "backend = \"git\"", &more).await;
    let agent = node.project().join(".ikigai/agent");
    std::fs::create_dir_all(agent.parent().unwrap()).unwrap();
    std::fs::write(&agent, "#!/bin/sh\nexit 7\n").unwrap();
    std::fs::set_permissions(&agent, std::fs::Permissions::from_mode(0o755)).unwrap();
    project::git(&node.project(), &["add", "-A"]);
    project::git(&node.project(), &["commit", "-qm", "agent"]);

    node.submit(&["T001"], TaskOptions::default()).await;
    let (refused, _) = next(&mut comes, &node).await;
    let (id, message) = next(&mut comes, &node).await;
    assert_eq!((&id, names(&message)), (&refused, vec!["T001"]), "the same message again");
    assert_eq!((message["kind"].as_str(), message["type"].as_str()), (Some("Notification"), Some("needs")));
    assert!(message["title"].as_str().unwrap().starts_with("T001 failed"), "{message}");
    let link = format!("http://box.lan:7420/task/{}", message["items"][0]["about"].as_str().unwrap());
    assert_eq!(message["link"], link);

    // It still needs somebody after the kill, and they know.
    node.kill().await;
    node.up().await;
    let mut test = tokio::process::Command::new(parts::built("ikigai"));
    test.arg("--home").arg(node.home()).args(["notify", "test", "-o", "name"]);
    let said = test.output().await.unwrap();
    assert_eq!((said.status.code(), said.stdout.as_slice()), (Some(0), b"webhook\n".as_slice()), "{said:?}");
    let (mut came, mut message) = next(&mut comes, &node).await;
    if message["type"] == "needs" {
        // The kill came before its answer was written down: it is sent again, as itself.
        assert_eq!(came, id, "told twice: {message}");
        (came, message) = next(&mut comes, &node).await;
    }
    assert_eq!(message["type"], "test", "{came}");
    let task = node.task("T001").await;
    node.handle().command(&task.id, Command::Retry).await.unwrap();
    let (other, message) = next(&mut comes, &node).await;
    assert_eq!(message["items"][0]["turn"], 2, "the first failure is not told twice: {message}");
    assert_ne!(other, id);
}
