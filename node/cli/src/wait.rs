//! Waiting for tasks by their events, not by asking again and again.

use futures::StreamExt;
use ikigai_ports::NodeHandle;
use ikigai_types::TaskId;
use ikigai_wire::api::{Code, Filter, Problem, Snapshot, TaskView};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How long a node that was there may be away, such as for its own restart.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Tasks by id: what waiting looks at, because whether a task goes on depends on those before it.
#[derive(Debug)]
pub(crate) struct Board<'a>(HashMap<&'a TaskId, &'a TaskView>);

impl Board<'_> {
    /// How it stands with a task that goes no further by itself: well, or not. `None` while it may go on.
    ///
    /// A task that waits for tasks that wait for a person waits for that person too.
    pub(crate) fn outcome(&self, task: &TaskView) -> Option<bool> {
        self.look(task, &mut HashMap::new())
    }

    fn look(&self, task: &TaskView, seen: &mut HashMap<TaskId, Option<bool>>) -> Option<bool> {
        if let Some(known) = seen.get(&task.id) {
            return *known;
        }
        seen.insert(task.id.clone(), None);
        let outcome = match (task.state.as_str(), task.reason.as_deref()) {
            ("review" | "accepted", _) => Some(true),
            ("rejected" | "failed" | "lost" | "cancelled", _) | ("waiting", Some("human")) => Some(false),
            ("waiting", Some("dependency")) => self.before(task, seen),
            _ => None,
        };
        seen.insert(task.id.clone(), outcome);
        outcome
    }

    /// The worst of those it waits for, once none of them goes on by itself.
    fn before(&self, task: &TaskView, seen: &mut HashMap<TaskId, Option<bool>>) -> Option<bool> {
        let open = task.depends_on.iter().filter_map(|id| self.0.get(id)).filter(|t| t.state != "accepted");
        let outcomes: Vec<_> = open.map(|t| self.look(t, seen)).collect();
        let all: Option<Vec<bool>> = outcomes.into_iter().collect();
        all.filter(|all| !all.is_empty()).map(|all| all.into_iter().all(|good| good))
    }
}

/// The tasks `ids` once `verdict` is there for each, and whether all are good; [`Code::TimedOut`] after `limit`.
pub(crate) async fn until(
    node: &dyn NodeHandle,
    ids: &[TaskId],
    limit: Option<Duration>,
    verdict: impl Fn(&Board<'_>, &TaskView) -> Option<bool>,
) -> Result<(Vec<TaskView>, bool), Problem> {
    let waiting = watch(node, ids, verdict);
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
    verdict: impl Fn(&Board<'_>, &TaskView) -> Option<bool>,
) -> Result<(Vec<TaskView>, bool), Problem> {
    let mut patience = Duration::ZERO;
    loop {
        let read = patiently(patience, || node.snapshot(Filter::default())).await?;
        patience = PATIENCE;
        let Snapshot { tasks, cursor, .. } = read;
        let board = Board(tasks.iter().map(|t| (&t.id, t)).collect());
        let asked: Vec<_> = tasks.iter().filter(|t| ids.contains(&t.id)).collect();
        let verdicts: Option<Vec<bool>> = asked.iter().map(|t| verdict(&board, t)).collect();
        if let Some(verdicts) = verdicts {
            return Ok((asked.into_iter().cloned().collect(), verdicts.into_iter().all(|good| good)));
        }
        let mut events = patiently(patience, || node.events(Some(cursor.clone()))).await?;
        match events.next().await {
            // Something moved, or events are missing: the snapshot is read again.
            Some(Ok(_)) => {}
            Some(Err(p)) if p.code == Code::Conflict => {}
            Some(Err(p)) => return Err(p),
            None => return Err(Problem::new(Code::Unreachable, "the node stopped", "run: ikigai up")),
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

#[cfg(test)]
mod tests {
    use super::*;
    use ikigai_ports::testsuite::fake_node::FakeNode;
    use ikigai_types::Timestamp;

    #[tokio::test]
    async fn a_task_behind_a_review_waits_for_a_person() {
        let fake = FakeNode::shop(Timestamp(0), "/shop");
        let outcome = async |short: &str| {
            let tasks = fake.snapshot(Filter::default()).await.unwrap().tasks;
            let board = Board(tasks.iter().map(|t| (&t.id, t)).collect());
            board.outcome(tasks.iter().find(|t| t.short == short).unwrap())
        };
        // T004 waits for T003.
        assert_eq!((outcome("T003").await, outcome("T004").await), (None, None));
        for (state, wanted) in [("review", Some(true)), ("failed", Some(false)), ("accepted", None)] {
            fake.turn("T003", state, "turns");
            assert_eq!(outcome("T004").await, wanted, "{state}");
        }
        assert_eq!((outcome("T001").await, outcome("T005").await), (Some(true), None));
    }
}
