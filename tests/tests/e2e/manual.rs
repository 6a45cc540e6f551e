//! The guide's commands, run as they stand there, and their output compared.
//!
//! In a ```` ```console ```` block a line after `$ ` is run by bash in the project; what follows is what it prints, on
//! stdout and stderr. `…` alone on a line stands for any lines, within a line for any text; `[exit N]` is the exit code
//! where it is not 0. The pages are run in order, with one node, as somebody would who reads the book.

use crate::node::{NodeProcess, Runs, turn};
use crate::{parts, project};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Longest a command may take; more than the guide lets any wait, so that its own words are seen.
const LIMIT: Duration = Duration::from_secs(150);

/// A command of a page.
struct Step {
    at: String,
    command: String,
    output: Vec<String>,
    exit: i32,
}

fn guide() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/guide")
}

fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<_> = std::fs::read_dir(guide()).unwrap().map(|e| e.unwrap().path()).collect();
    pages.retain(|p| p.extension().is_some_and(|e| e == "md"));
    pages.sort();
    pages
}

/// The lines of each block of a language, with the number of its first line.
fn blocks(text: &str, language: &str) -> Vec<(usize, Vec<String>)> {
    let mut found: Vec<(usize, Vec<String>)> = Vec::new();
    let mut open: Option<bool> = None;
    for (n, line) in text.lines().enumerate() {
        match (open, line.strip_prefix("```")) {
            (None, Some(name)) => {
                open = Some(name == language);
                if name == language {
                    found.push((n + 2, Vec::new()));
                }
            }
            (Some(_), Some("")) => open = None,
            (Some(true), _) => found.last_mut().unwrap().1.push(line.to_owned()),
            _ => {}
        }
    }
    assert_eq!(open, None, "a block is not closed");
    found
}

fn steps(page: &Path) -> Vec<Step> {
    let text = std::fs::read_to_string(page).unwrap();
    let name = page.file_name().unwrap().to_string_lossy();
    let mut steps: Vec<Step> = Vec::new();
    for (first, lines) in blocks(&text, "console") {
        let begun = steps.len();
        for (n, line) in lines.into_iter().enumerate() {
            if let Some(command) = line.strip_prefix("$ ") {
                let at = format!("{name}:{}", first + n);
                steps.push(Step { at, command: command.to_owned(), output: Vec::new(), exit: 0 });
                continue;
            }
            assert!(steps.len() > begun, "{name}:{}: output without a command", first + n);
            let step = steps.last_mut().unwrap();
            match line.strip_prefix("[exit ").and_then(|l| l.strip_suffix(']')) {
                Some(code) => step.exit = code.parse().unwrap(),
                None => step.output.push(line),
            }
        }
    }
    steps
}

/// Whether `line` is `pattern` with each `…` standing for any text.
fn line_fits(pattern: &str, line: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('…') else { return pattern == line };
    let Some(line) = line.strip_prefix(head) else { return false };
    let starts = line.char_indices().map(|(i, _)| i).chain([line.len()]);
    starts.into_iter().any(|i| line_fits(rest, &line[i..]))
}

fn fits(patterns: &[String], lines: &[&str]) -> bool {
    match (patterns.split_first(), lines.split_first()) {
        (None, None) => true,
        (Some((p, rest)), _) if p.trim() == "…" => (0..=lines.len()).any(|n| fits(rest, &lines[n..])),
        (Some((p, patterns)), Some((line, lines))) => {
            line_fits(p.trim_end(), line.trim_end()) && fits(patterns, lines)
        }
        _ => false,
    }
}

async fn run(node: &NodeProcess, server: &NodeProcess, command: &str) -> (i32, String) {
    let programs = parts::built("ikigai").parent().unwrap().to_owned();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let child = tokio::process::Command::new("bash")
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .current_dir(node.project())
        .env("PATH", path)
        .env("IKIGAI_HOME", node.home())
        .env("SERVER", server.home())
        .env_remove("IKIGAI_CONTEXT")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(LIMIT, child).await;
    let output = output.unwrap_or_else(|_| panic!("`{command}` did not end\n{}", node.log_text())).unwrap();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a step. What nodes know of each other is shown a moment later: that is asked again for a while.
async fn until_it_fits(node: &NodeProcess, server: &NodeProcess, step: &Step) -> (i32, String, bool) {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let (code, output) = run(node, server, &step.command).await;
        let fits = code == step.exit && fits(&step.output, &output.lines().collect::<Vec<_>>());
        if fits || !step.command.contains("node ls") || Instant::now() > end {
            return (code, output, fits);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn node(name: &str, runs: &Runs) -> NodeProcess {
    let mesh = "[mesh]\nlisten = [\"/ip4/127.0.0.1/tcp/0\"]\nmdns = false";
    let script = project::feature().join("model.toml");
    let mut node = NodeProcess::prepare(name, runs, "backend = \"git\"", mesh, &script);
    node.up().await;
    node
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guide_does_what_it_says() {
    let Some(image) = parts::docker_image("the_guide_does_what_it_says") else { return };
    let _turn = turn().await;
    let runs = Runs::Docker(image);
    let (node, server) = (node("test", &runs).await, node("server", &runs).await);
    let mut count = 0;
    for step in pages().iter().flat_map(|p| steps(p)) {
        let (code, output, fits) = until_it_fits(&node, &server, &step).await;
        println!("{} $ {}\n{output}", step.at, step.command);
        assert!(
            fits,
            "{}: `{}` exited with {code} and printed\n{output}\nthe guide says {} and\n{}",
            step.at,
            step.command,
            step.exit,
            step.output.join("\n")
        );
        count += 1;
    }
    assert!(count >= 15, "the guide has {count} commands only");
}

#[test]
fn the_guides_programs_are_the_examples() {
    let example = guide().join("../../node/ikigai/examples/embed.rs");
    let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let example = squeeze(&std::fs::read_to_string(example).unwrap());
    let mut count = 0;
    for page in pages() {
        for (line, block) in blocks(&std::fs::read_to_string(&page).unwrap(), "rust") {
            let text = squeeze(&block.join("\n"));
            assert!(
                example.contains(&text),
                "{}:{line} is not in examples/embed.rs:\n{text}",
                page.display()
            );
            count += 1;
        }
    }
    assert!(count > 0, "no page shows a program");
}

#[test]
fn output_is_compared_with_gaps() {
    let fit = |pattern: &str, text: &str| {
        let patterns: Vec<_> = pattern.lines().map(str::to_owned).collect();
        fits(&patterns, &text.lines().collect::<Vec<_>>())
    };
    assert!(fit("a … c\n…\nend", "a b c\nx\ny\nend"));
    assert!(fit("…\nend", "end") && fit("…", "") && fit("", ""));
    assert!(!fit("a … c", "a b d") && !fit("a", "a\nb") && !fit("", "a") && !fit("…\nend", "x"));
}
