//! The memory backends keep what the ports promise.

use ikigai_memory::{MemoryArbiter, MemoryLogs, MemoryStore, VirtualClock};
use ikigai_ports::{Arbiter, testsuite};
use ikigai_types::Timestamp;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn store() {
    testsuite::store::store(async || Arc::new(MemoryStore::new()) as _).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logs() {
    testsuite::logs::logs(async || Arc::new(MemoryLogs::new()) as _).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn arbiter() {
    let arbiter = MemoryArbiter::new(Arc::new(VirtualClock::new(Timestamp(1_000))));
    let arbiter: Arc<dyn Arbiter> = Arc::new(arbiter);
    testsuite::arbiter::conforms(&arbiter, &arbiter).await;
}
