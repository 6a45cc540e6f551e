//! Every trait through which a node touches the world, and their conformance suites.
//!
//! Knows what a node asks of the world and what each answer promises; deliberately knows no vendor and no
//! policy. Start reading at [`store`], then [`executor`], then [`node`], the trait all surfaces talk to.
//!
//! Every port: at most eight verbs, usable as `&dyn`, guarantees in its documentation, and an error whose
//! variants say what the caller can do, with the vendor's error as its source.
#![deny(missing_docs)]

pub mod arbiter;
pub mod checkout;
pub mod clock;
pub mod enrolment;
pub mod error;
#[cfg(feature = "escape")]
pub mod escape;
pub mod executor;
pub mod forge;
pub mod gate;
pub mod group;
pub mod identity;
pub mod logs;
pub mod mesh;
pub mod model;
pub mod node;
pub mod notice;
pub mod objects;
pub mod peer;
pub mod rpc;
pub mod signer;
pub mod store;
pub mod terminal;
#[cfg(feature = "testsuite")]
pub mod testsuite;
pub mod workspace;

pub use arbiter::Arbiter;
pub use checkout::Checkout;
pub use clock::{Clock, Rng};
pub use enrolment::Enrolment;
pub use error::{PortError, PortResult};
pub use executor::Executor;
pub use forge::Forge;
pub use gate::{EditorLinks, Gates, Holder};
pub use identity::IdentityProvider;
pub use logs::Logs;
pub use mesh::Mesh;
pub use model::Model;
pub use node::NodeHandle;
pub use notice::{Channel, Notices};
pub use objects::Objects;
pub use peer::{Peer, Peers};
pub use signer::{Keys, Secrets, Signer};
pub use store::Store;
pub use terminal::Terminals;
pub use workspace::Workspaces;
