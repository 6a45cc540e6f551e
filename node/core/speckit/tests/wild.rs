//! Files in the manner of many authors, each read into a snapshot: tasks, phases, warnings, errors, graph.

use std::fmt::Write as _;

use ikigai_speckit::{DependencySource, Document, Graph, PathRole, Task, parse};

macro_rules! fixtures {
    ($($name:ident: $file:literal,)*) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(stringify!($name), show(include_str!(concat!("fixtures/", $file)), $file));
        }
    )*};
}

fixtures! {
    template: "template.md",
    wrapped: "wrapped.md",
    keys: "keys.md",
    headings: "headings.md",
    later: "later.md",
    summary: "summary.md",
    japanese: "japanese.md",
    chinese_portuguese: "chinese-portuguese.md",
    details: "details.md",
    heading_tasks: "heading-tasks.md",
}

fn show(text: &str, path: &str) -> String {
    let parsed = parse(text, path);
    let mut out = String::new();
    for (i, phase) in parsed.document.phases.iter().enumerate() {
        let _ = writeln!(
            out,
            "== {} {:?} {:?} {}",
            phase.number.as_deref().unwrap_or("-"),
            phase.kind,
            phase.stories,
            phase.title
        );
        for (name, text) in [("independent test", &phase.independent_test), ("checkpoint", &phase.checkpoint)]
        {
            if let Some(text) = text {
                let _ = writeln!(out, "   {name}: {text}");
            }
        }
        for task in parsed.document.tasks.iter().filter(|t| t.phase == i) {
            out.push_str(&one(task, text, &parsed.document));
        }
    }
    for warning in &parsed.warnings {
        let _ = writeln!(out, "warning {warning}");
    }
    for error in &parsed.errors {
        let _ = writeln!(out, "error {error}; {}", error.hint());
    }
    match Graph::build(&parsed.document) {
        Ok(graph) => {
            for warning in &graph.warnings {
                let _ = writeln!(out, "graph {warning}");
            }
            out.push_str(&graph.to_text());
        }
        Err(errors) => {
            for error in errors {
                let _ = writeln!(out, "graph {error}");
            }
        }
    }
    out
}

fn one(task: &Task, text: &str, document: &Document) -> String {
    let mut out = format!("{} {}:{}", task.id, task.line, task.column);
    let box_text = if task.done { ["x", "X"] } else { [" ", " "] };
    assert!(box_text.contains(&&text[task.box_offset..=task.box_offset]), "{} points at its box", task.id);
    assert!(text[task.span.clone()].contains(task.id.as_str()), "{} is inside its span", task.id);
    assert_eq!(document.task(task.id.as_str()), Some(task));
    for (word, holds) in [("done", task.done), ("[P]", task.parallel), ("test", task.is_test)] {
        if holds {
            let _ = write!(out, " {word}");
        }
    }
    for story in &task.stories {
        let _ = write!(out, " US{story}");
    }
    let _ = writeln!(out, " | {}", task.description);
    if !task.keys.is_empty() {
        let _ = writeln!(out, "   keys: {}", task.keys.join(" "));
    }
    let paths: Vec<String> = task
        .paths
        .iter()
        .map(|p| {
            let slash = if p.directory { "/" } else { "" };
            let reference = if p.role == PathRole::Reference { " (reference)" } else { "" };
            format!("{}{slash}{reference}", p.path)
        })
        .collect();
    if !paths.is_empty() {
        let _ = writeln!(out, "   paths: {}", paths.join(", "));
    }
    for on in &task.depends_on {
        let source =
            if on.source == DependencySource::TaskLine { String::new() } else { format!(" {:?}", on.source) };
        let guess = if on.guessed { " guessed" } else { "" };
        let _ = writeln!(out, "   on {} at {}:{}{source}{guess}", on.on, on.line, on.column);
    }
    for detail in &task.details {
        let _ = writeln!(out, "   detail {}: {}", detail.line, detail.text);
    }
    for check in &task.checks {
        let _ = writeln!(out, "   check {}: {} {:?}", check.line, check.text, check.commands);
    }
    out
}
