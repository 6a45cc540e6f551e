//! What the owner writes to its durable log before it answers or acts: the whole truth about a task.

use crate::attempt::Continues;
use crate::retry::Reason;
use crate::spec::TaskSpec;
use crate::state::{TaskState, WaitReason};
use ikigai_types::{
    Change, CheckResult, Commit, Epoch, Fence, Lease, NodeId, PatchId, PlacementRow, Resumed, Submitter,
    TaskId, Timestamp, Usage, Verdict, WorkloadId, Writer,
};
use serde::{Deserialize, Serialize};

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When it happened, by the owner's clock.
    pub at: Timestamp,
    /// The task it happened to.
    pub task: TaskId,
    /// What happened.
    pub event: Event,
    /// Where it left the task.
    pub state: TaskState,
}

/// Something that happened to a task. Fields and variants are only added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// The owner accepted it.
    Submitted {
        /// What is to be done.
        spec: Box<TaskSpec>,
        /// Who asked for it, when that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Submitter>,
    },
    /// It cannot go on by itself yet.
    Waits {
        /// For what.
        reason: WaitReason,
        /// In a sentence.
        text: String,
        /// What placement said of each node, when it was asked.
        rows: Vec<PlacementRow>,
        /// When it looks again without being told.
        until: Option<Timestamp>,
    },
    /// It may be placed.
    Queued,
    /// A node is being looked for.
    Placing,
    /// A node was given the lease. The epoch in it is higher than any before.
    Granted {
        /// The lease.
        lease: Lease,
        /// What placement said of each node.
        rows: Vec<PlacementRow>,
        /// What it goes on from, when that is not the project as it is now.
        #[serde(default)]
        continues: Option<Continues>,
    },
    /// The node refused the offer, or did not answer it.
    Declined {
        /// The refused lease.
        fence: Fence,
        /// Why.
        text: String,
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
    /// Its agent has begun, and whether with the session of the attempt it follows.
    Session {
        /// The lease.
        fence: Fence,
        /// How.
        how: Resumed,
    },
    /// Its agent tried something its gate does not allow.
    Denied {
        /// The lease.
        fence: Fence,
        /// What it tried.
        what: String,
    },
    /// Its agent called its model. Each call is not worth an entry: what is here may be behind.
    Used {
        /// The lease.
        fence: Fence,
        /// What the attempt used so far.
        usage: Usage,
    },
    /// A person types in its agent's terminal from now on: until it is handed back the agent gets no new turn.
    TakenOver {
        /// The lease.
        fence: Fence,
        /// Who.
        writer: Writer,
        /// Who did before, if anybody.
        from: Option<Writer>,
    },
    /// Nobody types any more, and the agent goes on.
    HandedBack {
        /// The lease.
        fence: Fence,
        /// Who did before.
        from: Writer,
    },
    /// It is to leave its node, which was told; its end is still to come.
    Evicting {
        /// The lease.
        fence: Fence,
        /// Seconds the agent gets.
        grace: u64,
        /// The more important task that gets its room; none when a person wants it so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room_for: Option<TaskId>,
    },
    /// Its holder did not renew the lease, and is waited for.
    Silent {
        /// The lease.
        fence: Fence,
        /// How long.
        until: Timestamp,
        /// Another attempt is made meanwhile.
        replaced: bool,
    },
    /// The silent holder is back in time, and its attempt is the present one.
    Returned {
        /// The lease.
        fence: Fence,
    },
    /// The attempt ended.
    Ended {
        /// The lease.
        fence: Fence,
        /// Exit code of the agent, if it ran.
        exit_code: Option<i32>,
        /// Why there is no result; `None` when there is one.
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
        #[serde(default)]
        saved: Option<Commit>,
    },
    /// The next attempt may start at `until`.
    BackOff {
        /// Why the last one ended.
        reason: Reason,
        /// When.
        until: Timestamp,
    },
    /// No attempt is left, or none would help.
    Failed {
        /// Why the last one ended.
        reason: Reason,
    },
    /// Its patch is on the forge.
    PatchOpened {
        /// The lease it was made under.
        fence: Fence,
        /// The forge's id.
        patch: PatchId,
        /// Which revision of that patch it is, from 1.
        #[serde(default = "first")]
        revision: u32,
    },
    /// Its patch is archived: it will not go on.
    Archived,
    /// Its checks were run again.
    Verified {
        /// The lease it was made under.
        fence: Fence,
        /// The verdict.
        verdict: Verdict,
        /// The node that ran them.
        node: NodeId,
        /// The checks.
        checks: Vec<CheckResult>,
        /// What is missing for VERIFIED.
        gaps: Vec<String>,
    },
    /// Its result was merged on the forge by somebody else: from here on no other attempt can be accepted.
    Landed {
        /// The attempt.
        fence: Fence,
    },
    /// It was to change what a reviewer read, and left it as it was: that is no revision.
    Unchanged {
        /// The attempt.
        fence: Fence,
        /// The attempt whose result is in review again; none when another attempt follows.
        stands: Option<Fence>,
    },
    /// Notes on its patch began as many turns as they may: further ones wait for a person.
    NotesHeld {
        /// How many.
        turns: u32,
    },
    /// A person takes it: from here on no other attempt can be accepted.
    AcceptDecided {
        /// The attempt.
        fence: Fence,
    },
    /// It does not merge; a new attempt starts from what was accepted since.
    MergeRefused {
        /// The attempt.
        fence: Fence,
        /// The files.
        text: String,
    },
    /// It is merged: accepted.
    Merged {
        /// The attempt.
        fence: Fence,
        /// The merge commit.
        commit: Commit,
    },
    /// Its box in tasks.md is ticked.
    Ticked,
    /// A person refused it.
    Rejected {
        /// Why.
        text: String,
        /// What was said on the forge that this answers, by the ids it has there.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notes: Vec<String>,
    },
    /// A person holds it.
    Paused,
    /// A person lets it go on.
    Resumed,
    /// The provider's quota is used up; the agent is held until it resets.
    QuotaHeld {
        /// The lease.
        fence: Fence,
        /// When it resets.
        until: Timestamp,
    },
    /// A person wants it tried again.
    Retried,
    /// A person ended it.
    Cancelled,
    /// A person moved it to this node, since its owner is gone. Everything before this was copied from there.
    Adopted {
        /// This node.
        owner: NodeId,
        /// Its epochs are above this one.
        epoch: Epoch,
        /// Of what earlier attempts made or left, what is on this node.
        here: Vec<Commit>,
        /// Of what it waited for, what was accepted at its last owner.
        done: Vec<TaskId>,
    },
    /// A person moved it to another node while this one was away. It is that one's now.
    Ceded {
        /// The other node.
        owner: NodeId,
        /// Its epochs are above this one.
        epoch: Epoch,
    },
    /// A chore (patch, checks, merge, box) did not work and is tried again.
    ChoreFailed {
        /// Which.
        chore: String,
        /// Why.
        text: String,
        /// When it is tried again.
        until: Timestamp,
    },
    /// Something came under a lease that is not the present one, and changed nothing.
    StaleRefused {
        /// What it came under.
        fence: Fence,
        /// The epoch that is good.
        current: Epoch,
        /// What it was.
        what: String,
    },
}

