//! Conditions a node's tags meet or do not meet.

use super::Tags;
use super::list::{InvalidTags, Item, items};
use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// What one tag of a node must be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Condition {
    /// The tag's key.
    pub key: String,
    /// What is asked of its value.
    pub test: Test,
}

/// What is asked of a tag's value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Test {
    /// It is one of these: `region=eu`, `region in (eu,us)`.
    In(BTreeSet<String>),
    /// It is none of these, or there is no such tag: `region!=eu`, `region notin (eu,us)`.
    NotIn(BTreeSet<String>),
    /// There is such a tag, whatever its value: `gpu exists`.
    Exists,
    /// There is no such tag: `gpu absent`.
    Absent,
}

impl Condition {
    /// `key=value`.
    pub fn is(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), test: Test::In(BTreeSet::from([value.into()])) }
    }

    /// Whether `tags` meet it.
    pub fn met(&self, tags: &Tags) -> bool {
        let value = tags.0.get(&self.key);
        match &self.test {
            Test::In(values) => value.is_some_and(|v| values.contains(v)),
            Test::NotIn(values) => value.is_none_or(|v| !values.contains(v)),
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
        }
    }

    /// Why `tags` do not meet it, as `no tag gpu=true` or `has tag region=eu`; nothing is said of tags that do.
    pub fn refusal(&self, tags: &Tags) -> String {
        match (&self.test, tags.0.get(&self.key)) {
            (Test::NotIn(_) | Test::Absent, Some(value)) => format!("has tag {}={value}", self.key),
            (Test::Exists, _) => format!("no tag {}", self.key),
            _ => format!("no tag {self}"),
        }
    }
}

impl Condition {
    fn pair(&self) -> Option<(&str, &str)> {
        match &self.test {
            Test::In(values) if values.len() == 1 => Some((&self.key, values.first()?)),
            _ => None,
        }
    }
}

const WANTED: &str = "key=value, key!=value, key in (a,b), key notin (a,b), `key exists` or `key absent`";

impl Condition {
    pub(super) fn read(item: Item<'_>) -> Result<Self, InvalidTags> {
        let not = || item.not(WANTED);
        let make = |key: &str, test| Ok(Self { key: item.key(key, WANTED)?, test });
        if let Some((key, word)) = item.text.rsplit_once(char::is_whitespace)
            && matches!(word, "exists" | "absent")
        {
            return make(key, if word == "exists" { Test::Exists } else { Test::Absent });
        }
        if let Some((left, values)) = item.text.strip_suffix(')').and_then(|t| t.split_once('(')) {
            let values = values.split(',').map(|v| item.value(v)).collect::<Result<BTreeSet<_>, _>>()?;
            let (key, word) = left.trim().split_once(char::is_whitespace).ok_or_else(not)?;
            let test = match word.split_whitespace().collect::<Vec<_>>().as_slice() {
                ["in"] => Test::In(values),
                ["notin"] | ["not", "in"] => Test::NotIn(values),
                _ => return Err(not()),
            };
            return make(key, test);
        }
        let at = item.text.find(['=', ':', '!']).ok_or_else(not)?;
        let (key, rest) = item.text.split_at(at);
        let one = |value: &str| item.value(value).map(|v| BTreeSet::from([v]));
        match rest.strip_prefix("!=") {
            Some(value) => make(key, Test::NotIn(one(value)?)),
            None if rest.starts_with('!') => Err(not()),
            None => make(key, Test::In(one(rest.strip_prefix("==").unwrap_or(&rest[1..]))?)),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, many, values) = match &self.test {
            Test::In(values) => ("=", "in", values),
            Test::NotIn(values) => ("!=", "notin", values),
            Test::Exists => return write!(f, "{} exists", self.key),
            Test::Absent => return write!(f, "{} absent", self.key),
        };
        let list: Vec<_> = values.iter().map(String::as_str).collect();
        match list.as_slice() {
            [value] => write!(f, "{}{one}{value}", self.key),
            list => write!(f, "{} {many} ({})", self.key, list.join(",")),
        }
    }
}

/// Conditions a node must meet, all of them; written `gpu=true,region in (eu,us),spot!=true`.
///
/// In JSON it is an object of pairs when it asks for values only, and its text otherwise; both are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Selector(Vec<Condition>);

