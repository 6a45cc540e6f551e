//! Requests for hosts outside: judged by what the task may reach and by what this node lists, then passed on.
//!
//! Names are resolved here, and a connection goes to an address that was looked at, so that a name cannot lead
//! to another address a moment later. The gate adds nothing to a request, above all no credential.

mod ask;
mod dial;
mod headers;
mod hello;
mod tunnel;

pub(crate) use tunnel::tunnel;

use crate::answer::{Body, problem};
use crate::gate::Gate;
use crate::route::clean;
use ask::Asked;
use bytes::Bytes;
use dial::{Unreached, dial};
use futures::{Stream, stream};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{Egress, Endpoint};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// What agents of one attempt may reach, and how many such requests it may have at a time.
#[derive(Debug)]
pub(crate) struct Outside {
    task: Egress,
    node: Arc<Egress>,
    places: Arc<Semaphore>,
}

impl Outside {
    pub(crate) fn new(task: Egress, node: Arc<Egress>, at_once: usize) -> Self {
        Self { task, node, places: Arc::new(Semaphore::new(at_once)) }
    }

    /// Whether both lists allow it, and which addresses it may go to.
    fn judge(&self, asked: &Asked<'_>) -> Result<Reach<'_>, String> {
        if self.task.is_empty() {
            return Err("this task may reach nothing but its model".to_owned());
        }
        let task = self.task.judge(&asked.ask).map_err(|denial| denial.to_string())?;
        let node = self.node.judge(&asked.ask).map_err(|denial| format!("on this node {denial}"))?;
        Ok(Reach { task, node })
    }

    fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.places.clone().try_acquire_owned().ok()
    }
}

/// The endpoints that allow a request.
struct Reach<'g> {
    task: Vec<&'g Endpoint>,
    node: Vec<&'g Endpoint>,
}

impl Reach<'_> {
    fn may(&self, ip: IpAddr) -> bool {
        let any = |list: &[&Endpoint]| list.iter().any(|endpoint| endpoint.may_reach(ip));
        any(&self.task) && any(&self.node)
    }
}

/// Answers a request with a whole URL.
pub(crate) async fn plain(gate: Arc<Gate>, request: Request<Incoming>) -> Response<Body> {
    let opened = open(&gate, &request).await;
    match opened {
        Ok((stream, place)) => {
            pass(&gate, request, stream, place).await.unwrap_or_else(|why| away(&gate, &why))
        }
        Err(refused) => *refused,
    }
}

/// A connection to the host of a request that is allowed, or the refusal.
async fn open(
    gate: &Gate,
    request: &Request<Incoming>,
) -> Result<(TcpStream, OwnedSemaphorePermit), Box<Response<Body>>> {
    let body = !request.body().is_end_stream();
    let asked = Asked::of(request.method(), request.uri(), body);
    let asked = asked.map_err(|why| denied(gate, &ask::shown(request.method(), request.uri()), why))?;
    if headers::override_it(request.headers()) {
        return Err(denied(gate, &asked.shown, "a header of it asks for another method or path"));
    }
    let reach = gate.outside.judge(&asked).map_err(|why| denied(gate, &asked.shown, &why))?;
    let Some(place) = gate.outside.place() else {
        let hint = "wait for one of them to end";
        let text = "too many requests of this agent are under way";
        return Err(Box::new(problem(StatusCode::SERVICE_UNAVAILABLE, "busy", text, hint)));
    };
    let to = (asked.ask.host.name(), asked.ask.port);
    match timeout(gate.limits.outside_time, dial(to, |ip| reach.may(ip))).await {
        Ok(Ok(stream)) => {
            tracing::debug!(attempt = %gate.fence, what = asked.shown, "let through");
            Ok((stream, place))
        }
        Ok(Err(Unreached::Denied(why))) => Err(denied(gate, &asked.shown, &why)),
        Ok(Err(Unreached::Away(why))) => Err(Box::new(away(gate, &why))),
        Err(_) => Err(Box::new(away(gate, "it does not answer"))),
    }
}

fn denied(gate: &Gate, what: &str, why: &str) -> Box<Response<Body>> {
    let (what, why) = (clean(what), clean(why));
    gate.notices.denied(&format!("{what}: {why}"));
    tracing::debug!(attempt = %gate.fence, what, why, "denied");
    let hint = "a person lists hosts under [egress] of the node's ikigai.toml and gives them to a task with --egress";
    let text = format!("`{what}` is not allowed from here: {why}");
    Box::new(problem(StatusCode::FORBIDDEN, "denied", &text, hint))
}

fn away(gate: &Gate, why: &str) -> Response<Body> {
    let why = clean(why);
    tracing::debug!(attempt = %gate.fence, why, "a listed host cannot be reached");
    problem(StatusCode::BAD_GATEWAY, "upstream", "the host cannot be reached", &why)
}

/// Sends the request on and answers what comes back, as it comes.
async fn pass(
    gate: &Arc<Gate>,
    request: Request<Incoming>,
    stream: TcpStream,
    place: OwnedSemaphorePermit,
) -> Result<Response<Body>, String> {
    let most = gate.limits.body;
    let (parts, body) = request.into_parts();
    let (mut sender, connection) =
        handshake(TokioIo::new(stream)).await.map_err(|e| format!("it does not speak HTTP: {e}"))?;
    let closed = gate.closed.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = connection => {}
            () = closed.cancelled() => {}
        }
    });
    let host = Asked::of(&parts.method, &parts.uri, false)?.host();
    let onward =
        headers::onward(parts, &host, Limited::new(body, most)).ok_or("its URL cannot be passed on")?;
    let answered = timeout(gate.limits.stall_time, sender.send_request(onward)).await;
    let answer = answered.map_err(|_| "it does not answer".to_owned())?;
    let (mut parts, body) = answer.map_err(|e| format!("it broke off: {e}"))?.into_parts();
    headers::strip(&mut parts.headers);
    let coming = Coming { body, _sender: sender, _place: place, stall: gate.limits.stall_time };
    Ok(Response::from_parts(parts, StreamBody::new(coming.frames()).boxed_unsync()))
}

type Onward = Limited<Incoming>;

/// An answer on its way in; with it go its connection and its place among the requests at a time.
struct Coming {
    body: Incoming,
    _sender: SendRequest<Onward>,
    _place: OwnedSemaphorePermit,
    stall: Duration,
}

impl Coming {
    fn frames(self) -> impl Stream<Item = PortResult<Frame<Bytes>>> {
        stream::unfold(Some(self), |coming| async {
            let mut coming = coming?;
            let broken = |why: String| Some((Err(PortError::Refused(why)), None));
            loop {
                match timeout(coming.stall, coming.body.frame()).await {
                    Ok(None) => return None,
                    Ok(Some(Ok(frame))) if frame.is_data() => return Some((Ok(frame), Some(coming))),
                    // Trailers speak of a connection that is not the client's.
                    Ok(Some(Ok(_))) => {}
                    Ok(Some(Err(e))) => return broken(format!("the host broke off: {e}")),
                    Err(_) => return broken("the host is silent".to_owned()),
                }
            }
        })
    }
}
