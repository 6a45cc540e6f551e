//! The bracketed keys of a task: `[P]`, `[US1]`, `[FR-001, FR-003]`, at either end of the line.

use crate::error::Problem;
use crate::id::TaskId;
use crate::lines::is_space;

/// Longest key that is read as one; longer brackets are text.
const MAX_KEY: usize = 60;

/// What the brackets after an id say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Markers {
    pub(crate) parallel: bool,
    pub(crate) stories: Vec<u32>,
    pub(crate) keys: Vec<String>,
    /// Where the description begins.
    pub(crate) end: usize,
    pub(crate) oddities: Vec<(usize, String)>,
    pub(crate) flaws: Vec<(usize, Problem)>,
}

/// Reads the brackets that follow the id which ends at `at`.
pub(crate) fn read(line: &str, at: usize, id: &TaskId) -> Markers {
    let mut markers = Markers { end: at, ..Markers::default() };
    let mut at = at;
    loop {
        at = skip_decoration(line, at);
        let rest = &line[at..];
        let Some((content, length)) = bracket(rest) else {
            markers.misspelt(rest, at, id);
            break;
        };
        if rest[length..].starts_with('(') {
            break; // a Markdown link begins the description
        }
        markers.group(content, at, id);
        at += length;
    }
    markers.end = skip_decoration(line, at);
    markers
}

/// Takes keys off the end of a description; returns what is left and the keys, in order.
pub(crate) fn trailing(description: &str) -> (&str, Vec<&str>) {
    let mut rest = description.trim_end_matches(is_space);
    let mut groups = Vec::new();
    while let Some(open) = rest.strip_suffix(']').and_then(|r| r.rfind('[')) {
        let content = &rest[open + 1..rest.len() - 1];
        let spaced = open == 0 || rest[..open].ends_with(|c: char| is_space(c) || matches!(c, ']' | '.'));
        if !spaced || !content.split([',', ';', '|']).all(is_key) {
            break;
        }
        groups.push(content);
        rest = rest[..open].trim_end_matches(is_space);
    }
    groups.reverse();
    let keys = groups.iter().flat_map(|g| g.split([',', ';', '|'])).map(|k| k.trim_matches(is_space));
    (rest, keys.collect())
}

/// `US3` → 3.
pub(crate) fn story(key: &str) -> Option<u32> {
    let digits = key.strip_prefix("US")?;
    (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

impl Markers {
    fn group(&mut self, content: &str, at: usize, id: &TaskId) {
        for key in content.split([',', ';', '|', '+', '&']) {
            let trimmed = key.trim_matches(is_space);
            if !trimmed.is_empty() {
                self.key(trimmed, at, id);
            }
        }
    }

    fn key(&mut self, key: &str, at: usize, id: &TaskId) {
        if key == "P" {
            self.parallel = true;
        } else if let Some(n) = story(key) {
            self.stories.push(n);
        } else if key == "p" {
            self.parallel = true;
            self.flaw(at, format!("[{key}]"), id, "[P]".into());
        } else if let Some(n) =
            key.get(..2).filter(|k| k.eq_ignore_ascii_case("us")).and_then(|_| number(&key[2..]))
        {
            self.stories.push(n);
            self.flaw(at, format!("[{key}]"), id, format!("[US{n}]"));
        } else if let Some(n) = spelt_story(key) {
            self.stories.push(n);
            self.odd(at, format!("[{key}] of {id} is read as [US{n}]"));
        } else if key.eq_ignore_ascii_case("parallel") {
            self.parallel = true;
            self.odd(at, format!("[{key}] of {id} is read as [P]"));
        } else {
            self.keys.push(key.to_owned());
        }
    }

    /// Where no bracket can be read: is there one that was meant?
    fn misspelt(&mut self, rest: &str, at: usize, id: &TaskId) {
        let word: String = rest.chars().take_while(|c| !is_space(*c)).take(8).collect();
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let opens = word.starts_with(['[', '(', '{', '【', '［']);
        let closes = word.ends_with([']', '】', '］']) && !word.contains('[');
        if !opens && !closes {
            return;
        }
        let upper = bare.to_ascii_uppercase();
        if upper == "P" {
            self.parallel = true;
            self.flaw(at, word, id, "[P]".into());
        } else if let Some(n) = story(&upper) {
            self.stories.push(n);
            if word.starts_with('(') {
                self.odd(at, format!("(US{n}) of {id} is read as [US{n}]"));
            } else {
                self.flaw(at, word, id, format!("[US{n}]"));
            }
        }
    }

    fn flaw(&mut self, at: usize, found: String, id: &TaskId, write: String) {
        self.flaws.push((at, Problem::MalformedMarker { found, id: Some(id.clone()), write }));
    }

    fn odd(&mut self, at: usize, message: String) {
        self.oddities.push((at, message));
    }
}

/// `[content]` at the start of `rest`: the content and the length with brackets.
fn bracket(rest: &str) -> Option<(&str, usize)> {
    let inside = rest.strip_prefix('[')?;
    let close = inside.find([']', '['])?;
    let content = &inside[..close];
    let fits = inside[close..].starts_with(']') && content.len() <= MAX_KEY;
    (fits && !content.trim_matches(is_space).is_empty()).then_some((content, close + 2))
}

/// `Story 1`, `US-1`, `US 1`, `User Story 1`.
fn spelt_story(key: &str) -> Option<u32> {
    let lower = key.to_ascii_lowercase();
    let rest = ["user story", "userstory", "story", "us"].iter().find_map(|p| lower.strip_prefix(p))?;
    number(rest.trim_start_matches(|c: char| is_space(c) || matches!(c, '-' | '_' | '#')))
}

fn number(text: &str) -> Option<u32> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// A trailing bracket is a key when it looks like one: `FR-001`, `US1/AC2`, `P`, `SC-002`.
fn is_key(part: &str) -> bool {
    let part = part.trim_matches(is_space);
    let word = !part.is_empty() && part.len() <= 24 && !part.contains(is_space);
    word && part.starts_with(|c: char| c.is_ascii_uppercase())
        && part
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '/' | '.' | '_' | '#' | '–' | '…'))
        && (part.contains(|c: char| c.is_ascii_digit()) || part.len() <= 4)
}

/// White space, emphasis and the colon or dash that follow an id or a bracket.
fn skip_decoration(line: &str, at: usize) -> usize {
    let mut at = at;
    loop {
        let rest = &line[at..];
        let trimmed = rest.trim_start_matches(is_space);
        let spaced = trimmed.len() < rest.len();
        at = line.len() - trimmed.len();
        let next = match trimmed.as_bytes() {
            [b'*', b'*', c @ ..] if !spaced || c.first() == Some(&b'[') => 2,
            [b':' | b',', ..] => 1,
            // `T012** text`, `` `T012`: `` close what opened before the id
            [b'`' | b'*' | b'_' | b'~' | b']', ..] if !spaced => 1,
            [b'-', c, ..] if c.is_ascii_whitespace() => 1,
            _ if trimmed.starts_with("— ") || trimmed.starts_with("– ") || trimmed.starts_with('：') => {
                3
            }
            _ => return at,
        };
        at += next;
    }
}
