//! The pages a browser is given: the same for everybody, without data, so nobody is asked who they are.

use crate::guard;
use crate::reply::Failure;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY,
};
use http::request::Parts;
use http::{Method, StatusCode};
use ring::digest::{SHA256, digest};
use std::fmt;

/// One file of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SiteFile {
    /// Its media type.
    pub kind: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
}

/// Files that are part of the program.
pub trait Site: fmt::Debug + Send + Sync + 'static {
    /// What stands at `path`; `None` leaves the path to the API.
    fn file(&self, path: &str) -> Option<SiteFile>;

    /// The content security policy of every file.
    fn policy(&self) -> &'static str;
}

/// The site's answer to a request whose Host is one of ours, if the site has one.
pub(crate) fn answer(site: &dyn Site, parts: &Parts) -> Option<Result<Response, guard::Refusal>> {
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return None;
    }
    let file = site.file(parts.uri.path())?;
    Some(guard::check_page(parts).map(|()| respond(site, file, parts)))
}

fn respond(site: &dyn Site, file: SiteFile, parts: &Parts) -> Response {
    let tag = tag(file.bytes);
    let is_known = parts.headers.get(IF_NONE_MATCH).is_some_and(|v| v.as_bytes() == tag.as_bytes());
    let mut response = match (is_known, &parts.method) {
        (true, _) => StatusCode::NOT_MODIFIED.into_response(),
        (false, &Method::HEAD) => StatusCode::OK.into_response(),
        (false, _) => Bytes::from_static(file.bytes).into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, file.kind),
        (CONTENT_SECURITY_POLICY, site.policy()),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}

/// Names the bytes, so that a browser that has them is told so.
fn tag(bytes: &[u8]) -> String {
    let hash = digest(&SHA256, bytes);
    let hex: String = hash.as_ref().iter().take(12).map(|b| format!("{b:02x}")).collect();
    format!("\"{hex}\"")
}

/// Where a link can lead when nothing is served to a browser.
pub(crate) fn nowhere() -> Failure {
    Failure::not_found(
        "this node serves no dashboard",
        "set http.listen to a loopback address, then start it again",
    )
}
