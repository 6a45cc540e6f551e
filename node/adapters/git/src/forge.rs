//! The Forge port on a bare git repository: patches are branches, what is said of them is a chain of commits.
//!
//! `refs/heads/patches/<id>` is a patch's head, `refs/ikigai/revisions/<id>/<n>` are all heads it had, from 1.
//! `refs/ikigai/meta/<id>` is its record: the tree of its newest commit holds `patch.json`, and each commit's
//! message is one event (`git log` shows them). All of it travels by push and fetch like all else, so several nodes
//! can share one repository. One on this machine borrows the objects of the node's copy, see `forge/shared.rs`.

use crate::commit::checked;
use crate::copies::Copies;
use crate::merge;
use crate::turns::{self, Turn};
use async_trait::async_trait;
use ikigai_ports::forge::{ForgeProject, Mark, Opened, Patch, PatchText};
use ikigai_ports::{Forge, PortError, PortResult, Signer};
use ikigai_types::{Change, Commit, Fence, PatchId, ProjectId};
use record::Record;
use shared::{From, Move, Shared};
use std::path::{Path, PathBuf};

mod folder;
mod record;
mod remote;
mod shared;

/// How often a record is written again that somebody else wrote at the same moment.
const TRIES: u32 = 5;

/// Where the shared repositories are.
#[derive(Debug, Clone)]
pub enum Place {
    /// A folder with one bare repository per project, made when a project is adopted.
    Folder(PathBuf),
    /// The URL or path of one repository that is there already; for one project only.
    Remote(String),
}

/// A forge made of bare git repositories.
#[derive(Debug, Clone)]
pub struct GitForge {
    copies: Copies,
    place: Place,
}

impl GitForge {
    /// A forge for the projects whose bare copies are under `folder`, in a folder of its own there.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn new(folder: PathBuf) -> PortResult<Self> {
        let copies = Copies::open(&folder)?;
        let place = Place::Folder(copies.layout().forge());
        Ok(Self { copies, place })
    }

    /// A forge at `place`, pushed to from `copies`.
    pub fn at(copies: Copies, place: Place) -> Self {
        Self { copies, place }
    }

    /// Adds a revision to `patch`, or finds that of `fence`; answers its number.
    async fn revise(
        &self,
        shared: &Shared<'_>,
        patch: &PatchId,
        fence: &Fence,
        change: &Change,
    ) -> PortResult<usize> {
        let mut tries = 0;
        loop {
            let (tip, mut record) = record::read(shared, patch).await?;
            if let Some(number) = record.number_of(fence) {
                return Ok(number);
            }
            if record.is_merged() {
                return Err(PortError::Conflict(format!("patch {patch} is merged already")));
            }
            let number = record.revise(fence, change);
            let next = record::write(shared, &record, &format!("revision {number}"), Some(&tip)).await?;
            match shared.set(&record.moves(patch, next, Some(tip))).await {
                Err(PortError::Conflict(_)) if tries < TRIES => tries += 1,
                other => return other.map(|()| number),
            }
            shared.again().await?;
        }
    }

    /// Moves the patch, whose record was read, on to `state`; again when someone else was first.
    async fn move_to(
        shared: &Shared<'_>,
        patch: &PatchId,
        state: &str,
        (mut tip, mut record): (Commit, Record),
    ) -> PortResult<()> {
        let mut tries = 0;
        loop {
            let Some(message) = record.move_to(state) else { return Ok(()) };
            let next = record::write(shared, &record, &message, Some(&tip)).await?;
            match shared.set(&[record::record(patch, next, Some(tip))]).await {
                Err(PortError::Conflict(_)) if tries < TRIES => tries += 1,
                other => return other,
            }
            shared.again().await?;
            (tip, record) = record::read(shared, patch).await?;
        }
    }

    /// Says `said` of the newest revision of `patch`, unless that was said of it.
    async fn say(shared: &Shared<'_>, patch: &PatchId, said: &str) -> PortResult<()> {
        let mut tries = 0;
        loop {
            let (tip, record) = record::read(shared, patch).await?;
            // Of an older revision the same was said of something else.
            let events = record::events(shared, &tip).await?;
            let since = events.iter().position(|e| e.starts_with("revision ")).unwrap_or(events.len());
            if events[..since].iter().any(|event| event == said) {
                return Ok(());
            }
            let next = record::write(shared, &record, said, Some(&tip)).await?;
            match shared.set(&[record::record(patch, next, Some(tip))]).await {
                Err(PortError::Conflict(_)) if tries < TRIES => tries += 1,
                other => return other,
            }
            shared.again().await?;
        }
    }
}

