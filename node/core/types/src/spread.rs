//! Keeping work that belongs together apart.

use crate::tags::InvalidTags;
use crate::text::as_text;
use std::fmt;
use std::str::FromStr;

/// What is kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Apart {
    /// Attempts of the same task.
    Task,
    /// Tasks of the same group: one feature.
    Group,
}

/// What it is kept apart by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// By node.
    Node,
    /// By the value of this tag; a node without it is a domain of its own.
    Tag(String),
}

/// Two that are kept apart do not share a domain; written `node`, `group:zone` or, as a wish, `group:node@200`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spread {
    /// What is kept apart.
    pub apart: Apart,
    /// By what.
    pub by: Domain,
    /// `None`: a domain that has one is refused. Otherwise points a node loses for each that its domain has.
    pub weight: Option<u16>,
}

impl FromStr for Spread {
    type Err = InvalidTags;

    fn from_str(s: &str) -> Result<Self, InvalidTags> {
        let wanted = "`node`, a tag's key, or one of them with group: before it and @1 to @1000 after it";
        let bad = || InvalidTags { given: s.chars().take(80).collect(), at: 1, wanted };
        let (text, weight) = match s.trim().rsplit_once('@') {
            Some((text, weight)) => {
                let weight = weight.parse().ok().filter(|w| (1..=1000).contains(w)).ok_or_else(bad)?;
                (text, Some(weight))
            }
            None => (s.trim(), None),
        };
        let (apart, key) = match text.split_once(':') {
            Some(("group", key)) => (Apart::Group, key),
            Some(("task", key)) => (Apart::Task, key),
            Some(_) => return Err(bad()),
            None => (Apart::Task, text),
        };
        let odd = |c: char| c.is_whitespace() || c.is_control() || "!=()@,".contains(c);
        if key.is_empty() || key.len() > 128 || key.contains(odd) {
            return Err(bad());
        }
        let by = if key == "node" { Domain::Node } else { Domain::Tag(key.to_owned()) };
        Ok(Self { apart, by, weight })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = if self.apart == Apart::Group { "group:" } else { "" };
        let key = match &self.by {
            Domain::Node => "node",
            Domain::Tag(key) => key,
        };
        write!(f, "{group}{key}")?;
        self.weight.map_or(Ok(()), |w| write!(f, "@{w}"))
    }
}

as_text!(
    Spread,
    "Keeps attempts (or with `group:` tasks of a feature) apart: `node`, `group:zone`, `group:node@200`."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_reads_what_it_prints() {
        for text in ["node", "zone", "group:node", "group:zone@200", "node@1000"] {
            assert_eq!(text.parse::<Spread>().unwrap().to_string(), text);
        }
        assert_eq!("task:node".parse::<Spread>().unwrap().apart, Apart::Task);
        for bad in ["", "group:", "model:node", "node@0", "node@1001", "node@x", "a b"] {
            assert!(bad.parse::<Spread>().is_err(), "{bad}");
        }
    }
}
