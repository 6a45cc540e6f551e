//! One task: keys, description, paths, checks, and whether it writes tests.

use crate::assemble::Notes;
use crate::document::{Check, Detail, Task};
use crate::lines::is_space;
use crate::marker;
use crate::mention::{self, Mentioned};
use crate::paths;
use crate::reader::{Block, Joined, Label, TaskDraft, label_of};

/// Everything about a task but its phase and its dependencies.
pub(crate) fn build(draft: &TaskDraft, block: &Block, notes: &mut Notes) -> Task {
    let head = &draft.head;
    let main = &draft.main.text;
    let after_head = main.get(head_length(draft)..).unwrap_or("");
    let (description, trailing) = marker::trailing(after_head);
    let mut task = Task {
        id: head.id.clone(),
        done: head.done,
        line: draft.line,
        column: draft.column,
        box_offset: draft.start + head.box_at,
        span: draft.start + head.bullet..draft.end,
        parallel: head.markers.parallel,
        stories: head.markers.stories.clone(),
        keys: head.markers.keys.iter().filter(|k| !names_tasks(k)).cloned().collect(),
        phase: 0,
        text: main.clone(),
        description: tidy(description),
        details: draft
            .details
            .iter()
            .map(|(_, d)| Detail { line: d.start().line, text: d.text.clone() })
            .collect(),
        depends_on: Vec::new(),
        paths: Vec::new(),
        checks: checks(draft),
        is_test: false,
    };
    task.stories.dedup();
    if draft.main.cut || draft.details.iter().any(|(_, d)| d.cut) {
        notes.warn(
            task.line,
            task.column,
            format!("{} is too long; the end of its text is left out", task.id),
        );
    }
    trailing_keys(&mut task, &trailing, notes);
    find_paths(&mut task, after_head, draft);
    task.is_test = is_test(&task, block);
    task
}

/// Bytes of the joined text taken by id and markers.
pub(crate) fn head_length(draft: &TaskDraft) -> usize {
    // the joined text begins with the first character after the box that is not a space
    let until = draft.head.description - draft.head.text;
    until - draft.main_lead.min(until)
}

/// Bytes of the joined text up to the end of the id.
pub(crate) fn id_end(draft: &TaskDraft) -> usize {
    draft.main.text.find(draft.head.id.as_str()).map_or(0, |at| at + draft.head.id.as_str().len())
}

fn trailing_keys(task: &mut Task, keys: &[&str], notes: &mut Notes) {
    for key in keys {
        let story = marker::story(key);
        if *key == "P" && !task.parallel {
            task.parallel = true;
            notes.warn(
                task.line,
                task.column,
                format!("[P] at the end of {} is read as its marker", task.id),
            );
        } else if let Some(n) = story {
            if !task.stories.contains(&n) {
                task.stories.push(n);
            }
        } else if *key != "P" && !names_tasks(key) {
            task.keys.push((*key).to_owned());
        }
    }
}

/// `[after: T004]` is a dependency, not a key.
fn names_tasks(key: &str) -> bool {
    mention::find(key).iter().any(|m| matches!(m.target, Mentioned::Task(_) | Mentioned::Tasks(..)))
}

/// Takes off emphasis that was opened before the id, and a strike through.
fn tidy(description: &str) -> String {
    let text = description.trim_matches(is_space);
    let text = if text.matches("~~").count() % 2 == 1 { text.replacen("~~", "", 1) } else { text.to_owned() };
    let text = if text.matches("**").count() % 2 == 1 { text.replacen("**", "", 1) } else { text };
    text.trim_matches(is_space).to_owned()
}

fn find_paths(task: &mut Task, after_head: &str, draft: &TaskDraft) {
    paths::collect(after_head, &mut task.paths);
    for (_, detail) in &draft.details {
        let silent = matches!(
            label_of(&detail.text),
            Label::Verify | Label::Checklist | Label::Reference | Label::Depends
        );
        if !silent {
            paths::collect(&detail.text, &mut task.paths);
        }
    }
    paths::drop_short_names(&mut task.paths);
}

/// `verify:` sub-bullets, and the sub-bullets below one that says nothing itself.
fn checks(draft: &TaskDraft) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut list: Option<usize> = None;
    for (indent, detail) in &draft.details {
        if label_of(&detail.text) == Label::Verify {
            let text = crate::reader::value(&detail.text);
            list = text.is_empty().then_some(*indent);
            if !text.is_empty() {
                checks.push(check(detail, text));
            }
        } else if list.is_some_and(|above| *indent > above) {
            checks.push(check(detail, detail.text.clone()));
        } else {
            list = None;
        }
    }
    checks
}

fn check(detail: &Joined, text: String) -> Check {
    Check { line: detail.start().line, commands: commands(&text), text }
}

