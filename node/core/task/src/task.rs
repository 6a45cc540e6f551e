//! What the owner knows of one task: the sum of its events.

use crate::event::Event;
use crate::retry::{Blame, Reason};
use crate::spec::TaskSpec;
use crate::state::TaskState;
use ikigai_types::{
    Change, CheckResult, Commit, Epoch, Fence, NodeId, PatchId, PlacementRow, Timestamp, Usage, Verdict,
    WorkloadId,
};

/// A task and its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// What is to be done.
    pub spec: TaskSpec,
    /// Where it is.
    pub state: TaskState,
    /// The highest epoch granted.
    pub epoch: Epoch,
    /// Every attempt, the last one is the present one.
    pub attempts: Vec<Attempt>,
    /// Attempts and machine faults it may still be blamed for are counted from this attempt on.
    pub blamed_from: usize,
    /// Not before this time.
    pub not_before: Option<Timestamp>,
    /// End of the present lease, by the owner's clock; only in memory, a restart gives a full length.
    pub expires: Option<Timestamp>,
    /// Where it goes on when a person or the quota lets it.
    pub held_in: Option<TaskState>,
    /// The attempt a person took; from then on no other.
    pub accepted: Option<Fence>,
    /// Its box is ticked.
    pub ticked: bool,
    /// Tries of the present chore that did not work.
    pub chore_tries: u32,
    /// Why it waits, in a sentence.
    pub wait_text: String,
    /// What placement last said of each node.
    pub rows: Vec<PlacementRow>,
    /// What a person said when refusing it, for the next prompt.
    pub rejected: Option<String>,
    /// Accepted by its owner.
    pub submitted_at: Timestamp,
    /// Last event.
    pub updated_at: Timestamp,
}

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
    /// What the executor calls it.
    pub workload: Option<WorkloadId>,
    /// What it works from.
    pub base: Option<Commit>,
    /// What its sandbox does not hold.
    pub isolation_missing: Vec<String>,
    /// Exit code of the agent.
    pub exit_code: Option<i32>,
    /// Why it has no accepted result.
    pub reason: Option<Reason>,
    /// In a sentence.
    pub detail: String,
    /// What it used.
    pub usage: Usage,
    /// What it made.
    pub change: Option<Change>,
    /// Ref of what was not pushed.
    pub salvage: Option<String>,
    /// Its patch.
    pub patch: Option<PatchId>,
    /// What the checks said.
    pub verified: Option<Verification>,
    /// Its merge commit.
    pub merged: Option<Commit>,
    /// Granted.
    pub started_at: Timestamp,
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
    /// It is over.
    Ended,
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

impl Task {
    /// A task just submitted.
    pub(crate) fn new(spec: TaskSpec, at: Timestamp) -> Self {
        Self {
            spec,
            state: TaskState::Queued,
            epoch: Epoch::default(),
            attempts: Vec::new(),
            blamed_from: 0,
            not_before: None,
            expires: None,
            held_in: None,
            accepted: None,
            ticked: false,
            chore_tries: 0,
            wait_text: String::new(),
            rows: Vec::new(),
            rejected: None,
            submitted_at: at,
            updated_at: at,
        }
    }

    /// The attempt that holds the present lease, if one does.
    pub fn active(&self) -> Option<&Attempt> {
        self.attempts.last().filter(|a| a.phase != Phase::Ended)
    }

    /// The number the next attempt gets. One whose offer was declined never was an attempt.
    pub fn next_number(&self) -> u32 {
        self.attempts.last().map_or(0, |a| a.fence.attempt.number) + 1
    }

    /// How many ended attempts are to be blamed on `blame`.
    pub fn faults(&self, blame: Blame) -> u32 {
        let recent = self.attempts.iter().skip(self.blamed_from);
        u32::try_from(recent.filter(|a| a.reason.is_some_and(|r| r.blame() == blame)).count())
            .unwrap_or(u32::MAX)
    }

    /// What all attempts used.
    pub fn usage(&self) -> Usage {
        self.attempts.iter().fold(Usage::default(), |sum, a| sum.plus(a.usage))
    }

    /// Whether it holds a lease under `fence`.
    pub fn holds(&self, fence: &Fence) -> bool {
        self.active().is_some_and(|a| &a.fence == fence)
    }

    /// Whether `fence` is that of the last attempt, ended or not, and nothing was granted after it.
    pub fn is_last(&self, fence: &Fence) -> bool {
        self.attempts.last().is_some_and(|a| &a.fence == fence)
    }

