//! The other nodes: who they are, what they have, and the way to them.

mod neighbours;
mod objects;

pub(crate) use neighbours::Neighbours;
pub(crate) use objects::fetch;
