//! The order that explicit dependencies allow, as close to the file's order as they let it be.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use crate::document::{Document, Phase, PhaseKind, Target, TaskIdx};
use crate::error::{Error, Place, Problem, Warning};
use crate::id::TaskId;

mod components;

/// Tasks in an order that respects every explicit dependency, and what stands behind each.
#[derive(Debug)]
pub(crate) struct Order {
    /// All tasks.
    pub(crate) tasks: Vec<TaskIdx>,
    /// Explicit dependencies that count, per task.
    pub(crate) explicit: Vec<Vec<Before>>,
    pub(crate) warnings: Vec<Warning>,
}

/// What a task waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Before {
    Task(TaskIdx),
    /// All tasks of a story or phase.
    Group(Target),
}

/// Whether a phase belongs to the story or phase a dependency names.
pub(crate) fn is_member(phase: &Phase, group: &Target) -> bool {
    match group {
        Target::Task(_) => false,
        Target::Story(n) => {
            phase.stories.contains(n) || matches!(phase.kind, PhaseKind::Story { number, .. } if number == *n)
        }
        Target::Phase(number) => phase.number.as_ref().is_some_and(|own| {
            own == number || own.strip_prefix(number.as_str()).is_some_and(|rest| rest.starts_with('.'))
        }),
    }
}

/// Cycles among dependencies that are certain.
pub(crate) fn cycle_errors(document: &Document) -> Vec<Error> {
    let net = Net::new(document, |guessed| !guessed);
    components::cyclic(&net.before).iter().map(|part| net.error(document, part)).collect()
}

/// The order, or the cycles and unknown ids that forbid one.
pub(crate) fn order(document: &Document) -> Result<Order, Vec<Error>> {
    let errors = unknown(document);
    let cycles = cycle_errors(document);
    if !errors.is_empty() || !cycles.is_empty() {
        return Err(errors.into_iter().chain(cycles).collect());
    }
    let mut net = Net::new(document, |_| true);
    let warnings = net.drop_guesses(document);
    let tasks = net.sort(document.tasks.len());
    let explicit = net.explicit(document.tasks.len());
    let mut order = Order { tasks, explicit, warnings };
    order.warn_backward(document);
    Ok(order)
}

fn unknown(document: &Document) -> Vec<Error> {
    let mut errors = Vec::new();
    for task in &document.tasks {
        for dependency in &task.depends_on {
            let Target::Task(id) = &dependency.on else { continue };
            if document.index_of(id.as_str()).is_none() && !dependency.guessed {
                let place = place(document, dependency.line, dependency.column);
                let problem = Problem::UnknownDependency { task: task.id.clone(), unknown: id.clone() };
                errors.push(Error { place, problem });
            }
        }
    }
    errors
}

fn place(document: &Document, line: u32, column: u32) -> Place {
    Place { path: document.path.clone(), line, column }
}

impl Order {
    /// Says where an explicit dependency turns the file's order round.
    fn warn_backward(&mut self, document: &Document) {
        for (i, task) in document.tasks.iter().enumerate() {
            for dependency in &task.depends_on {
                let Target::Task(id) = &dependency.on else { continue };
                let Some(later) = document.index_of(id.as_str()).filter(|l| l.0 > i) else { continue };
                if !self.explicit[i].contains(&Before::Task(later)) {
                    continue;
                }
                let message =
                    format!("{} depends on {id}, which comes later in the file; {id} runs first", task.id);
                let place = place(document, dependency.line, dependency.column);
                self.warnings.push(Warning { place, message });
            }
        }
    }
}

/// Tasks, then one node per group, each with the nodes it waits for.
struct Net {
    before: Vec<Vec<usize>>,
    /// Edges that were guessed: (node, the node it waits for).
    guessed: std::collections::BTreeSet<(usize, usize)>,
    groups: Vec<Target>,
}

impl Net {
    fn new(document: &Document, wanted: impl Fn(bool) -> bool) -> Self {
        let count = document.tasks.len();
        let mut net =
            Self { before: vec![Vec::new(); count], guessed: Default::default(), groups: Vec::new() };
        let mut known: BTreeMap<Target, usize> = BTreeMap::new();
        for (i, task) in document.tasks.iter().enumerate() {
            for dependency in task.depends_on.iter().filter(|d| wanted(d.guessed)) {
                let node = match &dependency.on {
                    Target::Task(id) => document.index_of(id.as_str()).map(|t| t.0),
                    group => {
                        Some(*known.entry(group.clone()).or_insert_with(|| net.add_group(document, group)))
                    }
                };
                let Some(node) = node else { continue };
                net.before[i].push(node);
                if dependency.guessed {
                    net.guessed.insert((i, node));
                }
            }
        }
        net
    }

