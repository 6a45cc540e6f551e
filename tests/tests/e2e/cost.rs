//! What agents used, by whom and in which project: the sums are those of the provider's own book, to the token.

use crate::node::{NodeProcess, Runs, turn};
use crate::{parts, project};
use ikigai_ports::NodeHandle as _;
use ikigai_remote::{CostOf, RemoteNode};
use ikigai_types::{MicroUsd, Usage};
use ikigai_wire::api::{CostBy, CostView, SubmitRequest, SubmitSource, TaskOptions};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const TASKS: &str = "\
# Tasks: cost

## Phase 1: All of it

- [ ] T001 [P] Makes 3 calls in a.txt
- [ ] T002 [P] Makes 2 calls in b.txt
- [ ] T003 [P] Makes 2 calls and one that is held in c.txt
";

/// Calls its model as often as its task says; the provider knows by the input whose call it is.
const AGENT: &str = r#"#!/usr/bin/env python3
import json, os, re, subprocess, sys, urllib.request
prompt = sys.stdin.read()
task, calls = re.search(r"(T\d+)", prompt)[1], int(re.search(r"Makes (\d) calls", prompt)[1])
who = open(".ikigai/project").read().strip() + " " + task
inputs = [who] * calls + (["held " + who] if "held" in prompt else [])
for text in inputs:
    body = json.dumps({"model": "m", "input": text}).encode()
    head = {"content-type": "application/json"}
    request = urllib.request.Request(os.environ["GATE"] + "/responses", body, head)
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).read()
open(task + ".txt", "w").write("done\n")
subprocess.run("git add -A && git commit -qm done", shell=True, check=True)
"#;

const ADAPTER: &str = r#"
name = "caller"
command = ["./.ikigai/agent"]
prompt = "stdin"
[env]
GATE = "{gateway}"
"#;

/// A provider and its book: what it answered, by what it was asked.
#[derive(Clone)]
struct Provider {
    port: u16,
    book: Arc<Mutex<BTreeMap<String, Usage>>>,
    /// Calls that are held are answered when this is true.
    release: watch::Sender<bool>,
}

