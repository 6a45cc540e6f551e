//! Who is in the mesh, as one node knows it: a set of statements that only grows, and what it amounts to.
//!
//! * Two nodes that know the same statements agree on who is in, in whatever order they learned them.
//! * Whoever is in may enrol and remove. A removal counts against every enrolment of that key, made before
//!   or after it: a machine that shall come back comes with a new key.
//! * What a removed node had stated before still counts as far as its removal says so; nothing else does.
//!   So a stolen key enrols nobody once it was removed, also where that is learned late.
//! * Of two that remove each other without knowing of it, both are out, and what either stated counts only as
//!   far as both removals say so: nothing in the statements tells who was first. This is what a removed key
//!   can still do where it reaches a node that has not heard of its removal: take down who removed it or
//!   those by whose word that node is in, and with them whom they alone enrolled. It lets nobody in.
//! * A statement of somebody who was never enrolled is refused, not kept: who sends it on sends its
//!   signer's enrolment with it, before it or in the same call.

use crate::standing::Standing;
use crate::text::clean_name;
use crate::{Address, Enrol, Flaw, MeshId, Remove, Said, Statement, StatementId};
use ikigai_types::{NodeId, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

/// Most nodes that may ever have been enrolled.
pub const MAX_NODES: usize = 10_000;
/// Most enrolments that are kept.
pub const MAX_ENROLMENTS: usize = 30_000;
/// Most removals that are kept; they have room of their own, so that no flood keeps one out.
pub const MAX_REMOVALS: usize = 10_000;
/// Most removals of one node that are kept.
pub const MAX_REMOVALS_EACH: usize = 16;

/// The statements of one mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    mesh: MeshId,
    statements: BTreeMap<StatementId, Statement>,
    addresses: BTreeMap<NodeId, Statement>,
    ever: BTreeSet<NodeId>,
    enrolments: usize,
    removals: BTreeMap<NodeId, usize>,
    standing: Standing,
}

/// A node that is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The node.
    pub node: NodeId,
    /// Its name, clean; the beginning of its id when it has none.
    pub name: String,
    /// Where it says it is, the best first.
    pub addresses: Vec<String>,
    /// Who enrolled it; itself for the founder.
    pub enrolled_by: NodeId,
    /// When, by that node's clock.
    pub at: Timestamp,
}

/// What became of statements that came in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Statements that were not known, in an order in which each follows who signed it.
    pub fresh: Vec<StatementId>,
    /// Who is in now and was not.
    pub enrolled: Vec<NodeId>,
    /// Who was in and is not now.
    pub gone: Vec<NodeId>,
    /// Who is in as before, with another name or elsewhere.
    pub moved: Vec<NodeId>,
    /// What was not taken, and why.
    pub refused: Vec<(StatementId, Flaw)>,
}

// === impl Roster ===

impl Roster {
    /// The mesh `mesh`, of which nothing is known yet.
    pub fn new(mesh: MeshId) -> Self {
        Self {
            mesh,
            statements: BTreeMap::new(),
            addresses: BTreeMap::new(),
            ever: BTreeSet::new(),
            enrolments: 0,
            removals: BTreeMap::new(),
            standing: Standing::default(),
        }
    }

    /// The mesh.
    pub const fn mesh(&self) -> MeshId {
        self.mesh
    }

