//! Judging one request.

use super::{Access, Egress, EgressHost, Endpoint, EndpointTls};
use std::fmt;

/// A request of an agent for a host outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressAsk<'r> {
    /// Its host; never a pattern.
    pub host: EgressHost,
    /// Its port.
    pub port: u16,
    /// How.
    pub way: EgressWay<'r>,
}

/// How a host is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EgressWay<'r> {
    /// A request in plain HTTP.
    Plain {
        /// Its method.
        method: &'r str,
        /// Its path, without the query.
        path: &'r str,
        /// Whether it carries anything.
        body: bool,
    },
    /// A tunnel for TLS.
    Tunnel,
}

/// Why a request is denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EgressDenial {
    /// No endpoint has that host and port.
    NotListed,
    /// The endpoint is for TLS, which goes through CONNECT.
    OnlyTunnel,
    /// The endpoint has no `tls = "passthrough"`.
    OnlyPlain,
    /// Methods that would be allowed.
    Method(String),
    /// No rule has that method on that path.
    Path,
    /// A request that only reads has a body.
    Body,
}

impl Egress {
    /// The endpoints that allow the request; which addresses it may be sent to, [`Endpoint::may_reach`] of them
    /// says.
    ///
    /// # Errors
    /// Why none of them does.
    pub fn judge(&self, ask: &EgressAsk<'_>) -> Result<Vec<&Endpoint>, EgressDenial> {
        let (mut allow, mut nearest) = (Vec::new(), EgressDenial::NotListed);
        let listed = |e: &&Endpoint| e.port() == ask.port && e.host.covers(&ask.host);
        for endpoint in self.endpoints().filter(listed) {
            match endpoint.judge(ask.way) {
                Ok(()) => allow.push(endpoint),
                Err(denial) => nearest = denial,
            }
        }
        if allow.is_empty() { Err(nearest) } else { Ok(allow) }
    }
}

impl Endpoint {
    fn judge(&self, way: EgressWay<'_>) -> Result<(), EgressDenial> {
        match (way, self.tls) {
            (EgressWay::Tunnel, EndpointTls::Passthrough) => Ok(()),
            (EgressWay::Tunnel, EndpointTls::None) => Err(EgressDenial::OnlyPlain),
            (EgressWay::Plain { .. }, EndpointTls::Passthrough) => Err(EgressDenial::OnlyTunnel),
            (EgressWay::Plain { method, path, body }, EndpointTls::None) => self.plain(method, path, body),
        }
    }

    fn plain(&self, method: &str, path: &str, body: bool) -> Result<(), EgressDenial> {
        if !self.rules.is_empty() {
            let any = self.rules.iter().any(|rule| rule.allows(method, path));
            return if any { Ok(()) } else { Err(EgressDenial::Path) };
        }
        let access = self.access.unwrap_or(Access::ReadOnly);
        match access.methods() {
            Some(methods) if !methods.contains(&method) => Err(EgressDenial::Method(methods.join(", "))),
            _ if access == Access::ReadOnly && body => Err(EgressDenial::Body),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for EgressDenial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotListed => f.write_str("it is not listed"),
            Self::OnlyTunnel => f.write_str("it is listed for TLS alone, which goes through CONNECT"),
            Self::OnlyPlain => f.write_str("it is listed without tls = \"passthrough\""),
            Self::Method(methods) => write!(f, "only {methods} are listed"),
            Self::Path => f.write_str("no rule lists that method on that path"),
            Self::Body => f.write_str("it is listed as read-only, and the request has a body"),
        }
    }
}
