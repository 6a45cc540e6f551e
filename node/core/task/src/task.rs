//! What the owner knows of one task: the sum of its events.

mod apply;

use crate::attempt::{Attempt, Continues, Phase};
use crate::retry::{Blame, Reason};
use crate::spec::TaskSpec;
use crate::state::TaskState;
use ikigai_types::{Epoch, Fence, NodeId, PatchId, PlacementRow, Submitter, Timestamp, Usage};
use std::collections::BTreeSet;

/// A task and its history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// What is to be done.
    pub spec: TaskSpec,
    /// Who asked for it, when that is known.
    pub submitted_by: Option<Submitter>,
    /// Where it is.
    pub state: TaskState,
    /// The highest epoch granted.
    pub epoch: Epoch,
    /// The highest number an attempt was given.
    pub numbered: u32,
    /// Every attempt, the last one is the present one: one that came back after another was made is moved there.
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
    /// What was said on the forge and answered by another attempt, by the ids it has there.
    pub heard: BTreeSet<String>,
    /// Turns that were begun by notes on its patch since a person last decided something.
    pub noted: u32,
    /// Those were as many as they may be: further notes wait for a person.
    pub notes_held: bool,
    /// Its patch is archived.
    pub archived: bool,
    /// Who owned it before a person moved it here.
    pub adopted_from: Option<NodeId>,
    /// Accepted by its owner.
    pub submitted_at: Timestamp,
    /// Last event.
    pub updated_at: Timestamp,
}

impl Task {
    /// A task just submitted.
    pub(crate) fn new(spec: TaskSpec, submitted_by: Option<Submitter>, at: Timestamp) -> Self {
        Self {
            spec,
            submitted_by,
            state: TaskState::Queued,
            epoch: Epoch::default(),
            numbered: 0,
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
            heard: BTreeSet::new(),
            noted: 0,
            notes_held: false,
            archived: false,
            adopted_from: None,
            submitted_at: at,
            updated_at: at,
        }
    }

    /// The attempt that holds the present lease, if one does.
    pub fn active(&self) -> Option<&Attempt> {
        self.attempts.last().filter(|a| a.is_active())
    }

    /// Whether somebody works on it, or has and it is not decided what becomes of that.
    pub fn is_under_way(&self) -> bool {
        matches!(self.state, TaskState::Verifying | TaskState::Review) || self.active().is_some()
    }

    /// The number the next attempt gets. That of one whose offer was declined is not used again: a node that
    /// did not answer may run it all the same, and its lines would be taken for the next one's.
    pub const fn next_number(&self) -> u32 {
        self.numbered + 1
    }

    /// Its patch, which each attempt with a result adds a revision to.
    pub fn patch(&self) -> Option<&PatchId> {
        self.attempts.iter().rev().find_map(|a| a.patch.as_ref())
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

    /// The attempt whose result the last one was to change, while nothing newer is on the patch and nothing speaks
    /// against it.
    pub fn reviewed_before(&self) -> Option<&Attempt> {
        let from = self.attempts.last()?.continues.as_ref().filter(|c| c.reviewed)?;
        let newest = self.attempts.iter().map(|a| a.revision).max()?;
        let good = |a: &&Attempt| {
            let passed = a.verified.as_ref().is_some_and(|v| v.verdict != ikigai_types::Verdict::Not);
            passed && a.reason.is_none() && a.patch.is_some() && a.revision == newest
        };
        self.attempts.iter().find(|a| a.number() == from.attempt).filter(good)
    }

    /// Whether a person may accept its result now.
    pub fn may_be_accepted(&self, force: bool) -> bool {
        let verdict = self.attempts.last().and_then(|a| a.verified.as_ref()).map(|v| v.verdict);
        let good = force || verdict != Some(ikigai_types::Verdict::Not);
        self.state == TaskState::Review && self.accepted.is_none() && good
    }

    /// Whether it holds a lease under `fence`.
    pub fn holds(&self, fence: &Fence) -> bool {
        self.active().is_some_and(|a| &a.fence == fence)
    }

    /// Whether `fence` is that of the last attempt, ended or not, and nothing was granted after it.
    pub fn is_last(&self, fence: &Fence) -> bool {
        self.attempts.last().is_some_and(|a| &a.fence == fence)
    }

    /// The attempt of `fence` if its holder is silent, was or may be replaced, and may still come back.
    pub fn away(&self, fence: &Fence) -> Option<&Attempt> {
        self.attempts.iter().find(|a| a.phase == Phase::Away && &a.fence == fence)
    }

    /// The epoch under which something may be done for it now.
    pub fn good_epoch(&self) -> Epoch {
        self.attempts.last().map_or(self.epoch, |a| a.fence.epoch)
    }

    /// What the next attempt goes on from: a result that a reviewer sent back; or the newest that was saved, as long
    /// as every attempt since then ended for a reason that says nothing against its work.
    pub fn continues(&self) -> Option<Continues> {
        for a in self.attempts.iter().rev().filter(|a| a.phase != Phase::Away) {
            if let (None, Some(change), true) = (a.reason, &a.change, self.rejected.is_some()) {
                let (commit, base) = (change.head.clone(), change.base.clone());
                return Some(Continues { attempt: a.number(), commit, base, reviewed: true });
            }
            if !a.reason.is_some_and(Reason::resumes) {
                // What a reviewer wanted changed is still the place to begin, unless it does not merge any more.
                return a.continues.clone().filter(|c| c.reviewed && a.reason != Some(Reason::Conflict));
            }
            if let (Some(commit), Some(base)) = (&a.saved, &a.base) {
                return Some(Continues {
                    attempt: a.number(),
                    commit: commit.clone(),
                    base: base.clone(),
                    reviewed: false,
                });
            }
        }
        None
    }
}
