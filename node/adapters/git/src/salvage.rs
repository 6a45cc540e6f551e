//! Saves what an agent left: files it did not commit, and commits that were not collected.
//!
//! git never looks at the workspace's files: they are read here, through folders held open, and handed to
//! `git fast-import` as bytes. Only `.gitignore` files are read by git itself, as data.

use crate::commit::{self, NODE, checked};
use crate::copies::Copies;
use crate::ignore::Ignore;
use crate::names::attempt_ref;
use crate::view::View;
use crate::{collect, quarantine};
use ikigai_ports::workspace::{Commit, Saved};
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{Fence, ProjectId};

mod stream;

/// Saves the workspace of `fence`; see [`ikigai_ports::Workspaces::salvage`].
pub(crate) async fn salvage(
    copies: &Copies,
    view: &View,
    project: &ProjectId,
    fence: &Fence,
    base: &Commit,
) -> PortResult<Option<Saved>> {
    checked(base)?;
    let bare = copies.existing(project)?;
    let workspace = copies.layout().workspace(fence);
    if !workspace.is_dir() {
        return Ok(None);
    }
    let _held = copies.hold(project).await?;
    let name = attempt_ref("salvage", &fence.attempt);
    let parent = uncollected(copies, project, fence, base).await?;
    let saved = attempt_ref("leftover", &fence.attempt);
    copies.drop_ref(project, &saved).await?;
    let tree = tree_of(copies, project, &parent).await?;
    let list = copies.call(project, "ls-tree").args(["-r", "-z", &tree]).limit(256 << 20).run().await?;
    let ignore = Ignore::start(copies.git(), &bare, &workspace)?;
    let message = message(fence, base);
    let import = copies.git().bare(&bare, "fast-import");
    let import = import.args(["--quiet", "--force", "--done", "--date-format=now"]);
    let job = stream::Leftover {
        workspace: workspace.clone(),
        list,
        view: view.clone(),
        ignore,
        reference: saved.clone(),
        parent: parent.0.clone(),
        committer: NODE.to_owned(),
        message,
    };
    import.feed(move |pipe| job.write(pipe)).await.map_err(PortError::from)?;
    let head = copies.resolve(project, &saved).await?;
    let head = head.ok_or_else(|| PortError::Corrupt(format!("what was saved of {fence}")))?;
    let keep = if tree_of(copies, project, &head).await? == tree { parent } else { head };
    copies.drop_ref(project, &saved).await?;
    settle(copies, project, fence, base, &name, keep).await
}

/// Points the salvage ref at `keep` unless that is collected or nothing new.
async fn settle(
    copies: &Copies,
    project: &ProjectId,
    fence: &Fence,
    base: &Commit,
    name: &str,
    keep: Commit,
) -> PortResult<Option<Saved>> {
    let collected = collected(copies, project, fence).await?;
    let same_tree = match &collected {
        Some(head) => tree_of(copies, project, head).await? == tree_of(copies, project, &keep).await?,
        None => false,
    };
    let earlier = copies.resolve(project, name).await?;
    if keep == *base || same_tree {
        return match earlier {
            Some(earlier) => saved(copies, project, base, name, earlier).await.map(Some),
            None => Ok(None),
        };
    }
    copies.set_ref(project, name, &keep, earlier.as_ref()).await?;
    saved(copies, project, base, name, keep).await.map(Some)
}

async fn saved(
    copies: &Copies,
    project: &ProjectId,
    base: &Commit,
    name: &str,
    commit: Commit,
) -> PortResult<Saved> {
    let sound = match collect::refuse(copies, project, base, &commit).await {
        Ok(()) => true,
        Err(PortError::Refused(_)) => false,
        Err(error) => return Err(error),
    };
    Ok(Saved { reference: name.to_owned(), commit, sound })
}

/// Where the agent's own commits ended, brought into the copy; `base` when there are none that are sound.
async fn uncollected(
    copies: &Copies,
    project: &ProjectId,
    fence: &Fence,
    base: &Commit,
) -> PortResult<Commit> {
    let found = match quarantine::fill(copies, project, fence, base).await {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!(%fence, error = %error.chain(), "commits of a workspace cannot be saved, only its files");
            return Ok(base.clone());
        }
    };
    let Some(quarantine) = found else { return Ok(base.clone()) };
    let Some(head) = quarantine.head.clone().filter(|head| *head != base.0) else { return Ok(base.clone()) };
    let head = Commit(head);
    let incoming = attempt_ref("uncollected", &fence.attempt);
    match collect::take(copies, project, &quarantine, &head, &incoming).await {
        Ok(()) => {
            copies.drop_ref(project, &incoming).await?;
            Ok(head)
        }
        Err(error) => {
            tracing::warn!(%fence, error = %error.chain(), "commits of a workspace cannot be saved, only its files");
            Ok(base.clone())
        }
    }
}

async fn collected(copies: &Copies, project: &ProjectId, fence: &Fence) -> PortResult<Option<Commit>> {
    copies.resolve(project, &attempt_ref("attempts", &fence.attempt)).await
}

async fn tree_of(copies: &Copies, project: &ProjectId, commit: &Commit) -> PortResult<String> {
    Ok(commit::read(copies.git(), &copies.path(project), &commit.0).await?.tree)
}

fn message(fence: &Fence, base: &Commit) -> String {
    format!(
        "Left behind by {fence}\n\nFiles that were not committed when its workspace was given up, made from {base}.\n\n\
         Ikigai-Task: {}\nIkigai-Salvage: {fence}\n",
        fence.attempt.task.short()
    )
}
