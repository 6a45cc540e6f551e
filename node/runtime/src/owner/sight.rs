//! What placement is shown: one view for a plan and for what is done.

use crate::Options;
use crate::host::Host;
use crate::mesh::Neighbours;
use ikigai_placement::{Candidate, Request};
use ikigai_task::{Attempt, Owner, TaskSpec};
use ikigai_types::{NodeId, Resources, Timestamp};

/// What attempt `number` of a task asks of its node.
pub(crate) fn request(options: &Options, spec: &TaskSpec, number: u32) -> Request {
    Request {
        resources: spec.request,
        requires: spec.requires.clone(),
        tolerations: spec.tolerates.clone(),
        adapter: spec.adapter.clone(),
        provider: options.provider_needed(&spec.adapter, &spec.provider),
        repository: Some(spec.project.clone()),
        seed: ikigai_placement::seed(&spec.id, number, &spec.owner),
        ..Request::default()
    }
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
    let coming = granted(owner, own.id, |a| !seated.contains(&a.fence));
    own.free = own.free.minus(&coming);
    // What has not begun may not have arrived, however young the description is: a busy node describes itself each
    // second and would be given all its room again each time. One that prepares is counted twice for that while.
    let since = |node, heard| granted(owner, node, |a| a.started_at >= heard || a.workload.is_none());
    std::iter::once(own).chain(neighbours.candidates(image, now, since)).collect()
}

/// What leases of `owner` on `node` ask that `counts`.
fn granted(owner: &Owner, node: NodeId, counts: impl Fn(&Attempt) -> bool) -> Resources {
    let active = owner.tasks().values().filter_map(|t| t.active().map(|a| (t, a)));
    let taken = active.filter(|(_, a)| a.node == node && counts(a));
    taken.fold(Resources::default(), |sum, (t, _)| sum.plus(&t.spec.request))
}