impl Selector {
    /// All of `conditions`, in the order of their keys.
    pub fn new(conditions: impl IntoIterator<Item = Condition>) -> Self {
        let mut conditions: Vec<_> = conditions.into_iter().collect();
        conditions.sort_unstable();
        conditions.dedup();
        Self(conditions)
    }

    /// Its conditions, in the order of their keys.
    pub fn conditions(&self) -> &[Condition] {
        &self.0
    }

    /// The first condition that `tags` do not meet.
    pub fn unmet(&self, tags: &Tags) -> Option<&Condition> {
        self.0.iter().find(|c| !c.met(tags))
    }

    /// Its pairs, if it asks for one value of each of its keys and for nothing else.
    fn pairs(&self) -> Option<BTreeMap<&str, &str>> {
        let pairs: Option<BTreeMap<_, _>> = self.0.iter().map(Condition::pair).collect();
        pairs.filter(|p| p.len() == self.0.len())
    }
}

impl FromStr for Selector {
    type Err = InvalidTags;

    fn from_str(s: &str) -> Result<Self, InvalidTags> {
        items(s)?.into_iter().map(Condition::read).collect::<Result<Vec<_>, _>>().map(Self::new)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&list.join(","))
    }
}

impl Serialize for Selector {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let Some(pairs) = self.pairs() else { return s.collect_str(self) };
        let mut map = s.serialize_map(Some(pairs.len()))?;
        pairs.iter().try_for_each(|(k, v)| map.serialize_entry(k, v))?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Selector {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Pairs(BTreeMap<String, String>),
            Text(String),
        }
        match Written::deserialize(d)? {
            Written::Pairs(pairs) => Ok(Self::new(pairs.into_iter().map(|(k, v)| Condition::is(k, v)))),
            Written::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Selector {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Selector".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["object", "string"],
            "additionalProperties": { "type": "string" },
            "description": "Conditions a node's tags must meet: an object of pairs, or a text such as \
                `gpu=true,region in (eu,us),spot!=true`.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags() -> Tags {
        "gpu=true,region=eu".parse().unwrap()
    }

    #[test]
    fn each_condition_is_met_or_says_why_not() {
        for (text, refusal) in [
            ("gpu=true", None),
            ("gpu:true, region:eu", None),
            ("gpu==true", None),
            ("region in (eu, us)", None),
            ("region notin (us)", None),
            ("gpu exists", None),
            ("spot absent,spot!=true", None),
            ("region=us", Some("no tag region=us")),
            ("gpu:true, region:us", Some("no tag region=us")),
            ("region!=eu", Some("has tag region=eu")),
            ("region not in (eu,us)", Some("has tag region=eu")),
            ("zone in (b,a)", Some("no tag zone in (a,b)")),
            ("zone exists", Some("no tag zone")),
            ("gpu absent", Some("has tag gpu=true")),
        ] {
            let selector: Selector = text.parse().unwrap();
            let found = selector.unmet(&tags()).map(|c| c.refusal(&tags()));
            assert_eq!(found.as_deref(), refusal, "{text}");
            assert_eq!(selector.to_string().parse(), Ok(selector), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_place() {
        for (text, at, given) in [
            ("gpu", 1, "gpu"),
            ("gpu=true, region", 11, "region"),
            ("=x", 1, "="),
            ("é=1,a!b", 5, "a!b"),
            ("a=1,b within (c)", 5, "b within (c)"),
            ("a=1,b in (c", 5, "b in (c"),
            ("a b=c", 1, "a b=c"),
        ] {
            let error = text.parse::<Selector>().unwrap_err();
            assert_eq!((error.at, error.given.starts_with(given)), (at, true), "{text}: {error}");
        }
        let many = vec!["a=b"; 65].join(",");
        assert!(many.parse::<Selector>().is_err());
        assert!("a".repeat(129).parse::<Tags>().is_err());
        assert!(format!("{}=1", "a".repeat(129)).parse::<Tags>().is_err());
        assert!(format!("a={}", "1".repeat(257)).parse::<Selector>().is_err());
    }
}
