//! One call: its time, its size, its trace.

use crate::codec::Raw;
use crate::failure::{Failure, Why};
use crate::link::Way;
use crate::peers::Remote;
use bytes::Bytes;
use http::Uri;
use http::uri::PathAndQuery;
use ikigai_ports::rpc::trace::Trace;
use ikigai_ports::rpc::{TRACEPARENT, USUAL, Verb};
use ikigai_wire::rpc::{decode, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::time::Duration;
use tonic::client::Grpc;

use tonic::{Request, Status, Streaming};
use tracing::Instrument;

// === impl Remote ===

impl Remote {
    /// Asks for one answer, for which there is the usual time.
    pub(crate) async fn ask<Q: Serialize, A: DeserializeOwned>(
        &self,
        verb: Verb,
        ask: &Q,
    ) -> Result<A, Failure> {
        self.ask_for(USUAL, verb, ask).await
    }

    /// Asks for one answer, to come `within` that time.
    pub(crate) async fn ask_for<Q: Serialize, A: DeserializeOwned>(
        &self,
        within: Duration,
        verb: Verb,
        ask: &Q,
    ) -> Result<A, Failure> {
        let mut grpc = self.grpc(verb);
        let (request, trace) = self.request(within, verb, ask)?;
        let answer = grpc.unary(request, path(verb), Raw);
        let answer = self.within(within, verb, trace, answer).await?;
        decode(&answer.into_inner()).map_err(|e| self.failure(verb, Why::Unreadable(e.to_string())))
    }

    /// Asks for an answer that streams; the usual time is for its beginning.
    pub(crate) async fn stream<Q: Serialize>(
        &self,
        verb: Verb,
        ask: &Q,
    ) -> Result<Streaming<Bytes>, Failure> {
        let mut grpc = self.grpc(verb);
        let (request, trace) = self.request(USUAL, verb, ask)?;
        let answer = grpc.server_streaming(request, path(verb), Raw);
        Ok(self.within(USUAL, verb, trace, answer).await?.into_inner())
    }

    pub(crate) fn failure(&self, verb: Verb, why: Why) -> Failure {
        Failure { node: self.node, verb, why }
    }

    fn grpc(&self, verb: Verb) -> Grpc<Way> {
        // HTTP/2 wants an authority; who is meant is decided by the link.
        let origin = Uri::from_static("http://node");
        Grpc::with_origin(Way(self.shared.link(self.node, verb.lane())), origin)
            .max_decoding_message_size(verb.answer_limit())
    }

    fn request<Q: Serialize>(
        &self,
        within: Duration,
        verb: Verb,
        ask: &Q,
    ) -> Result<(Request<Bytes>, Trace), Failure> {
        let message = encode(ask);
        if message.len() > verb.request_limit() {
            return Err(self.failure(verb, Why::TooLarge(message.len())));
        }
        let mut request = Request::new(Bytes::from(message));
        request.set_timeout(within);
        let (trace, span) = self.shared.trace();
        if let Ok(header) = trace.header(span).parse() {
            request.metadata_mut().insert(TRACEPARENT, header);
        }
        Ok((request, trace))
    }

    async fn within<T>(
        &self,
        within: Duration,
        verb: Verb,
        trace: Trace,
        answer: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Failure> {
        let span = tracing::info_span!("peer", node = %self.node.short(), verb = verb.name(), %trace);
        match tokio::time::timeout(within, answer.instrument(span)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(status)) => Err(self.failure(verb, Why::Status(Box::new(status)))),
            Err(_) => Err(self.failure(verb, Why::Late(within))),
        }
    }
}

fn path(verb: Verb) -> PathAndQuery {
    PathAndQuery::from_static(verb.path())
}
