//! Draws the edges, walking the tasks in an order that explicit dependencies allow.

use std::collections::BTreeMap;

use crate::document::{Document, PhaseKind, Target, Task, TaskIdx};
use crate::graph::files::Files;
use crate::graph::gates::{Barriers, Gate, Stories};
use crate::graph::{EdgeReason, Graph, Link, Node};
use crate::order::{Before, Order, is_member};

/// Builds the graph over all tasks of the document.
pub(super) fn build(document: &Document, order: Order) -> Graph {
    let mut builder = Builder {
        document,
        nodes: Nodes { nodes: Vec::new(), node_of: vec![usize::MAX; document.tasks.len()] },
        lanes: document.phases.iter().map(|_| Lane::default()).collect(),
        barriers: Barriers::new(document),
        stories: Stories::new(document),
        files: Files::default(),
        groups: BTreeMap::new(),
    };
    for task in &order.tasks {
        builder.task(*task, &order.explicit[task.0]);
    }
    let ids = document.tasks.iter().map(|t| t.id.clone()).collect();
    Graph { nodes: builder.nodes.nodes, node_of: builder.nodes.node_of, ids, warnings: order.warnings }
}

/// The nodes so far.
pub(super) struct Nodes {
    pub(super) nodes: Vec<Node>,
    pub(super) node_of: Vec<usize>,
}

impl Nodes {
    /// Adds a gate behind these nodes; the reason is carried by the edge that leaves it.
    pub(super) fn gate(&mut self, before: impl IntoIterator<Item = usize>) -> usize {
        let before = before.into_iter().map(|node| Link { node, reason: EdgeReason::Phase }).collect();
        self.nodes.push(Node { task: None, before });
        self.nodes.len() - 1
    }
}

struct Builder<'a> {
    document: &'a Document,
    nodes: Nodes,
    lanes: Vec<Lane>,
    barriers: Barriers,
    stories: Stories,
    files: Files,
    groups: BTreeMap<Target, usize>,
}

/// What a phase remembers of the tasks that were drawn.
#[derive(Default)]
struct Lane {
    /// The last task without `[P]`.
    last: Option<usize>,
    /// The `[P]` tasks since.
    parallel: Vec<usize>,
    /// The test tasks so far.
    tests: Gate,
}

impl Builder<'_> {
    fn task(&mut self, idx: TaskIdx, explicit: &[Before]) {
        let task = &self.document.tasks[idx.0];
        let mut before = self.explicit(explicit);
        before.extend(self.files.before(task));
        before.extend(self.tests_first(task));
        before.extend(self.lane(task));
        before.extend(self.phases(task));
        let node = self.nodes.nodes.len();
        self.nodes.nodes.push(Node { task: Some(idx), before });
        self.nodes.node_of[idx.0] = node;
        self.remember(task, node);
    }

    fn explicit(&mut self, explicit: &[Before]) -> Vec<Link> {
        let mut links = Vec::new();
        for before in explicit {
            let node = match before {
                Before::Task(task) => self.nodes.node_of[task.0],
                Before::Group(group) => self.group(group),
            };
            links.push(Link { node, reason: EdgeReason::Explicit });
        }
        links
    }

    /// A gate behind all tasks of a story or phase; they all stand before whoever names it.
    fn group(&mut self, group: &Target) -> usize {
        if let Some(gate) = self.groups.get(group) {
            return *gate;
        }
        let phases = self.document.phases.iter().filter(|p| is_member(p, group));
        let members: Vec<usize> = phases.flat_map(|p| &p.tasks).map(|t| self.nodes.node_of[t.0]).collect();
        let gate = self.nodes.gate(members);
        self.groups.insert(group.clone(), gate);
        gate
    }

    fn tests_first(&mut self, task: &Task) -> Option<Link> {
        let story = matches!(self.document.phases[task.phase].kind, PhaseKind::Story { .. });
        if task.is_test || !story {
            return None;
        }
        let node = self.lanes[task.phase].tests.close(&mut self.nodes)?;
        Some(Link { node, reason: EdgeReason::TestsFirst })
    }

    fn lane(&self, task: &Task) -> Vec<Link> {
        let lane = &self.lanes[task.phase];
        let since: &[usize] = if task.parallel { &[] } else { &lane.parallel };
        let last = lane.last.filter(|_| since.is_empty());
        since.iter().copied().chain(last).map(|node| Link { node, reason: EdgeReason::FileOrder }).collect()
    }

    fn phases(&mut self, task: &Task) -> Vec<Link> {
        let barrier = self.barriers.before(task.phase, &mut self.nodes);
        let stories = self.stories.before(task.phase, &mut self.nodes);
        barrier.into_iter().chain(stories).map(|node| Link { node, reason: EdgeReason::Phase }).collect()
    }

    fn remember(&mut self, task: &Task, node: usize) {
        let lane = &mut self.lanes[task.phase];
        if task.parallel {
            lane.parallel.push(node);
        } else {
            lane.last = Some(node);
            lane.parallel.clear();
        }
        if task.is_test {
            lane.tests.add(node);
        }
        self.barriers.add(task.phase, node);
        self.stories.add(task.phase, node);
        self.files.add(task, node);
    }
}
