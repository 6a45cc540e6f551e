//! Typed ids: what can be mixed up is a different type.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An id that is not one: what was given and what is wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not a {wanted}")]
pub struct InvalidId {
    /// The text that was refused, cut to 80 characters.
    pub given: String,
    /// What the text should have been.
    pub wanted: &'static str,
}

impl InvalidId {
    fn new(given: &str, wanted: &'static str) -> Self {
        Self { given: given.chars().take(80).collect(), wanted }
    }
}

/// A node: its ed25519 public key. libp2p's PeerId and Radicle's NID are views of it, made in their adapters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId([u8; 32]);

impl NodeId {
    /// The node that holds the private half of `key` (32 raw bytes of an ed25519 public key).
    pub const fn from_bytes(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The raw public key.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight hex digits: enough for people, never for decisions.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({})", self.short())
    }
}

impl FromStr for NodeId {
    type Err = InvalidId;

    fn from_str(s: &str) -> Result<Self, InvalidId> {
        let bad = || InvalidId::new(s, "node id (64 hex digits)");
        if s.len() != 64 || !s.is_ascii() {
            return Err(bad());
        }
        let mut key = [0; 32];
        for (i, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&s[2 * i..2 * i + 2], 16).map_err(|_| bad())?;
        }
        Ok(Self(key))
    }
}

impl Serialize for NodeId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for NodeId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for NodeId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "NodeId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "A node: its ed25519 public key in hexadecimal.",
        })
    }
}

/// Defines a text id that is checked when it is made, so that it can stand in file names, labels and URLs.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $wanted:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub struct $name(String);

        impl $name {
            /// Checks `text`: 1 to the type's maximum of `[A-Za-z0-9._:-]`, beginning with a letter or digit.
            ///
            /// # Errors
            /// [`InvalidId`] when it is anything else.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidId> {
                let text = text.into();
                let good = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
                let first = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
                if first && text.len() <= $max && text.chars().all(good) {
                    Ok(Self(text))
                } else {
                    Err(InvalidId::new(&text, $wanted))
                }
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(s: &str) -> Result<Self, InvalidId> {
                Self::new(s)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(d)?).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_id!(
    /// A task on the mesh: `<project>.<feature>.<T012>`, or `<project>.<n>` outside Spec-Kit. Unique per owner.
    TaskId, "task id (letters, digits and ._:- only)", 120
);
text_id!(
    /// A project: the first eight hex digits of the hash of its forge id, or of its path before it has one.
    ProjectId, "project id", 64
);
text_id!(
    /// What an executor calls a running workload (a container id, a process group).
    WorkloadId, "workload id", 128
);
text_id!(
    /// What the forge calls a patch.
    PatchId, "patch id", 128
);

impl TaskId {
    /// The part people type: `T012` of `1f0c.001-shop.T012`.
    pub fn short(&self) -> &str {
        self.0.rsplit('.').next().unwrap_or(&self.0)
    }
}

/// Fencing token of a task: only grows, and is durable before a grant that carries it leaves its owner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Epoch(pub u64);

impl Epoch {
    /// The next one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Epochs that one owner of a task may grant.
    pub const OF_ONE_OWNER: u64 = 1_000_000;

    /// The epoch a new owner begins above: higher than any that the one before it may grant.
    #[must_use]
    pub const fn taken_over(self) -> Self {
        Self((self.0 / Self::OF_ONE_OWNER + 1) * Self::OF_ONE_OWNER)
    }

    /// Whether the owner has granted all it may.
    pub const fn is_last(self) -> bool {
        self.0 % Self::OF_ONE_OWNER == Self::OF_ONE_OWNER - 1
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One try of a task; the first is number 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AttemptId {
    /// The task that is tried.
    pub task: TaskId,
    /// Which try, from 1.
    pub number: u32,
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.task, self.number)
    }
}

impl FromStr for AttemptId {
    type Err = InvalidId;

    fn from_str(s: &str) -> Result<Self, InvalidId> {
        let bad = || InvalidId::new(s, "attempt id (<task>/<number>)");
        let (task, number) = s.rsplit_once('/').ok_or_else(bad)?;
        Ok(Self { task: task.parse()?, number: number.parse().map_err(|_| bad())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_id_reads_what_it_prints() {
        let id = NodeId::from_bytes([7; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.short(), "07070707");
        assert!("07".parse::<NodeId>().is_err());
        assert!("é".repeat(32).parse::<NodeId>().is_err());
    }

    #[test]
    fn text_ids_refuse_what_could_leave_a_folder_or_a_label() {
        for bad in ["", ".x", "a/b", "a b", "-x", "a\n", "é"] {
            assert!(TaskId::new(bad).is_err(), "{bad:?}");
        }
        assert!(TaskId::new("x".repeat(121)).is_err());
        assert_eq!(TaskId::new("1f0c.001-shop.T012").unwrap().short(), "T012");
    }

    #[test]
    fn attempt_id_reads_what_it_prints() {
        let id = AttemptId { task: TaskId::new("p.f.T001").unwrap(), number: 3 };
        assert_eq!(id.to_string(), "p.f.T001/3");
        assert_eq!("p.f.T001/3".parse(), Ok(id));
        assert!("p.f.T001".parse::<AttemptId>().is_err());
    }
}
