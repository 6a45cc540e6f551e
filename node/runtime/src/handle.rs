//! The running node as surfaces ask it: one implementation of `NodeHandle`.

mod adopt;
mod streams;

use crate::claims::Claims;
use crate::copies::Copies;
use crate::host::{Host, Stance};
use crate::journal::Journal;
use crate::mesh::Neighbours;
use crate::owner::OwnerHandle;
use crate::reviews::Said;
use crate::submit::problem;
use crate::terminal::Terminals;
use crate::{Options, Parts, view};
use async_trait::async_trait;
use futures::stream::BoxStream;
use ikigai_ports::NodeHandle;
use ikigai_ports::node::Answer;
use ikigai_task::{Input, Owner, Reason, Task, TaskState};
use ikigai_types::{AttemptId, NodeId, TaskId};
use ikigai_wire::api::{
    Code, Command, Event, Filter, LogEntry, NodeCommand, NodeView, OpenView, Problem, Snapshot,
    SubmitRequest, SubmitView, TaskView,
};
use std::sync::Arc;
use std::time::Duration;

/// How long `accept` waits for the merge before it answers with what is so far.
const MERGE_WAIT: Duration = Duration::from_secs(60);

/// A running node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    pub(crate) parts: Parts,
    pub(crate) options: Arc<Options>,
    pub(crate) node: NodeId,
    pub(crate) owner: OwnerHandle,
    pub(crate) host: Host,
    pub(crate) journal: Arc<Journal>,
    pub(crate) neighbours: Arc<Neighbours>,
    pub(crate) copies: Copies,
    pub(crate) terminals: Terminals,
    pub(crate) claims: Claims,
    pub(crate) said: Said,
}

#[async_trait]
impl NodeHandle for Handle {
    async fn snapshot(&self, filter: Filter) -> Answer<Snapshot> {
        let last = *self.journal.last().borrow();
        let tasks = self.views(move |t| matches(t, &filter)).await?;
        let cursor = format!("{}.{last}", self.journal.epoch());
        let projects = self.projects().await?;
        Ok(Snapshot { node: self.node, nodes: vec![self.node_view()], projects, tasks, cursor })
    }

    async fn task(&self, task: &str) -> Answer<TaskView> {
        let id = self.resolve(task).await?;
        let mut found = self.views(move |t| t.spec.id == id).await?;
        found.pop().ok_or_else(|| unknown(task))
    }

    async fn submit(&self, request: SubmitRequest) -> Answer<SubmitView> {
        self.propose(request).await
    }

    async fn command(&self, task: &TaskId, command: Command) -> Answer<TaskView> {
        use ikigai_task::Command as C;
        let waits = matches!(command, Command::Accept { .. });
        let inner = match command {
            Command::Stop => C::Stop,
            Command::Pause => C::Pause,
            Command::Resume => C::Resume,
            Command::Retry => C::Retry,
            Command::Evict { grace } => C::Evict { grace },
            Command::Accept { force } => C::Accept { force },
            Command::Reject { reason, retry } => C::Reject { text: reason, retry, notes: Vec::new() },
            Command::Comment { body } => return self.comment(task, &body).await,
            Command::Adopt { force } => return self.take_over(task, force).await,
        };
        let mut changes = self.journal.last();
        let accepting = self.may_accept(task, &inner).await?;
        self.owner.input(Input::Command(task.clone(), inner)).await.map_err(problem)?;
        drop(accepting);
        if waits {
            self.until_merged(task, &mut changes).await?;
        }
        NodeHandle::task(self, task.as_str()).await
    }

    async fn steer(&self, node: &NodeId, command: NodeCommand) -> Answer<NodeView> {
        if *node != self.node {
            return Err(Problem::new(
                Code::NotFound,
                format!("node {node} is not known"),
                "run: ikigai node ls",
            ));
        }
        let stance = match command {
            NodeCommand::Uncordon => Stance::default(),
            NodeCommand::Cordon => Stance { cordoned: true, drain: None },
            NodeCommand::Drain { grace } => {
                let until = self.parts.clock.now().after(Duration::from_secs(grace));
                Stance { cordoned: true, drain: Some(until) }
            }
        };
        self.host.take(stance).await.map_err(view::problem)?;
        let looked = ikigai_task::Observation::CapacityChanged;
        self.owner.observe(looked).await.map_err(problem)?;
        Ok(self.node_view())
    }

