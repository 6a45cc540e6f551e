//! What a node shows of itself and of its tasks.

use super::patch::PatchView;
use ikigai_types::{
    AttemptId, Epoch, Limits, NodeId, Resources, Resumed, Tags, TaskId, Timestamp, Usage, WorkloadClass,
};
use serde::{Deserialize, Serialize};

/// A document that stands alone: its version and kind beside its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document<T> {
    /// Always [`super::API_VERSION`].
    pub api_version: String,
    /// `Task`, `Node`, `Plan`, `TaskList`, …
    pub kind: String,
    /// The fields.
    #[serde(flatten)]
    pub body: T,
}

impl<T> Document<T> {
    /// Wraps `body` as a document of `kind`.
    pub fn new(kind: impl Into<String>, body: T) -> Self {
        Self { api_version: super::API_VERSION.to_owned(), kind: kind.into(), body }
    }
}

/// A list of documents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct List<T> {
    /// The items.
    pub items: Vec<T>,
    /// Pass as `cursor` for the next page; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Nodes and tasks together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The node that answers.
    pub node: NodeId,
    /// Every node it knows, itself first.
    pub nodes: Vec<NodeView>,
    /// Projects this node accepted tasks of.
    #[serde(default)]
    pub projects: Vec<ProjectView>,
    /// Tasks, in the order of their ids.
    pub tasks: Vec<TaskView>,
    /// Cursor of the event log this view includes.
    pub cursor: String,
}

/// A project, as its forge knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ProjectView {
    /// Its id on this node.
    pub id: ikigai_types::ProjectId,
    /// Its checkout.
    pub checkout: String,
    /// `radicle`, `git`.
    pub forge: String,
    /// Its id there, such as `rad:z…`.
    pub repository: String,
    /// Its default branch.
    pub branch: String,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct NodeView {
    /// Its id.
    pub id: NodeId,
    /// Its name for people.
    pub name: String,
    /// `alive`, `suspect`, `dead`.
    pub liveness: String,
    /// Version of the program.
    pub version: String,
    /// All it has.
    pub capacity: Resources,
    /// What it gives to tasks: capacity minus reserve.
    pub allocatable: Resources,
    /// What is left of that.
    pub free: Resources,
    /// Its tags.
    pub tags: Tags,
    /// Adapters it can run.
    pub adapters: Vec<String>,
    /// Model providers it has a credential for (names only).
    pub providers: Vec<String>,
    /// Name of its executor (`docker`, `bubblewrap`).
    pub executor: String,
    /// What its executor cannot isolate.
    pub isolation_missing: Vec<String>,
    /// No new work.
    pub cordoned: bool,
    /// No new work, and what runs there is ended and placed elsewhere.
    #[serde(default)]
    pub draining: bool,
    /// What keeps work off it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<ikigai_types::Taint>,
    /// Its slots by class of work: what each may have, and what each has.
    #[serde(default)]
    pub classes: ikigai_types::ClassSlots,
    /// Attempts that run there, or whose result their owner has not taken yet.
    #[serde(default)]
    pub running: u64,
    /// When this was true.
    pub observed_at: Timestamp,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct TaskView {
    /// Its id on the mesh.
    pub id: TaskId,
    /// What people call it: `T012`.
    pub short: String,
    /// Its project's checkout.
    pub project: String,
    /// Its feature (`001-shop`), outside Spec-Kit empty.
    pub feature: String,
    /// One line of what is to be done.
    pub title: String,
    /// State of the published table, such as `running` or `waiting`.
    pub state: String,
    /// The word in brackets of `waiting(…)`, `paused(…)`, `failed(…)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The node that owns it.
    pub owner: NodeId,
    /// Its highest epoch.
    pub epoch: Epoch,
    /// What it waits for, by id.
    pub depends_on: Vec<TaskId>,
    /// Kind of work.
    #[serde(default)]
    pub class: WorkloadClass,
    /// How important it is; 0 is usual.
    #[serde(default)]
    pub priority: i32,
    /// Where its agents may reach beside their model, such as `docs: docs.lan:8080 (read-only)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub egress: Vec<String>,
    /// Why it is where it is.
    pub why: WhyView,
    /// What placement last said of each node, while the task waits for one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub placement: Vec<PlacementView>,
    /// Attempts, first to last.
    pub attempts: Vec<AttemptView>,
    /// Its newest patch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<PatchView>,
    /// What all attempts used.
    pub usage: Usage,
    /// Limits of an attempt.
    pub limits: Limits,
    /// The user who asked for it, and the node they came to: `alice@laptop`; absent when that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub submitted_by: Option<String>,
    /// When it was accepted by its owner.
    pub submitted_at: Timestamp,
    /// When its state last changed.
    pub updated_at: Timestamp,
}

/// Why a task is where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct WhyView {
    /// The cause, for programs: `dependency`, `capacity`, `tag`, `quota`, `backoff`, `check-failed`, `paused`,
    /// `image-missing`, `running`, `review`, `done`, …
    pub cause: String,
    /// One sentence for people: `waits for T012 (running on server, attempt 1)`.
    pub text: String,
    /// What to do, when there is something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct AttemptView {
    /// Its id.
    pub id: AttemptId,
    /// Epoch of its lease.
    pub epoch: Epoch,
    /// Node that runs it.
    pub node: NodeId,
    /// Label of its agent in URLs.
    pub agent: String,
    /// `preparing`, `running`, `paused`, `away` (its node is silent and may come back), `ended`.
    pub phase: String,
    /// How it ended: `done`, `host`, `agent`, `quota`, `policy`, `stall`, `oom`, `time`, `check-failed`, `lost`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// That in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Who types in the agent's terminal, such as `alice@laptop`; the agent gets no new turn meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer: Option<String>,
    /// How often its gate denied something that its agent tried.
    #[serde(default)]
    pub denied: u32,
    /// What it was last, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_denied: Option<String>,
    /// Exit code of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Container or process id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// Why this node: one line per node.
    pub placement: Vec<PlacementView>,
    /// What the sandbox could not hold it to.
    pub isolation_missing: Vec<String>,
    /// What it used.
    pub usage: Usage,
    /// Granted.
    pub started_at: Timestamp,
    /// Ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// What it goes on from, when that is what was saved of an earlier attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<ContinuesView>,
    /// How its agent began, when it follows another attempt: `warm` goes on with that one's session, `cold` began anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<Resumed>,
    /// Ref that holds work that was not pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salvage: Option<String>,
}

