//! Keys of attempts, derived from the node's: never stored, never in a container, the same after a restart.

use ikigai_ports::{Keys, Signer};
use ikigai_radicle::KeySigner;
use ikigai_types::Fence;
use std::fmt;
use std::sync::Arc;

/// Derives one key per fence by HMAC-SHA-256 of the fence under the node's seed.
pub(crate) struct AttemptKeys(ring::hmac::Key);

impl AttemptKeys {
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        Self(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, seed))
    }
}

impl Keys for AttemptKeys {
    fn for_attempt(&self, fence: &Fence) -> Arc<dyn Signer> {
        let tag = ring::hmac::sign(&self.0, format!("ikigai/attempt-key/v1/{fence}").as_bytes());
        let mut seed = [0; 32];
        seed.copy_from_slice(tag.as_ref());
        Arc::new(KeySigner::from_seed(seed))
    }
}

impl fmt::Debug for AttemptKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AttemptKeys([redacted])")
    }
}
