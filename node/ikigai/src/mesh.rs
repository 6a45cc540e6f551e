//! The node's links to others: the transport it listens with, and who is allowed by the configuration.

use crate::config::MeshConfig;
use futures::FutureExt as _;
use ikigai_libp2p::{Libp2pMesh, MeshOptions};
use ikigai_peers::GrpcPeers;
use ikigai_ports::mesh::Allowed;
use ikigai_ports::{Gates, Mesh, PortError, PortResult};
use ikigai_runtime::{EnrolmentParts, Parts, Reach, RoutedGates, Routes};
use ikigai_types::NodeId;
use std::sync::Arc;

/// Everything of a node that has to do with others.
#[derive(Debug, Clone)]
pub(crate) struct Links {
    pub(crate) transport: Arc<Libp2pMesh>,
    pub(crate) reach: Reach,
    pub(crate) routes: Arc<Routes>,
}

/// Listens as configured; `None` when that is "not at all".
///
/// # Errors
/// When an address that was configured cannot be listened on.
pub(crate) async fn links(config: &MeshConfig, seed: [u8; 32]) -> PortResult<Option<Links>> {
    let listen = config.listen.clone().unwrap_or_else(|| MeshOptions::new(seed).listen);
    if listen.is_empty() {
        return Ok(None);
    }
    let options = MeshOptions { seed, listen, mdns: config.mdns, relay: config.relay };
    let transport = match Libp2pMesh::start(options.clone()).await {
        Err(error) if config.listen.is_none() => {
            tracing::warn!(error = error.chain(), "port 7421 is taken: the mesh listens on any other");
            Libp2pMesh::start(MeshOptions { listen: any_port(&options.listen), ..options }).await?
        }
        started => started?,
    };
    let transport = Arc::new(transport);
    let mesh: Arc<dyn Mesh> = transport.clone();
    let peers = Arc::new(GrpcPeers::new(mesh.clone()));
    Ok(Some(Links { transport, reach: Reach { mesh, peers }, routes: Arc::default() }))
}

/// The gates of this node's agents, and by its links those of other nodes' agents.
pub(crate) fn gates(links: Option<&Links>, own: Arc<dyn Gates>) -> Arc<dyn Gates> {
    match links {
        Some(l) => Arc::new(RoutedGates::new(own, l.reach.mesh.clone(), l.routes.clone())),
        None => own,
    }
}

/// What this node's enrolment is made of; `fixed` are enrolled whatever is stated.
pub(crate) fn enrolment(parts: &Parts, name: &str, fixed: Allowed) -> EnrolmentParts {
    let dial = |seed, node, addresses| ikigai_libp2p::guest::dial_as_guest(seed, node, addresses).boxed();
    EnrolmentParts {
        store: parts.store.clone(),
        clock: parts.clock.clone(),
        rng: parts.rng.clone(),
        signer: parts.signer.clone(),
        name: name.to_owned(),
        reach: parts.reach.clone(),
        dial: Arc::new(dial),
        fixed,
    }
}

fn any_port(listen: &[String]) -> Vec<String> {
    listen.iter().map(|a| a.replace("/7421", "/0")).collect()
}

/// Nodes the configuration itself enrols: `<node id>@<multiaddress>`, once per address.
///
/// # Errors
/// [`PortError::Refused`] with the entry that is wrong.
pub(crate) fn fixed(config: &MeshConfig) -> PortResult<Allowed> {
    let mut allowed = Allowed::default();
    for peer in &config.peers {
        let wrong = || {
            PortError::Refused(format!(
                "`{peer}` under mesh.peers is not <node id>@<address>, such as …@/ip4/10.0.0.2/tcp/7421"
            ))
        };
        let (node, address) = peer.split_once('@').ok_or_else(wrong)?;
        let node: NodeId = node.parse().map_err(|_| wrong())?;
        if !address.starts_with('/') {
            return Err(wrong());
        }
        allowed.peers.entry(node).or_default().push(address.to_owned());
    }
    Ok(allowed)
}
