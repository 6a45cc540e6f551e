//! One request to one address, and what its answer means for a message.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::host::is_this_machine;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use std::time::Duration;

/// How long the other side has to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// An address that messages are posted to.
#[derive(Debug)]
pub struct Post {
    what: &'static str,
    url: Uri,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Post {
    /// Checks `url`, which is `what` of the configuration. With a credential only TLS or this machine will do.
    ///
    /// # Errors
    /// [`PortError::Refused`] when it cannot be used, [`PortError::Failed`] when it needs TLS and this machine has no
    /// certificate authorities.
    pub fn new(what: &'static str, url: &str, credential: bool) -> PortResult<Self> {
        let refused = |why: String| PortError::Refused(format!("notify.{what}: {why}"));
        let url: Uri = url.parse().map_err(|e| refused(format!("`{url}` is not a URL: {e}")))?;
        let tls = url.scheme() == Some(&Scheme::HTTPS);
        if !tls && url.scheme() != Some(&Scheme::HTTP) {
            return Err(refused(format!("`{url}` must begin with https:// or http://")));
        }
        if url.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err(refused("the URL holds a credential: put it into a secret and name that".to_owned()));
        }
        let host = url.host().unwrap_or_default();
        if credential && !tls && !is_this_machine(host) {
            return Err(refused(format!("a credential is never sent to {host} without TLS: use https://")));
        }
        let client = Client::builder(TokioExecutor::new()).build(connector(tls)?);
        Ok(Self { what, url, client })
    }

    /// The host alone: the audience of a credential.
    pub fn host(&self) -> &str {
        self.url.host().unwrap_or_default()
    }

    /// Posts `body`.
    ///
    /// # Errors
    /// [`PortError::Unavailable`] when another try may succeed, [`PortError::Refused`] when it would not.
    pub async fn send(&self, headers: HeaderMap, kind: &'static str, body: Bytes) -> PortResult<()> {
        let mut request = Request::post(self.url.clone()).body(Full::new(body)).map_err(|e| self.away(e))?;
        *request.headers_mut() = headers;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        let agent = HeaderValue::from_static(concat!("ikigai/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(USER_AGENT, agent);
        let answer = tokio::time::timeout(PATIENCE, self.client.request(request)).await;
        let response = answer.map_err(|e| self.away(e))?.map_err(|e| self.away(e))?;
        self.judge(&response)
    }

    fn judge(&self, response: &Response<Incoming>) -> PortResult<()> {
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let text = format!("{} at {} answers {status}", self.what, self.host());
        let later = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
        if status.is_server_error() || later.contains(&status) {
            let seconds =
                response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse().ok());
            let retry_after = seconds.map(Duration::from_secs);
            return Err(PortError::Unavailable { what: text, retry_after, source: None });
        }
        let hint = if status.is_redirection() { "; set its url to the address it moved to" } else { "" };
        Err(PortError::Refused(format!("{text}{hint}")))
    }

    fn away(&self, source: impl Into<ikigai_ports::error::Source>) -> PortError {
        PortError::unavailable(format!("{} at {}", self.what, self.host()), source)
    }
}

fn connector(tls: bool) -> PortResult<HttpsConnector<HttpConnector>> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_connect_timeout(Some(PATIENCE / 2));
    let builder = HttpsConnectorBuilder::new();
    if tls {
        let hint = "reading the certificate authorities (install ca-certificates, or set SSL_CERT_FILE)";
        let builder = builder
            .with_provider_and_native_roots(ring::default_provider())
            .map_err(|e| PortError::failed(hint, e))?;
        return Ok(builder.https_only().enable_http1().wrap_connector(http));
    }
    // Never dials TLS: the roots would be read for nothing, and may be missing.
    let versions = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| PortError::failed("preparing TLS", e))?;
    let none = versions.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    Ok(builder.with_tls_config(none).https_or_http().enable_http1().wrap_connector(http))
}

/// `text` as a header's value: UTF-8 on one line.
pub(crate) fn header(text: &str) -> HeaderValue {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    HeaderValue::from_bytes(line.trim().as_bytes()).unwrap_or_else(|_| HeaderValue::from_static("ikigai"))
}
