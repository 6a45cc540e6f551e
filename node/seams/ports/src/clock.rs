//! Time and chance, so that neither is read anywhere else.

use async_trait::async_trait;
use ikigai_types::Timestamp;
use std::fmt;
use std::time::Duration;

/// The wall clock for records, and waiting by the monotonic clock.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
    /// Returns after `d`. Cancel-safe.
    async fn sleep(&self, d: Duration);
}

/// Unpredictable bytes, fit for tokens and keys.
pub trait Rng: fmt::Debug + Send + Sync + 'static {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);

    /// `N` fresh bytes in lower-case hex.
    fn hex(&self, n: usize) -> String {
        let mut bytes = vec![0; n];
        self.fill(&mut bytes);
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }
}
