//! Which files the tasks under way change: two that change the same ones are not under way at once.

use crate::spec::TaskSpec;
use ikigai_types::{ProjectId, TaskId};
use std::collections::{BTreeMap, BTreeSet};

/// Who changes what, of the tasks under way.
#[derive(Debug, Clone, Default)]
pub(crate) struct PathClaims(BTreeMap<ProjectId, BTreeMap<String, BTreeSet<TaskId>>>);

impl PathClaims {
    /// `task` is under way, or it is no longer.
    pub(crate) fn set(&mut self, task: &TaskSpec, under_way: bool) {
        if task.claims.is_empty() {
            return;
        }
        let paths = self.0.entry(task.project.clone()).or_default();
        for path in &task.claims {
            if under_way {
                paths.entry(path.clone()).or_default().insert(task.id.clone());
            } else if let Some(holders) = paths.get_mut(path) {
                holders.remove(&task.id);
                if holders.is_empty() {
                    paths.remove(path);
                }
            }
        }
    }

    /// Another task that changes what `task` does, and the path it claims: the same one, a folder around it, or
    /// something inside it.
    pub(crate) fn against(&self, task: &TaskSpec) -> Option<(&TaskId, &str)> {
        let paths = self.0.get(&task.project)?;
        task.claims.iter().find_map(|path| {
            let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
            let around = ends.filter_map(|end| paths.get_key_value(&path[..end]));
            let inside = paths.range(format!("{path}/")..).take_while(|(p, _)| is_inside(p, path));
            around.chain(inside).find_map(|(path, holders)| {
                let other = holders.iter().find(|id| **id != task.id)?;
                Some((other, path.as_str()))
            })
        })
    }
}

fn is_inside(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}
