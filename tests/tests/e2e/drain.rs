//! Work moves: a node is emptied from another one, and what was made there is gone on with elsewhere; a node that
//! went silent comes back and keeps what it has.

use crate::mesh::Mesh;
use crate::node::{NodeProcess, Runs};
use crate::parts;
use ikigai_ports::NodeHandle as _;
use ikigai_types::{NodeId, Reconcile};
use ikigai_wire::api::{
    Command as Do, DisconnectOptions, Filter, NodeCommand, NodeView, TaskOptions, TaskView,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The first attempt commits one file, leaves another one, and then takes long; the second one needs both.
const CUT_SHORT: &str = r#"
[[task]]
id = "T001"
attempt = 1
[[task.step]]
run = "echo kept > kept.txt && git add -A && git commit -qm kept"
[[task.step]]
run = "echo loose > loose.txt"
[[task.step]]
run = "true"
delay_ms = 60000

[[task]]
id = "T001"
attempt = 2
[[task.step]]
run = "cat kept.txt loose.txt && echo more > more.txt && git add -A && git commit -qm more"
"#;

/// Each attempt leaves a mark, takes a while, and commits.
const SLOW: &str = r#"
[[task]]
id = "T001"
[[task.step]]
run = "echo mark > mark.txt"
[[task.step]]
run = "git add -A && git commit -qm mark"
delay_ms = 20000
"#;

fn script(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.toml");
    std::fs::write(&file, text).unwrap();
    (folder, file)
}

/// Waits until `found` answers something.
async fn until<T>(what: &str, node: &NodeProcess, found: impl AsyncFn() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = found().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    if let Ok(found) = tokio::time::timeout(Duration::from_secs(90), looking).await {
        return found;
    }
    let tasks = node.handle().snapshot(Filter::default()).await.map(|s| s.tasks);
    panic!("{what} did not come about: {tasks:#?}\n{}", node.log_text())
}

async fn until_task(node: &NodeProcess, what: &str, is: impl Fn(&TaskView) -> bool) -> TaskView {
    until(what, node, async || Some(node.task("T001").await).filter(|t| is(t))).await
}

async fn view_of(node: &NodeProcess, id: NodeId) -> Option<NodeView> {
    let nodes = node.handle().snapshot(Filter::default()).await.ok()?.nodes;
    nodes.into_iter().find(|n| n.id == id)
}

/// Whether a workspace below `folder` has a file called `name`.
fn has_file(folder: &Path, name: &str) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|e| e.file_name() == name || (e.path().is_dir() && has_file(&e.path(), name)))
}

async fn id_of(node: &NodeProcess) -> NodeId {
    node.handle().snapshot(Filter::default()).await.unwrap().node
}

