//! The segment files keep what the Logs port promises.

use ikigai_embedded::SegmentLogs;
use ikigai_ports::testsuite::logs::{logs, reopened_logs};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test(flavor = "multi_thread")]
async fn keeps_the_port() {
    let (folder, next) = (tempfile::tempdir().unwrap(), AtomicUsize::new(0));
    let fresh = || folder.path().join(next.fetch_add(1, Ordering::Relaxed).to_string());
    logs(async || Arc::new(SegmentLogs::open(fresh()).unwrap()) as _).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keeps_it_over_reopening() {
    let folder = tempfile::tempdir().unwrap();
    reopened_logs(async || Arc::new(SegmentLogs::open(folder.path().join("logs")).unwrap()) as _).await;
}

#[tokio::test]
async fn logs_that_are_open_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let _open = SegmentLogs::open(folder.path()).unwrap();
    let error = SegmentLogs::open(folder.path()).unwrap_err();
    assert_eq!(error.to_string(), "the logs are open in another process: stop that one first");
}
