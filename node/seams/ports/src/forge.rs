//! Where patches are opened, seen by others, reviewed and merged.

use crate::workspace::{Change, Commit};
use crate::{PortResult, Signer};
use async_trait::async_trait;
use ikigai_types::{Fence, PatchId, ProjectId, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

/// A forge, as one node sees it. Every verb is idempotent by what it names.
///
/// The forge merges when told to and never by itself; who may tell it is decided above.
#[async_trait]
pub trait Forge: fmt::Debug + Send + Sync + 'static {
    /// `radicle`, `git`, …
    fn name(&self) -> &'static str;

    /// Makes the project at `checkout` known to the forge (for Radicle: `rad init`, a public repository) or
    /// finds that it is, and answers its id there (`rad:z…`) and its default branch.
    async fn adopt(&self, project: &ProjectId, checkout: &Path) -> PortResult<ForgeProject>;

    /// Makes `change` a revision of the task's patch, and that a draft: of `onto`, of the one that was opened for
    /// the task before, or of a new one when there is none. A fence has one revision, however often this is asked.
    /// [`crate::PortError::Conflict`] when the patch is merged already.
    async fn open(
        &self,
        project: &ProjectId,
        fence: &Fence,
        onto: Option<&PatchId>,
        change: &Change,
        text: &PatchText,
    ) -> PortResult<Opened>;

    /// Adds a comment (a verdict, a review line) to the newest revision; one that this node made there already is
    /// not made again.
    async fn comment(&self, project: &ProjectId, patch: &PatchId, body: &str) -> PortResult<()>;

    /// Makes a patch a draft, takes it out of draft, or archives it. A merged one stays what it is.
    async fn mark(&self, project: &ProjectId, patch: &PatchId, mark: Mark) -> PortResult<()>;

    /// Merges `head` into the default branch by a three-way merge without touching any checkout, signs the
    /// merge commit, publishes it, and answers it. Already merged: the same answer.
    /// [`crate::PortError::Conflict`] when the trees conflict, naming the files, and for no other reason.
    async fn merge(
        &self,
        project: &ProjectId,
        patch: &PatchId,
        head: &Commit,
        text: &PatchText,
        signer: &dyn Signer,
    ) -> PortResult<Commit>;

    /// Publishes `commit` (already in the node's bare copy) as the default branch if that is a
    /// fast-forward; [`crate::PortError::Conflict`] otherwise.
    async fn publish(&self, project: &ProjectId, commit: &Commit) -> PortResult<()>;

    /// Patches, newest first.
    async fn list(&self, project: &ProjectId) -> PortResult<Vec<Patch>>;
}

/// A project as the forge knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgeProject {
    /// Its id there.
    pub id: String,
    /// Its default branch.
    pub branch: String,
}

/// Title and description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchText {
    /// One line.
    pub title: String,
    /// The rest; may be empty.
    pub body: String,
}

/// Where a change is on the forge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The task's patch.
    pub patch: PatchId,
    /// Which revision of it the change is, from 1.
    pub revision: u32,
}

/// What to mark a patch as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Not for review yet.
    Draft,
    /// Ready for review.
    Ready,
    /// Will not be merged.
    Archived,
}

/// A patch as the forge lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// Its id.
    pub id: PatchId,
    /// Its title.
    pub title: String,
    /// `draft`, `open`, `merged` or `archived`.
    pub state: String,
    /// Head of its newest revision.
    pub head: Commit,
    /// Heads of its revisions by whoever opened it, the oldest first.
    pub revisions: Vec<Commit>,
    /// The newest of its revisions that the default branch contains, whoever merged it.
    pub landed: Option<Commit>,
    /// What was said of it, the oldest first; empty on a forge that cannot prove who said it.
    pub notes: Vec<Note>,
}

/// Something that was said of a patch. Anyone may: what it says is trusted as little as its author is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its id there.
    pub id: String,
    /// The key it is signed with, as the forge writes it (`z6Mk…`).
    pub author: String,
    /// Who that is to the repository.
    pub standing: Standing,
    /// It asks for a change: a comment or a refusal does, an approval and what was resolved do not.
    pub asks: bool,
    /// What it says.
    pub text: String,
    /// The lines it is about, where it is about lines.
    pub place: Option<Place>,
    /// When its author says they said it.
    pub at: Timestamp,
}

/// Lines of a file that somebody said something about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file, as the patch has it.
    pub path: String,
    /// The first of the lines, from 1.
    pub line: u64,
    /// What stands there; empty when that cannot be read.
    pub quote: String,
}

/// Who somebody is to a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// This node.
    Own,
    /// A delegate: may merge.
    Delegate,
    /// Anybody else.
    Stranger,
}
