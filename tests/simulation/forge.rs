//! The forge and the boxes in tasks.md: what happened there has happened, whoever crashes afterwards.

use ikigai_types::{Fence, TaskId};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
pub struct Forge {
    pub patches: BTreeSet<Fence>,
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
