//! The placements of one turn, one after the other: each sees what the one before took, or all of a feature's tasks
//! would go to the one node that looks best.

use ikigai_placement::{Candidate, Placement, Request, place};
use ikigai_types::TaskId;
use std::collections::VecDeque;

/// Who is to be placed, and what was found out on the way.
#[derive(Default)]
pub(super) struct Placing {
    tasks: VecDeque<TaskId>,
    /// The nodes as they are since the last grant.
    candidates: Option<Vec<Candidate>>,
    /// What no node had room for: within a turn room only shrinks, so that equal tasks need not be tried.
    nowhere: Vec<(Request, Placement)>,
}

impl Placing {
    pub(super) fn add(&mut self, task: TaskId) {
        self.tasks.push_back(task);
    }

    pub(super) fn next(&mut self) -> Option<TaskId> {
        self.tasks.pop_front()
    }

    /// Where `request` goes, among `candidates` as they are now.
    pub(super) fn place(
        &mut self,
        mut request: Request,
        candidates: impl FnOnce() -> Vec<Candidate>,
    ) -> Placement {
        let seed = std::mem::take(&mut request.seed);
        if let Some((_, placement)) = self.nowhere.iter().find(|(tried, _)| *tried == request) {
            return placement.clone();
        }
        request.seed = seed;
        let placement = place(&request, self.candidates.get_or_insert_with(candidates));
        if placement.chosen.is_some() {
            self.candidates = None;
        } else {
            request.seed = 0;
            self.nowhere.push((request, placement.clone()));
        }
        placement
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ikigai_types::{NodeId, Resources};

    fn node(slots: u64) -> Vec<Candidate> {
        let all = Resources { slots, ..Resources::default() };
        vec![Candidate {
            adapters: vec![String::new()],
            allocatable: all,
            free: all,
            ..Candidate::new(NodeId::from_bytes([1; 32]), "n")
        }]
    }

    fn request(slots: u64, seed: u64) -> Request {
        Request { resources: Resources { slots, ..Resources::default() }, seed, ..Request::default() }
    }

    #[test]
    fn equal_tasks_are_not_tried_again_and_other_tasks_are() {
        let mut placing = Placing::default();
        assert!(placing.place(request(3, 1), || node(2)).chosen.is_none());
        assert!(placing.place(request(3, 2), || unreachable!("it is known")).chosen.is_none());
        assert!(placing.place(request(2, 3), || unreachable!("nothing was taken")).chosen.is_some());
        assert!(placing.place(request(1, 4), || node(0)).chosen.is_none(), "what was taken is seen");
    }
}
