//! The memory backends keep what the ports promise.

use ikigai_memory::{MemoryLogs, MemoryStore};
use ikigai_ports::testsuite;
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn store() {
    testsuite::store::store(async || Arc::new(MemoryStore::new()) as _).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logs() {
    testsuite::logs::logs(async || Arc::new(MemoryLogs::new()) as _).await;
}
