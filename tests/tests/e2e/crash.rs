//! `kill -9` of the node at random moments of the feature: everything ends as if nothing had happened.

use crate::line::{check_result, until_all_accepted};
use crate::node::{Runs, TestNode};
use crate::parts;
use ikigai_ports::NodeHandle as _;
use ikigai_wire::api::{Filter, TaskOptions};
use std::time::Duration;

/// The next of a seeded row of waits between 20 ms and `most`.
fn wait(seed: &mut u64, most: u64) -> Duration {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    Duration::from_millis(20 + (*seed >> 33) % most)
}

async fn survives(runs: Runs, kills: u32, most: u64) {
    let mut seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    println!("seed {seed}, {kills} kills");
    let mut node = TestNode::start(&runs, "backend = \"git\"", "").await;
    node.submit(&[], TaskOptions::default()).await;
    let mut met = 0;
    for _ in 0..kills {
        let alive = wait(&mut seed, most);
        let busy = async {
            loop {
                node.accept_ready().await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let _ = tokio::time::timeout(alive, busy).await;
        met += u32::from(node.tasks().await.iter().any(|t| t.state != "accepted"));
        node.kill().await;
        node.up().await;
    }
    // A kill that meets no work proves nothing.
    println!("{met} of {kills} kills met work");
    assert!(met > kills / 2, "{met} of {kills} kills met work");
    until_all_accepted(&node, Duration::from_secs(300)).await;
    check_result(&node).await;
    nothing_is_left(&node).await;
}

/// No workspace, run folder, container or process of an attempt remains.
async fn nothing_is_left(node: &TestNode) {
    let run = node.home().join("run");
    let clear = async {
        while std::fs::read_dir(&run).unwrap().count() > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    assert!(
        tokio::time::timeout(Duration::from_secs(30), clear).await.is_ok(),
        "run folders are left in {}",
        run.display()
    );
    let workspaces = node.home().join("git/workspaces");
    let left: Vec<_> = files(&workspaces);
    assert!(left.is_empty(), "workspaces are left: {left:?}");
    let id = node.tasks().await[0].owner.to_string();
    let filter = format!("label=dev.ikigai.node={id}");
    if let Ok(output) = std::process::Command::new("docker").args(["ps", "-aq", "--filter", &filter]).output()
    {
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "containers are left");
    }
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .flatten()
        .flat_map(|e| if e.path().is_dir() { files(&e.path()) } else { vec![e.path()] })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_with_processes_lose_nothing() {
    let Some(tools) = parts::codex("fifty_kills_with_processes_lose_nothing") else { return };
    survives(Runs::Process(tools), 50, 1200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_kills_with_docker_lose_nothing() {
    let Some(image) = parts::docker_image("five_kills_with_docker_lose_nothing") else { return };
    survives(Runs::Docker(image), 5, 4000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_killed_starts_again_with_the_file_it_had() {
    let Some(image) = parts::docker_image("a_node_that_was_killed_starts_again_with_the_file_it_had") else {
        return;
    };
    let mut node = TestNode::start(&Runs::Docker(image), "backend = \"git\"", "").await;
    let name = async |node: &TestNode| {
        let nodes = node.handle().snapshot(Filter::default()).await.unwrap().nodes;
        nodes[0].name.clone()
    };
    let said = format!("reads {} as before", node.config_file().display());
    assert!(!node.log_text().contains(&said));
    node.kill().await;
    node.up_with(&[]).await;
    assert_eq!(name(&node).await, "test", "the name that the file gives it");
    assert!(node.log_text().contains(&said), "{}", node.log_text());
    // Whoever does not want that any more says so once.
    node.kill().await;
    let address = node.http().to_string();
    node.up_with(&["--no-config".as_ref(), "--listen".as_ref(), address.as_ref()]).await;
    assert_ne!(name(&node).await, "test");
    node.kill().await;
    node.up_with(&["--listen".as_ref(), address.as_ref()]).await;
    assert_eq!(node.log_text().matches(&said).count(), 1);
}
