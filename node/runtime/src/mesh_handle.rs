//! The whole mesh as one node shows it: what is its own it answers itself, the rest its owner is asked for.

mod feed;

use crate::Reach;
use crate::handle::Handle;
use crate::mesh::{Neighbour, Routes};
use async_trait::async_trait;
use feed::Feed;
use futures::future::join_all;
use futures::stream::BoxStream;
use ikigai_ports::NodeHandle;
use ikigai_ports::node::Answer;
use ikigai_types::{AttemptId, Liveness, NodeId, TaskId};
use ikigai_wire::api::{
    AttemptView, Code, Command, Event, Filter, LogEntry, NodeCommand, NodeView, OpenView, Problem, Snapshot,
    SubmitRequest, SubmitView, TaskView,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How long another node has to say what it knows.
const PATIENCE: Duration = Duration::from_secs(3);
/// The same for one whose log is copied: its tasks are shown as they were last heard of.
const HASTE: Duration = Duration::from_millis(400);

/// A node that speaks for its mesh. Cheap to clone.
#[derive(Debug, Clone)]
pub struct MeshHandle {
    own: Handle,
    reach: Reach,
    routes: Arc<Routes>,
    feed: Feed,
}

/// Who answers for a task.
enum Owner {
    Own,
    Other(Arc<dyn NodeHandle>),
}

impl MeshHandle {
    pub(crate) fn new(own: Handle, reach: Reach, routes: Arc<Routes>) -> Self {
        let feed = Feed::new(own.clone(), reach.clone());
        Self { own, reach, routes, feed }
    }

    /// The node itself.
    pub(crate) const fn own(&self) -> &Handle {
        &self.own
    }

    /// The way to other nodes.
    pub(crate) fn mesh(&self) -> &dyn ikigai_ports::Mesh {
        &*self.reach.mesh
    }

    /// Gathers the events of all nodes; runs until the node stops.
    pub(crate) fn gather(&self) -> impl Future<Output = ()> + Send + 'static {
        self.feed.clone().run()
    }

    /// What every living neighbour answers, each within its time.
    async fn ask_all<T, F>(&self, ask: impl Fn(Arc<dyn NodeHandle>) -> F) -> Vec<(NodeId, Answer<T>)>
    where
        F: Future<Output = Answer<T>>,
    {
        let clock = &self.own.parts.clock;
        let asked = self.own.neighbours.alive().into_iter().map(|node| {
            let answer = ask(self.reach.peers.handle(node));
            let patience = if self.own.copies.knows(&node) { HASTE } else { PATIENCE };
            async move {
                tokio::select! {
                    answer = answer => (node, answer),
                    () = clock.sleep(patience) => (node, Err(unreachable(node))),
                }
            }
        });
        join_all(asked).await
    }

    /// The task called `text`, here or on any living node, and who owns it.
    async fn find(&self, text: &str) -> Answer<(Owner, TaskView)> {
        let own = match self.own.task(text).await {
            Err(problem) if problem.code == Code::NotFound => problem,
            answer => return Ok((Owner::Own, answer?)),
        };
        let found = self.ask_all(|node| async move { node.task(text).await }).await;
        let mut silent = None;
        let mut known = Vec::new();
        for (node, answer) in found {
            match answer {
                Ok(task) => known.push((node, task)),
                Err(problem) if problem.code == Code::NotFound => {}
                Err(problem) if problem.code == Code::Unreachable => silent = Some(problem),
                Err(problem) => return Err(problem),
            }
        }
        match (known.len(), known.pop()) {
            (0 | 1, Some((node, task))) => Ok((Owner::Other(self.reach.peers.handle(node)), task)),
            (0, None) => match self.own.copied_task(text) {
                Some(task) => Ok((Owner::Other(self.reach.peers.handle(task.owner)), task)),
                None => Err(silent.unwrap_or(own)),
            },
            _ => {
                let message = format!("`{text}` is a task of more than one node");
                Err(Problem::new(Code::Usage, message, "name it by its whole id: ikigai task ls -o name"))
            }
        }
    }

    fn handle_of(&self, owner: &Owner) -> Arc<dyn NodeHandle> {
        match owner {
            Owner::Own => Arc::new(self.own.clone()),
            Owner::Other(handle) => handle.clone(),
        }
    }
}

