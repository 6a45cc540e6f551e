//! The edges worth showing: those that follow from no others.

use crate::document::TaskIdx;
use crate::graph::{Edge, Graph};

/// Largest graph that is reduced exactly: the work grows with the square.
const MAX_EXACT: usize = 4096;

impl Graph {
    /// The fewest edges that say the same (transitive reduction), in file order of the waiting task.
    ///
    /// Above 4,096 tasks only edges between single tasks are given, neither reduced nor with phases.
    pub fn edges(&self) -> Vec<Edge> {
        if self.len() > MAX_EXACT {
            return self.single_edges();
        }
        let mut rank = vec![0; self.len()];
        let tasks: Vec<TaskIdx> = self.nodes.iter().filter_map(|n| n.task).collect();
        for (i, task) in tasks.iter().enumerate() {
            rank[task.0] = i;
        }
        let mut above: Vec<Bits> = Vec::with_capacity(tasks.len());
        let mut edges = Vec::new();
        for task in &tasks {
            let mut direct = self.direct(*task);
            direct.sort_by_key(|e| std::cmp::Reverse(rank[e.from.0]));
            let mut covered = Bits::new(tasks.len());
            for edge in direct {
                let from = rank[edge.from.0];
                if !covered.has(from) {
                    covered.set(from);
                    covered.join(&above[from]);
                    edges.push(edge);
                }
            }
            above.push(covered);
        }
        edges.sort_by_key(|e| (e.to, e.from));
        edges
    }

    fn single_edges(&self) -> Vec<Edge> {
        let mut edges = Vec::new();
        for (to, node) in self.nodes.iter().filter_map(|n| n.task.map(|t| (t, n))) {
            for link in &node.before {
                if let Some(from) = self.nodes[link.node].task {
                    edges.push(Edge { from, to, reason: link.reason.clone() });
                }
            }
        }
        edges.sort_by(|a, b| (a.to, a.from, &a.reason).cmp(&(b.to, b.from, &b.reason)));
        edges.dedup_by(|b, a| (a.to, a.from) == (b.to, b.from));
        edges
    }
}

struct Bits(Vec<u64>);

impl Bits {
    fn new(len: usize) -> Self {
        Self(vec![0; len.div_ceil(64)])
    }

    fn has(&self, i: usize) -> bool {
        self.0[i / 64] >> (i % 64) & 1 == 1
    }

    fn set(&mut self, i: usize) {
        self.0[i / 64] |= 1 << (i % 64);
    }

    fn join(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }
}
