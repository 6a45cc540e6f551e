//! Gates behind many tasks: "phase 2 is complete", "the tests of this story are written".

use std::collections::BTreeMap;

use crate::document::{Document, Phase, PhaseKind};
use crate::graph::build::Nodes;

/// Tasks that others wait for together. Tasks may still be added after it was first closed.
#[derive(Default)]
pub(super) struct Gate {
    node: Option<usize>,
    open: Vec<usize>,
}

impl Gate {
    pub(super) fn add(&mut self, node: usize) {
        self.open.push(node);
    }

    /// The node behind all tasks added so far, if there are any.
    pub(super) fn close(&mut self, nodes: &mut Nodes) -> Option<usize> {
        self.close_behind(None, nodes)
    }

    fn close_behind(&mut self, earlier: Option<usize>, nodes: &mut Nodes) -> Option<usize> {
        if self.open.is_empty() && (self.node.is_some() || earlier.is_none()) {
            return self.node;
        }
        let mut before: Vec<usize> = self.node.into_iter().chain(earlier).collect();
        before.append(&mut self.open);
        self.node = Some(if let [only] = before[..] { only } else { nodes.gate(before) });
        self.node
    }
}

/// Which phases must be complete before which.
pub(super) struct Barriers {
    /// For each phase, the number of phases at the top of the file that must be complete before it.
    cut_of: Vec<usize>,
    /// For each phase, the position in `gates` of the first cut that includes it.
    gate_of: Vec<usize>,
    /// The distinct cuts, ascending, each with the gate behind what it adds to the cut before.
    gates: Vec<(usize, Gate)>,
    /// The first gate that has tasks not yet closed in.
    dirty: usize,
}

impl Barriers {
    pub(super) fn new(document: &Document) -> Self {
        let mut cut_of = Vec::new();
        let mut run = None;
        for (i, phase) in document.phases.iter().enumerate() {
            let start = if is_story(phase) { *run.get_or_insert(i) } else { i };
            if !is_story(phase) {
                run = None;
            }
            cut_of.push(start);
        }
        let mut cuts: Vec<usize> = cut_of.iter().copied().filter(|c| *c > 0).collect();
        cuts.dedup();
        let gate_of = (0..cut_of.len()).map(|phase| cuts.partition_point(|c| *c <= phase)).collect();
        let dirty = cuts.len();
        Self { cut_of, gate_of, gates: cuts.into_iter().map(|c| (c, Gate::default())).collect(), dirty }
    }

    /// Tells that a task of a phase was drawn.
    pub(super) fn add(&mut self, phase: usize, node: usize) {
        let at = self.gate_of[phase];
        if let Some((_, gate)) = self.gates.get_mut(at) {
            gate.add(node);
            self.dirty = self.dirty.min(at);
        }
    }

    /// The gate a task of this phase waits for: all tasks of the phases before it that were drawn.
    pub(super) fn before(&mut self, phase: usize, nodes: &mut Nodes) -> Option<usize> {
        let last = self.gates.partition_point(|(cut, _)| *cut < self.cut_of[phase]);
        let end = self.gates.get(last).filter(|(cut, _)| *cut == self.cut_of[phase]).map(|_| last)?;
        for at in self.dirty..=end {
            let earlier = at.checked_sub(1).and_then(|e| self.gates[e].1.node);
            self.gates[at].1.refresh(earlier, nodes);
        }
        if self.dirty <= end {
            self.dirty = end + 1;
        }
        self.gates[end].1.node
    }
}

impl Gate {
    /// Closes in what was added here and everything of the gate before.
    fn refresh(&mut self, earlier: Option<usize>, nodes: &mut Nodes) {
        let known = self.node;
        self.close_behind(earlier, nodes);
        if known.is_some() && self.node == known && earlier.is_some() {
            self.node = Some(nodes.gate(known.into_iter().chain(earlier)));
        }
    }
}

/// Phases of the same story, in one stretch of story phases, follow each other.
pub(super) struct Stories {
    /// For each phase, the story lanes it is part of.
    lanes_of: Vec<Vec<usize>>,
    lanes: Vec<StoryLane>,
}

#[derive(Default)]
struct StoryLane {
    phase: usize,
    done: Gate,
    current: Vec<usize>,
}

impl Stories {
    pub(super) fn new(document: &Document) -> Self {
        let mut known: BTreeMap<(usize, u32), usize> = BTreeMap::new();
        let mut lanes: Vec<StoryLane> = Vec::new();
        let mut lanes_of = Vec::new();
        let mut stretch = 0;
        for phase in &document.phases {
            if !is_story(phase) {
                stretch += 1;
            }
            let mut of = Vec::new();
            for story in phase.stories.iter().filter(|_| is_story(phase)) {
                of.push(*known.entry((stretch, *story)).or_insert_with(|| {
                    lanes.push(StoryLane::default());
                    lanes.len() - 1
                }));
            }
            lanes_of.push(of);
        }
        Self { lanes_of, lanes }
    }

    pub(super) fn add(&mut self, phase: usize, node: usize) {
        for &lane in &self.lanes_of[phase] {
            let lane = &mut self.lanes[lane];
            lane.enter(phase);
            if lane.phase == phase {
                lane.current.push(node);
            }
        }
    }

    /// What a task of this phase waits for: the earlier phases of its stories.
    pub(super) fn before(&mut self, phase: usize, nodes: &mut Nodes) -> Vec<usize> {
        let mut found = Vec::new();
        for &lane in &self.lanes_of[phase] {
            let lane = &mut self.lanes[lane];
            lane.enter(phase);
            // a task drawn late because of its dependencies: its phase is closed already
            if lane.phase == phase {
                found.extend(lane.done.close(nodes));
            }
        }
        found
    }
}

impl StoryLane {
    fn enter(&mut self, phase: usize) {
        if phase > self.phase {
            self.phase = phase;
            self.current.drain(..).for_each(|node| self.done.open.push(node));
        }
    }
}

fn is_story(phase: &Phase) -> bool {
    matches!(phase.kind, PhaseKind::Story { .. })
}
