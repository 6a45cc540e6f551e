//! What agents may reach beside their model: named entries of endpoints. What none of them allows is denied.
//!
//! The words are those of OpenShell's network policies, as far as a gate that speaks plain HTTP can keep to
//! them. A word that is not known is an error, since it may be the one that restricts.

mod address;
mod ask;
mod host;
mod rule;

pub use address::{AddressKind, kind};
pub use ask::{EgressAsk, EgressDenial, EgressWay};
pub use host::{EgressHost, InvalidHost};
pub use rule::{Allow, EgressRule};

use core::net::IpAddr;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Entries by name: `[egress.<name>]` of a node, or what of them a task may use. Without entries nothing is
/// allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Egress(pub BTreeMap<String, EgressEntry>);

/// One entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EgressEntry {
    /// Where to.
    pub endpoints: Vec<Endpoint>,
}

/// A host and port, and what may be asked of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// A name, an address, or `*.example.com` for every name below one.
    pub host: EgressHost,
    /// The port: 443 with `tls = "passthrough"`, 80 without, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Whether TLS passes unread. Then no method and no path can be judged.
    #[serde(default, skip_serializing_if = "EndpointTls::is_none")]
    pub tls: EndpointTls,
    /// Which methods, on every path; read-only when there are no rules either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// Which methods on which paths, in place of `access`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<EgressRule>,
    /// Addresses of the host that are allowed although they are not public.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_ips: Vec<IpAddr>,
}

/// What is done with TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointTls {
    /// There is none: requests are plain HTTP, and each is judged.
    #[default]
    None,
    /// It passes as it is, through CONNECT.
    Passthrough,
}

/// Methods by what they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// GET, HEAD and OPTIONS, without a body.
    ReadOnly,
    /// Also POST, PUT and PATCH.
    ReadWrite,
    /// Every method.
    Full,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEgress {
    /// Nobody could ask for it.
    #[error("egress.{0} has no endpoints")]
    Empty(String),
    /// Two answers to one question.
    #[error("egress.{0}: {1} has access and rules; give one of them")]
    Both(String, String),
    /// Rules that nothing could be held to.
    #[error(
        "egress.{0}: {1} has tls = \"passthrough\", where no method and no path can be judged: leave out access and rules"
    )]
    Unjudged(String, String),
    /// A rule that is none.
    #[error("egress.{0}: {1}: {2}")]
    Rule(String, String, &'static str),
}

impl Egress {
    /// Whether nothing is allowed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every entry means something.
    ///
    /// # Errors
    /// The first that does not.
    pub fn check(&self) -> Result<(), InvalidEgress> {
        self.0.iter().try_for_each(|(name, entry)| entry.check(name))
    }

    /// The entries called `names`.
    ///
    /// # Errors
    /// The first name that no entry has.
    pub fn named<'n>(&self, names: &'n [String]) -> Result<Self, &'n str> {
        let find = |name: &'n String| self.0.get(name).map(|e| (name.clone(), e.clone())).ok_or(&**name);
        names.iter().map(find).collect::<Result<_, _>>().map(Self)
    }

    /// The first endpoint of `task` that this node does not list at all. How far the two go in methods, paths and
    /// addresses is judged request by request: both have to allow it.
    pub fn lacks<'t>(&self, task: &'t Self) -> Option<&'t Endpoint> {
        let same =
            |a: &Endpoint, b: &Endpoint| a.port() == b.port() && a.tls == b.tls && a.host.covers(&b.host);
        task.endpoints().find(|asked| !self.endpoints().any(|own| same(own, asked)))
    }

    fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.0.values().flat_map(|entry| &entry.endpoints)
    }
}

impl EgressEntry {
    fn check(&self, name: &str) -> Result<(), InvalidEgress> {
        if self.endpoints.is_empty() {
            return Err(InvalidEgress::Empty(name.to_owned()));
        }
        for endpoint in &self.endpoints {
            let at = || (name.to_owned(), endpoint.to_string());
            let ruled = !endpoint.rules.is_empty();
            if endpoint.tls == EndpointTls::Passthrough && (ruled || endpoint.access.is_some()) {
                return Err(InvalidEgress::Unjudged(at().0, at().1));
            }
            if ruled && endpoint.access.is_some() {
                return Err(InvalidEgress::Both(at().0, at().1));
            }
            let wrong = endpoint.rules.iter().find_map(|r| r.wrong());
            if let Some(wrong) = wrong {
                return Err(InvalidEgress::Rule(at().0, at().1, wrong));
            }
        }
        Ok(())
    }
}

impl Endpoint {
    /// The port.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            EndpointTls::None => 80,
            EndpointTls::Passthrough => 443,
        })
    }

    /// Whether `ip`, which its name stands for, may be reached: a public one, or one that is named here.
    pub fn may_reach(&self, ip: IpAddr) -> bool {
        kind(ip) == AddressKind::Public || self.host.address() == Some(ip) || self.allowed_ips.contains(&ip)
    }
}

impl EndpointTls {
    const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

impl Access {
    /// The methods; `None` for all of them.
    pub(crate) const fn methods(self) -> Option<&'static [&'static str]> {
        match self {
            Self::ReadOnly => Some(&["GET", "HEAD", "OPTIONS"]),
            Self::ReadWrite => Some(&["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH"]),
            Self::Full => None,
        }
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port())?;
        match (self.tls, self.access) {
            (EndpointTls::Passthrough, _) => f.write_str(" (TLS, passed through)"),
            (_, _) if !self.rules.is_empty() => f.write_str(" (by rules)"),
            (_, Some(Access::Full)) => f.write_str(" (full)"),
            (_, Some(Access::ReadWrite)) => f.write_str(" (read-write)"),
            _ => f.write_str(" (read-only)"),
        }
    }
}

#[cfg(test)]
mod tests;
