//! Taints: what keeps work off a node; tolerations: work that does not mind.

use crate::tags::InvalidTags;
use crate::text::as_text;
use std::fmt;
use std::str::FromStr;

/// What a taint does to work that does not tolerate it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaintEffect {
    /// It is not placed there.
    #[default]
    NoSchedule,
    /// It is placed there only if other nodes are clearly fuller.
    PreferNoSchedule,
}

impl TaintEffect {
    const fn name(self) -> &'static str {
        match self {
            Self::NoSchedule => "no-schedule",
            Self::PreferNoSchedule => "prefer-no-schedule",
        }
    }

    fn read(text: &str) -> Option<Self> {
        // Kubernetes writes NoSchedule; people write both.
        let plain: String = text.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect();
        match plain.as_str() {
            "noschedule" => Some(Self::NoSchedule),
            "prefernoschedule" => Some(Self::PreferNoSchedule),
            _ => None,
        }
    }
}

/// A mark on a node that keeps work off; written `gpu=true:no-schedule` or `spot:prefer-no-schedule`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value; empty when it has none.
    pub value: String,
    /// What it does.
    pub effect: TaintEffect,
}

/// Work that does not mind a taint; written `gpu=true`, `gpu` (any value) or `*` (any taint).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Toleration {
    /// The taint's key; `None` stands for every taint.
    pub key: Option<String>,
    /// The taint's value; `None` stands for every value.
    pub value: Option<String>,
}

impl Toleration {
    /// Whether it covers `taint`.
    pub fn covers(&self, taint: &Taint) -> bool {
        self.key.as_ref().is_none_or(|k| *k == taint.key)
            && self.value.as_ref().is_none_or(|v| *v == taint.value)
    }
}

impl Taint {
    /// Whether one of `tolerations` covers it.
    pub fn tolerated(&self, tolerations: &[Toleration]) -> bool {
        tolerations.iter().any(|t| t.covers(self))
    }
}

fn word(text: &str, most: usize) -> Option<&str> {
    let bad = |c: char| c.is_whitespace() || c.is_control() || "!=()@,:".contains(c);
    (text.len() <= most && !text.contains(bad)).then_some(text)
}

fn invalid(given: &str, wanted: &'static str) -> InvalidTags {
    InvalidTags { given: given.chars().take(80).collect(), at: 1, wanted }
}

impl FromStr for Taint {
    type Err = InvalidTags;

    fn from_str(s: &str) -> Result<Self, InvalidTags> {
        let bad = || invalid(s, "a taint such as gpu=true:no-schedule or spot:prefer-no-schedule");
        let (pair, effect) = match s.trim().rsplit_once(':') {
            Some((pair, effect)) => (pair, TaintEffect::read(effect).ok_or_else(bad)?),
            None => (s.trim(), TaintEffect::NoSchedule),
        };
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let key = word(key, 128).filter(|k| !k.is_empty()).ok_or_else(bad)?;
        let value = word(value, 256).ok_or_else(bad)?;
        Ok(Self { key: key.to_owned(), value: value.to_owned(), effect })
    }
}

impl fmt::Display for Taint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let equals = if self.value.is_empty() { "" } else { "=" };
        write!(f, "{}{equals}{}:{}", self.key, self.value, self.effect.name())
    }
}

impl FromStr for Toleration {
    type Err = InvalidTags;

    fn from_str(s: &str) -> Result<Self, InvalidTags> {
        let bad = || invalid(s, "a toleration such as gpu=true, gpu or *");
        let text = s.trim();
        if text == "*" {
            return Ok(Self { key: None, value: None });
        }
        let (key, value) = text.split_once('=').map_or((text, None), |(k, v)| (k, Some(v)));
        let key = word(key, 128).filter(|k| !k.is_empty()).ok_or_else(bad)?;
        let value = value.map(|v| word(v, 256).ok_or_else(bad)).transpose()?;
        Ok(Self { key: Some(key.to_owned()), value: value.map(str::to_owned) })
    }
}

impl fmt::Display for Toleration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key.as_deref().unwrap_or("*"))?;
        self.value.as_ref().map_or(Ok(()), |v| write!(f, "={v}"))
    }
}

as_text!(Taint, "What keeps work off a node, such as `gpu=true:no-schedule`.");
as_text!(Toleration, "A taint that is tolerated: `gpu=true`, `gpu` or `*`.");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taints_and_tolerations_read_what_they_print() {
        for text in ["gpu=true:no-schedule", "spot:prefer-no-schedule"] {
            assert_eq!(text.parse::<Taint>().unwrap().to_string(), text);
        }
        let short: Taint = "gpu=true".parse().unwrap();
        assert_eq!(short, "gpu=true:NoSchedule".parse().unwrap());
        for bad in ["", "=x", "gpu:never", "a b", "a=b=c:no-schedule"] {
            assert!(bad.parse::<Taint>().is_err(), "{bad}");
        }
        for (text, covers) in
            [("gpu=true", true), ("gpu", true), ("*", true), ("gpu=false", false), ("spot", false)]
        {
            let toleration: Toleration = text.parse().unwrap();
            assert_eq!((toleration.to_string().as_str(), toleration.covers(&short)), (text, covers));
        }
        assert!("".parse::<Toleration>().is_err());
    }
}
