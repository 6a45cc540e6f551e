//! The verbs of a peer. `caller` is not sent: the other end knows who asks.

use crate::peers::Remote;
use crate::stream;
use async_trait::async_trait;
use ikigai_ports::objects::Pack;
use ikigai_ports::peer::Appended;
use ikigai_ports::rpc::{OF_LINES, Verb, check_time, report_time};
use ikigai_ports::{Peer, PortResult};
use ikigai_types::{Commit, Fence, NodeId, ProjectId};
use ikigai_wire::peer::{
    Admission, Check, Checked, Copied, CopyAsk, Lines, Offer, Order, Reply, Report, Roster,
};
use ikigai_wire::rpc::{Direct, Nothing, PackOf};

#[async_trait]
impl Peer for Remote {
    async fn offer(&self, _: NodeId, offer: Offer) -> PortResult<Admission> {
        Ok(self.ask(Verb::Offer, &offer).await?)
    }

    async fn order(&self, _: NodeId, fence: Fence, order: Order) -> PortResult<()> {
        let Nothing {} = self.ask(Verb::Order, &Direct { fence, order }).await?;
        Ok(())
    }

    async fn report(&self, _: NodeId, report: Report) -> PortResult<Reply> {
        Ok(self.ask_for(report_time(&report), Verb::Report, &report).await?)
    }

    async fn append(&self, _: NodeId, lines: Lines) -> PortResult<Appended> {
        Ok(self.ask_for(OF_LINES, Verb::Append, &lines).await?)
    }

    async fn check(&self, _: NodeId, check: Check) -> PortResult<Checked> {
        Ok(self.ask_for(check_time(&check), Verb::Check, &check).await?)
    }

    async fn pack(&self, _: NodeId, project: ProjectId, want: Commit, have: Vec<Commit>) -> PortResult<Pack> {
        let pieces = self.stream(Verb::Pack, &PackOf { project, want, have }).await?;
        Ok(stream::pack(self.clone(), pieces))
    }

    async fn copy(&self, _: NodeId, ask: CopyAsk) -> PortResult<Copied> {
        Ok(self.ask(Verb::Copy, &ask).await?)
    }

    async fn roster(&self, _: NodeId, roster: Roster) -> PortResult<Roster> {
        Ok(self.ask(Verb::Roster, &roster).await?)
    }
}
