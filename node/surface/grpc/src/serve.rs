//! Takes in the streams of every lane that carries calls, until it is told to stop.

use crate::connection::{self, Terms};
use crate::limits::Callers;
use crate::service::Served;
use ikigai_ports::mesh::Lane;
use ikigai_ports::{Mesh, NodeHandle, Peer, PortError};
use ikigai_types::NodeId;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Lanes that carry calls.
const LANES: [Lane; 3] = [Lane::Control, Lane::Logs, Lane::Files];
/// Connections of one peer on one lane. A peer keeps one; one more than this ends the oldest, which is one
/// whose other end is gone.
const CONNECTIONS: usize = 4;
/// What calls get to end by themselves once the server is told to stop.
const GRACE: Duration = Duration::from_secs(2);
/// How long after a failed accept the next is tried.
const PAUSE: Duration = Duration::from_secs(1);

/// Answers what the peers of `mesh` ask `peer` and `node`, until `stop` or until the mesh is closed; returns
/// within two seconds of that, with nothing of it left running.
pub async fn serve(
    mesh: Arc<dyn Mesh>,
    peer: Arc<dyn Peer>,
    node: Arc<dyn NodeHandle>,
    stop: CancellationToken,
) {
    // Ends what is left when this future is dropped, too.
    let ending = CancellationToken::new();
    let _end = ending.clone().drop_guard();
    let (tasks, callers) = (TaskTracker::new(), Callers::default());
    let served = Arc::new(Served { peer, node, stop: stop.child_token(), tasks: tasks.clone(), callers });
    let lanes = LANES.map(|lane| take_in(&*mesh, lane, &served, &ending));
    tokio::select! {
        _ = futures::future::join_all(lanes) => {}
        () = stop.cancelled() => {}
    }
    served.stop.cancel();
    tasks.close();
    if tokio::time::timeout(GRACE, tasks.wait()).await.is_err() {
        ending.cancel();
        tasks.wait().await;
    }
}

/// Serves the streams of one lane.
async fn take_in(mesh: &dyn Mesh, lane: Lane, served: &Arc<Served>, ending: &CancellationToken) {
    let mut open: HashMap<NodeId, VecDeque<CancellationToken>> = HashMap::new();
    loop {
        let (caller, stream) = match mesh.accept(lane).await {
            Ok(accepted) => accepted,
            Err(PortError::Unavailable { .. }) => return,
            Err(error) => {
                tracing::warn!(lane = lane.name(), error = error.chain(), "a stream was not accepted");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        open.retain(|_, connections| {
            connections.retain(|over| !over.is_cancelled());
            !connections.is_empty()
        });
        let over = ending.child_token();
        let connections = open.entry(caller).or_default();
        connections.push_back(over.clone());
        if connections.len() > CONNECTIONS {
            connections.pop_front().inspect(CancellationToken::cancel);
        }
        let terms = Terms { lane, caller: served.callers.account(caller), over };
        served.tasks.spawn(connection::serve(stream, terms, served.clone()));
    }
}
