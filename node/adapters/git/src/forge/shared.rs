//! The shared repository of one project, as one verb of the forge reads and writes it.
//!
//! One in a folder of this machine is read where it is, and borrows the objects of the node's copy: nothing is
//! fetched or pushed, and its references move in one transaction. One elsewhere is fetched first, and pushed to.

use super::record::{FETCHED, SHARED};
use super::{GitForge, Place, folder, remote};
use crate::copies::{Held, Standing};
use crate::turns::Turn;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{Commit, ProjectId};
use std::path::PathBuf;

/// Where the node's copy keeps what it fetched of the shared branches.
pub(super) const HEADS: &str = "refs/ikigai/forge/heads/";

/// A reference to be moved.
#[derive(Debug)]
pub(super) struct Move {
    /// Its full name.
    pub name: String,
    pub new: Commit,
    pub from: From,
}

/// Where a reference has to be before it is moved.
#[derive(Debug)]
pub(super) enum From {
    Anywhere,
    Nowhere,
    At(Commit),
}

/// See the module.
#[derive(Debug)]
pub(super) struct Shared<'a> {
    pub forge: &'a GitForge,
    pub project: &'a ProjectId,
    turn: Turn,
    /// What was fetched is good for as long as nobody else fetches or pushes.
    held: Option<Held>,
}

impl<'a> Shared<'a> {
    /// For a verb that says something of a patch: its references are compared as they are moved.
    pub async fn open(forge: &'a GitForge, project: &'a ProjectId, turn: Turn) -> PortResult<Self> {
        match &forge.place {
            Place::Folder(_) => {
                forge.copies.existing(project)?;
                let shared = Self { forge, project, turn, held: None };
                folder::lend(&shared).await?;
                Ok(shared)
            }
            Place::Remote(_) => Self::alone(forge, project, turn).await,
        }
    }

    /// For a verb that moves the default branch: nobody else changes the project meanwhile.
    pub async fn alone(forge: &'a GitForge, project: &'a ProjectId, turn: Turn) -> PortResult<Self> {
        forge.copies.existing(project)?;
        let held = Some(forge.copies.hold_in(project, turn).await?);
        let shared = Self { forge, project, turn, held };
        match &forge.place {
            Place::Folder(_) => folder::lend(&shared).await?,
            Place::Remote(_) => remote::fetch(&shared).await?,
        }
        Ok(shared)
    }

    /// The repository its references and records are read from.
    pub fn dir(&self) -> PathBuf {
        match &self.forge.place {
            Place::Folder(folder) => folder::path(folder, self.project),
            Place::Remote(_) => self.forge.copies.path(self.project),
        }
    }

    /// Where its records are there.
    pub fn records(&self) -> &'static str {
        match &self.forge.place {
            Place::Folder(_) => SHARED,
            Place::Remote(_) => FETCHED,
        }
    }

    /// Its name for branch `branch` there.
    pub fn head(&self, branch: &str) -> String {
        match &self.forge.place {
            Place::Folder(_) => format!("refs/heads/{branch}"),
            Place::Remote(_) => format!("{HEADS}{branch}"),
        }
    }

    /// Its name for people.
    pub fn url(&self) -> String {
        remote::url(self.forge, self.project)
    }

    /// The default branch: where its HEAD points.
    pub async fn branch(&self) -> PortResult<String> {
        remote::branch(self.forge, self.project).await
    }

    /// Where a shared branch is.
    pub async fn tip(&self, branch: &str) -> PortResult<Option<Commit>> {
        self.forge.copies.resolve_in(&self.dir(), &self.head(branch)).await
    }

    /// Reads it again, after somebody else was first.
    pub async fn again(&self) -> PortResult<()> {
        match &self.forge.place {
            Place::Folder(_) => Ok(()),
            Place::Remote(_) => remote::fetch(self).await,
        }
    }

    /// Makes sure that `commit` is in the node's copy, checked like all that comes from elsewhere.
    pub async fn bring(&self, commit: &Commit) -> PortResult<()> {
        let copies = &self.forge.copies;
        if copies.present(self.project, std::slice::from_ref(commit)).await?.is_empty() {
            let _held = self.hold().await?;
            remote::fetch(self).await?;
        }
        Ok(())
    }

    /// Moves all of these or none; [`PortError::Conflict`] when one of them is not where it has to be.
    pub async fn set(&self, moves: &[Move]) -> PortResult<()> {
        let _held = self.hold().await?;
        match &self.forge.place {
            Place::Folder(_) => folder::set(self, moves).await,
            Place::Remote(_) => remote::push(self, moves).await,
        }
    }

    /// The project, unless it is held already.
    pub async fn hold(&self) -> PortResult<Option<Held>> {
        match self.held {
            Some(_) => Ok(None),
            None => self.forge.copies.hold_in(self.project, self.turn).await.map(Some),
        }
    }

    /// Brings whichever of the shared branch and the copy's is behind up to the other; answers where both are.
    pub async fn forward(&self, branch: &str, theirs: &Commit, ours: &Commit) -> PortResult<Commit> {
        if theirs == ours {
            return Ok(ours.clone());
        }
        let name = format!("refs/heads/{branch}");
        let copies = &self.forge.copies;
        let standing = match copies.standing(self.project, ours, theirs).await {
            // What somebody pushed there is not here yet.
            Err(_) => {
                self.bring(theirs).await?;
                copies.standing(self.project, ours, theirs).await?
            }
            Ok(standing) => standing,
        };
        match standing {
            Standing::Same => Ok(ours.clone()),
            Standing::Behind => {
                let set = self.forge.copies.set_ref(self.project, &name, theirs, Some(ours));
                set.await.map(|()| theirs.clone())
            }
            Standing::Ahead => {
                let next = Move { name, new: ours.clone(), from: From::At(theirs.clone()) };
                self.set(&[next]).await.map(|()| ours.clone())
            }
            Standing::Apart => Err(PortError::Refused(format!(
                "branch `{branch}` here and at {0} have each gone on; in the checkout run: \
                 git pull --no-rebase {0} {branch}, then try again",
                self.url()
            ))),
        }
    }

    /// Where the default branch is once the copy and the shared repository agree.
    pub async fn ours(&self, branch: &str, theirs: Option<&Commit>) -> PortResult<Commit> {
        let ours = self.forge.copies.resolve(self.project, &format!("refs/heads/{branch}")).await?;
        let ours =
            ours.ok_or_else(|| PortError::NotFound(format!("branch `{branch}` in the node's copy")))?;
        match theirs {
            Some(theirs) => self.forward(branch, theirs, &ours).await,
            None => Ok(ours),
        }
    }

    /// Moves the default branch on, there first: what is not published is not merged.
    pub async fn advance(&self, branch: &str, old: &Commit, new: &Commit, there: bool) -> PortResult<()> {
        let name = format!("refs/heads/{branch}");
        let from = if there { From::At(old.clone()) } else { From::Nowhere };
        match self.set(&[Move { name: name.clone(), new: new.clone(), from }]).await {
            // Somebody else was first: that says nothing of the change.
            Err(error @ PortError::Conflict(_)) => {
                return Err(PortError::unavailable("the shared branch", error));
            }
            set => set?,
        }
        // It is published: that the copy could not follow yet says nothing of the change.
        let followed = self.forge.copies.set_ref(self.project, &name, new, Some(old)).await;
        followed.map_err(|error| PortError::unavailable("the node's copy", error))
    }
}
