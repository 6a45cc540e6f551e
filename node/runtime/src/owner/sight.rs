//! What placement is shown: one view for a plan and for what is done.

use crate::Options;
use crate::host::Host;
use crate::mesh::Neighbours;
use ikigai_placement::{Candidate, Held, Occupied, Request};
use ikigai_task::{Attempt, Owner, Phase, Task, TaskSpec};
use ikigai_types::{NodeId, TaskId, Timestamp};
use std::collections::BTreeSet;

/// What attempt `number` of a task asks of its node.
pub(crate) fn request(options: &Options, spec: &TaskSpec, number: u32) -> Request {
    let wants = &spec.wants;
    Request {
        resources: spec.request,
        class: wants.class,
        priority: wants.priority,
        requires: spec.requires.clone(),
        prefers: wants.prefers.clone(),
        tolerations: spec.tolerates.clone(),
        adapter: spec.adapter.clone(),
        provider: options.provider_needed(&spec.adapter, &spec.provider),
        image: options.image.clone().filter(|_| options.needs_image).unwrap_or_default(),
        repository: Some(spec.project.clone()),
        spread: wants.spread.clone(),
        seed: ikigai_placement::seed(&spec.id, number, &spec.owner),
        ..Request::default()
    }
}

/// The same, with where those are that `task` is to be kept apart from.
pub(crate) fn request_among(options: &Options, owner: &Owner, task: &Task) -> Request {
    let asked = request(options, &task.spec, task.next_number());
    if asked.spread.is_empty() {
        return asked;
    }
    let tried = task.attempts.iter().filter(|a| a.phase != Phase::Ended).map(|a| a.node);
    Request { attempts_on: tried.collect(), group_on: group_on(owner, &task.spec), ..asked }
}

/// Nodes that run other tasks of the same feature, once for each.
pub(crate) fn group_on(owner: &Owner, spec: &TaskSpec) -> Vec<NodeId> {
    let others = owner.tasks().values().filter(|t| t.spec.id != spec.id);
    let group = others.filter(|t| t.spec.project == spec.project && t.spec.feature == spec.feature);
    group.filter_map(|t| t.active()).map(|a| a.node).collect()
}

/// This machine, less what was granted and has not arrived, and every other as it last described itself, less
/// what this owner granted there since.
pub(crate) fn candidates(
    owner: &Owner,
    host: &Host,
    neighbours: &Neighbours,
    image: Option<&str>,
    now: Timestamp,
) -> Vec<Candidate> {
    let mut own = host.candidate();
    let seated = host.fences();
    take_granted(owner, &mut own, |a| !seated.contains(&a.fence));
    let mut all = vec![own];
    for (mut other, heard) in neighbours.candidates(image, now) {
        // What has not begun may not have arrived, however young the description is: a busy node describes itself
        // each second and would be given all its room again each time. One that prepares is counted twice for
        // that while.
        take_granted(owner, &mut other, |a| a.started_at >= heard || a.workload.is_none());
        all.push(other);
    }
    all
}

/// Takes off `node` what those leases of `owner` there ask that `counts`.
fn take_granted(owner: &Owner, node: &mut Candidate, counts: impl Fn(&Attempt) -> bool) {
    let (id, active) = (node.id, owner.tasks().values().filter_map(|t| t.active().map(|a| (t, a))));
    for (task, _) in active.filter(|(_, a)| a.node == id && counts(a)) {
        node.take(task.spec.wants.class, &task.spec.request);
    }
}

/// The nodes with those leases of `owner` there that may end for something more important, and with the room that
/// is already being made, less what is made for others than `asking`. Leases of other owners are theirs.
pub(crate) fn occupied(
    owner: &Owner,
    asking: &TaskId,
    candidates: Vec<Candidate>,
    now: Timestamp,
) -> Vec<Occupied> {
    let held = |node: NodeId| {
        let yielding = owner.tasks().values().filter_map(|t| Some((t, t.may_yield(i32::MAX)?)));
        let here = yielding.filter(|(_, a)| a.node == node);
        here.map(|(task, a)| Held {
            attempt: a.fence.attempt.clone(),
            class: task.spec.wants.class,
            priority: task.spec.wants.priority,
            resources: task.spec.request,
            running: a.ran(now),
        })
        .collect()
    };
    let mut nodes: Vec<_> =
        candidates.into_iter().map(|c| Occupied { held: held(c.id), candidate: c }).collect();
    nodes.iter_mut().for_each(|n| expect_room(owner, asking, &mut n.candidate));
    nodes
}

/// Adds to `node` what is about to become free there, and takes off it what that is for.
fn expect_room(owner: &Owner, asking: &TaskId, node: &mut Candidate) {
    let (here, active) = (node.id, owner.tasks().values().filter_map(|t| Some((t, t.active()?))));
    let leaving = active.filter(|(_, a)| a.node == here && a.leaving.is_some());
    let mut promised = BTreeSet::new();
    for (task, a) in leaving {
        node.free = node.free.plus(&task.spec.request);
        node.classes.give_back(task.spec.wants.class, task.spec.request.slots);
        promised.extend(a.room_for.as_ref().filter(|id| *id != asking));
    }
    for task in promised.into_iter().filter_map(|id| owner.task(id)).filter(|t| t.active().is_none()) {
        node.take(task.spec.wants.class, &task.spec.request);
    }
}
