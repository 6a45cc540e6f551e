//! Mistakes that are planted in what surrounds the machines, to see that the simulation finds them. The
//! machines themselves are the real ones, always.

use crate::forge::Merged;
use crate::gossip::owner_of;
use crate::world::World;
use ikigai_task::Event;
use ikigai_types::Fence;
use std::collections::BTreeSet;

/// A mistake somebody could make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Who holds a resource does not look at the epoch of what comes.
    NoEpochAtTheResource,
    /// The grant of an attempt is kept on disk only once the attempt has ended.
    EpochNotKept,
    /// Offers leave before the grant is on disk.
    OfferBeforeKept,
    /// A holder judges its lease by the time of day the owner wrote into it.
    LeaseByWallClock,
    /// An owner takes a result because gossip says that it is there.
    AcceptanceByGossip,
    /// Who submits is answered before the task is on disk.
    AnswerBeforeKept,
    /// A node admits what its last advertisement has room for.
    AdmissionByHint,
}

pub const ALL: [Bug; 7] = [
    Bug::NoEpochAtTheResource,
    Bug::EpochNotKept,
    Bug::OfferBeforeKept,
    Bug::LeaseByWallClock,
    Bug::AcceptanceByGossip,
    Bug::AnswerBeforeKept,
    Bug::AdmissionByHint,
];

impl World {
    pub fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// A node that keeps grants of ended attempts only finds no others after a crash.
    pub fn forget_unkept(&mut self, node: usize) {
        if !self.has(Bug::EpochNotKept) {
            return;
        }
        let log = std::mem::take(&mut self.nodes[node].disk.kept.log);
        let mut open = BTreeSet::new();
        let mut kept: Vec<_> = log.into_iter().rev().collect();
        let mut ended = BTreeSet::new();
        for record in &kept {
            match &record.event {
                Event::Ended { fence, .. } | Event::Declined { fence, .. } => {
                    ended.insert(fence.clone());
                }
                Event::Granted { lease, .. } if !ended.contains(&lease.fence) => {
                    open.insert(lease.fence.clone());
                }
                _ => {}
            }
        }
        // What follows an open grant in the log of its task went with it.
        kept.reverse();
        let mut cut = BTreeSet::new();
        kept.retain(|record| {
            if let Event::Granted { lease, .. } = &record.event
                && open.contains(&lease.fence)
            {
                cut.insert(record.task.clone());
            }
            !cut.contains(&record.task)
        });
        self.mind_forget(&cut);
        self.nodes[node].disk.kept.log = kept;
    }

    /// What `node` makes of results it hears of in gossip: nothing, unless it is planted to.
    pub fn believe(&mut self, node: usize, results: &[Fence]) {
        for fence in results.iter().filter(|f| owner_of(&f.attempt.task) == node) {
            if self.forge.merge(fence) == Merged::Now {
                self.check_merge(node, fence);
            }
        }
    }
}
