//! Mentions of tasks, stories and phases in running text.

use std::fmt;

use crate::id::{self, TaskId, ends_word, starts_word};
use crate::lines::is_space;

/// A mention, with its bytes in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mention {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) target: Mentioned,
}

/// What is mentioned, before ranges are expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mentioned {
    Task(TaskId),
    /// `T001–T005`
    Tasks(TaskId, TaskId),
    Story(u32),
    /// `US1-US4`, `User Stories 1 & 2`
    Stories(Vec<u32>),
    Phase(String),
}

impl fmt::Display for Mentioned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(id) => id.fmt(f),
            Self::Tasks(first, last) => write!(f, "{first}–{last}"),
            Self::Story(n) => write!(f, "US{n}"),
            Self::Stories(numbers) => {
                let names: Vec<String> = numbers.iter().map(|n| format!("US{n}")).collect();
                f.write_str(&names.join(", "))
            }
            Self::Phase(n) => write!(f, "Phase {n}"),
        }
    }
}

/// "User story" in other languages.
const STORY_WORDS: &[&str] = &[
    "ユーザーストーリー",
    "用户故事",
    "使用者故事",
    "사용자 스토리",
    "História de Usuário",
    "História de usuário",
    "história de usuário",
    "História de Utilizador",
    "Historia de Usuario",
    "Historia de usuario",
    "historia de usuario",
    "Histoire utilisateur",
    "História",
    "Historia",
];

/// All mentions, in order, without overlap. Linear in the text.
pub(crate) fn find(text: &str) -> Vec<Mention> {
    let mut found: Vec<Mention> = Vec::new();
    let mut end = 0;
    for (at, c) in text.char_indices() {
        let begins =
            matches!(c, 'T' | 'U' | 'u' | 'P' | 'p' | 'F' | 'f' | 'S' | 's' | 'H' | 'h') || c >= '\u{2e80}';
        if begins
            && at >= end
            && let Some(mention) = mention_at(text, at)
        {
            end = mention.end;
            found.push(mention);
        }
    }
    found
}

fn mention_at(text: &str, at: usize) -> Option<Mention> {
    if !starts_word(&text[..at]) {
        return None;
    }
    let rest = &text[at..];
    let (length, target) = task(rest).or_else(|| story(rest)).or_else(|| phase(rest))?;
    Some(Mention { start: at, end: at + length, target })
}

fn task(rest: &str) -> Option<(usize, Mentioned)> {
    let length = id::scan(rest)?;
    let first = TaskId::parse(&rest[..length])?;
    match range(rest, length, "T", id::scan) {
        Some((end, last)) => TaskId::parse(&last).map(|last| (end, Mentioned::Tasks(first, last))),
        None => Some((length, Mentioned::Task(first))),
    }
}

fn story(rest: &str) -> Option<(usize, Mentioned)> {
    let (length, first) = story_number(rest)?;
    if let Some((end, last)) = range(rest, length, "US", |r| story_number(r).map(|s| s.0)) {
        let (_, last) = story_number(&last)?;
        return Some((end, Mentioned::Stories(through(first, last))));
    }
    // `User Stories 1 & 2`: two stories with the word only once
    let tail = &rest[length..];
    let gap = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
    let join = tail[..gap].trim_matches(is_space);
    let (digits, second) = leading_number(&tail[gap..]).unwrap_or((0, 0));
    let both = match join {
        "&" | "and" | "+" => vec![first, second],
        "-" | "–" => through(first, second),
        _ => Vec::new(),
    };
    let ends = digits > 0 && second > first && second < 1000 && ends_word(&tail[gap + digits..]);
    if ends && !both.is_empty() {
        return Some((length + gap + digits, Mentioned::Stories(both)));
    }
    Some((length, Mentioned::Story(first)))
}

/// At most fifty, whatever the text says.
fn through(first: u32, last: u32) -> Vec<u32> {
    (first..=last).take(50).collect()
}

