//! What is shown, and what a person is doing with it. Nothing here draws, and nothing here asks a node.

use super::rows::{self, Row};
use crate::clean::clean;
use ikigai_types::{AttemptId, TaskId, Timestamp};
use ikigai_wire::api::{NodeView, Snapshot, TaskView};
use std::collections::VecDeque;

/// Lines of an agent that are kept to be looked at.
const LINES: usize = 1000;
/// Characters a filter may have.
const FILTER: usize = 40;

/// Everything a frame is made of.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) nodes: Vec<NodeView>,
    pub(super) tasks: Vec<TaskView>,
    pub(super) now: Timestamp,
    /// When what is shown was true.
    pub(super) seen: Option<Timestamp>,
    /// Why the node cannot be asked now.
    pub(super) lost: Option<String>,
    pub(super) page: Page,
    pub(super) selected: Option<TaskId>,
    /// Where the selected row was when it was last there.
    at: usize,
    pub(super) filter: String,
    /// What is asked, or said, on the last line.
    pub(super) prompt: Prompt,
    /// The newest lines of the attempt that is looked at.
    pub(super) lines: VecDeque<String>,
    lines_of: Option<AttemptId>,
    /// How many lines above the newest the page ends.
    pub(super) back: usize,
    pub(super) colour: bool,
}

/// What fills the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Page {
    List,
    Task(TaskId),
    Lines(TaskId),
    Help,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Prompt {
    /// Which keys there are.
    Keys,
    /// The filter is being typed.
    Filter,
    /// Whether the patch of this task is to be accepted.
    Accept(TaskId),
    /// An answer to what was asked for.
    Note(String),
}

// === impl Model ===

impl Model {
    pub(super) fn new(now: Timestamp, colour: bool) -> Self {
        Self {
            nodes: Vec::new(),
            tasks: Vec::new(),
            now,
            seen: None,
            lost: None,
            page: Page::List,
            selected: None,
            at: 0,
            filter: String::new(),
            prompt: Prompt::Keys,
            lines: VecDeque::new(),
            lines_of: None,
            back: 0,
            colour,
        }
    }

    /// What the node shows now.
    pub(super) fn take(&mut self, snapshot: Snapshot) {
        self.nodes = snapshot.nodes;
        self.tasks = snapshot.tasks;
        self.seen = Some(self.now);
        self.lost = None;
        self.keep_selection();
    }

    /// The node does not answer; what was shown stays, and grows old.
    pub(super) fn lose(&mut self, why: &str) {
        self.lost = Some(clean(why).into_owned());
    }

    /// Tasks that are listed, under their headings.
    pub(super) fn rows(&self) -> Vec<Row<'_>> {
        rows::of(&self.tasks, &self.filter)
    }

    pub(super) fn task(&self, id: &TaskId) -> Option<&TaskView> {
        self.tasks.iter().find(|t| t.id == *id)
    }

    /// The task a key is about: the one that is open, else the selected one.
    pub(super) fn subject(&self) -> Option<&TaskView> {
        match &self.page {
            Page::Task(id) | Page::Lines(id) => self.task(id),
            _ => self.selected.as_ref().and_then(|id| self.task(id)),
        }
    }

    pub(super) fn step(&mut self, by: isize) {
        let ids = self.listed();
        let Some(last) = ids.len().checked_sub(1) else { return };
        let here = self.selected.as_ref().and_then(|id| ids.iter().position(|i| i == id)).unwrap_or(0);
        self.at = here.saturating_add_signed(by).min(last);
        self.selected = Some(ids[self.at].clone());
    }

    /// The selected task stays selected as long as it is listed; then what stands in its place.
    pub(super) fn keep_selection(&mut self) {
        let ids = self.listed();
        match self.selected.as_ref().and_then(|id| ids.iter().position(|i| i == id)) {
            Some(at) => self.at = at,
            None => {
                self.at = self.at.min(ids.len().saturating_sub(1));
                self.selected = ids.get(self.at).cloned();
            }
        }
    }

    fn listed(&self) -> Vec<TaskId> {
        self.rows().iter().filter_map(|r| r.task()).map(|t| t.id.clone()).collect()
    }

    pub(super) fn type_filter(&mut self, c: Option<char>) {
        match c {
            None => drop(self.filter.pop()),
            Some(c) if self.filter.chars().count() < FILTER && !c.is_control() => self.filter.push(c),
            Some(_) => {}
        }
        self.keep_selection();
    }

    /// The attempt whose lines are looked at.
    pub(super) fn wants_lines(&self) -> Option<AttemptId> {
        match &self.page {
            Page::Task(id) | Page::Lines(id) => {
                self.task(id).and_then(|t| t.attempts.last()).map(|a| a.id.clone())
            }
            _ => None,
        }
    }

    /// Lines of `attempt`, made harmless before. Another attempt's begin anew.
    pub(super) fn add_lines(&mut self, attempt: &AttemptId, lines: impl IntoIterator<Item = String>) {
        if self.lines_of.as_ref() != Some(attempt) {
            self.lines.clear();
            (self.lines_of, self.back) = (Some(attempt.clone()), 0);
        }
        for line in lines {
            self.lines.push_back(line);
            // Who looks at older lines goes on looking at them.
            if self.back > 0 {
                self.back += 1;
            }
        }
        let over = self.lines.len().saturating_sub(LINES);
        self.lines.drain(..over);
        self.back = self.back.min(self.lines.len().saturating_sub(1));
    }

    /// The lines that are kept, when they are of the attempt that is looked at.
    pub(super) fn shown_lines(&self) -> Option<&VecDeque<String>> {
        self.lines_of.as_ref().filter(|a| self.wants_lines().as_ref() == Some(a)).map(|_| &self.lines)
    }
}
