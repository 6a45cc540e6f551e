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
use ikigai_types::{Fence, NodeId, ProjectId};
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
    /// Merges and box flips of one project come one after the other.
    projects: Arc<Mutex<HashMap<ProjectId, Arc<tokio::sync::Mutex<()>>>>>,
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
            Effect::Archive { fence, text } => self.archive(task, &fence, &text).await,
            _ => Ok(None),
        }
    }

    async fn open_patch(&self, task: &Task, fence: Fence) -> Done {
        let change = change(task)?;
        let patch =
            self.parts.forge.open(&task.spec.project, &fence, change, &patch_text(task, &fence)).await?;
        Ok(Some(Observation::PatchOpened { fence, patch }))
    }

    async fn archive(&self, task: &Task, fence: &Fence, text: &str) -> Done {
        let attempt = task.attempts.iter().find(|a| &a.fence == fence);
        if let Some(patch) = attempt.and_then(|a| a.patch.clone()) {
            let body = format!("Will not be merged: {text}");
            // The patch is a view of what the owner decided; the decision does not wait for it.
            for done in [
                self.parts.forge.comment(&task.spec.project, &patch, &body).await,
                self.parts.forge.mark(&task.spec.project, &patch, Mark::Archived).await,
            ] {
                if let Err(error) = done {
                    tracing::warn!(%fence, error = error.chain(), "the forge was not told");
                }
            }
        }
        Ok(None)
    }

    fn project_lock(&self, project: &ProjectId) -> Arc<tokio::sync::Mutex<()>> {
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
        _ => "tell the forge",
    }
}

fn change(task: &Task) -> Result<&ikigai_types::Change, PortError> {
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
