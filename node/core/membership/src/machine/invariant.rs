//! What is true after every input; tests ask after each.

use super::{Membership, Phase};
use crate::book::place;
use crate::member::Liveness;

impl Membership {
    /// What does not hold, if anything.
    #[doc(hidden)]
    pub fn violated(&self) -> Option<&'static str> {
        let mine = place(&self.node);
        let others = || self.book.entries().iter().zip(&self.rows).filter(|(entry, _)| entry.place != mine);
        let count = |liveness| others().filter(|(_, row)| row.liveness == liveness).count();
        let living: Vec<u64> =
            others().filter(|(_, row)| !row.is_dead()).map(|(entry, _)| entry.place).collect();
        let rules = [
            (self.rows.len() == self.book.len(), "each enrolled node has one row"),
            (
                self.rows[self.my_row()].liveness == Liveness::Alive || self.phase != Phase::Running,
                "a node is alive to itself",
            ),
            (count(Liveness::Alive) == self.alive && count(Liveness::Dead) == self.dead, "counts are true"),
            (self.overlay.places().all(|place| living.contains(&place)), "neighbours live"),
            (
                self.phase == Phase::Fresh || living.is_empty() || self.overlay.places().count() > 0,
                "who knows a living node has a neighbour",
            ),
            (
                self.suspicions.len() == count(Liveness::Suspect)
                    && self.suspicions.keys().all(|place| living.contains(place)),
                "there is a suspicion for each suspect",
            ),
            (others().all(|(_, row)| row.is_dead() || row.record.is_some()), "who lives has said so"),
            (self.missing.len() <= self.book.len(), "what is missing is of enrolled nodes"),
            (self.credits.len() <= self.book.len(), "credit is kept for enrolled nodes"),
            (self.probes.keys().all(|place| self.book.find(*place).is_some()), "enrolled nodes are asked"),
        ];
        rules.into_iter().find_map(|(holds, rule)| (!holds).then_some(rule))
    }
}