/// Has `node` own T001, not run it; answers the node it runs on and another one.
async fn elsewhere<'a>(
    mesh: &'a Mesh,
    options: TaskOptions,
    file: &str,
) -> (&'a NodeProcess, &'a NodeProcess) {
    let [owner, second, third] = &mesh.nodes[..] else { unreachable!() };
    let own = id_of(owner).await;
    owner.handle().steer(&own, NodeCommand::Cordon).await.unwrap();
    owner.submit(&["T001"], options).await;
    let task = until_task(owner, "a running attempt", |t| t.state == "running").await;
    let on_second = task.attempts[0].node == id_of(second).await;
    let (there, other) = if on_second { (second, third) } else { (third, second) };
    let workspaces = there.home().join("git/workspaces");
    until(file, there, async || has_file(&workspaces, file).then_some(())).await;
    (there, other)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_emptied_from_another_and_its_work_goes_on_elsewhere() {
    let Some(tools) = parts::codex("a_node_is_emptied_from_another_and_its_work_goes_on_elsewhere") else {
        return;
    };
    let (_folder, script) = script(CUT_SHORT);
    let mesh = Mesh::scripted(3, &Runs::Process(tools), "", &script).await;
    let verify = Some(vec!["test -f kept.txt -a -f loose.txt -a -f more.txt".to_owned()]);
    let (there, other) =
        elsewhere(&mesh, TaskOptions { verify, ..TaskOptions::default() }, "loose.txt").await;
    let (owner, drained) = (&mesh.nodes[0], id_of(there).await);

    let answer = other.handle().steer(&drained, NodeCommand::Drain { grace: 2 }).await.unwrap();
    assert!(answer.draining && answer.cordoned && answer.running == 1, "{answer:?}");
    let task = until_task(owner, "a result", |t| t.state == "review").await;
    let [first, second] = &task.attempts[..] else { panic!("{:#?}", task.attempts) };
    assert_eq!((first.node, first.outcome.as_deref()), (drained, Some("drained")));
    assert_eq!(second.node, id_of(other).await, "the owner is cordoned and the first node is drained");
    let from = second.continues.as_ref().expect("it goes on from what was saved");
    assert_eq!(from.attempt, 1);
    let patch = task.patch.as_ref().unwrap();
    assert_eq!(patch.verdict.as_deref(), Some("VERIFIED"));
    assert_eq!(patch.files, ["kept.txt", "loose.txt", "more.txt"], "all of it is compared with the project");

    let empty = async || view_of(other, drained).await.filter(|n| n.draining && n.running == 0);
    until("an empty node", other, empty).await;
    owner.handle().command(&task.id, Do::Accept { force: false }).await.unwrap();
    let kept = std::fs::read_to_string(owner.project().join("loose.txt")).unwrap();
    assert_eq!(kept, "loose\n");

    let answer = other.handle().steer(&drained, NodeCommand::Uncordon).await.unwrap();
    assert!(!answer.draining && !answer.cordoned);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_outlives_the_node() {
    let Some(tools) = parts::codex("a_drain_outlives_the_node") else { return };
    let (_folder, script) = script(CUT_SHORT);
    let mut node =
        crate::node::TestNode::scripted(&Runs::Process(tools), "backend = \"git\"", "", &script).await;
    node.submit(&["T001"], TaskOptions::default()).await;
    until_task(&node, "a running attempt", |t| t.state == "running").await;
    let id = id_of(&node).await;
    node.handle().steer(&id, NodeCommand::Drain { grace: 5 }).await.unwrap();
    node.kill().await;
    node.up().await;
    let view = view_of(&node, id).await.unwrap();
    assert!(view.draining && view.cordoned, "{view:?}");
    let task = until_task(&node, "an end", |t| t.attempts[0].phase == "ended").await;
    assert_eq!(task.attempts[0].outcome.as_deref(), Some("drained"));
    until("no room", &node, async || Some(node.task("T001").await).filter(|t| t.state == "waiting")).await;
    node.handle().steer(&id, NodeCommand::Uncordon).await.unwrap();
    until_task(&node, "a second attempt", |t| t.attempts.len() == 2).await;
}

/// Stops a node's process as a closed lid does, or lets it go on.
fn signal(node: &NodeProcess, name: &str) {
    let pid = node.pid().to_string();
    assert!(std::process::Command::new("kill").args([name, &pid]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_slept_keeps_its_attempt_and_its_replacement_ends() {
    let Some(tools) = parts::codex("a_node_that_slept_keeps_its_attempt_and_its_replacement_ends") else {
        return;
    };
    let (_folder, script) = script(SLOW);
    let mesh = Mesh::scripted(3, &Runs::Process(tools), "", &script).await;
    let disconnect = DisconnectOptions {
        lost_after_secs: Some(120),
        replace: Some(true),
        reconcile: Some(Reconcile::KeepOriginal),
    };
    let verify = Some(vec!["test -f mark.txt".to_owned()]);
    let options = TaskOptions { disconnect: Some(disconnect), verify, ..TaskOptions::default() };
    let (there, other) = elsewhere(&mesh, options, "mark.txt").await;
    let owner = &mesh.nodes[0];
    signal(there, "-STOP");
    let away = |t: &TaskView| t.attempts.len() == 2 && t.attempts[1].phase == "running";
    let task = until_task(owner, "a replacement", away).await;
    assert_eq!((task.attempts[0].phase.as_str(), task.attempts[1].node), ("away", id_of(other).await));
    signal(there, "-CONT");
    let back = |t: &TaskView| t.attempts[1].outcome.as_deref() == Some("superseded");
    let task = until_task(owner, "the first attempt, back", back).await;
    assert_ne!(task.attempts[0].phase, "away");
    let task = until_task(owner, "a result", |t| t.state == "review").await;
    assert_eq!(task.patch.as_ref().unwrap().attempt, 1);
    assert_eq!(task.attempts.len(), 2, "{:#?}", task.attempts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_adopted_when_its_owner_is_gone_and_the_owner_follows() {
    let Some(tools) = parts::codex("a_task_is_adopted_when_its_owner_is_gone_and_the_owner_follows") else {
        return;
    };
    let (_folder, script) = script(CUT_SHORT);
    let mut mesh = Mesh::scripted(3, &Runs::Process(tools), "", &script).await;
    let verify = Some(vec!["test -f more.txt".to_owned()]);
    let options = TaskOptions { verify, ..TaskOptions::default() };
    elsewhere(&mesh, options, "loose.txt").await;
    let old = id_of(&mesh.nodes[0]).await;
    let task = mesh.nodes[0].task("T001").await;
    let adopter = &mesh.nodes[2];
    let refused = adopter.handle().command(&task.id, Do::Adopt { force: true }).await.unwrap_err();
    assert!(refused.message.contains("is there"), "{refused}");

    mesh.nodes[0].kill().await;
    let adopter = &mesh.nodes[2];
    let gone = async || view_of(adopter, old).await.filter(|n| n.liveness == "dead");
    until("an owner that is gone", adopter, gone).await;
    let heard = adopter.task("T001").await;
    assert_eq!((heard.why.cause.as_str(), heard.owner), ("owner-away", old));
    let own = id_of(adopter).await;
    let moved = adopter.handle().command(&task.id, Do::Adopt { force: true }).await.unwrap();
    assert_eq!(moved.owner, own);
    assert!(moved.epoch.0 >= 1_000_000, "{}", moved.epoch);
    let task = until_task(adopter, "a second attempt", |t| t.attempts.len() == 2).await;
    assert!(task.attempts[1].epoch.0 > 1_000_000);

    mesh.nodes[0].up().await;
    let (old, adopter) = (&mesh.nodes[0], &mesh.nodes[2]);
    let follows = async || Some(old.task("T001").await).filter(|t| t.owner == own);
    until("the old owner, which follows", old, follows).await;
    let source = ikigai_wire::api::SubmitSource::Feature {
        feature: None,
        ids: vec!["T001".to_owned()],
        with_deps: false,
    };
    let project = old.project().display().to_string();
    let again = ikigai_wire::api::SubmitRequest { project, source, ..Default::default() };
    let refused = old.handle().submit(again).await.unwrap_err();
    assert!(refused.message.contains("is owned by node"), "{refused}");
    assert_eq!(adopter.task("T001").await.owner, own);
}
