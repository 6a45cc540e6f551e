//! What placement is shown: one view for a plan and for what is done.

use crate::Options;
use crate::host::Host;
use crate::mesh::Neighbours;
use ikigai_placement::{Candidate, Request};
use ikigai_task::{Owner, TaskSpec};
use ikigai_types::{Fence, NodeId, Resources, Timestamp};

/// What attempt `number` of a task asks of its node.
pub(crate) fn request(options: &Options, spec: &TaskSpec, number: u32) -> Request {
    Request {
        resources: spec.request,
        requires: spec.requires.clone(),
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
    let coming = granted(owner, own.id, |fence, _| !seated.contains(fence));
    own.free = own.free.minus(&coming);
    let since = |node, heard| granted(owner, node, |_, at| at >= heard);
    std::iter::once(own).chain(neighbours.candidates(image, now, since)).collect()
}

/// What leases of `owner` on `node` ask that `counts`.
fn granted(owner: &Owner, node: NodeId, counts: impl Fn(&Fence, Timestamp) -> bool) -> Resources {
    let active = owner.tasks().values().filter_map(|t| t.active().map(|a| (t, a)));
    let taken = active.filter(|(_, a)| a.node == node && counts(&a.fence, a.started_at));
    taken.fold(Resources::default(), |sum, (t, _)| sum.plus(&t.spec.request))
}
