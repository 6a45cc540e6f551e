//! A node that may hold so much and no more: old sessions go first, then nothing begins there, and it says why.

use crate::node::{NodeProcess, Runs, turn};
use crate::{parts, project};
use ikigai_wire::api::TaskOptions;
use std::fs::File;
use std::path::Path;
use std::time::Duration;

const GIB: u64 = 1 << 30;

/// A file of so many bytes, all of them holes.
fn file(path: &Path, bytes: u64) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    File::create(path).unwrap().set_len(bytes).unwrap();
}

async fn until(what: &str, node: &NodeProcess, is: impl AsyncFn() -> bool) {
    let looking = async {
        while !is().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), looking).await.is_ok();
    assert!(in_time, "{what} did not come about: {:#?}\n{}", node.tasks().await, node.log_text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_over_its_quota_lets_old_sessions_go_and_then_takes_no_work() {
    let test = "a_node_over_its_quota_lets_old_sessions_go_and_then_takes_no_work";
    let Some(tools) = parts::codex(test) else { return };
    let _turn = turn().await;
    let script = project::feature().join("model.toml");
    let more = format!("disk_bytes = {GIB}\n[mesh]\nlisten = []");
    let node = NodeProcess::prepare("disk", &Runs::Process(tools), "backend = \"git\"", &more, &script);
    let mut node = node.with_node(&format!("disk_bytes = {}", 3 * GIB));
    let session = node.home().join("sessions/0123456789abcdef/1-1/files/rollout.jsonl");
    file(&session, 3 * GIB / 2);
    file(&node.home().join("ballast"), GIB);
    node.up().await;
    until("room without the old session", &node, async || !session.exists()).await;
    node.submit(&["T001"], TaskOptions::default()).await;
    until("a result", &node, async || node.task("T001").await.state == "review").await;

    // What is left is nothing it may delete.
    node.kill().await;
    file(&node.home().join("ballast"), 5 * GIB / 2);
    node.up().await;
    node.accept_ready().await;
    node.submit(&["T002"], TaskOptions::default()).await;
    until("a reason", &node, async || node.task("T002").await.why.cause == "capacity").await;
    let why = node.task("T002").await.why.text;
    assert!(why.contains("disk"), "{why}");
    assert!(node.log_text().contains("the disk is short"), "{}", node.log_text());

    node.kill().await;
    file(&node.home().join("ballast"), 0);
    node.up().await;
    until("a result", &node, async || node.task("T002").await.state == "review").await;
}
