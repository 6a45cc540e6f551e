//! Answers: documents, and errors as the one error document.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use ikigai_wire::api::{Code, Document, Problem};
use serde::Serialize;

/// Header that names a request in answers and in the node's log.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A problem with the status it is sent with.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) problem: Problem,
}

pub(crate) type Reply = Result<Response, Failure>;

// === impl Failure ===

impl Failure {
    pub(crate) fn usage(message: impl Into<String>, hint: &str) -> Self {
        Problem::new(Code::Usage, message, hint).into()
    }

    pub(crate) fn not_found(message: impl Into<String>, hint: &str) -> Self {
        Problem::new(Code::NotFound, message, hint).into()
    }

    pub(crate) fn too_large() -> Self {
        let problem = Problem::new(Code::Usage, "the request is too large", "send at most 1 MiB");
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, problem }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let status =
            StatusCode::from_u16(problem.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, problem }
    }
}

impl IntoResponse for Failure {
    /// The problem travels as an extension until [`finish`] knows the request's id.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self.problem);
        response
    }
}

/// What the audit log says beside method and path.
#[derive(Debug, Clone)]
pub(crate) struct Note(pub(crate) String);

/// `response` with a note for the audit log.
pub(crate) fn noted(mut response: Response, note: Note) -> Response {
    response.extensions_mut().insert(note);
    response
}

/// `body` as a document of `kind`.
pub(crate) fn document<T: Serialize>(kind: &str, body: T) -> Reply {
    json(&Document::new(kind, body)).map(|bytes| json_response(StatusCode::OK, bytes))
}

/// JSON, which cannot fail for our own types.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<Bytes, Failure> {
    let made = serde_json::to_vec(value).map(Bytes::from);
    made.map_err(|e| Problem::plain(Code::Failed, format!("the answer cannot be written: {e}")).into())
}

pub(crate) fn json_response(status: StatusCode, bytes: Bytes) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], bytes).into_response()
}

/// Writes what every answer carries: the request's id, and headers that keep it out of caches and pages.
pub(crate) fn finish(mut response: Response, id: &str) -> Response {
    if let Some(mut problem) = response.extensions_mut().remove::<Problem>() {
        problem.request_id = Some(id.to_owned());
        let bytes = json(&Document::new("Error", problem)).unwrap_or_default();
        response = json_response(response.status(), bytes);
        if response.status() == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
    }
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, HeaderValue::from_str(id).unwrap_or(HeaderValue::from_static("-")));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    );
    response
}
