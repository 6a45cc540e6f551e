//! Markdown that runs: every `console` block is typed into a shell, and what comes back must be what stands there.
//!
//! In a block, a line that begins with `$ ` is a command and lines that begin with `> ` continue it; the lines
//! after it are its output, stdout and stderr together, and `[exit N]` when it does not end with 0. `...` alone
//! on a line stands for any lines, `[..]` in a line for any text.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Where the commands of a page run.
#[derive(Debug)]
pub struct Session<'a> {
    /// The folder they begin in.
    pub folder: &'a Path,
    /// Their whole environment.
    pub env: Vec<(&'a str, String)>,
    /// Texts that differ from run to run, and what is shown in their place.
    pub hide: Vec<(String, &'a str)>,
}

/// A command and what should come of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Line of the command in the page, from 1.
    pub line: usize,
    /// What is typed.
    pub command: String,
    /// Lines that should come back.
    pub expected: Vec<String>,
}

/// Runs the page at `path` and answers what differs, one text per step; an empty list is a pass. With
/// `regenerate`, outputs that differ are written into the page instead.
///
/// # Panics
/// When the page cannot be read, has no step, or a shell cannot be started.
pub fn run(path: &Path, session: &Session<'_>, regenerate: bool) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let steps = steps(&text);
    assert!(!steps.is_empty(), "{} has no command to run", path.display());
    let results: Vec<_> = steps.iter().map(|step| session.run(&step.command)).collect();
    let differs = |(step, got): &(&Step, &Vec<String>)| !matches(&step.expected, got);
    let wrong: Vec<_> =
        steps.iter().zip(&results).filter(differs).map(|(s, got)| report(path, s, got)).collect();
    if !wrong.is_empty() && regenerate {
        let written = std::fs::write(path, rewritten(&text, &steps, &results));
        written.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        return Vec::new();
    }
    wrong
}

// === impl Session ===

impl Session<'_> {
    /// The lines that come of `command`.
    fn run(&self, command: &str) -> Vec<String> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("exec 2>&1\n{command}")).current_dir(self.folder).stdin(Stdio::null());
        shell.env_clear().envs(self.env.iter().map(|(name, value)| (name, value)));
        let out = shell.output().expect("a shell");
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let text = self.hide.iter().fold(text, |text, (real, shown)| text.replace(real, shown));
        let mut lines: Vec<_> = text.lines().map(|l| l.trim_end().to_owned()).collect();
        match out.status.code() {
            Some(0) => {}
            Some(code) => lines.push(format!("[exit {code}]")),
            None => lines.push("[killed]".to_owned()),
        }
        lines
    }
}

/// The commands of the page's `console` blocks.
pub fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for (i, line) in page.lines().enumerate() {
        match line {
            "```console" => inside = true,
            _ if line.starts_with("```") => inside = false,
            _ if !inside => {}
            _ => take(&mut steps, i + 1, line),
        }
    }
    for step in &mut steps {
        while step.expected.last().is_some_and(String::is_empty) {
            step.expected.pop();
        }
    }
    steps
}

fn take(steps: &mut Vec<Step>, number: usize, line: &str) {
    if let Some(command) = line.strip_prefix("$ ") {
        steps.push(Step { line: number, command: command.to_owned(), expected: Vec::new() });
    } else if let Some(step) = steps.last_mut() {
        match line.strip_prefix("> ").or(line.strip_prefix(">").filter(|rest| rest.is_empty())) {
            Some(more) if step.expected.is_empty() => {
                step.command.push('\n');
                step.command.push_str(more);
            }
            _ => step.expected.push(line.trim_end().to_owned()),
        }
    }
}

/// Whether `got` is what `expected` says, wildcards included.
pub fn matches(expected: &[String], got: &[String]) -> bool {
    match expected {
        [] => got.is_empty() || got.iter().all(String::is_empty),
        [first, rest @ ..] if first == "..." => (0..=got.len()).any(|n| matches(rest, &got[n..])),
        [first, rest @ ..] => got.first().is_some_and(|g| fits(first, g)) && matches(rest, &got[1..]),
    }
}

