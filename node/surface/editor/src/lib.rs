//! The editor proxy: one browser origin per agent, nothing of ours inside it.
//!
//! Knows who may see an agent's editor and what may pass between a browser and it; deliberately knows no task,
//! no container and no code-server. Whatever answers behind the proxy is the agent's: it is taken to be hostile.
//! Start reading at [`proxy`], then [`gatekeeper`], which is where everything is refused.
//!
//! What holds: a request reaches an agent only with that agent's session; no cookie, token or header of ours
//! does, ever; no answer of an agent leads a browser to another origin or sets a cookie of ours.
#![deny(missing_docs)]

pub mod gatekeeper;
pub mod host;
pub mod inbound;
pub mod outbound;
pub mod page;
pub mod path;
pub mod proxy;
pub mod relay;

pub use page::{Body, BodyError};
pub use proxy::{EditorOptions, EditorProxy};
