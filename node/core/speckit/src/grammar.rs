//! One line of the task grammar: bullet, box, id, markers.
//!
//! ```text
//! - [ ] T012 [P] [US1] Create User model in src/models/user.py
//! ```

use crate::error::Problem;
use crate::id::{self, TaskId};
use crate::lines::{indent, is_space};
use crate::marker::{self, Markers};

/// Longest piece of a line that is quoted in a message, in characters.
const QUOTE: usize = 40;

/// What a line turned out to be.
#[derive(Debug)]
pub(crate) enum Item {
    /// A task.
    Task(Head),
    /// Meant as a task, but not readable as one.
    Flawed { indent: usize, offset: usize, id: Option<TaskId>, problem: Problem },
    /// A box without anything like an id.
    Unnamed { indent: usize, offset: usize, text: String },
    /// A list item without a box that begins with an id.
    NoBox { indent: usize, offset: usize, id: TaskId },
    /// A plain list item; its text begins at `text`.
    Bullet { indent: usize, text: usize },
    /// No list item.
    Other,
}

/// The readable beginning of a task line. Offsets are bytes in the line.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) indent: usize,
    /// Where the bullet stands.
    pub(crate) bullet: usize,
    /// The one character between the brackets.
    pub(crate) box_at: usize,
    pub(crate) done: bool,
    pub(crate) id: TaskId,
    /// Everything after the box begins here.
    pub(crate) text: usize,
    pub(crate) markers: Markers,
    /// The description begins here.
    pub(crate) description: usize,
    /// Ways in which the line leaves the grammar but can still be read.
    pub(crate) oddities: Vec<(usize, String)>,
    /// Markers that are misspelt.
    pub(crate) flaws: Vec<(usize, Problem)>,
}

/// Reads one line of text.
pub(crate) fn item(line: &str) -> Item {
    let (width, bullet) = indent(line);
    let Some((after, plain)) = skip_bullet(line, bullet) else { return Item::Other };
    let Some(boxed) = find_box(line, after) else {
        return without_box(line, width, bullet, after, plain);
    };
    let name = find_name(line, boxed.end);
    match (boxed.state, name) {
        (BoxState::Malformed(found), Name::Id(found_id)) => Item::Flawed {
            indent: width,
            offset: boxed.at,
            id: Some(found_id.id.clone()),
            problem: Problem::MalformedBox { found, id: Some(found_id.id) },
        },
        (_, Name::Malformed { offset, found }) => {
            Item::Flawed { indent: width, offset, id: None, problem: Problem::MalformedId { found } }
        }
        (_, Name::Missing) => {
            Item::Unnamed { indent: width, offset: bullet, text: quote(&line[boxed.end..]) }
        }
        (BoxState::Valid { done }, Name::Id(name)) => {
            let mut oddities = oddities(line, bullet, plain, boxed.end, &name);
            let markers = marker::read(line, name.end, &name.id);
            oddities.extend(markers.oddities.iter().cloned());
            Item::Task(Head {
                indent: width,
                bullet,
                box_at: boxed.at + 1,
                done,
                id: name.id,
                text: boxed.end,
                description: markers.end,
                flaws: markers.flaws.clone(),
                markers,
                oddities,
            })
        }
    }
}

/// The beginning of a line, for a message.
pub(crate) fn quote(text: &str) -> String {
    let text = text.trim_matches(is_space);
    let mut out: String = text.chars().take(QUOTE).collect();
    if out.len() < text.len() {
        out.push('…');
    }
    out
}

fn oddities(line: &str, bullet: usize, plain: bool, box_end: usize, name: &FoundId) -> Vec<(usize, String)> {
    let mut odd = Vec::new();
    let id = &name.id;
    if !plain {
        odd.push((bullet, format!("{id} is not a plain - or * list item; read as a task")));
    }
    if !id.suffix().is_empty() {
        odd.push((name.start, format!("{id} has a suffix after its number; read as a task of its own")));
    }
    if !line[box_end..].starts_with(is_space) || !line[name.end..].starts_with([' ', '\t', ':', '*', '`']) {
        odd.push((name.start, format!("no space around {id}; read as its id")));
    }
    odd
}

/// Skips bullet or heading marks; tells whether it is a bullet of the plain grammar.
fn skip_bullet(line: &str, at: usize) -> Option<(usize, bool)> {
    let rest = &line[at..];
    let first = rest.chars().next()?;
    let (length, plain) = match first {
        '-' | '*' => (1, true),
        '+' => (1, false),
        '•' | '–' | '—' | '・' => (first.len_utf8(), false),
        '#' => (rest.bytes().take_while(|b| *b == b'#').count(), false),
        '0'..='9' => {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            (rest[digits..].starts_with(['.', ')']).then_some(digits + 1).filter(|n| *n <= 6)?, false)
        }
        '[' => (0, false),
        _ => return None,
    };
    let after = skip_spaces(line, at + length);
    let boxed = line[after..].starts_with('[');
    let spaced = after > at + length;
    (spaced || boxed).then_some((after, plain))
}

struct FoundBox {
    at: usize,
    end: usize,
    state: BoxState,
}

enum BoxState {
    Valid { done: bool },
    Malformed(String),
}

