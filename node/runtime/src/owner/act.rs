//! Carrying out what the owner decided. Whatever takes time runs beside the loop and reports back.

use super::Driver;
use ikigai_placement::{Placement, Request, place};
use ikigai_task::{Effect, Observation, WaitReason};
use ikigai_types::{Filter, Lease, TaskId};

impl Driver {
    /// Does one effect; answers what is known of it at once.
    pub(super) async fn act(&mut self, effect: Effect) -> Option<Observation> {
        match effect {
            Effect::Place(task) => return self.place(task),
            Effect::Offer(lease) => return self.offer(lease),
            Effect::Renewed { fence, .. } => self.host.renewed(&fence),
            Effect::Stop { fence, grace, reason, .. } => self.host.stop(&fence, grace, reason),
            Effect::Hold { fence, .. } => self.host.hold(&fence, true),
            Effect::Unhold { fence, .. } => self.host.hold(&fence, false),
            chore => self.chore(chore),
        }
        None
    }

    fn place(&self, id: TaskId) -> Option<Observation> {
        let task = self.owner.task(&id)?;
        let request = Request {
            resources: task.spec.request,
            requires: task.spec.requires.clone(),
            adapter: task.spec.adapter.clone(),
            provider: self.options.provider_needed(&task.spec.adapter, &task.spec.provider),
            ..Request::default()
        };
        let placement = place(&request, &[self.host.candidate()]);
        Some(match placement.chosen {
            Some(node) => Observation::Chosen { task: id, node, rows: placement.rows },
            None => none_fits(id, placement),
        })
    }

    /// Offers the lease to its node, with the prompt the attempt will get.
    fn offer(&self, lease: Lease) -> Option<Observation> {
        let task = self.owner.task(&lease.fence.attempt.task)?;
        // What is said of earlier attempts must not include the one that starts.
        let prompt = ikigai_task::prompt::prompt(task, lease.fence.attempt.number);
        let fence = lease.fence.clone();
        match self.host.offer(lease, task.spec.clone(), prompt) {
            Ok(()) => None,
            Err(text) => Some(Observation::Declined { fence, text }),
        }
    }

    fn chore(&self, effect: Effect) {
        let id = match &effect {
            Effect::OpenPatch(fence) | Effect::Verify(fence) | Effect::Merge(fence) => &fence.attempt.task,
            Effect::Archive { fence, .. } => &fence.attempt.task,
            Effect::Tick(id) => id,
            _ => return,
        };
        if let Some(task) = self.owner.task(id).cloned() {
            let chores = self.chores.clone();
            self.tracker.spawn(async move { chores.run(effect, task).await });
        }
    }
}

fn none_fits(task: TaskId, placement: Placement) -> Observation {
    let text = placement.refusal().unwrap_or_default();
    let credential = placement.rows.iter().all(|r| r.refused == Some(Filter::Credential));
    let reason =
        if credential && !placement.rows.is_empty() { WaitReason::Credential } else { WaitReason::Capacity };
    Observation::NoneFits { task, reason, text, rows: placement.rows }
}
