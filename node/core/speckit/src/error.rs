//! What can be wrong with a `tasks.md`: where, what, and what to do about it.

use std::fmt;
use std::sync::Arc;

use crate::id::TaskId;

/// A place in a file. Lines and columns start at 1; a column counts characters, not bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The path as the caller gave it.
    pub path: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path, self.line, self.column)
    }
}

/// Something that must be put right before the file can be scheduled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct Error {
    /// Where it is.
    pub place: Place,
    /// What it is.
    pub problem: Problem,
}

impl Error {
    /// What a person should do, in one sentence.
    pub fn hint(&self) -> String {
        self.problem.hint()
    }
}

/// What is wrong, without the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The text between the brackets is none of ` `, `x`, `X`.
    #[error("malformed box [{found}]{}", of(id))]
    MalformedBox {
        /// What stands between the brackets.
        found: String,
        /// The task, when its id could be read.
        id: Option<TaskId>,
    },
    /// The id is not `T` and at least three digits.
    #[error("malformed task id {found:?}")]
    MalformedId {
        /// What stands where the id should be.
        found: String,
    },
    /// A box without any id, among tasks that have one.
    #[error("task without an id: {text:?}")]
    MissingId {
        /// The beginning of the line's text.
        text: String,
    },
    /// An id where tasks are listed, without a box to tick.
    #[error("task {id} has no box")]
    MissingBox {
        /// The id.
        id: TaskId,
    },
    /// A `[P]` or `[USn]` that is misspelt.
    #[error("malformed marker {found}{}", of(id))]
    MalformedMarker {
        /// The marker as written.
        found: String,
        /// The task it belongs to.
        id: Option<TaskId>,
        /// How it should be written.
        write: String,
    },
    /// The same id on two tasks.
    #[error("duplicate task id {id}, first used on line {first}")]
    DuplicateId {
        /// The id.
        id: TaskId,
        /// The line of the first task with it.
        first: u32,
    },
    /// A dependency on an id no task has.
    #[error("{task} depends on {unknown}, which no task has")]
    UnknownDependency {
        /// The task that names it.
        task: TaskId,
        /// The id that is not there.
        unknown: TaskId,
    },
    /// Tasks that wait for each other.
    #[error("dependency cycle: {}", arrows(cycle))]
    Cycle {
        /// The tasks of the cycle; the last one waits for the first one again.
        cycle: Vec<TaskId>,
    },
    /// A code fence that is never closed and hides task lines.
    #[error("code fence is never closed and hides {hidden} task line{}", plural(*hidden))]
    UnclosedFence {
        /// How many task lines are inside.
        hidden: usize,
    },
    /// More dependencies than any file needs: ranges of ranges.
    #[error("more than {limit} dependencies")]
    TooManyDependencies {
        /// How many are read.
        limit: usize,
    },
    /// The file has no task at all.
    #[error("no task found")]
    NoTasks,
    /// More problems than are worth listing.
    #[error("{count} more problem{} left out", plural(*count))]
    More {
        /// How many are not listed.
        count: usize,
    },
}

impl Problem {
    /// What a person should do, in one sentence.
    pub fn hint(&self) -> String {
        match self {
            Self::MalformedBox { .. } => "write [ ] for an open task or [X] for a done one".into(),
            Self::MalformedId { .. } => {
                "write T and at least three digits, for example T012, and use no number twice".into()
            }
            Self::MissingId { .. } => {
                "write an id after the box, for example - [ ] T012 …, or move the line out of the task list"
                    .into()
            }
            Self::MissingBox { id } => format!("write - [ ] {id} … so that the task can be ticked"),
            Self::MalformedMarker { write, .. } => format!("write {write}"),
            Self::DuplicateId { .. } => "give one of the two the next free id".into(),
            Self::UnknownDependency { unknown, .. } => {
                format!("add the task {unknown}, or correct the id")
            }
            Self::Cycle { cycle } => match cycle.as_slice() {
                [only] => format!("remove {only} from its own dependencies"),
                _ => "remove one of these dependencies".into(),
            },
            Self::UnclosedFence { .. } => "close the fence with the same characters on their own line".into(),
            Self::TooManyDependencies { .. } => "depend on a phase or a story instead of wide ranges".into(),
            Self::NoTasks => "write tasks as - [ ] T001 Description with the file path".into(),
            Self::More { .. } => "put the first ones right and look again".into(),
        }
    }
}

/// Something that was read by a guess: scheduling goes on, a person may want to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Where it is.
    pub place: Place,
    /// What was guessed or left out, in one sentence.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

fn of(id: &Option<TaskId>) -> String {
    id.as_ref().map_or_else(String::new, |id| format!(" of {id}"))
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn arrows(cycle: &[TaskId]) -> String {
    match cycle {
        [] => String::new(),
        [only] => format!("{only} depends on itself"),
        [first, ..] => {
            let names: Vec<&str> = cycle.iter().map(TaskId::as_str).collect();
            format!("{} → {first} (each waits for the next)", names.join(" → "))
        }
    }
}
