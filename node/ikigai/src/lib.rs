//! A node to embed: configuration, backends, builder.
//!
//! Knows which backend stands behind each port, and nothing else of them; deliberately decides nothing about
//! tasks. Start reading at [`Node::builder`], then `backends.rs`, the whole configuration story on one page.
//!
//! ```no_run
//! # async fn example() -> Result<(), ikigai::BuildError> {
//! let node = ikigai::Node::builder().home("/var/lib/ikigai").start().await?;
//! println!("{} listens on {}", node.id(), node.socket().display());
//! node.stop().await;
//! # Ok(())
//! # }
//! ```
#![deny(missing_docs)]

mod adapters;
pub mod backends;
mod builder;
pub mod config;
mod home;
mod hosts;
mod keys;
mod mesh;
mod node;
mod notices;
mod secrets;
pub mod system;
mod web;

pub use builder::{BuildError, NodeBuilder};
pub use config::{Config, ConfigError, Layers};
pub use home::{Home, default_home};
pub use ikigai_ports as ports;
pub use ikigai_ports::NodeHandle;
pub use ikigai_types as types;
pub use ikigai_wire as wire;
pub use node::Node;

/// Version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
