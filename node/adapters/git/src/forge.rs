//! The Forge port on a bare git repository: patches are branches, what is said of them is a chain of commits.
//!
//! `refs/heads/patches/<id>` is a patch's head, `refs/ikigai/revisions/<id>/<n>` are all heads it had, from 1.
//! `refs/ikigai/meta/<id>` is its record: the tree of its newest commit holds `patch.json`, and each commit's
//! message is one event (`git log` shows them). All of it travels by push and fetch like all else, so several nodes
//! can share one repository.

use crate::commit::checked;
use crate::copies::Copies;
use crate::merge;
use async_trait::async_trait;
use ikigai_ports::forge::{ForgeProject, Mark, Opened, Patch, PatchText};
use ikigai_ports::{Forge, PortError, PortResult, Signer};
use ikigai_types::{Change, Commit, Fence, PatchId, ProjectId};
use record::Record;
use std::path::{Path, PathBuf};

mod record;
mod remote;

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
        project: &ProjectId,
        patch: &PatchId,
        fence: &Fence,
        change: &Change,
    ) -> PortResult<usize> {
        let mut tries = 0;
        loop {
            let (tip, mut record) = record::read(&self.copies, project, patch).await?;
            if let Some(number) = record.number_of(fence) {
                return Ok(number);
            }
            if record.is_merged() {
                return Err(PortError::Conflict(format!("patch {patch} is merged already")));
            }
            let number = record.revise(fence, change);
            let message = format!("revision {number}");
            let next = record::write(&self.copies, project, &record, &message, Some(&tip)).await?;
            let [branch, kept] = record.refs(patch);
            match remote::push(self, project, &[branch, kept, format!("{next}:{}", record::name(patch))])
                .await
            {
                Err(PortError::Conflict(_)) if tries < 5 => tries += 1,
                other => return other.map(|()| number),
            }
            remote::sync(self, project).await?;
        }
    }

    /// Changes the record of `patch` by `change`, which answers the event's message or that there is nothing
    /// to say; again when someone else was first.
    async fn amend(
        &self,
        project: &ProjectId,
        patch: &PatchId,
        change: impl Fn(&mut Record, &[String]) -> Option<String> + Send + Sync,
    ) -> PortResult<()> {
        for attempt in 0.. {
            remote::sync(self, project).await?;
            let (tip, mut record) = record::read(&self.copies, project, patch).await?;
            let events = record::events(&self.copies, project, &tip).await?;
            let Some(message) = change(&mut record, &events) else { return Ok(()) };
            let next = record::write(&self.copies, project, &record, &message, Some(&tip)).await?;
            let push = [format!("{next}:{}", record::name(patch))];
            match remote::push(self, project, &push).await {
                Err(PortError::Conflict(_)) if attempt < 5 => {}
                other => return other,
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Forge for GitForge {
    fn name(&self) -> &'static str {
        "git"
    }

    async fn adopt(&self, project: &ProjectId, checkout: &Path) -> PortResult<ForgeProject> {
        self.copies.existing(project)?;
        let _held = self.copies.hold(project).await?;
        let wanted = self.copies.branch_of(checkout).await?;
        let branch = remote::make(self, project, &wanted).await?;
        remote::sync(self, project).await?;
        let theirs = remote::tip(self, project, &branch).await?;
        let ours = self.copies.resolve(project, &format!("refs/heads/{branch}")).await?;
        match (theirs, ours) {
            (None, Some(ours)) => {
                remote::push(self, project, &[format!("{ours}:refs/heads/{branch}")]).await?
            }
            (Some(theirs), Some(ours)) => remote::forward(self, project, &branch, &theirs, &ours).await?,
            (_, None) => {}
        }
        Ok(ForgeProject { id: remote::url(self, project), branch })
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
        let _held = self.copies.hold(project).await?;
        remote::sync(self, project).await?;
        let own = record::id(&self.copies, &fence.attempt.task).await?;
        for patch in onto.into_iter().chain([&own]) {
            match self.revise(project, patch, fence, change).await {
                Err(PortError::NotFound(_)) => {}
                Ok(number) => {
                    let revision = u32::try_from(number).unwrap_or(u32::MAX);
                    return Ok(Opened { patch: patch.clone(), revision });
                }
                Err(error) => return Err(error),
            }
        }
        let record = Record::draft(&own, fence, change, text);
        let commit = record::write(&self.copies, project, &record, "opened as a draft", None).await?;
        let [branch, kept] = record.refs(&own);
        remote::push(self, project, &[branch, kept, format!("{commit}:{}", record::name(&own))]).await?;
        Ok(Opened { patch: own, revision: 1 })
    }

    async fn comment(&self, project: &ProjectId, patch: &PatchId, body: &str) -> PortResult<()> {
        let _held = self.copies.hold(project).await?;
        let said = body.replace('\0', "").trim().to_owned();
        // Of an older revision the same was said of something else.
        let newest = |events: &[String]| {
            let since = events.iter().position(|e| e.starts_with("revision ")).unwrap_or(events.len());
            events[..since].contains(&said)
        };
        self.amend(project, patch, |_, events| (!newest(events)).then(|| said.clone())).await
    }

    async fn mark(&self, project: &ProjectId, patch: &PatchId, mark: Mark) -> PortResult<()> {
        let _held = self.copies.hold(project).await?;
        let state = match mark {
            Mark::Draft => "draft",
            Mark::Ready => "open",
            Mark::Archived => "archived",
        };
        self.amend(project, patch, |record, _| record.move_to(state)).await
    }

    async fn merge(
        &self,
        project: &ProjectId,
        patch: &PatchId,
        head: &Commit,
        text: &PatchText,
        signer: &dyn Signer,
    ) -> PortResult<Commit> {
        let _held = self.copies.hold(project).await?;
        remote::sync(self, project).await?;
        record::read(&self.copies, project, patch).await?;
        let branch = remote::branch(self, project).await?;
        let ours = remote::ours(self, project, &branch).await;
        // What is merged there is merged, also while the checkout has gone on by itself.
        let theirs = remote::tip(self, project, &branch).await?;
        let landed = match &theirs {
            Some(theirs) if ours.is_err() => self.copies.is_ancestor(project, head, theirs).await?,
            _ => false,
        };
        let (onto, is_ours) = match theirs {
            Some(theirs) if landed => (theirs, false),
            _ => (ours?, true),
        };
        let merged = merge::merge(&self.copies, project, &onto, head, text, signer).await?;
        if is_ours {
            remote::advance(self, project, &branch, &onto, &merged).await?;
        }
        // It is merged: who else writes the patch's record at this moment says nothing against it.
        let noted = self.amend(project, patch, |record, _| record.move_to("merged")).await;
        noted.map_err(|error| PortError::unavailable("the patch's record", error))?;
        Ok(merged)
    }

    async fn publish(&self, project: &ProjectId, commit: &Commit) -> PortResult<()> {
        checked(commit)?;
        let _held = self.copies.hold(project).await?;
        remote::sync(self, project).await?;
        let branch = remote::branch(self, project).await?;
        let ours = remote::ours(self, project, &branch).await?;
        if !self.copies.is_ancestor(project, &ours, commit).await? {
            return merge::behind(&self.copies, project, &branch, &ours, commit).await;
        }
        remote::advance(self, project, &branch, &ours, commit).await
    }

    async fn list(&self, project: &ProjectId) -> PortResult<Vec<Patch>> {
        self.copies.existing(project)?;
        let _held = self.copies.hold(project).await?;
        remote::sync(self, project).await?;
        let branch = remote::branch(self, project).await?;
        let tip = remote::tip(self, project, &branch).await?;
        let records = record::all(&self.copies, project).await?;
        let mut patches: Vec<Patch> = records.into_iter().filter_map(|r| r.patch().ok()).collect();
        self.copies.note_landed(project, &mut patches, tip.as_ref()).await?;
        Ok(patches)
    }
}
