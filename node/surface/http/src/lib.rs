//! The HTTP API of a node: REST, server-sent events and its OpenAPI document.
//!
//! Knows paths, headers and who may call; deliberately knows nothing of how a node does what it is asked:
//! it speaks to a [`NodeHandle`](ikigai_ports::NodeHandle) and to nothing else. No request reaches a handler
//! before [`guard`] let it through. Start reading at [`api`], then [`guard`], then `routes`.
#![deny(missing_docs)]

pub mod api;
pub mod auth;
pub mod authority;
pub mod guard;
pub mod listen;
pub mod openapi;
pub mod serve;
pub mod site;
pub mod tls;

mod audit;
mod frames;
mod idempotency;
mod linux;
mod metrics;
mod reply;
mod routes;

pub use api::{Api, ApiOptions, Front, HostBody, HostService, Oidc};
pub use auth::{AuthOptions, TokenHash};
pub use authority::Authority;
pub use listen::{ListenError, Listener};
pub use site::{Site, SiteFile};
pub use tls::Tls;
