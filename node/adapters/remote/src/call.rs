//! One request and its answer, and what every failure on the way is called.

use crate::target::Target;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use ikigai_wire::api::{Code, Document, Problem};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Largest answer that is read at once, in bytes.
const MAX_ANSWER: usize = 64 << 20;

/// A request before it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    path: String,
    body: Option<Bytes>,
    headers: Vec<(&'static str, String)>,
}

// === impl Call ===

impl Call {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: None, headers: Vec::new() }
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, path: path.into(), body: None, headers: Vec::new() }
    }

    pub(crate) fn post<T: Serialize>(path: impl Into<String>, body: &T) -> Result<Self, Problem> {
        let body = serde_json::to_vec(body);
        let body =
            body.map_err(|e| Problem::plain(Code::Failed, format!("cannot write the request: {e}")))?;
        Ok(Self { method: Method::POST, path: path.into(), body: Some(body.into()), headers: Vec::new() })
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends it and reads the document that comes back.
    pub(crate) async fn document<T: DeserializeOwned>(
        self,
        target: &Target,
        patience: Duration,
    ) -> Result<T, Problem> {
        let bytes = self.bytes(target, patience).await?;
        let document: Result<Document<T>, _> = serde_json::from_slice(&bytes);
        document.map(|d| d.body).map_err(|e| {
            let text = format!("the answer of {target} cannot be read: {e}");
            Problem::new(Code::Failed, text, "is it the same version? run: ikigai version")
        })
    }

    /// Sends it and reads the whole answer.
    pub(crate) async fn bytes(self, target: &Target, patience: Duration) -> Result<Bytes, Problem> {
        let whole = async {
            let response = self.send(target).await?;
            let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
            body.map(|b| b.to_bytes()).map_err(|e| broken(target, &e.to_string()))
        };
        let late = |_| {
            let text = format!("{target} did not answer within {} s", patience.as_secs());
            Problem::new(Code::TimedOut, text, "it may still be done; look with: ikigai task ls")
        };
        tokio::time::timeout(patience, whole).await.map_err(late)?
    }

    /// Sends it; an answer that is not 2xx is the problem it carries.
    pub(crate) async fn send(self, target: &Target) -> Result<Response<Incoming>, Problem> {
        let stream = target.connect().await?;
        let handshake = hyper::client::conn::http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|e| broken(target, &e.to_string()))?;
        // Ends with the answer: nothing else holds the connection.
        tokio::spawn(connection);
        let request = self.request(target)?;
        let response = sender.send_request(request).await.map_err(|e| broken(target, &e.to_string()))?;
        if response.status().is_success() { Ok(response) } else { Err(problem(target, response).await) }
    }

    fn request(self, target: &Target) -> Result<Request<Full<Bytes>>, Problem> {
        let mut request = Request::builder().method(self.method).uri(&self.path).header(HOST, target.host());
        if let Some(bearer) = target.bearer() {
            request = request.header(AUTHORIZATION, bearer);
        }
        if self.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        request = self.headers.iter().fold(request, |r, (name, value)| r.header(*name, value));
        let request = request.body(Full::new(self.body.unwrap_or_default()));
        request.map_err(|e| Problem::plain(Code::Usage, format!("the request cannot be sent: {e}")))
    }

    pub(crate) fn stream(self) -> Self {
        self.header("accept", "text/event-stream")
    }
}

pub(crate) fn broken(target: &Target, what: &str) -> Problem {
    Problem::new(
        Code::Unreachable,
        format!("{target} went away while answering: {what}"),
        "run: ikigai doctor",
    )
}

pub(crate) async fn problem(target: &Target, response: Response<Incoming>) -> Problem {
    let status = response.status();
    let body = Limited::new(response.into_body(), 1 << 20).collect().await.map(|b| b.to_bytes());
    let read: Option<Document<Problem>> = body.ok().and_then(|b| serde_json::from_slice(&b).ok());
    read.map_or_else(
        || Problem::plain(Code::Failed, format!("{target} answered {status} without saying why")),
        |d| d.body,
    )
}

/// `text` as one segment of a path or one value of a query.
pub(crate) fn encode(text: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if keep(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_leave_its_segment_is_encoded() {
        assert_eq!(encode("1f0c.001-shop.T012"), "1f0c.001-shop.T012");
        assert_eq!(encode("a/b?c d&é"), "a%2Fb%3Fc%20d%26%C3%A9");
    }
}
