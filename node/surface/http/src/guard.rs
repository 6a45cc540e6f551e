//! What is refused before any handler runs. Pure: a request head in, a refusal or nothing out.

pub(crate) mod terminal;

use crate::AuthOptions;
use crate::reply::Failure;
use http::header::{
    CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, ORIGIN, TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{Method, StatusCode};
use ikigai_wire::api::{Code, Problem};
use std::net::{IpAddr, SocketAddr};

/// Largest request body, in bytes.
pub const MAX_BODY: usize = 1 << 20;
/// Most headers of a request.
pub const MAX_HEADERS: usize = 64;
/// Most bytes of a request's head.
pub const MAX_HEAD: usize = 32 << 10;

/// How a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Over a Unix socket; the kernel said who it is.
    Unix,
    /// Over loopback TCP, to this port.
    Tcp {
        /// The port that listens.
        port: u16,
    },
    /// Over TLS.
    Tls {
        /// The address of this machine that was called.
        at: SocketAddr,
    },
}

// === impl Transport ===

impl Transport {
    /// The port that listens; 0 for the Unix socket.
    pub const fn port(self) -> u16 {
        match self {
            Self::Unix => 0,
            Self::Tcp { port } => port,
            Self::Tls { at } => at.port(),
        }
    }

    /// Whether nobody on the way can read it.
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::Tls { .. })
    }

    /// What addresses begin with, and the port they mean when they name none.
    const fn scheme(self) -> (&'static str, u16) {
        if self.is_tls() { ("https://", 443) } else { ("http://", 80) }
    }

    /// Whether `host` is the very address that was called: no name, so nobody else can have it mean another one.
    fn is_at(self, host: &str) -> bool {
        let Self::Tls { at } = self else { return false };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>().is_ok_and(|ip| ip == at.ip().to_canonical())
    }
}

/// Why a request was refused, for the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Absolute-form or other URI that names an authority, or a protocol change.
    Form,
    /// Host missing, twice or of someone else.
    Host,
    /// Origin of someone else.
    Origin,
    /// No token, or not the one.
    Token,
    /// A body that is no JSON.
    Type,
    /// Too large.
    Size,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 6] = [Self::Form, Self::Host, Self::Origin, Self::Token, Self::Type, Self::Size];

    /// Its name in the metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Host => "host",
            Self::Origin => "origin",
            Self::Token => "token",
            Self::Type => "type",
            Self::Size => "size",
        }
    }
}

/// A request that was refused.
#[derive(Debug)]
pub struct Refusal {
    /// Why, for the counters.
    pub reason: Reason,
    pub(crate) failure: Failure,
}

fn refuse(reason: Reason, status: StatusCode, code: Code, message: impl Into<String>, hint: &str) -> Refusal {
    Refusal { reason, failure: Failure { status, problem: Problem::new(code, message, hint) } }
}

/// The host a request is for, without port and in lower case, once its form is sound.
///
/// # Errors
/// A [`Refusal`] when the URI names an authority, the protocol is to be changed by anything but a WebSocket,
/// or Host is not there exactly once with the right port.
pub fn host(parts: &Parts, transport: Transport) -> Result<String, Refusal> {
    let form = |what: &str| {
        let hint = "send a plain HTTP/1.1 request whose target begins with /";
        refuse(Reason::Form, StatusCode::BAD_REQUEST, Code::Usage, what, hint)
    };
    if parts.uri.authority().is_some() || parts.uri.scheme().is_some() || !parts.uri.path().starts_with('/') {
        return Err(form("the request target names a host"));
    }
    if parts.method == Method::CONNECT || parts.method == Method::TRACE {
        return Err(form("this method is not served"));
    }
    if let Some(upgrade) = parts.headers.get(UPGRADE)
        && !upgrade.as_bytes().eq_ignore_ascii_case(b"websocket")
    {
        return Err(form("this change of protocol is not served"));
    }
    let host =
        one(&parts.headers, HOST).map_err(|()| wrong_host("the request names more or less than one host"))?;
    let host = host.ok_or_else(|| wrong_host("the request names no host"))?;
    let (name, port) = split_port(host).ok_or_else(|| wrong_host("the request's host cannot be read"))?;
    if transport != Transport::Unix && port.unwrap_or(transport.scheme().1) != transport.port() {
        return Err(wrong_host("the request names another port"));
    }
    Ok(name.to_ascii_lowercase())
}

/// Whether a request to `host` may be asked who it is of.
///
/// # Errors
/// A [`Refusal`] that says what is wrong with it.
pub fn check(parts: &Parts, host: &str, transport: Transport, auth: &AuthOptions) -> Result<(), Refusal> {
    check_host(host, transport, auth)?;
    if parts.headers.contains_key(UPGRADE) && !terminal::is_asked(parts) {
        let hint = "a terminal is the only WebSocket; events come from GET /v1/events";
        let text = "this change of protocol is not served";
        return Err(refuse(Reason::Form, StatusCode::BAD_REQUEST, Code::Usage, text, hint));
    }
    check_origin(&parts.headers, transport, auth)
}

