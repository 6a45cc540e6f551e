//! The five calls of an orchestrator, `/health /capacity /pods /schedule /evict`, against a mesh of three nodes; and
//! what `plan` and `place explain` say there.

use crate::mesh::Mesh;
use crate::node::{NodeProcess, Runs};
use crate::parts;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Takes its time, so that it is met while it runs.
const SLOW: &str = r#"
[[task]]
id = "T001"
[[task.step]]
run = "true"
delay_ms = 60000
"#;

/// What the node answers over its socket, and the status.
fn call(node: &NodeProcess, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut stream = UnixStream::connect(node.home().join("ikigai.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
    );
    stream.write_all(format!("{head}Content-Length: {length}\r\n\r\n{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {path}: {answer}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_else(|e| panic!("{method} {path}: {e}: {answer}")))
}

fn get(node: &NodeProcess, path: &str) -> Value {
    let (status, answer) = call(node, "GET", path, "");
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// The one agent that runs, as `node` tells it, once `is` is true of it.
async fn pod(node: &NodeProcess, is: impl Fn(&Value) -> bool) -> Value {
    let found = async {
        loop {
            let pods = get(node, "/pods");
            if let Some(pod) = pods["items"].as_array().unwrap().iter().find(|p| is(p)) {
                return pod.clone();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), found).await;
    in_time.unwrap_or_else(|_| panic!("{}\n{}", get(node, "/pods"), node.log_text()))
}

/// The program's exit code and what it printed.
fn ikigai(node: &NodeProcess, line: &str) -> (Option<i32>, String) {
    let mut command = std::process::Command::new(parts::built("ikigai"));
    let out = command.arg("--home").arg(node.home()).args(line.split(' ')).current_dir(node.project());
    let out = out.output().unwrap();
    (
        out.status.code(),
        format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr)),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_five_calls_work_on_every_node_of_three() {
    let Some(tools) = parts::codex("the_five_calls_work_on_every_node_of_three") else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("model.toml");
    std::fs::write(&script, SLOW).unwrap();
    let mesh = Mesh::scripted(3, &Runs::Process(tools), "", &script).await;
    let [owner, second, third] = &mesh.nodes[..] else { unreachable!() };
    for (node, name) in [(owner, "n1"), (second, "n2"), (third, "n3")] {
        let health = get(node, "/health");
        assert_eq!((&health["status"], &health["name"]), (&json!("ok"), &json!(name)));
        assert_eq!(get(node, "/capacity")["free"]["slots"], 3, "{name}");
        assert_eq!(get(node, "/pods")["items"], json!([]), "{name}");
    }

    // A plan is a dry run: however often it is asked for, nothing is known of it afterwards.
    let log = || get(owner, "/v1/snapshot")["cursor"].clone();
    let before = log();
    for _ in 0..2 {
        let (code, told) = ikigai(owner, "plan");
        assert_eq!(code, Some(9), "{told}");
    }
    assert_eq!((log(), get(owner, "/v1/tasks")["items"].clone()), (before, json!([])));

    let request = json!({
        "project": owner.project(),
        "source": {"kind": "feature", "ids": ["T001"]},
    });
    let (status, answer) = call(owner, "POST", "/schedule", &request.to_string());
    assert_eq!((status, answer["accepted"].as_array().map(Vec::len)), (200, Some(1)), "{answer}");

    // The same agent on every node, whichever of them runs it; that one has a slot less.
    let running = pod(third, |p| p["phase"] == "running").await;
    for node in [owner, second] {
        assert_eq!(pod(node, |p| p["phase"] == "running").await, running);
    }
    for node in &mesh.nodes {
        let capacity = get(node, "/capacity");
        let free = if capacity["node"] == running["node"] { 2 } else { 3 };
        assert_eq!(capacity["free"]["slots"], free, "{capacity}");
    }
    let (code, told) = ikigai(second, "place explain T001");
    let scored = ["n1", "n2", "n3"].map(|name| told.lines().filter(|l| l.contains(name)).count());
    assert!(code == Some(0) && scored.iter().all(|n| *n > 0), "{told}");

    // Any node takes it off the machine it runs on; the next attempt is another agent.
    let body = json!({"agent": running["agent"], "graceSeconds": 1}).to_string();
    let (status, answer) = call(third, "POST", "/evict", &body);
    assert_eq!((status, &answer["kind"]), (200, &json!("Task")), "{answer}");
    let next = pod(second, |p| p["attempt"] == 2).await;
    assert!(
        next["agent"] != running["agent"] && next["epoch"].as_u64() > running["epoch"].as_u64(),
        "{next}"
    );
    let (code, told) = ikigai(second, "task stop T001");
    assert_eq!(code, Some(0), "{told}");
}
