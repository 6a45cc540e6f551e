//! Tags on nodes and conditions on them.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// `key=value` pairs a node carries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Tags(pub BTreeMap<String, String>);

/// Pairs a node must carry, all of them; written `gpu=true,region=eu`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Selector(pub BTreeMap<String, String>);

impl Selector {
    /// The first pair that `tags` does not carry, as `key=value`.
    pub fn unmet(&self, tags: &Tags) -> Option<String> {
        let unmet = self.0.iter().find(|(k, v)| tags.0.get(*k) != Some(v));
        unmet.map(|(k, v)| format!("{k}={v}"))
    }
}

/// A list of pairs that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a list of key=value pairs")]
pub struct InvalidPairs(String);

fn pairs(s: &str) -> Result<BTreeMap<String, String>, InvalidPairs> {
    let parts = s.split(',').map(str::trim).filter(|p| !p.is_empty());
    let pair = |p: &str| match p.split_once(['=', ':']) {
        Some((k, v)) if !k.trim().is_empty() => Ok((k.trim().to_owned(), v.trim().to_owned())),
        _ => Err(InvalidPairs(p.chars().take(80).collect())),
    };
    parts.map(pair).collect()
}

impl FromStr for Selector {
    type Err = InvalidPairs;
    fn from_str(s: &str) -> Result<Self, InvalidPairs> {
        pairs(s).map(Self)
    }
}

impl FromStr for Tags {
    type Err = InvalidPairs;
    fn from_str(s: &str) -> Result<Self, InvalidPairs> {
        pairs(s).map(Self)
    }
}

impl fmt::Display for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: Vec<_> = self.0.iter().map(|(k, v)| format!("{k}={v}")).collect();
        f.write_str(&text.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selector_names_the_unmet_pair() {
        let tags: Tags = "gpu=true,region=eu".parse().unwrap();
        assert_eq!("gpu=true".parse::<Selector>().unwrap().unmet(&tags), None);
        let us: Selector = "gpu:true, region:us".parse().unwrap();
        assert_eq!(us.unmet(&tags).as_deref(), Some("region=us"));
        assert!("gpu".parse::<Selector>().is_err());
    }
}
