//! The git adapters against real repositories, some of them hostile.
#![allow(clippy::unwrap_used, reason = "a test's set-up that fails is a failed test")]

mod checkout;
mod forge;
mod hostile;
mod objects;
mod rate;
mod support;
mod workspaces;
