//! The demo as `make demo` runs it, on one node and on several: Docker, Radicle, namespaces, trouble and all.

use crate::node::turn;
use crate::{parts, project};
use ikigai_ports::NodeHandle as _;
use ikigai_remote::RemoteNode;
use ikigai_wire::api::Filter;
use std::collections::BTreeSet;
use std::path::Path;
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

/// `ikigai demo` with what it keeps in `home`.
fn demo(home: &Path, args: &[&str]) -> Command {
    let mut demo = Command::new(parts::built("ikigai"));
    demo.arg("--home").arg(home).arg("demo").args(args);
    demo.env_remove("OPENAI_API_KEY").stdin(Stdio::null()).kill_on_drop(true);
    demo
}

/// What it printed to stdout and to stderr, when it ended well.
async fn well(mut command: Command) -> (String, String) {
    let limit = Duration::from_secs(480);
    let out = tokio::time::timeout(limit, command.output()).await.expect("it hangs").unwrap();
    let (told, said) = (String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap());
    assert!(out.status.success(), "{said}\n{told}");
    (told, said)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_does_the_feature_and_what_it_says_to_try_next_works() {
    let test = "one_node_does_the_feature_and_what_it_says_to_try_next_works";
    let (Some(_), Some(_)) = (parts::docker_image(test), parts::radicle(test)) else { return };
    let _turn = turn().await;
    let before = containers().await;
    let home = tempfile::Builder::new().prefix("ikigai-demo").tempdir().unwrap();
    let (told, said) = well(demo(home.path(), &["--keep", "1"])).await;
    assert!(said.contains("a script\nthat belongs to the feature, not a model"), "{said}");
    assert!(told.contains("9 of 10 boxes in"), "{told}");
    assert!(
        told.contains("T004 attempt 1 was NOT taken: `python3 -m unittest tests.test_words` exited with 1"),
        "{told}"
    );
    // Ten tasks: a patch each, one of them with two revisions.
    assert!(
        told.lines()
            .any(|l| l.starts_with("10 patches of rad:") && l.ends_with("by the second Radicle node.")),
        "{told}"
    );
    for (task, attempts, verdict, state) in
        [("T004", "2", "VERIFIED", "accepted"), ("T010", "1", "WITH-GAPS", "review")]
    {
        let row: Vec<_> = told.lines().find(|l| l.starts_with(task)).unwrap().split_whitespace().collect();
        assert_eq!((row[2], row[row.len() - 2], row[row.len() - 1]), (attempts, verdict, state), "{told}");
    }
    check_tasks(home.path()).await;
    let (tried, _) = well(try_next(&told)).await;
    assert!(tried.contains(".localhost:"), "no link to an editor: {tried}");
    // One that is gone left the container that it kept alive.
    kill(&home.path().join("demo/node/ikigai.sock")).await;
    well(demo(home.path(), &["--clean"])).await;
    assert!(!home.path().join("demo").exists());
    let left: Vec<_> = containers().await.difference(&before).cloned().collect();
    assert_eq!(left, Vec::<String>::new());
}

/// Kills the process that listens there.
async fn kill(socket: &Path) {
    let peer = tokio::net::UnixStream::connect(socket).await.unwrap().peer_cred().unwrap();
    let pid = peer.pid().expect("the kernel says whose socket it is").to_string();
    assert!(Command::new("kill").args(["-9", &pid]).status().await.unwrap().success());
}

/// What the node knows of the feature when the demo has ended.
async fn check_tasks(home: &Path) {
    let node = RemoteNode::unix(home.join("demo/node/ikigai.sock"));
    let tasks = node.snapshot(Filter::default()).await.unwrap().tasks;
    assert_eq!(tasks.len(), 10);
    assert!(tasks.iter().all(|t| t.usage.input_tokens > 0 && t.usage.calls > 0));
    let patch = |short: &str| tasks.iter().find(|t| t.short == short).unwrap().patch.clone().unwrap();
    let wrong_once = tasks.iter().find(|t| t.short == "T004").unwrap();
    assert_eq!(wrong_once.attempts[0].outcome.as_deref(), Some("check-failed"));
    // T005 waits for T004: what its agent committed stands on what was accepted of T004. `git` fails when it does not.
    let (parent, child) = (patch("T004").merged.unwrap(), patch("T005").head);
    project::git(&home.join("demo/textstats"), &["merge-base", "--is-ancestor", &parent, &child]);
}

/// The commands it ends with, in a shell of their own.
fn try_next(told: &str) -> Command {
    let (_, next) = told.split_once("Try next, in ").expect("nothing to try next");
    let (folder, lines) = next.split_once(":\n").unwrap();
    let lines: Vec<_> = lines.lines().take_while(|l| l.starts_with("  ")).collect();
    let commands = lines.iter().filter(|l| l.trim_start().starts_with("ikigai ")).count();
    assert_eq!(commands, 3, "{told}");
    let mut shell = Command::new("sh");
    shell.args(["-euc", &lines.join("\n")]).current_dir(folder).env("PATH", "/usr/local/bin:/usr/bin:/bin");
    shell.stdin(Stdio::null()).kill_on_drop(true);
    shell
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_one_killed_and_one_frozen_accept_every_task_exactly_once() {
    let test = "three_nodes_one_killed_and_one_frozen_accept_every_task_exactly_once";
    let (Some(_), Some(_), true) = (parts::docker_image(test), parts::radicle(test), parts::root(test))
    else {
        return;
    };
    let _turn = turn().await;
    let before = containers().await;
    let home = tempfile::Builder::new().prefix("ikigai-demo").tempdir().unwrap();
    let (told, said) = well(demo(home.path(), &["--nodes", "3", "--keep", "0"])).await;
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
