//! Workspaces, safe collection of results, and the Forge port on a bare git repository.
//!
//! Knows how to drive the `git` program so that nothing a repository says can make it run anything;
//! deliberately knows no policy: what is made, merged or deleted is decided above. Start reading at
//! [`workspaces`], then [`collect`](workspaces::GitWorkspaces), then [`merge`].

mod batch;
pub mod checkout;
mod collect;
pub mod command;
mod commit;
pub mod copies;
mod create;
pub mod forge;
mod hostile;
mod ignore;
mod import;
pub mod merge;
mod moved;
pub mod names;
mod objects;
mod patience;
mod quarantine;
mod salvage;
pub mod signature;
mod turns;
pub mod view;
pub mod workspaces;

pub use checkout::GitCheckout;
pub use command::{Call, Git, GitError};
pub use copies::{Copies, Standing};
pub use forge::{GitForge, Place};
pub use turns::Turn;
pub use view::View;
pub use workspaces::GitWorkspaces;
