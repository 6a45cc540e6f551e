//! The proxy between a browser that may be anyone and an agent that may be hostile.
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod browser;
mod harness;
mod hostile;
mod links;
mod passing;
mod websockets;
