//! A provider of the Responses API, reached over HTTP: the call goes on as it is, with the credential added here.
//!
//! hyper alone, without a client library around it: it follows no redirect, keeps no cookie and reads no
//! proxy variable, so a credential cannot be led to another host by an answer or by the environment.

mod endpoint;
mod redact;
mod retry;

use async_trait::async_trait;
use bytes::Bytes;
use endpoint::Endpoint;
use futures::StreamExt;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, BodyStream, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use ikigai_ports::model::{Model, ModelAnswer, ModelCall};
use ikigai_ports::signer::{Secret, Secrets};
use ikigai_ports::{PortError, PortResult};
use redact::Redact;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Shortest credential that is used: a shorter one could not be told from ordinary text when it is redacted.
const SECRET_MIN: usize = 8;
/// Longest list of models that is read.
const MODELS_MAX: usize = 4 << 20;

/// How one provider is reached.
#[derive(Clone)]
pub struct HttpModelOptions {
    /// Its name in the configuration.
    pub name: String,
    /// Its base URL, such as `https://api.openai.com/v1` or `http://127.0.0.1:1234/v1`.
    pub base_url: String,
    /// Where the credential is, and what it is called there; `None` for a provider that wants none.
    pub secret: Option<(Arc<dyn Secrets>, String)>,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Longest wait for the beginning of an answer.
    pub answer_timeout: Duration,
    /// Longest silence within an answer.
    pub idle_timeout: Duration,
}

impl HttpModelOptions {
    /// A provider that wants no credential, with time-outs that suit models which think for long.
    pub fn new(name: impl Into<String>, base_url: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            base_url: base_url.into(),
            secret: None,
            connect_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(600),
            idle_timeout: Duration::from_secs(300),
        }
    }

    /// The same with the credential that `secrets` calls `name`.
    #[must_use]
    pub fn with_secret(mut self, secrets: Arc<dyn Secrets>, name: impl Into<String>) -> Self {
        self.secret = Some((secrets, name.into()));
        self
    }
}

// === impl Debug for HttpModelOptions ===

impl fmt::Debug for HttpModelOptions {
    /// Names the secret, and never asks its store to print itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = self.secret.as_ref().map(|(_, name)| name);
        let mut shown = f.debug_struct("HttpModelOptions");
        shown.field("name", &self.name).field("base_url", &self.base_url).field("secret", &secret);
        shown.finish_non_exhaustive()
    }
}

/// A model provider over HTTP.
///
/// * The credential is resolved for each call, for the provider's host, and goes to that host only.
/// * A redirect is not followed: it is an error that says so.
/// * Of the answer's headers only content type and retry-after are read; where the body repeats the credential,
///   plain or in a usual encoding, it reads `[redacted]`.
#[derive(Debug)]
pub struct HttpModel {
    options: HttpModelOptions,
    endpoint: Endpoint,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl HttpModel {
    /// Prepares the provider; nothing is connected yet.
    ///
    /// # Errors
    /// [`PortError::Refused`] when the base URL cannot be used, [`PortError::Failed`] when it needs TLS and this
    /// machine has no certificate authorities.
    pub fn new(options: HttpModelOptions) -> PortResult<Self> {
        let endpoint = Endpoint::parse(&options.base_url, options.secret.is_some())
            .map_err(|why| PortError::Refused(format!("model provider `{}`: {why}", options.name)))?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(options.connect_timeout));
        let connector = endpoint::connector(http, &endpoint)?;
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Ok(Self { options, endpoint, client })
    }

    async fn secret(&self) -> PortResult<Option<Secret>> {
        let Some((secrets, name)) = &self.options.secret else { return Ok(None) };
        let secret = secrets.resolve(name, self.endpoint.host()).await?;
        if secret.expose().len() < SECRET_MIN {
            return Err(PortError::Refused(format!(
                "secret `{name}` is shorter than {SECRET_MIN} characters: if `{}` wants no credential, configure none",
                self.options.name
            )));
        }
        Ok(Some(secret))
    }

