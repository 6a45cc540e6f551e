//! What a request may do. Pure: its head in, a decision out.

use crate::host;
use crate::page::Refusal;
use crate::path::{self, OPEN};
use http::header::{COOKIE, HOST, HeaderMap, HeaderName, ORIGIN, UPGRADE};
use http::request::Parts;
use http::{Method, Version};

/// Cookie of a session. Each agent's origin has its own, under this name.
pub const COOKIE_NAME: &str = "ikigai-editor";
/// Sessions a request may name; a page can add cookies of our name, but not set ours.
const SESSIONS: usize = 8;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
const SERVICE_WORKER: HeaderName = HeaderName::from_static("service-worker");

/// What is to be done with a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is refused.
    Refuse(Refusal),
    /// It brings a link's token.
    Open {
        /// Whose editor the link is for.
        agent: String,
        /// What it brings.
        token: String,
    },
    /// It may pass if one of `sessions` is a session of `agent`.
    Pass {
        /// Whose editor it is for.
        agent: String,
        /// What it says its session is.
        sessions: Vec<String>,
        /// Whether it wants a WebSocket.
        upgrade: bool,
        /// Whether a browser goes there from another site: it keeps strict cookies back then, once.
        from_elsewhere: bool,
    },
}

/// Decides about a request that came to `port`.
pub fn decide(parts: &Parts, port: u16) -> Decision {
    match pass(parts, port) {
        Ok(decision) => decision,
        Err(refusal) => Decision::Refuse(refusal),
    }
}

fn pass(parts: &Parts, port: u16) -> Result<Decision, Refusal> {
    check_form(parts)?;
    let agent = agent(&parts.headers, port)?;
    let path = parts.uri.path();
    if path == OPEN && parts.method == Method::GET {
        return open(parts, agent);
    }
    if path::is_ours(path) {
        return Err(Refusal::NotHere);
    }
    let upgrade = wants_websocket(parts)?;
    check_origin(parts, &host::origin(&agent, port), upgrade)?;
    let from_elsewhere = check_site(parts)?;
    if parts.headers.contains_key(SERVICE_WORKER) && path::is_at_root(path) {
        return Err(Refusal::Worker);
    }
    Ok(Decision::Pass { agent, sessions: sessions(&parts.headers), upgrade, from_elsewhere })
}

fn check_form(parts: &Parts) -> Result<(), Refusal> {
    let plain = parts.uri.authority().is_none() && parts.uri.scheme().is_none();
    let served = parts.method != Method::CONNECT && parts.method != Method::TRACE;
    let old = parts.version == Version::HTTP_11 || parts.version == Version::HTTP_10;
    if plain && served && old && parts.uri.path().starts_with('/') { Ok(()) } else { Err(Refusal::Form) }
}

fn agent(headers: &HeaderMap, port: u16) -> Result<String, Refusal> {
    let host = one(headers, &HOST).ok().flatten().ok_or(Refusal::Host)?;
    match host::read(host) {
        Some((agent, own)) if own.unwrap_or(port) == port => Ok(agent.to_owned()),
        _ => Err(Refusal::Host),
    }
}

/// A link is followed by a person: it is the page itself that is asked for, not a part of another.
fn open(parts: &Parts, agent: String) -> Result<Decision, Refusal> {
    let dest = one(&parts.headers, &SEC_FETCH_DEST).map_err(|()| Refusal::Form)?;
    if dest.is_some_and(|dest| dest != "document") {
        return Err(Refusal::Link);
    }
    let query = parts.uri.query().unwrap_or_default();
    let token =
        query.strip_prefix("token=").filter(|t| t.len() == 64 && t.bytes().all(|b| b.is_ascii_hexdigit()));
    Ok(Decision::Open { agent, token: token.ok_or(Refusal::Link)?.to_owned() })
}

fn wants_websocket(parts: &Parts) -> Result<bool, Refusal> {
    match one(&parts.headers, &UPGRADE) {
        Ok(None) => Ok(false),
        Ok(Some(protocol)) if protocol.eq_ignore_ascii_case("websocket") && parts.method == Method::GET => {
            Ok(true)
        }
        _ => Err(Refusal::Form),
    }
}

/// Another origin may not call; and what changes something must say that it is none.
fn check_origin(parts: &Parts, own: &str, upgrade: bool) -> Result<(), Refusal> {
    let safe = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    match one(&parts.headers, &ORIGIN) {
        Ok(Some(origin)) if origin == own => Ok(()),
        Ok(None) if safe && !upgrade => Ok(()),
        _ => Err(Refusal::Origin),
    }
}

/// Other sites may lead a person here, and nothing else. True if that is what happens.
fn check_site(parts: &Parts) -> Result<bool, Refusal> {
    let read = |name: &HeaderName| one(&parts.headers, name).map_err(|()| Refusal::Form);
    match read(&SEC_FETCH_SITE)? {
        None | Some("same-origin" | "none") => Ok(false),
        Some(_) => {
            let page =
                read(&SEC_FETCH_MODE)? == Some("navigate") && read(&SEC_FETCH_DEST)? == Some("document");
            if page && parts.method == Method::GET { Ok(true) } else { Err(Refusal::Origin) }
        }
    }
}

fn sessions(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(COOKIE).into_iter().filter_map(|v| v.to_str().ok());
    let pairs = values.flat_map(|v| v.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == COOKIE_NAME).map(|(_, value)| value.to_owned()).take(SESSIONS).collect()
}

/// The value of a header that may be there once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).into_iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        (Some(_), Some(_)) => Err(()),
    }
}

#[cfg(test)]
#[path = "gatekeeper/tests.rs"]
mod tests;
