//! The same decisions, fast: thousands of nodes are looked at in blocks of sixty-four.
//!
//! What a task asks of a node's nature is a set of bits per fact, kept from decision to decision. Room is kept as
//! columns of floats, so that one pass scores a block. A block that cannot hold a nearly best node is passed over.
//! The answer is that of [`decide`](crate::decide()) on the same candidates, which tests hold it to.

mod block;
mod facts;
mod query;
mod search;

use crate::crowd::crowds;
use crate::place::row;
use crate::{Candidate, Placement, Policy, Request, score};
use block::{Block, LANES};
use facts::Facts;
use ikigai_types::{NodeId, Resources, WorkloadClass};
use std::time::Duration;

/// A set of nodes: bit `i % 64` of word `i / 64` is the `i`th by id.
type Bits = Vec<u64>;

/// A view of many nodes that is asked often and changes a little at a time.
#[derive(Debug, Clone)]
pub struct Index {
    policy: Policy,
    /// In the order of their ids.
    nodes: Vec<Candidate>,
    blocks: Vec<Block>,
    facts: Facts,
    /// Nodes that give each class at least one slot.
    admit: [Bits; WorkloadClass::ALL.len()],
    /// Per block, most points a node of it can have: reused from decision to decision.
    bounds: Vec<f32>,
}

impl Index {
    /// An index of `candidates`; of those with one id the last counts.
    pub fn new(policy: Policy, candidates: impl IntoIterator<Item = Candidate>) -> Self {
        let mut nodes: Vec<_> = candidates.into_iter().collect();
        nodes.reverse();
        nodes.sort_by_key(|c| c.id);
        nodes.dedup_by_key(|c| c.id);
        let mut index = Self {
            policy,
            nodes,
            blocks: Vec::new(),
            facts: Facts::default(),
            admit: Default::default(),
            bounds: Vec::new(),
        };
        index.rebuild();
        index
    }

    /// All nodes, in the order of their ids.
    pub fn candidates(&self) -> &[Candidate] {
        &self.nodes
    }

    /// The node `id`.
    pub fn get(&self, id: &NodeId) -> Option<&Candidate> {
        self.rank(id).map(|i| &self.nodes[i])
    }

    /// Replaces what is known of a node, or adds the node. A new one costs as much as a new index.
    pub fn update(&mut self, candidate: Candidate) {
        match self.nodes.binary_search_by_key(&candidate.id, |c| c.id) {
            Ok(i) => {
                self.nodes[i] = candidate;
                self.facts.refresh(i, &self.nodes[i]);
                self.refresh(i);
            }
            Err(i) => {
                self.nodes.insert(i, candidate);
                self.rebuild();
            }
        }
    }

    /// Forgets a node. Costs as much as a new index.
    pub fn remove(&mut self, id: &NodeId) -> Option<Candidate> {
        let removed = self.nodes.remove(self.rank(id)?);
        self.rebuild();
        Some(removed)
    }

    /// Notes that `by` passed: everything known is that much older.
    pub fn older(&mut self, by: Duration) {
        for i in 0..self.nodes.len() {
            self.nodes[i].age = self.nodes[i].age.saturating_add(by);
            self.blocks[i / LANES].age(i % LANES, score::age(&self.policy, self.nodes[i].age) as f32);
        }
        self.blocks.iter_mut().for_each(Block::sum_up_age);
    }

    /// Notes that `class` took `resources` of the node, until its own word says otherwise.
    pub fn take(&mut self, id: &NodeId, class: WorkloadClass, resources: &Resources) {
        let Some(i) = self.rank(id) else { return };
        let c = &mut self.nodes[i];
        c.free = c.free.minus(resources);
        c.classes.take(class, resources.slots);
        self.refresh(i);
    }

    /// Notes that `class` gave `resources` of the node back.
    pub fn give_back(&mut self, id: &NodeId, class: WorkloadClass, resources: &Resources) {
        let Some(i) = self.rank(id) else { return };
        let c = &mut self.nodes[i];
        c.free = c.free.plus(resources);
        c.classes.give_back(class, resources.slots);
        self.refresh(i);
    }

    /// The decision, and one row for each node: for people, once they ask.
    pub fn place(&mut self, request: &Request) -> Placement {
        let chosen = self.decide(request);
        let crowds = crowds(request, |id| self.get(id));
        let row = |c: &Candidate| row(&self.policy, request, c, &crowds, chosen == Some(c.id));
        Placement { chosen, rows: self.nodes.iter().map(row).collect() }
    }

    fn rank(&self, id: &NodeId) -> Option<usize> {
        self.nodes.binary_search_by_key(id, |c| c.id).ok()
    }

    fn rebuild(&mut self) {
        let words = self.nodes.len().div_ceil(LANES);
        self.facts = Facts::default();
        self.admit = std::array::from_fn(|_| vec![0; words]);
        self.blocks = vec![Block::default(); words];
        for i in 0..self.nodes.len() {
            self.set(i);
        }
        self.blocks.iter_mut().for_each(|b| {
            b.sum_up();
            b.sum_up_age();
        });
    }

    /// After the `i`th node changed.
    fn refresh(&mut self, i: usize) {
        self.set(i);
        let block = &mut self.blocks[i / LANES];
        block.sum_up();
        block.sum_up_age();
    }

    fn set(&mut self, i: usize) {
        let c = &self.nodes[i];
        let block = &mut self.blocks[i / LANES];
        block.set(i % LANES, c);
        block.age(i % LANES, score::age(&self.policy, c.age) as f32);
        let open = c.classes.shares.is_empty();
        for class in WorkloadClass::ALL {
            let admits = open || admits(c, class);
            facts::assign(&mut self.admit[class.index()], i, admits);
        }
    }
}

/// Whether `c` gives `class` a slot by its rules for classes.
fn admits(c: &Candidate, class: WorkloadClass) -> bool {
    c.classes.over_limit(class, 1).is_none() && c.free.slots > c.classes.held_back(class).slots
}
