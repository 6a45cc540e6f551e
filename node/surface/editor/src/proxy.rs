//! The proxy: decides about each request and carries the decision out.

use crate::gatekeeper::{Decision, decide};
use crate::host;
use crate::page::{self, Body, Refusal};
use crate::relay::{Relay, RelayError};
use http::{Request, Response};
use hyper::body::Incoming;
use ikigai_access::{Access, Lives};
use ikigai_ports::{Clock, EditorLinks, Gates, Holder, Rng};
use ikigai_types::Timestamp;
use std::fmt;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes of a token and of a session.
const SECRET_BYTES: usize = 32;
/// How long a link works, and how long a session lasts.
const LIVES: Lives = Lives { token: Duration::from_secs(60), session: Duration::from_secs(12 * 60 * 60) };

/// Between two looks whether the holder of an open editor may still have it.
const LOOK: Duration = Duration::from_secs(1);

/// Until when a session lasts, and whose it is.
type Session = (Timestamp, Option<Arc<dyn Holder>>);

/// How the proxy is reached.
#[derive(Debug, Clone, Copy)]
pub struct EditorOptions {
    /// The port the node's HTTP listens on; it is part of each editor's origin.
    pub port: u16,
}

/// The editor proxy of one node; clones share everything.
#[derive(Clone)]
pub struct EditorProxy {
    shared: Arc<Shared>,
}

struct Shared {
    relay: Relay,
    rng: Arc<dyn Rng>,
    clock: Arc<dyn Clock>,
    port: AtomicU16,
    access: Mutex<Access<Arc<dyn Holder>>>,
}

impl EditorProxy {
    /// A proxy to the editors behind `gates`.
    pub fn new(
        gates: Arc<dyn Gates>,
        rng: Arc<dyn Rng>,
        clock: Arc<dyn Clock>,
        options: EditorOptions,
    ) -> Self {
        let access = Mutex::new(Access::new(LIVES));
        let port = AtomicU16::new(options.port);
        Self { shared: Arc::new(Shared { relay: Relay::new(gates), rng, clock, port, access }) }
    }

    /// The agent whose editor `host` (a `Host` header, with or without port) stands for: exactly
    /// `<agent>.localhost`, in lower case.
    pub fn agent_of_host(host: &str) -> Option<&str> {
        host::read(host).map(|(agent, _)| agent)
    }

    /// Takes note of the port, where it was not known before the listener was bound.
    pub fn listens_on(&self, port: u16) {
        self.shared.port.store(port, Ordering::Relaxed);
    }

    /// Answers one request for an agent's host. Checks everything itself: form, Host, Origin, session.
    pub async fn serve(&self, request: Request<Incoming>) -> Response<Body> {
        match self.answer(request).await {
            Ok(response) => response,
            Err(refusal) => {
                tracing::debug!(?refusal, "an editor's request was refused");
                refusal.page()
            }
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
        let (parts, body) = request.into_parts();
        match decide(&parts, self.port()) {
            Decision::Refuse(refusal) => Err(refusal),
            Decision::Open { agent, token } => self.open(&agent, &token),
            Decision::Pass { agent, sessions, upgrade, from_elsewhere } => {
                let now = self.now();
                let Some((until, holder)) = self.session(&agent, &sessions, now) else {
                    return if from_elsewhere { Ok(page::again()) } else { Err(Refusal::Session) };
                };
                let origin = host::origin(&agent, self.port());
                let over = Box::pin(over(until.since(now), holder));
                let request = Request::from_parts(parts, body);
                self.shared.relay.pass(&agent, &origin, upgrade, over, request).await.map_err(|e| match e {
                    RelayError::Ended => {
                        self.access().end(&agent);
                        Refusal::Ended
                    }
                    RelayError::Refused(refusal) => refusal,
                })
            }
        }
    }

    fn open(&self, agent: &str, token: &str) -> Result<Response<Body>, Refusal> {
        let session = self.shared.rng.hex(SECRET_BYTES);
        let now = self.now();
        if self.access().redeem(agent, token, &session, now) {
            Ok(page::opened(&session))
        } else {
            Err(Refusal::Link)
        }
    }

    /// The session of `agent` that lasts longest of those a request names, and whose it is.
    fn session(&self, agent: &str, named: &[String], now: Timestamp) -> Option<Session> {
        let known: Vec<Session> = {
            let access = self.access();
            named.iter().filter_map(|s| access.admits(agent, s, now)).collect()
        };
        let may = |(_, holder): &Session| holder.as_ref().is_none_or(|h| h.may());
        known.into_iter().filter(may).max_by_key(|(until, _)| *until)
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    fn port(&self) -> u16 {
        self.shared.port.load(Ordering::Relaxed)
    }

    fn access(&self) -> MutexGuard<'_, Access<Arc<dyn Holder>>> {
        self.shared.access.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EditorLinks for EditorProxy {
    fn mint(&self, agent: &str) -> String {
        let token = self.shared.rng.hex(SECRET_BYTES);
        let now = self.now();
        self.access().mint(agent, &token, now);
        format!("{}{}?token={token}", host::origin(agent, self.port()), crate::path::OPEN)
    }

    fn tie(&self, link: &str, holder: Arc<dyn Holder>) {
        let host = link.strip_prefix("http://").and_then(|rest| rest.split('/').next());
        let token = link.split_once("?token=").map(|(_, token)| token);
        if let (Some(agent), Some(token)) = (host.and_then(Self::agent_of_host), token) {
            self.access().tie(agent, token, holder);
        }
    }
}

/// Returns when a session is over: its time is, or its holder may not have it any more.
async fn over(left: Duration, holder: Option<Arc<dyn Holder>>) {
    let end = tokio::time::sleep(left);
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => return,
            () = tokio::time::sleep(LOOK), if holder.is_some() => {}
        }
        if holder.as_ref().is_some_and(|h| !h.may()) {
            return;
        }
    }
}

impl fmt::Debug for EditorProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EditorProxy").field("port", &self.port()).field("access", &self.access()).finish()
    }
}
