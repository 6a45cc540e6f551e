//! A person who types into an agent's terminal.

use crate::NodeId;
use serde::{Deserialize, Serialize};

/// Longest name of a person, in bytes.
const MAX_NAME: usize = 96;

/// A person who types, and the node they came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Writer {
    /// Name of the person, and where they came in: `alice@laptop`. Made of letters, digits and `._@-`.
    pub name: String,
    /// The node.
    pub node: NodeId,
}

impl Writer {
    /// Somebody called `name` on `node`: what is no letter, digit or one of `._@-` is replaced, and it is cut.
    pub fn new(name: &str, node: NodeId) -> Self {
        Self { name: plain(name), node }
    }
}

/// The name of a person as everybody may be shown it.
pub(crate) fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._@-".contains(c) { c } else { '-' };
    let name: String = name.chars().take(MAX_NAME).map(plain).collect();
    if name.is_empty() { "somebody".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expect: &str) {
        assert_eq!(Writer::new(name, NodeId::from_bytes([1; 32])).name, expect);
    }

    #[test]
    fn names_are_made_plain() {
        check("alice", "alice");
        check("a.b@c_d-1", "a.b@c_d-1");
        check("a\u{1b}[0m b", "a--0m-b");
        check("", "somebody");
        check(&"é".repeat(100), &"-".repeat(96));
    }
}
