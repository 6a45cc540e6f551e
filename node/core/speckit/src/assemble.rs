//! From sorted lines to the document: which tasks count, their phases, their dependencies.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::document::{Document, Parsed, Phase, PhaseKind, Task, TaskIdx};
use crate::error::{Error, Place, Problem, Warning};
use crate::id::TaskId;
use crate::lines::Unclosed;
use crate::order;
use crate::reader::{Draft, Section, Stray};

mod depend;
mod repeat;
mod task;

pub(crate) use repeat::{Fate, fates};

/// Most errors, and most warnings, that are listed.
const MAX_LISTED: usize = 1000;

/// Reads a `tasks.md`. Never fails: what cannot be read is in the errors, what was guessed in the warnings.
///
/// `path` is used in messages only. Time is linear in the text.
pub fn parse(text: &str, path: &str) -> Parsed {
    let draft = crate::reader::read(text);
    let mut notes = Notes { path: path.into(), errors: Vec::new(), warnings: Vec::new() };
    let fates = fates(&draft);
    let tasks = kept_tasks(&draft, &fates, &mut notes);
    let index = tasks.iter().enumerate().map(|(i, t)| (t.id.clone(), TaskIdx(i))).collect();
    let mut document =
        Document { path: notes.path.clone(), tasks, phases: Vec::new(), index, highest: draft.highest };
    phases(&draft, &fates, &mut document, &mut notes);
    strays(&draft, &document, &mut notes);
    unclosed(&draft, &mut notes);
    let flawed: Vec<&TaskId> = draft.strays.iter().filter_map(|s| s.id.as_ref()).collect();
    depend::read(&draft, &fates, &mut document, &flawed, &mut notes);
    notes.errors.extend(order::cycle_errors(&document));
    if document.tasks.is_empty() && notes.errors.is_empty() {
        notes.error(1, 1, Problem::NoTasks);
    }
    notes.finish(document)
}

/// Errors and warnings as they are found.
pub(crate) struct Notes {
    path: Arc<str>,
    errors: Vec<Error>,
    warnings: Vec<Warning>,
}

impl Notes {
    pub(crate) fn error(&mut self, line: u32, column: u32, problem: Problem) {
        let place = self.place(line, column);
        self.errors.push(Error { place, problem });
    }

    pub(crate) fn warn(&mut self, line: u32, column: u32, message: impl Into<String>) {
        let place = self.place(line, column);
        self.warnings.push(Warning { place, message: message.into() });
    }

    fn place(&self, line: u32, column: u32) -> Place {
        Place { path: self.path.clone(), line, column }
    }

    fn finish(mut self, document: Document) -> Parsed {
        self.errors.sort_by(|a, b| a.place.cmp(&b.place));
        self.warnings.sort_by(|a, b| a.place.cmp(&b.place));
        self.warnings.dedup();
        self.errors.dedup();
        let (errors, warnings) = (self.errors.len(), self.warnings.len());
        self.errors.truncate(MAX_LISTED);
        self.warnings.truncate(MAX_LISTED);
        if let (Some(last), true) = (self.errors.last(), errors > MAX_LISTED) {
            let place = last.place.clone();
            self.errors.push(Error { place, problem: Problem::More { count: errors - MAX_LISTED } });
        }
        if let (Some(last), true) = (self.warnings.last(), warnings > MAX_LISTED) {
            let message = format!("{} more warnings left out", warnings - MAX_LISTED);
            self.warnings.push(Warning { place: last.place.clone(), message });
        }
        Parsed { document, warnings: self.warnings, errors: self.errors }
    }
}

fn kept_tasks(draft: &Draft, fates: &[Fate], notes: &mut Notes) -> Vec<Task> {
    let mut tasks = Vec::new();
    for (draft_task, fate) in draft.tasks.iter().zip(fates) {
        let (line, column, id) = (draft_task.line, draft_task.column, &draft_task.head.id);
        match fate {
            Fate::Keep => {
                for (column, message) in &draft_task.oddities {
                    notes.warn(line, *column, message.clone());
                }
                for (column, problem) in &draft_task.flaws {
                    notes.error(line, *column, problem.clone());
                }
                tasks.push(task::build(draft_task, &draft.blocks[draft_task.block], notes));
            }
            Fate::Repeat { first } => {
                notes.warn(
                    line,
                    column,
                    format!("repeats {id} of line {first}; that line counts, this one does not"),
                );
            }
            Fate::Duplicate { first } => {
                notes.error(line, column, Problem::DuplicateId { id: id.clone(), first: *first });
            }
        }
    }
    tasks
}

