//! What is to be done, fixed when the task is accepted by its owner.

use ikigai_types::{
    Disconnect, Egress, Limits, NodeId, Preferences, ProjectId, Resources, Selector, Spread, TaskId,
    Toleration, WorkloadClass,
};
use serde::{Deserialize, Serialize};

/// A task as its owner accepted it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// Id on the mesh.
    pub id: TaskId,
    /// Its project.
    pub project: ProjectId,
    /// Absolute path of the person's checkout on the owner.
    pub checkout: String,
    /// Its feature (`001-shop`); empty outside Spec-Kit.
    pub feature: String,
    /// Its tasks.md relative to the checkout, when it has a box there.
    pub tasks_file: Option<String>,
    /// One line.
    pub title: String,
    /// Everything its author wrote of it.
    pub text: String,
    /// Tasks that must be accepted first.
    pub depends_on: Vec<TaskId>,
    /// Files and folders it says it changes, relative to the checkout. Tasks of a project that change the same
    /// ones are under way one after the other, whichever feature they are of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<String>,
    /// Check commands.
    pub verify: Vec<String>,
    /// Agent CLI adapter.
    pub adapter: String,
    /// Model provider.
    pub provider: String,
    /// Model name.
    pub model: String,
    /// What it asks of a node.
    pub request: Resources,
    /// What an attempt is held to.
    pub limits: Limits,
    /// Tags its node must carry.
    pub requires: Selector,
    /// Taints of a node that it does not mind.
    #[serde(default)]
    pub tolerates: Vec<Toleration>,
    /// What kind of work it is, how important, and where it would rather be.
    #[serde(default, skip_serializing_if = "Wants::are_usual")]
    pub wants: Wants,
    /// Attempts that may be blamed on the agent.
    pub max_attempts: u32,
    /// Seconds the agent stays for its editor.
    pub linger_secs: u64,
    /// Length of the longest chain of tasks that waits for this one: longer goes first.
    pub urgency: u32,
    /// What is done when its holder goes silent.
    #[serde(default)]
    pub disconnect: Disconnect,
    /// What its agent may reach beside its model; the node that runs it has to allow it as well.
    #[serde(default, skip_serializing_if = "Egress::is_empty")]
    pub egress: Egress,
    /// The node that accepted it.
    pub owner: NodeId,
}

/// What a task asks of placement beside quantities, tags and taints.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wants {
    /// Kind of work.
    pub class: WorkloadClass,
    /// Higher is placed first, and may have attempts of lower priority ended; 0 is usual.
    pub priority: i32,
    /// Tags that are wished for.
    pub prefers: Preferences,
    /// What is to be kept apart.
    pub spread: Vec<Spread>,
}

impl Wants {
    /// Whether nothing is asked.
    pub fn are_usual(&self) -> bool {
        *self == Self::default()
    }
}
