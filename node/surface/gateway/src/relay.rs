//! Model calls: in through the gate, on to the provider, back as it arrives, counted on the way.
//!
//! A call runs in a task of its own. A client that hangs up before the end does not thereby avoid being
//! counted: the answer is read on for its usage.

use crate::admit::admit;
use crate::answer::{Body, problem};
use crate::gate::{Gate, ROOM_UNIT};
use crate::meter::Meter;
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use ikigai_ports::model::{ModelAnswer, ModelCall};
use ikigai_ports::{PortError, PortResult};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

/// Chunks on their way to a client that reads slowly.
const CHUNKS: usize = 16;

/// `None` is the end. Without it, as when a client that stalled reads on at last, an answer never looks whole.
type Chunk = PortResult<Option<Bytes>>;

/// Answers `POST /responses`.
pub(crate) async fn responses(gate: Arc<Gate>, request: Request<Incoming>) -> Response<Body> {
    let (body, room) = match read(&gate, request).await {
        Ok(read) => read,
        Err(refused) => return *refused,
    };
    let asked = match admit(&body) {
        Ok(asked) => asked,
        Err(refusal) => {
            gate.notices.denied(&format!("POST /responses: {refusal}"));
            return problem(StatusCode::BAD_REQUEST, "denied", &refusal.to_string(), refusal.hint());
        }
    };
    // While a person types the agent gets no new turn. Who gives up waiting has called nobody.
    tokio::select! {
        biased;
        () = gate.closed.cancelled() => return closed(),
        () = gate.agentd.released() => {}
    }
    let (head, answered) = oneshot::channel();
    let call = ModelCall { attempt: gate.fence.attempt.clone(), path: "/responses".into(), body };
    gate.tasks.spawn(pass(gate.clone(), (call, room), asked.model, head));
    answered.await.unwrap_or_else(|_| closed())
}

/// The attempt is over: its provider is not asked any more.
fn closed() -> Response<Body> {
    problem(StatusCode::SERVICE_UNAVAILABLE, "closed", "the gate is closed", "the attempt has ended")
}

/// The refusal of a call whose provider did not answer; what it said is for the owner, not for the agent.
pub(crate) fn unreachable(gate: &Gate, error: &PortError) -> Response<Body> {
    gate.notices.upstream(&error.chain());
    let hint = "the node's own log says why";
    problem(StatusCode::BAD_GATEWAY, "upstream", "the model provider cannot be reached", hint)
}

/// Reads the request's body, when there is room for it, and keeps that room.
async fn read(
    gate: &Gate,
    request: Request<Incoming>,
) -> Result<(Bytes, OwnedSemaphorePermit), Box<Response<Body>>> {
    let refuse = |status, code, message, hint| Err(Box::new(problem(status, code, message, hint)));
    let most = gate.limits.body;
    if request.headers().contains_key(CONTENT_ENCODING) {
        let hint = "send it without content-encoding";
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoding", "the body is compressed", hint);
    }
    let body = request.into_body();
    let size = body.size_hint().exact().map_or(most, |size| usize::try_from(size).unwrap_or(usize::MAX));
    let too_long = || {
        let message = format!("the body is longer than {most} bytes");
        Err(Box::new(problem(StatusCode::PAYLOAD_TOO_LARGE, "too_long", &message, "send less at a time")))
    };
    if size > most {
        return too_long();
    }
    let units = u32::try_from(size.div_ceil(ROOM_UNIT)).unwrap_or(u32::MAX);
    let reading = async {
        let room = gate.room.clone().acquire_many_owned(units).await;
        let room = room.expect("invariant: the room is never closed");
        Limited::new(body, most).collect().await.map(|whole| (whole.to_bytes(), room))
    };
    match timeout(gate.limits.body_time, reading).await {
        Ok(Ok(read)) => Ok(read),
        Ok(Err(e)) if e.is::<LengthLimitError>() => too_long(),
        Ok(Err(_)) => refuse(StatusCode::BAD_REQUEST, "cut_off", "the body ended early", "send it again"),
        Err(_) => {
            refuse(StatusCode::REQUEST_TIMEOUT, "slow", "the body did not come in time", "send it again")
        }
    }
}

