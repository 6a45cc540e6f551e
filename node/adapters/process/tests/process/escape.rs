//! The escape suite in sandboxes.

use ikigai_ports::testsuite::escape::{control, escape};
use ikigai_ports::testsuite::executor::Fixture;
use ikigai_process::{ProcessExecutor, ProcessOptions};

async fn nothing_gets_out(options: ProcessOptions) {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    let executor = ProcessExecutor::new(base.join("state"), options).unwrap();
    let fixture = Fixture { image: None, folder: base.join("mounts") };
    escape(&executor, &fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_gets_out_of_a_sandbox() {
    nothing_gets_out(ProcessOptions::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_gets_out_without_control_groups() {
    nothing_gets_out(ProcessOptions { cgroups: None, ..ProcessOptions::default() }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probes_succeed_where_nothing_blocks_them() {
    let folder = tempfile::tempdir().unwrap();
    control(folder.path(), rustix::process::geteuid().is_root()).await;
}
