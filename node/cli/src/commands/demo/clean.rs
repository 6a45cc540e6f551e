//! Removing everything a demo made: node, containers, second Radicle node, folders.

use super::{Place, failed, lab, machine, seed};
use ikigai_ports::NodeHandle as _;
use ikigai_wire::api::{Filter, NodeCommand, Problem};
use rustix::process::Signal;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// Leaves nothing but caches.
pub(super) async fn all(place: &Place) -> Result<(), Problem> {
    if !place.root.exists() {
        return Ok(());
    }
    for (number, home) in machine::homes(place) {
        // One that is frozen or gone still has containers: only it knows them.
        if machine::signal_to(&home, Signal::CONT).await.is_err()
            && let Err(problem) = machine::again(number, &home).await
        {
            eprintln!("  node {number} does not start again: {problem}");
            eprintln!("  containers it may have left are removed by: make clean-machine");
            continue;
        }
        stop_node(&home).await?;
    }
    lab::remove().await;
    seed::stop(&place.seed()).await;
    seed::stop(&place.home().join("radicle")).await;
    std::fs::remove_dir_all(&place.root).map_err(|e| failed("remove the demo's folder", e))
}

/// Takes every agent off the node, so that no container is left, then the node itself.
async fn stop_node(home: &Path) -> Result<(), Problem> {
    let handle = machine::handle(home);
    let Ok(snapshot) = handle.snapshot(Filter::default()).await else { return Ok(()) };
    handle.steer(&snapshot.node, NodeCommand::Drain { grace: 0 }).await?;
    crate::commands::node::until_empty(&handle, snapshot.node, Duration::ZERO).await?;
    let program = std::env::current_exe().map_err(|e| failed("find this program", e))?;
    let mut down = tokio::process::Command::new(program);
    down.args(["down", "--timeout", "60s"]).env("IKIGAI_HOME", home);
    let status = down.stdout(Stdio::null()).stderr(Stdio::null()).status().await;
    match status.map_err(|e| failed("stop the demo's node", e))? {
        status if status.success() => Ok(()),
        status => Err(failed("stop the demo's node", status)),
    }
}
