//! What follows an agent's work: patch, checks, merge, box. Each is done by its own short program here, is
//! repeated by the owner until it worked, and finds what an earlier try already did.

mod check;
mod merge;

use crate::checker::Checker;
use crate::mesh::Neighbours;
use crate::owner::OwnerHandle;
use crate::peer::LocalPeer;
use crate::{Options, Parts};
use ikigai_ports::PortError;
use ikigai_ports::forge::{Mark, PatchText};
use ikigai_task::{Effect, Observation, Task};
use ikigai_types::{Change, Fence, NodeId, ProjectId, TaskId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// Runs chores. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Chores {
    parts: Parts,
    options: Arc<Options>,
    node: NodeId,
    owner: OwnerHandle,
    peer: LocalPeer,
    checker: Checker,
    neighbours: Arc<Neighbours>,
    stop: CancellationToken,
    projects: Arc<Mutex<HashMap<ProjectId, Arc<Lane>>>>,
}

/// Merges and box flips of one project come one after the other. Of the merges only one at a time stands in line for
/// the checkout: the box of what is merged is ticked before the next merge but one, however many wait.
#[derive(Debug, Default)]
struct Lane {
    merges: tokio::sync::Mutex<()>,
    checkout: tokio::sync::Mutex<()>,
}

/// What came of a chore: something to tell the owner, or why not.
type Done = Result<Option<Observation>, PortError>;

impl Chores {
    pub(crate) fn new(
        peer: LocalPeer,
        neighbours: Arc<Neighbours>,
        owner: OwnerHandle,
        stop: CancellationToken,
    ) -> Self {
        let (parts, options, node) = (peer.parts.clone(), peer.options.clone(), peer.node);
        let (checker, projects) = (peer.checker.clone(), Arc::default());
        Self { parts, options, node, owner, peer, checker, neighbours, stop, projects }
    }

    /// Does one chore of `task` and reports what came of it. A node that stops leaves it to the next start.
    pub(crate) async fn run(&self, effect: Effect, task: Task) {
        let name = name(&effect);
        let done = tokio::select! {
            biased;
            () = self.stop.cancelled() => return,
            done = self.one(effect, &task) => done,
        };
        let observation = match done {
            Ok(observation) => observation,
            Err(error) => {
                tracing::warn!(task = %task.spec.id, chore = name, error = error.chain(), "a chore did not work");
                let text = format!("{name}: {}", error.chain());
                Some(Observation::ChoreFailed { task: task.spec.id.clone(), chore: name, text })
            }
        };
        if let Some(observation) = observation {
            let _ = self.owner.observe(observation).await;
        }
    }

    async fn one(&self, effect: Effect, task: &Task) -> Done {
        match effect {
            Effect::OpenPatch(fence) => self.open_patch(task, fence).await,
            Effect::Verify(fence) => self.verify(task, fence).await,
            Effect::Merge(fence) => self.merge(task, fence).await,
            Effect::Tick(id) => self.tick(task, id).await,
            Effect::Tell { text, .. } => self.tell(task, &text).await,
            Effect::SendBack { fence, text } => self.send_back(task, &fence, &text).await,
            Effect::Archive { task: id, text } => self.archive(task, id, &text).await,
            _ => Ok(None),
        }
    }

    async fn open_patch(&self, task: &Task, fence: Fence) -> Done {
        let change = change(task)?;
        if self.is_what_was_reviewed(task, change).await? {
            return Ok(Some(Observation::Unchanged { fence }));
        }
        let (onto, text) = (task.patch(), patch_text(task, &fence));
        let opened = self.parts.forge.open(&task.spec.project, &fence, onto, change, &text).await?;
        Ok(Some(Observation::PatchOpened { fence, patch: opened.patch, revision: opened.revision }))
    }

    /// Whether an agent that was to change something left it as it was. Its commits are made anew under each lease:
    /// only what is in them says so.
    async fn is_what_was_reviewed(&self, task: &Task, change: &Change) -> Result<bool, PortError> {
        let from = task.attempts.last().and_then(|a| a.continues.as_ref()).filter(|c| c.reviewed);
        let Some(from) = from else { return Ok(false) };
        let since = Change { base: from.commit.clone(), ..change.clone() };
        Ok(self.parts.workspaces.diff(&task.spec.project, &since).await?.is_empty())
    }

    async fn tell(&self, task: &Task, text: &str) -> Done {
        let Some(patch) = task.patch() else { return Ok(None) };
        let (forge, project) = (&self.parts.forge, &task.spec.project);
        let told = [forge.comment(project, patch, text).await, forge.mark(project, patch, Mark::Ready).await];
        // The patch is a view of what the owner decided; the decision does not wait for it.
        for error in told.into_iter().filter_map(Result::err) {
            tracing::warn!(task = %task.spec.id, error = error.chain(), "the forge was not told");
        }
        Ok(None)
    }

    async fn send_back(&self, task: &Task, fence: &Fence, text: &str) -> Done {
        let Some(patch) = task.patch() else { return Ok(None) };
        let (forge, project) = (&self.parts.forge, &task.spec.project);
        let body = format!("Sent back for another attempt: {text}");
        let told = if text.is_empty() { Ok(()) } else { forge.comment(project, patch, &body).await };
        // The patch is a view of what the owner decided; the decision does not wait for it.
        for error in [told, forge.mark(project, patch, Mark::Draft).await].into_iter().filter_map(Result::err)
        {
            tracing::warn!(%fence, error = error.chain(), "the forge was not told");
        }
        Ok(None)
    }

    async fn archive(&self, task: &Task, id: TaskId, text: &str) -> Done {
        if let Some(patch) = task.patch() {
            let (forge, project) = (&self.parts.forge, &task.spec.project);
            let told = forge.comment(project, patch, &format!("Will not be merged: {text}")).await;
            match told {
                Ok(()) => forge.mark(project, patch, Mark::Archived).await?,
                // There is nothing that could be taken for work that goes on.
                Err(PortError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(Observation::Archived { task: id }))
    }

    fn lane(&self, project: &ProjectId) -> Arc<Lane> {
        let mut projects = self.projects.lock().expect("invariant: no panic while projects are held");
        projects.entry(project.clone()).or_default().clone()
    }
}

fn name(effect: &Effect) -> &'static str {
    match effect {
        Effect::OpenPatch(_) => "open the patch",
        Effect::Verify(_) => "run the checks",
        Effect::Merge(_) => "merge",
        Effect::Tick(_) => "tick the box",
        Effect::Archive { .. } => "archive the patch",
        _ => "tell the forge",
    }
}

fn change(task: &Task) -> Result<&Change, PortError> {
    let change = task.attempts.last().and_then(|a| a.change.as_ref());
    change.ok_or_else(|| PortError::Corrupt(format!("{} has no change", task.spec.id)))
}

/// Title and description of a patch.
fn patch_text(task: &Task, fence: &Fence) -> PatchText {
    let title = format!("{}: {}", task.spec.id.short(), task.spec.title);
    let body = format!(
        "{}\n\nIkigai-Task: {}\nIkigai-Attempt: {}\nIkigai-Epoch: {}\n",
        task.spec.text.trim(),
        task.spec.id,
        fence.attempt.number,
        fence.epoch
    );
    PatchText { title, body }
}
