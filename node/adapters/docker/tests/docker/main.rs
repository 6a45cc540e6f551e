//! The Docker executor against a real engine.
#![allow(clippy::unwrap_used)] // Helpers of tests fail by panicking.

mod conformance;
mod early_end;
mod engine;
mod escape;
mod in_a_container;
