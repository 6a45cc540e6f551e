//! The Channel port: signed webhooks, ntfy, and the desktop.
//!
//! Knows how a message is written for each; deliberately knows nothing of when one is sent. Start reading at
//! [`webhook`]; what both HTTP ways share is in [`post`].
//!
//! Invariant: a credential goes to the host it is configured for, over TLS or within this machine, and nowhere else:
//! no redirect is followed and no proxy variable is read.
#![deny(missing_docs)]

pub mod desktop;
pub mod ntfy;
pub mod post;
pub mod webhook;

pub use desktop::Desktop;
pub use ntfy::Ntfy;
pub use webhook::Webhook;
