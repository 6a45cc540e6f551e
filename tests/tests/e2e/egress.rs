//! What an agent in its container reaches: the hosts listed for its task, as they are listed, and nothing else.

use crate::line::lines;
use crate::node::{Runs, TestNode};
use crate::{parts, project};
use ikigai_ports::NodeHandle as _;
use ikigai_wire::api::{SubmitRequest, SubmitSource, TaskOptions, TaskView};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const TASKS: &str = "\
# Tasks: egress

## Phase 1: All of it

- [ ] T001 [P] Reads the docs in a.txt
- [ ] T002 [P] Reads what it was not given in b.txt
  - verify: `false`
";

/// Every line that the agent's shell prints begins with a word of ours, so that it is found in the log. The site is on
/// this machine, where a program in the container would look for itself without the two variables.
fn script(port: u16, other: u16) -> String {
    let curl = "curl -s -m 20 -o /tmp/body -w '%{http_code}'";
    let listed = [
        format!("export no_proxy= NO_PROXY= u=http://localhost:{port}/page"),
        format!("echo listed-get=$({curl} $u) $(cat /tmp/body)"),
        format!("echo listed-post=$({curl} -d x $u) $(cat /tmp/body)"),
        format!("echo other-port=$({curl} http://localhost:{other}/)"),
        format!("echo metadata=$({curl} http://169.254.169.254/latest/meta-data)"),
        "echo tunnel=$(curl -s -m 20 -o /dev/null -w '%{http_connect}' https://localhost/)".to_owned(),
        "echo direct=$(curl --noproxy '*' -s -m 5 http://1.1.1.1/ >/dev/null; echo $?)".to_owned(),
        "echo dns=$(getent hosts example.com >/dev/null; echo $?)".to_owned(),
        "echo a > a.txt && git add -A && git commit -qm a".to_owned(),
    ];
    let step = |run: &str| format!("[[task.step]]\nrun = '''{run}'''\n");
    format!(
        "[[task]]\nid = \"T001\"\n{}\n[[task]]\nid = \"T002\"\n{}{}",
        step(&listed.join("\n")),
        step(&format!("export no_proxy= NO_PROXY=\necho unlisted=$({curl} http://localhost:{port}/page)")),
        step("echo b > b.txt && git add -A && git commit -qm b"),
    )
}

/// A web server that answers every request with `a page`, and the requests it saw.
async fn site() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, seen) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(Vec::new())));
    let kept = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.windows(4).any(|w| w == b"\r\n\r\n") {
                let mut part = [0; 1024];
                match stream.read(&mut part).await {
                    Ok(n @ 1..) => head.extend_from_slice(&part[..n]),
                    _ => break,
                }
            }
            kept.lock().unwrap().push(String::from_utf8_lossy(&head).into_owned());
            let page = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\na page";
            stream.write_all(page.as_bytes()).await.ok();
        }
    });
    (port, seen)
}

async fn submit(node: &TestNode, id: &str, egress: Option<Vec<String>>) {
    let source = SubmitSource::Feature {
        feature: Some("specs/002-egress".to_owned()),
        ids: vec![id.to_owned()],
        with_deps: false,
    };
    let (project, options) = (
        node.project().display().to_string(),
        TaskOptions { egress, max_attempts: Some(1), ..TaskOptions::default() },
    );
    let request = SubmitRequest { project, source, options, ..SubmitRequest::default() };
    node.handle().submit(request).await.unwrap_or_else(|e| panic!("{id}: {e} {:?}", e.hint));
}

async fn start(image: String, folder: &Path, port: u16) -> TestNode {
    let model = folder.join("model.toml");
    std::fs::write(&model, script(port, port.wrapping_add(1))).unwrap();
    let egress = format!(
        "[egress.docs]\nendpoints = [{{ host = \"localhost\", port = {port}, access = \"read-only\", \
         allowed_ips = [\"127.0.0.1\", \"::1\"] }}]"
    );
    let node = TestNode::scripted(&Runs::Docker(image), "backend = \"git\"", &egress, &model).await;
    let feature = node.project().join("specs/002-egress");
    std::fs::create_dir(&feature).unwrap();
    std::fs::write(feature.join("tasks.md"), TASKS).unwrap();
    project::git(&node.project(), &["add", "-A"]);
    project::git(&node.project(), &["commit", "-qm", "egress"]);
    node
}

/// What the task's agent printed, and the task when its attempt had ended.
async fn printed(node: &TestNode, id: &str) -> (String, TaskView) {
    let task = node.task(id).await.id;
    node.until("end", |e| e.task == task && e.what == "ended").await;
    let view = node.task(id).await;
    let lines = lines(node, &view.attempts[0].id).await;
    (lines.into_iter().map(|(_, text)| text + "\n").collect(), view)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_reaches_what_its_task_lists_and_nothing_else() {
    let Some(image) = parts::docker_image("an_agent_reaches_what_its_task_lists_and_nothing_else") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (port, seen) = site().await;
    let node = start(image, folder.path(), port).await;
    submit(&node, "T001", Some(vec!["docs".to_owned()])).await;
    let (log, view) = printed(&node, "T001").await;
    for word in
        ["listed-get=200 a page", "listed-post=403", "only GET, HEAD, OPTIONS are listed", "other-port=403"]
    {
        assert!(log.contains(word), "{word} is not in\n{log}");
    }
    for word in ["metadata=403", "tunnel=403", "direct=7", "dns=2"] {
        assert!(log.contains(word), "{word} is not in\n{log}");
    }
    let heads = seen.lock().unwrap().clone();
    assert_eq!(heads.len(), 1, "{heads:?}");
    assert!(heads[0].starts_with("GET /page HTTP/1.1"), "{}", heads[0]);
    let denials: Vec<_> =
        node.events().await.into_iter().filter(|e| e.what == "denied").map(|e| e.text).collect();
    for told in [
        format!("POST localhost:{port}/page: only GET, HEAD, OPTIONS are listed"),
        format!("GET localhost:{}/: it is not listed", port.wrapping_add(1)),
        "GET 169.254.169.254/latest/meta-data: it is not listed".to_owned(),
        "CONNECT localhost:443: it is not listed".to_owned(),
    ] {
        assert!(denials.contains(&format!("the gate denied {told}")), "{told} is not in {denials:#?}");
    }
    assert_eq!(view.egress, [format!("docs: localhost:{port} (read-only)")]);
    assert_eq!(view.attempts[0].denied, 4);

    // The same node, a task that was given nothing.
    submit(&node, "T002", None).await;
    let (log, view) = printed(&node, "T002").await;
    assert!(log.contains("unlisted=403"), "{log}");
    let last = view.attempts[0].last_denied.clone().unwrap_or_default();
    assert!(last.ends_with("this task may reach nothing but its model"), "{last}");
    assert_eq!(seen.lock().unwrap().len(), 1);
    node.until("failed", |e| e.task == view.id && e.what == "failed").await;
    let why = node.task("T002").await.why.text;
    assert!(why.contains(&format!("its gate denied {last}")), "{why}");
}
