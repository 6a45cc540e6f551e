//! Documents of the orchestrator's five calls, and of the list of patches.

use super::PatchView;
use ikigai_types::{Epoch, Limits, NodeId, Resources, Tags, TaskId, Timestamp};
use serde::{Deserialize, Serialize};

/// What `GET /health` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct HealthView {
    /// `ok`, or `cordoned` when it takes no new work.
    pub status: String,
    /// The node.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// When this was true.
    pub observed_at: Timestamp,
}

/// What `GET /capacity` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CapacityView {
    /// The node.
    pub node: NodeId,
    /// All it has.
    pub capacity: Resources,
    /// What it gives to tasks.
    pub allocatable: Resources,
    /// What is left of that.
    pub free: Resources,
    /// Its tags.
    pub tags: Tags,
    /// No new work.
    pub cordoned: bool,
    /// When this was true.
    pub observed_at: Timestamp,
}

/// An agent that runs, as `GET /pods` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PodView {
    /// Label of the agent in URLs.
    pub agent: String,
    /// Its task.
    pub task: TaskId,
    /// Attempt number.
    pub attempt: u32,
    /// Epoch of its lease.
    pub epoch: Epoch,
    /// The node that runs it.
    pub node: NodeId,
    /// `preparing`, `running`, `paused`.
    pub phase: String,
    /// Container or process id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// What it is held to.
    pub limits: Limits,
    /// When its lease was granted.
    pub started_at: Timestamp,
}

/// What `POST /evict` takes: a task or an agent, one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct EvictRequest {
    /// The task whose attempt goes.
    pub task: Option<String>,
    /// Or the agent.
    pub agent: Option<String>,
    /// Seconds it gets to end by itself.
    #[serde(rename = "graceSeconds")]
    pub grace: u64,
}

/// A patch beside the task it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PatchItem {
    /// The task.
    pub task: TaskId,
    /// What people call it.
    pub short: String,
    /// One line of what was to be done.
    pub title: String,
    /// State of the task.
    pub state: String,
    /// The patch.
    pub patch: PatchView,
}