/// Code spans that are commands: all of them when there is little else ("`make a` and `make b`"), else those
/// that begin with a known program. Without any span, the whole text when it begins with one.
fn commands(text: &str) -> Vec<String> {
    let mut spans = Vec::new();
    let mut prose = String::new();
    let mut rest = text;
    while let Some(tick) = rest.find('`') {
        let Some((inside, length)) = paths::code_span(&rest[tick..]) else { break };
        prose.push_str(&rest[..tick]);
        prose.push(' ');
        spans.push(inside.trim_matches(is_space));
        rest = &rest[tick + length..];
    }
    prose.push_str(rest);
    let program = |text: &str| paths::is_program(text.split(is_space).next().unwrap_or(""));
    if spans.is_empty() {
        let whole = program(text) && !text.contains('`') && !text.trim_end().ends_with('.');
        return whole.then(|| text.to_owned()).into_iter().collect();
    }
    let mut words = prose.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    let bare =
        words.all(|w| matches!(w, "and" | "then" | "run" | "Run" | "both" | "passes" | "pass" | "succeeds"));
    spans.retain(|s| !s.is_empty() && (bare || program(s)));
    spans.into_iter().map(str::to_owned).collect()
}

/// By heading, by its first words, or because all it changes are test files.
fn is_test(task: &Task, block: &Block) -> bool {
    let lower = task.description[..task.description.floor_char_boundary(80)].to_lowercase();
    let running = ["run ", "execute ", "ensure ", "validate ", "fix ", "verify ", "confirm "]
        .iter()
        .any(|w| lower.starts_with(w));
    if running {
        return false;
    }
    let (tests, others): (Vec<_>, Vec<_>) = task.claims().partition(|p| paths::is_test(&p.path));
    let only_tests = others.is_empty() && !tests.is_empty();
    let only_code = tests.is_empty() && !others.is_empty();
    only_tests || says_test(&lower) || (block.tests == Some(true) && !only_code)
}

/// Kinds of tests, as the words before "test".
#[rustfmt::skip]
const KINDS: &[&str] = &[
    "contract", "integration", "unit", "e2e", "end", "acceptance", "regression", "component", "failing", "property",
    "snapshot", "smoke", "api", "ui", "performance", "load", "golden",
];

/// `Contract test for …`, `Write failing unit tests …`, `Add parser tests`; not `Add a test account`.
fn says_test(lower: &str) -> bool {
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty());
    let first: Vec<&str> = words.take(6).collect();
    let test = |w: &&str| matches!(*w, "test" | "tests" | "testes" | "pruebas");
    match first.as_slice() {
        [a, ..] if test(a) => true,
        [a, b, ..] if KINDS.contains(a) && test(b) => true,
        ["write" | "add" | "create" | "author", rest @ ..] => {
            rest.iter().position(test).is_some_and(|at| writes_tests(rest, at))
        }
        _ => false,
    }
}

/// Whether `tests` or `test` at `at` is what is written, not part of something else.
fn writes_tests(words: &[&str], at: usize) -> bool {
    let before = &words[..at];
    if words[at].ends_with('s') {
        return !before
            .iter()
            .any(|w| matches!(*w, "to" | "for" | "and" | "run" | "with" | "in" | "of" | "lint"));
    }
    let kind = before.last().is_some_and(|w| KINDS.contains(w));
    let object = words.get(at + 1).is_none_or(|w| matches!(*w, "for" | "of" | "in" | "that" | "to"));
    let known = before.iter().all(|w| KINDS.contains(w) || matches!(*w, "a" | "an" | "the" | "new"));
    known && (kind || object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_a_check() {
        for (text, expected) in [
            ("`cargo test -p a`", &["cargo test -p a"][..]),
            ("`make a` and then `make b`", &["make a", "make b"]),
            ("`./check.sh` passes", &["./check.sh"]),
            ("`house-check --all`", &["house-check --all"]),
            ("cargo test --all", &["cargo test --all"]),
            ("`init_db()` creates the `user` table", &[]),
            ("the page opens; `npm run build` exits 0", &["npm run build"]),
            ("node starts within a second.", &[]),
            ("it works", &[]),
            ("", &[]),
        ] {
            assert_eq!(commands(text), expected, "{text}");
        }
    }

    #[test]
    fn words_of_a_test_task() {
        for text in [
            "contract test for add in tests/a.rs",
            "unit tests of the parser",
            "write failing unit tests for x",
            "add parser tests: two blocks",
            "create a regression test for #12",
            "test the login",
            "testes de contrato",
        ] {
            assert!(says_test(text), "{text}");
        }
        for text in [
            "add rate limits",
            "create directories src/ and tests/",
            "add backend unit test step to ci",
            "add a test account",
            "write a guide to running tests",
            "latest release",
            "create tables for tests",
        ] {
            assert!(!says_test(text), "{text}");
        }
    }
}
