//! Reading requests: bounded bodies, strict queries, the idempotency key. Each mistake is named.

use crate::guard::MAX_BODY;
use crate::reply::Failure;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, Path, Query};
use bytes::Bytes;
use http::HeaderMap;
use http::StatusCode;
use http::request::Parts;
use ikigai_wire::api::{Code, Problem};
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How long a body may take to come in.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest idempotency key.
const MAX_KEY: usize = 255;

/// The whole body, at most [`MAX_BODY`] bytes.
pub(super) async fn read(body: Body) -> Result<Bytes, Failure> {
    match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(e)) if is_too_large(&e) => Err(Failure::too_large()),
        Ok(Err(e)) => Err(Failure::usage(format!("the body cannot be read: {e}"), "send it again")),
        Err(_) => {
            let problem = Problem::new(Code::TimedOut, "the body did not come in time", "send it again");
            Err(Failure { status: StatusCode::REQUEST_TIMEOUT, problem })
        }
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if cause.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        next = cause.source();
    }
    false
}

/// The body as JSON; an empty body is `{}`.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(bytes)
        .map_err(|e| Failure::usage(format!("the body is not as documented: {e}"), "see GET /openapi.json"))
}

/// The variable parts of the path.
pub(super) struct Names<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Names<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let read = Path::<T>::from_request_parts(parts, state).await;
        read.map(|Path(t)| Self(t)).map_err(|e| {
            Failure::usage(
                format!("the path is not as documented: {}", e.body_text()),
                "see GET /openapi.json",
            )
        })
    }
}

/// Query parameters; what is unknown or cannot be read is refused.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let read = Query::<T>::try_from_uri(&parts.uri);
        read.map(|Query(t)| Self(t)).map_err(|e| {
            let text = std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string);
            Failure::usage(format!("the query is not as documented: {text}"), "see GET /openapi.json")
        })
    }
}

/// The request's `Idempotency-Key`.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= MAX_KEY => Ok(Some(key.to_owned())),
        _ => Err(Failure::usage("the idempotency key cannot be used", "send 1 to 255 printable characters")),
    }
}