    /// Takes in statements in any order; knowing one already, or taking it twice, changes nothing.
    pub fn merge(&mut self, statements: impl IntoIterator<Item = Statement>) -> Changes {
        let mut changes = Changes::default();
        let mut waiting: HashMap<NodeId, VecDeque<Statement>> = HashMap::new();
        let mut ready: VecDeque<Statement> = VecDeque::new();
        for statement in statements {
            if statement.mesh() != self.mesh {
                changes.refused.push((statement.id(), Flaw::Mesh));
            } else if self.ever.contains(&statement.signer()) || statement.founds() {
                ready.push_back(statement);
            } else {
                waiting.entry(statement.signer()).or_default().push_back(statement);
            }
        }
        let before = self.members_by_node();
        while let Some(statement) = ready.pop_front() {
            let (id, known) = (statement.id(), self.ever.len());
            match self.admit(statement) {
                Ok(false) => {}
                Ok(true) => changes.fresh.push(id),
                Err(flaw) => changes.refused.push((id, flaw)),
            }
            if self.ever.len() > known
                && let Some(Said::Enrol(enrol)) = self.statements.get(&id).map(Statement::said)
            {
                ready.extend(waiting.remove(&enrol.node).unwrap_or_default());
            }
        }
        let unknown = waiting.into_values().flatten().map(|s| (s.id(), Flaw::Signer));
        changes.refused.extend(unknown);
        if !changes.fresh.is_empty() {
            self.standing = Standing::of(&self.statements);
            self.compare(&before, &mut changes);
        }
        changes
    }

    /// Puts a statement of an enrolled signer where it belongs; false when that changes nothing.
    fn admit(&mut self, statement: Statement) -> Result<bool, Flaw> {
        match statement.said() {
            _ if self.statements.contains_key(&statement.id()) => return Ok(false),
            Said::Address(said) => {
                let newer = |old: &Statement| (at(old), old.id()) < (said.at, statement.id());
                if self.addresses.get(&statement.signer()).is_some_and(|old| !newer(old)) {
                    return Ok(false);
                }
                self.addresses.insert(statement.signer(), statement);
                return Ok(true);
            }
            Said::Enrol(enrol) => {
                let crowded = self.ever.len() >= MAX_NODES && !self.ever.contains(&enrol.node);
                if crowded || self.enrolments >= MAX_ENROLMENTS {
                    return Err(Flaw::Full);
                }
                self.enrolments += 1;
                self.ever.insert(enrol.node);
            }
            Said::Remove(remove) => {
                let all: usize = self.removals.values().sum();
                let each = self.removals.entry(remove.node).or_default();
                if all >= MAX_REMOVALS || *each >= MAX_REMOVALS_EACH {
                    return Err(Flaw::Full);
                }
                *each += 1;
            }
        }
        self.statements.insert(statement.id(), statement);
        Ok(true)
    }

    fn compare(&self, before: &BTreeMap<NodeId, Member>, changes: &mut Changes) {
        let now = self.members_by_node();
        changes.enrolled = now.keys().filter(|n| !before.contains_key(n)).copied().collect();
        changes.gone = before.keys().filter(|n| !now.contains_key(n)).copied().collect();
        let moved = now.iter().filter(|(n, m)| before.get(n).is_some_and(|b| b != *m));
        changes.moved = moved.map(|(n, _)| *n).collect();
    }

    fn members_by_node(&self) -> BTreeMap<NodeId, Member> {
        self.members().map(|m| (m.node, m)).collect()
    }

    /// Who is in.
    pub fn members(&self) -> impl Iterator<Item = Member> {
        self.standing.enrolled.keys().filter_map(|node| self.member(*node))
    }

    /// `node`, if it is in.
    pub fn member(&self, node: NodeId) -> Option<Member> {
        let statement = self.statements.get(self.standing.enrolled.get(&node)?)?;
        let Said::Enrol(enrol) = statement.said() else { return None };
        let said = self.addresses.get(&node).map(Statement::said);
        let addresses = match said {
            Some(Said::Address(a)) => a.addresses.clone(),
            _ => enrol.addresses.clone(),
        };
        let name = Some(clean_name(&enrol.name)).filter(|n| !n.is_empty()).unwrap_or_else(|| node.short());
        Some(Member { node, name, addresses, enrolled_by: statement.signer(), at: enrol.at })
    }

    /// Whether `node` is in.
    pub fn is_enrolled(&self, node: NodeId) -> bool {
        self.standing.enrolled.contains_key(&node)
    }

    /// Whether the key of `node` is out for good.
    pub fn is_removed(&self, node: NodeId) -> bool {
        self.standing.removed.contains(&node)
    }

    /// Who is out for good.
    pub fn removed(&self) -> impl Iterator<Item = NodeId> {
        self.standing.removed.iter().copied()
    }

