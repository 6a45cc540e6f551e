//! Limits of an attempt, met by real agents in containers: each is told apart from the others.

use crate::node::{Runs, TestNode};
use crate::parts;
use ikigai_types::Limits;
use ikigai_wire::api::{TaskOptions, TaskView};
use std::path::Path;
use std::time::Duration;

/// T001 writes something and then is silent for a minute.
const SCRIPT: &str = r#"
[[task]]
id = "T001"
[[task.step]]
run = "echo kept > kept.txt"
[[task.step]]
run = "sleep 60"
"#;

async fn node(image: String, folder: &Path) -> TestNode {
    let script = folder.join("model.toml");
    std::fs::write(&script, SCRIPT).unwrap();
    TestNode::scripted(&Runs::Docker(image), "backend = \"git\"", "", &script).await
}

/// The task once it has failed.
async fn failed(node: &TestNode, id: &str, limits: Limits) -> TaskView {
    node.submit(&[id], TaskOptions { limits: Some(limits), max_attempts: Some(1), ..TaskOptions::default() })
        .await;
    let task = node.task(id).await.id;
    node.until("failure", |e| e.task == task && e.what == "failed").await;
    node.task(id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_silent_is_ended_and_its_log_is_kept() {
    let Some(image) = parts::docker_image("an_agent_that_is_silent_is_ended_and_its_log_is_kept") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let node = node(image, folder.path()).await;
    let task = failed(&node, "T001", Limits { stall: Duration::from_secs(4), ..Limits::default() }).await;
    assert_eq!(task.reason.as_deref(), Some("stall"));
    assert!(task.why.text.contains("was silent for 4 s"), "{}", task.why.text);
    let attempt = &task.attempts[0];
    assert!(attempt.salvage.is_some(), "what it had written is kept");
    let log = crate::line::lines(&node, &attempt.id).await;
    assert!(log.iter().any(|(_, text)| text.contains("echo kept")), "{log:#?}");
}
