//! What placement looks at.

use ikigai_types::{
    ClassSlots, Liveness, NodeId, Preferences, ProjectId, Resources, Selector, Spread, Tags, Taint,
    Toleration, WorkloadClass,
};
use std::time::Duration;

/// A node as its newest advertisement describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its id; no two candidates of one decision have the same.
    pub id: NodeId,
    /// Its name for people.
    pub name: String,
    /// Whether it is there as far as is known.
    pub liveness: Liveness,
    /// How long ago it said what stands here.
    pub age: Duration,
    /// No new work.
    pub cordoned: bool,
    /// Being emptied.
    pub draining: bool,
    /// What it gives to tasks in all.
    pub allocatable: Resources,
    /// What is left of that.
    pub free: Resources,
    /// Its slots by class of work.
    pub classes: ClassSlots,
    /// Its tags.
    pub tags: Tags,
    /// What keeps work off it.
    pub taints: Vec<Taint>,
    /// Agent CLIs it can drive.
    pub adapters: Vec<String>,
    /// Model providers it has a credential for.
    pub providers: Vec<String>,
    /// What is left of providers' quotas; a provider that is not named has no known limit.
    pub quotas: Vec<Quota>,
    /// Whether it has the agent image, can get it, or needs none.
    pub image: bool,
    /// Images it has already.
    pub images: Vec<String>,
    /// Projects whose objects it has already.
    pub repositories: Vec<ProjectId>,
}

/// What is left of a provider's quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// The provider.
    pub provider: String,
    /// Runs that may still begin.
    pub runs_left: u64,
    /// Until there are more.
    pub resets_in: Option<Duration>,
}

impl Candidate {
    /// A node that is there and has nothing: to be filled by `..Candidate::new(id, name)`.
    pub fn new(id: NodeId, name: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            liveness: Liveness::Alive,
            age: Duration::ZERO,
            cordoned: false,
            draining: false,
            allocatable: Resources::default(),
            free: Resources::default(),
            classes: ClassSlots::default(),
            tags: Tags::default(),
            taints: Vec::new(),
            adapters: Vec::new(),
            providers: Vec::new(),
            quotas: Vec::new(),
            image: true,
            images: Vec::new(),
            repositories: Vec::new(),
        }
    }

    /// Notes that `class` takes `resources` of it.
    pub fn take(&mut self, class: WorkloadClass, resources: &Resources) {
        self.free = self.free.minus(resources);
        self.classes.take(class, resources.slots);
    }

    /// Whether it is there, and not suspected to be gone.
    pub fn alive(&self) -> bool {
        self.liveness == Liveness::Alive
    }

    /// Its quota at `provider` if that is used up.
    pub(crate) fn exhausted(&self, provider: &str) -> Option<&Quota> {
        self.quotas.iter().find(|q| q.provider == provider && q.runs_left == 0)
    }
}

/// What a task asks of its node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Quantities.
    pub resources: Resources,
    /// Kind of work.
    pub class: WorkloadClass,
    /// Higher goes first, and may have leases of lower priority ended; 0 is usual.
    pub priority: i32,
    /// Conditions its tags must meet.
    pub requires: Selector,
    /// Conditions that are wished for.
    pub prefers: Preferences,
    /// Taints it does not mind.
    pub tolerations: Vec<Toleration>,
    /// Agent CLI.
    pub adapter: String,
    /// Model provider; empty when no model is called.
    pub provider: String,
    /// Agent image; empty when any will do.
    pub image: String,
    /// The project whose objects are needed.
    pub repository: Option<ProjectId>,
    /// What is to be kept apart.
    pub spread: Vec<Spread>,
    /// Nodes that run other attempts of the task, once for each.
    pub attempts_on: Vec<NodeId>,
    /// Nodes that run other tasks of its group, once for each.
    pub group_on: Vec<NodeId>,
    /// Nodes that were offered this attempt and said no.
    pub declined: Vec<NodeId>,
    /// Decides among nodes that are nearly as good as the best: see [`seed`](crate::seed()).
    pub seed: u64,
}
