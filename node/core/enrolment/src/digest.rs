//! Names that are hashes: of a mesh, and of a statement.

use ikigai_types::{InvalidId, NodeId};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Defines a SHA-256 that is written as 64 hex digits.
macro_rules! hash_id {
    ($(#[$doc:meta])* $name:ident, $wanted:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// What was written as these bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The first eight hex digits: enough for people, never for decisions.
            pub fn short(&self) -> String {
                self.to_string()[..8].to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.short())
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(s: &str) -> Result<Self, InvalidId> {
                // A node's id is read the same way: 32 bytes in hexadecimal.
                let id = s.parse::<NodeId>();
                id.map(|id| Self(*id.as_bytes())).map_err(|e| InvalidId { wanted: $wanted, ..e })
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hash_id!(
    /// A mesh: the hash of its founder's key and a number used once. Whoever knows the id can tell the founder.
    MeshId, "mesh id (64 hex digits)"
);
hash_id!(
    /// A statement: the hash of its signer and of what was signed.
    StatementId, "statement id (64 hex digits)"
);

impl MeshId {
    /// The mesh that `founder` makes with `nonce`.
    pub fn of(founder: NodeId, nonce: &str) -> Self {
        Self(sha256(&[b"ikigai/mesh/1\0", founder.as_bytes(), nonce.as_bytes()]))
    }
}

impl StatementId {
    /// The statement whose signed bytes are `signed`. The signature is no part of it: who can sign twice
    /// makes no second statement by that.
    pub fn of(signer: NodeId, signed: &[u8]) -> Self {
        Self(sha256(&[b"ikigai/statement/1\0", signer.as_bytes(), signed]))
    }

    /// A name for all of `ids`, in this order.
    pub(crate) fn all(ids: impl Iterator<Item = Self>) -> Self {
        Self(sha256(&[b"ikigai/roster/1\0", &ids.flat_map(|id| id.0).collect::<Vec<_>>()]))
    }
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, &parts.concat()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mesh_is_named_by_its_founder_and_its_nonce() {
        let (a, b) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
        assert_eq!(MeshId::of(a, "n"), MeshId::of(a, "n"));
        assert_ne!(MeshId::of(a, "n"), MeshId::of(a, "m"));
        assert_ne!(MeshId::of(a, "n"), MeshId::of(b, "n"));
        let id = MeshId::of(a, "n");
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
