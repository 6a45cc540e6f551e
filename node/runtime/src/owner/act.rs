//! Carrying out what the owner decided. Whatever takes time runs beside the loop and reports back.

use super::Driver;
use super::offer::Proposed;
use super::place::Placing;
use super::recap;
use super::sight::{candidates, occupied, request_among};
use ikigai_placement::{Candidate, Placement, preempt};
use ikigai_task::{Effect, Observation, WaitReason};
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

    /// Where a task goes, as things look now.
    pub(super) fn place(&self, id: TaskId, placing: &mut Placing) -> Option<Observation> {
        let request = request_among(&self.options, &self.owner, self.owner.task(&id)?);
        let placement = placing.place(request.clone(), || self.candidates());
        if let Some(node) = placement.chosen {
            return Some(Observation::Chosen { task: id, node, rows: placement.rows });
        }
        let room = self.owner.may_preempt(request.priority).then(|| {
            preempt(&request, &occupied(&self.owner, &id, self.candidates(), self.parts.clock.now()))
        });
        Some(match room.flatten() {
            Some(room) => {
                Observation::MakeRoom { task: id, evict: room.evict, text: room.reason, rows: placement.rows }
            }
            None => none_fits(id, placement),
        })
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
        let (offers, task) = (self.offers.clone(), task.clone());
        let (parts, options) = (self.parts.clone(), self.options.clone());
        self.beside(async move {
            let number = lease.fence.attempt.number;
            let said = recap::said(&parts, &options, &task, number).await;
            let follow = ikigai_task::follow::follow(&task, number, &said);
            offers.make(Proposed { lease, spec: task.spec, prompt, base, continues, follow }).await;
        });
    }

    fn order(&self, node: NodeId, fence: Fence, order: Order) {
        let offers = self.offers.clone();
        self.beside(async move { offers.order(node, fence, order).await });
    }

    fn chore(&self, effect: Effect) {
        let id = match &effect {
            Effect::OpenPatch(fence) | Effect::Verify(fence) | Effect::Merge(fence) => &fence.attempt.task,
            Effect::SendBack { fence, .. } | Effect::Tell { fence, .. } => &fence.attempt.task,
            Effect::Tick(id) | Effect::Archive { task: id, .. } => id,
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