    async fn logs(
        &self,
        attempt: &AttemptId,
        from: u64,
        follow: bool,
    ) -> Answer<BoxStream<'static, Answer<LogEntry>>> {
        streams::logs(self.clone(), attempt.clone(), from, follow).await
    }

    async fn events(&self, cursor: Option<String>) -> Answer<BoxStream<'static, Answer<Event>>> {
        streams::events(self.journal.clone(), cursor.as_deref())
    }

    async fn open(&self, task: &TaskId) -> Answer<OpenView> {
        self.open_view(&NodeHandle::task(self, task.as_str()).await?)
    }

    async fn diff(&self, task: &TaskId) -> Answer<String> {
        let id = task.clone();
        let found = self.owner.look(move |o| {
            let task = o.task(&id)?;
            let change = task.attempts.iter().rev().find_map(|a| a.change.clone())?;
            Some((task.spec.project.clone(), change))
        });
        let Some((project, change)) = found.await.map_err(problem)? else {
            let hint = format!("run: ikigai task why {}", task.short());
            return Err(Problem::new(Code::NotFound, format!("{} has no patch yet", task.short()), hint));
        };
        self.parts.workspaces.diff(&project, &change).await.map_err(view::problem)
    }
}

impl Handle {
    /// A link to the editor of a task's agent on this machine.
    pub(crate) fn open_view(&self, view: &TaskView) -> Answer<OpenView> {
        let agent = view.attempts.last().map(|a| a.agent.clone());
        let label = agent.filter(|a| self.host.fences().iter().any(|f| view::agent_label(f) == *a));
        let Some(agent) = label else {
            let hint = "start it with --linger 1h to keep its agent for the editor";
            let message = format!("no agent of {} is running", view.short);
            return Err(Problem::new(Code::Conflict, message, hint));
        };
        Ok(OpenView { url: self.parts.links.mint(&agent), agent })
    }

    /// The node's id.
    pub const fn id(&self) -> NodeId {
        self.node
    }

    /// Takes up what the store says about new work.
    pub(crate) async fn restore_cordon(&self) -> ikigai_ports::PortResult<()> {
        self.host.restore_stance().await
    }

    async fn views(&self, keep: impl Fn(&Task) -> bool + Send + 'static) -> Answer<Vec<TaskView>> {
        let (now, own, name) = (self.parts.clock.now(), self.node, self.options.name.clone());
        let (neighbours, said) = (self.neighbours.clone(), self.said.clone());
        let looked = self.owner.look(move |owner: &Owner| {
            let other = |n: NodeId| neighbours.name(n).unwrap_or_else(|| n.short());
            let name = |n: NodeId| if n == own { name.clone() } else { other(n) };
            let kept = owner.tasks().values().filter(|t| keep(t));
            kept.map(|t| view::task(owner, t, now, &name)).collect::<Vec<_>>()
        });
        let mut views = looked.await.map_err(problem)?;
        for view in &mut views {
            view.patch.iter_mut().for_each(|p| p.notes = said.of(&view.id));
        }
        Ok(views)
    }

    /// The whole id of `T012`, `001-shop/T012` or itself.
    async fn resolve(&self, text: &str) -> Answer<TaskId> {
        let wanted = text.replace('/', ".");
        let found = self.owner.look(move |o| {
            let suffix = format!(".{wanted}");
            let fits = |id: &&TaskId| id.as_str() == wanted || id.as_str().ends_with(&suffix);
            o.tasks().keys().filter(fits).cloned().collect::<Vec<_>>()
        });
        let mut found = found.await.map_err(problem)?;
        if let Some(i) = found.iter().position(|id| id.as_str() == text) {
            return Ok(found.swap_remove(i));
        }
        match found.len() {
            0 => Err(unknown(text)),
            1 => Ok(found.remove(0)),
            n => {
                let names: Vec<_> = found.iter().take(5).map(TaskId::as_str).collect();
                let message = format!("`{text}` is one of {n} tasks");
                Err(Problem::new(Code::Usage, message, format!("name one of: {}", names.join(", "))))
            }
        }
    }

