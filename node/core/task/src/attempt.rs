//! One try of a task, as its owner knows it.

use crate::retry::Reason;
use ikigai_types::{
    Change, CheckResult, Commit, Fence, NodeId, PatchId, PlacementRow, Resumed, TaskId, Timestamp, Usage,
    Verdict, WorkloadId, Writer,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its lease.
    pub fence: Fence,
    /// The node it went to.
    pub node: NodeId,
    /// What placement said.
    pub rows: Vec<PlacementRow>,
    /// How far it is.
    pub phase: Phase,
    /// Its holder did not renew the lease and may still come back.
    pub silent: Option<Silent>,
    /// Its holder was told to end it within so many seconds, and has not answered yet.
    pub leaving: Option<u64>,
    /// The task that gets its room.
    pub room_for: Option<TaskId>,
    /// Who types in its agent's terminal.
    pub writer: Option<Writer>,
    /// The earlier attempt it goes on from.
    pub continues: Option<Continues>,
    /// How its agent began, when it follows another attempt and has begun.
    pub resumed: Option<Resumed>,
    /// It was held once: whether it is to run is repeated whenever its lease is renewed.
    pub held: bool,
    /// What the executor calls it.
    pub workload: Option<WorkloadId>,
    /// What its result is compared with.
    pub base: Option<Commit>,
    /// What its sandbox does not hold.
    pub isolation_missing: Vec<String>,
    /// How often its gate denied something, and what it was last.
    pub denied: Denied,
    /// Exit code of the agent.
    pub exit_code: Option<i32>,
    /// Why it has no accepted result.
    pub reason: Option<Reason>,
    /// In a sentence.
    pub detail: String,
    /// What it used so far, as it was last heard.
    pub usage: Usage,
    /// When that was last written down, and what it was.
    pub used: Option<(Timestamp, Usage)>,
    /// What it made.
    pub change: Option<Change>,
    /// Ref of what was not pushed.
    pub salvage: Option<String>,
    /// The commit there, when another attempt may go on from it.
    pub saved: Option<Commit>,
    /// The task's patch, once its result is a revision of it.
    pub patch: Option<PatchId>,
    /// Which revision of the patch its result is, from 1; 0 while it is none.
    pub revision: u32,
    /// What the checks said.
    pub verified: Option<Verification>,
    /// Its merge commit.
    pub merged: Option<Commit>,
    /// Granted.
    pub started_at: Timestamp,
    /// The agent runs since.
    pub running_at: Option<Timestamp>,
    /// Ended.
    pub ended_at: Option<Timestamp>,
}

/// How far an attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Its node makes it ready.
    Preparing,
    /// Its agent runs, or is held.
    Running,
    /// Its holder is silent, another attempt may be made, and it may still come back.
    Away,
    /// It is over.
    Ended,
}

/// A holder that did not renew its lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silent {
    /// It is waited for until then.
    pub until: Timestamp,
    /// How far the attempt was.
    pub was: Phase,
    /// Its agent was held.
    pub held: bool,
}

/// What the checks said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The verdict.
    pub verdict: Verdict,
    /// Who ran them.
    pub node: NodeId,
    /// The checks.
    pub checks: Vec<CheckResult>,
    /// What is missing for VERIFIED.
    pub gaps: Vec<String>,
}

/// What an attempt's gate denied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Denied {
    /// Times that were told.
    pub times: u32,
    /// What it was last, and why.
    pub last: String,
}

/// Where an attempt goes on from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continues {
    /// Number of the attempt that made it.
    pub attempt: u32,
    /// What was saved of it.
    pub commit: Commit,
    /// What that began from: the result is compared with it.
    pub base: Commit,
    /// It was not cut short: it is a result that a reviewer sent back.
    #[serde(default)]
    pub reviewed: bool,
}

impl Attempt {
    /// One that was just granted.
    pub(crate) fn new(
        lease: &ikigai_types::Lease,
        rows: &[PlacementRow],
        continues: Option<Continues>,
        at: Timestamp,
    ) -> Self {
        Self {
            fence: lease.fence.clone(),
            node: lease.node,
            rows: rows.to_vec(),
            phase: Phase::Preparing,
            silent: None,
            leaving: None,
            room_for: None,
            writer: None,
            continues,
            resumed: None,
            held: false,
            workload: None,
            base: None,
            isolation_missing: Vec::new(),
            denied: Denied::default(),
            exit_code: None,
            reason: None,
            detail: String::new(),
            usage: Usage::default(),
            used: None,
            change: None,
            salvage: None,
            saved: None,
            patch: None,
            revision: 0,
            verified: None,
            merged: None,
            started_at: at,
            running_at: None,
            ended_at: None,
        }
    }

    /// Whether it holds a lease: its agent is made ready, runs or is held.
    pub const fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Preparing | Phase::Running)
    }

    /// Its number.
    pub const fn number(&self) -> u32 {
        self.fence.attempt.number
    }

    /// What placement thought of its node.
    pub fn score(&self) -> Option<u32> {
        self.rows.iter().find(|r| r.chosen).and_then(|r| r.score)
    }

    /// How long its agent has run.
    pub fn ran(&self, now: Timestamp) -> Duration {
        self.running_at.map_or(Duration::ZERO, |at| self.ended_at.unwrap_or(now).since(at))
    }
}
