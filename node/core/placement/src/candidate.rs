//! What placement looks at.

use ikigai_types::{NodeId, Resources, Selector, Tags};

/// A node as its newest advertisement describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: NodeId,
    /// Its name for people.
    pub name: String,
    /// Whether it is alive as far as is known.
    pub alive: bool,
    /// No new work.
    pub cordoned: bool,
    /// What it gives to tasks in all.
    pub allocatable: Resources,
    /// What is left of that.
    pub free: Resources,
    /// Its tags.
    pub tags: Tags,
    /// Agent CLIs it can drive.
    pub adapters: Vec<String>,
    /// Model providers it has a credential for.
    pub providers: Vec<String>,
    /// Whether it has the agent image (or needs none).
    pub image: bool,
}

/// What a task asks of its node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Quantities.
    pub resources: Resources,
    /// Tags it must carry.
    pub requires: Selector,
    /// Agent CLI.
    pub adapter: String,
    /// Model provider; empty when no model is called.
    pub provider: String,
}
