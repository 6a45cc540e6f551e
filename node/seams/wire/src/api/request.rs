//! What a person or program asks of a node.

use ikigai_types::{
    Disconnect, Limits, NodeId, Preferences, Reconcile, Resources, Selector, Spread, Toleration,
    WorkloadClass,
};
use serde::{Deserialize, Serialize};

/// New tasks, or with `dry_run` the plan for them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct SubmitRequest {
    /// Absolute path of the project's checkout on this node.
    pub project: String,
    /// What to take from it.
    pub source: SubmitSource,
    /// How to run it.
    pub options: TaskOptions,
    /// Answer the plan and change nothing.
    pub dry_run: bool,
    /// The same key twice is the same submission.
    pub idempotency_key: Option<String>,
    /// Who asks, as whoever took the request knows them. Never part of the document: nobody says of themselves
    /// who they are.
    #[serde(skip)]
    pub by: Option<Caller>,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Name of the user.
    pub user: String,
    /// The other node the user came to, when it passed the request on; that node answers for the name.
    pub via: Option<NodeId>,
}

/// Where tasks come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum SubmitSource {
    /// Open tasks of a Spec-Kit feature.
    Feature {
        /// Feature folder relative to the project, such as `specs/001-shop`; `None`: the active one.
        #[serde(default)]
        feature: Option<String>,
        /// Only these ids; empty: every open one.
        #[serde(default)]
        ids: Vec<String>,
        /// Also the open tasks those ids depend on.
        #[serde(default)]
        with_deps: bool,
    },
    /// A new task in words: appended to the active feature's tasks.md, or on its own outside Spec-Kit.
    Text {
        /// What is to be done.
        text: String,
        /// The story it belongs to (`US1`).
        #[serde(default)]
        story: Option<String>,
        /// Marks it `[P]`.
        #[serde(default)]
        parallel: bool,
    },
}

impl Default for SubmitSource {
    fn default() -> Self {
        Self::Feature { feature: None, ids: Vec::new(), with_deps: false }
    }
}

/// How tasks are run; what is absent comes from the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TaskOptions {
    /// Agent CLI adapter.
    pub adapter: Option<String>,
    /// Model provider.
    pub provider: Option<String>,
    /// Model name.
    pub model: Option<String>,
    /// What each task asks of a node.
    pub request: Option<Resources>,
    /// What each attempt is held to.
    pub limits: Option<Limits>,
    /// Tags a node must carry.
    pub requires: Option<Selector>,
    /// Taints of a node that the tasks do not mind.
    pub tolerates: Vec<Toleration>,
    /// Tags that are wished for, with their weights.
    pub prefers: Option<Preferences>,
    /// Kind of work; `agent` when absent.
    pub class: Option<WorkloadClass>,
    /// Higher is placed first; 0 when absent, -100 to 100.
    pub priority: Option<i32>,
    /// What is to be kept apart: tasks of one feature (`group:node`), attempts of one task (`node`).
    pub spread: Vec<Spread>,
    /// Attempts at most.
    pub max_attempts: Option<u32>,
    /// Model calls of each attempt at most, in place of what `limits` says.
    pub max_turns: Option<u64>,
    /// Seconds an agent stays for its editor after it is done.
    #[serde(rename = "lingerSeconds")]
    pub linger_secs: Option<u64>,
    /// Check commands in place of those of the project.
    pub verify: Option<Vec<String>>,
    /// What is done when the node that runs an attempt goes silent.
    pub disconnect: Option<DisconnectOptions>,
    /// Entries of the node's `[egress]` that the agents may use; those of `[task] egress` when absent.
    pub egress: Option<Vec<String>>,
    /// Goes on although the model's price is unknown.
    pub allow_unknown_price: bool,
}

/// What is done when the node that runs an attempt goes silent; what is absent is as usual.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct DisconnectOptions {
    /// Seconds that it may come back within, beyond the end of its lease; 0 when absent.
    #[serde(rename = "lostAfterSeconds", alias = "lost_after_seconds")]
    pub lost_after_secs: Option<u64>,
    /// Whether another attempt is made meanwhile; true when absent.
    pub replace: Option<bool>,
    /// Which of the two is kept when it comes back while the other runs; `best_score` when absent.
    pub reconcile: Option<Reconcile>,
}

impl DisconnectOptions {
    /// A holder is waited for a week at most.
    pub const MOST: u64 = 7 * 24 * 3600;

    /// These in place of `below`, as far as they say anything.
    #[must_use]
    pub fn over(self, below: Disconnect) -> Disconnect {
        Disconnect {
            lost_after_secs: self.lost_after_secs.unwrap_or(below.lost_after_secs).min(Self::MOST),
            replace: self.replace.unwrap_or(below.replace),
            reconcile: self.reconcile.unwrap_or(below.reconcile),
        }
    }
}

/// Something to do to one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Command {
    /// End it for good.
    Stop,
    /// Hold it where it is; the lease is kept, the clock stands.
    Pause,
    /// Undo `pause`.
    Resume,
    /// A new attempt of a failed, lost or rejected task.
    Retry,
    /// Take the running attempt off its node and place the task again.
    Evict {
        /// Seconds the agent gets to end by itself.
        #[serde(default, rename = "graceSeconds")]
        grace: u64,
    },
    /// Merge its patch and tick its box.
    Accept {
        /// Also when the verdict is NOT.
        #[serde(default)]
        force: bool,
    },
    /// Refuse its patch.
    Reject {
        /// Why; becomes part of the next attempt's prompt.
        #[serde(default)]
        reason: String,
        /// Start another attempt.
        #[serde(default)]
        retry: bool,
    },
    /// Comment on its patch.
    Comment {
        /// The text.
        body: String,
    },
    /// Move the ownership here (epoch bump).
    Adopt {
        /// Whether or not an arbiter says that its owner is gone.
        #[serde(default = "yes")]
        force: bool,
    },
}

/// Before there were arbiters, nothing but force moved a task.
const fn yes() -> bool {
    true
}

/// Something to do to one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum NodeCommand {
    /// Give it no new work.
    Cordon,
    /// Undo `cordon`.
    Uncordon,
    /// Cordon it, and when the grace is over end what still runs there: its tasks are placed elsewhere and the
    /// attempts count as nobody's fault. Answered when it is durable, not when the node is empty.
    Drain {
        /// Seconds that agents may still run.
        #[serde(default, rename = "graceSeconds")]
        grace: u64,
    },
}

/// Which tasks to show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Filter {
    /// Only of this project checkout.
    pub project: Option<String>,
    /// Only of this feature (`001-shop`).
    pub feature: Option<String>,
    /// Only in these states.
    pub states: Vec<String>,
}
