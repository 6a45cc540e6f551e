//! Which statements count, and who is in because of them: a function of the set, whatever its order.
//!
//! A statement counts while its signer is a member and no removal of its signer that counts leaves it out.
//! Removals can leave out each other, so this is a rule with an exception to itself; it is solved from two
//! sides. What certainly counts is found by believing every removal that may count, what may count by
//! believing only those that certainly do, in turns, until nothing changes (the well-founded model). What is
//! left between the two, such as two nodes that remove each other, is decided for safety: such a removal
//! removes, such an enrolment enrols nobody.

use crate::{Said, Statement, StatementId};
use ikigai_types::NodeId;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Turns at most. More are needed only by chains of removals longer than this, each of which leaves out the
/// next; what is open then stays between the two sides.
const MAX_TURNS: usize = 64;

/// What the statements of a mesh amount to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Who is in, and the statement that says so.
    pub(crate) enrolled: BTreeMap<NodeId, StatementId>,
    /// Who is out for good.
    pub(crate) removed: BTreeSet<NodeId>,
    /// Statements that certainly count.
    pub(crate) counting: BTreeSet<StatementId>,
}

/// The statements, by place instead of by name.
struct Table<'a> {
    statements: Vec<&'a Statement>,
    by_signer: HashMap<NodeId, Vec<usize>>,
    founder: NodeId,
    /// Removals of a node, each with the statements of that node it leaves standing.
    removals: HashMap<NodeId, Vec<(usize, HashSet<usize>)>>,
}

/// What of all that may be believed: statements by place, and who is in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Belief {
    counts: Vec<bool>,
    members: HashMap<NodeId, usize>,
}

// === impl Standing ===

impl Standing {
    /// Of `statements`, each signed by someone who was enrolled once.
    pub(crate) fn of(statements: &BTreeMap<StatementId, Statement>) -> Self {
        let Some(table) = Table::new(statements) else { return Self::default() };
        let (sure, may) = table.solve();
        let removal = |(n, _): &(usize, &bool)| match table.statements[*n].said() {
            Said::Remove(r) => Some(r.node),
            _ => None,
        };
        let believed = |b: &Belief| -> BTreeSet<NodeId> {
            b.counts.iter().enumerate().filter(|(_, c)| **c).filter_map(|x| removal(&x)).collect()
        };
        let removed = believed(&may);
        let id = |n: usize| table.statements[n].id();
        let members = sure.members.iter().filter(|(node, _)| !removed.contains(node));
        let enrolled = members.map(|(node, by)| (*node, id(*by))).collect();
        let counting = sure.counts.iter().enumerate().filter(|(_, c)| **c).map(|(n, _)| id(n)).collect();
        Self { enrolled, removed, counting }
    }
}

// === impl Table ===

impl<'a> Table<'a> {
    /// `None` while nobody founded the mesh.
    fn new(all: &'a BTreeMap<StatementId, Statement>) -> Option<Self> {
        let statements: Vec<&Statement> = all.values().collect();
        let founder = statements.iter().find(|s| s.founds())?.signer();
        let places: HashMap<StatementId, usize> =
            statements.iter().enumerate().map(|(n, s)| (s.id(), n)).collect();
        let mut table = Self { statements, by_signer: HashMap::new(), founder, removals: HashMap::new() };
        for (n, statement) in table.statements.iter().enumerate() {
            table.by_signer.entry(statement.signer()).or_default().push(n);
        }
        for n in 0..table.statements.len() {
            if let Said::Remove(removal) = table.statements[n].said() {
                let kept = table.chain(removal.keeps, removal.node, &places);
                table.removals.entry(removal.node).or_default().push((n, kept));
            }
        }
        Some(table)
    }

    /// `last` and what it followed, as far as `signer` signed it and it is known.
    fn chain(
        &self,
        last: Option<StatementId>,
        signer: NodeId,
        places: &HashMap<StatementId, usize>,
    ) -> HashSet<usize> {
        let mut kept = HashSet::new();
        let mut next = last;
        while let Some(n) = next.and_then(|id| places.get(&id)).copied() {
            // A name is a hash over the name before it, so a chain has no ring; the set ends it all the same.
            if self.statements[n].signer() != signer || !kept.insert(n) {
                break;
            }
            next = self.statements[n].prev();
        }
        kept
    }

    /// What certainly counts, and what may.
    fn solve(&self) -> (Belief, Belief) {
        let mut may = self.follow(None);
        let mut sure = self.follow(Some(&may));
        for _ in 0..MAX_TURNS {
            may = self.follow(Some(&sure));
            let surer = self.follow(Some(&may));
            if surer == sure {
                break;
            }
            sure = surer;
        }
        (sure, may)
    }

    /// Everything that follows from the founder, when the removals of `against` are believed.
    fn follow(&self, against: Option<&Belief>) -> Belief {
        let mut counts = vec![false; self.statements.len()];
        let mut members: HashMap<NodeId, usize> = HashMap::new();
        let own = &self.by_signer[&self.founder];
        let root = own.iter().find(|n| self.statements[**n].founds()).copied();
        members.insert(self.founder, root.expect("invariant: the founder is who founded"));
        let mut open = vec![self.founder];
        while let Some(signer) = open.pop() {
            for &n in self.by_signer.get(&signer).into_iter().flatten() {
                if against.is_some_and(|b| self.left_out(n, signer, b)) {
                    continue;
                }
                counts[n] = true;
                if let Said::Enrol(enrol) = self.statements[n].said() {
                    members.entry(enrol.node).or_insert_with(|| {
                        open.push(enrol.node);
                        n
                    });
                }
            }
        }
        self.settle(&counts, &mut members);
        Belief { counts, members }
    }

    /// Whether a removal of `signer` that is believed leaves out its statement `n`.
    fn left_out(&self, n: usize, signer: NodeId, believed: &Belief) -> bool {
        let removals = self.removals.get(&signer).into_iter().flatten();
        removals.into_iter().any(|(r, kept)| believed.counts[*r] && !kept.contains(&n))
    }

    /// Of several enrolments of a node that count, the newest says its name.
    fn settle(&self, counts: &[bool], members: &mut HashMap<NodeId, usize>) {
        let rank = |n: usize| match self.statements[n].said() {
            Said::Enrol(enrol) => (enrol.at, self.statements[n].id()),
            _ => (ikigai_types::Timestamp(0), self.statements[n].id()),
        };
        for (n, statement) in self.statements.iter().enumerate() {
            if let (true, Said::Enrol(enrol)) = (counts[n], statement.said()) {
                let by = members.entry(enrol.node).or_insert(n);
                if rank(n) > rank(*by) || !counts[*by] {
                    *by = n;
                }
            }
        }
    }
}
