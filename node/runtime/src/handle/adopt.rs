//! Moving a task here whose owner is gone, and showing such tasks.

use super::{Handle, matches};
use crate::claims::Accepting;
use crate::submit::problem;
use crate::view;
use ikigai_ports::node::Answer;
use ikigai_task::{Adoption, Input, Owner, Task, TaskState};
use ikigai_types::{Commit, Liveness, NodeId, TaskId};
use ikigai_wire::api::{Code, Filter, Problem, TaskView, WhyView};
use std::path::Path;

impl Handle {
    /// Makes this node the owner of `id`, with what it copied of its owner's log.
    pub(super) async fn take_over(&self, id: &TaskId, force: bool) -> Answer<TaskView> {
        let wanted = id.clone();
        if self.owner.look(move |o| o.task(&wanted).is_some()).await.map_err(problem)? {
            let hint = "nothing has to be adopted";
            return Err(Problem::new(Code::Conflict, format!("{id} is owned by this node"), hint));
        }
        let (owner, task) = self.copy_of(id).ok_or_else(|| no_copy(id))?;
        self.is_gone(owner)?;
        self.has_project(&task).await?;
        let here = self.commits_here(&task).await?;
        self.claims.take(id, (owner, task.epoch.taken_over()), force).await?;
        let records = self.copies.records(&owner, id).await.map_err(view::problem)?;
        let accepted = |o: &Owner| {
            let done = o.tasks().values().filter(|t| t.state == TaskState::Accepted);
            done.map(|t| t.spec.id.clone()).collect()
        };
        let done = self.copies.look(&owner, accepted).unwrap_or_default();
        self.owner.input(Input::Adopt(Adoption { records, here, done })).await.map_err(problem)?;
        self.claims.confirm(id).await;
        ikigai_ports::NodeHandle::task(self, id.as_str()).await
    }

    /// Asks the arbiter, if there is one, before a result is accepted: from its answer on nobody else can have the
    /// task. What is answered here is kept until the owner has written that it accepts.
    pub(super) async fn may_accept(
        &self,
        id: &TaskId,
        command: &ikigai_task::Command,
    ) -> Answer<Option<Accepting<'_>>> {
        let ikigai_task::Command::Accept { force } = *command else { return Ok(None) };
        let wanted = id.clone();
        let ready = move |o: &Owner| o.task(&wanted).is_some_and(|t| t.may_be_accepted(force));
        // What cannot be accepted is refused by the owner, in its own words.
        if !self.owner.look(ready).await.map_err(problem)? {
            return Ok(None);
        }
        self.claims.settle(id).await
    }

    /// Tasks of owners that `is_silent` picks, as they were last heard of.
    pub(crate) fn copied(&self, is_silent: impl Fn(&NodeId) -> bool, filter: &Filter) -> Vec<TaskView> {
        self.heard_of(is_silent, |t| matches(t, filter))
    }

    /// The one task called `text` that another node owned when it was last heard of.
    pub(crate) fn copied_task(&self, text: &str) -> Option<TaskView> {
        let called = |t: &Task| t.spec.id.as_str() == text || t.spec.id.short() == text;
        let mut found = self.heard_of(|_| true, called);
        found.pop().filter(|_| found.is_empty())
    }

    fn heard_of(&self, owners: impl Fn(&NodeId) -> bool, tasks: impl Fn(&Task) -> bool) -> Vec<TaskView> {
        let now = self.parts.clock.now();
        let known = self.neighbours.all();
        let name = |n: NodeId| known.get(&n).map_or_else(|| n.short(), |n| n.ad.name.clone());
        let show = |o: &Owner| {
            let age = known.get(&o.node()).map(|n| now.since(n.heard_at).as_secs());
            let heard = age.map_or("once".to_owned(), |age| format!("{age} s ago"));
            let silent = format!("its owner {} does not answer; {heard}", name(o.node()));
            let found = o.tasks().values().filter(|t| tasks(t));
            found.map(|t| last_heard(view::task(o, t, now, &name), &silent)).collect::<Vec<_>>()
        };
        let owners = self.copies.owners().into_iter().filter(owners);
        owners.filter_map(|owner| self.copies.look(&owner, show)).flatten().collect()
    }

    fn copy_of(&self, id: &TaskId) -> Option<(NodeId, Task)> {
        let found = |o: NodeId| Some((o, self.copies.look(&o, |t| t.task(id).cloned())??));
        self.copies.owners().into_iter().find_map(found)
    }

    fn is_gone(&self, owner: NodeId) -> Answer<()> {
        let known = self.neighbours.all();
        let Some(n) = known.get(&owner).filter(|n| n.liveness != Liveness::Dead) else { return Ok(()) };
        let how = if n.liveness == Liveness::Alive { "is there" } else { "may still be there" };
        let hint = "ask its owner for what you want; one that went silent counts as gone after some seconds";
        Err(Problem::new(Code::Conflict, format!("its owner {} {how}", n.ad.name), hint))
    }

    /// The project is at the same place here, so that it can be merged and its box ticked.
    async fn has_project(&self, task: &Task) -> Answer<()> {
        let spec = &task.spec;
        let hint = format!("clone the project to {} on this node, then adopt again", spec.checkout);
        let absent = |text: String| Problem::new(Code::Conflict, text, &hint);
        let (checkout, id) = (Path::new(&spec.checkout), &spec.project);
        let imported = self.parts.workspaces.import(id, checkout, None).await;
        imported.map_err(|e| absent(format!("the project is not on this node: {}", e.chain())))?;
        if let Some(base) = task.attempts.iter().rev().find_map(|a| a.base.as_ref())
            && !self.parts.objects.has(id, base).await.map_err(view::problem)?
        {
            return Err(absent(format!("{} is not the project, or is older than the task", spec.checkout)));
        }
        self.parts.forge.adopt(id, checkout).await.map_err(view::problem)?;
        Ok(())
    }

    async fn commits_here(&self, task: &Task) -> Answer<Vec<Commit>> {
        let mut here = Vec::new();
        let made = |a: &ikigai_task::Attempt| [a.change.as_ref().map(|c| c.head.clone()), a.saved.clone()];
        for commit in task.attempts.iter().flat_map(made).flatten() {
            if self.parts.objects.has(&task.spec.project, &commit).await.map_err(view::problem)? {
                here.push(commit);
            }
        }
        Ok(here)
    }
}

fn no_copy(id: &TaskId) -> Problem {
    let hint = "a node has a copy of what it heard from the owner while both were there: try another node";
    Problem::new(Code::NotFound, format!("this node has no copy of {id}"), hint)
}

/// What it waited for then is not known to be so now.
fn last_heard(view: TaskView, silent: &str) -> TaskView {
    let why = WhyView {
        cause: "owner-away".to_owned(),
        text: format!("{silent}: {}", view.why.text),
        hint: Some(format!("if it is gone for good: ikigai task adopt {} --force", view.short)),
    };
    TaskView { why, ..view }
}
