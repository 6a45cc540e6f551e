//! Git objects from another node: only what is missing here.

use crate::Parts;
use ikigai_ports::PortResult;
use ikigai_types::{Commit, NodeId, ProjectId};

/// Heads that are told to the other node at most.
const TIPS: usize = 64;

/// Makes sure that `want` and all it reaches is here, fetched from `from` if it is not.
///
/// # Errors
/// When `from` is away or does not have it, or what it sends is not whole.
pub(crate) async fn fetch(parts: &Parts, from: NodeId, project: &ProjectId, want: &Commit) -> PortResult<()> {
    if parts.objects.has(project, want).await? {
        return Ok(());
    }
    let me = NodeId::from_bytes(parts.signer.public_key());
    let have = parts.objects.tips(project, TIPS).await?;
    let pack = parts.peer(from)?.pack(me, project.clone(), want.clone(), have).await?;
    parts.objects.unpack(project, want, pack).await
}
