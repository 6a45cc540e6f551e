//! The process executor on this machine.
#![allow(clippy::unwrap_used)] // Helpers of tests fail by panicking.

mod conformance;
mod escape;
mod outlive;
mod unprivileged;
