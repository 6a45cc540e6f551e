//! Everything that can cause something: a person asks, the world says, or time passes.

use crate::event::Record;
use crate::retry::Reason;
use crate::spec::TaskSpec;
use crate::state::WaitReason;
use ikigai_types::{
    AttemptId, Change, CheckResult, Commit, Epoch, Fence, NodeId, PatchId, PlacementRow, Resumed, Submitter,
    TaskId, Timestamp, Usage, Verdict, WorkloadId, Writer,
};

/// One cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Someone asks.
    Command(TaskId, Command),
    /// New tasks, and who asks for them; all are accepted or none. One that is known already is left as it is.
    Submit(Vec<TaskSpec>, Option<Submitter>),
    /// A person moves a task here whose owner is gone.
    Adopt(Adoption),
    /// A person moved this task to another node, whose epochs are above this one.
    Cede(TaskId, Epoch, NodeId),
    /// The world says.
    Observation(Observation),
    /// The owner was started again over its log.
    Recovered,
    /// Nothing but time passed.
    Wake,
}

/// What is known of a task that is moved here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adoption {
    /// Its log as its owner wrote it, from the beginning.
    pub records: Vec<Record>,
    /// Of what its attempts made or left, what is on this node.
    pub here: Vec<Commit>,
    /// Tasks that were accepted at its owner.
    pub done: Vec<TaskId>,
}

/// What a person can ask of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// End it.
    Stop,
    /// Hold it.
    Pause,
    /// Let it go on.
    Resume,
    /// Try it again.
    Retry,
    /// Take it off its node and place it again.
    Evict {
        /// Seconds the agent gets.
        grace: u64,
    },
    /// Take its patch.
    Accept {
        /// Also when the verdict is NOT.
        force: bool,
    },
    /// Refuse its patch.
    Reject {
        /// Why.
        text: String,
        /// Start another attempt.
        retry: bool,
        /// What was said on the forge that this answers, by the ids it has there: it is answered once.
        notes: Vec<String>,
    },
}

/// What the world says. Everything that acts for an attempt carries its fence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// Placement chose a node.
    Chosen {
        /// The task.
        task: TaskId,
        /// The node.
        node: NodeId,
        /// What it said of each node.
        rows: Vec<PlacementRow>,
    },
    /// Placement found none.
    NoneFits {
        /// The task.
        task: TaskId,
        /// What it needs.
        reason: WaitReason,
        /// In a sentence.
        text: String,
        /// What it said of each node.
        rows: Vec<PlacementRow>,
    },
    /// Placement found none, and what would have to end so that there is one.
    MakeRoom {
        /// The task.
        task: TaskId,
        /// Attempts of lower priority.
        evict: Vec<AttemptId>,
        /// In a sentence.
        text: String,
        /// What it said of each node.
        rows: Vec<PlacementRow>,
    },
    /// Somewhere something became free, or a node, tag, image or credential appeared.
    CapacityChanged,
    /// The node refused the offer.
    Declined {
        /// The offer.
        fence: Fence,
        /// Why.
        text: String,
    },
    /// Its agent called its model. Good under any lease: what was spent was spent.
    Used {
        /// The lease.
        fence: Fence,
        /// What the attempt used so far.
        usage: Usage,
    },
    /// The node still holds it.
    Heartbeat {
        /// The lease.
        fence: Fence,
    },
    /// The agent runs.
    Started {
        /// The lease.
        fence: Fence,
        /// What the executor calls it.
        workload: WorkloadId,
        /// What it works from.
        base: Commit,
        /// What its sandbox does not hold.
        isolation_missing: Vec<String>,
    },
    /// The agent has begun, and whether with the session of the attempt it follows.
    Session {
        /// The lease.
        fence: Fence,
        /// How.
        how: Resumed,
    },
    /// The agent tried something its gate does not allow.
    Denied {
        /// The lease.
        fence: Fence,
        /// What it tried.
        what: String,
    },
    /// Who types in its agent's terminal; nobody: the agent goes on.
    Typing {
        /// The lease.
        fence: Fence,
        /// Who.
        writer: Option<Writer>,
    },
    /// The provider's quota is used up.
    Quota {
        /// The lease.
        fence: Fence,
        /// When it resets.
        until: Timestamp,
    },
    /// The attempt ended.
    Ended {
        /// The lease.
        fence: Fence,
        /// Exit code of the agent, if it ran.
        exit_code: Option<i32>,
        /// Why there is no result.
        reason: Option<Reason>,
        /// In a sentence.
        detail: String,
        /// What it used.
        usage: Usage,
        /// What it made.
        change: Option<Change>,
        /// Ref that holds what was not pushed.
        salvage: Option<String>,
        /// The commit there, when another attempt may go on from it.
        saved: Option<Commit>,
    },
    /// The patch is on the forge.
    PatchOpened {
        /// The lease.
        fence: Fence,
        /// The forge's id.
        patch: PatchId,
        /// Which revision of it, from 1.
        revision: u32,
    },
    /// The patch is archived.
    Archived {
        /// The task.
        task: TaskId,
    },
    /// The checks were run again.
    Verified {
        /// The lease.
        fence: Fence,
        /// The verdict.
        verdict: Verdict,
        /// Who ran them.
        node: NodeId,
        /// The checks.
        checks: Vec<CheckResult>,
        /// What is missing for VERIFIED.
        gaps: Vec<String>,
    },
    /// Somebody who may do so merged its result on the forge: this node was not asked.
    Landed {
        /// The attempt that made it, the present one or an earlier one.
        fence: Fence,
    },
    /// The attempt was to change what a reviewer read, and left it as it was.
    Unchanged {
        /// The lease.
        fence: Fence,
    },
    /// The patch is merged.
    Merged {
        /// The lease.
        fence: Fence,
        /// The merge commit.
        commit: Commit,
    },
    /// The patch does not merge.
    MergeConflict {
        /// The lease.
        fence: Fence,
        /// The files.
        text: String,
    },
    /// The box is ticked.
    Ticked {
        /// The task.
        task: TaskId,
    },
    /// Something acted under this lease that leaves nothing in the log when the lease is good (a log line).
    Acted {
        /// The lease.
        fence: Fence,
        /// What it was.
        what: String,
    },
    /// A chore could not be done.
    ChoreFailed {
        /// The task.
        task: TaskId,
        /// Which.
        chore: &'static str,
        /// Why.
        text: String,
    },
}

/// Why an input was refused; nothing changed but, for a stale one, the record of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such task here.
    #[error("task {0} is not known here")]
    Unknown(TaskId),
    /// The state does not allow it.
    #[error("{task} is {state}; {wanted} is not possible now")]
    Illegal {
        /// The task.
        task: TaskId,
        /// Where it is.
        state: String,
        /// What was asked.
        wanted: &'static str,
    },
    /// It came under another lease than the present one.
    #[error("stale: {fence} does not hold the task; epoch {current} is good")]
    Stale {
        /// What it came under.
        fence: Fence,
        /// What is good.
        current: Epoch,
    },
    /// It was moved to another node.
    #[error("task {task} is owned by node {} now", owner.short())]
    Ceded {
        /// The task.
        task: TaskId,
        /// That node.
        owner: NodeId,
    },
    /// The verdict forbids it.
    #[error("the checks of {0} say NOT")]
    NotVerified(TaskId),
}
