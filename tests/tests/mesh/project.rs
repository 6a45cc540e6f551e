//! The project the nodes work on: a feature with as many tasks as wanted, each of which adds one file.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// Folder of the feature below a checkout.
const FEATURE: &str = "specs/001-files";

/// Does what a task says: talks for a while, then adds the file of its name.
const AGENT: &str = r#"#!/bin/sh
set -eu
task=$(sed -n 's/^Task: //p' | head -n 1)
echo "begins $task"
n=0
while [ "$n" -lt TENTHS ]; do
  sleep 0.1
  n=$((n + 1))
  echo "$task still works: $n"
done
mkdir -p out
echo "$task" > "out/$task"
git add out
git commit -qm "adds $task"
echo "ends $task"
"#;

/// Name of task `n`, from 1.
pub fn task(n: usize) -> String {
    format!("T{n:03}")
}

/// Makes a checkout with `count` open tasks, each of which takes so many tenths of a second.
pub fn make(path: &Path, count: usize, tenths: u32) {
    let folder = path.join(FEATURE);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::create_dir_all(path.join(".ikigai")).unwrap();
    std::fs::create_dir_all(path.join(".specify")).unwrap();
    std::fs::write(folder.join("spec.md"), "# Feature Specification: Files\n\nEach task adds one file.\n")
        .unwrap();
    std::fs::write(
        folder.join("plan.md"),
        "# Implementation Plan: Files\n\n`out/` holds one file per task.\n",
    )
    .unwrap();
    std::fs::write(folder.join("tasks.md"), tasks(count)).unwrap();
    let active = format!("{{\"feature_directory\":\"{FEATURE}\"}}");
    std::fs::write(path.join(".specify/feature.json"), active).unwrap();
    let agent = path.join(".ikigai/agent");
    std::fs::write(&agent, AGENT.replace("TENTHS", &tenths.to_string())).unwrap();
    std::fs::set_permissions(&agent, std::fs::Permissions::from_mode(0o755)).unwrap();
    for args in [
        &["init", "-qb", "main"][..],
        &["config", "user.name", "Test"],
        &["config", "user.email", "test@ikigai.invalid"],
        &["add", "-A"],
        &["commit", "-qm", "spec"],
    ] {
        git(path, args);
    }
}

fn tasks(count: usize) -> String {
    let mut text = "# Tasks: Files\n\n## Phase 1: Setup\n\n".to_owned();
    for task in (1..=count).map(task) {
        text.push_str(&format!(
            "- [ ] {task} [P] Add the file out/{task}\n  - verify: `grep -qx {task} out/{task}`\n"
        ));
    }
    text
}

/// How many boxes are still open.
pub fn open_boxes(path: &Path) -> usize {
    let text = std::fs::read_to_string(path.join(FEATURE).join("tasks.md")).unwrap();
    text.lines().filter(|l| l.starts_with("- [ ]")).count()
}

/// Each of `count` tasks was merged once, is ticked once, and its file is there.
pub fn check(path: &Path, count: usize) {
    let text = std::fs::read_to_string(path.join(FEATURE).join("tasks.md")).unwrap();
    assert_eq!(text, tasks(count).replace("- [ ]", "- [X]"), "more than boxes changed");
    let merges = git(path, &["log", "--merges", "--format=%s", "main"]);
    let files = git(path, &["ls-tree", "-r", "--name-only", "main", "out/"]);
    for task in (1..=count).map(task) {
        let start = format!("{task}: ");
        assert_eq!(merges.lines().filter(|l| l.starts_with(&start)).count(), 1, "{task}\n{merges}");
        assert!(files.lines().any(|f| f == format!("out/{task}")), "the file of {task} is not there");
    }
    git(path, &["fsck", "--strict", "--no-dangling"]);
}

/// Runs git there and answers what it printed.
fn git(path: &Path, args: &[&str]) -> String {
    let output = Command::new("git").args(args).current_dir(path).output().unwrap();
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
