//! From a request to the verb it names: who asks, how long it may take, how much of it there may be.

use crate::codec::Raw;
use crate::limits::{Caller, Callers};
use crate::{node, peer, stream};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use http::{HeaderMap, Request as HttpRequest, Response as HttpResponse};
use hyper::body::Incoming;
use ikigai_ports::mesh::Lane;
use ikigai_ports::rpc::trace::Trace;
use ikigai_ports::rpc::{TRACEPARENT, USUAL, Verb};
use ikigai_ports::{NodeHandle, Peer};
use ikigai_types::NodeId;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::server::{Grpc, ServerStreamingService, UnaryService};
use tonic::{Code, Request, Response, Status};
use tracing::Instrument;

/// Who answers, and what all calls share.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) peer: Arc<dyn Peer>,
    pub(crate) node: Arc<dyn NodeHandle>,
    /// Set when the node stops.
    pub(crate) stop: CancellationToken,
    /// Everything that runs for a call.
    pub(crate) tasks: TaskTracker,
    pub(crate) callers: Callers,
}

/// Messages of an answer that streams.
pub(crate) type Messages = BoxStream<'static, Result<Bytes, Status>>;

/// A verb, asked by `caller`.
struct Asked {
    served: Arc<Served>,
    caller: NodeId,
    verb: Verb,
}

/// An [`Asked`] whose answer streams; its permit goes with the stream.
struct AskedToStream {
    asked: Asked,
    permit: Option<OwnedSemaphorePermit>,
}

// === impl Served ===

impl Served {
    /// Answers one call that came over `lane`.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        lane: Lane,
        caller: &Caller,
        request: HttpRequest<Incoming>,
    ) -> HttpResponse<Body> {
        let Some(verb) = Verb::of_path(request.uri().path()) else {
            return Status::unimplemented("this version does not know the call").into_http();
        };
        if verb.lane() != lane {
            return Status::unimplemented("the call came over the wrong lane").into_http();
        }
        let permit = match caller.admit(verb) {
            Ok(permit) => permit,
            Err(busy) => return busy.into_http(),
        };
        let headers = request.headers();
        let within = time_allowed(headers).unwrap_or(USUAL).min(verb.longest());
        let trace = headers.get(TRACEPARENT).and_then(|h| Trace::of_header(h.to_str().ok()?));
        let span = tracing::info_span!("peer", caller = %caller.node.short(), verb = verb.name(),
            trace = trace.map(tracing::field::display));
        let asked = Asked { served: self.clone(), caller: caller.node, verb };
        let work = asked.answer(permit, request.map(|body| caller.in_turn(verb, body)));
        let work = async {
            match trace {
                Some(trace) => trace.scope(work).await,
                None => work.await,
            }
        };
        match tokio::time::timeout(within, work.instrument(span)).await {
            Ok(answer) => answer,
            Err(_) => Status::deadline_exceeded("the time for the call is over").into_http(),
        }
    }
}

// === impl Asked ===

impl Asked {
    async fn answer<B>(self, permit: OwnedSemaphorePermit, request: HttpRequest<B>) -> HttpResponse<Body>
    where
        B: http_body::Body<Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send> + Send + 'static,
    {
        let verb = self.verb;
        let mut grpc = Grpc::new(Raw)
            .max_decoding_message_size(verb.request_limit())
            .max_encoding_message_size(verb.answer_limit());
        if verb.streams() {
            let asked = AskedToStream { asked: self, permit: Some(permit) };
            return grpc.server_streaming(asked, request).await;
        }
        let answer = grpc.unary(self, request).await;
        drop(permit);
        answer
    }
}

impl UnaryService<Bytes> for Asked {
    type Response = Bytes;
    type Future = BoxFuture<'static, Result<Response<Bytes>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let (served, caller, verb) = (self.served.clone(), self.caller, self.verb);
        Box::pin(async move {
            let message = request.into_inner();
            let answer = if verb.path().starts_with("/ikigai.v1.Peer/") {
                peer::answer(&*served.peer, caller, verb, &message).await
            } else {
                node::answer(&*served.node, caller, verb, &message).await
            };
            answer.map(Response::new)
        })
    }
}

impl ServerStreamingService<Bytes> for AskedToStream {
    type Response = Bytes;
    type ResponseStream = Messages;
    type Future = BoxFuture<'static, Result<Response<Messages>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let (served, caller, verb) = (self.asked.served.clone(), self.asked.caller, self.asked.verb);
        let permit = self.permit.take();
        Box::pin(async move {
            let message = request.into_inner();
            let messages = match verb {
                Verb::Pack => {
                    let pack = peer::pack(&*served.peer, caller, &message).await?;
                    stream::pieces(pack, &served)
                }
                Verb::Logs => stream::items(node::logs(&*served.node, &message).await?, &served),
                _ => stream::items(node::events(&*served.node, &message).await?, &served),
            };
            Ok(Response::new(stream::holding(messages, permit)))
        })
    }
}

/// What the caller allows: `grpc-timeout`, at most eight digits and a unit.
fn time_allowed(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let n: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(n * 3600)),
        "M" => Some(Duration::from_secs(n * 60)),
        "S" => Some(Duration::from_secs(n)),
        "m" => Some(Duration::from_millis(n)),
        "u" => Some(Duration::from_micros(n)),
        "n" => Some(Duration::from_nanos(n)),
        _ => None,
    }
}

/// A call of a known service that is not a verb of it, which the table of verbs rules out.
pub(crate) fn misplaced(verb: Verb) -> Status {
    Status::new(Code::Unimplemented, verb.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_allowed_is_read_as_grpc_writes_it() {
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", value.parse().unwrap());
            time_allowed(&headers)
        };
        assert_eq!(read("10S"), Some(Duration::from_secs(10)));
        assert_eq!(read("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        assert_eq!(read("150m"), Some(Duration::from_millis(150)));
        for bad in ["", "S", "10", "-1S", "999999999S", "10X", "1 S"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
