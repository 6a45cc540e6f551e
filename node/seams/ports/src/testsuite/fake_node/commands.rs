//! What the fake does when it is told to.

use super::{State, scene};
use crate::node::Answer;
use ikigai_types::{NodeId, TaskId};
use ikigai_wire::api::{
    Code, Command, NodeCommand, NodeView, OpenView, Problem, SubmitRequest, SubmitSource, SubmitView,
    TaskView,
};

impl State {
    pub(super) fn submit(&mut self, request: SubmitRequest) -> Answer<SubmitView> {
        if let Some(before) = request.idempotency_key.as_ref().and_then(|k| self.submitted.get(k)) {
            return Ok(before.clone());
        }
        let mut plan = self.plan.clone();
        match &request.source {
            SubmitSource::Feature { feature, ids, .. } => {
                if let Some(f) = feature.as_ref().filter(|f| !f.ends_with(&plan.feature)) {
                    let text = format!("there is no feature {f}");
                    return Err(Problem::new(Code::NotFound, text, "run: ls specs"));
                }
                if let Some(id) = ids.iter().find(|id| !plan.tasks.iter().any(|t| t.short == **id)) {
                    let text = format!("{} has no task {id}", plan.feature);
                    return Err(Problem::new(Code::NotFound, text, "run: ikigai spec graph"));
                }
                plan.tasks.retain(|t| ids.is_empty() || ids.contains(&t.short));
            }
            SubmitSource::Text { text, .. } => {
                plan.tasks = vec![scene::planned("T099", text, 1, &[])];
            }
        }
        let fresh: Vec<_> = plan.tasks.iter().filter(|t| t.state == "new").cloned().collect();
        let mut answer = SubmitView { plan, accepted: Vec::new() };
        if request.dry_run {
            return Ok(answer);
        }
        self.asked.push(format!("submit {}", serde_names(&request)));
        for planned in fresh {
            answer.accepted.push(planned.id.clone());
            let (now, short, title) = (self.now, planned.short.clone(), planned.title.clone());
            self.tasks.push(scene::task(&short, &title, "queued", &request.project, now));
            let i = self.tasks.len() - 1;
            self.turn(i, "queued", "submitted", &format!("{short} was submitted"));
            for known in self.plan.tasks.iter_mut().filter(|t| t.short == short) {
                known.state = "queued".into();
            }
        }
        if let Some(key) = request.idempotency_key {
            self.submitted.insert(key, answer.clone());
        }
        Ok(answer)
    }

    pub(super) fn command(&mut self, task: &TaskId, command: &Command) -> Answer<TaskView> {
        let i = self.find(task.as_str())?;
        let short = self.tasks[i].short.clone();
        self.asked.push(format!("{short} {command:?}"));
        let to = self.target(i, command)?;
        if let Command::Comment { .. } = command {
            return Ok(self.tasks[i].clone());
        }
        self.turn(i, to, to, &format!("{short} is {to}"));
        if *command == Command::Pause {
            self.tasks[i].reason = Some("person".into());
        }
        if matches!(command, Command::Adopt { .. }) {
            self.tasks[i].epoch = self.tasks[i].epoch.next();
        }
        Ok(self.tasks[i].clone())
    }

    /// The state a command leads to, or why it may not be done.
    fn target(&self, i: usize, command: &Command) -> Answer<&'static str> {
        let task = &self.tasks[i];
        let (short, state) = (&task.short, task.state.as_str());
        let ended = ["accepted", "rejected", "cancelled", "failed", "lost"].contains(&state);
        let verdict = task.patch.as_ref().and_then(|p| p.verdict.clone());
        let good = match command {
            Command::Stop | Command::Evict { .. } => !ended,
            Command::Pause => state == "running",
            Command::Resume => state == "paused",
            Command::Retry => ["failed", "lost", "rejected", "cancelled"].contains(&state),
            Command::Accept { force: false } if verdict.as_deref().is_some_and(|v| v == "NOT") => {
                let text = format!("the patch of {short} is {}", verdict.unwrap_or_default());
                return Err(Problem::new(
                    Code::Denied,
                    text,
                    "look at it, then: ikigai patch accept --force",
                ));
            }
            Command::Accept { .. } | Command::Reject { .. } => state == "review",
            Command::Comment { .. } => task.patch.is_some(),
            Command::Adopt { force: true } => true,
            Command::Adopt { force: false } => {
                let text = "the owner may come back and find its task taken";
                return Err(Problem::new(Code::Denied, text, "if it is gone for good, say so with --force"));
            }
        };
        if !good {
            let text = format!("{short} is {state}, which does not allow that");
            return Err(Problem::new(Code::Conflict, text, format!("run: ikigai task why {short}")));
        }
        Ok(match command {
            Command::Stop => "cancelled",
            Command::Pause => "paused",
            Command::Resume => "running",
            Command::Retry | Command::Evict { .. } | Command::Reject { retry: true, .. } => "queued",
            Command::Accept { .. } => "accepted",
            Command::Reject { .. } => "rejected",
            Command::Comment { .. } | Command::Adopt { .. } => "review",
        })
    }

    pub(super) fn steer(&mut self, node: &NodeId, command: &NodeCommand) -> Answer<NodeView> {
        let Some(view) = self.nodes.iter_mut().find(|n| n.id == *node) else {
            return Err(Problem::new(Code::NotFound, "there is no such node", "run: ikigai node ls"));
        };
        view.cordoned = *command != NodeCommand::Uncordon;
        view.draining = matches!(command, NodeCommand::Drain { .. });
        self.asked.push(format!("{} {command:?}", view.name));
        Ok(view.clone())
    }

    pub(super) fn open(&self, task: &TaskId) -> Answer<OpenView> {
        let task = &self.tasks[self.find(task.as_str())?];
        let running = task.attempts.iter().rev().find(|a| a.phase != "ended");
        let agent = running.map(|a| a.agent.clone()).ok_or_else(|| {
            let text = format!("no agent of {} runs", task.short);
            Problem::new(Code::Conflict, text, format!("run: ikigai task why {}", task.short))
        })?;
        let url = format!("http://{agent}.localhost:7420/?once=0123456789abcdef");
        Ok(OpenView { agent, url })
    }

    pub(super) fn diff(&self, task: &TaskId) -> Answer<String> {
        let task = &self.tasks[self.find(task.as_str())?];
        if task.patch.is_none() {
            let text = format!("{} has no patch yet", task.short);
            return Err(Problem::new(Code::NotFound, text, format!("run: ikigai task why {}", task.short)));
        }
        Ok("--- a/src/cart.py\n+++ b/src/cart.py\n@@ -0,0 +1 @@\n+def total(items): return sum(items)\n"
            .into())
    }
}

fn serde_names(request: &SubmitRequest) -> String {
    match &request.source {
        SubmitSource::Feature { feature, ids, with_deps } => {
            format!("{} {ids:?} deps={with_deps}", feature.as_deref().unwrap_or("active"))
        }
        SubmitSource::Text { text, .. } => format!("{text:?}"),
    }
}
