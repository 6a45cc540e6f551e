//! What goes wrong in a demo of several nodes: one is killed while it works, another is frozen past its lease.

use super::Progress;
use super::machine::Machine;
use super::node::DemoNode;
use ikigai_types::{Epoch, TaskId};
use ikigai_wire::api::{Event, Problem, TaskView};
use rustix::process::Signal;
use std::collections::BTreeMap;

/// Tasks that are accepted before it begins.
const CALM: usize = 2;

/// The trouble there is and was.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    machines: Vec<Machine>,
    /// Who was struck by what, in this order: killed, frozen.
    victims: Vec<Victim>,
    /// How often each task was accepted.
    accepted: BTreeMap<TaskId, u32>,
    /// What was refused because somebody else holds the task by now.
    refused: Vec<String>,
    /// The first node takes no work, so that the others get it.
    cordoned: bool,
}

/// A node that something happens to.
#[derive(Debug)]
struct Victim {
    machine: Machine,
    /// What it worked on when it happened.
    task: TaskId,
    epoch: Epoch,
    over: bool,
}

impl Victim {
    /// Whether somebody else was given its work.
    fn is_replaced(&self, event: &Event) -> bool {
        !self.over
            && event.what == "granted"
            && event.task == self.task
            && event.epoch.is_some_and(|e| e > self.epoch)
    }
}

impl Victim {
    fn comes_back(&self, n: usize) -> String {
        let what = if n == 0 { "starts again" } else { "kill -CONT: goes on" };
        format!("{}: {what}", self.machine.name)
    }

    async fn back(&self, n: usize) -> Result<(), Problem> {
        match n {
            0 => self.machine.up().await,
            _ => self.machine.signal(Signal::CONT).await,
        }
    }
}

impl Trouble {
    /// Up to two of `machines` get into trouble.
    pub(super) fn plan(machines: &[Machine]) -> Self {
        Self { machines: machines.to_vec(), ..Self::default() }
    }

    /// Whether a mesh is shown, not one node.
    pub(super) fn is_planned(&self) -> bool {
        !self.machines.is_empty()
    }

    /// Whether everybody is back.
    pub(super) fn is_over(&self) -> bool {
        self.victims.iter().all(|v| v.over)
    }

    /// Whether everybody who is to be struck is.
    fn has_begun(&self) -> bool {
        self.victims.len() == self.machines.len().min(2)
    }

    /// Takes part in what happens.
    pub(super) async fn on(
        &mut self,
        event: &Event,
        tasks: &[TaskView],
        (node, progress): (&DemoNode, &Progress),
    ) -> Result<(), Problem> {
        match event.what.as_str() {
            "accepted" => *self.accepted.entry(event.task.clone()).or_default() += 1,
            "stale-refused" => self.refused.push(format!("{}: {}", event.task.short(), event.text)),
            "ticked" if !self.has_begun() && !self.cordoned => self.cordon(node).await?,
            "started" => self.strike(event, tasks, (node, progress)).await?,
            "granted" => self.relieve(event, progress).await?,
            "ended" => self.spare(event, progress).await?,
            _ => {}
        }
        Ok(())
    }

    async fn cordon(&mut self, node: &DemoNode) -> Result<(), Problem> {
        self.cordoned = true;
        node.typed(&["node", "cordon", "demo"]).await
    }

    /// The machine that begins to work is killed, the next one frozen.
    async fn strike(
        &mut self,
        event: &Event,
        tasks: &[TaskView],
        (node, progress): (&DemoNode, &Progress),
    ) -> Result<(), Problem> {
        if self.accepted.len() < CALM || self.has_begun() {
            return Ok(());
        }
        let task = tasks.iter().find(|t| t.id == event.task);
        let attempt = task.and_then(|t| t.attempts.iter().find(|a| Some(a.id.number) == event.attempt));
        let struck = |m: &Machine| self.victims.iter().any(|v| v.machine.id == m.id);
        let machine = self.machines.iter().find(|m| Some(m.id) == attempt.map(|a| a.node) && !struck(m));
        let (Some(machine), Some(epoch)) = (machine.cloned(), event.epoch) else { return Ok(()) };
        let (signal, what) = match self.victims.len() {
            0 => (Signal::KILL, "kill -9"),
            _ => (Signal::STOP, "kill -STOP: frozen"),
        };
        progress.line(&format!("----- {}: {what}, while it works on {}", machine.name, event.task.short()));
        machine.signal(signal).await?;
        self.victims.push(Victim { machine, task: event.task.clone(), epoch, over: false });
        if self.has_begun() {
            node.typed(&["node", "uncordon", "demo"]).await?;
        }
        Ok(())
    }

    /// Whose work somebody else has by now comes back.
    async fn relieve(&mut self, event: &Event, progress: &Progress) -> Result<(), Problem> {
        for (n, victim) in self.victims.iter_mut().enumerate() {
            if !victim.is_replaced(event) {
                continue;
            }
            victim.over = true;
            let short = event.task.short();
            progress.line(&format!("----- {}; {short} is somebody else's by now", victim.comes_back(n)));
            victim.back(n).await?;
        }
        Ok(())
    }

    /// Who had done its work already when it was struck comes back at once; another is struck in its place.
    async fn spare(&mut self, event: &Event, progress: &Progress) -> Result<(), Problem> {
        let done = |v: &Victim| !v.over && event.task == v.task && event.epoch == Some(v.epoch);
        let Some(n) = self.victims.iter().position(|v| done(v) && !event.text.starts_with("lost")) else {
            return Ok(());
        };
        let victim = &mut self.victims[n];
        progress.line(&format!("----- {}; it was done already", victim.comes_back(n)));
        victim.back(n).await?;
        if n + 1 == self.victims.len() {
            self.victims.pop();
        } else {
            self.victims[n].over = true;
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
        if !self.has_begun() {
            lines
                .push("Not every node could be brought into trouble: the work was done too soon.".to_owned());
        }
        if self.refused.is_empty() {
            lines.push("Nothing came too late.".to_owned());
        } else {
            lines.push("Refused, because it came from an attempt that had lost its lease:".to_owned());
            lines.extend(self.refused.iter().map(|r| format!("  {r}")));
        }
        lines
    }
}
