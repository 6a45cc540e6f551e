//! The true cause why a task is where it is.

use crate::attempt::{Attempt, Phase};
use crate::machine::{Blocked, Owner};
use crate::retry::Reason;
use crate::state::{TaskState, WaitReason};
use crate::task::Task;
use ikigai_types::{Filter, NodeId, TaskId, Timestamp};
use std::collections::BTreeSet;

/// A cause for programs, a sentence and advice for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// `dependency`, `claim`, `capacity`, `tag`, `image-missing`, `adapter`, `credential`, `quota`, `back-off`,
    /// `check-failed`, `paused`, `running`, `review`, `chore`, `done`, …
    pub cause: &'static str,
    /// One sentence.
    pub text: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Why {
    fn new(cause: &'static str, text: impl Into<String>) -> Self {
        Self { cause, text: text.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Owner {
    /// Why `id` is where it is at `now`; `name` gives nodes the names people know.
    pub fn why(&self, id: &TaskId, now: Timestamp, name: &dyn Fn(NodeId) -> String) -> Option<Why> {
        let task = self.task(id)?;
        Some(match task.state {
            TaskState::Waiting(WaitReason::Dependency) => self.dependency(task, name),
            TaskState::Queued => queued(task, now),
            _ => alone(task, now, name),
        })
    }

    fn dependency(&self, task: &Task, name: &dyn Fn(NodeId) -> String) -> Why {
        let Some(Blocked { by, path }) = self.blocked(&task.spec) else {
            return Why::new("dependency", "was waiting for a task that is accepted now");
        };
        let short = by.short();
        let Some(other) = self.task(by) else {
            let hint = format!("run: ikigai task new {short}");
            return Why::new("dependency", format!("waits for {short}, which nobody submitted")).hint(hint);
        };
        let on = other.active().map(|a| format!(" on {}, attempt {}", name(a.node), a.fence.attempt.number));
        let cause = if path.is_some() { "claim" } else { "dependency" };
        let both = path.map_or_else(String::new, |path| format!(": both change {path}"));
        let text = format!("waits for {short} ({}{}){both}", other.state, on.unwrap_or_default());
        let why = Why::new(cause, text);
        match other.state {
            TaskState::Review => why.hint(format!("run: ikigai patch accept {short}")),
            TaskState::Failed(_) | TaskState::Lost | TaskState::Rejected | TaskState::Cancelled => {
                why.hint(format!("run: ikigai task why {short}, then ikigai task retry {short}"))
            }
            _ => why,
        }
    }
}

fn queued(task: &Task, now: Timestamp) -> Why {
    let last = task.attempts.last();
    if let Some(silent) = last.filter(|a| a.phase == Phase::Away).and_then(|a| a.silent) {
        let left = silent.until.since(now).as_secs();
        let text =
            format!("its node went silent; another attempt is made, and it may still come back for {left} s");
        return Why::new("disconnected", text);
    }
    let reason = last.and_then(|a| a.reason);
    let (Some(last), Some(reason)) = (last, reason) else { return Why::new("queued", "is next in line") };
    let number = last.fence.attempt.number;
    let left = task.not_before.map_or(0, |t| t.since(now).as_secs().max(u64::from(t > now)));
    let after = format!(
        "attempt {} starts in {left} s: attempt {number} ended, {}{}",
        number + 1,
        ended(reason, &last.detail),
        denied(Some(last))
    );
    let cause = if reason == Reason::CheckFailed { "check-failed" } else { "back-off" };
    Why::new(cause, after).hint(format!("run: ikigai task retry {} to start it now", task.spec.id.short()))
}

fn ended(reason: Reason, detail: &str) -> String {
    if detail.is_empty() { reason.name().to_owned() } else { format!("{}: {detail}", reason.name()) }
}

fn alone(task: &Task, now: Timestamp, name: &dyn Fn(NodeId) -> String) -> Why {
    let short = task.spec.id.short();
    let last = task.attempts.last();
    if let Some((node, silent)) = task.active().and_then(|a| Some((name(a.node), a.silent?))) {
        let left = silent.until.since(now).as_secs();
        return Why::new("disconnected", format!("{node} went silent; it is waited for, {left} s more"));
    }
    if let Some((node, other)) = task.active().and_then(|a| Some((name(a.node), a.room_for.as_ref()?))) {
        let text = format!("is being ended on {node} to make room for {}", other.short());
        return Why::new("preempted", text).hint(format!("run: ikigai task why {}", other.short()));
    }
    let number = last.map_or(0, |a| a.fence.attempt.number);
    let node = last.map_or_else(String::new, |a| name(a.node));
    match task.state {
        TaskState::Waiting(WaitReason::Quota) => {
            let left = task.not_before.map_or(0, |t| t.since(now).as_secs());
            let text =
                format!("the quota of provider {} is used up; goes on in {left} s", task.spec.provider);
            Why::new("quota", text)
        }
        TaskState::Waiting(_) => no_room(task),
        TaskState::Paused => {
            Why::new("paused", "a person paused it").hint(format!("run: ikigai task resume {short}"))
        }
        TaskState::Placing | TaskState::Queued => Why::new("placing", "a node is being chosen"),
        TaskState::Preparing => Why::new("preparing", format!("{node} makes attempt {number} ready")),
        TaskState::Running => {
            Why::new("running", format!("runs on {node}, attempt {number}{}", denied(last)))
                .hint(format!("run: ikigai task logs -f {short}"))
        }
        TaskState::Verifying | TaskState::Accepted if task.chore_tries > 0 => chore(task, now),
        TaskState::Review if task.accepted.is_some() && task.chore_tries > 0 => chore(task, now),
        TaskState::Verifying => {
            Why::new("verifying", format!("the checks of attempt {number} are run again"))
        }
        TaskState::Review if task.accepted.is_some() => Why::new("merging", "is being merged"),
        TaskState::Review if task.notes_held => notes_held(task, number),
        TaskState::Review => Why::new("review", format!("attempt {number} waits for a person"))
            .hint(format!("run: ikigai patch show {short}, then ikigai patch accept {short}")),
        TaskState::Accepted => Why::new("done", "is merged"),
        TaskState::Rejected => {
            let text = format!("was rejected: {}", task.rejected.as_deref().unwrap_or_default());
            Why::new("rejected", text).hint(format!("run: ikigai task retry {short}"))
        }
        TaskState::Failed(reason) => failed(task, reason),
        TaskState::Lost => Why::new("lost", format!("{node} went silent too often"))
            .hint(format!("run: ikigai task retry {short}")),
        TaskState::Cancelled => {
            Why::new("cancelled", "a person stopped it").hint(format!("run: ikigai task retry {short}"))
        }
    }
}

fn notes_held(task: &Task, number: u32) -> Why {
    let (short, turns) = (task.spec.id.short(), task.noted);
    let text = format!(
        "attempt {number} waits for a person: notes on its patch began {turns} turns, and further ones are not told to the agent"
    );
    Why::new("notes", text)
        .hint(format!("run: ikigai patch show {short}, then ikigai patch accept {short} or patch reject {short} --retry --reason …"))
}

fn failed(task: &Task, reason: Reason) -> Why {
    let detail = task.attempts.last().map_or("", |a| a.detail.as_str());
    let count = task.attempts.len();
    let cause = reason.name();
    let last = task.attempts.last();
    let text =
        format!("gave up after {count} attempts; the last ended, {}{}", ended(reason, detail), denied(last));
    Why::new(cause, text)
        .hint(format!("run: ikigai task logs {0}, then ikigai task retry {0}", task.spec.id.short()))
}

/// What the gate of an attempt denied: often the reason of whatever else went wrong.
fn denied(attempt: Option<&Attempt>) -> String {
    let denied = attempt.map(|a| &a.denied).filter(|d| d.times > 0);
    denied.map_or_else(String::new, |d| match d.times {
        1 => format!("; its gate denied {}", d.last),
        n => format!("; its gate denied {n} requests, the last {}", d.last),
    })
}

fn chore(task: &Task, now: Timestamp) -> Why {
    let left = task.not_before.map_or(0, |t| t.since(now).as_secs());
    Why::new("chore", format!("{}; tried again in {left} s", task.wait_text))
}

/// Which filter refused the task: one cause if it is the same everywhere, else room. Where some nodes are full and the
/// others keep a class or a feature apart, it is the others that say more.
fn no_room(task: &Task) -> Why {
    let filters: BTreeSet<_> = task.rows.iter().filter_map(|r| r.refused).collect();
    let filters: Vec<_> = filters.into_iter().collect();
    let filter = match filters[..] {
        [one] | [Filter::Capacity, one @ (Filter::Class | Filter::Spread)] => one,
        _ => Filter::Capacity,
    };
    let gave = task.attempts.last().filter(|a| a.room_for.is_some() && a.reason == Some(Reason::Evicted));
    let text = gave.map_or_else(|| task.wait_text.clone(), |a| format!("{}; {}", a.detail, task.wait_text));
    let why = Why::new(filter.name(), text);
    match filter {
        Filter::ImageMissing => why.hint("run: make image, or ikigai doctor"),
        Filter::Tag => why.hint("give a node the tag in its ikigai.toml: [node] tags"),
        Filter::Class => {
            why.hint("see what each class has: ikigai node show; the node's ikigai.toml: [slots]")
        }
        Filter::Taint => why.hint("let the task tolerate it: ikigai task new --tolerates"),
        Filter::Credential => why.hint("set the provider's key on a node, see ikigai doctor"),
        _ => why.hint("run: ikigai node ls"),
    }
}
