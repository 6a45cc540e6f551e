//! The task graph: who waits for whom, and why.
//!
//! The rules, in the order of strength of [`EdgeReason`]:
//!
//! 1. What the author wrote down counts, also when it names a later task: that task then runs first, and
//!    everything below follows the order this gives instead of the order of the lines.
//! 2. Tasks that claim the same file run one after the other; so do a directory and what is inside it.
//! 3. In the phase of a story, code waits for the test tasks listed before it.
//! 4. In a phase, a task without `[P]` waits for the one without `[P]` before it and for the `[P]` tasks
//!    in between; a `[P]` task waits only for the nearest task without `[P]` before it.
//! 5. A phase waits for all phases before it; but phases of different stories that follow each other are
//!    independent, and wait only for the phases before the first of them.
//!
//! An implied edge never makes a cycle: it is only drawn along an order that explicit dependencies allow.

use std::fmt;
use std::sync::Arc;

use crate::document::{Document, TaskIdx};
use crate::error::{Error, Warning};
use crate::id::TaskId;
use crate::order;

mod build;
mod files;
mod gates;
mod reduce;
mod show;

/// Why one task waits for another, the strongest reason first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum EdgeReason {
    /// The author says so.
    Explicit,
    /// Both claim this path.
    SameFile(Arc<str>),
    /// Tests come before code in a story.
    TestsFirst,
    /// Order of the lines in a phase.
    FileOrder,
    /// The earlier phase must be complete.
    Phase,
}

impl fmt::Display for EdgeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Explicit => f.write_str("explicit"),
            Self::SameFile(path) => write!(f, "same file {path}"),
            Self::TestsFirst => f.write_str("tests first"),
            Self::FileOrder => f.write_str("file order"),
            Self::Phase => f.write_str("phase"),
        }
    }
}

/// `to` waits for `from`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The task that runs first.
    pub from: TaskIdx,
    /// The task that waits.
    pub to: TaskIdx,
    /// Why; the strongest reason when there are several.
    pub reason: EdgeReason,
}

/// A directed acyclic graph over the tasks of a [`Document`].
#[derive(Debug, Clone)]
pub struct Graph {
    /// Tasks and gates; what a node waits for always stands before it.
    nodes: Vec<Node>,
    /// Node of each task.
    node_of: Vec<usize>,
    ids: Vec<TaskId>,
    /// Guesses that gave way, and places where a dependency turns the order of the file round.
    pub warnings: Vec<Warning>,
}

/// A task, or a gate that opens when everything before it is done. Gates keep the graph linear in the file.
#[derive(Debug, Clone)]
struct Node {
    task: Option<TaskIdx>,
    before: Vec<Link>,
}

#[derive(Debug, Clone)]
struct Link {
    node: usize,
    reason: EdgeReason,
}

impl Graph {
    /// Builds the graph, or says which dependencies forbid one.
    pub fn build(document: &Document) -> Result<Self, Vec<Error>> {
        let order = order::order(document)?;
        Ok(build::build(document, order))
    }

    /// Number of tasks.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no task.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// All tasks in rounds: each runs in the first round in which nothing it waits for is open.
    pub fn waves(&self) -> Vec<Vec<TaskIdx>> {
        let mut level = vec![0_usize; self.nodes.len()];
        let mut waves: Vec<Vec<TaskIdx>> = Vec::new();
        for (i, node) in self.nodes.iter().enumerate() {
            let before = node.before.iter().map(|l| level[l.node]).max().unwrap_or(0);
            let Some(task) = node.task else {
                level[i] = before;
                continue;
            };
            level[i] = before + 1;
            if waves.len() < level[i] {
                waves.resize_with(level[i], Vec::new);
            }
            waves[before].push(task);
        }
        waves.iter_mut().for_each(|w| w.sort_unstable());
        waves
    }

    /// Of each task, how many tasks the longest chain has that waits for it: those with more are the more urgent.
    pub fn chain_behind(&self) -> Vec<u32> {
        let mut behind = vec![0; self.nodes.len()];
        for (i, node) in self.nodes.iter().enumerate().rev() {
            let chain = behind[i] + u32::from(node.task.is_some());
            for link in &node.before {
                behind[link.node] = chain.max(behind[link.node]);
            }
        }
        self.node_of.iter().map(|node| behind[*node]).collect()
    }

    /// Tasks that are not done and wait for nothing, in file order.
    pub fn ready(&self, done: impl Fn(TaskIdx) -> bool) -> Vec<TaskIdx> {
        let open = self.open(&done);
        let free = |node: &Node| node.before.iter().all(|l| open[l.node]);
        let waiting = self.nodes.iter().filter_map(|n| n.task.map(|t| (t, n)));
        let mut ready: Vec<TaskIdx> = waiting.filter(|(t, n)| !done(*t) && free(n)).map(|(t, _)| t).collect();
        ready.sort_unstable();
        ready
    }

    /// What a task still waits for, each with its strongest reason, in file order.
    pub fn waiting_for(&self, task: TaskIdx, done: impl Fn(TaskIdx) -> bool) -> Vec<Edge> {
        let mut edges = self.direct(task);
        edges.retain(|e| !done(e.from));
        edges
    }

    /// Every task this one waits for directly, gates written out, each once with its strongest reason.
    pub fn direct(&self, task: TaskIdx) -> Vec<Edge> {
        let Some(&start) = self.node_of.get(task.0) else { return Vec::new() };
        let mut edges = Vec::new();
        let mut seen = vec![false; self.nodes.len()];
        let mut links: Vec<&Link> = self.nodes[start].before.iter().collect();
        links.sort_by(|a, b| a.reason.cmp(&b.reason));
        for link in links {
            let mut open = vec![link.node];
            while let Some(node) = open.pop() {
                if std::mem::replace(&mut seen[node], true) {
                    continue;
                }
                match self.nodes[node].task {
                    Some(from) => edges.push(Edge { from, to: task, reason: link.reason.clone() }),
                    None => open.extend(self.nodes[node].before.iter().map(|l| l.node)),
                }
            }
        }
        edges.sort_unstable();
        edges
    }

    /// The chain of tasks that takes longest, `weight` giving each task's length; first in the file on a tie.
    pub fn critical_path(&self, weight: impl Fn(TaskIdx) -> u64) -> Vec<TaskIdx> {
        let mut best: Vec<(u64, Option<usize>)> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let longest = node
                .before
                .iter()
                .map(|l| (best[l.node].0, l.node))
                .reduce(|a, b| if b.0 > a.0 { b } else { a });
            let own = node.task.map_or(0, &weight);
            best.push((longest.map_or(0, |l| l.0).saturating_add(own), longest.map(|l| l.1)));
        }
        let end = (0..best.len())
            .filter(|n| self.nodes[*n].task.is_some())
            .reduce(|a, b| if best[b].0 > best[a].0 { b } else { a });
        let mut path: Vec<TaskIdx> =
            std::iter::successors(end, |n| best[*n].1).filter_map(|n| self.nodes[n].task).collect();
        path.reverse();
        path
    }

    /// Which nodes are done: a gate is when all before it are.
    fn open(&self, done: &impl Fn(TaskIdx) -> bool) -> Vec<bool> {
        let mut open = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let is = match node.task {
                Some(task) => done(task),
                None => node.before.iter().all(|l| open[l.node]),
            };
            open.push(is);
        }
        open
    }
}
