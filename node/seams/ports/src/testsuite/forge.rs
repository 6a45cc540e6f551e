//! What every [`Forge`] is held to.

use crate::forge::{Mark, Patch, PatchText};
use crate::{Forge, PortError, Signer, Workspaces};
use ikigai_types::{AttemptId, Change, Commit, Epoch, Fence, PatchId, ProjectId, TaskId};
use std::path::Path;
use tokio::process::Command;

/// A forge, and what its patches are made from.
#[derive(Debug)]
pub struct Scene<'a> {
    /// The forge under test.
    pub forge: &'a dyn Forge,
    /// The workspaces of the same node.
    pub workspaces: &'a dyn Workspaces,
    /// Signs commits and merges.
    pub signer: &'a dyn Signer,
    /// A project that was never adopted.
    pub project: ProjectId,
    /// Its checkout: on a branch, clean, with a file `a`.
    pub checkout: &'a Path,
}

/// Runs all of it, one after the other on one project.
pub async fn suite(scene: &Scene<'_>) {
    scene.workspaces.import(&scene.project, scene.checkout, None).await.unwrap();
    let adopted = scene.forge.adopt(&scene.project, scene.checkout).await.unwrap();
    let again = scene.forge.adopt(&scene.project, scene.checkout).await.unwrap();
    assert_eq!(adopted, again, "adopting again finds the same project");
    assert!(!adopted.id.is_empty() && !adopted.branch.is_empty());
    // The person goes on meanwhile: what they commit is built on, and published with the first merge.
    git(scene.checkout, &["commit", "-q", "--allow-empty", "-m", "by the person"]).await;
    let base = scene.workspaces.import(&scene.project, scene.checkout, None).await.unwrap();
    let one = opens(scene, &base).await;
    let two = patch(scene, "T002", 1, &base, "a", "two\n").await;
    talks(scene, &one.1).await;
    let merged = merges(scene, &one, &base).await;
    conflicts(scene, &two, &merged).await;
    archives(scene, &two.1).await;
    goes_on(scene, &two.1, &base).await;
    publishes(scene, &base, &merged).await;
}

type Opened = (Change, PatchId);

/// One patch for a task, one revision for a fence, whoever remembers the patch and however often it is asked.
async fn opens(scene: &Scene<'_>, base: &Commit) -> Opened {
    let first = patch(scene, "T001", 1, base, "b", "first\n").await;
    assert_eq!(reopened(scene, 1, None, &first.0).await, (first.1.clone(), 1), "one fence has one revision");
    scene.forge.mark(&scene.project, &first.1, Mark::Ready).await.unwrap();
    let one = patch(scene, "T001", 2, base, "a", "one\n").await;
    assert_eq!(one.1, first.1, "the next attempt adds to the task's patch");
    for known in [Some(&first.1), None] {
        assert_eq!(reopened(scene, 2, known, &one.0).await, (one.1.clone(), 2));
        assert_eq!(reopened(scene, 1, known, &first.0).await, (one.1.clone(), 1), "also when it comes late");
    }
    let listed = find(scene, &one.1).await;
    assert_eq!((listed.title.as_str(), listed.state.as_str()), ("T001: a change", "draft"));
    assert_eq!(listed.head, one.0.head);
    assert_eq!(listed.revisions, [first.0.head, one.0.head.clone()]);
    one
}

async fn reopened(scene: &Scene<'_>, number: u32, onto: Option<&PatchId>, change: &Change) -> (PatchId, u32) {
    let again = scene.forge.open(&scene.project, &fence("T001", number), onto, change, &text("T001")).await;
    let again = again.unwrap();
    (again.patch, again.revision)
}

async fn talks(scene: &Scene<'_>, patch: &PatchId) {
    let said = "VERIFIED\n\n- `cargo test` exited with 0\n- \"quotes\", $(no), -m, é";
    scene.forge.comment(&scene.project, patch, said).await.unwrap();
    scene.forge.comment(&scene.project, patch, said).await.unwrap();
    for _ in 0..2 {
        scene.forge.mark(&scene.project, patch, Mark::Ready).await.unwrap();
        assert_eq!(find(scene, patch).await.state, "open");
    }
    for _ in 0..2 {
        scene.forge.mark(&scene.project, patch, Mark::Draft).await.unwrap();
        assert_eq!(find(scene, patch).await.state, "draft");
    }
    scene.forge.mark(&scene.project, patch, Mark::Ready).await.unwrap();
    let none = PatchId::new("0".repeat(40)).unwrap();
    let missing = scene.forge.comment(&scene.project, &none, "x").await.unwrap_err();
    assert!(matches!(missing, PortError::NotFound(_)), "{missing:?}");
    let missing = scene.forge.mark(&scene.project, &none, Mark::Ready).await.unwrap_err();
    assert!(matches!(missing, PortError::NotFound(_)), "{missing:?}");
}

