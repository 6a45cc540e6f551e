//! The second attempt of a task goes on with the first one's session of the real CLI, where that is still there.

use crate::node::{Runs, TestNode};
use crate::{line, parts};
use ikigai_types::Resumed;
use ikigai_wire::api::{TaskOptions, TaskView};

/// What both attempts do. The first one's result does not pass, and it ends with `SPOIL`. The second one counts the
/// sessions whose prompt tells what was done before; what it says tells how many prompts its model sees.
const SCRIPT: &str = r#"
[[task]]
id = "T001"
attempt = 1
say = "The first is done."
[[task.step]]
run = "echo first > answer.txt && git add -A && git commit -qm first"
[[task.step]]
run = "SPOIL"

[[task]]
id = "T001"
attempt = 2
say = "Prompts before this one: {earlier}."
[[task.step]]
run = "echo second > answer.txt && git add -A && git commit -qm second"
[[task.step]]
run = "echo told $(grep -rl 'was anothe[r] session.*git commit -qm firs[t]' /session | wc -l)"
"#;

/// The task when its second attempt has passed, and that one's log.
async fn played(test: &str, spoil: &str) -> Option<(TestNode, TaskView, String)> {
    let image = parts::docker_image(test)?;
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("model.toml");
    std::fs::write(&script, SCRIPT.replace("SPOIL", spoil)).unwrap();
    let node = TestNode::scripted(&Runs::Docker(image), "backend = \"git\"", "", &script).await;
    let verify = Some(vec!["grep -q second answer.txt".to_owned()]);
    node.submit(&["T001"], TaskOptions { verify, ..TaskOptions::default() }).await;
    let id = node.task("T001").await.id;
    node.until("two checked results", |e| e.task == id && e.what == "verified" && e.attempt == Some(2)).await;
    let task = node.task("T001").await;
    assert_eq!((task.state.as_str(), task.attempts[0].resumed), ("review", None), "{task:#?}");
    assert_eq!(task.attempts[0].outcome.as_deref(), Some("check-failed"));
    let log = line::lines(&node, &task.attempts[1].id).await;
    let log = log.into_iter().map(|(_, text)| text + "\n").collect();
    Some((node, task, log))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_attempt_goes_on_with_the_session_of_the_one_before() {
    let test = "the_next_attempt_goes_on_with_the_session_of_the_one_before";
    let Some((node, task, log)) = played(test, "true").await else { return };
    assert_eq!(task.attempts[1].resumed, Some(Resumed::Warm), "{log}");
    assert!(log.contains("Prompts before this one: 1."), "its model sees the earlier turns: {log}");
    assert!(log.contains("told 0"), "it needs no summary: {log}");
    let event = node.events().await.into_iter().find(|e| e.what == "session").unwrap();
    assert!(event.text.contains("(warm)") && event.attempt == Some(2), "{event:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_session_the_next_attempt_is_told_what_was_done() {
    let test = "without_a_session_the_next_attempt_is_told_what_was_done";
    let Some((_node, task, log)) = played(test, "rm -r /session/*").await else { return };
    assert_eq!(task.attempts[1].resumed, Some(Resumed::Cold), "{log}");
    assert!(log.contains("Prompts before this one: 0.") && log.contains("told 1"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_the_cli_refuses_is_begun_anew_in_the_same_attempt() {
    let test = "a_session_that_the_cli_refuses_is_begun_anew_in_the_same_attempt";
    let Some((_node, task, log)) = played(test, "rm -r /session/* && echo no session > /session/x").await
    else {
        return;
    };
    assert_eq!(task.attempts[1].resumed, Some(Resumed::Cold), "{log}");
    assert!(log.contains("did not take its session"), "{log}");
    assert!(log.contains("Prompts before this one: 0.") && log.contains("told 1"), "{log}");
    assert_eq!(task.attempts.len(), 2, "the refusal is no attempt of its own");
}
