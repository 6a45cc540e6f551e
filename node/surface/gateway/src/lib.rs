//! The only way out of an agent's container: metered, logged, denied by default.
//!
//! Knows one Unix socket per attempt, the two calls of a model's API that pass through it, the hosts that are
//! listed for it, and agentd's two connections; deliberately knows no credential (the provider adds it, behind
//! the `Model` port), no budget and no task. Start reading at [`gateway`], then `route`, which says what passes,
//! and `egress` for hosts outside.
//!
//! Invariants: what is not listed in `route` is denied and told; of a model call nothing a client sent but its
//! body goes upstream, and of the answer only status, content type, retry-after and body come back; a host outside
//! is reached only when the task's list and the node's both allow it, over an address that was looked at, and gets
//! no credential; neither bodies nor headers are ever logged.
#![deny(missing_docs)]

mod admit;
mod agentd;
mod answer;
mod egress;
mod gate;
pub mod gateway;
pub mod limits;
mod listen;
mod meter;
mod none;
mod notices;
mod relay;
mod route;
mod tied;

pub use gateway::{Gateway, GatewayOptions};
pub use limits::GateLimits;
