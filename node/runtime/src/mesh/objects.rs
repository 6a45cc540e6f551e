//! Git objects from another node: only what is missing here.

use crate::Parts;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{Commit, NodeId, ProjectId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Heads that are told to the other node at most.
const TIPS: usize = 64;
/// How long a node that makes as many packs as it may is asked again.
const PATIENCE: Duration = Duration::from_secs(300);

/// Whoever fetches a project from a node. One does at a time, so that many attempts that begin at one commit bring
/// it here once.
type Turns = HashMap<(NodeId, ProjectId), Arc<tokio::sync::Mutex<()>>>;

/// The objects that are being brought here.
#[derive(Debug, Default)]
pub(crate) struct Fetches(Mutex<Turns>);

impl Fetches {
    /// Makes sure that `want` and all it reaches is here, fetched from `from` if it is not.
    ///
    /// # Errors
    /// When `from` is away or does not have it, or what it sends is not whole.
    pub(crate) async fn fetch(
        &self,
        parts: &Parts,
        from: NodeId,
        project: &ProjectId,
        want: &Commit,
    ) -> PortResult<()> {
        let turn = self.turn(from, project);
        let _held = turn.lock().await;
        let began = parts.clock.now();
        loop {
            match once(parts, from, project, want).await {
                Err(PortError::Unavailable { retry_after: Some(after), .. })
                    if parts.clock.now().since(began) < PATIENCE =>
                {
                    parts.clock.sleep(after).await;
                }
                done => return done,
            }
        }
    }

    fn turn(&self, from: NodeId, project: &ProjectId) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        turns.entry((from, project.clone())).or_default().clone()
    }
}

async fn once(parts: &Parts, from: NodeId, project: &ProjectId, want: &Commit) -> PortResult<()> {
    if parts.objects.has(project, want).await? {
        return Ok(());
    }
    let me = NodeId::from_bytes(parts.signer.public_key());
    let have = parts.objects.tips(project, TIPS).await?;
    let pack = parts.peer(from)?.pack(me, project.clone(), want.clone(), have).await?;
    parts.objects.unpack(project, want, pack).await
}
