//! The Radicle adapter against the real programs, on loopback only.
#![allow(clippy::unwrap_used, reason = "a test's set-up that fails is a failed test")]

mod forge;
mod life;
mod support;