#[async_trait]
impl Forge for GitForge {
    fn name(&self) -> &'static str {
        "git"
    }

    async fn adopt(&self, project: &ProjectId, checkout: &Path) -> PortResult<ForgeProject> {
        self.copies.existing(project)?;
        let wanted = self.copies.branch_of(checkout).await?;
        {
            let _held = self.copies.hold_in(project, Turn::Person).await?;
            folder::make(self, project, &wanted).await?;
        }
        let shared = Shared::alone(self, project, Turn::Person).await?;
        let branch = match shared.branch().await {
            Err(PortError::NotFound(_)) => wanted,
            other => other?,
        };
        let theirs = shared.tip(&branch).await?;
        let ours = self.copies.resolve(project, &format!("refs/heads/{branch}")).await?;
        match (theirs, ours) {
            (None, Some(ours)) => {
                let name = format!("refs/heads/{branch}");
                shared.set(&[Move { name, new: ours, from: From::Nowhere }]).await?;
            }
            (Some(theirs), Some(ours)) => shared.forward(&branch, &theirs, &ours).await.map(drop)?,
            (_, None) => {}
        }
        Ok(ForgeProject { id: shared.url(), branch })
    }

    async fn open(
        &self,
        project: &ProjectId,
        fence: &Fence,
        onto: Option<&PatchId>,
        change: &Change,
        text: &PatchText,
    ) -> PortResult<Opened> {
        checked(&change.head)?;
        let _room = turns::to_write(Turn::Work).await;
        let shared = Shared::open(self, project, Turn::Work).await?;
        let own = record::id(&self.copies, &fence.attempt.task).await?;
        for patch in onto.filter(|onto| **onto != own).into_iter().chain([&own]) {
            match self.revise(&shared, patch, fence, change).await {
                Err(PortError::NotFound(_)) => {}
                Ok(number) => {
                    let revision = u32::try_from(number).unwrap_or(u32::MAX);
                    return Ok(Opened { patch: patch.clone(), revision });
                }
                Err(error) => return Err(error),
            }
        }
        let record = Record::draft(&own, fence, change, text);
        let commit = record::write(&shared, &record, "opened as a draft", None).await?;
        shared.set(&record.moves(&own, commit, None)).await?;
        Ok(Opened { patch: own, revision: 1 })
    }

    async fn comment(&self, project: &ProjectId, patch: &PatchId, body: &str) -> PortResult<()> {
        let _room = turns::to_write(Turn::Person).await;
        let shared = Shared::open(self, project, Turn::Person).await?;
        Self::say(&shared, patch, body.replace('\0', "").trim()).await
    }

    async fn mark(&self, project: &ProjectId, patch: &PatchId, mark: Mark) -> PortResult<()> {
        let _room = turns::to_write(Turn::Person).await;
        let shared = Shared::open(self, project, Turn::Person).await?;
        let state = match mark {
            Mark::Draft => "draft",
            Mark::Ready => "open",
            Mark::Archived => "archived",
        };
        let read = record::read(&shared, patch).await?;
        Self::move_to(&shared, patch, state, read).await
    }

    async fn merge(
        &self,
        project: &ProjectId,
        patch: &PatchId,
        head: &Commit,
        text: &PatchText,
        signer: &dyn Signer,
    ) -> PortResult<Commit> {
        checked(head)?;
        let shared = Shared::alone(self, project, Turn::Person).await?;
        let branch = shared.branch().await?;
        let (tip, record, theirs) = record::read_with(&shared, patch, Some(&branch)).await?;
        // A patch of somebody else is not here yet.
        shared.bring(head).await?;
        let ours = shared.ours(&branch, theirs.as_ref()).await;
        // What is merged there is merged, also while the checkout has gone on by itself.
        let landed = match &theirs {
            Some(theirs) if ours.is_err() => self.copies.is_ancestor(project, head, theirs).await?,
            _ => false,
        };
        let merged = match &theirs {
            Some(theirs) if landed => {
                merge::make(&self.copies, project, theirs, head, text, signer).await?.commit
            }
            theirs => {
                let onto = ours?;
                let merged = merge::make(&self.copies, project, &onto, head, text, signer).await?;
                if merged.is_new {
                    shared.advance(&branch, &onto, &merged.commit, theirs.is_some()).await?;
                }
                merged.commit
            }
        };
        // It is merged: who else writes the patch's record at this moment says nothing against it.
        let noted = Self::move_to(&shared, patch, "merged", (tip, record)).await;
        noted.map_err(|error| PortError::unavailable("the patch's record", error))?;
        Ok(merged)
    }

    async fn publish(&self, project: &ProjectId, commit: &Commit) -> PortResult<()> {
        checked(commit)?;
        let shared = Shared::alone(self, project, Turn::Person).await?;
        let branch = shared.branch().await?;
        let theirs = shared.tip(&branch).await?;
        let ours = shared.ours(&branch, theirs.as_ref()).await?;
        if ours == *commit {
            return Ok(());
        }
        if !self.copies.is_ancestor(project, &ours, commit).await? {
            return merge::behind(&self.copies, project, &branch, &ours, commit).await;
        }
        shared.advance(&branch, &ours, commit, theirs.is_some()).await
    }

    async fn list(&self, project: &ProjectId) -> PortResult<Vec<Patch>> {
        let _room = turns::to_write(Turn::Work).await;
        let shared = Shared::open(self, project, Turn::Work).await?;
        let tip = shared.tip(&shared.branch().await?).await?;
        if let Some(tip) = &tip {
            shared.bring(tip).await?;
        }
        let records = record::all(&shared).await?;
        let mut patches: Vec<Patch> = records.into_iter().filter_map(|r| r.patch().ok()).collect();
        self.copies.note_landed(project, &mut patches, tip.as_ref()).await?;
        drop(shared);
        let kept: Vec<Commit> = patches.iter().flat_map(|p| &p.revisions).cloned().collect();
        if let Err(error) = self.copies.let_go(project, &kept).await {
            tracing::warn!(%project, error = error.chain(), "references nobody needs are kept");
        }
        Ok(patches)
    }
}
