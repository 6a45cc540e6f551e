//! A node that is killed finds the containers it left running, and goes on with them; what nobody owns is removed.

use crate::line::lines;
use crate::node::{NodeProcess, Runs, TestNode};
use crate::{parts, project};
use ikigai_ports::NodeHandle as _;
use ikigai_wire::api::{Filter, TaskOptions};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

/// Counts for half a minute.
const AGENT: &str = "#!/bin/sh
set -eu
for i in $(seq 1 150); do echo \"tick $i\"; sleep 0.2; done
echo done > done.txt
git add done.txt
git commit -qm done
";

fn docker(args: &[&str]) -> String {
    let out = Command::new("docker").args(args).output().unwrap();
    assert!(out.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

/// Every container of the node, running or not.
fn containers(id: &str) -> BTreeSet<String> {
    let label = format!("label=dev.ikigai.node={id}");
    docker(&["ps", "-aq", "--no-trunc", "--filter", &label]).lines().map(ToOwned::to_owned).collect()
}

/// The numbers an agent counted, as far as the log has them, which is without a gap.
async fn counted(node: &NodeProcess) -> Vec<u32> {
    let task = node.task("T001").await;
    let Some(attempt) = task.attempts.first() else { return Vec::new() };
    let lines = lines(node, &attempt.id).await;
    let numbers: Vec<_> = lines.iter().map(|(n, _)| *n).collect();
    assert_eq!(numbers, (1..=lines.len() as u64).collect::<Vec<_>>(), "a line is missing or there twice");
    lines.iter().filter_map(|(_, text)| text.split("tick ").nth(1)?.trim().parse().ok()).collect()
}

async fn until_counted(node: &NodeProcess, n: u32) {
    let counting = async {
        while counted(node).await.last().is_none_or(|last| *last < n) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(90), counting).await.is_ok();
    assert!(in_time, "{:?}\n{}", counted(node).await, node.log_text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_container_is_gone_on_with_and_one_that_nobody_owns_is_removed() {
    let test = "a_running_container_is_gone_on_with_and_one_that_nobody_owns_is_removed";
    let Some(image) = parts::docker_image(test) else { return };
    let mut node = TestNode::start(&Runs::Docker(image.clone()), "backend = \"git\"", "").await;
    let agent = node.project().join(".ikigai/agent");
    std::fs::create_dir_all(agent.parent().unwrap()).unwrap();
    std::fs::write(&agent, AGENT).unwrap();
    std::fs::set_permissions(&agent, std::fs::Permissions::from_mode(0o755)).unwrap();
    project::git(&node.project(), &["add", "-A"]);
    project::git(&node.project(), &["commit", "-qm", "agent"]);
    let verify = Some(vec!["test -f done.txt".to_owned()]);
    let options = TaskOptions { adapter: Some("command".to_owned()), verify, ..TaskOptions::default() };
    node.submit(&["T001"], options).await;
    until_counted(&node, 5).await;
    let id = node.handle().snapshot(Filter::default()).await.unwrap().node.to_string();
    let before = containers(&id);
    assert_eq!(before.len(), 1);

    node.kill().await;
    // What a node would leave that died between starting a container and noting it.
    let label = |name: &str, value: &str| format!("--label=dev.ikigai.{name}={value}");
    let labels = [
        label("node", &id),
        label("task", "p.f.T099"),
        label("attempt", "1"),
        label("epoch", "1"),
        label("role", "agent"),
    ];
    let mut stray = vec!["run", "-d", "--network", "none", "--entrypoint", "sleep"];
    stray.extend(labels.iter().map(String::as_str));
    stray.extend([image.as_str(), "600"]);
    let stray = docker(&stray);
    assert!(containers(&id).contains(&stray));
    // It goes on counting meanwhile.
    tokio::time::sleep(Duration::from_secs(2)).await;
    node.up().await;
    until_counted(&node, 40).await;
    assert_eq!(containers(&id), before, "not the same container, or the stray one is left");

    node.until("verdict", |e| e.what == "verified").await;
    assert_eq!(counted(&node).await, (1..=150).collect::<Vec<_>>());
    assert_eq!(node.task("T001").await.attempts.len(), 1);
}
