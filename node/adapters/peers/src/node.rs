//! The verbs of a handle.

use crate::peers::Remote;
use crate::stream;
use async_trait::async_trait;
use futures::stream::BoxStream;
use ikigai_ports::NodeHandle;
use ikigai_ports::node::Answer;
use ikigai_ports::rpc::{Verb, command_time};
use ikigai_types::{AttemptId, NodeId, TaskId};
use ikigai_wire::api::{
    Command, Event, Filter, LogEntry, NodeCommand, NodeView, OpenView, Snapshot, SubmitRequest, SubmitView,
    TaskView,
};
use ikigai_wire::rpc::{Cursor, Instruct, LogsFrom, Named, Steer, Submission, Text};

#[async_trait]
impl NodeHandle for Remote {
    async fn snapshot(&self, filter: Filter) -> Answer<Snapshot> {
        Ok(self.ask(Verb::Snapshot, &filter).await?)
    }

    async fn task(&self, task: &str) -> Answer<TaskView> {
        Ok(self.ask(Verb::Task, &Named { task: task.to_owned() }).await?)
    }

    async fn submit(&self, request: SubmitRequest) -> Answer<SubmitView> {
        Ok(self.ask(Verb::Submit, &Submission::of(request)).await?)
    }

    async fn command(&self, task: &TaskId, command: Command) -> Answer<TaskView> {
        let within = command_time(&command);
        Ok(self.ask_for(within, Verb::Command, &Instruct { task: task.clone(), command }).await?)
    }

    async fn steer(&self, node: &NodeId, command: NodeCommand) -> Answer<NodeView> {
        Ok(self.ask(Verb::Steer, &Steer { node: *node, command }).await?)
    }

    async fn logs(
        &self,
        attempt: &AttemptId,
        from: u64,
        follow: bool,
    ) -> Answer<BoxStream<'static, Answer<LogEntry>>> {
        let ask = LogsFrom { attempt: attempt.clone(), from, follow };
        let messages = self.stream(Verb::Logs, &ask).await?;
        Ok(stream::items(self.clone(), Verb::Logs, messages))
    }

    async fn events(&self, cursor: Option<String>) -> Answer<BoxStream<'static, Answer<Event>>> {
        let messages = self.stream(Verb::Events, &Cursor { cursor }).await?;
        Ok(stream::items(self.clone(), Verb::Events, messages))
    }

    async fn open(&self, task: &TaskId) -> Answer<OpenView> {
        Ok(self.ask(Verb::Open, &Named { task: task.to_string() }).await?)
    }

    async fn diff(&self, task: &TaskId) -> Answer<String> {
        let Text { text } = self.ask(Verb::Diff, &Named { task: task.to_string() }).await?;
        Ok(text)
    }
}