impl Provider {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let provider = Self { port, book: Arc::default(), release: watch::Sender::new(false) };
        let served = provider.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(served.clone().answer(stream));
            }
        });
        provider
    }

    async fn answer(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let (mut length, mut line) = (0, String::new());
        while stream.read_line(&mut line).await.unwrap_or(0) > 2 {
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let asked: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let text = asked["input"].as_str().unwrap();
        let who = text.strip_prefix("held ").unwrap_or(text);
        if who != text {
            self.release.subscribe().wait_for(|free| *free).await.unwrap();
        }
        let (read, wrote) = self.note(who);
        let usage = format!("{{\"input_tokens\":{read},\"output_tokens\":{wrote}}}");
        let body = format!("{{\"model\":\"m\",\"output\":[],\"usage\":{usage}}}");
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length:";
        let text = format!("{head} {}\r\n\r\n{body}", body.len());
        stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// Every call has figures of its own, so that none can stand for another.
    fn note(&self, who: &str) -> (u64, u64) {
        let mut book = self.book.lock().unwrap();
        let calls: u64 = book.values().map(|u| u.calls).sum();
        let (read, wrote) = (1000 + 17 * calls, 10 + calls);
        let cost = Some(MicroUsd(2 * read + 8 * wrote));
        let used = Usage { calls: 1, input_tokens: read, output_tokens: wrote, cost };
        let sum = book.entry(who.to_owned()).or_default();
        *sum = sum.plus(used);
        (read, wrote)
    }

    /// What is in the book of those that `wanted` picks.
    fn of(&self, wanted: impl Fn(&str) -> bool) -> Usage {
        let book = self.book.lock().unwrap();
        let picked = book.iter().filter(|(who, _)| wanted(who)).map(|(_, used)| *used);
        picked.fold(Usage::default(), Usage::plus)
    }
}

fn make(path: &Path, name: &str) {
    use std::os::unix::fs::PermissionsExt;
    project::make(path);
    std::fs::create_dir_all(path.join("specs/002-cost")).unwrap();
    std::fs::write(path.join("specs/002-cost/tasks.md"), TASKS).unwrap();
    std::fs::create_dir_all(path.join(".ikigai")).unwrap();
    std::fs::write(path.join(".ikigai/agent"), AGENT).unwrap();
    std::fs::set_permissions(path.join(".ikigai/agent"), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(path.join(".ikigai/project"), name).unwrap();
    project::git(path, &["add", "-A"]);
    project::git(path, &["commit", "-qm", "cost"]);
}

async fn submit(node: &RemoteNode, project: &Path, ids: &[&str]) {
    let source = SubmitSource::Feature {
        feature: Some("specs/002-cost".to_owned()),
        ids: ids.iter().map(ToString::to_string).collect(),
        with_deps: false,
    };
    let options = TaskOptions {
        adapter: Some("caller".to_owned()),
        provider: Some("book".to_owned()),
        model: Some("m".to_owned()),
        verify: Some(vec!["true".to_owned()]),
        ..TaskOptions::default()
    };
    let project = project.display().to_string();
    node.submit(SubmitRequest { project, source, options, ..SubmitRequest::default() }).await.unwrap();
}

fn own(node: &NodeProcess, line: &str) -> String {
    let mut command = std::process::Command::new(parts::built("ikigai"));
    let out = command.arg("--home").arg(node.home()).args(line.split(' ')).output().unwrap();
    assert!(out.status.success(), "{line}: {out:?}");
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

/// The node as the user called `name`, who was not there before.
fn user(node: &NodeProcess, name: &str) -> RemoteNode {
    own(node, &format!("user add {name} --role operator"));
    let token = own(node, &format!("token new --role operator --user {name}"));
    RemoteNode::http(&format!("http://{}", node.http()), &token).unwrap()
}

/// The answer as soon as `right` is true of it.
async fn cost(node: &NodeProcess, by: CostBy, of: CostOf, right: impl Fn(&CostView) -> bool) -> CostView {
    let mut last = CostView::default();
    for _ in 0..600 {
        last = node.handle().cost(by, of.clone()).await.unwrap();
        if right(&last) {
            return last;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("never as wanted: {last:#?}\n{}", node.log_text());
}

fn sums(view: &CostView) -> BTreeMap<&str, Usage> {
    view.groups.iter().map(|g| (g.name.as_str(), g.usage)).collect()
}

async fn start(provider: &Provider) -> NodeProcess {
    let tools = tempfile::tempdir().unwrap();
    let more = format!(
        "[mesh]\nlisten = []\n[models.book]\nkind = \"responses\"\nbase_url = \"http://127.0.0.1:{}/v1\"\n\
         [prices.\"book/m\"]\ninput = 2000000\noutput = 8000000",
        provider.port
    );
    let runs = Runs::Process(tools.keep());
    let script = project::feature().join("model.toml");
    let mut node = NodeProcess::prepare("laptop", &runs, "backend = \"git\"", &more, &script);
    make(&node.folder.path().join("red"), "red");
    make(&node.folder.path().join("blue"), "blue");
    std::fs::create_dir_all(node.home().join("adapters")).unwrap();
    std::fs::write(node.home().join("adapters/caller.toml"), ADAPTER).unwrap();
    node.up().await;
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn two_users_in_two_projects_see_what_the_provider_counted() {
    if !Path::new("/usr/bin/bwrap").is_file() {
        let test = "two_users_in_two_projects_see_what_the_provider_counted";
        return parts::missing(test, "bubblewrap is not installed", "IKIGAI_REQUIRE_SANDBOX");
    }
    let _turn = turn().await;
    let provider = Provider::start().await;
    let node = start(&provider).await;
    let (red, blue) = (node.folder.path().join("red"), node.folder.path().join("blue"));
    let (alice, bob) = (user(&node, "alice"), user(&node, "bob"));
    submit(&alice, &red, &["T001"]).await;
    submit(&bob, &red, &["T002"]).await;
    submit(&bob, &blue, &["T001", "T003"]).await;
    // Submitted again by somebody else, it stays whose it was.
    submit(&alice, &red, &["T002"]).await;

    // One call is held: its attempt runs, and the two before it count already.
    let all = |v: &CostView| v.total.usage.calls == 10;
    let live = cost(&node, CostBy::User, CostOf::default(), all).await;
    assert_eq!(live.total.usage, provider.of(|_| true));
    assert!(live.total.running >= 1, "{live:#?}");
    provider.release.send_replace(true);
    let ended = |v: &CostView| v.total.usage.calls == 11 && v.total.running == 0;
    let by_user = cost(&node, CostBy::User, CostOf::default(), ended).await;

    let alices = provider.of(|who| who == "red T001");
    let bobs = provider.of(|who| who != "red T001");
    assert_eq!(sums(&by_user), BTreeMap::from([("alice@laptop", alices), ("bob@laptop", bobs)]));
    assert_eq!(by_user.total.usage, provider.of(|_| true));
    let by_project = cost(&node, CostBy::Project, CostOf::default(), ended).await;
    let (r, b) = (red.display().to_string(), blue.display().to_string());
    let of = |name: &str| provider.of(|who| who.starts_with(name));
    assert_eq!(sums(&by_project), BTreeMap::from([(r.as_str(), of("red")), (b.as_str(), of("blue"))]));
    for by in CostBy::ALL {
        let view = node.handle().cost(by, CostOf::default()).await.unwrap();
        let sum = view.groups.iter().map(|g| g.usage).fold(Usage::default(), Usage::plus);
        assert_eq!((sum, view.total.usage), (by_user.total.usage, by_user.total.usage), "{by}");
    }
    let of_bob = CostOf { user: Some("bob".to_owned()), project: Some(b), ..CostOf::default() };
    let by_task = cost(&node, CostBy::Task, of_bob, |_| true).await;
    let held = by_task.groups.iter().find(|g| g.name.ends_with(".T003")).unwrap();
    assert_eq!((held.usage, by_task.groups.len()), (provider.of(|who| who == "blue T003"), 2));

    let table = own(&node, "cost --by user");
    assert!(table.contains("alice@laptop") && table.lines().last().unwrap().ends_with("total"), "{table}");
    let id = held.name.clone();
    assert!(own(&node, &format!("task show {id}")).contains("by bob@laptop"));
}