#[async_trait]
impl NodeHandle for MeshHandle {
    async fn snapshot(&self, filter: Filter) -> Answer<Snapshot> {
        // Read first: an event that comes meanwhile is told again, none is missed.
        let cursor = self.feed.cursor();
        let mut all = self.own.snapshot(filter.clone()).await?;
        let filter = &filter;
        let others = self.ask_all(|node| async move { node.snapshot(filter.clone()).await }).await;
        let mut projects: BTreeSet<_> = all.projects.iter().map(|p| p.id.clone()).collect();
        let mut answered = BTreeSet::new();
        for (node, other) in others {
            let Ok(other) = other else { continue };
            answered.insert(node);
            all.tasks.extend(other.tasks);
            all.projects.extend(other.projects.into_iter().filter(|p| projects.insert(p.id.clone())));
        }
        // What was moved meanwhile is shown by its new owner alone.
        let mut seen: BTreeSet<_> = all.tasks.iter().map(|t| t.id.clone()).collect();
        let copied = self.own.copied(|owner| !answered.contains(owner), filter);
        all.tasks.extend(copied.into_iter().filter(|t| seen.insert(t.id.clone())));
        all.tasks.sort_by(|a, b| a.id.cmp(&b.id));
        all.nodes.extend(self.own.neighbours.all().iter().map(|(id, n)| node_view(*id, n)));
        Ok(Snapshot { cursor, ..all })
    }

    async fn task(&self, task: &str) -> Answer<TaskView> {
        Ok(self.find(task).await?.1)
    }

    async fn submit(&self, request: SubmitRequest) -> Answer<SubmitView> {
        self.own.submit(request).await
    }

    async fn command(&self, task: &TaskId, command: Command) -> Answer<TaskView> {
        if matches!(command, Command::Adopt { .. }) {
            return self.own.command(task, command).await;
        }
        let (owner, view) = self.find(task.as_str()).await?;
        self.handle_of(&owner).command(&view.id, command).await
    }

    async fn steer(&self, node: &NodeId, command: NodeCommand) -> Answer<NodeView> {
        if *node == self.own.node || !self.own.neighbours.all().contains_key(node) {
            return self.own.steer(node, command).await;
        }
        self.reach.peers.handle(*node).steer(node, command).await
    }

    async fn logs(
        &self,
        attempt: &AttemptId,
        from: u64,
        follow: bool,
    ) -> Answer<BoxStream<'static, Answer<LogEntry>>> {
        let (owner, _) = self.find(attempt.task.as_str()).await?;
        self.handle_of(&owner).logs(attempt, from, follow).await
    }

    async fn events(&self, cursor: Option<String>) -> Answer<BoxStream<'static, Answer<Event>>> {
        self.feed.events(cursor.as_deref()).await
    }

    async fn open(&self, task: &TaskId) -> Answer<OpenView> {
        let (_, view) = self.find(task.as_str()).await?;
        match view.attempts.last() {
            Some(AttemptView { node, agent, .. }) if *node != self.own.node => {
                // Whether it is still there shows when the editor is dialled.
                self.routes.learn(agent, *node);
                Ok(OpenView { url: self.own.parts.links.mint(agent), agent: agent.clone() })
            }
            _ => self.own.open_view(&view),
        }
    }

    async fn diff(&self, task: &TaskId) -> Answer<String> {
        let (owner, view) = self.find(task.as_str()).await?;
        self.handle_of(&owner).diff(&view.id).await
    }
}

fn unreachable(node: NodeId) -> Problem {
    let message = format!("node {} does not answer", node.short());
    Problem::new(Code::Unreachable, message, "run: ikigai node ls")
}

/// Another node as it last described itself.
fn node_view(id: NodeId, n: &Neighbour) -> NodeView {
    let ad = n.ad.clone();
    let liveness = match n.liveness {
        Liveness::Alive => "alive",
        Liveness::Suspect => "suspect",
        Liveness::Dead => "dead",
    };
    NodeView {
        id,
        name: ad.name,
        liveness: liveness.to_owned(),
        version: ad.version,
        capacity: ad.capacity,
        allocatable: ad.allocatable,
        free: ad.free,
        tags: ad.tags,
        adapters: ad.adapters,
        providers: ad.providers,
        executor: ad.executor,
        isolation_missing: ad.isolation_missing,
        cordoned: ad.cordoned,
        draining: ad.draining,
        taints: ad.taints,
        classes: ad.classes,
        running: ad.running,
        observed_at: n.heard_at,
    }
}

/// The problem of an event stream whose cursor is of another life of this node.
fn other_life() -> Problem {
    let message = "the cursor is of another life of this node's event stream";
    Problem::new(Code::Conflict, message, "read the snapshot again and go on after its cursor")
}
