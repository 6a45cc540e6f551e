//! Looks at the mesh after each event and now and then, and says what of it needs a person.

use futures::StreamExt;
use ikigai_notify::{Input, Item, Need};
use ikigai_ports::{Clock, NodeHandle};
use ikigai_types::clean::clean;
use ikigai_types::title::title;
use ikigai_types::{NodeId, Timestamp};
use ikigai_wire::api::{Filter, NodeView, Snapshot, TaskView};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Sender;

/// What no event tells of, such as a node that went silent, is looked for this often.
const POLL: Duration = Duration::from_secs(20);
/// Events that come within this are looked at together.
const TOGETHER: Duration = Duration::from_secs(1);

/// Looks until nobody listens any more.
pub(super) async fn look(
    handle: Arc<dyn NodeHandle>,
    clock: Arc<dyn Clock>,
    only: Option<NodeId>,
    looked: Sender<Input>,
) {
    loop {
        let Ok(snapshot) = handle.snapshot(Filter::default()).await else {
            clock.sleep(TOGETHER).await;
            continue;
        };
        let events = handle.events(Some(snapshot.cursor.clone())).await;
        if looked.send(needs(&snapshot, only)).await.is_err() {
            return;
        }
        let Ok(mut events) = events else {
            clock.sleep(TOGETHER).await;
            continue;
        };
        tokio::select! {
            event = events.next() => {
                if !matches!(event, Some(Ok(_))) {
                    continue;
                }
                clock.sleep(TOGETHER).await;
            }
            () = clock.sleep(POLL) => {}
        }
    }
}

/// What of a snapshot needs a person.
fn needs(snapshot: &Snapshot, only: Option<NodeId>) -> Input {
    let tasks = snapshot.tasks.iter().filter(|t| only.is_none_or(|own| t.owner == own));
    let tasks: Vec<_> = tasks.collect();
    let all = tasks.iter().map(|t| t.id.to_string()).chain(snapshot.nodes.iter().map(|n| n.id.to_string()));
    let needs = tasks.iter().filter_map(|t| of_task(t)).chain(snapshot.nodes.iter().filter_map(of_node));
    Input::Seen { needs: needs.collect(), all: all.collect() }
}

fn of_task(task: &TaskView) -> Option<Item> {
    let need = Need::of(&task.state, task.reason.as_deref())?;
    // One that was accepted stays in review while it is merged.
    if need == Need::Review && matches!(task.why.cause.as_str(), "merging" | "chore") {
        return None;
    }
    let verdict = task.patch.as_ref().and_then(|p| p.verdict.as_deref());
    let text = match (need, verdict) {
        (Need::Review, Some(verdict)) => format!("{verdict}: {}", task.title),
        (Need::Review, None) => task.title.clone(),
        _ => format!("{}: {}", task.title, task.why.text),
    };
    let turn = task.attempts.last().map_or(0, |a| u64::from(a.id.number));
    Some(item(need, task.id.as_str(), &task.short, &text, turn, task.updated_at))
}

fn of_node(node: &NodeView) -> Option<Item> {
    let is_lost = node.liveness == "dead";
    let text = "the mesh has not heard of it, and what it ran is placed elsewhere when it may be";
    is_lost.then(|| item(Need::NodeLost, &node.id.to_string(), &node.name, text, 0, node.observed_at))
}

/// What others wrote becomes one harmless line.
fn item(need: Need, about: &str, name: &str, text: &str, turn: u64, since: Timestamp) -> Item {
    let line = |text: &str| title(&clean(text).split_whitespace().collect::<Vec<_>>().join(" "));
    Item { need, about: about.to_owned(), name: line(name), text: line(text), turn, since }
}
