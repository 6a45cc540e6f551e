//! Requests to the provider: over TLS or to this machine, bounded in time and size, and no redirect is followed, so
//! that no answer leads the client's secret to another host.

use bytes::Bytes;
use http::{Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::host::is_this_machine;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use rustls::crypto::ring;
use std::pin::Pin;
use std::time::Duration;
use tokio::time::timeout;

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// Largest answer, in bytes.
const LARGEST: usize = 1 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It would go to another machine in the clear.
    #[error("{0} is on another machine and has no TLS")]
    Clear(String),
    /// It did not come in time.
    #[error("no answer within {} s", ANSWER.as_secs())]
    Late,
    /// The connection failed, or broke.
    #[error("the connection failed: {0}")]
    Broke(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Asks the provider.
#[derive(Debug, Clone)]
pub(crate) struct Fetch(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Fetch {
    /// By this machine's certificate authorities.
    pub(crate) fn new() -> PortResult<Self> {
        let builder = HttpsConnectorBuilder::new().with_provider_and_native_roots(ring::default_provider());
        let builder = builder.map_err(|e| PortError::failed("reading the certificate authorities", e))?;
        let connector = builder.https_or_http().enable_http1().build();
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }

    async fn ask(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        if !is_safe(request.uri()) {
            return Err(FetchError::Clear(request.uri().host().unwrap_or_default().to_owned()));
        }
        let whole = async {
            let response = self.0.request(request.map(|body| Full::new(body.into()))).await;
            let (parts, body) = response.map_err(|e| FetchError::Broke(e.into()))?.into_parts();
            let body = Limited::new(body, LARGEST).collect().await.map_err(FetchError::Broke)?;
            Ok(Response::from_parts(parts, body.to_bytes().to_vec()))
        };
        timeout(ANSWER, whole).await.map_err(|_| FetchError::Late)?
    }
}

impl<'c> AsyncHttpClient<'c> for Fetch {
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, FetchError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.ask(request))
    }
}

/// Whether nobody on the way can read or change what goes to `uri`.
pub(crate) fn is_safe(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_this_machine(host),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_goes_to_another_machine_in_the_clear() {
        for good in ["https://id.example", "http://127.0.0.1:4000/x", "http://[::1]:1/", "http://localhost:1"]
        {
            assert!(is_safe(&good.parse().unwrap()), "{good}");
        }
        for bad in
            ["http://id.example", "http://localhost.evil.example", "http://10.0.0.1", "/x", "ftp://localhost"]
        {
            assert!(!is_safe(&bad.parse().unwrap()), "{bad}");
        }
    }
}
