//! The only way out of an agent's container: metered, logged, denied by default.
//!
//! Knows one Unix socket per attempt, the two calls of a model's API that pass through it, and agentd's
//! two connections; deliberately knows no credential (the provider adds it, behind the `Model` port), no
//! budget and no task. Start reading at [`gateway`], then `route`, which says what passes.
//!
//! Invariants: what is not listed in `route` is denied and told; nothing a client sent but its body goes
//! upstream; of an upstream's answer only status, content type, retry-after and body come back; neither
//! bodies nor headers are ever logged.
#![deny(missing_docs)]

mod admit;
mod agentd;
mod answer;
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
