//! The forge and the boxes in tasks.md: what happened there has happened, whoever crashes afterwards.

use ikigai_types::{Fence, TaskId};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Forge {
    /// Revisions of the one patch of each task.
    pub patches: BTreeMap<TaskId, Vec<Fence>>,
    /// Who was merged, by task.
    pub merged: BTreeMap<TaskId, Fence>,
    pub boxes: BTreeSet<TaskId>,
}

/// What came of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merged {
    Now,
    Before,
    /// Another attempt of the task is merged.
    Other,
}

impl Forge {
    /// Adds a revision to the task's patch, once per lease; answers its number.
    pub fn revise(&mut self, fence: &Fence) -> u32 {
        let revisions = self.patches.entry(fence.attempt.task.clone()).or_default();
        let there = revisions.iter().position(|f| f == fence).unwrap_or_else(|| {
            revisions.push(fence.clone());
            revisions.len() - 1
        });
        u32::try_from(there + 1).expect("few revisions")
    }

    pub fn merge(&mut self, fence: &Fence) -> Merged {
        match self.merged.get(&fence.attempt.task) {
            Some(there) if there == fence => Merged::Before,
            Some(_) => Merged::Other,
            None => {
                self.merged.insert(fence.attempt.task.clone(), fence.clone());
                Merged::Now
            }
        }
    }
}
