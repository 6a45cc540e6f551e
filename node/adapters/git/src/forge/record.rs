//! What a git forge knows of a patch, kept as a chain of commits.

use super::shared::{From, Move, Shared};
use crate::batch;
use crate::commit::{Draft, checked};
use crate::copies::Copies;
use ikigai_ports::forge::{Patch, PatchText};
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{Change, Commit, Fence, PatchId, TaskId};
use serde::{Deserialize, Serialize};

/// Where records are in the shared repository.
pub(super) const SHARED: &str = "refs/ikigai/meta/";
/// Where revisions are in the shared repository: `<patch>/<number>`.
const REVISIONS: &str = "refs/ikigai/revisions/";
/// Where the node's copy keeps what it fetched of them.
pub(super) const FETCHED: &str = "refs/ikigai/forge/meta/";
/// Greatest record that is read.
const RECORD: usize = 1 << 20;

/// The content of `patch.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    id: String,
    title: String,
    body: String,
    state: String,
    head: Commit,
    base: Commit,
    fence: String,
    /// All of them, the oldest first; a record from before there were any has the one above.
    #[serde(default)]
    revisions: Vec<Revision>,
}

/// One state of a patch.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Revision {
    head: Commit,
    base: Commit,
    fence: String,
}

impl Revision {
    fn of(fence: &Fence, change: &Change) -> Self {
        Self { head: change.head.clone(), base: change.base.clone(), fence: fence.to_string() }
    }
}

impl Record {
    pub fn draft(id: &PatchId, fence: &Fence, change: &Change, text: &PatchText) -> Self {
        Self {
            id: id.to_string(),
            title: text.title.clone(),
            body: text.body.clone(),
            state: "draft".to_owned(),
            head: change.head.clone(),
            base: change.base.clone(),
            fence: fence.to_string(),
            revisions: vec![Revision::of(fence, change)],
        }
    }

    /// Adds a revision, which makes the patch a draft; answers its number.
    pub fn revise(&mut self, fence: &Fence, change: &Change) -> usize {
        if self.revisions.is_empty() {
            let (head, base, fence) = (self.head.clone(), self.base.clone(), self.fence.clone());
            self.revisions.push(Revision { head, base, fence });
        }
        let next = Revision::of(fence, change);
        (self.head, self.base, self.fence) = (next.head.clone(), next.base.clone(), next.fence.clone());
        self.revisions.push(next);
        "draft".clone_into(&mut self.state);
        self.revisions.len()
    }

    /// Which revision was made under `fence`, from 1.
    pub fn number_of(&self, fence: &Fence) -> Option<usize> {
        let wanted = fence.to_string();
        let found = self.revisions.iter().position(|r| r.fence == wanted).map(|i| i + 1);
        found.or_else(|| (self.revisions.is_empty() && self.fence == wanted).then_some(1))
    }

    /// Whether it is merged, as far as it says itself.
    pub fn is_merged(&self) -> bool {
        self.state == "merged"
    }

    /// What is moved for its newest revision: the patch's branch, a name that stays, and last the record, which is
    /// at `tip` and goes on to `next`.
    pub fn moves(&self, patch: &PatchId, next: Commit, tip: Option<Commit>) -> [Move; 3] {
        let id = crate::names::ref_part(patch.as_str());
        let number = self.revisions.len().max(1);
        let head = |name| Move { name, new: self.head.clone(), from: From::Anywhere };
        let [branch, kept] = [format!("refs/heads/patches/{id}"), format!("{REVISIONS}{id}/{number}")];
        [head(branch), head(kept), record(patch, next, tip)]
    }

    /// Moves on to `state`; the event's message when that is a change. What is merged stays merged.
    pub fn move_to(&mut self, state: &str) -> Option<String> {
        if self.state == state || self.state == "merged" {
            return None;
        }
        state.clone_into(&mut self.state);
        Some(format!("marked as {state}"))
    }

    pub fn patch(self) -> PortResult<Patch> {
        let id = PatchId::new(self.id).map_err(|_| PortError::Corrupt("the record of a patch".to_owned()))?;
        checked(&self.head)?;
        let mut revisions: Vec<Commit> = self.revisions.into_iter().map(|r| r.head).collect();
        if revisions.is_empty() {
            revisions.push(self.head.clone());
        }
        Ok(Patch {
            id,
            title: self.title,
            state: self.state,
            head: self.head,
            revisions,
            landed: None,
            notes: Vec::new(),
        })
    }
}

