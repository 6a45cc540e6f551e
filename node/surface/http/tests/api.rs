//! The API over real sockets: who gets in, what is refused, what streams.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "api/served.rs"]
mod served;

#[path = "api/access.rs"]
mod access;
#[path = "api/calls.rs"]
mod calls;
#[path = "api/ended.rs"]
mod ended;
#[path = "api/front.rs"]
mod front;
#[path = "api/hosts.rs"]
mod hosts;
#[path = "api/listeners.rs"]
mod listeners;
#[path = "api/openapi.rs"]
mod openapi;
#[path = "api/share.rs"]
mod share;
#[path = "api/streams.rs"]
mod streams;
#[path = "api/terminal.rs"]
mod terminal;
