//! Answers the gate gives itself.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use ikigai_ports::PortError;
use serde_json::{Value, json};

/// Body of everything a gate answers.
pub(crate) type Body = UnsyncBoxBody<Bytes, PortError>;

/// A refusal: what it is, and what to do. Repeated under `error`, where agents' CLIs look for a text.
pub(crate) fn problem(status: StatusCode, code: &str, message: &str, hint: &str) -> Response<Body> {
    let error = json!({"code": code, "type": code, "message": format!("{message}; {hint}")});
    json_body(status, &json!({"code": code, "message": message, "hint": hint, "error": error}))
}

/// A JSON answer.
pub(crate) fn json_body(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = Response::new(full(value.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The answer after which the connection speaks `protocol`.
pub(crate) fn switching(protocol: &'static str) -> Response<Body> {
    let mut response = Response::new(full(""));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
    response.headers_mut().insert(UPGRADE, HeaderValue::from_static(protocol));
    response
}

/// The answer after which the connection is a tunnel.
pub(crate) fn tunnelling() -> Response<Body> {
    Response::new(full(""))
}

fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}
