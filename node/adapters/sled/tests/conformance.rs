//! The sled backend keeps what the Store port promises.

use ikigai_ports::PortError;
use ikigai_ports::store::{Batch, Store};
use ikigai_ports::testsuite::store::{reopened_store, store};
use ikigai_sled::{SledStore, Syncer};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

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

/// Says that it was reached, then waits before each sync until it is let go.
#[derive(Debug)]
struct Gate(SyncSender<()>, Receiver<()>);

impl Syncer for Gate {
    fn sync_new(&mut self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync(&mut self, _: &Path) -> io::Result<()> {
        // The test may have stopped listening.
        let _ = self.0.try_send(());
        self.1.recv().map_err(io::Error::other)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_durable_is_not_seen() {
    let folder = tempfile::tempdir().unwrap();
    let ((open, gate), (reached, at_the_gate)) = (sync_channel(9), sync_channel(9));
    let store = Arc::new(SledStore::open_with(folder.path(), Gate(reached, gate), None).unwrap());
    open.send(()).unwrap();
    store.commit(Batch::default().put("a", "1").put("b", "1").put("d", "1")).await.unwrap();
    at_the_gate.recv().unwrap();
    let before = store.scan(b"", b"", 9).await.unwrap();
    let batch = Batch::default().put("a", "2").delete("b").put("c", "2");
    let commit = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.commit(batch).await }
    });
    at_the_gate.recv().unwrap();
    assert_eq!(store.scan(b"", b"", 9).await.unwrap(), before);
    assert_eq!(store.scan(b"", b"", 2).await.unwrap(), before[..2]);
    assert_eq!(store.get(b"c").await.unwrap(), None);
    assert_eq!(store.get(b"b").await.unwrap().unwrap().value, b"1");
    open.send(()).unwrap();
    commit.await.unwrap().unwrap();
    assert_eq!(store.get(b"c").await.unwrap().unwrap().value, b"2");
    assert_eq!(store.get(b"b").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_sync_nothing_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let ((open, gate), (reached, _)) = (sync_channel(9), sync_channel(9));
    let store = SledStore::open_with(folder.path(), Gate(reached, gate), None).unwrap();
    open.send(()).unwrap();
    store.commit(Batch::default().put("a", "1")).await.unwrap();
    drop(open);
    for _ in 0..2 {
        let error = store.commit(Batch::default().put("a", "2")).await.unwrap_err();
        assert!(matches!(error, PortError::Unavailable { .. }), "{error}");
    }
    assert_eq!(store.get(b"a").await.unwrap().unwrap().value, b"1", "reads go on with what is durable");
}

#[tokio::test]
async fn a_store_that_is_open_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let _open = SledStore::open(folder.path()).unwrap();
    let error = SledStore::open(folder.path()).unwrap_err();
    assert_eq!(error.to_string(), "the store is open in another process: stop that one first");
}
