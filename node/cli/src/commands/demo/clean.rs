//! Removing everything a demo made: node, containers, second Radicle node, folders.

use super::{Place, failed, seed};
use ikigai_ports::NodeHandle as _;
use ikigai_remote::RemoteNode;
use ikigai_wire::api::{Filter, NodeCommand, Problem};
use std::process::Stdio;
use std::time::Duration;

/// Leaves nothing but caches.
pub(super) async fn all(place: &Place) -> Result<(), Problem> {
    if !place.root.exists() {
        return Ok(());
    }
    stop_node(place).await?;
    seed::stop(&place.seed()).await;
    seed::stop(&place.home().join("radicle")).await;
    std::fs::remove_dir_all(&place.root).map_err(|e| failed("remove the demo's folder", e))
}

/// Takes every agent off the node, so that no container is left, then the node itself.
async fn stop_node(place: &Place) -> Result<(), Problem> {
    let handle = RemoteNode::unix(place.home().join("ikigai.sock"));
    let Ok(snapshot) = handle.snapshot(Filter::default()).await else { return Ok(()) };
    handle.steer(&snapshot.node, NodeCommand::Drain { grace: 0 }).await?;
    crate::commands::node::until_empty(&handle, snapshot.node, Duration::ZERO).await?;
    let program = std::env::current_exe().map_err(|e| failed("find this program", e))?;
    let mut down = tokio::process::Command::new(program);
    down.args(["down", "--timeout", "60s"]).env("IKIGAI_HOME", place.home());
    let status = down.stdout(Stdio::null()).stderr(Stdio::null()).status().await;
    match status.map_err(|e| failed("stop the demo's node", e))? {
        status if status.success() => Ok(()),
        status => Err(failed("stop the demo's node", status)),
    }
}
