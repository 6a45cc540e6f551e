//! Inviting, joining, removing: between nodes of one process, each with its own store.

mod join;
mod node;
mod spread;
