//! The verbs of a handle: read what is asked, ask it, write the answer.

use crate::service::misplaced;
use crate::status::of_problem;
use bytes::Bytes;
use futures::stream::BoxStream;
use ikigai_ports::NodeHandle;
use ikigai_ports::node::Answer;
use ikigai_ports::rpc::Verb;
use ikigai_types::{NodeId, TaskId};
use ikigai_wire::api::{Code, Event, LogEntry, Problem};
use ikigai_wire::rpc::{Cursor, Instruct, LogsFrom, Named, Steer, Submission, Text, decode, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tonic::Status;

/// Answers `verb`, asked by `caller`.
pub(crate) async fn answer(
    node: &dyn NodeHandle,
    caller: NodeId,
    verb: Verb,
    message: &[u8],
) -> Result<Bytes, Status> {
    match verb {
        Verb::Snapshot => written(node.snapshot(read(message)?).await),
        Verb::Task => written(node.task(&read::<Named>(message)?.task).await),
        Verb::Submit => written(node.submit(read::<Submission>(message)?.from_node(caller)).await),
        Verb::Command => {
            let Instruct { task, command } = read(message)?;
            written(node.command(&task, command).await)
        }
        Verb::Steer => {
            let Steer { node: steered, command } = read(message)?;
            written(node.steer(&steered, command).await)
        }
        Verb::Open => written(node.open(&task(message)?).await),
        Verb::Diff => written(node.diff(&task(message)?).await.map(|text| Text { text })),
        _ => Err(misplaced(verb)),
    }
}

/// Answers a call for lines.
pub(crate) async fn logs(
    node: &dyn NodeHandle,
    message: &[u8],
) -> Result<BoxStream<'static, Answer<LogEntry>>, Status> {
    let LogsFrom { attempt, from, follow } = read(message)?;
    node.logs(&attempt, from, follow).await.map_err(of_problem)
}

/// Answers a call for events.
pub(crate) async fn events(
    node: &dyn NodeHandle,
    message: &[u8],
) -> Result<BoxStream<'static, Answer<Event>>, Status> {
    node.events(read::<Cursor>(message)?.cursor).await.map_err(of_problem)
}

fn read<T: DeserializeOwned>(message: &[u8]) -> Result<T, Status> {
    let unreadable = |text| of_problem(Problem::new(Code::Usage, text, "are all nodes of the same version?"));
    decode(message).map_err(|e| unreadable(e.to_string()))
}

/// The one task a call names, by its whole id.
fn task(message: &[u8]) -> Result<TaskId, Status> {
    let named = read::<Named>(message)?.task;
    TaskId::new(named).map_err(|e| of_problem(Problem::plain(Code::Usage, e.to_string())))
}

fn written<T: Serialize>(answer: Answer<T>) -> Result<Bytes, Status> {
    answer.map(|a| encode(&a).into()).map_err(of_problem)
}
