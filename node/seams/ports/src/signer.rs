//! Keys that sign, and secrets that are resolved at the last moment.

use crate::PortResult;
use async_trait::async_trait;
use ikigai_types::Fence;
use std::fmt;
use std::sync::Arc;

/// Signs with a key it does not show.
pub trait Signer: fmt::Debug + Send + Sync + 'static {
    /// The raw ed25519 public key.
    fn public_key(&self) -> [u8; 32];

    /// An ed25519 signature over `message`.
    ///
    /// # Errors
    /// When the key cannot be used now (an agent that went away).
    fn sign(&self, message: &[u8]) -> PortResult<[u8; 64]>;
}

/// Keys the node holds for others: one per attempt, so that what an attempt made can be told from all else.
pub trait Keys: fmt::Debug + Send + Sync + 'static {
    /// The key of an attempt; the same for the same fence, and never inside a container.
    fn for_attempt(&self, fence: &Fence) -> Arc<dyn Signer>;
}

/// Resolves the name of a secret to its value, for one audience.
#[async_trait]
pub trait Secrets: fmt::Debug + Send + Sync + 'static {
    /// The secret called `name`, for use with `audience` (a host) only.
    async fn resolve(&self, name: &str, audience: &str) -> PortResult<Secret>;
}

/// A secret; prints `[redacted]`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
