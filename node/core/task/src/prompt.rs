//! What an agent is told: the task, where its specification is, the rules, and why the last try did not do.

use crate::task::Task;
use std::fmt::Write as _;

/// The prompt of the attempt numbered `number`. The lines `Task:` and `Attempt:` are for programs.
pub fn prompt(task: &Task, number: u32) -> String {
    let spec = &task.spec;
    let mut text = format!("Task: {}\nAttempt: {number}\n", spec.id.short());
    if !spec.feature.is_empty() {
        let _ = writeln!(text, "Feature: specs/{}", spec.feature);
    }
    let _ = write!(text, "\n{}\n\n", spec.text.trim());
    text.push_str(
        "You work in a git checkout of the project; it is the current folder. Do this one task and nothing else.\n\
         Commit your work with git when it is done; what is not committed is not taken.\n\
         Never change tasks.md: its boxes are ticked when a person accepts the result.\n",
    );
    if let Some(file) = &spec.tasks_file {
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        let _ = writeln!(text, "The specification is in {folder}: read spec.md and plan.md there first.");
    }
    if !spec.verify.is_empty() {
        text.push_str("Your result is checked from a clean checkout with:\n");
        spec.verify.iter().for_each(|c| {
            let _ = writeln!(text, "    {c}");
        });
    }
    feedback(task, &mut text);
    begins_with(task, number, &mut text);
    text
}

/// What an earlier attempt left, when this one goes on from it.
fn begins_with(task: &Task, number: u32, text: &mut String) {
    let this = task.attempts.iter().find(|a| a.number() == number);
    let Some(from) = this.and_then(|a| a.continues.as_ref()) else { return };
    let _ = if from.reviewed {
        writeln!(
            text,
            "\nYou go on from the result of attempt {}, commit {}: see `git log` and `git show`.\n\
             A reviewer read it. Change what they ask for, and leave the rest of it as it is. If they ask for \
             nothing, end without a commit.",
            from.attempt, from.commit
        )
    } else {
        writeln!(
            text,
            "\nYou go on from what was saved of attempt {} when it was cut short, commit {}: see `git log` and `git show`.\n\
             Files it had not committed are in the last commit. Take over what is good and undo what is not.",
            from.attempt, from.commit
        )
    };
}

/// Why the attempt before this one was not taken.
fn feedback(task: &Task, text: &mut String) {
    if let Some(last) = task.attempts.iter().rev().find(|a| a.reason.is_some()) {
        let reason = last.reason.map_or("", crate::retry::Reason::name);
        let _ = writeln!(
            text,
            "\nAttempt {} was not taken ({reason}): {}",
            last.fence.attempt.number, last.detail
        );
        let failed = last.verified.iter().flat_map(|v| &v.checks).filter(|c| c.code != 0);
        for check in failed {
            let _ = writeln!(text, "`{}` exited with {} and printed:", check.command, check.code);
            check.tail.iter().for_each(|line| {
                let _ = writeln!(text, "    {line}");
            });
        }
    }
    if let Some(rejected) = task.rejected.as_deref().filter(|r| !r.is_empty()) {
        let _ = writeln!(text, "\nThe reviewer said: {rejected}");
    }
}
