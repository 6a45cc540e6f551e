//! The IdentityProvider port on OpenID Connect.
//!
//! Knows one provider: its discovery document, its keys, the authorization code flow with PKCE; deliberately knows no
//! user, no role and no browser. What the provider says is checked by `openidconnect`: signature, issuer, audience,
//! nonce and time. Start reading at [`provider`]; [`fetch`] is all that leaves this machine.
#![deny(missing_docs)]

pub mod fetch;
pub mod provider;

pub use provider::{OidcOptions, OidcProvider};
