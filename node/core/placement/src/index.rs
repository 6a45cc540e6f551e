//! The same decisions, fast: thousands of nodes are looked at in blocks of sixty-four.
//!
//! What a task asks of a node's nature is a set of bits per fact, kept from decision to decision. Room is kept as
//! columns of floats, so that one pass scores a block. A block that cannot hold a nearly best node is passed over.
//! The answer is that of [`decide`](crate::decide()) on the same candidates, which tests hold it to.

mod block;
mod bounds;
mod facts;
mod query;
mod search;

use crate::crowd::crowds;
use crate::place::{order, row};
use crate::{Candidate, Placement, Policy, Request, score};
use block::{Block, LANES};
use bounds::Bounds;
use facts::Facts;
use ikigai_types::{NodeId, Resources, WorkloadClass};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// A set of nodes: bit `i % 64` of word `i / 64` is the `i`th in their order.
type Bits = Vec<u64>;

/// A view of many nodes that is asked often and changes a little at a time.
#[derive(Debug, Clone)]
pub struct Index {
    policy: Policy,
    /// In their [`order`]: like beside like, so that what bounds a block bounds it well.
    nodes: Vec<Candidate>,
    ranks: HashMap<NodeId, usize>,
    blocks: Vec<Block>,
    facts: Facts,
    /// Nodes that give each class at least one slot.
    admit: [Bits; WorkloadClass::ALL.len()],
    bounds: Bounds,
    notes: Notes,
}

/// What a decision finds out per block, kept for its memory.
#[derive(Debug, Clone, Default)]
struct Notes {
    /// Nodes that no fact, class or crowd refuses.
    allowed: Bits,
    /// Most points a node can have.
    most: Vec<f32>,
}

impl Index {
    /// An index of `candidates`; of those with one id the last counts.
    pub fn new(policy: Policy, candidates: impl IntoIterator<Item = Candidate>) -> Self {
        let nodes: BTreeMap<_, _> = candidates.into_iter().map(|c| (c.id, c)).collect();
        let nodes = nodes.into_values().collect();
        let mut index = Self {
            policy,
            nodes,
            ranks: HashMap::new(),
            blocks: Vec::new(),
            facts: Facts::default(),
            admit: Default::default(),
            bounds: Bounds::default(),
            notes: Notes::default(),
        };
        index.rebuild();
        index
    }

    /// All nodes, the smallest first.
    pub fn candidates(&self) -> &[Candidate] {
        &self.nodes
    }

    /// The node `id`.
    pub fn get(&self, id: &NodeId) -> Option<&Candidate> {
        self.rank(id).map(|i| &self.nodes[i])
    }

    /// Replaces what is known of a node, or adds the node. A new one, or another size, costs as much as a new index.
    pub fn update(&mut self, candidate: Candidate) {
        let Some(i) = self.rank(&candidate.id) else {
            self.nodes.push(candidate);
            return self.rebuild();
        };
        let same = order(&self.nodes[i]) == order(&candidate);
        self.nodes[i] = candidate;
        if !same {
            return self.rebuild();
        }
        self.facts.refresh(i, &self.nodes[i]);
        self.refresh(i);
        self.bounds.age(i / LANES, &self.blocks[i / LANES]);
    }

    /// Forgets a node. Costs as much as a new index.
    pub fn remove(&mut self, id: &NodeId) -> Option<Candidate> {
        let removed = self.nodes.remove(self.rank(id)?);
        self.rebuild();
        Some(removed)
    }

    /// Notes that `by` passed: everything known is that much older.
    pub fn older(&mut self, by: Duration) {
        for (w, (block, nodes)) in self.blocks.iter_mut().zip(self.nodes.chunks_mut(LANES)).enumerate() {
            for (lane, node) in nodes.iter_mut().enumerate() {
                node.age = node.age.saturating_add(by);
                block.age[lane] = score::age(&self.policy, node.age) as f32;
            }
            block.pad(nodes.len());
            self.bounds.age(w, block);
        }
    }

    /// Notes that `class` took `resources` of the node, until its own word says otherwise.
    pub fn take(&mut self, id: &NodeId, class: WorkloadClass, resources: &Resources) {
        let Some(i) = self.rank(id) else { return };
        self.nodes[i].take(class, resources);
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
        self.ranks.get(id).copied()
    }

    fn rebuild(&mut self) {
        let words = self.nodes.len().div_ceil(LANES);
        self.nodes.sort_by_key(order);
        self.ranks = self.nodes.iter().enumerate().map(|(i, c)| (c.id, i)).collect();
        self.facts = Facts::default();
        self.admit = std::array::from_fn(|_| vec![0; words]);
        self.blocks = vec![Block::default(); words];
        (0..self.nodes.len()).for_each(|i| self.set(i));
        if let Some(last) = self.blocks.last_mut() {
            last.pad(self.nodes.len() - (words - 1) * LANES);
        }
        self.bounds = Bounds::new(&self.blocks);
    }

    /// After the `i`th node took or gave back something.
    fn refresh(&mut self, i: usize) {
        self.set(i);
        let w = i / LANES;
        self.blocks[w].pad((self.nodes.len() - w * LANES).min(LANES));
        self.bounds.set(w, &self.blocks[w]);
    }

    /// Writes the `i`th node into its columns.
    fn set(&mut self, i: usize) {
        let c = &self.nodes[i];
        self.blocks[i / LANES].set(i % LANES, c, score::age(&self.policy, c.age) as f32);
        let open = c.classes.shares.is_empty();
        for class in WorkloadClass::ALL {
            facts::assign(&mut self.admit[class.index()], i, open || admits(c, class));
        }
    }
}

/// Whether `c` gives `class` a slot by its rules for classes.
fn admits(c: &Candidate, class: WorkloadClass) -> bool {
    c.classes.over_limit(class, 1).is_none() && c.free.slots > c.classes.held_back(class).slots
}
