//! The editor proxy: one browser origin per agent, nothing of ours inside it.
