//! agentd as it is started in a container: an ordinary process with a run folder, a home and standard output.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod checks;
mod editor;
mod forward;
mod harness;
mod orphans;
mod program;
mod signals;
mod terminal;
