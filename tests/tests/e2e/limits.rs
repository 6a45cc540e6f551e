//! Limits of an attempt, met by real agents in containers: each is told apart from the others.

use crate::node::{Runs, TestNode};
use crate::{parts, project};
use ikigai_types::Limits;
use ikigai_wire::api::{TaskOptions, TaskView};
use std::os::unix::fs::PermissionsExt as _;
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

/// T001 goes round in turns.
const TURNS: &str = r#"
[[task]]
id = "T001"
[[task.step]]
run = "echo one > kept.txt"
[[task.step]]
run = "echo two >> kept.txt"
[[task.step]]
run = "echo three >> kept.txt"
[[task.step]]
run = "sleep 60"
"#;

async fn node(image: String, folder: &Path, model: &str) -> TestNode {
    let script = folder.join("model.toml");
    std::fs::write(&script, model).unwrap();
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
    let node = node(image, folder.path(), SCRIPT).await;
    let task = failed(&node, "T001", Limits { stall: Duration::from_secs(4), ..Limits::default() }).await;
    assert_eq!(task.reason.as_deref(), Some("stall"));
    assert!(task.why.text.contains("was silent for 4 s"), "{}", task.why.text);
    let attempt = &task.attempts[0];
    assert!(attempt.salvage.is_some(), "what it had written is kept");
    let log = crate::line::lines(&node, &attempt.id).await;
    assert!(log.iter().any(|(_, text)| text.contains("echo kept")), "{log:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_makes_too_many_turns_is_ended_and_its_log_is_kept() {
    let Some(image) = parts::docker_image("an_agent_that_makes_too_many_turns_is_ended_and_its_log_is_kept")
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let node = node(image, folder.path(), TURNS).await;
    let options = TaskOptions { max_turns: Some(2), max_attempts: Some(1), ..TaskOptions::default() };
    node.submit(&["T001"], options).await;
    let id = node.task("T001").await.id;
    node.until("failure", |e| e.task == id && e.what == "failed").await;
    let task = node.task("T001").await;
    assert_eq!((task.reason.as_deref(), task.why.cause.as_str()), (Some("turns"), "turns"));
    assert!(task.why.text.contains("called its model 3 times, its limit is 2"), "{}", task.why.text);
    assert!(task.attempts[0].salvage.is_some(), "what it had written is kept");
    let log = crate::line::lines(&node, &task.attempts[0].id).await;
    assert!(log.iter().any(|(_, text)| text.contains("echo two")), "{log:#?}");
}

/// What becomes of T001 with 192 MiB when its agent is the shell script `does`.
async fn ended_by(image: &str, does: &str) -> TaskView {
    let runs = Runs::Docker(image.to_owned());
    let node = TestNode::start(&runs, "backend = \"git\"", "adapter = \"command\"").await;
    let agent = node.project().join(".ikigai/agent");
    std::fs::create_dir_all(agent.parent().unwrap()).unwrap();
    std::fs::write(&agent, format!("#!/bin/sh\n{does}\n")).unwrap();
    std::fs::set_permissions(&agent, std::fs::Permissions::from_mode(0o755)).unwrap();
    project::git(&node.project(), &["add", "-A"]);
    project::git(&node.project(), &["commit", "-qm", "agent"]);
    failed(&node, "T001", Limits { memory_bytes: 192 << 20, ..Limits::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn want_of_memory_is_told_apart_from_the_same_exit_code() {
    let Some(image) = parts::docker_image("want_of_memory_is_told_apart_from_the_same_exit_code") else {
        return;
    };
    let hog = ended_by(&image, "python3 -c 'print(len(b\"x\" * (1 << 30)))'").await;
    assert_eq!(hog.reason.as_deref(), Some("oom"), "{hog:#?}");
    assert!(hog.why.text.contains("memory"), "{}", hog.why.text);
    let other = ended_by(&image, "exit 137").await;
    assert_eq!(other.reason.as_deref(), Some("agent"), "{other:#?}");
    assert_eq!(other.attempts[0].exit_code, Some(137));
}
