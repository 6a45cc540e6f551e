//! Carrying out what the owner decided. Whatever takes time runs beside the loop and reports back.

use super::Driver;
use super::offer::Proposed;
use ikigai_placement::{Candidate, Placement, Request, place};
use ikigai_task::{Effect, Observation, WaitReason};
use ikigai_types::{Fence, Filter, Lease, NodeId, Resources, TaskId, Timestamp};
use ikigai_wire::peer::Order;

impl Driver {
    /// Does one effect; answers what is known of it at once.
    pub(super) fn act(&mut self, effect: Effect) -> Option<Observation> {
        match effect {
            Effect::Place(task) => return self.place(task),
            Effect::Offer(lease) => self.offer(lease),
            Effect::Stop { fence, node, grace, reason } => {
                self.order(node, fence, Order::Stop { grace, reason });
            }
            Effect::Hold { fence, node } => self.order(node, fence, Order::Hold),
            Effect::Unhold { fence, node } => self.order(node, fence, Order::Unhold),
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
        let placement = place(&request, &self.candidates());
        Some(match placement.chosen {
            Some(node) => Observation::Chosen { task: id, node, rows: placement.rows },
            None => none_fits(id, placement),
        })
    }

    /// This machine, less what was granted and has not arrived, and every other as it last described itself.
    fn candidates(&self) -> Vec<Candidate> {
        let mut own = self.host.candidate();
        let seated = self.host.fences();
        let coming = self.granted(own.id, |fence, _| !seated.contains(fence));
        own.free = own.free.minus(&coming);
        let others = self.neighbours.candidates(
            self.options.image.as_deref(),
            self.parts.clock.now(),
            |node, heard| self.granted(node, |_, at| at >= heard),
        );
        std::iter::once(own).chain(others).collect()
    }

    /// What leases on `node` ask that `counts`.
    fn granted(&self, node: NodeId, counts: impl Fn(&Fence, Timestamp) -> bool) -> Resources {
        let active = self.owner.tasks().values().filter_map(|t| t.active().map(|a| (t, a)));
        let taken = active.filter(|(_, a)| a.node == node && counts(&a.fence, a.started_at));
        taken.fold(Resources::default(), |sum, (t, _)| sum.plus(&t.spec.request))
    }

    /// Offers the lease to its node, with the prompt the attempt will get.
    fn offer(&self, lease: Lease) {
        let Some(task) = self.owner.task(&lease.fence.attempt.task) else { return };
        // What is said of earlier attempts must not include the one that starts.
        let prompt = ikigai_task::prompt::prompt(task, lease.fence.attempt.number);
        let base = task.active().and_then(|a| a.base.clone());
        let proposed = Proposed { lease, spec: task.spec.clone(), prompt, base };
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