    /// How many are in.
    pub fn len(&self) -> usize {
        self.standing.enrolled.len()
    }

    /// Whether nobody is in.
    pub fn is_empty(&self) -> bool {
        self.standing.enrolled.is_empty()
    }

    /// Every statement that is held, each after one that enrols its signer, so that any beginning of the
    /// list can be merged on its own.
    pub fn statements(&self) -> Vec<StatementId> {
        let mut by_signer: BTreeMap<NodeId, Vec<&Statement>> = BTreeMap::new();
        for statement in self.statements.values() {
            by_signer.entry(statement.signer()).or_default().push(statement);
        }
        let founder = self.statements.values().find(|s| s.founds()).map(Statement::signer);
        let mut open: VecDeque<NodeId> = founder.into_iter().collect();
        let mut seen: BTreeSet<NodeId> = founder.into_iter().collect();
        let mut listed = Vec::with_capacity(self.statements.len() + self.addresses.len());
        while let Some(signer) = open.pop_front() {
            let own = by_signer.get(&signer).into_iter().flatten();
            // The founder's word about itself goes before its others.
            let mut own: Vec<_> = own.copied().collect();
            own.sort_by_key(|s| !s.founds());
            for statement in own {
                listed.push(statement.id());
                if let Said::Enrol(enrol) = statement.said()
                    && seen.insert(enrol.node)
                {
                    open.push_back(enrol.node);
                }
            }
            listed.extend(self.addresses.get(&signer).map(Statement::id));
        }
        listed
    }

    /// A name for what is held: two nodes that hold the same have the same.
    pub fn digest(&self) -> StatementId {
        let ids = self.statements.keys().copied();
        StatementId::all(ids.chain(self.addresses.values().map(Statement::id)))
    }

    /// What `by` would sign to enrol `node`, which calls itself `name` and is at `addresses`.
    pub fn enrol(
        &self,
        by: NodeId,
        node: NodeId,
        name: &str,
        addresses: Vec<String>,
        at: Timestamp,
    ) -> Enrol {
        let (nonce, prev) = (String::new(), self.last_of(by));
        Enrol { mesh: self.mesh, node, name: clean_name(name), addresses, at, nonce, prev }
    }

    /// What `by` would sign to remove `node`: all that `node` stated so far, as it is known here, stands.
    pub fn remove(&self, by: NodeId, node: NodeId, at: Timestamp) -> Remove {
        Remove { mesh: self.mesh, node, at, keeps: self.last_of(node), prev: self.last_of(by) }
    }

    /// What a node would sign to say where it is.
    pub fn address(&self, addresses: Vec<String>, at: Timestamp) -> Address {
        Address { mesh: self.mesh, addresses, at }
    }

    /// The end of the longest chain of statements of `signer` that count. An honest node has one chain; a
    /// copy of its disk that was started beside it makes two.
    fn last_of(&self, signer: NodeId) -> Option<StatementId> {
        let own: BTreeMap<StatementId, Option<StatementId>> = self
            .statements
            .values()
            .filter(|s| s.signer() == signer && self.standing.counting.contains(&s.id()))
            .map(|s| (s.id(), s.prev()))
            .collect();
        let followed: BTreeSet<_> = own.values().flatten().collect();
        let length = |last: StatementId| {
            std::iter::successors(Some(last), |id| {
                own.get(id).copied().flatten().filter(|p| own.contains_key(p))
            })
            .count()
        };
        own.keys().filter(|id| !followed.contains(id)).max_by_key(|id| (length(**id), **id)).copied()
    }
}

/// When an address was stated.
fn at(statement: &Statement) -> Timestamp {
    match statement.said() {
        Said::Address(a) => a.at,
        _ => Timestamp(0),
    }
}

/// What founds a mesh: its id, and what its founder signs about itself.
pub fn found(founder: NodeId, name: &str, addresses: Vec<String>, nonce: String, at: Timestamp) -> Enrol {
    let mesh = MeshId::of(founder, &nonce);
    Enrol { mesh, node: founder, name: clean_name(name), addresses, at, nonce, prev: None }
}
