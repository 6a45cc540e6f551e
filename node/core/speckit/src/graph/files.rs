//! Tasks that claim the same file, or a directory and something in it, run one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::document::Task;
use crate::graph::{EdgeReason, Link};

/// Who claimed what so far: a tree of path components.
#[derive(Default)]
pub(super) struct Files {
    root: Entry,
}

#[derive(Default)]
struct Entry {
    inside: BTreeMap<Box<str>, Entry>,
    /// The last task that claimed this very path.
    last: Option<(usize, Arc<str>)>,
    /// Tasks that claimed something below since then.
    below: Vec<(usize, Arc<str>)>,
}

impl Files {
    /// The tasks that hold something this one claims.
    pub(super) fn before(&self, task: &Task) -> Vec<Link> {
        let mut links = Vec::new();
        for claim in task.claims() {
            self.root.holders(&claim.path, &mut links);
        }
        links
    }

    /// Notes what a task claims.
    pub(super) fn add(&mut self, task: &Task, node: usize) {
        for claim in task.claims() {
            self.root.claim(&claim.path, node);
        }
    }
}

impl Entry {
    fn holders(&self, path: &str, links: &mut Vec<Link>) {
        let link = |(node, path): &(usize, Arc<str>)| Link {
            node: *node,
            reason: EdgeReason::SameFile(path.clone()),
        };
        let mut entry = self;
        for part in path.split('/') {
            links.extend(entry.last.iter().map(link));
            match entry.inside.get(part) {
                Some(inside) => entry = inside,
                None => return,
            }
        }
        links.extend(entry.last.iter().map(link));
        links.extend(entry.below.iter().map(link));
    }

    fn claim(&mut self, path: &str, node: usize) {
        let name: Arc<str> = path.into();
        let mut entry = self;
        for part in path.split('/') {
            if entry.below.last().is_none_or(|(last, _)| *last != node) {
                entry.below.push((node, name.clone()));
            }
            entry = entry.inside.entry(part.into()).or_default();
        }
        entry.below.retain(|(other, _)| *other == node);
        entry.last = Some((node, name));
    }
}