    fn add_group(&mut self, document: &Document, group: &Target) -> usize {
        let members = document.phases.iter().filter(|p| is_member(p, group)).flat_map(|p| &p.tasks);
        self.before.push(members.map(|t| t.0).collect());
        self.groups.push(group.clone());
        self.before.len() - 1
    }

    /// Where guesses and certain dependencies go round in a circle, the guesses go.
    fn drop_guesses(&mut self, document: &Document) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for part in components::cyclic(&self.before) {
            let inside: std::collections::BTreeSet<usize> = part.iter().copied().collect();
            for &node in &part {
                let guessed = &self.guessed;
                let dropped: Vec<usize> = self.before[node]
                    .iter()
                    .copied()
                    .filter(|b| inside.contains(b) && guessed.contains(&(node, *b)))
                    .collect();
                self.before[node].retain(|b| !dropped.contains(b));
                for before in dropped {
                    warnings.push(self.dropped(document, node, before));
                }
            }
        }
        warnings
    }

    fn dropped(&self, document: &Document, node: usize, before: usize) -> Warning {
        let task = &document.tasks[node];
        let on = match document.tasks.get(before) {
            Some(before) => Target::Task(before.id.clone()),
            None => self.groups[before - document.tasks.len()].clone(),
        };
        let said = task.depends_on.iter().find(|d| d.on == on);
        let (line, column) = said.map_or((task.line, task.column), |d| (d.line, d.column));
        let message =
            format!("the guess that {} depends on {on} is left out: it would make a cycle", task.id);
        Warning { place: place(document, line, column), message }
    }

    /// Kahn's algorithm; of the tasks that are free, the first in the file goes first.
    fn sort(&self, tasks: usize) -> Vec<TaskIdx> {
        let mut after: Vec<Vec<usize>> = vec![Vec::new(); self.before.len()];
        let mut open: Vec<usize> = vec![0; self.before.len()];
        for (node, before) in self.before.iter().enumerate() {
            open[node] = before.len();
            for b in before {
                after[*b].push(node);
            }
        }
        // groups cost nothing: they come before any task as soon as they are free
        let key = |node: usize| Reverse((node < tasks, node));
        let mut free: BinaryHeap<_> = (0..self.before.len()).filter(|n| open[*n] == 0).map(key).collect();
        let mut sorted = Vec::with_capacity(tasks);
        while let Some(Reverse((is_task, node))) = free.pop() {
            if is_task {
                sorted.push(TaskIdx(node));
            }
            for &next in &after[node] {
                open[next] -= 1;
                if open[next] == 0 {
                    free.push(key(next));
                }
            }
        }
        sorted
    }

    fn explicit(&self, tasks: usize) -> Vec<Vec<Before>> {
        let one = |node: &usize| match self.groups.get(node.wrapping_sub(tasks)) {
            Some(group) if *node >= tasks => Before::Group(group.clone()),
            _ => Before::Task(TaskIdx(*node)),
        };
        self.before[..tasks]
            .iter()
            .map(|before| {
                let mut all: Vec<Before> = before.iter().map(one).collect();
                all.sort();
                all.dedup();
                all
            })
            .collect()
    }

    /// Names one cycle of a part in which everything waits for everything.
    fn error(&self, document: &Document, part: &[usize]) -> Error {
        let start = part.iter().copied().min().unwrap_or(0);
        let cycle = self.shortest_cycle(start, part);
        let ids: Vec<TaskId> =
            cycle.iter().filter_map(|n| document.tasks.get(*n)).map(|t| t.id.clone()).collect();
        let task = &document.tasks[start];
        let next = ids.get(1).unwrap_or(&task.id);
        let said =
            task.depends_on.iter().find(|d| d.on == Target::Task(next.clone())).or(task.depends_on.first());
        let (line, column) = said.map_or((task.line, task.column), |d| (d.line, d.column));
        Error { place: place(document, line, column), problem: Problem::Cycle { cycle: ids } }
    }

    fn shortest_cycle(&self, start: usize, part: &[usize]) -> Vec<usize> {
        let inside: std::collections::BTreeSet<usize> = part.iter().copied().collect();
        let mut came: BTreeMap<usize, usize> = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            for &before in self.before[node].iter().filter(|b| inside.contains(b)) {
                if before == start {
                    let mut path: Vec<usize> =
                        std::iter::successors(Some(node), |n| came.get(n).copied()).collect();
                    path.reverse();
                    return path;
                }
                came.entry(before).or_insert_with(|| {
                    queue.push_back(before);
                    node
                });
            }
        }
        vec![start]
    }
}