/// Where an attempt goes on from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct ContinuesView {
    /// Number of the attempt that made it.
    pub attempt: u32,
    /// The commit that was saved of it.
    pub commit: String,
}

/// What placement said of one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlacementView {
    /// The node.
    pub node: NodeId,
    /// Its name.
    pub name: String,
    /// Its score, 0 to 1000; absent when a filter refused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<u32>,
    /// The filter that refused it, or what made its score.
    pub reason: String,
    /// Whether it was chosen.
    pub chosen: bool,
}

/// What `submit` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SubmitView {
    /// The plan.
    pub plan: PlanView,
    /// Tasks that were accepted; empty for a dry run.
    pub accepted: Vec<TaskId>,
}

/// What would happen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlanView {
    /// The feature.
    pub feature: String,
    /// Tasks in file order.
    pub tasks: Vec<PlannedTask>,
    /// Guesses that were made, with the line.
    pub warnings: Vec<String>,
}

/// One task of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct PlannedTask {
    /// Id on the mesh.
    pub id: TaskId,
    /// What people call it.
    pub short: String,
    /// One line.
    pub title: String,
    /// Wave it runs in, from 1.
    pub wave: u32,
    /// `new`, or its present state when the mesh already has it.
    pub state: String,
    /// What it waits for and why.
    pub after: Vec<EdgeView>,
    /// Node it would go to now; absent when none fits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// One line per node.
    pub placement: Vec<PlacementView>,
    /// Checks its result must pass.
    pub verify: Vec<String>,
    /// Most it may cost, in micro-USD; absent when the price is unknown or nothing bounds the use.
    #[serde(default, rename = "costLimitMicroUsd", skip_serializing_if = "Option::is_none")]
    pub cost_limit: Option<u64>,
}

/// An edge of the task graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct EdgeView {
    /// Short id it waits for.
    pub task: String,
    /// Why: `explicit`, `phase`, `file-order`, `same-file src/a.rs`, `tests-first`.
    pub reason: String,
}

/// A link to an editor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct OpenView {
    /// Agent label.
    pub agent: String,
    /// One-time link for a browser.
    pub url: String,
}
