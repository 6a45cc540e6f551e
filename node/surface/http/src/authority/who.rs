//! Who a request is of, by what it shows.

use super::{Authority, now};
use crate::AuthOptions;
use crate::api::Peer;
use crate::guard::{self, Refusal, Transport, one};
use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName};
use ikigai_access::{Kind, Principal, Via};

/// Header with the half of a session that the page keeps.
pub(crate) const KEY: HeaderName = HeaderName::from_static("x-ikigai-key");

impl Authority {
    /// Who a request is of. Who sends a token means it: a wrong one is refused, session or not. Without any of
    /// them it is nobody's; over a Unix socket, of the user whom the kernel named.
    pub(crate) fn who(
        &self,
        headers: &HeaderMap,
        peer: &Peer,
        auth: &AuthOptions,
    ) -> Result<Principal, Refusal> {
        if headers.contains_key(AUTHORIZATION) {
            return self.bearer(headers, auth);
        }
        match (peer.transport, peer.linux.as_deref()) {
            (Transport::Unix, None) => Ok(Principal::owner(Via::Socket)),
            (Transport::Unix, Some(linux)) => {
                self.directory().linux(linux).ok_or_else(|| guard::stranger(linux))
            }
            (transport @ (Transport::Tcp { .. } | Transport::Tls { .. }), _) => {
                Ok(self.session(headers, transport.port()).unwrap_or(Principal::Nobody))
            }
        }
    }

    fn bearer(&self, headers: &HeaderMap, auth: &AuthOptions) -> Result<Principal, Refusal> {
        let given = one(headers, AUTHORIZATION).ok().flatten();
        let given = given.ok_or_else(|| guard::unknown("the token cannot be read"))?;
        let token = match given.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token,
            _ => return Err(guard::unknown("a bearer token is needed")),
        };
        if auth.token.as_ref().is_some_and(|hash| hash.admits(token)) {
            return Ok(Principal::owner(Via::Folder));
        }
        let kind = if token.starts_with("iks_") { Kind::Share } else { Kind::Token };
        let found = self.directory().admit(kind, token, now()).map(|(who, _)| who);
        found.ok_or_else(|| guard::unknown("the token is not this node's, or works no more"))
    }

    fn session(&self, headers: &HeaderMap, port: u16) -> Option<Principal> {
        let secret = named(headers, port)?;
        self.directory().admit(Kind::Session, &secret, now()).map(|(who, _)| who)
    }
}

/// Name of the cookie: several nodes of one machine are one host to a browser.
pub(crate) fn cookie_name(port: u16) -> String {
    format!("ikigai-{port}")
}

/// The session a request names, both halves of it.
fn named(headers: &HeaderMap, port: u16) -> Option<String> {
    let key = one(headers, KEY).ok()??;
    cookie(headers, &cookie_name(port)).map(|cookie| format!("{cookie}.{key}"))
}

/// The one cookie of this name.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let values = headers.get_all(COOKIE).into_iter().filter_map(|v| v.to_str().ok());
    let pairs = values.flat_map(|v| v.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut ours = pairs.filter(|(n, _)| *n == name).map(|(_, value)| value);
    match (ours.next(), ours.next()) {
        (Some(cookie), None) => Some(cookie),
        _ => None,
    }
}
