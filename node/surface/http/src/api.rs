//! The API as a value: a node's handle, who may call it, and who answers for other hosts.

use crate::auth::random_hex;
use crate::guard::{Reason, Transport};
use crate::idempotency::Answered;
use crate::{AuthOptions, Authority, Site, metrics::Refusals, routes};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use ikigai_access::Role;
use ikigai_ports::{EditorLinks, Enrolment, IdentityProvider, NodeHandle, Notices, Terminals};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Body of an answer by a [`HostService`].
pub type HostBody = UnsyncBoxBody<Bytes, Box<dyn std::error::Error + Send + Sync>>;

/// Answers requests for hosts that are not the API's, such as the editors' `<agent>.localhost`.
///
/// The API's token is not asked of such a request, and the service does not see the API's answers: it checks
/// its callers itself. Upgrades work: take `hyper::upgrade::on` of the request.
pub trait HostService: fmt::Debug + Send + Sync + 'static {
    /// Whether `host` (lower case, without port) is its own. Asked only for names the API does not have.
    fn answers(&self, host: &str) -> bool;

    /// Answers one request; its form, its single Host and its port were checked.
    fn serve(&self, request: Request<Incoming>) -> BoxFuture<'static, Response<HostBody>>;
}

/// How the API is served.
#[derive(Debug)]
pub struct ApiOptions {
    /// Who may call.
    pub auth: AuthOptions,
    /// Who answers for other hosts.
    pub fallback: Option<Arc<dyn HostService>>,
}

/// What is served beside the node's work: pages for a browser, and who is in the mesh.
#[derive(Debug, Default)]
pub struct Front {
    /// The pages; without them no link is made.
    pub site: Option<Arc<dyn Site>>,
    /// Who may call.
    pub authority: Arc<Authority>,
    /// Who is in the mesh.
    pub enrolment: Option<Arc<dyn Enrolment>>,
    /// The terminals of agents.
    pub terminals: Option<Arc<dyn Terminals>>,
    /// The editors of agents.
    pub editors: Option<Arc<dyn EditorLinks>>,
    /// The ways to people.
    pub notices: Option<Arc<dyn Notices>>,
    /// Who says who somebody is, beside the node itself.
    pub oidc: Option<Oidc>,
}

/// An identity provider, and what comes of whom it knows.
#[derive(Debug, Clone)]
pub struct Oidc {
    /// The provider.
    pub provider: Arc<dyn IdentityProvider>,
    /// What somebody becomes that it knows and the node does not; `None`: nothing.
    pub default_role: Option<Role>,
}

/// How a request came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Came(pub(crate) Transport);

/// What a connection itself says of who is on its other end.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) transport: Transport,
    /// The Linux user of this machine, over the Unix socket for everybody. Over the node's own it is its owner.
    pub(crate) linux: Option<Arc<str>>,
}

impl From<Transport> for Peer {
    fn from(transport: Transport) -> Self {
        Self { transport, linux: None }
    }
}

/// The API of one node; clones share everything.
#[derive(Debug, Clone)]
pub struct Api {
    pub(crate) shared: Arc<Shared>,
    pub(crate) router: axum::Router,
}

/// What handlers see.
pub(crate) struct Shared {
    pub(crate) handle: Arc<dyn NodeHandle>,
    pub(crate) options: ApiOptions,
    pub(crate) front: Front,
    pub(crate) refusals: Refusals,
    pub(crate) answered: Answered,
    /// Room for terminals.
    pub(crate) terminals: Arc<Semaphore>,
    /// Writes that go on also when their caller hangs up.
    pub(crate) writes: TaskTracker,
    /// Ends the streams; set when the server is told to stop.
    pub(crate) stop: CancellationToken,
    /// What addresses of its pages begin with.
    pub(crate) address: OnceLock<String>,
    /// The same for other machines, when they are served.
    pub(crate) outside: OnceLock<String>,
    prefix: String,
    requests: AtomicU64,
}

// === impl Api ===

impl Api {
    /// The API of the node behind `handle`.
    pub fn new(handle: Arc<dyn NodeHandle>, options: ApiOptions) -> Self {
        Self::with_front(handle, options, Front::default())
    }

    /// The same with pages for a browser.
    pub fn with_front(handle: Arc<dyn NodeHandle>, options: ApiOptions, front: Front) -> Self {
        let shared = Arc::new(Shared {
            handle,
            options,
            front,
            address: OnceLock::new(),
            outside: OnceLock::new(),
            refusals: Refusals::default(),
            answered: Answered::default(),
            terminals: Arc::new(Semaphore::new(routes::TERMINALS)),
            writes: TaskTracker::new(),
            stop: CancellationToken::new(),
            prefix: random_hex::<4>(),
            requests: AtomicU64::new(0),
        });
        Self { router: routes::router(shared.clone()), shared }
    }
}

// === impl Shared ===

impl Shared {
    /// A name for the next request.
    pub(crate) fn next_request(&self) -> String {
        format!("{}-{:x}", self.prefix, self.requests.fetch_add(1, Ordering::Relaxed))
    }

    /// The address of a page, for a browser; `None` when nothing is served to one.
    pub(crate) fn page(&self, name: &str) -> Option<String> {
        self.at(self.address.get()?, name)
    }

    /// The address of a page, for somebody who may be at another machine.
    pub(crate) fn page_outside(&self, name: &str) -> Option<String> {
        self.at(self.outside.get().or_else(|| self.address.get())?, name)
    }

    fn at(&self, address: &str, name: &str) -> Option<String> {
        self.front.site.as_ref().map(|_| format!("{address}/{name}"))
    }

    pub(crate) fn refused(&self, reason: Reason) {
        self.refusals.count(reason);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("handle", &self.handle).finish_non_exhaustive()
    }
}