/// One call from its beginning to its end, whether or not its client stays.
async fn pass(
    gate: Arc<Gate>,
    (call, room): (ModelCall, OwnedSemaphorePermit),
    asked: String,
    head: oneshot::Sender<Response<Body>>,
) {
    let answer = match gate.until_settled(gate.model.call(call)).await {
        None => return gate.count(&asked, true, &Meter::default().finish()),
        Some(Ok(answer)) => answer,
        Some(Err(e)) => {
            head.send(unreachable(&gate, &e)).ok();
            return;
        }
    };
    drop(room);
    let status = tell_status(&gate, &answer);
    let (chunks, client) = mpsc::channel(CHUNKS);
    let response = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => credential_refused(),
        _ => shown(status, &answer, client),
    };
    head.send(response).ok();
    let mut meter = Meter::default();
    let last = pump(&gate, answer.body, &chunks, &mut meter).await;
    let reading = meter.finish();
    if reading.quota && status != StatusCode::TOO_MANY_REQUESTS {
        gate.notices.quota(None);
    }
    if status.is_success() && reading.tokens.is_none() {
        tracing::warn!(attempt = %gate.fence, "a model call whose usage is not known");
    }
    // Counted first, so that who has seen the end of an answer finds it in the total.
    gate.count(&asked, status.is_success(), &reading);
    if let Some(last) = last {
        deliver(&gate, &chunks, last).await;
    }
}

/// Passes chunks on and meters them, until the end; what the client is to get last, if it is still there.
async fn pump(
    gate: &Gate,
    mut body: BoxStream<'static, PortResult<Bytes>>,
    client: &mpsc::Sender<Chunk>,
    meter: &mut Meter,
) -> Option<Chunk> {
    let mut gone_since = None;
    loop {
        let next = gate.until_settled(async {
            match gone_since {
                None => tokio::select! {
                    chunk = body.next() => Some(chunk),
                    () = client.closed() => None,
                },
                Some(since) => timeout_at(since + gate.limits.drain_time, body.next()).await.ok(),
            }
        });
        let stays = gone_since.is_none();
        match next.await? {
            None if stays => gone_since = Some(Instant::now()),
            None => return None,
            Some(None) => return stays.then_some(Ok(None)),
            Some(Some(Err(e))) => {
                gate.notices.upstream(&e.chain());
                return stays.then_some(Err(e));
            }
            Some(Some(Ok(chunk))) => {
                meter.feed(&chunk);
                if stays && !deliver(gate, client, Ok(Some(chunk))).await {
                    gone_since = Some(Instant::now());
                }
            }
        }
    }
}

/// Whether the client took it.
async fn deliver(gate: &Gate, client: &mpsc::Sender<Chunk>, chunk: Chunk) -> bool {
    matches!(timeout(gate.limits.stall_time, client.send(chunk)).await, Ok(Ok(())))
}

/// Tells the runtime what a status means for the attempt.
fn tell_status(gate: &Gate, answer: &ModelAnswer) -> StatusCode {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let name = gate.model.name();
    if status == StatusCode::TOO_MANY_REQUESTS {
        gate.notices.quota(answer.retry_after);
    } else if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
        gate.notices.upstream(&format!("{name} refused the credential ({status})"));
    } else if status.is_server_error() {
        gate.notices.upstream(&format!("{name} answered {status}"));
    }
    tracing::debug!(attempt = %gate.fence, provider = name, status = status.as_u16(), "model call");
    status
}

/// A provider's 401 may quote a part of the credential, so its own words do not go on. 400, because agents'
/// CLIs give up at once on it, and trying again is of no use.
fn credential_refused() -> Response<Body> {
    let hint = "a person has to check the provider's secret on the node";
    problem(StatusCode::BAD_REQUEST, "upstream", "the model provider refused the node's credential", hint)
}

fn shown(status: StatusCode, answer: &ModelAnswer, client: mpsc::Receiver<Chunk>) -> Response<Body> {
    let mut response = Response::new(StreamBody::new(frames(client)).boxed_unsync());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&answer.content_type) {
        headers.insert(CONTENT_TYPE, value);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = answer.retry_after {
        headers.insert(RETRY_AFTER, seconds.into());
    }
    response
}

fn frames(client: mpsc::Receiver<Chunk>) -> impl Stream<Item = PortResult<Frame<Bytes>>> {
    stream::unfold(Some(client), |client| async {
        let mut client = client?;
        match client.recv().await {
            Some(Ok(Some(chunk))) => Some((Ok(Frame::data(chunk)), Some(client))),
            Some(Ok(None)) => None,
            Some(Err(e)) => Some((Err(e), None)),
            None => Some((Err(PortError::Refused("the answer was broken off".into())), None)),
        }
    })
}
