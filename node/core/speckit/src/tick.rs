//! Ticks and unticks one box: one byte changes, nothing else.

use crate::assemble::{Fate, fates};
use crate::id::TaskId;
use crate::reader::{self, Draft};

/// Why a box was not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TickError {
    /// Somebody wrote to the file in the meantime.
    #[error("the file is not the one that was read")]
    Changed,
    /// No task has this id.
    #[error("no task {id} in {lines} lines")]
    NotFound {
        /// The id asked for.
        id: String,
        /// How many lines were looked at.
        lines: usize,
    },
    /// Two tasks have this id.
    #[error("line {second}: {id} is also on line {first}")]
    Duplicate {
        /// The id.
        id: TaskId,
        /// The first line with it.
        first: u32,
        /// The second one.
        second: u32,
    },
    /// The line with this id cannot be read as a task.
    #[error("line {line}: {problem}")]
    Malformed {
        /// Where it is.
        line: u32,
        /// What is wrong with it.
        problem: String,
    },
}

impl TickError {
    /// What a person should do, in one sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Changed => "read the file again and retry",
            Self::NotFound { .. } => "check the id; ids are never renumbered or used again",
            Self::Duplicate { .. } => "give one of the two the next free id",
            Self::Malformed { .. } => "write the line as - [ ] T001 Description",
        }
    }
}

/// Ticks the box of `id`: the text with that one byte changed to `X`, or unchanged if it was ticked already.
///
/// Compare and swap: `hash` is applied to the text and must give `expected`, else [`TickError::Changed`].
pub fn tick<H: PartialEq>(
    text: &str,
    id: &str,
    expected: &H,
    hash: impl FnOnce(&[u8]) -> H,
) -> Result<String, TickError> {
    flip(text, id, expected, hash, true)
}

/// Opens the box of `id` again, under the same rules as [`tick`].
pub fn untick<H: PartialEq>(
    text: &str,
    id: &str,
    expected: &H,
    hash: impl FnOnce(&[u8]) -> H,
) -> Result<String, TickError> {
    flip(text, id, expected, hash, false)
}

fn flip<H: PartialEq>(
    text: &str,
    id: &str,
    expected: &H,
    hash: impl FnOnce(&[u8]) -> H,
    done: bool,
) -> Result<String, TickError> {
    if hash(text.as_bytes()) != *expected {
        return Err(TickError::Changed);
    }
    let draft = reader::read(text);
    let task = find(&draft, id, text)?;
    if task.head.done == done {
        return Ok(text.to_owned());
    }
    let at = task.start + task.head.box_at;
    Ok([&text[..at], if done { "X" } else { " " }, &text[at + 1..]].concat())
}

fn find<'a>(draft: &'a Draft, id: &str, text: &str) -> Result<&'a reader::TaskDraft, TickError> {
    let fates = fates(draft);
    let mut found = None;
    for (task, fate) in draft.tasks.iter().zip(&fates).filter(|(t, _)| t.head.id.as_str() == id) {
        match fate {
            Fate::Keep => found = Some(task),
            Fate::Repeat { .. } => {}
            Fate::Duplicate { first } => {
                return Err(TickError::Duplicate {
                    id: task.head.id.clone(),
                    first: *first,
                    second: task.line,
                });
            }
        }
    }
    let stray = draft.strays.iter().find(|s| s.id.as_ref().is_some_and(|i| i.as_str() == id) && !s.quoted);
    found.ok_or_else(|| match stray {
        Some(stray) => TickError::Malformed { line: stray.line, problem: stray.problem.to_string() },
        None => TickError::NotFound { id: id.to_owned(), lines: text.lines().count() },
    })
}