async fn merges(scene: &Scene<'_>, one: &Opened, base: &Commit) -> Commit {
    let text = merge_text();
    let merge = || scene.forge.merge(&scene.project, &one.1, &one.0.head, &text, scene.signer);
    let merged = merge().await.unwrap();
    assert_ne!(&merged, base);
    assert_eq!(merge().await.unwrap(), merged, "merging again is the same merge");
    assert_eq!(find(scene, &one.1).await.state, "merged");
    scene.forge.mark(&scene.project, &one.1, Mark::Draft).await.unwrap();
    assert_eq!(find(scene, &one.1).await.state, "merged", "what is merged stays merged");
    let late = scene.forge.open(&scene.project, &fence("T001", 3), Some(&one.1), &one.0, &text).await;
    assert!(matches!(late.unwrap_err(), PortError::Conflict(_)), "and gets no further revision");
    let now = scene.workspaces.import(&scene.project, scene.checkout, None).await.unwrap();
    assert_eq!(now, merged, "the node's copy has the merge, and the checkout behind it does not undo it");
    let head = git(scene.checkout, &["rev-parse", "HEAD"]).await;
    assert_eq!(head, base.0, "no checkout was touched");
    merged
}

async fn conflicts(scene: &Scene<'_>, two: &Opened, merged: &Commit) {
    let text = merge_text();
    let clash = scene.forge.merge(&scene.project, &two.1, &two.0.head, &text, scene.signer).await;
    let clash = clash.unwrap_err();
    assert!(matches!(&clash, PortError::Conflict(text) if text.contains("\"a\"")), "{clash:?}");
    let now = scene.workspaces.import(&scene.project, scene.checkout, None).await.unwrap();
    assert_eq!(&now, merged, "a conflict changes nothing");
    assert_eq!(find(scene, &two.1).await.state, "draft");
}

async fn archives(scene: &Scene<'_>, patch: &PatchId) {
    for _ in 0..2 {
        scene.forge.mark(&scene.project, patch, Mark::Archived).await.unwrap();
        assert_eq!(find(scene, patch).await.state, "archived");
    }
}

/// Whoever wants an archived patch's task tried again gets it back, as a draft.
async fn goes_on(scene: &Scene<'_>, two: &PatchId, base: &Commit) {
    let next = patch(scene, "T002", 2, base, "e", "two\n").await;
    assert_eq!(&next.1, two);
    let listed = find(scene, two).await;
    assert_eq!((listed.state.as_str(), listed.revisions.len(), listed.head), ("draft", 2, next.0.head));
}

async fn publishes(scene: &Scene<'_>, base: &Commit, merged: &Commit) {
    scene.forge.publish(&scene.project, merged).await.unwrap();
    scene.forge.publish(&scene.project, base).await.unwrap();
    let ahead = patch(scene, "T003", 1, merged, "c", "three\n").await.0.head;
    let aside = patch(scene, "T004", 1, base, "d", "four\n").await.0.head;
    scene.forge.publish(&scene.project, &ahead).await.unwrap();
    scene.forge.publish(&scene.project, &ahead).await.unwrap();
    let now = scene.workspaces.import(&scene.project, scene.checkout, None).await.unwrap();
    assert_eq!(now, ahead);
    let refused = scene.forge.publish(&scene.project, &aside).await.unwrap_err();
    assert!(matches!(refused, PortError::Conflict(_)), "{refused:?}");
}

/// Lets an agent write `content` to `file` from `base`, collects it and opens a patch of it.
pub async fn patch(
    scene: &Scene<'_>,
    task: &str,
    number: u32,
    base: &Commit,
    file: &str,
    content: &str,
) -> (Change, PatchId) {
    let fence = fence(task, number);
    let space = scene.workspaces.create(&scene.project, &fence, base).await.unwrap();
    tokio::fs::write(space.join(file), content).await.unwrap();
    git(&space, &["add", "-A"]).await;
    git(&space, &["commit", "-q", "-m", "a change"]).await;
    let change = scene.workspaces.collect(&scene.project, &fence, base, scene.signer).await;
    let change = change.unwrap().expect("something was committed");
    scene.workspaces.remove(&fence).await.unwrap();
    let opened = scene.forge.open(&scene.project, &fence, None, &change, &text(task)).await.unwrap();
    (change, opened.patch)
}

fn fence(task: &str, number: u32) -> Fence {
    let task = TaskId::new(format!("shop.001-cart.{task}")).unwrap();
    Fence { attempt: AttemptId { task, number }, epoch: Epoch(1) }
}

fn text(task: &str) -> PatchText {
    PatchText { title: format!("{task}: a change"), body: "What was asked.\n\nAnd \"more\".".to_owned() }
}

fn merge_text() -> PatchText {
    PatchText { title: "Merge a change".to_owned(), body: String::new() }
}

async fn find(scene: &Scene<'_>, id: &PatchId) -> Patch {
    let all = scene.forge.list(&scene.project).await.unwrap();
    all.into_iter().find(|p| p.id == *id).expect("an opened patch is listed")
}

async fn git(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(dir).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null");
    for (n, (key, value)) in
        [("safe.directory", "*"), ("user.name", "Agent"), ("user.email", "a@b")].iter().enumerate()
    {
        command.env(format!("GIT_CONFIG_KEY_{n}"), key).env(format!("GIT_CONFIG_VALUE_{n}"), value);
    }
    let out = command.env("GIT_CONFIG_COUNT", "3").output().await.unwrap();
    assert!(out.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}
