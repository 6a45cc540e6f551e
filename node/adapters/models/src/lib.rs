//! The Model port over HTTP providers, and a scripted provider.
//!
//! Knows how a Responses API call travels to one provider and how its credential is added on the way;
//! deliberately knows nothing of tasks, budgets or of who may call what. Start reading at [`http`]; [`scripted`] is
//! the provider that needs no account.
//!
//! Invariants: a credential goes to the host it was configured for and nowhere else; nothing that leaves
//! this crate carries it.
#![deny(missing_docs)]

pub mod http;
pub mod scripted;

pub use http::{HttpModel, HttpModelOptions};
pub use ikigai_types::{Price, Prices, Tokens};
pub use scripted::ScriptedModel;