    fn node_view(&self) -> NodeView {
        let c = self.host.candidate();
        let isolation = self.parts.executor.isolation();
        NodeView {
            id: c.id,
            name: c.name,
            liveness: "alive".to_owned(),
            version: self.options.version.clone(),
            capacity: self.options.capacity,
            allocatable: c.allocatable,
            free: c.free,
            tags: c.tags,
            adapters: c.adapters,
            providers: c.providers,
            executor: isolation.name,
            isolation_missing: isolation.missing,
            cordoned: c.cordoned,
            draining: c.draining,
            taints: c.taints,
            classes: c.classes,
            running: u64::try_from(self.host.fences().len()).unwrap_or(u64::MAX),
            observed_at: self.parts.clock.now(),
        }
    }

    /// Waits until an accepted patch is merged, or is known not to merge.
    async fn until_merged(
        &self,
        task: &TaskId,
        changes: &mut tokio::sync::watch::Receiver<u64>,
    ) -> Answer<()> {
        let settled = async {
            loop {
                let id = task.clone();
                let looked = self.owner.look(move |o| {
                    let Some(t) = o.task(&id) else { return Ok(true) };
                    let last = t.attempts.last();
                    let conflict =
                        last.filter(|a| a.reason == Some(Reason::Conflict)).map(|a| a.detail.clone());
                    match (t.state, conflict) {
                        (_, Some(text)) => Err(text),
                        (TaskState::Accepted, _) => Ok(t.ticked || t.spec.tasks_file.is_none()),
                        (state, _) => Ok(state != TaskState::Review || t.chore_tries > 0),
                    }
                });
                match looked.await.map_err(problem)? {
                    Ok(true) => return Ok(()),
                    Ok(false) => {}
                    Err(text) => {
                        let hint = "a new attempt starts from what was accepted since";
                        return Err(Problem::new(
                            Code::Conflict,
                            format!("the patch does not merge: {text}"),
                            hint,
                        ));
                    }
                }
                if changes.changed().await.is_err() {
                    return Ok(());
                }
            }
        };
        tokio::select! {
            done = settled => done,
            () = self.parts.clock.sleep(MERGE_WAIT) => Ok(()),
        }
    }

    async fn comment(&self, task: &TaskId, body: &str) -> Answer<TaskView> {
        let id = task.clone();
        let found = self.owner.look(move |o| {
            let task = o.task(&id)?;
            Some((task.spec.project.clone(), task.attempts.iter().rev().find_map(|a| a.patch.clone())))
        });
        let Some((project, patch)) = found.await.map_err(problem)? else {
            return Err(unknown(task.as_str()));
        };
        let Some(patch) = patch else {
            let hint = format!("run: ikigai task why {}", task.short());
            return Err(Problem::new(Code::Conflict, format!("{} has no patch yet", task.short()), hint));
        };
        self.parts.forge.comment(&project, &patch, body).await.map_err(view::problem)?;
        NodeHandle::task(self, task.as_str()).await
    }
}

fn matches(task: &Task, filter: &Filter) -> bool {
    let is = |wanted: &Option<String>, have: &str| wanted.as_deref().is_none_or(|w| w == have);
    let state = filter.states.is_empty() || filter.states.iter().any(|s| s == task.state.name());
    state && is(&filter.project, &task.spec.checkout) && is(&filter.feature, &task.spec.feature)
}

fn unknown(task: &str) -> Problem {
    Problem::new(Code::NotFound, format!("task {task} is not known"), "run: ikigai task ls --all")
}
