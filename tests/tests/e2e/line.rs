//! The main job: tasks of a Spec-Kit feature become accepted patches, and every box is ticked.

use crate::node::{NodeProcess, Runs, TestNode};
use crate::{parts, project};
use ikigai_ports::NodeHandle as _;
use ikigai_wire::api::{Command, TaskOptions};
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

/// Accepts until all ten are merged.
pub async fn until_all_accepted(node: &NodeProcess, limit: Duration) {
    let all = async {
        loop {
            node.accept_ready().await;
            let tasks = node.tasks().await;
            if tasks.len() == 10 && tasks.iter().all(|t| t.state == "accepted") {
                return;
            }
            assert!(!tasks.iter().any(|t| t.state == "failed"), "{tasks:#?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    let done = tokio::time::timeout(limit, all).await;
    let states = async {
        node.tasks().await.iter().map(|t| format!("{} {}", t.short, t.why.text)).collect::<Vec<_>>()
    };
    assert!(done.is_ok(), "not all accepted: {:#?}\n{}", states.await, node.log_text());
}

/// What must be true at the end, whatever happened on the way.
pub async fn check_result(node: &NodeProcess) {
    let path = node.project();
    let text = project::tasks(&path);
    let original = std::fs::read_to_string(project::feature().join("tasks.md")).unwrap();
    assert_eq!(text, original.replace("- [ ]", "- [X]"), "more than boxes changed");
    let merges = project::git(&path, &["log", "--merges", "--format=%s", "main"]);
    for n in 1..=10 {
        let id = format!("T{n:03}: ");
        assert_eq!(merges.lines().filter(|l| l.starts_with(&id)).count(), 1, "{id}\n{merges}");
    }
    let events = node.events().await;
    for task in node.tasks().await {
        let accepted = events.iter().filter(|e| e.task == task.id && e.what == "accepted").count();
        assert_eq!(accepted, 1, "{} was accepted {accepted} times", task.short);
        let taken = task.attempts.last().unwrap();
        let lines = lines(node, &taken.id).await;
        let numbers: Vec<_> = lines.iter().map(|(n, _)| *n).collect();
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "{} has a gap", taken.id);
        assert_eq!(lines.last().map(|(_, t)| t.as_str()), Some("the agent exited with 0"), "{}", taken.id);
    }
    crate::project::git(&path, &["fsck", "--strict", "--no-dangling"]);
}

pub async fn lines(node: &NodeProcess, attempt: &ikigai_types::AttemptId) -> Vec<(u64, String)> {
    use futures::StreamExt as _;
    let stream = node.handle().logs(attempt, 1, false).await.unwrap();
    stream.map(|l| l.map(|l| (l.n, l.text)).unwrap()).collect().await
}

/// Each attempt of T001 makes more of it: one that changes nothing would be no revision.
const MORE: &str = r#"
[[task]]
id = "T001"
[[task.step]]
run = "echo more >> made && git add made && git commit -qm 'T001: made'"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_task_becomes_a_merged_radicle_patch() {
    let test = "a_task_becomes_a_merged_radicle_patch";
    let (Some(image), Some(radicle)) = (parts::docker_image(test), parts::radicle(test)) else { return };
    let forge = format!("backend = \"radicle\"\nradicle_bin = {radicle:?}\nlisten = \"127.0.0.1:0\"");
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("model.toml");
    std::fs::write(&script, MORE).unwrap();
    let node = TestNode::scripted(&Runs::Docker(image), &forge, "", &script).await;
    let verify = Some(vec!["test -f made".to_owned()]);
    node.submit(&["T001"], TaskOptions { verify, ..TaskOptions::default() }).await;
    node.until("verdict", |e| e.what == "verified").await;
    // A reviewer sends it back: the next attempt adds a revision to the same patch.
    let (task, reason) = (node.task("T001").await, "say more in the docstring".to_owned());
    node.handle().command(&task.id, Command::Reject { reason, retry: true }).await.unwrap();
    node.until("verdict of the next attempt", |e| e.what == "verified" && e.attempt == Some(2)).await;
    let reviewed = task.patch.unwrap();
    let second = node.task("T001").await;
    let from = second.attempts[1].continues.as_ref().map(|c| c.commit.clone());
    assert_eq!(from, Some(reviewed.head.clone()), "it goes on from what was reviewed");
    let patch = second.patch.unwrap();
    assert_eq!((patch.id.clone(), patch.revision), (reviewed.id, 2), "one patch for the task");
    node.accept_ready().await;
    node.until("ticked box", |e| e.what == "ticked").await;
    let known = node.handle().snapshot(ikigai_wire::api::Filter::default()).await.unwrap().projects;
    let repository = known[0].repository.clone();
    let id = patch.id.unwrap();
    let show = ["cob", "show", "--repo", &repository, "--type", "xyz.radicle.patch", "--object", id.as_str()];
    let rad = std::process::Command::new(radicle.join("rad"))
        .args(show)
        .env("RAD_HOME", node.home().join("radicle"))
        .env("RAD_PASSPHRASE", "")
        .output()
        .unwrap();
    let cob: serde_json::Value = serde_json::from_slice(&rad.stdout).unwrap();
    assert_eq!(cob["state"]["status"], "merged", "{cob:#}");
    let heads: Vec<_> = cob["revisions"].as_object().unwrap().values().map(|r| r["oid"].clone()).collect();
    let known: Vec<_> = patch.revisions.iter().map(|r| r.head.clone()).collect();
    assert!(heads.len() == 2 && known.iter().all(|k| heads.iter().any(|h| h == k)), "{heads:?} {known:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_users_node_works_with_docker() {
    let test = "an_ordinary_users_node_works_with_docker";
    let Some(image) = parts::docker_image(test) else { return };
    if !parts::root(test) {
        return;
    }
    let docker = std::fs::metadata("/var/run/docker.sock").unwrap().gid();
    // Who may use the engine is in its group; nothing else is known of this user.
    let node = TestNode::of_user(&Runs::Docker(image), "backend = \"git\"", (54_321, docker)).await;
    node.submit(&["T001"], TaskOptions::default()).await;
    node.until("verdict", |e| e.what == "verified").await;
    node.accept_ready().await;
    node.until("ticked box", |e| e.what == "ticked").await;
    let missing = node.task("T001").await.attempts[0].isolation_missing.clone();
    assert!(missing.iter().any(|m| m.contains("the node's user")), "{missing:?}");
}