    /// Sends one request and waits for the head of its answer.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        secret: Option<&Secret>,
    ) -> PortResult<Response<Incoming>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.endpoint.at(path)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
        // A compressed answer could neither be metered nor redacted on the way.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("ikigai/", env!("CARGO_PKG_VERSION"))));
        if let Some(secret) = secret {
            headers.insert(AUTHORIZATION, self.bearer(secret)?);
        }
        let answer = tokio::time::timeout(self.options.answer_timeout, self.client.request(request)).await;
        let response = answer.map_err(|slow| self.away(slow))?.map_err(|e| self.away(e))?;
        self.accept(response)
    }

    fn bearer(&self, secret: &Secret) -> PortResult<HeaderValue> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", secret.expose())).map_err(|_| {
            PortError::Refused(format!(
                "the secret of `{}` holds characters that no header may hold: check for a line end at its end",
                self.options.name
            ))
        })?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Refuses what could not be passed on safely.
    fn accept(&self, response: Response<Incoming>) -> PortResult<Response<Incoming>> {
        let name = &self.options.name;
        if response.status().is_redirection() {
            return Err(PortError::Refused(format!(
                "model provider `{name}` answers with a redirect, which is never followed: \
                 set its base_url to the address it moved to"
            )));
        }
        let encoding = response.headers().get(CONTENT_ENCODING);
        if encoding.is_some_and(|value| value != "identity") {
            return Err(PortError::Refused(format!(
                "model provider `{name}` compresses its answers though asked not to"
            )));
        }
        Ok(response)
    }

    fn away(&self, source: impl Into<ikigai_ports::error::Source>) -> PortError {
        PortError::unavailable(
            format!("model provider `{}` at {}", self.options.name, self.endpoint.host()),
            source,
        )
    }
}

// === impl Model ===

#[async_trait]
impl Model for HttpModel {
    async fn call(&self, call: ModelCall) -> PortResult<ModelAnswer> {
        let secret = self.secret().await?;
        let response = self.send(Method::POST, &call.path, call.body, secret.as_ref()).await?;
        let (head, body) = response.into_parts();
        let what = format!("model provider `{}`", self.options.name);
        let idle = self.options.idle_timeout;
        let chunks =
            BodyStream::new(body).filter_map(|frame| async { frame.map(|f| f.into_data().ok()).transpose() });
        let timed = tokio_stream::StreamExt::timeout(chunks, idle);
        let body = timed.map(move |chunk| match chunk {
            Ok(Ok(bytes)) => Ok(bytes),
            Ok(Err(e)) => Err(PortError::unavailable(what.clone(), e)),
            Err(silent) => Err(PortError::unavailable(what.clone(), silent)),
        });
        Ok(ModelAnswer {
            status: head.status.as_u16(),
            content_type: content_type(&head.headers).into(),
            retry_after: head.headers.get(RETRY_AFTER).and_then(|value| retry::seconds(value.to_str().ok()?)),
            body: match &secret {
                Some(secret) => Redact::new(secret).stream(body).boxed(),
                None => body.boxed(),
            },
        })
    }

    async fn models(&self) -> PortResult<Vec<String>> {
        let secret = self.secret().await?;
        let response = self.send(Method::GET, "/models", Bytes::new(), secret.as_ref()).await?;
        let status = response.status();
        if status != StatusCode::OK {
            return Err(self.away(format!("it answered {status} when asked for its models")));
        }
        let body = Limited::new(response.into_body(), MODELS_MAX).collect();
        let body =
            tokio::time::timeout(self.options.idle_timeout, body).await.map_err(|slow| self.away(slow))?;
        let list: Models = serde_json::from_slice(&body.map_err(|e| self.away(e))?.to_bytes())
            .map_err(|e| PortError::failed(format!("reading the models of `{}`", self.options.name), e))?;
        Ok(list.data.into_iter().map(|model| model.id).collect())
    }

    fn name(&self) -> &str {
        &self.options.name
    }
}

#[derive(serde::Deserialize)]
struct Models {
    data: Vec<Named>,
}

#[derive(serde::Deserialize)]
struct Named {
    id: String,
}

/// One of the content types the wire has; a header's own text never goes further.
fn content_type(headers: &HeaderMap) -> &'static str {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    let known = ["text/event-stream", "application/json", "text/plain"];
    known.into_iter().find(|k| essence.eq_ignore_ascii_case(k)).unwrap_or("application/octet-stream")
}
