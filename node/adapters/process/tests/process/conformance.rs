//! The port's own suite.

use ikigai_ports::testsuite::executor::{Fixture, executor};
use ikigai_process::{ProcessExecutor, ProcessOptions};
use std::sync::Arc;

async fn keeps_the_ports_promises(options: ProcessOptions) {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    let (state, mounts) = (base.join("state"), base.join("mounts"));
    std::fs::create_dir(&mounts).unwrap();
    let open = async || Arc::new(ProcessExecutor::new(state.clone(), options.clone()).unwrap()) as Arc<_>;
    executor(open, Fixture { image: None, folder: mounts }).await;
    let left: Vec<_> = std::fs::read_dir(&state).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, [".etc"], "a removed workload leaves nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_keep_the_ports_promises() {
    keeps_the_ports_promises(ProcessOptions::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_keep_the_ports_promises_without_control_groups() {
    keeps_the_ports_promises(ProcessOptions { cgroups: None, ..ProcessOptions::default() }).await;
}

/// Machines with a tree per controller often have the one tree of version 2 beside them, to pause in.
#[tokio::test(flavor = "multi_thread")]
async fn processes_keep_the_ports_promises_in_one_tree_of_groups() {
    let tree = std::path::Path::new("/sys/fs/cgroup/unified");
    if !tree.join("cgroup.controllers").exists() {
        println!(
            "NOT ASKED here: no second tree of control groups; the first test used what this machine has"
        );
        return;
    }
    keeps_the_ports_promises(ProcessOptions { cgroups: Some(tree.to_owned()), ..ProcessOptions::default() })
        .await;
}