fn story_number(rest: &str) -> Option<(usize, u32)> {
    const WORDS: &[&str] = &["user stories", "user story", "story", "us"];
    let ascii = WORDS.iter().find(|w| rest.get(..w.len()).is_some_and(|r| r.eq_ignore_ascii_case(w)));
    let other = STORY_WORDS.iter().find(|w| rest.starts_with(**w));
    let word = ascii.or(other)?;
    let after = &rest[word.len()..];
    let gap = after.len() - after.trim_start_matches(|c: char| is_space(c) || matches!(c, '-' | '#')).len();
    if *word == "us" && (gap > 0 || !rest.starts_with("US")) {
        return None;
    }
    let (digits, number) = leading_number(&after[gap..])?;
    let end = word.len() + gap + digits;
    ends_word(&rest[end..]).then_some((end, number))
}

fn phase(rest: &str) -> Option<(usize, Mentioned)> {
    let word = ["Phase", "phase", "PHASE", "Fase", "fase", "フェーズ", "阶段"]
        .iter()
        .find(|w| rest.starts_with(**w))?;
    let after = &rest[word.len()..];
    let gap = after.len() - after.trim_start_matches(is_space).len();
    let number = &after[gap..];
    let length = number.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let length = number[..length].trim_end_matches('.').len();
    let end = word.len() + gap + length;
    (length > 0 && ends_word(&rest[end..])).then(|| (end, Mentioned::Phase(number[..length].to_owned())))
}

/// The second half of a range that begins `length` bytes into `rest`; returns the end and its text.
fn range(
    rest: &str,
    length: usize,
    prefix: &str,
    scan: impl Fn(&str) -> Option<usize>,
) -> Option<(usize, String)> {
    const WRAP: [char; 4] = ['*', '`', '_', ']'];
    let tail = rest[length..].trim_start_matches(WRAP).trim_start_matches(is_space);
    let joined =
        ["...", "..", "…", "-", "–", "—", "~", "～", "〜", "to ", "through ", "thru ", "至", "到", "から"];
    let join = joined.iter().find(|j| tail.starts_with(**j))?;
    let tail = &tail[join.len()..];
    let tail = tail.trim_start_matches(is_space).trim_start_matches(['*', '`', '_', '[']);
    let start = rest.len() - tail.len();
    if let Some(end) = scan(tail) {
        return Some((start + end, tail[..end].to_owned()));
    }
    // `T010-012`, `US1-3`: the prefix is not repeated
    let (digits, _) = leading_number(tail)?;
    let tight = rest[length..].starts_with(join) && start == length + join.len();
    let word = format!("{prefix}{}", &tail[..digits]);
    (tight
        && !join.starts_with(char::is_alphabetic)
        && ends_word(&tail[digits..])
        && scan(&word) == Some(word.len()))
    .then_some((start + digits, word))
}

fn leading_number(text: &str) -> Option<(usize, u32)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    Some((digits, text[..digits].parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(text: &str) -> Vec<String> {
        find(text).into_iter().map(|m| m.target.to_string()).collect()
    }

    #[test]
    fn ids_ranges_stories_and_phases() {
        assert_eq!(
            show("T001, T002–T004 and `T005` - `T007`, T010-012, T020 to T022"),
            ["T001", "T002–T004", "T005–T007", "T010–T012", "T020–T022"]
        );
        assert_eq!(
            show("US1, User Story 2, User Stories 3 & 4, US5-US7"),
            ["US1", "US2", "US3, US4", "US5, US6, US7"]
        );
        assert_eq!(show("Phase 3.1 then phase 4, フェーズ 2"), ["Phase 3.1", "Phase 4", "Phase 2"]);
    }

    #[test]
    fn words_that_only_look_like_mentions() {
        assert!(show("ST001 UTC T12 must us1 plus Phases status STATUS1 T001_x").is_empty());
    }

    #[test]
    fn a_dash_between_an_id_and_a_word_is_no_range() {
        assert_eq!(show("T001 - write it, T002-based"), ["T001", "T002"]);
    }
}
