//! Text of agents and repositories, made harmless for a terminal.

pub(crate) use ikigai_types::clean::clean;
