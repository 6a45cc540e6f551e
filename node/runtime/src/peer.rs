//! This node as its peers ask it: every call is checked against what the caller has to do with it.

use crate::checker::Checker;
use crate::desk::Desk;
use crate::host::Host;
use crate::mesh::Enrolment;
use crate::{Options, Parts};
use async_trait::async_trait;
use ikigai_ports::objects::Pack;
use ikigai_ports::peer::{Appended, Peer};
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{Commit, Fence, NodeId, ProjectId};
use ikigai_wire::peer::{
    Admission, Check, Checked, Copied, CopyAsk, Lines, Offer, Order, Reply, Report, Roster, Workload,
};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

/// Name of the envelope an offer carries.
pub(crate) const WORKLOAD: &str = "workload";
/// The one network profile there is: model calls and what the task lists, through the gate, and nothing else.
pub(crate) const NETWORK: &str = "gateway";
/// Readers of projects that are remembered.
const READERS: usize = 4096;

/// What peers call. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LocalPeer {
    pub(crate) parts: Parts,
    pub(crate) options: Arc<Options>,
    pub(crate) node: NodeId,
    pub(crate) host: Host,
    pub(crate) desk: Desk,
    pub(crate) checker: Checker,
    /// Who is in the mesh, on a node that is in one.
    pub(crate) enrolment: Option<Enrolment>,
    /// Nodes that were asked to do something with a project: they may read its objects.
    pub(crate) readers: Arc<Mutex<HashSet<(NodeId, ProjectId)>>>,
}

#[async_trait]
impl Peer for LocalPeer {
    async fn offer(&self, caller: NodeId, offer: Offer) -> PortResult<Admission> {
        let admitted = self.admit(caller, offer);
        Ok(match admitted {
            Ok(()) => Admission::Accepted,
            Err(text) => {
                let advertisement = Box::new(self.host.advertisement());
                Admission::Refused { text, advertisement }
            }
        })
    }

    async fn order(&self, caller: NodeId, fence: Fence, order: Order) -> PortResult<()> {
        match self.host.owner_of(&fence) {
            Some(owner) if owner != caller => {
                Err(PortError::Refused(format!("{fence} is not of node {}", caller.short())))
            }
            _ => {
                self.host.order(&fence, order);
                Ok(())
            }
        }
    }

    async fn report(&self, caller: NodeId, report: Report) -> PortResult<Reply> {
        self.desk.report(caller, report).await
    }

    async fn append(&self, caller: NodeId, lines: Lines) -> PortResult<Appended> {
        self.desk.append(caller, lines).await
    }

    async fn check(&self, caller: NodeId, check: Check) -> PortResult<Checked> {
        if caller != self.node {
            self.desk.fetch(caller, &check.project, &check.head).await?;
        }
        Ok(Checked { checks: self.checker.run(&check).await? })
    }

    async fn pack(
        &self,
        caller: NodeId,
        project: ProjectId,
        want: Commit,
        have: Vec<Commit>,
    ) -> PortResult<Pack> {
        let works = self.host.works_on(caller, &project)
            || self.reads(caller, &project)
            || self.desk.works_on(caller, &project).await;
        if !works {
            let text = format!("node {} has nothing to do with project {project} here", caller.short());
            return Err(PortError::Refused(text));
        }
        self.parts.objects.pack(&project, &want, &have).await
    }

    async fn copy(&self, caller: NodeId, ask: CopyAsk) -> PortResult<Copied> {
        self.desk.copy(caller, ask).await
    }

    async fn roster(&self, caller: NodeId, roster: Roster) -> PortResult<Roster> {
        match &self.enrolment {
            Some(enrolment) => enrolment.compare(caller, roster).await,
            None => Err(PortError::Unsupported("a node that is in no mesh compares nothing")),
        }
    }
}

impl LocalPeer {
    /// Lets `node` read the objects of `project`, since it was asked to do something with it.
    pub(crate) fn lend(&self, node: NodeId, project: &ProjectId) {
        let mut readers = self.readers.lock().expect("invariant: no panic while it is held");
        if readers.len() >= READERS {
            readers.clear();
        }
        readers.insert((node, project.clone()));
    }

    fn reads(&self, node: NodeId, project: &ProjectId) -> bool {
        let readers = self.readers.lock().expect("invariant: no panic while it is held");
        readers.contains(&(node, project.clone()))
    }

    /// Starts what is offered, if it is signed by who offers it and allowed here; says why not otherwise.
    fn admit(&self, caller: NodeId, offer: Offer) -> Result<(), String> {
        let Offer { lease, lease_ms, workload } = offer;
        if workload.signer != caller {
            return Err(format!("the workload is not signed by node {}", caller.short()));
        }
        let workload: Workload = workload.open(WORKLOAD, verify).map_err(|e| e.to_string())?;
        self.is_for_us(caller, &lease, &workload)?;
        self.is_allowed(&workload)?;
        self.host.offer(lease, lease_ms, workload)
    }

    fn is_for_us(&self, caller: NodeId, lease: &ikigai_types::Lease, w: &Workload) -> Result<(), String> {
        let same = w.fence == lease.fence && w.fence.attempt.task == w.spec.id;
        if !same || w.node != self.node || lease.node != self.node {
            return Err("the workload is signed for another lease".to_owned());
        }
        if w.spec.owner != caller {
            return Err(format!("the task is not owned by node {}", caller.short()));
        }
        Ok(())
    }

    fn is_allowed(&self, w: &Workload) -> Result<(), String> {
        if w.network != NETWORK {
            return Err(format!("the network profile `{}` is not known here", clip(&w.network)));
        }
        if self.options.needs_image && w.image != self.options.image {
            return Err(match &w.image {
                None => "the workload names no image by digest".to_owned(),
                Some(image) => format!("image {} is not here", clip(image)),
            });
        }
        if !self.options.adapters.contains_key(&w.spec.adapter) {
            return Err(format!("no adapter {}", clip(&w.spec.adapter)));
        }
        if let Some(endpoint) = self.options.egress.lacks(&w.spec.egress) {
            return Err(format!("{} is not under [egress] here", clip(&endpoint.to_string())));
        }
        let all = self.options.allocatable;
        if w.spec.limits.memory_bytes > all.memory_bytes {
            return Err(format!(
                "the memory limit of {} bytes is above this node's {}",
                w.spec.limits.memory_bytes, all.memory_bytes
            ));
        }
        Ok(())
    }
}

/// Whether `signature` is `key`'s over `bytes`.
pub(crate) fn verify(key: &[u8; 32], bytes: &[u8], signature: &[u8; 64]) -> bool {
    ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key).verify(bytes, signature).is_ok()
}

fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
