//! The checked-out copy an agent works in, and the safe way back out of it.

use crate::PortResult;
use async_trait::async_trait;
use ikigai_types::{Fence, ProjectId};
use std::fmt;
use std::path::{Path, PathBuf};

pub use ikigai_types::{Change, Commit};

/// What was saved of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The ref that keeps it.
    pub reference: String,
    /// The commit there; what the attempt began from is an ancestor of it.
    pub commit: Commit,
    /// Another attempt may go on from it: it changes nothing that `collect` refuses.
    pub sound: bool,
}

/// Workspaces of one node, over its own bare copy of each project.
///
/// A workspace is hostile once an agent was in it: no verb runs git with the workspace's own
/// configuration, hooks, filters or alternates, follows a symlink out of it, or trusts its refs.
/// Every verb is idempotent by `fence`.
#[async_trait]
pub trait Workspaces: fmt::Debug + Send + Sync + 'static {
    /// Brings the node's bare copy of `project` up to date with the checkout or repository at `source`
    /// and answers the commit its branch `branch` (or HEAD when `None`) points at.
    async fn import(&self, project: &ProjectId, source: &Path, branch: Option<&str>) -> PortResult<Commit>;

    /// Makes a fresh clone at `base` on a branch `ikigai/<task>`, owned by the workload user. Files the
    /// project's filter denies (`.env`, keys) are not in it.
    async fn create(&self, project: &ProjectId, fence: &Fence, base: &Commit) -> PortResult<PathBuf>;

    /// Takes what the agent committed since `base` into the bare copy, each commit made anew and signed by
    /// `signer` (author kept, committer is the node), and answers it; `None` when nothing was committed.
    /// Files under `specs/**/tasks.md` are refused: [`crate::PortError::Refused`].
    async fn collect(
        &self,
        project: &ProjectId,
        fence: &Fence,
        base: &Commit,
        signer: &dyn crate::Signer,
    ) -> PortResult<Option<Change>>;

    /// Saves uncommitted files and commits that were not collected under
    /// `refs/ikigai/salvage/<task>/<attempt>` of the bare copy; answers what is there when there was something.
    async fn salvage(&self, project: &ProjectId, fence: &Fence, base: &Commit) -> PortResult<Option<Saved>>;

    /// Deletes the workspace; call `salvage` first. Not an error when there is none.
    async fn remove(&self, fence: &Fence) -> PortResult<()>;

    /// A collected change as a unified diff, cut with a note after 4 MiB.
    async fn diff(&self, project: &ProjectId, change: &Change) -> PortResult<String>;

    /// Fences that have a workspace on disk.
    async fn list(&self) -> PortResult<Vec<Fence>>;

    /// Bytes the workspace holds now.
    async fn usage(&self, fence: &Fence) -> PortResult<u64>;
}
