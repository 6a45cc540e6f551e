//! The demo of several nodes, as `make demo NODES=3` runs it: namespaces, Docker, Radicle, trouble and all.

use crate::node::turn;
use crate::parts;
use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// The names in `list` that the demo gives, and what else may stand there is somebody else's.
async fn namespaces() -> Vec<String> {
    let out = Command::new("ip").args(["netns", "list"]).output().await.unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().filter(|l| l.starts_with("ikigai-demo-")).map(ToOwned::to_owned).collect()
}

/// Every container a node made.
async fn containers() -> BTreeSet<String> {
    let out = Command::new("docker").args(["ps", "-a", "--format", "{{.Names}}"]).output().await.unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().filter(|l| l.starts_with("ikigai-")).map(ToOwned::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_one_killed_and_one_frozen_accept_every_task_exactly_once() {
    let test = "three_nodes_one_killed_and_one_frozen_accept_every_task_exactly_once";
    let (Some(_), Some(_)) = (parts::docker_image(test), parts::radicle(test)) else { return };
    let _turn = turn().await;
    let before = containers().await;
    let home = tempfile::Builder::new().prefix("ikigai-demo").tempdir().unwrap();
    let mut demo = Command::new(parts::built("ikigai"));
    demo.arg("--home").arg(home.path()).args(["demo", "--nodes", "3", "--keep", "0"]);
    demo.env_remove("OPENAI_API_KEY").stdin(Stdio::null()).kill_on_drop(true);
    let out =
        tokio::time::timeout(Duration::from_secs(480), demo.output()).await.expect("the demo hangs").unwrap();
    let (told, said) = (String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap());
    assert!(out.status.success(), "{said}\n{told}");
    assert!(told.contains("10 tasks were accepted, each exactly once."), "{said}\n{told}");
    assert!(told.contains("10 of 10 boxes in"), "{told}");
    assert!(said.contains("kill -9, while it works") && said.contains("kill -CONT: goes on"), "{said}");
    assert!(
        told.contains("Refused, because it came from an attempt that had lost its lease:"),
        "{said}\n{told}"
    );
    assert_eq!(namespaces().await, Vec::<String>::new());
    assert!(!home.path().join("demo").exists());
    let left: Vec<_> = containers().await.difference(&before).cloned().collect();
    assert_eq!(left, Vec::<String>::new());
}
