//! Who somebody is, by the word of an identity provider.

use crate::PortResult;
use crate::signer::Secret;
use async_trait::async_trait;
use std::fmt;

/// An identity provider, as OpenID Connect has it.
///
/// * A browser brings back nothing but a code: what it was sent away with is kept by the node, not by it.
/// * An identity is answered only when the provider signed it, for this node, in answer to this very journey, and
///   its time is not over.
/// * A code is good once.
#[async_trait]
pub trait IdentityProvider: fmt::Debug + Send + Sync + 'static {
    /// What people call it.
    fn name(&self) -> &str;

    /// Prepares to send a browser there. [`crate::PortError::Unavailable`] when it does not answer.
    async fn begin(&self) -> PortResult<Journey>;

    /// Who came back from `journey` with `code`. [`crate::PortError::Refused`] when the provider or what it says
    /// cannot be trusted with that.
    async fn finish(&self, journey: &Journey, code: &str) -> PortResult<Identity>;
}

/// A browser on its way to the provider and back.
#[derive(Debug, Clone)]
pub struct Journey {
    /// Where it is sent.
    pub url: String,
    /// What it has to come back with: it names the journey.
    pub state: String,
    /// What the provider's word has to hold: it is for this journey.
    pub nonce: Secret,
    /// What shows the provider that whoever brings the code is who sent the browser.
    pub verifier: Secret,
}

/// Who somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What the provider calls them, for good.
    pub subject: String,
    /// Their e-mail address, when the provider says that it was verified.
    pub email: Option<String>,
}
