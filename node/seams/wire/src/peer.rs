//! What nodes of one mesh say to each other. Fields are only added; a reader passes over what it does not know.

mod envelope;
pub mod join;
pub mod roster;
mod token;

pub use envelope::{Envelope, EnvelopeError, PAYLOAD_TYPE};
pub use token::{Token, TokenError};

use ikigai_enrolment::StatementId;
use ikigai_task::{Follow, Reason, Record, TaskSpec};
use ikigai_types::{
    Change, CheckResult, ClassSlots, Commit, Epoch, Fence, Lease, Limits, NodeId, ProjectId, Resources,
    Resumed, Tags, Taint, TaskId, Timestamp, Usage, WorkloadId, Writer,
};
use serde::{Deserialize, Serialize};

/// A lease, and what is to run under it, signed by the owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Offer {
    /// The lease; `expires` is by the owner's clock and means nothing to the holder.
    pub lease: Lease,
    /// Milliseconds the lease is good for without being renewed, from before this was sent.
    pub lease_ms: u64,
    /// A [`Workload`], signed.
    pub workload: Envelope,
}

/// What the owner signs: everything that decides what runs, and as what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// The lease it is signed for.
    pub fence: Fence,
    /// The node that may run it.
    pub node: NodeId,
    /// The task: adapter, provider, model, limits, checks.
    pub spec: TaskSpec,
    /// What the agent is told.
    pub prompt: String,
    /// What its result is compared with.
    pub base: Commit,
    /// What it works from, when it goes on from what an earlier attempt left; `base` is an ancestor of it.
    #[serde(default)]
    pub from: Option<Commit>,
    /// What the agent is told of the attempt it follows, if it follows one.
    #[serde(default)]
    pub follow: Option<Follow>,
    /// Agent image by digest; `None` for executors without images.
    #[serde(default)]
    pub image: Option<String>,
    /// What it may reach: `gateway` is model calls and what `spec.egress` lists, through the gate, and nothing else.
    pub network: String,
}

/// The holder's answer to an offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Admission {
    /// It runs.
    Accepted,
    /// It does not.
    Refused {
        /// Why.
        text: String,
        /// What the holder has now, so that the owner's picture is fresh.
        advertisement: Box<Advertisement>,
    },
}

/// What an owner has a holder do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Order {
    /// End it.
    Stop {
        /// Seconds the agent gets.
        grace: u64,
        /// Why.
        reason: Reason,
    },
    /// Hold it.
    Hold,
    /// Let it go on.
    Unhold,
}

/// What a holder tells the owner of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The lease it acts under.
    pub fence: Fence,
    /// What happened.
    pub news: News,
}

/// What happened to an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum News {
    /// It is still held here.
    Heartbeat,
    /// The agent runs.
    Started {
        /// What the executor calls it.
        workload: WorkloadId,
        /// What it works from.
        base: Commit,
        /// What its sandbox does not hold.
        isolation_missing: Vec<String>,
    },
    /// The agent of an attempt that follows another has begun.
    Session {
        /// Whether with the session of that attempt.
        how: Resumed,
    },
    /// The agent tried something its gate does not allow.
    Denied {
        /// What it tried.
        what: String,
    },
    /// Its agent called its model. The answer says nothing of the lease.
    Used {
        /// What the attempt used so far, as its gate counted it.
        usage: Usage,
    },
    /// Who types in the agent's terminal; nobody: the agent goes on.
    Typing {
        /// Who.
        #[serde(default)]
        writer: Option<Writer>,
    },
    /// The provider's quota is used up.
    Quota {
        /// Milliseconds until it resets.
        wait_ms: u64,
    },
    /// It ended.
    Ended(Box<Ended>),
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// Exit code of the agent, if it ran.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// Why there is no result.
    #[serde(default)]
    pub reason: Option<Reason>,
    /// In a sentence.
    #[serde(default)]
    pub detail: String,
    /// What it used.
    #[serde(default)]
    pub usage: Usage,
    /// What it made; the owner fetches its objects before it answers.
    #[serde(default)]
    pub change: Option<Change>,
    /// Ref on the holder that has what was not handed in.
    #[serde(default)]
    pub salvage: Option<String>,
    /// The commit there, when another attempt may go on from it; the owner fetches it when it can.
    #[serde(default)]
    pub saved: Option<Commit>,
}

