//! Carrying out what the owner decided. Whatever takes time runs beside the loop and reports back.

use super::Driver;
use super::offer::Proposed;
use super::sight::{candidates, request};
use ikigai_placement::{Candidate, Placement, Request, place};
use ikigai_task::{Effect, Input, Observation, Task, TaskState, WaitReason};
use ikigai_types::{Fence, Filter, Lease, NodeId, TaskId};
use ikigai_wire::peer::Order;

impl Driver {
    /// Does one effect.
    pub(super) fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Offer(lease) => self.offer(lease),
            Effect::Stop { fence, node, grace, reason } => {
                self.order(node, fence, Order::Stop { grace, reason });
            }
            Effect::Hold { fence, node } => self.order(node, fence, Order::Hold),
            Effect::Unhold { fence, node } => self.order(node, fence, Order::Unhold),
            chore => self.chore(chore),
        }
    }

    /// Whether `input` only says that there may be room, and there is none for any task that waits: asking the
    /// owner would fill its log with tasks that look and find nothing.
    pub(super) fn changes_nothing(&self, input: &Input) -> bool {
        if !matches!(input, Input::Observation(Observation::CapacityChanged)) {
            return false;
        }
        let waits =
            |t: &&Task| matches!(t.state, TaskState::Waiting(WaitReason::Capacity | WaitReason::Credential));
        let mut waiting = self.owner.tasks().values().filter(waits).peekable();
        if waiting.peek().is_none() {
            return true;
        }
        let candidates = self.candidates();
        !waiting.any(|t| place(&self.request(t), &candidates).chosen.is_some())
    }

    /// Where a task goes, as things look now.
    pub(super) fn place(&self, id: TaskId) -> Option<Observation> {
        let task = self.owner.task(&id)?;
        let placement = place(&self.request(task), &self.candidates());
        Some(match placement.chosen {
            Some(node) => Observation::Chosen { task: id, node, rows: placement.rows },
            None => none_fits(id, placement),
        })
    }

    fn request(&self, task: &Task) -> Request {
        request(&self.options, &task.spec, task.next_number())
    }

    fn candidates(&self) -> Vec<Candidate> {
        let now = self.parts.clock.now();
        candidates(&self.owner, &self.host, &self.neighbours, self.options.image.as_deref(), now)
    }

    /// Offers the lease to its node, with the prompt the attempt will get.
    fn offer(&self, lease: Lease) {
        let Some(task) = self.owner.task(&lease.fence.attempt.task) else { return };
        // What is said of earlier attempts must not include the one that starts.
        let prompt = ikigai_task::prompt::prompt(task, lease.fence.attempt.number);
        let base = task.active().and_then(|a| a.base.clone());
        let continues = task.active().and_then(|a| a.continues.clone());
        let proposed = Proposed { lease, spec: task.spec.clone(), prompt, base, continues };
        let offers = self.offers.clone();
        self.beside(async move { offers.make(proposed).await });
    }

    fn order(&self, node: NodeId, fence: Fence, order: Order) {
        let offers = self.offers.clone();
        self.beside(async move { offers.order(node, fence, order).await });
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
            self.beside(async move { chores.run(effect, task).await });
        }
    }

    /// Runs beside the loop; a node that stops leaves it to the next start.
    fn beside(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = work => {}
            }
        });
    }
}

fn none_fits(task: TaskId, placement: Placement) -> Observation {
    let text = placement.refusal().unwrap_or_default();
    let credential = placement.rows.iter().all(|r| r.refused == Some(Filter::Credential));
    let reason =
        if credential && !placement.rows.is_empty() { WaitReason::Credential } else { WaitReason::Capacity };
    Observation::NoneFits { task, reason, text, rows: placement.rows }
}