/// Nobody known asks.
pub(crate) fn unknown(message: &str) -> Refusal {
    let hint = "send `Authorization: Bearer <token>`; who runs the node makes one with: ikigai token new --role viewer";
    refuse(Reason::Token, StatusCode::UNAUTHORIZED, Code::Unauthenticated, message, hint)
}

/// A Linux user of this machine who is no user of this node.
pub(crate) fn stranger(linux: &str) -> Refusal {
    let text = format!("the Linux user {linux} is no user of this node");
    let hint =
        format!("who runs the node lets it in with: ikigai user add <name> --role viewer --linux {linux}");
    refuse(Reason::Token, StatusCode::UNAUTHORIZED, Code::Unauthenticated, text, &hint)
}

/// Whether a browser may be given a page: other sites may lead a person to one, and do nothing else with it.
pub(crate) fn check_page(parts: &Parts) -> Result<(), Refusal> {
    let read = |name: &'static str| one(&parts.headers, HeaderName::from_static(name)).ok().flatten();
    let is_own = matches!(read("sec-fetch-site"), None | Some("same-origin" | "none"));
    let is_led = read("sec-fetch-mode") == Some("navigate") && read("sec-fetch-dest") == Some("document");
    if (is_own || is_led) && !parts.headers.contains_key(UPGRADE) {
        return Ok(());
    }
    let hint = "open it in a browser";
    Err(refuse(Reason::Origin, StatusCode::FORBIDDEN, Code::Denied, "another page asks for this one", hint))
}

fn check_host(host: &str, transport: Transport, auth: &AuthOptions) -> Result<(), Refusal> {
    if is_own_name(host, transport, auth) { Ok(()) } else { Err(wrong_host("this node is not that host")) }
}

pub(crate) fn is_own_name(host: &str, transport: Transport, auth: &AuthOptions) -> bool {
    ["localhost", "127.0.0.1", "[::1]"].contains(&host)
        || transport.is_at(host)
        || auth.hosts.iter().any(|h| h.eq_ignore_ascii_case(host))
}

fn wrong_host(message: &str) -> Refusal {
    let hint = "call http://localhost:<port>, http://127.0.0.1:<port> or http://[::1]:<port>; over TLS, this machine's \
        address or a name of http.hosts in its configuration";
    refuse(Reason::Host, StatusCode::MISDIRECTED_REQUEST, Code::Denied, message, hint)
}

fn check_origin(headers: &HeaderMap, transport: Transport, auth: &AuthOptions) -> Result<(), Refusal> {
    let refusal = |message: &str| {
        let hint = "browser pages of other origins may not call this API";
        refuse(Reason::Origin, StatusCode::FORBIDDEN, Code::Denied, message, hint)
    };
    let site = one(headers, HeaderName::from_static("sec-fetch-site"));
    if !matches!(site, Ok(None | Some("same-origin" | "none"))) {
        return Err(refusal("the request comes from another site"));
    }
    let origin = match one(headers, ORIGIN) {
        Ok(None) => return Ok(()),
        Ok(Some(origin)) => origin,
        Err(()) => return Err(refusal("the request names more than one origin")),
    };
    if transport == Transport::Unix {
        return Err(refusal("the request names an origin"));
    }
    let (scheme, usual) = transport.scheme();
    let good = origin.strip_prefix(scheme).and_then(split_port).is_some_and(|(name, port)| {
        is_own_name(&name.to_ascii_lowercase(), transport, auth) && port.unwrap_or(usual) == transport.port()
    });
    if good { Ok(()) } else { Err(refusal("the request comes from another origin")) }
}

/// Whether a request's body can be read in one way only, and is JSON.
///
/// # Errors
/// A [`Refusal`] that says what is wrong with it.
pub fn check_body(headers: &HeaderMap) -> Result<(), Refusal> {
    // A body whose length is said up front cannot be read in two ways, by us and by whatever stands before us.
    if headers.contains_key(TRANSFER_ENCODING) {
        let (text, hint) = ("the length of the body is not said", "send `Content-Length`, not in chunks");
        return Err(refuse(Reason::Form, StatusCode::LENGTH_REQUIRED, Code::Usage, text, hint));
    }
    let length = one(headers, CONTENT_LENGTH).ok().flatten().and_then(|v| v.parse::<u64>().ok());
    if length.is_some_and(|n| n > MAX_BODY as u64) {
        return Err(Refusal { reason: Reason::Size, failure: Failure::too_large() });
    }
    let has_body = length.is_some_and(|n| n > 0);
    let kind = one(headers, CONTENT_TYPE).ok().flatten().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if has_body && !kind.eq_ignore_ascii_case("application/json") {
        let text = "the body is not said to be JSON";
        let hint = "send `Content-Type: application/json`";
        return Err(refuse(Reason::Type, StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::Usage, text, hint));
    }
    Ok(())
}

/// The one value of a header; `Err` when it is there more than once or is no text.
pub(crate) fn one(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, ()> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| ()),
        _ => Err(()),
    }
}

/// `localhost:7420` as `("localhost", Some(7420))`; an IPv6 address keeps its brackets.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (name, rest) = authority.split_at(end);
    let sound = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    if name.is_empty() || name.len() > 255 || !name.chars().all(sound) {
        return None;
    }
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Some((name, None)),
        Some(port) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            Some((name, Some(port.parse().ok()?)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