/// The owner's answer to a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Reply {
    /// Durable. The lease is good for `lease_ms` from before the report was sent.
    Taken {
        /// Milliseconds.
        lease_ms: u64,
    },
    /// It came under a lease that is not good, or of a task that is not known: the holder ends it.
    Refused {
        /// The epoch that is good, when the task is known.
        #[serde(default)]
        current: Option<Epoch>,
        /// In a sentence.
        text: String,
    },
}

/// Log lines of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lines {
    /// The lease they were printed under.
    pub fence: Fence,
    /// The lines, their numbers rising.
    pub lines: Vec<Line>,
}

/// One log line on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Its number.
    pub n: u64,
    /// When it was read.
    pub at: Timestamp,
    /// `stdout`, `stderr`, `system` or `gap`.
    pub stream: String,
    /// Its text.
    pub text: String,
}

/// Checks to be run from a clean checkout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// The lease the result was made under.
    pub fence: Fence,
    /// The project.
    pub project: ProjectId,
    /// The result.
    pub head: Commit,
    /// The commands.
    pub commands: Vec<String>,
    /// What each run is held to.
    pub limits: Limits,
}

/// What checks said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// One per command that ran.
    pub checks: Vec<CheckResult>,
}

/// Asks an owner for its log, to have a copy of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyAsk {
    /// The log of which the caller has a part.
    #[serde(default)]
    pub log: Option<String>,
    /// Number of the last entry the caller has of it.
    #[serde(default)]
    pub after: u64,
    /// Tasks of this owner that persons moved to the caller, since this owner was gone.
    #[serde(default)]
    pub adopted: Vec<Adopted>,
}

/// A task that was moved to the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Adopted {
    /// The task.
    pub task: TaskId,
    /// Its epoch there.
    pub epoch: Epoch,
}

/// A piece of an owner's log; empty when nothing came for a while.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Copied {
    /// Names the log.
    pub log: String,
    /// Number of the first entry here.
    pub first: u64,
    /// The entries, without a hole.
    pub records: Vec<Record>,
    /// Of what was moved, what this owner has accepted itself: the caller gives it back.
    #[serde(default)]
    pub kept: Vec<TaskId>,
}

/// What a node says of itself, gossiped as opaque bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Advertisement {
    /// Name for people.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// All the machine has.
    pub capacity: Resources,
    /// What tasks may use of it.
    pub allocatable: Resources,
    /// What is left of that.
    pub free: Resources,
    /// Tags.
    #[serde(default)]
    pub tags: Tags,
    /// Agent CLIs it can drive.
    #[serde(default)]
    pub adapters: Vec<String>,
    /// Model providers it has a credential for (names only).
    #[serde(default)]
    pub providers: Vec<String>,
    /// Agent images it has, by digest.
    #[serde(default)]
    pub images: Vec<String>,
    /// What runs workloads there.
    #[serde(default)]
    pub executor: String,
    /// What its sandbox does not hold.
    #[serde(default)]
    pub isolation_missing: Vec<String>,
    /// No new work.
    #[serde(default)]
    pub cordoned: bool,
    /// No new work, and what runs there is ended and placed elsewhere.
    #[serde(default)]
    pub draining: bool,
    /// What keeps work off it.
    #[serde(default)]
    pub taints: Vec<Taint>,
    /// Its slots by class of work.
    #[serde(default)]
    pub classes: ClassSlots,
    /// Projects whose objects it has, the newest of them.
    #[serde(default)]
    pub repositories: Vec<ProjectId>,
    /// Attempts that run there, or whose result their owner has not taken yet.
    #[serde(default)]
    pub running: u64,
}

/// Who is in the mesh, as one node knows it: statements, each signed by an enrolled node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Roster {
    /// Every statement, or those that the other end may lack.
    pub statements: Vec<Envelope>,
    /// A name for all that the sender holds: who holds the same need not send it.
    #[serde(default)]
    pub digest: Option<StatementId>,
}
