//! What agents used, summed by what people ask of.

use super::{AttemptView, TaskView};
use ikigai_types::{MicroUsd, NodeId, Usage};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// Whom the tasks are of whose submitter is not known.
const UNKNOWN: &str = "unknown";

/// What use is summed by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CostBy {
    /// Who submitted the tasks: `alice@laptop`.
    #[default]
    User,
    /// The project's checkout.
    Project,
    /// The task.
    Task,
    /// One try of a task: `T012/2`.
    Attempt,
    /// The node that ran the attempts.
    Node,
}

/// Something that is not one of the words of [`CostBy`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of user, project, task, attempt, node")]
pub struct InvalidCostBy(String);

/// What agents used, as their gates counted it, attempts that still run included.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CostView {
    /// What it is summed by.
    pub by: CostBy,
    /// The sums, the dearest first.
    pub groups: Vec<CostGroup>,
    /// Of all of them.
    pub total: CostGroup,
}

/// What was used by one user, project, task, attempt or node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CostGroup {
    /// Whose or what it is.
    pub name: String,
    /// Tasks of it.
    pub tasks: u64,
    /// Attempts of it.
    pub attempts: u64,
    /// Of those, how many have not ended: what they use still grows.
    pub running: u64,
    /// What they used. The cost is unknown when that of one of them is.
    pub usage: Usage,
    /// What those cost whose cost is known.
    #[serde(rename = "knownCostMicroUsd")]
    pub known: MicroUsd,
}

// === impl CostBy ===

impl CostBy {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::User, Self::Project, Self::Task, Self::Attempt, Self::Node];

    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Project => "project",
            Self::Task => "task",
            Self::Attempt => "attempt",
            Self::Node => "node",
        }
    }

    fn group(self, task: &TaskView, attempt: &AttemptView, node: &dyn Fn(NodeId) -> String) -> String {
        match self {
            Self::User => submitter(task).to_owned(),
            Self::Project => task.project.clone(),
            Self::Task => task.id.to_string(),
            Self::Attempt => format!("{}/{}", task.id, attempt.id.number),
            Self::Node => node(attempt.node),
        }
    }
}

impl fmt::Display for CostBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for CostBy {
    type Err = InvalidCostBy;

    fn from_str(text: &str) -> Result<Self, InvalidCostBy> {
        Self::ALL.into_iter().find(|by| by.name() == text).ok_or_else(|| InvalidCostBy(text.to_owned()))
    }
}

// === impl CostView ===

impl CostView {
    /// What the attempts of `tasks` used. Attempts alone are summed, each once: every way of summing has the same
    /// total.
    pub fn of(tasks: &[TaskView], by: CostBy, node: &dyn Fn(NodeId) -> String) -> Self {
        let mut groups: BTreeMap<String, (CostGroup, BTreeSet<&str>)> = BTreeMap::new();
        let mut total = CostGroup { name: "total".to_owned(), ..CostGroup::default() };
        for (task, attempt) in tasks.iter().flat_map(|t| t.attempts.iter().map(move |a| (t, a))) {
            let name = by.group(task, attempt, node);
            let (group, seen) = groups.entry(name).or_default();
            seen.insert(task.id.as_str());
            group.add(attempt);
            total.add(attempt);
        }
        total.tasks = tasks.iter().filter(|t| !t.attempts.is_empty()).count() as u64;
        let named = |(name, (group, tasks)): (String, (CostGroup, BTreeSet<&str>))| CostGroup {
            name,
            tasks: tasks.len() as u64,
            ..group
        };
        let mut groups: Vec<_> = groups.into_iter().map(named).collect();
        // Their names are in order already.
        groups
            .sort_by_key(|g| Reverse((g.known, g.usage.input_tokens.saturating_add(g.usage.output_tokens))));
        Self { by, groups, total }
    }
}

impl CostGroup {
    fn add(&mut self, attempt: &AttemptView) {
        self.attempts += 1;
        self.running += u64::from(attempt.phase != "ended");
        self.usage = self.usage.plus(attempt.usage);
        self.known.0 = self.known.0.saturating_add(attempt.usage.cost.unwrap_or_default().0);
    }
}

/// Whether `task` is of the user called `user`: `alice`, or `alice@laptop` where there are more of that name.
pub fn is_of(task: &TaskView, user: &str) -> bool {
    let of = submitter(task);
    of == user || of.rsplit_once('@').is_some_and(|(name, _)| name == user)
}

fn submitter(task: &TaskView) -> &str {
    task.submitted_by.as_deref().unwrap_or(UNKNOWN)
}