/// A bracket of at most three characters that is a box or was meant as one.
fn find_box(line: &str, at: usize) -> Option<FoundBox> {
    let inside = line[at..].strip_prefix('[')?;
    let close = inside.char_indices().take(4).find(|(_, c)| *c == ']')?.0;
    let found = &inside[..close];
    let state = match found {
        " " => BoxState::Valid { done: false },
        "x" | "X" => BoxState::Valid { done: true },
        _ => {
            let trimmed = found.trim_matches(is_space);
            let blank = matches!(trimmed, "" | "x" | "X");
            let symbol = !trimmed.contains(|c: char| c.is_ascii_alphanumeric());
            let letter = trimmed.len() == 1 && trimmed != "P";
            if !(blank || symbol || letter) {
                return None;
            }
            BoxState::Malformed(found.to_owned())
        }
    };
    Some(FoundBox { at, end: at + close + 2, state })
}

struct FoundId {
    start: usize,
    end: usize,
    id: TaskId,
}

enum Name {
    Id(FoundId),
    Malformed { offset: usize, found: String },
    Missing,
}

/// The id after the box: plain, bold, in back-ticks, in brackets, after `#`.
fn find_name(line: &str, at: usize) -> Name {
    let start = line[at..].find(|c: char| !is_space(c) && !is_wrapper(c)).map_or(line.len(), |i| at + i);
    let rest = &line[start..];
    if let Some((id, length)) = leading_id(rest) {
        return match range_end(&rest[length..]) {
            0 => Name::Id(FoundId { start, end: start + length, id }),
            more => Name::Malformed { offset: start, found: rest[..length + more].to_owned() },
        };
    }
    // `[P] T012 …`: markers before the id.
    if let Some(name) = after_marker(line, at) {
        return name;
    }
    if let Some(found) = looks_like_id(rest) {
        return Name::Malformed { offset: start, found };
    }
    Name::Missing
}

fn leading_id(rest: &str) -> Option<(TaskId, usize)> {
    let length = id::scan(rest)?;
    Some((TaskId::parse(&rest[..length])?, length))
}

fn after_marker(line: &str, at: usize) -> Option<Name> {
    let open = skip_spaces(line, at);
    let close = line[open..].strip_prefix('[').and_then(|r| r.find(']')).map(|i| open + 1 + i)?;
    let key = &line[open + 1..close];
    let is_marker = key == "P" || (key.starts_with("US") && key.len() <= 5);
    let start = skip_spaces(line, close + 1);
    let length = id::scan(&line[start..]).filter(|_| is_marker)?;
    let id = TaskId::parse(&line[start..start + length])?;
    Some(Name::Malformed { offset: open, found: format!("[{key}] {id}") })
}

/// `T001-T005` behind one box: several tasks cannot share it.
fn range_end(rest: &str) -> usize {
    for dash in ["-", "–", "—", "~", "～", "〜"] {
        if let Some(length) = rest.strip_prefix(dash).and_then(id::scan) {
            return dash.len() + length;
        }
    }
    0
}

/// What was probably meant as an id: `T12`, `t012`, `T-06`, `T3.1`, `TASK-001`, `TXXX`.
fn looks_like_id(rest: &str) -> Option<String> {
    let end =
        rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '-' | '.' | '_'))).unwrap_or(rest.len());
    let word = rest[..end].trim_end_matches(['.', '-', '_']);
    let body = word.strip_prefix("TASK").or_else(|| word.strip_prefix("Task"));
    let body = body.or_else(|| word.strip_prefix(['T', 't']))?;
    let body = body.strip_prefix(['-', '_', '.']).unwrap_or(body);
    let digits = body.chars().filter(|c| c.is_numeric()).count();
    let placeholder = word.len() >= 3 && word[1..].bytes().all(|b| matches!(b, b'X' | b'N' | b'?'));
    let numbered = body.starts_with(char::is_numeric) && digits * 2 >= body.chars().count();
    if numbered || placeholder {
        return Some(word.to_owned());
    }
    // `T 001`
    let spaced = rest.strip_prefix(['T', 't'])?.trim_start_matches(is_space);
    let count = spaced.bytes().take_while(u8::is_ascii_digit).count();
    let end = rest.len() - spaced.len() + count;
    (word.len() == 1 && count >= 2 && id::ends_word(&spaced[count..])).then(|| rest[..end].to_owned())
}

fn without_box(line: &str, indent: usize, bullet: usize, after: usize, plain: bool) -> Item {
    let start =
        line[after..].find(|c: char| !is_space(c) && !is_wrapper(c)).map_or(line.len(), |i| after + i);
    let rest = &line[start..];
    let heading = line[bullet..].starts_with('#');
    if let Some((id, _)) = leading_id(rest).filter(|(_, length)| range_end(&rest[*length..]) == 0) {
        return Item::NoBox { indent, offset: bullet, id };
    }
    match after_marker(line, after) {
        Some(Name::Malformed { offset, found }) if !heading => Item::Flawed {
            indent,
            offset,
            id: None,
            problem: Problem::MalformedBox { found: found.chars().skip(1).take(1).collect(), id: None },
        },
        _ if heading || !(plain || line[bullet..].starts_with(|c: char| c != '[')) => Item::Other,
        _ => Item::Bullet { indent, text: after },
    }
}

/// Characters people wrap an id in.
pub(crate) fn is_wrapper(c: char) -> bool {
    matches!(c, '*' | '_' | '`' | '~' | '#' | '[')
}

fn skip_spaces(line: &str, at: usize) -> usize {
    line[at..].find(|c: char| !is_space(c)).map_or(line.len(), |i| at + i)
}