/// Before patches grew by revisions, each attempt had a patch of its own.
const fn first() -> u32 {
    1
}

impl Event {
    /// The word other programs know it by.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Submitted { .. } => "submitted",
            Self::Waits { .. } => "waits",
            Self::Queued => "queued",
            Self::Placing => "placing",
            Self::Granted { .. } => "granted",
            Self::Declined { .. } => "declined",
            Self::Started { .. } => "started",
            Self::Session { .. } => "session",
            Self::Denied { .. } => "denied",
            Self::Used { .. } => "used",
            Self::TakenOver { .. } => "taken-over",
            Self::HandedBack { .. } => "handed-back",
            Self::Evicting { .. } => "evicting",
            Self::Silent { .. } => "silent",
            Self::Returned { .. } => "returned",
            Self::Ended { .. } => "ended",
            Self::BackOff { .. } => "back-off",
            Self::Failed { .. } => "failed",
            Self::PatchOpened { .. } => "patch-opened",
            Self::Archived => "patch-archived",
            Self::Verified { .. } => "verified",
            Self::Landed { .. } => "landed",
            Self::Unchanged { .. } => "unchanged",
            Self::NotesHeld { .. } => "notes-held",
            Self::AcceptDecided { .. } => "accept-decided",
            Self::MergeRefused { .. } => "merge-refused",
            Self::Merged { .. } => "accepted",
            Self::Ticked => "ticked",
            Self::Rejected { .. } => "rejected",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::QuotaHeld { .. } => "quota-held",
            Self::Retried => "retried",
            Self::Cancelled => "cancelled",
            Self::Adopted { .. } => "adopted",
            Self::Ceded { .. } => "ceded",
            Self::ChoreFailed { .. } => "chore-failed",
            Self::StaleRefused { .. } => "stale-refused",
        }
    }

    /// The lease it concerns, when it concerns one.
    pub const fn fence(&self) -> Option<&Fence> {
        match self {
            Self::Granted { lease, .. } => Some(&lease.fence),
            Self::Declined { fence, .. }
            | Self::Started { fence, .. }
            | Self::Session { fence, .. }
            | Self::Denied { fence, .. }
            | Self::Used { fence, .. }
            | Self::TakenOver { fence, .. }
            | Self::HandedBack { fence, .. }
            | Self::Evicting { fence, .. }
            | Self::Silent { fence, .. }
            | Self::Returned { fence }
            | Self::Ended { fence, .. }
            | Self::PatchOpened { fence, .. }
            | Self::Verified { fence, .. }
            | Self::Landed { fence }
            | Self::Unchanged { fence, .. }
            | Self::AcceptDecided { fence }
            | Self::MergeRefused { fence, .. }
            | Self::Merged { fence, .. }
            | Self::QuotaHeld { fence, .. }
            | Self::StaleRefused { fence, .. } => Some(fence),
            _ => None,
        }
    }
}
