//! A model provider that wants a key, the real agent CLI, and where the key is not.

use crate::node::{NodeProcess, Runs, TestNode};
use crate::parts;
use ikigai_ports::NodeHandle as _;
use ikigai_wire::api::{Filter, TaskOptions};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const KEY: &str = "sk-canary-7c41d0e2a95b";
/// Tokens of each call, as the provider counts them.
const READ: u64 = 1_000;
const WROTE: u64 = 10;
/// What the agent does: it looks for keys, leaves time to be looked at, and makes what it was asked for.
const DEED: &str = "cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\\0' '\\n' > environ.txt; env >> environ.txt; \
                    sleep 6; echo made > made && git add made environ.txt && git commit -qm made";

/// An endpoint of the Responses API on loopback. It answers whoever has the key.
struct Provider {
    url: String,
    answered: Arc<AtomicU64>,
    refused: Arc<Mutex<Vec<String>>>,
}

impl Provider {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (answered, refused) = (Arc::<AtomicU64>::default(), Arc::<Mutex<Vec<String>>>::default());
        let (count, refusals) = (answered.clone(), refused.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (count, refusals) = (count.clone(), refusals.clone());
                std::thread::spawn(move || serve(stream, &count, &refusals));
            }
        });
        Self { url, answered, refused }
    }
}

fn serve(mut stream: TcpStream, answered: &AtomicU64, refused: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut line) = (String::new(), String::new());
    while reader.read_line(&mut line).is_ok_and(|n| n > 0) && line.trim() != "" {
        head.push_str(&line.to_ascii_lowercase());
        line.clear();
    }
    let length = head.lines().find_map(|l| l.strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    if reader.read_exact(&mut body).is_err() || head.is_empty() {
        return;
    }
    let (status, kind, text) = if head.contains(&format!("authorization: bearer {KEY}\r\n")) {
        answered.fetch_add(1, Ordering::SeqCst);
        ("200 OK", "text/event-stream", events(&serde_json::from_slice(&body).unwrap()))
    } else {
        refused.lock().unwrap().push(head);
        ("401 Unauthorized", "application/json", json!({"error": {"message": "no key"}}).to_string())
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\n");
    let _ = stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes());
}

/// The deed first, then a message.
fn events(request: &Value) -> String {
    let outputs = request["input"].as_array().into_iter().flatten();
    let done = outputs.filter(|i| i["type"].as_str().is_some_and(|t| t.ends_with("_call_output"))).count();
    let item = match done {
        0 => {
            let arguments = json!({"cmd": DEED, "yield_time_ms": 30_000}).to_string();
            json!({"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "exec_command", "arguments": arguments})
        }
        _ => json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "done", "annotations": []}]}),
    };
    let id = format!("resp_{done}");
    let usage = json!({"input_tokens": READ, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": WROTE,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": READ + WROTE});
    let response = |status: &str, output: Value| json!({"id": id, "object": "response", "status": status, "model": "m", "output": output, "usage": usage});
    let all = [
        json!({"type": "response.created", "response": response("in_progress", json!([]))}),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
        json!({"type": "response.completed", "response": response("completed", json!([item]))}),
    ];
    let event = |e: &Value| format!("event: {}\ndata: {e}\n\n", e["type"].as_str().unwrap());
    all.iter().map(event).collect()
}

fn shell(script: &str) -> String {
    let out = Command::new("sh").args(["-c", script]).output().unwrap();
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Files below `folder` that hold the key.
fn holding(folder: &Path) -> String {
    assert!(folder.exists(), "{}", folder.display());
    shell(&format!("grep -rlaF {KEY} {}", folder.display()))
}

/// The one container of the node, once its agent acts.
async fn acting(node: &NodeProcess) -> String {
    let id = node.handle().snapshot(Filter::default()).await.unwrap().node;
    let workspaces = node.home().join("git/workspaces");
    let found = async {
        loop {
            let acts = shell(&format!("find {} -name environ.txt -size +0", workspaces.display()));
            if !acts.is_empty() {
                return shell(&format!("docker ps -q --filter label=dev.ikigai.node={id}")).trim().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), found).await;
    in_time.unwrap_or_else(|_| panic!("the agent does not act:\n{}", node.log_text()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_provider_is_nowhere_an_agent_can_look() {
    let Some(image) = parts::docker_image("the_key_of_a_provider_is_nowhere_an_agent_can_look") else {
        return;
    };
    let provider = Provider::start();
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), format!("{KEY}\n")).unwrap();
    let models = format!(
        "\n[models.keyed]\nkind = \"responses\"\nbase_url = {:?}\nsecret = \"file:{}\"\n",
        provider.url,
        secret.path().display()
    );
    let node = TestNode::start(&Runs::Docker(image.clone()), "backend = \"git\"", &models).await;
    let options = TaskOptions {
        provider: Some("keyed".to_owned()),
        model: Some("m".to_owned()),
        allow_unknown_price: true,
        verify: Some(vec!["test -f made".to_owned()]),
        ..TaskOptions::default()
    };
    node.submit(&["T001"], options).await;

    // While the agent acts: its container, all of its file system, and what of the node it could ever be shown.
    let container = acting(&node).await;
    assert!(!container.is_empty() && !container.contains('\n'), "{container:?}");
    let inspected = shell(&format!("docker inspect {container}"));
    assert!(inspected.contains("dev.ikigai.task") && !inspected.contains(KEY), "{inspected}");
    let inside = shell(&format!(
        "docker exec -u 0 {container} sh -c 'cat /proc/*/environ /proc/*/cmdline' | tr '\\0' '\\n'"
    ));
    assert!(inside.contains("PATH=") && !inside.contains(KEY), "{inside}");
    // With something that is there, so that finding nothing says something.
    let exported = shell(&format!("docker export {container} | grep -oaF -e {KEY} -e root:x:0:0 | sort -u"));
    assert_eq!(exported.trim(), "root:x:0:0", "a file of the container holds the key");
    let history = shell(&format!("docker history --no-trunc {image}; docker inspect {image}"));
    assert!(history.len() > 100 && !history.contains(KEY));

    node.until("verdict", |e| e.what == "verified").await;
    let task = node.task("T001").await;
    assert_eq!(task.patch.as_ref().unwrap().verdict.as_deref(), Some("VERIFIED"));
    let committed = node.handle().diff(&task.id).await.unwrap();
    assert!(committed.contains("PATH=") && !committed.contains(KEY), "{committed}");
    // Which feature is meant stands in no file that git keeps.
    assert!(committed.contains("SPECIFY_FEATURE_DIRECTORY=specs/001-text-stats"), "{committed}");
    assert_eq!(holding(&node.home()), "", "files of the node hold the key");
    assert!(!node.log_text().contains(KEY));

    // What it cost is what the provider counted, and nobody asked without the key.
    let calls = provider.answered.load(Ordering::SeqCst);
    assert!(
        calls >= 2 && provider.refused.lock().unwrap().is_empty(),
        "{calls} calls, {:?}",
        provider.refused
    );
    assert_eq!(
        (task.usage.calls, task.usage.input_tokens, task.usage.output_tokens),
        (calls, calls * READ, calls * WROTE)
    );
}
