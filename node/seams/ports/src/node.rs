//! What a surface may ask a node: the trait that the running node, the remote client and a fake implement.

use async_trait::async_trait;
use futures::stream::BoxStream;
use ikigai_types::{AttemptId, NodeId, TaskId};
use ikigai_wire::api::{
    Command, Event, Filter, LogEntry, NodeCommand, NodeView, OpenView, Problem, Snapshot, SubmitRequest,
    SubmitView, TaskView,
};
use std::fmt;

/// What a handle answers; the error is the documented one, code and hint included.
pub type Answer<T> = Result<T, Problem>;

/// A node, as everything outside it sees it.
///
/// * A command that answered is durable on the task's owner.
/// * `submit` and `command` are idempotent by the key the request carries.
/// * Streams are cancel-safe; dropping one stops nothing.
#[async_trait]
pub trait NodeHandle: fmt::Debug + Send + Sync + 'static {
    /// Nodes and tasks as this node sees them now, each with its age.
    async fn snapshot(&self, filter: Filter) -> Answer<Snapshot>;

    /// One task with its attempts, verdicts, placement explanation and the reason it waits. `task` is a whole
    /// id, or its short form (`T012`) where that is unambiguous.
    async fn task(&self, task: &str) -> Answer<TaskView>;

    /// Accepts tasks, or with `dry_run` answers the plan and changes nothing.
    async fn submit(&self, request: SubmitRequest) -> Answer<SubmitView>;

    /// Does something to one task: stop, pause, resume, retry, accept, reject, comment, evict.
    async fn command(&self, task: &TaskId, command: Command) -> Answer<TaskView>;

    /// Does something to one node: cordon, uncordon, drain. Durable before it answers; idempotent.
    async fn steer(&self, node: &NodeId, command: NodeCommand) -> Answer<NodeView>;

    /// Lines of an attempt from number `from`; with `follow`, goes on until the attempt has ended and its
    /// last line was sent.
    async fn logs(
        &self,
        attempt: &AttemptId,
        from: u64,
        follow: bool,
    ) -> Answer<BoxStream<'static, Answer<LogEntry>>>;

    /// Events after `cursor` (`None`: from the beginning), then new ones. The sequences of one log epoch have
    /// no holes; a cursor of another epoch, or from before what is kept, answers [`Code::Conflict`].
    ///
    /// [`Code::Conflict`]: ikigai_wire::api::Code::Conflict
    async fn events(&self, cursor: Option<String>) -> Answer<BoxStream<'static, Answer<Event>>>;

    /// A one-time link to the editor of the task's running agent.
    async fn open(&self, task: &TaskId) -> Answer<OpenView>;

    /// The newest patch of a task as a unified diff.
    async fn diff(&self, task: &TaskId) -> Answer<String>;
}
