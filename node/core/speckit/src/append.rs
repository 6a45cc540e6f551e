//! Adds one task to a file: the next id, at the end of the right phase, everything else untouched.

use crate::assemble::parse;
use crate::document::{Document, Phase, Target};
use crate::error::Error;
use crate::id::TaskId;
use crate::lines::is_space;
use crate::order::is_member;

/// Longest description, in bytes.
const MAX_DESCRIPTION: usize = 4096;

/// How messages name the file: its path is not known here.
const NAME: &str = "tasks.md";

/// What the new task carries besides its description.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AppendOptions {
    /// Goes to the end of this story's phase and is marked `[USn]`; without, to the end of the last phase.
    pub story: Option<u32>,
    /// Is marked `[P]`.
    pub parallel: bool,
}

/// A file with one task more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The whole new text.
    pub text: String,
    /// The id the task got.
    pub id: TaskId,
    /// The line it stands on, from 1.
    pub line: u32,
}

/// Why no task was added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// There is nothing to do in it.
    #[error("the description is empty")]
    Empty,
    /// Longer than a task line should be.
    #[error("the description has {length} bytes, more than {MAX_DESCRIPTION}")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// No phase of this story.
    #[error("no phase of US{story}")]
    UnknownStory {
        /// The story asked for.
        story: u32,
        /// The stories there are.
        known: Vec<u32>,
    },
    /// The new line would bring a problem into the file.
    #[error("the new task cannot be read: {0}")]
    Unreadable(Box<Error>),
}

impl AppendError {
    /// What a person should do, in one sentence.
    pub fn hint(&self) -> String {
        match self {
            Self::Empty => "say what is to be done and in which file".into(),
            Self::TooLong { .. } => "put the details into the spec and name it".into(),
            Self::UnknownStory { known, .. } if known.is_empty() => {
                "the file has no story phases; leave the story out".into()
            }
            Self::UnknownStory { known, .. } => {
                let names: Vec<String> = known.iter().map(|n| format!("US{n}")).collect();
                format!("choose one of {}", names.join(", "))
            }
            Self::Unreadable(error) => error.hint(),
        }
    }
}

/// Adds a task with the next free id (the highest in use, plus one).
///
/// White space in the description is folded to single spaces; the newline style of the file is kept.
pub fn append_task(text: &str, description: &str, options: &AppendOptions) -> Result<Appended, AppendError> {
    let description: Vec<&str> =
        description.split(|c: char| is_space(c) || c.is_control()).filter(|w| !w.is_empty()).collect();
    let description = description.join(" ");
    match description.len() {
        0 => return Err(AppendError::Empty),
        length if length > MAX_DESCRIPTION => return Err(AppendError::TooLong { length }),
        _ => {}
    }
    let before = parse(text, NAME);
    let id = TaskId::from_number(before.document.highest.saturating_add(1));
    let phase = phase_for(&before.document, options.story)?;
    let place = place(text, &before.document, phase);
    let line = render(&place.indent, &id, &description, options);
    let (head, tail) = text.split_at(place.at);
    let newline = newline_of(text);
    let empty = head.trim_start_matches('\u{feff}').is_empty();
    let lead = match (empty, place.after_task) {
        (true, _) => String::new(),
        (false, true) => newline.to_owned(),
        (false, false) => newline.repeat(2),
    };
    let end = if tail.is_empty() && !place.after_task { newline } else { "" };
    let new = [head, &lead, &line, end, tail].concat();
    check(&new, before.errors.len(), id)
}

/// The new file must be readable where the old one was.
fn check(text: &str, known_errors: usize, id: TaskId) -> Result<Appended, AppendError> {
    let after = parse(text, NAME);
    let own = after.document.task(id.as_str()).map(|t| t.line);
    match own {
        Some(line) if after.errors.len() <= known_errors => Ok(Appended { text: text.to_owned(), id, line }),
        _ => {
            let error = after.errors.into_iter().rev().find(|e| own.is_none_or(|l| e.place.line == l));
            let missing = || {
                let place = crate::error::Place { path: NAME.into(), line: 1, column: 1 };
                Error { place, problem: crate::error::Problem::MissingBox { id } }
            };
            Err(AppendError::Unreadable(Box::new(error.unwrap_or_else(missing))))
        }
    }
}

fn phase_for(document: &Document, story: Option<u32>) -> Result<Option<&Phase>, AppendError> {
    let Some(story) = story else {
        let with_tasks = document.phases.iter().rev().find(|p| !p.tasks.is_empty());
        return Ok(with_tasks.or(document.phases.last()));
    };
    let own = document.phases.iter().rev().find(|p| is_member(p, &Target::Story(story)));
    own.map(Some).ok_or_else(|| {
        let mut known: Vec<u32> = document.phases.iter().flat_map(|p| p.stories.iter().copied()).collect();
        known.sort_unstable();
        known.dedup();
        AppendError::UnknownStory { story, known }
    })
}

struct Spot {
    at: usize,
    indent: String,
    /// Directly below a task, without a blank line.
    after_task: bool,
}

fn place(text: &str, document: &Document, phase: Option<&Phase>) -> Spot {
    let own = phase.and_then(|p| p.tasks.last().map(|t| (p, &document.tasks[t.0])));
    if let Some((phase, last)) = own {
        let first = &document.tasks[phase.tasks[0].0];
        let start = text[..first.span.start].rfind(['\n', '\r']).map_or(0, |i| i + 1);
        let lead = text[start..first.span.start].trim_start_matches('\u{feff}');
        // a task written as a heading, or without a bullet, is no model for a list item
        let bullet =
            Some(&text[first.span.start..]).filter(|t| t.starts_with(['-', '*'])).map_or("-", |t| &t[..1]);
        let indent = if text[first.span.start..].starts_with('#') { "" } else { lead };
        let end = phase.tasks.iter().map(|t| document.tasks[t.0].span.end).max().unwrap_or(last.span.end);
        let end = end_of_line(text, end);
        return Spot {
            at: end,
            indent: format!("{indent}{bullet} "),
            after_task: !text[last.span.start..].starts_with('#'),
        };
    }
    let at = phase.map_or_else(|| text.trim_end_matches(is_space).len(), |p| p.end).min(text.len());
    Spot { at: end_of_line(text, at), indent: "- ".into(), after_task: false }
}

fn end_of_line(text: &str, at: usize) -> usize {
    text[at..].find(['\n', '\r']).map_or(text.len(), |i| at + i)
}

fn render(indent: &str, id: &TaskId, description: &str, options: &AppendOptions) -> String {
    let parallel = if options.parallel { " [P]" } else { "" };
    let story = options.story.map_or_else(String::new, |n| format!(" [US{n}]"));
    format!("{indent}[ ] {id}{parallel}{story} {description}")
}

/// The first newline of the file decides.
fn newline_of(text: &str) -> &'static str {
    match text.find(['\n', '\r']) {
        Some(at) if text[at..].starts_with("\r\n") => "\r\n",
        Some(at) if text[at..].starts_with('\r') => "\r",
        _ => "\n",
    }
}
