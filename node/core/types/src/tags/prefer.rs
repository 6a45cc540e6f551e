//! Conditions that are wished for: a node that meets one scores higher, a node that does not is not refused.

use super::Condition;
use super::list::{InvalidTags, Item, items};
use crate::text::as_text;
use std::fmt;
use std::str::FromStr;

/// Points of a wish that says nothing of its weight.
const WEIGHT: u16 = 100;

/// One wish.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Preference {
    /// What is wished for.
    pub condition: Condition,
    /// Points a node that meets it gains, 1 to 1000; an empty node has 1000 for its room.
    pub weight: u16,
}

impl Preference {
    fn read(item: Item<'_>) -> Result<Self, InvalidTags> {
        let digits = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_digit());
        let (text, weight) = match item.text.rsplit_once('@') {
            Some((text, weight)) if digits(weight) => (text.trim_end(), weight.parse().unwrap_or(0)),
            _ => (item.text, WEIGHT),
        };
        if !(1..=1000).contains(&weight) {
            return Err(item.not("a condition with a weight of 1 to 1000, such as disk=ssd@200"));
        }
        Ok(Self { condition: Condition::read(item.cut(text))?, weight })
    }
}

impl fmt::Display for Preference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.condition, self.weight)
    }
}

/// Wishes, each with its weight; written `region=eu@300,disk=ssd` (without a weight: 100).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Preferences(pub Vec<Preference>);

impl FromStr for Preferences {
    type Err = InvalidTags;

    fn from_str(s: &str) -> Result<Self, InvalidTags> {
        items(s)?.into_iter().map(Preference::read).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Preferences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&list.join(","))
    }
}

as_text!(Preferences, "Wishes and their weights, such as `region=eu@300,disk=ssd`.");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_read_what_they_print() {
        let wishes: Preferences = "region in (eu,us)@300, disk=ssd,mail=a@b".parse().unwrap();
        let weights: Vec<_> = wishes.0.iter().map(|w| w.weight).collect();
        assert_eq!(weights, [300, 100, 100]);
        assert_eq!(wishes.to_string().parse(), Ok(wishes));
        for bad in ["a=b@0", "a=b@1001", "a=b@99999", "a@5"] {
            assert!(bad.parse::<Preferences>().is_err(), "{bad}");
        }
    }
}