/// Whether `line` fits `pattern`, in which `[..]` is any text.
fn fits(pattern: &str, line: &str) -> bool {
    match pattern.split_once("[..]") {
        None => pattern == line,
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|line| {
            let ends = line.char_indices().map(|(i, _)| i).chain([line.len()]);
            ends.into_iter().any(|i| fits(rest, &line[i..]))
        }),
    }
}

fn report(path: &Path, step: &Step, got: &[String]) -> String {
    let mut text = format!("{}:{}: $ {}\n", path.display(), step.line, step.command);
    for (mark, lines) in [('-', &step.expected[..]), ('+', got)] {
        lines.iter().for_each(|line| {
            let _ = writeln!(text, "  {mark} {line}");
        });
    }
    text
}

/// The page with the output of each step that differs in the place of the old one.
fn rewritten(page: &str, steps: &[Step], results: &[Vec<String>]) -> String {
    let mut out = String::new();
    let mut skipping = false;
    for (i, line) in page.lines().enumerate() {
        let ends = line.starts_with("```") || line.starts_with("$ ");
        skipping &= !ends && !line.is_empty();
        if !skipping || line.starts_with("> ") {
            out.push_str(line);
            out.push('\n');
        }
        let step = steps.iter().zip(results).find(|(s, _)| s.line + s.command.matches('\n').count() == i + 1);
        if let Some((step, got)) = step.filter(|(step, got)| !matches(&step.expected, got)) {
            got.iter().for_each(|l| out.push_str(&format!("{l}\n")));
            skipping = !step.expected.is_empty();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# A page\n\n```console\n$ echo a\na\n$ cat <<E\n> b\n> E\nb\n\n$ sh -c 'exit 3'\n[exit 3]\n```\n\n```sh\n$ rm -rf /\n```\n";

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    fn here() -> Session<'static> {
        Session {
            folder: Path::new("/"),
            env: vec![("PATH", std::env::var("PATH").unwrap())],
            hide: Vec::new(),
        }
    }

    #[test]
    fn steps_are_read_from_console_blocks_only() {
        let steps = steps(PAGE);
        assert_eq!(steps.len(), 3);
        assert_eq!((steps[1].command.as_str(), steps[1].line), ("cat <<E\nb\nE", 6));
        assert_eq!((steps[1].expected.clone(), steps[2].expected.clone()), (lines("b"), lines("[exit 3]")));
    }

    #[test]
    fn a_page_passes_or_says_what_differs() {
        let dir = tempfile::tempdir().unwrap();
        let page = dir.path().join("page.md");
        std::fs::write(&page, PAGE).unwrap();
        assert_eq!(run(&page, &here(), false), Vec::<String>::new());
        std::fs::write(&page, PAGE.replace("[exit 3]", "[exit 4]").replace("\nb\n\n", "\nc\n\n")).unwrap();
        let wrong = run(&page, &here(), false);
        assert_eq!(wrong.len(), 2);
        assert!(
            wrong[0].contains("- c\n  + b") && wrong[1].contains("- [exit 4]\n  + [exit 3]"),
            "{wrong:?}"
        );
    }

    #[test]
    fn an_old_page_is_rewritten_to_what_comes_back() {
        let old = PAGE.replace("\na\n", "\nold\nolder\n").replace("[exit 3]\n", "");
        let steps = steps(&old);
        let results: Vec<_> = steps.iter().map(|s| here().run(&s.command)).collect();
        assert_eq!(rewritten(&old, &steps, &results), PAGE);
    }

    #[test]
    fn wildcards_stand_for_lines_and_for_text() {
        let good = |expected: &str, got: &str| matches(&lines(expected), &lines(got));
        assert!(good("a\n...\nz", "a\nz") && good("a\n...\nz", "a\nb\nc\nz") && good("...", ""));
        assert!(!good("a\n...\nz", "a\nb") && !good("a", "a\nb") && !good("a\nb", "a"));
        assert!(good("took [..] ms", "took 12 ms") && good("[..]é[..]", "aéb"));
        assert!(!good("took [..] ms", "took 12 s"));
    }
}