/// How the record of `patch` goes on from `tip` to `next`.
pub(super) fn record(patch: &PatchId, next: Commit, tip: Option<Commit>) -> Move {
    let name = format!("{SHARED}{}", crate::names::ref_part(patch.as_str()));
    Move { name, new: next, from: tip.map_or(From::Nowhere, From::At) }
}

/// The id the patch of a task always has: readable first, unmistakable last.
pub(super) async fn id(copies: &Copies, task: &TaskId) -> PortResult<PatchId> {
    let hash = copies.git().call("hash-object").arg("--stdin").input(task.to_string()).text().await?;
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let short: String = task.short().chars().map(plain).take(60).collect();
    let id = format!("{short}-{}", &hash[..8]);
    PatchId::new(id).map_err(|e| PortError::failed("naming a patch", e))
}

/// The newest commit of a patch's record, and the record.
pub(super) async fn read(shared: &Shared<'_>, patch: &PatchId) -> PortResult<(Commit, Record)> {
    read_with(shared, patch, None).await.map(|(tip, record, _)| (tip, record))
}

/// The same, and where branch `branch` is.
pub(super) async fn read_with(
    shared: &Shared<'_>,
    patch: &PatchId,
    branch: Option<&str>,
) -> PortResult<(Commit, Record, Option<Commit>)> {
    let name = format!("{}{}", shared.records(), crate::names::ref_part(patch.as_str()));
    let head = branch.map(|branch| shared.head(branch));
    let asked: Vec<String> = [name.clone(), file(&name)].into_iter().chain(head).collect();
    let mut found =
        batch::objects(shared.forge.copies.git(), &shared.dir(), &asked, RECORD).await?.into_iter();
    let mut next = |kind: &str| found.next().flatten().filter(|object| object.kind == kind);
    let tip = next("commit").ok_or_else(|| PortError::NotFound(format!("patch {patch}")))?;
    let text = next("blob").ok_or_else(|| PortError::Corrupt(format!("the record of patch {patch}")))?;
    let head = next("commit").map(|object| Commit(object.id));
    let record = serde_json::from_slice(&text.bytes);
    Ok((Commit(tip.id), record.map_err(|e| PortError::failed("reading a patch record", e))?, head))
}

/// Everything said in a record, newest first.
pub(super) async fn events(shared: &Shared<'_>, tip: &Commit) -> PortResult<Vec<String>> {
    let log = shared.forge.copies.git().bare(&shared.dir(), "log");
    let log = log.args(["-z", "--format=%B", checked(tip)?]).text().await?;
    Ok(log.split('\0').map(|event| event.trim().to_owned()).collect())
}

/// All records, newest first.
pub(super) async fn all(shared: &Shared<'_>) -> PortResult<Vec<Record>> {
    let (git, dir) = (shared.forge.copies.git(), shared.dir());
    let list = git.bare(&dir, "for-each-ref").args(["--sort=-committerdate", "--sort=-refname"]);
    let list = list.args(["--format=%(objectname)", shared.records()]).text().await?;
    let files: Vec<String> = list.lines().map(file).collect();
    let texts = batch::blobs(git, &dir, &files, RECORD).await?;
    let read = texts.iter().map(|text| serde_json::from_slice(text));
    // Anyone who may push may write nonsense; it must not hide the others.
    let project = shared.project;
    let told = |error: &serde_json::Error| tracing::warn!(%project, %error, "a patch record cannot be read");
    Ok(read.filter_map(|record| record.inspect_err(told).ok()).collect())
}

/// Writes the next commit of a record where it is read.
pub(super) async fn write(
    shared: &Shared<'_>,
    record: &Record,
    message: &str,
    tip: Option<&Commit>,
) -> PortResult<Commit> {
    let (git, dir) = (shared.forge.copies.git(), shared.dir());
    let text =
        serde_json::to_vec_pretty(record).map_err(|e| PortError::failed("writing a patch record", e))?;
    let blob = git.bare(&dir, "hash-object").args(["-w", "--stdin"]).input(text).text().await?;
    let tree = git.bare(&dir, "mktree").input(format!("100644 blob {blob}\tpatch.json\n")).text().await?;
    let draft = Draft {
        tree: &tree,
        parents: tip.iter().map(|tip| tip.0.as_str()).collect(),
        author: None,
        encoding: None,
        message: format!("{message}\n").into_bytes(),
    };
    draft.write(git, &dir, None).await
}

/// Where a record is in one of its commits.
fn file(commit: &str) -> String {
    format!("{commit}:patch.json")
}
