//! Starting a node over its ports, and ending it.

use crate::checker::Checker;
use crate::claims::Claims;
use crate::copies::Copies;
use crate::desk::Desk;
use crate::handle::Handle;
use crate::host::Host;
use crate::journal::Journal;
use crate::mesh::{self, Enrolment, Neighbours, Routes, look_again, serve_agents};
use crate::mesh_handle::MeshHandle;
use crate::owner::{Setup, drive, inbox};
use crate::peer::LocalPeer;
use crate::reviews::{self, Said};
use crate::terminal::Terminals;
use crate::{Options, Parts};
use ikigai_ports::{NodeHandle, PortError};
use ikigai_task::Owner;
use ikigai_types::NodeId;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its store cannot be read.
    #[error("the node's store cannot be read")]
    Store(#[source] PortError),
}

/// A node that runs. Dropping it stops nothing; call [`Running::stop`].
#[derive(Debug)]
pub struct Running {
    handle: Handle,
    whole: Option<MeshHandle>,
    peer: LocalPeer,
    stop: CancellationToken,
    tracker: TaskTracker,
}

/// What makes a node one of a mesh.
#[derive(Debug)]
pub struct Mesh {
    /// Who is in it.
    pub enrolment: Enrolment,
    /// Where agents of other nodes are found.
    pub routes: Arc<Routes>,
}

/// Starts a node: reads its log, takes up what ran, then goes on deciding.
///
/// # Errors
/// When the store cannot be read.
pub async fn start(parts: Parts, options: Options, mesh: Option<Mesh>) -> Result<Running, StartError> {
    let (stop, tracker, options) = (CancellationToken::new(), TaskTracker::new(), Arc::new(options));
    let node = NodeId::from_bytes(parts.signer.public_key());
    let opened = Journal::open(parts.store.clone(), parts.rng.hex(8)).await;
    let (journal, log) = opened.map_err(StartError::Store)?;
    let journal = Arc::new(journal);
    let owner = Owner::replay(node, options.policy, log);
    let (asks, asked) = inbox();
    let desk = Desk::new(&parts, &options, asks.clone(), journal.clone());
    let copies = Copies::open(&parts).await.map_err(StartError::Store)?;
    let host = Host::new(&parts, &options, desk.clone(), &tracker, &stop);
    let neighbours = Arc::new(Neighbours::default());
    let peer = LocalPeer {
        parts: parts.clone(),
        options: options.clone(),
        node,
        host: host.clone(),
        desk,
        checker: Checker::new(&parts, &options),
        enrolment: mesh.as_ref().map(|m| m.enrolment.clone()),
        readers: Arc::default(),
    };
    let terminals = Terminals::new(&parts, &host);
    let claims = Claims::new(&parts, node, &asks, options.policy.lease);
    tracker.spawn(claims.clone().run(stop.clone()));
    let handle = Handle {
        parts,
        options,
        node,
        owner: asks.clone(),
        host: host.clone(),
        journal: journal.clone(),
        neighbours: neighbours.clone(),
        copies,
        terminals,
        claims,
        said: Said::default(),
    };
    handle.restore_cordon().await.map_err(StartError::Store)?;
    host.recover().await.map_err(StartError::Store)?;
    host.watch_disk();
    let whole = parts_of_mesh(&handle, &peer, mesh, &tracker, &stop);
    let setup =
        Setup { owner, journal, peer: peer.clone(), neighbours, handle: asks, tracker: tracker.clone() };
    tracker.spawn(drive(setup, asked, stop.clone()));
    tracker.spawn(reviews::follow(handle.clone(), stop.clone()));
    Ok(Running { handle, whole, peer, stop, tracker })
}

impl Running {
    /// The node, for surfaces.
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The whole mesh, for surfaces; the node alone when it is in none.
    pub fn whole(&self) -> Arc<dyn NodeHandle> {
        match &self.whole {
            Some(whole) => Arc::new(whole.clone()),
            None => Arc::new(self.handle.clone()),
        }
    }

    /// The terminals of agents, for surfaces: those of the whole mesh, or of this node alone.
    pub fn terminals(&self) -> Arc<dyn ikigai_ports::Terminals> {
        match &self.whole {
            Some(whole) => Arc::new(whole.clone()),
            None => Arc::new(self.handle.clone()),
        }
    }

    /// The node, for its peers.
    pub const fn peer(&self) -> &LocalPeer {
        &self.peer
    }

    /// Waits until the node gave up by itself: its log is not its own any more, or cannot be read.
    pub fn given_up(&self) -> impl Future<Output = ()> + Send + 'static {
        self.stop.clone().cancelled_owned()
    }

    /// Ends the node's own tasks within `grace`; agents go on in their containers. Answers whether all ended.
    pub async fn stop(self, grace: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(grace, self.tracker.wait()).await.is_ok()
    }
}

/// Starts what a node of a mesh does beside its own work.
fn parts_of_mesh(
    own: &Handle,
    peer: &LocalPeer,
    mesh: Option<Mesh>,
    tracker: &TaskTracker,
    stop: &CancellationToken,
) -> Option<MeshHandle> {
    let (Mesh { enrolment, routes }, reach) = (mesh?, own.parts.reach.clone()?);
    let whole = MeshHandle::new(own.clone(), reach.clone(), routes);
    let (parts, neighbours, allowed) = (own.parts.clone(), own.neighbours.clone(), enrolment.allowed());
    enrolment.belongs_to(Arc::new(own.clone()));
    tracker.spawn(enrolment.run(stop.clone()));
    let here = (parts.gates.clone(), own.terminals.clone());
    let agents = serve_agents(reach.mesh.clone(), here, tracker.clone(), stop.clone());
    tracker.spawn(agents);
    tracker.spawn(until(stop.clone(), whole.gather()));
    let copying = own.copies.clone().follow(own.node, neighbours.clone(), own.owner.clone());
    tracker.spawn(until(stop.clone(), copying));
    tracker.spawn(look_again(neighbours.clone(), own.owner.clone(), parts.clone(), stop.clone()));
    let (host, stop) = (peer.host.clone(), stop.clone());
    tracker.spawn(async move {
        let setup = mesh::Setup { parts, reach, host, neighbours, allowed };
        if let Err(error) = mesh::drive(setup, stop).await {
            tracing::error!(error = error.chain(), "this node cannot take part in its mesh");
        }
    });
    Some(whole)
}

async fn until(stop: CancellationToken, work: impl Future<Output = ()>) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}
