//! The sled backend keeps what the Store port promises.

use ikigai_ports::testsuite::store::{reopened_store, store};
use ikigai_sled::SledStore;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_port() {
    let (folder, next) = (tempfile::tempdir().unwrap(), AtomicUsize::new(0));
    let fresh = || folder.path().join(next.fetch_add(1, Ordering::Relaxed).to_string());
    store(async || Arc::new(SledStore::open(fresh()).unwrap()) as _).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_it_over_reopening() {
    let folder = tempfile::tempdir().unwrap();
    reopened_store(async || Arc::new(SledStore::open(folder.path().join("store")).unwrap()) as _).await;
}

#[tokio::test]
async fn a_store_that_is_open_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let _open = SledStore::open(folder.path()).unwrap();
    let error = SledStore::open(folder.path()).unwrap_err();
    assert_eq!(error.to_string(), "the store is open in another process: stop that one first");
}
