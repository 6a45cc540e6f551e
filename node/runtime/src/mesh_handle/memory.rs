//! What other nodes last said of their tasks, for the time in which they do not answer.

use ikigai_types::{NodeId, TaskId, Timestamp};
use ikigai_wire::api::{Filter, Snapshot, TaskView, WhyView};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

/// Most tasks that are remembered of one node; what is beyond is only shown while it answers.
const MOST: usize = 20_000;

/// What was heard of each node. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory(Arc<Mutex<HashMap<NodeId, Heard>>>);

#[derive(Debug, Default)]
struct Heard {
    at: Timestamp,
    tasks: BTreeMap<TaskId, TaskView>,
}

impl Memory {
    /// Keeps what `node` said.
    pub(super) fn note(&self, node: NodeId, said: &Snapshot, now: Timestamp) {
        let mut heard = self.heard();
        let heard = heard.entry(node).or_default();
        heard.at = now;
        for task in &said.tasks {
            if heard.tasks.len() < MOST || heard.tasks.contains_key(&task.id) {
                heard.tasks.insert(task.id.clone(), task.clone());
            }
        }
    }

    /// Whether something was heard of `node`.
    pub(super) fn knows(&self, node: NodeId) -> bool {
        self.heard().contains_key(&node)
    }

    /// The tasks of a `node` that does not answer, called `name`: each says how old it is.
    pub(super) fn recall(&self, node: NodeId, name: &str, filter: &Filter, now: Timestamp) -> Vec<TaskView> {
        let heard = self.heard();
        let Some(heard) = heard.get(&node) else { return Vec::new() };
        let age = now.since(heard.at).as_secs();
        let fitting = heard.tasks.values().filter(|t| fits(t, filter)).cloned();
        fitting.map(|task| TaskView { why: silent(name, age, task.why), ..task }).collect()
    }

    /// The same for one task.
    pub(super) fn recall_one(
        &self,
        node: NodeId,
        name: &str,
        text: &str,
        now: Timestamp,
    ) -> Option<TaskView> {
        let all = self.recall(node, name, &Filter::default(), now);
        let mut called = all.into_iter().filter(|t| t.id.as_str() == text || t.short == text);
        called.next().filter(|_| called.next().is_none())
    }

    fn heard(&self) -> MutexGuard<'_, HashMap<NodeId, Heard>> {
        self.0.lock().expect("invariant: no panic while it is held")
    }
}

/// Why a task is shown as it was: what it waited for then is not known to be so now.
fn silent(name: &str, age: u64, then: WhyView) -> WhyView {
    WhyView {
        cause: "owner-away".to_owned(),
        text: format!("its owner {name} does not answer; {age} s ago: {}", then.text),
        hint: Some("run: ikigai node ls; what runs goes on to the end of its lease".to_owned()),
    }
}

fn fits(task: &TaskView, filter: &Filter) -> bool {
    let is = |want: &Option<String>, have: &str| want.as_deref().is_none_or(|w| w == have);
    is(&filter.project, &task.project)
        && is(&filter.feature, &task.feature)
        && (filter.states.is_empty() || filter.states.contains(&task.state))
}
