//! What an arbiter decides, without touching a disk: every backend asks here.

use super::{Claim, Ruling, Standing, Taking};
use ikigai_types::{Epoch, NodeId};

/// The row that is to be written, or why not.
pub type Held = Result<Claim, Ruling>;

/// Decides `taking` by the task's `row` and by who is there.
///
/// # Errors
/// The ruling, when the task stays where it is.
pub fn take(row: Option<Claim>, standing: impl Fn(NodeId) -> Standing, taking: &Taking) -> Held {
    let Taking { from, to, epoch, force, held, .. } = *taking;
    let taken = Claim { owner: to, was: from, epoch, held, settled: false };
    let holder = match row {
        Some(c) if c.settled => return Err(Ruling::Settled(c.owner)),
        Some(c) if c.owner == to => {
            return Ok(Claim { epoch: c.epoch.max(epoch), held: c.held || held, ..c });
        }
        // It was promised to another that never took it into its log.
        Some(c) if c.owner == from || !c.held && c.was == from => c.owner,
        Some(c) => return Err(Ruling::Held(c.owner)),
        None => from,
    };
    let keeps = [from, holder].into_iter().find_map(|node| match standing(node) {
        Standing::There => Some(Ruling::There(node)),
        Standing::Unheard => Some(Ruling::Unheard(node)),
        Standing::Gone => None,
    });
    match keeps.filter(|_| !force && !held) {
        Some(ruling) => Err(ruling),
        None => Ok(taken),
    }
}

/// Decides that `owner` accepts the task's result, or that it does not after all, by the task's `row`.
///
/// # Errors
/// The ruling, when another has the task.
pub fn settle(row: Option<Claim>, owner: NodeId, accepted: bool) -> Held {
    let settled = Claim { owner, was: owner, epoch: Epoch(0), held: true, settled: accepted };
    match row {
        None => Ok(settled),
        Some(c) if c.owner == owner => Ok(Claim { held: true, settled: accepted, ..c }),
        Some(c) if c.settled => Err(Ruling::Settled(c.owner)),
        Some(c) if !c.held && c.was == owner => Ok(Claim { epoch: c.epoch, ..settled }),
        Some(c) => Err(Ruling::Held(c.owner)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ikigai_types::TaskId;

    fn node(key: u8) -> NodeId {
        NodeId::from_bytes([key; 32])
    }

    fn taking(from: u8, to: u8) -> Taking {
        let task = TaskId::new("p.T1").unwrap();
        Taking { task, from: node(from), to: node(to), epoch: Epoch(9), force: false, held: false }
    }

    fn claim(was: u8, owner: u8, held: bool, settled: bool) -> Option<Claim> {
        Some(Claim { owner: node(owner), was: node(was), epoch: Epoch(5), held, settled })
    }

    #[test]
    fn a_task_is_taken_from_who_is_gone_and_from_nobody_else() {
        let (there, gone, unheard) = (|_| Standing::There, |_| Standing::Gone, |_: NodeId| Standing::Unheard);
        let owner = |held: Held| held.map(|c| c.owner);
        assert_eq!(owner(take(None, gone, &taking(1, 2))), Ok(node(2)));
        assert_eq!(take(None, there, &taking(1, 2)), Err(Ruling::There(node(1))));
        assert_eq!(take(None, unheard, &taking(1, 2)), Err(Ruling::Unheard(node(1))));
        assert_eq!(owner(take(None, there, &Taking { force: true, ..taking(1, 2) })), Ok(node(2)));
        // Moved on since, promised and never taken, accepted.
        assert_eq!(take(claim(1, 3, true, false), gone, &taking(1, 2)), Err(Ruling::Held(node(3))));
        assert_eq!(owner(take(claim(1, 3, true, false), gone, &taking(3, 2))), Ok(node(2)));
        assert_eq!(owner(take(claim(1, 3, false, false), gone, &taking(1, 2))), Ok(node(2)));
        assert_eq!(take(claim(1, 3, false, false), there, &taking(1, 2)), Err(Ruling::There(node(1))));
        assert_eq!(take(claim(1, 3, true, true), gone, &taking(3, 2)), Err(Ruling::Settled(node(3))));
    }

    #[test]
    fn what_was_granted_once_is_granted_again() {
        let there = |_| Standing::There;
        let again = take(claim(1, 2, true, false), there, &taking(1, 2)).unwrap();
        assert_eq!((again.epoch, again.held), (Epoch(9), true));
        let held = Taking { held: true, ..taking(1, 2) };
        assert!(take(claim(1, 2, false, false), there, &held).unwrap().held);
        assert!(settle(claim(1, 2, true, true), node(2), true).is_ok());
    }

    #[test]
    fn only_who_has_it_accepts_it() {
        assert!(settle(None, node(1), true).unwrap().settled, "most tasks are never moved");
        assert_eq!(settle(claim(1, 2, true, false), node(1), true), Err(Ruling::Held(node(2))));
        assert_eq!(settle(claim(1, 2, false, true), node(1), true), Err(Ruling::Settled(node(2))));
        let kept = settle(claim(1, 2, false, false), node(1), true).unwrap();
        assert_eq!((kept.owner, kept.settled), (node(1), true), "the other one never had it");
        assert_eq!(take(Some(kept), |_| Standing::Gone, &taking(1, 2)), Err(Ruling::Settled(node(1))));
        let open = settle(Some(kept), node(1), false).unwrap();
        assert!(take(Some(open), |_| Standing::Gone, &taking(1, 2)).is_ok(), "it did not merge");
    }
}
