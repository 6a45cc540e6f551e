//! Waiting for tasks by their events, not by asking again and again.

use futures::StreamExt;
use ikigai_ports::NodeHandle;
use ikigai_types::TaskId;
use ikigai_wire::api::{Code, Filter, Problem, Snapshot, TaskView};
use std::time::{Duration, Instant};

/// How long a node that was there may be away, such as for its own restart.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Whether a task goes no further by itself.
pub(crate) fn is_settled(task: &TaskView) -> bool {
    let waits_for_people = task.state == "waiting" && task.reason.as_deref() == Some("human");
    waits_for_people
        || ["review", "accepted", "rejected", "failed", "lost", "cancelled"].contains(&task.state.as_str())
}

/// Whether a task came to a good end, or to the point where a person decides.
pub(crate) fn is_good(task: &TaskView) -> bool {
    ["review", "accepted"].contains(&task.state.as_str())
}

/// The tasks `ids` once `done` is true of each, or [`Code::TimedOut`] after `limit`.
pub(crate) async fn until(
    node: &dyn NodeHandle,
    ids: &[TaskId],
    limit: Option<Duration>,
    done: impl Fn(&TaskView) -> bool,
) -> Result<Vec<TaskView>, Problem> {
    let waiting = watch(node, ids, done);
    let Some(limit) = limit else { return waiting.await };
    let late = |_| {
        let text = format!("not done within {}", crate::human::span(limit));
        Problem::new(Code::TimedOut, text, "the tasks go on; run: ikigai task ls")
    };
    tokio::time::timeout(limit, waiting).await.map_err(late)?
}

async fn watch(
    node: &dyn NodeHandle,
    ids: &[TaskId],
    done: impl Fn(&TaskView) -> bool,
) -> Result<Vec<TaskView>, Problem> {
    let mut patience = Duration::ZERO;
    loop {
        let read = patiently(patience, || node.snapshot(Filter::default())).await?;
        patience = PATIENCE;
        let Snapshot { tasks, cursor, .. } = read;
        let tasks: Vec<_> = tasks.into_iter().filter(|t| ids.contains(&t.id)).collect();
        if tasks.iter().all(&done) {
            return Ok(tasks);
        }
        let mut events = patiently(patience, || node.events(Some(cursor.clone()))).await?;
        loop {
            match events.next().await {
                Some(Ok(event)) if ids.contains(&event.task) => break,
                Some(Ok(_)) => {}
                // Missing events or a new log: the snapshot is read again.
                Some(Err(p)) if p.code == Code::Conflict => break,
                Some(Err(p)) => return Err(p),
                None => return Err(Problem::new(Code::Unreachable, "the node stopped", "run: ikigai up")),
            }
        }
    }
}

/// Asks again while the node cannot be reached, up to `patience`.
pub(crate) async fn patiently<T, F>(patience: Duration, ask: impl Fn() -> F) -> Result<T, Problem>
where
    F: Future<Output = Result<T, Problem>>,
{
    let since = Instant::now();
    let mut pause = Duration::from_millis(50);
    loop {
        match ask().await {
            Err(p) if p.code == Code::Unreachable && since.elapsed() < patience => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(2));
            }
            answer => return answer,
        }
    }
}
