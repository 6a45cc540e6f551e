//! What nodes of one mesh ask of each other: the trait that a node serves and that its peers call.

use crate::objects::Pack;
use crate::{NodeHandle, PortResult};
use async_trait::async_trait;
use ikigai_types::{Commit, Fence, NodeId, ProjectId};
use ikigai_wire::peer::{
    Admission, Check, Checked, Copied, CopyAsk, Lines, Offer, Order, Reply, Report, Roster,
};
use std::fmt;
use std::sync::Arc;

/// One node, as another node of its mesh sees it.
///
/// * `caller` is who asks, proven by the link; a client's own `caller` argument is ignored, the server fills
///   it in. What a caller may ask is decided by the node that is asked: reports count for tasks that it
///   holds, offers for tasks that the caller owns.
/// * Every verb is idempotent, so a broken call is repeated as it was.
#[async_trait]
pub trait Peer: fmt::Debug + Send + Sync + 'static {
    /// Owner to holder: run this under its lease. The holder alone admits; a lease it has is admitted again.
    async fn offer(&self, caller: NodeId, offer: Offer) -> PortResult<Admission>;

    /// Owner to holder: stop, hold, let go on. Not an error when the attempt is not there.
    async fn order(&self, caller: NodeId, fence: Fence, order: Order) -> PortResult<()>;

    /// Holder to owner: what happened to an attempt. Answered when it is durable, or refused as stale.
    async fn report(&self, caller: NodeId, report: Report) -> PortResult<Reply>;

    /// Holder to owner: lines of an attempt; answers the last number that is durable there.
    async fn append(&self, caller: NodeId, lines: Lines) -> PortResult<Appended>;

    /// Owner to any node: run the checks of a result from a clean checkout. Lasts as long as they do.
    async fn check(&self, caller: NodeId, check: Check) -> PortResult<Checked>;

    /// Git objects that `want` reaches and none of `have` does.
    async fn pack(
        &self,
        caller: NodeId,
        project: ProjectId,
        want: Commit,
        have: Vec<Commit>,
    ) -> PortResult<Pack>;

    /// A piece of this owner's log, for a copy of it; waits a few seconds for something new. Tells the owner of
    /// tasks that were moved to the caller while it was gone.
    async fn copy(&self, caller: NodeId, ask: CopyAsk) -> PortResult<Copied>;

    /// Takes in who is enrolled or removed as the caller knows it, and answers what this node knows.
    async fn roster(&self, caller: NodeId, roster: Roster) -> PortResult<Roster>;
}

/// What came of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Appended {
    /// Durable up to this number.
    Upto(u64),
    /// The lease is not good any more; nothing was kept.
    Stale(ikigai_types::Epoch),
}

/// The way to every peer.
pub trait Peers: fmt::Debug + Send + Sync + 'static {
    /// The node called `node`, as a peer; calls fail with [`crate::PortError::Unavailable`] when it is away.
    fn peer(&self, node: NodeId) -> Arc<dyn Peer>;

    /// The node called `node`, as surfaces see it.
    fn handle(&self, node: NodeId) -> Arc<dyn NodeHandle>;
}