    /// Takes in an event. The one place where a task changes.
    pub(crate) fn apply(&mut self, event: &Event, at: Timestamp) {
        self.updated_at = at;
        match event {
            Event::Submitted { .. } | Event::StaleRefused { .. } | Event::Denied { .. } => {}
            Event::Waits { reason, text, rows, until } => {
                self.go(TaskState::Waiting(*reason));
                self.wait_text.clone_from(text);
                self.rows.clone_from(rows);
                self.not_before = *until;
            }
            Event::Queued => self.go(TaskState::Queued),
            Event::Placing => self.go(TaskState::Placing),
            Event::Granted { lease, rows } => self.granted(lease, rows, at),
            Event::Declined { fence, text } => {
                self.attempts.retain(|a| &a.fence != fence);
                self.expires = None;
                self.wait_text.clone_from(text);
                self.go(TaskState::Queued);
            }
            Event::Started { workload, base, isolation_missing, .. } => {
                self.started(workload, base, isolation_missing);
            }
            Event::Ended { exit_code, reason, detail, usage, change, salvage, .. } => {
                self.expires = None;
                self.held_in = None;
                self.chore_tries = 0;
                if let Some(a) = self.attempts.last_mut() {
                    a.phase = Phase::Ended;
                    a.exit_code = *exit_code;
                    a.reason = *reason;
                    a.detail.clone_from(detail);
                    a.usage = *usage;
                    a.change.clone_from(change);
                    a.salvage.clone_from(salvage);
                    a.ended_at = Some(at);
                }
                if reason.is_none() {
                    self.go(TaskState::Verifying);
                }
            }
            Event::BackOff { until, .. } => {
                self.not_before = Some(*until);
                // A person's pause outlives the attempt it met.
                if self.state == TaskState::Paused {
                    self.held_in = Some(TaskState::Queued);
                } else {
                    self.go(TaskState::Queued);
                }
            }
            Event::Failed { reason: Reason::Lost } => self.go(TaskState::Lost),
            Event::Failed { reason } => self.go(TaskState::Failed(*reason)),
            Event::Cancelled => self.go(TaskState::Cancelled),
            Event::Paused => {
                self.held_in = Some(self.state);
                self.go(TaskState::Paused);
            }
            Event::QuotaHeld { until, .. } => {
                self.held_in = Some(self.state);
                self.not_before = Some(*until);
                self.wait_text = "the provider's quota is used up".to_owned();
                self.go(TaskState::Waiting(crate::state::WaitReason::Quota));
            }
            Event::Resumed => {
                let to = self.held_in.take().unwrap_or(TaskState::Queued);
                self.not_before = None;
                self.go(to);
            }
            Event::Retried => {
                self.blamed_from = self.attempts.len();
                self.not_before = None;
                self.go(TaskState::Queued);
            }
            review => self.reviewed(review),
        }
    }

    fn granted(&mut self, lease: &ikigai_types::Lease, rows: &[PlacementRow], at: Timestamp) {
        self.epoch = lease.fence.epoch;
        self.expires = Some(lease.expires);
        self.not_before = None;
        self.rows = rows.to_vec();
        self.attempts.push(Attempt {
            fence: lease.fence.clone(),
            node: lease.node,
            rows: rows.to_vec(),
            phase: Phase::Preparing,
            workload: None,
            base: None,
            isolation_missing: Vec::new(),
            exit_code: None,
            reason: None,
            detail: String::new(),
            usage: Usage::default(),
            change: None,
            salvage: None,
            patch: None,
            verified: None,
            merged: None,
            started_at: at,
            ended_at: None,
        });
        self.go(TaskState::Preparing);
    }

    fn started(&mut self, workload: &WorkloadId, base: &Commit, missing: &[String]) {
        if let Some(a) = self.attempts.last_mut() {
            a.phase = Phase::Running;
            a.workload = Some(workload.clone());
            a.base = Some(base.clone());
            a.isolation_missing = missing.to_vec();
        }
        if self.state == TaskState::Paused {
            self.held_in = Some(TaskState::Running);
        } else {
            self.go(TaskState::Running);
        }
    }

    fn reviewed(&mut self, event: &Event) {
        if let Event::ChoreFailed { text, until, .. } = event {
            self.chore_tries += 1;
            self.not_before = Some(*until);
            self.wait_text.clone_from(text);
            return;
        }
        self.chore_tries = 0;
        self.not_before = None;
        match event {
            Event::PatchOpened { patch, .. } => {
                if let Some(a) = self.attempts.last_mut() {
                    a.patch = Some(patch.clone());
                }
            }
            Event::Verified { verdict, node, checks, gaps, .. } => {
                let (verdict, node) = (*verdict, *node);
                if let Some(a) = self.attempts.last_mut() {
                    a.verified =
                        Some(Verification { verdict, node, checks: checks.clone(), gaps: gaps.clone() });
                    if verdict == Verdict::Not {
                        a.reason = Some(Reason::CheckFailed);
                        a.detail = gaps.join(", ");
                    }
                }
                if verdict != Verdict::Not {
                    self.go(TaskState::Review);
                }
            }
            Event::AcceptDecided { fence } => self.accepted = Some(fence.clone()),
            Event::MergeRefused { text, .. } => {
                self.accepted = None;
                if let Some(a) = self.attempts.last_mut() {
                    a.reason = Some(Reason::Conflict);
                    a.detail.clone_from(text);
                }
            }
            Event::Merged { commit, .. } => {
                if let Some(a) = self.attempts.last_mut() {
                    a.merged = Some(commit.clone());
                }
                self.go(TaskState::Accepted);
            }
            Event::Ticked => self.ticked = true,
            Event::Rejected { text } => {
                self.rejected = Some(text.clone());
                self.go(TaskState::Rejected);
            }
            _ => {}
        }
    }

    fn go(&mut self, to: TaskState) {
        debug_assert!(crate::state::Moves::allows(self.state, to), "{} → {to}", self.state);
        self.state = to;
    }
}
