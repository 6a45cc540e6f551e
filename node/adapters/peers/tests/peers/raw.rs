//! A caller that follows no rules but HTTP/2's.

use crate::mesh::Switch;
use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, Request, Response};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use ikigai_ports::mesh::Lane;
use ikigai_types::NodeId;
use std::pin::Pin;
use tokio::sync::mpsc;

/// A body whose parts a test sends one by one; it ends when the sender is dropped.
pub struct Parts(pub mpsc::Receiver<Bytes>);

impl Body for Parts {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(cx).map(|part| part.map(|bytes| Ok(hyper::body::Frame::data(bytes))))
    }
}

/// A connection of `from` to `to`.
pub async fn connect(switch: &Switch, from: NodeId, to: NodeId, lane: Lane) -> SendRequest<Parts> {
    let stream = switch.connect(from, to, lane).await.unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// A request whose body comes through the sender.
pub fn request(path: &str, timeout: Option<&str>) -> (Request<Parts>, mpsc::Sender<Bytes>) {
    let (sender, receiver) = mpsc::channel(8);
    let mut request = Request::post(format!("http://node{path}")).header("content-type", "application/grpc");
    if let Some(timeout) = timeout {
        request = request.header("grpc-timeout", timeout);
    }
    (request.body(Parts(receiver)).unwrap(), sender)
}

/// `message` with gRPC's five bytes before it.
pub fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap();
    [&[0][..], &length.to_be_bytes(), message].concat().into()
}

/// Asks and answers the gRPC status, wherever it stands.
pub async fn ask(sender: &mut SendRequest<Parts>, path: &str, message: &[u8]) -> String {
    let (request, parts) = request(path, None);
    parts.send(framed(message)).await.unwrap();
    drop(parts);
    status(sender.send_request(request).await.unwrap()).await
}

pub async fn status(response: Response<Incoming>) -> String {
    let read = |headers: &HeaderMap| headers.get("grpc-status").map(|s| s.to_str().unwrap().to_owned());
    if let Some(status) = read(response.headers()) {
        return status;
    }
    let mut body = response.into_body();
    let frames = futures::stream::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
    let trailers = frames.filter_map(|f| async { f.unwrap().into_trailers().ok() });
    read(&std::pin::pin!(trailers).next().await.unwrap()).unwrap()
}
