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

/// Code spans that are commands; without any, the whole text when it begins with a program.
fn commands(text: &str) -> Vec<String> {
    let leads = text.starts_with('`');
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(tick) = rest.find('`') {
        let Some((inside, length)) = paths::code_span(&rest[tick..]) else { break };
        let first = inside.trim_matches(is_space).split(is_space).next().unwrap_or("");
        if (leads && found.is_empty()) || paths::is_program(first) {
            found.push(inside.trim_matches(is_space).to_owned());
        }
        rest = &rest[tick + length..];
    }
    let first = text.split(is_space).next().unwrap_or("");
    if found.is_empty() && !text.contains('`') && paths::is_program(first) && !text.trim_end().ends_with('.')
    {
        found.push(text.to_owned());
    }
    found.retain(|c| !c.is_empty());
    found
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
    let mut claims = task.claims().peekable();
    if claims.peek().is_some() && claims.all(|p| paths::is_test(&p.path)) {
        return true;
    }
    block.tests.unwrap_or(false) || says_test(&lower)
}

fn says_test(lower: &str) -> bool {
    let first: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).take(5).collect();
    let test = |w: &str| matches!(w, "test" | "tests" | "testes" | "pruebas");
    let kind = |w: &str| {
        matches!(
            w,
            "contract"
                | "integration"
                | "unit"
                | "e2e"
                | "end"
                | "acceptance"
                | "regression"
                | "component"
                | "failing"
                | "property"
                | "snapshot"
                | "smoke"
                | "api"
                | "ui"
                | "performance"
                | "load"
                | "golden"
        )
    };
    match first.as_slice() {
        [a, ..] if test(a) => true,
        [a, b, ..] if kind(a) && test(b) => true,
        ["write" | "add" | "create" | "author", rest @ ..] => match rest.iter().position(|w| test(w)) {
            Some(at) => {
                rest[..at].iter().all(|w| kind(w) || matches!(*w, "a" | "the" | "new" | "to" | "more"))
            }
            None => false,
        },
        _ => false,
    }
}
