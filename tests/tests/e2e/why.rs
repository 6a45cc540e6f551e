//! Why a task is where it is: each cause is brought about, and `why` names it.

use crate::node::{Runs, TestNode};
use crate::{parts, project};
use ikigai_ports::NodeHandle as _;
use ikigai_types::Resources;
use ikigai_wire::api::{Command as Do, SubmitRequest, SubmitSource, TaskOptions, WhyView};
use std::path::PathBuf;
use std::time::Duration;

/// Tasks that go wrong, each in a way of its own.
const TASKS: &str = "\
# Tasks: why

## Phase 1: All of it

- [ ] T001 [P] Is stopped by the provider's quota in a.txt
- [ ] T002 [P] Fails its check in b.txt
  - verify: `test -f nowhere`
- [ ] T003 [P] Changes nothing in c.txt
- [ ] T004 [P] Takes long in d.txt
- [ ] T005 [P] Wants a tag in e.txt
- [ ] T006 [P] Waits for T005 in f.txt (depends on T005)
- [ ] T007 [P] Wants every slot in g.txt
- [ ] T008 [P] Wants another provider in h.txt
";

/// Another feature, which changes a file of the first one.
const ALSO: &str = "# Tasks: also\n\n## Phase 1: All of it\n\n- [ ] T011 Mends d.txt\n";

const SCRIPT: &str = r#"
[[task]]
id = "T001"
fail = { status = 429, retry_after = 60 }
[[task.step]]
run = "true"

[[task]]
id = "T002"
[[task.step]]
run = "echo b > b.txt && git add -A && git commit -qm b"

[[task]]
id = "T003"

[[task]]
id = "T004"
[[task.step]]
run = "echo d > d.txt"
delay_ms = 60000
"#;

async fn node(image: &str) -> (TestNode, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let script: PathBuf = folder.path().join("model.toml");
    std::fs::write(&script, SCRIPT).unwrap();
    let node = TestNode::scripted(&Runs::Docker(image.to_owned()), "backend = \"git\"", "", &script).await;
    for (feature, tasks) in [("specs/002-why", TASKS), ("specs/003-also", ALSO)] {
        let feature = node.project().join(feature);
        std::fs::create_dir(&feature).unwrap();
        std::fs::write(feature.join("tasks.md"), tasks).unwrap();
    }
    project::git(&node.project(), &["add", "-A"]);
    project::git(&node.project(), &["commit", "-qm", "why"]);
    (node, folder)
}

async fn submit(node: &TestNode, id: &str, options: TaskOptions) {
    submit_of(node, "specs/002-why", id, options).await;
}

async fn submit_of(node: &TestNode, feature: &str, id: &str, options: TaskOptions) {
    let source = SubmitSource::Feature {
        feature: Some(feature.to_owned()),
        ids: vec![id.to_owned()],
        with_deps: false,
    };
    let project = node.project().display().to_string();
    let request = SubmitRequest { project, source, options, ..SubmitRequest::default() };
    node.handle().submit(request).await.unwrap_or_else(|e| panic!("{id}: {e} {:?}", e.hint));
}

/// Waits until `why` names `cause`. Causes come and go, so it is asked often; one that lasts would be seen anyway.
async fn why(node: &TestNode, id: &str, cause: &str) -> WhyView {
    let mut seen = Vec::new();
    let named = async {
        loop {
            let why = node.task(id).await.why;
            if why.cause == cause {
                return why;
            }
            if seen.last() != Some(&why.text) {
                seen.push(why.text);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let named = tokio::time::timeout(Duration::from_secs(90), named).await;
    let named = named.unwrap_or_else(|_| panic!("{id} was never {cause}: {seen:#?}\n{}", node.log_text()));
    println!("{id} {cause}: {} [{}]", named.text, named.hint.as_deref().unwrap_or_default());
    named
}

#[track_caller]
fn says(why: &WhyView, text: &str, hint: &str) {
    assert!(why.text.contains(text), "{:?} does not say {text:?}", why.text);
    let given = why.hint.as_deref().unwrap_or_default();
    assert!(given.contains(hint) && given.is_empty() == hint.is_empty(), "hint {given:?} is not {hint:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_cause_is_named_with_what_to_do() {
    let Some(image) = parts::docker_image("each_cause_is_named_with_what_to_do") else { return };
    let (node, _script) = node(&image).await;
    let default = TaskOptions::default;

    // What keeps a task from any node.
    submit(&node, "T005", TaskOptions { requires: Some("gpu=true".parse().unwrap()), ..default() }).await;
    says(&why(&node, "T005", "tag").await, "test: no tag gpu=true", "[node] tags");
    submit(&node, "T006", default()).await;
    says(&why(&node, "T006", "dependency").await, "waits for T005 (waiting", "");
    let elsewhere =
        TaskOptions { provider: Some("elsewhere".to_owned()), allow_unknown_price: true, ..default() };
    submit(&node, "T008", elsewhere).await;
    says(&why(&node, "T008", "credential").await, "no credential for provider elsewhere", "provider's key");

    // A person, and what one task takes from another.
    submit(&node, "T004", default()).await;
    says(&why(&node, "T004", "running").await, "runs on test, attempt 1", "ikigai task logs -f T004");
    submit_of(&node, "specs/003-also", "T011", default()).await;
    says(
        &why(&node, "T011", "claim").await,
        "waits for T004 (running on test, attempt 1): both change d.txt",
        "",
    );
    let also = node.task("T011").await;
    node.handle().command(&also.id, Do::Stop).await.unwrap();
    let all = Resources { cpu_millis: 100, memory_bytes: 1 << 28, slots: 3, ..Resources::default() };
    submit(&node, "T007", TaskOptions { request: Some(all), ..default() }).await;
    says(&why(&node, "T007", "capacity").await, "3, free 2", "ikigai node ls");
    let long = node.task("T004").await;
    node.handle().command(&long.id, Do::Pause).await.unwrap();
    says(&why(&node, "T004", "paused").await, "a person paused it", "ikigai task resume T004");
    node.handle().command(&long.id, Do::Resume).await.unwrap();
    why(&node, "T004", "running").await;
    node.handle().command(&long.id, Do::Stop).await.unwrap();
    says(&why(&node, "T004", "cancelled").await, "a person stopped it", "ikigai task retry T004");
    let wants_all = node.task("T007").await;
    node.handle().command(&wants_all.id, Do::Stop).await.unwrap();

    // What an attempt met.
    submit(&node, "T001", default()).await;
    says(&why(&node, "T001", "quota").await, "the quota of provider scripted is used up; goes on in ", "");
    submit(&node, "T003", TaskOptions { max_attempts: Some(9), ..default() }).await;
    says(&why(&node, "T003", "back-off").await, "ended, no-change", "ikigai task retry T003 to start it now");
    submit(&node, "T002", TaskOptions { max_attempts: Some(1), ..default() }).await;
    says(&why(&node, "T002", "check-failed").await, "test -f nowhere", "ikigai task retry T002");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_image_is_named() {
    let test = "a_missing_image_is_named";
    if parts::docker_image(test).is_none() {
        return;
    }
    let (node, _script) = node(&format!("sha256:{}", "0".repeat(64))).await;
    submit(&node, "T004", TaskOptions::default()).await;
    says(&why(&node, "T004", "image-missing").await, "no agent image", "make image");
}
