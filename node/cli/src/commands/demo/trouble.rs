//! What goes wrong in a demo of several nodes: one is killed while it works, another is frozen past its lease.

use super::Progress;
use super::machine::Machine;
use ikigai_types::{Epoch, TaskId};
use ikigai_wire::api::{Event, Problem, TaskView};
use rustix::process::Signal;
use std::collections::BTreeMap;

/// The trouble there is and was.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    killed: Victim,
    frozen: Victim,
    /// How often each task was accepted.
    accepted: BTreeMap<TaskId, u32>,
    /// What was refused because somebody else holds the task by now.
    refused: Vec<String>,
}

/// A node that something happens to.
#[derive(Debug, Default)]
struct Victim {
    machine: Option<Machine>,
    /// What it worked on when it happened.
    held: Option<(TaskId, Epoch)>,
    over: bool,
}

impl Victim {
    fn of(machine: Option<&Machine>) -> Self {
        Self { machine: machine.cloned(), ..Self::default() }
    }

    /// Whether it is to happen now: this node began to work.
    fn begins(&self, event: &Event, task: &TaskView) -> bool {
        let ran_by = task.attempts.iter().find(|a| Some(a.id.number) == event.attempt).map(|a| a.node);
        event.what == "started"
            && self.held.is_none()
            && self.machine.as_ref().is_some_and(|m| Some(m.id) == ran_by)
    }

    /// Whether somebody else was given its work.
    fn is_replaced(&self, event: &Event) -> bool {
        let held = self.held.as_ref().filter(|_| !self.over && event.what == "granted");
        held.is_some_and(|(task, epoch)| event.task == *task && event.epoch.is_some_and(|e| e > *epoch))
    }
}

impl Trouble {
    /// The first of `machines` is to be killed, the second frozen.
    pub(super) fn plan(machines: &[Machine]) -> Self {
        let (killed, frozen) = (Victim::of(machines.first()), Victim::of(machines.get(1)));
        Self { killed, frozen, ..Self::default() }
    }

    /// Whether all that was to happen has happened and is over.
    pub(super) fn is_over(&self) -> bool {
        [&self.killed, &self.frozen].into_iter().all(|v| v.held.is_none() || v.over)
    }

    /// Takes part in what happens.
    pub(super) async fn on(
        &mut self,
        event: &Event,
        tasks: &[TaskView],
        progress: &Progress,
    ) -> Result<(), Problem> {
        match event.what.as_str() {
            "accepted" => *self.accepted.entry(event.task.clone()).or_default() += 1,
            "stale-refused" => self.refused.push(format!("{}: {}", event.task.short(), event.text)),
            _ => {}
        }
        let Some(task) = tasks.iter().find(|t| t.id == event.task) else { return Ok(()) };
        let say = |machine: &Machine, text: &str| {
            progress.line(&format!("----- {}: {text} -----", machine.name));
        };
        let held = event.epoch.map(|epoch| (event.task.clone(), epoch));
        if let Some(machine) = self.killed.machine.clone() {
            if self.killed.begins(event, task) {
                say(&machine, &format!("kill -9, while it works on {}", task.short));
                machine.signal(Signal::KILL).await?;
                self.killed.held = held.clone();
            } else if self.killed.is_replaced(event) {
                say(&machine, &format!("starts again; {} is somebody else's by now", task.short));
                machine.up().await?;
                self.killed.over = true;
            }
        }
        if let Some(machine) = self.frozen.machine.clone() {
            if self.frozen.begins(event, task) {
                say(&machine, &format!("frozen, while it works on {}", task.short));
                machine.signal(Signal::STOP).await?;
                self.frozen.held = held;
            } else if self.frozen.is_replaced(event) {
                say(&machine, &format!("goes on, past its lease; {} is somebody else's by now", task.short));
                machine.signal(Signal::CONT).await?;
                self.frozen.over = true;
            }
        }
        Ok(())
    }

    /// What came of it, for people.
    pub(super) fn told(&self) -> Vec<String> {
        let twice = self.accepted.values().filter(|n| **n > 1).count();
        let mut lines = vec![match twice {
            0 => format!("{} tasks were accepted, each exactly once.", self.accepted.len()),
            n => format!("{n} tasks were accepted more than once: that must not be."),
        }];
        if self.refused.is_empty() {
            lines.push("Nothing came too late.".to_owned());
        } else {
            lines.push("Refused, because it came from an attempt that had lost its lease:".to_owned());
            lines.extend(self.refused.iter().map(|r| format!("  {r}")));
        }
        lines
    }
}
