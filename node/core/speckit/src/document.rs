//! What a `tasks.md` says, once read.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, Warning};
use crate::id::TaskId;

/// The outcome of reading: what was understood, what was guessed, what must be put right.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// Tasks and phases in file order, as far as they could be read.
    pub document: Document,
    /// Guesses, in order of place. They do not stop scheduling.
    pub warnings: Vec<Warning>,
    /// Problems, in order of place. A file with any of them should not be scheduled.
    pub errors: Vec<Error>,
}

/// A task file.
#[derive(Debug, Clone)]
pub struct Document {
    /// The path as the caller gave it; used in messages only.
    pub path: Arc<str>,
    /// Tasks in file order; a [`TaskIdx`] counts in this list.
    pub tasks: Vec<Task>,
    /// Phases in file order, those without tasks included.
    pub phases: Vec<Phase>,
    pub(crate) index: BTreeMap<TaskId, TaskIdx>,
    pub(crate) highest: u64,
}

impl Document {
    /// The task with this id.
    pub fn task(&self, id: &str) -> Option<&Task> {
        self.index_of(id).map(|idx| &self.tasks[idx.0])
    }

    /// The position of the task with this id.
    pub fn index_of(&self, id: &str) -> Option<TaskIdx> {
        self.index.get(id).copied()
    }

    /// The phase of a task.
    pub fn phase_of(&self, task: &Task) -> &Phase {
        &self.phases[task.phase]
    }
}

/// Position of a task in [`Document::tasks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskIdx(pub usize);

/// One task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Whether its box is ticked.
    pub done: bool,
    /// Line of the box, from 1.
    pub line: u32,
    /// Column of the bullet, in characters from 1.
    pub column: u32,
    /// Byte offset in the file of the one character between the brackets.
    pub box_offset: usize,
    /// Bytes of the whole item: bullet to the end of its last line, without the newline.
    pub span: Range<usize>,
    /// Marked `[P]`.
    pub parallel: bool,
    /// Story numbers of its `[USn]` markers, in order of appearance.
    pub stories: Vec<u32>,
    /// Other bracketed keys at either end: `FR-001`, `SC-002`, `US1/AC2` …
    pub keys: Vec<String>,
    /// Position of its phase in [`Document::phases`].
    pub phase: usize,
    /// Everything after the box, wrapped lines joined by one space.
    pub text: String,
    /// [`Task::text`] without id, markers and trailing keys.
    pub description: String,
    /// Sub-bullets and paragraphs that belong to the task, in order.
    pub details: Vec<Detail>,
    /// Dependencies somebody wrote down, in order of appearance, each target once.
    pub depends_on: Vec<Dependency>,
    /// Files and directories named, each once.
    pub paths: Vec<PathClaim>,
    /// Checks from `verify:` sub-bullets.
    pub checks: Vec<Check>,
    /// Whether the task writes tests, by its heading, its words or its paths.
    pub is_test: bool,
}

impl Task {
    /// The story of its first `[USn]` marker.
    pub fn story(&self) -> Option<u32> {
        self.stories.first().copied()
    }

    /// The ids of the tasks it names as dependencies.
    pub fn dependency_ids(&self) -> impl Iterator<Item = &TaskId> {
        self.depends_on.iter().filter_map(|d| match &d.on {
            Target::Task(id) => Some(id),
            Target::Story(_) | Target::Phase(_) => None,
        })
    }

    /// The paths the task changes (not those it only refers to).
    pub fn claims(&self) -> impl Iterator<Item = &PathClaim> {
        self.paths.iter().filter(|p| p.role == PathRole::Claim)
    }
}

/// A sub-bullet or paragraph of a task, wrapped lines joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// Line it begins on.
    pub line: u32,
    /// Its text without the bullet.
    pub text: String,
}

/// A dependency somebody wrote down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// What must be done first.
    pub on: Target,
    /// Where in the file it was read.
    pub source: DependencySource,
    /// Line of the mention.
    pub line: u32,
    /// Column of the mention, in characters from 1.
    pub column: u32,
    /// Read from loose prose: gives way to surer ones instead of making a cycle.
    pub guessed: bool,
}

/// What a dependency points to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// One task.
    Task(TaskId),
    /// All tasks of the phases of a story.
    Story(u32),
    /// All tasks of the phase with this number.
    Phase(String),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(id) => id.fmt(f),
            Self::Story(n) => write!(f, "US{n}"),
            Self::Phase(n) => write!(f, "Phase {n}"),
        }
    }
}

/// Where a dependency was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DependencySource {
    /// On the task's first line.
    TaskLine,
    /// On a line the task wraps to.
    WrappedLine,
    /// In a sub-bullet of the task.
    SubBullet,
    /// In a heading above the task; it holds for all tasks under it.
    Heading,
    /// In a paragraph under the heading, before the tasks; it holds for all of them.
    Section,
    /// In the text of another task ("blocks T014").
    OtherTask,
    /// In a section that summarises dependencies.
    Summary,
}

/// A file or directory a task names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PathClaim {
    /// Normalised: forward slashes, no leading `./`, no trailing slash.
    pub path: String,
    /// Written as a directory, or standing for one (`src/**/*.rs` claims `src`).
    pub directory: bool,
    /// Whether the task changes it.
    pub role: PathRole,
}

/// Whether a task changes a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathRole {
    /// The task changes it: two tasks that claim the same path run one after the other.
    Claim,
    /// The task only refers to it ("per data-model.md").
    Reference,
}

/// A check from a `verify:` sub-bullet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Line of the sub-bullet.
    pub line: u32,
    /// The text after `verify:`.
    pub text: String,
    /// The commands in it, in order; empty when it is prose.
    pub commands: Vec<String>,
}

/// A phase: a heading and the tasks under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// `3.1` in `## Phase 3.1: Tests`; none when the heading has no number.
    pub number: Option<String>,
    /// The heading without `Phase N:`, as written.
    pub title: String,
    /// Line of the heading; 0 when tasks stand before any heading.
    pub line: u32,
    /// What it is for.
    pub kind: PhaseKind,
    /// Stories of the phase: one for most, several for `User Stories 1 & 2`, none for the others.
    pub stories: Vec<u32>,
    /// The text of **Independent Test**.
    pub independent_test: Option<String>,
    /// The text of **Checkpoint**.
    pub checkpoint: Option<String>,
    /// Positions of its tasks.
    pub tasks: Vec<TaskIdx>,
    /// Byte offset at which a task can be inserted when the phase has none.
    pub(crate) end: usize,
}

/// What a phase is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PhaseKind {
    /// Project initialisation.
    Setup,
    /// Blocks all stories.
    Foundational,
    /// One user story (see [`Phase::stories`] for a phase of several).
    Story {
        /// The story's number.
        number: u32,
        /// `1` for `(Priority: P1)`.
        priority: Option<u32>,
    },
    /// After all stories.
    Polish,
    /// Appended by `converge`.
    Convergence,
    /// Anything else: runs in file order.
    Other,
}
