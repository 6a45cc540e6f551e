//! Hosts as policies and requests name them.

use core::net::IpAddr;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Longest name.
const MAX: usize = 253;

/// A name in lower case, an address, or with `*.` before it every name below one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EgressHost {
    below: bool,
    name: String,
}

/// A text that is no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a host: write docs.example.com, *.example.com or an address")]
pub struct InvalidHost(String);

impl EgressHost {
    /// The host of a request: a name or an address, never a pattern.
    ///
    /// # Errors
    /// When it is neither.
    pub fn exact(text: &str) -> Result<Self, InvalidHost> {
        let host: Self = text.parse()?;
        if host.below { Err(invalid(text)) } else { Ok(host) }
    }

    /// The address, when it is one.
    pub fn address(&self) -> Option<IpAddr> {
        if self.below { None } else { self.name.parse().ok() }
    }

    /// The name or address, as a resolver takes it; of a pattern what stands behind `*.`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether everything `other` stands for is meant by this one.
    pub fn covers(&self, other: &Self) -> bool {
        if !self.below {
            return self == other;
        }
        let under = other.name.strip_suffix(&self.name).is_some_and(|front| front.ends_with('.'));
        (other.below && other.name == self.name) || (under && other.address().is_none())
    }
}

impl FromStr for EgressHost {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let (below, rest) = text.strip_prefix("*.").map_or((false, text), |rest| (true, rest));
        let bare = rest.strip_prefix('[').and_then(|r| r.strip_suffix(']'));
        if let Ok(address) = bare.unwrap_or(rest).parse::<IpAddr>() {
            // One spelling for each address; and one that stands for another is that other.
            let name = address.to_canonical().to_string();
            return if below { Err(invalid(text)) } else { Ok(Self { below, name }) };
        }
        let name = rest.strip_suffix('.').unwrap_or(rest).to_ascii_lowercase();
        let label = |l: &str| {
            !l.is_empty()
                && l.len() <= 63
                && l.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        if bare.is_some() || name.len() > MAX || !name.split('.').all(label) {
            return Err(invalid(text));
        }
        Ok(Self { below, name })
    }
}

fn invalid(text: &str) -> InvalidHost {
    InvalidHost(text.chars().filter(|c| !c.is_control()).take(80).collect())
}

impl fmt::Display for EgressHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address() {
            Some(IpAddr::V6(address)) => write!(f, "[{address}]"),
            _ if self.below => write!(f, "*.{}", self.name),
            _ => f.write_str(&self.name),
        }
    }
}

impl TryFrom<String> for EgressHost {
    type Error = InvalidHost;

    fn try_from(text: String) -> Result<Self, InvalidHost> {
        text.parse()
    }
}

impl From<EgressHost> for String {
    fn from(host: EgressHost) -> Self {
        host.to_string()
    }
}
