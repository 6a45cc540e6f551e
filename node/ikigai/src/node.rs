//! A node that runs: its handle, its listeners, its end.

use crate::builder::{BuildError, NodeBuilder};
use crate::home::{Home, Lock};
use crate::hosts::{Dashboard, Editors};
use crate::mesh::Links;
use crate::notices::Telling;
use crate::web::Web;
use ikigai_editor::EditorProxy;
use ikigai_http::{Api, ApiOptions, AuthOptions, Authority, Front, Oidc, Tls};
use ikigai_ports::{NodeHandle, Store};
use ikigai_radicle::RadicleForge;
use ikigai_runtime::{Enrolment, Running};
use ikigai_types::NodeId;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a stopping node's own tasks get.
const GRACE: Duration = Duration::from_secs(10);

/// A running node. There is no global state: a process may have several, each with a home of its own.
#[derive(Debug)]
pub struct Node {
    home: Home,
    running: Running,
    enrolment: Arc<dyn ikigai_ports::Enrolment>,
    stop: CancellationToken,
    server: JoinHandle<()>,
    listen: Vec<SocketAddr>,
    shared: Option<PathBuf>,
    tls: Option<Tls>,
    radicle: Option<Arc<RadicleForge>>,
    links: Option<Links>,
    peers: Option<JoinHandle<()>>,
    _lock: Lock,
}

/// What a node is served from.
pub(crate) struct Serving {
    pub(crate) home: Home,
    pub(crate) lock: Lock,
    pub(crate) web: Web,
    pub(crate) running: Running,
    pub(crate) enrolment: Enrolment,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) editor: Arc<EditorProxy>,
    pub(crate) radicle: Option<Arc<RadicleForge>>,
    pub(crate) links: Option<Links>,
    pub(crate) telling: Telling,
    pub(crate) oidc: Option<Oidc>,
}

impl Node {
    /// Begins a node.
    pub fn builder() -> NodeBuilder {
        NodeBuilder::default()
    }

    pub(crate) async fn serve(serving: Serving) -> Result<Self, BuildError> {
        let Serving { home, lock, web, running, enrolment, store, editor, radicle, links, telling, oidc } =
            serving;
        let token = ikigai_http::auth::load_or_create(&home.token())
            .map_err(|source| BuildError::Home { folder: home.path().to_owned(), source })?;
        let listeners = web.listeners(&home).await?;
        let Web { listen, hosts, shared, policy, tls } = web;
        let auth = AuthOptions { token: Some(token), hosts };
        let options = ApiOptions { auth, fallback: Some(Arc::new(Editors(editor.clone()))) };
        let authority = Authority::kept_in(store.clone(), policy).await;
        let authority = authority.map_err(|source| BuildError::Backend { what: "store", source })?;
        let enrolment: Arc<dyn ikigai_ports::Enrolment> = Arc::new(enrolment);
        let stop = CancellationToken::new();
        let notices = telling.start(running.whole(), running.handle().id(), store, stop.clone());
        let front = Front {
            site: Some(Arc::new(Dashboard)),
            authority: Arc::new(authority),
            enrolment: Some(enrolment.clone()),
            terminals: Some(running.terminals()),
            editors: Some(editor),
            notices: Some(notices),
            oidc,
        };
        let api = Api::with_front(running.whole(), options, front);
        let server = tokio::spawn(api.serve(listeners, stop.clone()));
        let peers = links.as_ref().map(|l| {
            let (peer, own) = (Arc::new(running.peer().clone()), Arc::new(running.handle().clone()));
            tokio::spawn(ikigai_grpc::serve(l.reach.mesh.clone(), peer, own, stop.clone()))
        });
        Ok(Self {
            home,
            running,
            enrolment,
            stop,
            server,
            listen,
            shared,
            tls,
            radicle,
            links,
            peers,
            _lock: lock,
        })
    }

    /// What can be asked of it.
    pub fn handle(&self) -> Arc<dyn NodeHandle> {
        self.running.whole()
    }

    /// Who is in its mesh, and how others come in.
    pub fn enrolment(&self) -> Arc<dyn ikigai_ports::Enrolment> {
        self.enrolment.clone()
    }

    /// Where other nodes can reach it, as multiaddresses; empty when it listens to none.
    pub fn addresses(&self) -> Vec<String> {
        self.links.as_ref().map_or_else(Vec::new, |l| l.reach.mesh.addresses())
    }

    /// Its id.
    pub fn id(&self) -> NodeId {
        self.running.handle().id()
    }

    /// The Unix socket of its API.
    pub fn socket(&self) -> PathBuf {
        self.home.socket()
    }

    /// The Unix socket of its API for the other Linux users of the machine.
    pub fn shared_socket(&self) -> Option<&Path> {
        self.shared.as_deref()
    }

    /// The addresses of its API; those that are not loopback are served over TLS.
    pub fn listen(&self) -> &[SocketAddr] {
        &self.listen
    }

    /// What callers over TLS compare with its certificate: `sha256:` and 64 hex digits.
    pub fn fingerprint(&self) -> Option<&str> {
        self.tls.as_ref().map(Tls::fingerprint)
    }

    /// Waits until it gave up by itself, because its log cannot be written; what is left to do is [`Node::stop`].
    pub async fn given_up(&self) {
        self.running.given_up().await;
    }

    /// Ends it. Its agents go on in their containers and are found again by the next start.
    pub async fn stop(self) {
        self.stop.cancel();
        if !self.running.stop(GRACE).await {
            tracing::warn!("some of the node's tasks did not end in time");
        }
        if tokio::time::timeout(GRACE, self.server).await.is_err() {
            tracing::warn!("the API did not end in time");
        }
        if let Some(peers) = self.peers {
            let _ = peers.await;
        }
        if let Some(links) = self.links {
            links.transport.stop().await;
        }
        if let Some(radicle) = self.radicle {
            radicle.stop().await;
        }
    }
}