/// Sections that name a phase or hold a task become phases.
fn phases(draft: &Draft, fates: &[Fate], document: &mut Document, notes: &mut Notes) {
    let mut members: BTreeMap<usize, Vec<TaskIdx>> = BTreeMap::new();
    let kept = draft.tasks.iter().zip(fates).filter(|(_, f)| **f == Fate::Keep).map(|(t, _)| t);
    for (i, draft_task) in kept.enumerate() {
        members.entry(draft.blocks[draft_task.block].section).or_default().push(TaskIdx(i));
    }
    for (i, section) in draft.sections.iter().enumerate() {
        let tasks = members.remove(&i).unwrap_or_default();
        let explicit = section.named.as_ref().is_some_and(|n| n.explicit);
        if tasks.is_empty() && !explicit {
            continue;
        }
        for task in &tasks {
            document.tasks[task.0].phase = document.phases.len();
        }
        let mut phase = phase(section, tasks);
        infer_story(&mut phase, &document.tasks, notes);
        document.phases.push(phase);
    }
}

fn phase(section: &Section, tasks: Vec<TaskIdx>) -> Phase {
    let named = section.named.as_ref();
    Phase {
        number: named.and_then(|n| n.number.clone()),
        title: section.title.clone(),
        line: section.line,
        kind: named.map_or(PhaseKind::Other, |n| n.kind),
        stories: named
            .map(|n| n.stories.clone())
            .filter(|_| named.is_some_and(|n| is_story(n.kind)))
            .unwrap_or_default(),
        independent_test: section.independent_test.clone(),
        checkpoint: section.checkpoint.clone(),
        tasks,
        end: section.end,
    }
}

/// A phase whose every task carries the same `[USn]` is that story's phase.
fn infer_story(phase: &mut Phase, tasks: &[Task], notes: &mut Notes) {
    if phase.kind != PhaseKind::Other || phase.line == 0 {
        return;
    }
    let mut of_tasks = phase.tasks.iter().map(|t| tasks[t.0].stories.as_slice());
    let Some(&[number]) = of_tasks.next() else { return };
    if !of_tasks.all(|s| s == [number]) {
        return;
    }
    phase.kind = PhaseKind::Story { number, priority: None };
    phase.stories = vec![number];
    notes.warn(phase.line, 1, format!("all tasks here are of US{number}; read as the phase of that story"));
}

fn is_story(kind: PhaseKind) -> bool {
    matches!(kind, PhaseKind::Story { .. })
}

/// Lines that look like tasks: an error where tasks are listed, a warning elsewhere.
fn strays(draft: &Draft, document: &Document, notes: &mut Notes) {
    let mut with_tasks = vec![false; draft.blocks.len()];
    for task in &draft.tasks {
        with_tasks[task.block] = true;
    }
    for stray in &draft.strays {
        let block = &draft.blocks[stray.block];
        let named = draft.sections[block.section].named.is_some();
        let aside = block.summary || block.checklist || stray.checklist || stray.quoted;
        let listed = !aside && (named || with_tasks[stray.block]);
        let known = stray.id.as_ref().is_some_and(|id| document.index_of(id.as_str()).is_some());
        let empty = document.tasks.is_empty() && !stray.quoted;
        match &stray.problem {
            Problem::MissingBox { .. } if known => {}
            Problem::MissingBox { id } if !listed && !empty => {
                let why = if stray.quoted { "stands in a quotation" } else { "has no box" };
                notes.warn(stray.line, stray.column, format!("{id} {why} and is not read as a task"));
            }
            Problem::MissingId { text } if !empty && (aside || !with_tasks[stray.block]) => {
                notes.warn(
                    stray.line,
                    stray.column,
                    format!("box without an id is not read as a task: {text:?}"),
                );
            }
            _ if aside && !empty => not_read(stray, notes),
            problem => notes.error(stray.line, stray.column, problem.clone()),
        }
    }
}

fn not_read(stray: &Stray, notes: &mut Notes) {
    notes.warn(stray.line, stray.column, format!("not read as a task: {}", stray.problem));
}

fn unclosed(draft: &Draft, notes: &mut Notes) {
    for what in &draft.unclosed {
        match *what {
            Unclosed::Fence { line } => {
                let hidden = draft.fenced.iter().filter(|l| **l > line).count();
                if hidden > 0 {
                    notes.error(line, 1, Problem::UnclosedFence { hidden });
                } else {
                    notes.warn(line, 1, "code fence is never closed");
                }
            }
            Unclosed::Comment { line, column } => {
                notes.warn(line, column, "comment is never closed; what follows is read as text");
            }
        }
    }
}
