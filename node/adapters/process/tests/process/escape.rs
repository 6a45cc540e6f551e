//! The escape suite in sandboxes.

use ikigai_ports::testsuite::escape::{control, escape};
use ikigai_ports::testsuite::executor::Fixture;
use ikigai_process::{ProcessExecutor, ProcessOptions};
use std::path::Path;

/// Where the program is, when not in the source tree.
pub(crate) const FOLDER: &str = "IKIGAI_TEST_ESCAPE";

pub(crate) const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/escape");

async fn nothing_gets_out(options: ProcessOptions) {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    let executor = ProcessExecutor::new(base.join("state"), options).unwrap();
    let fixture = Fixture { image: None, folder: base.join("mounts") };
    // What needs a control group is told as missing where there is none.
    let held = [("many_processes", "limit on processes"), ("much_memory", "memory limit")];
    let program = std::env::var(FOLDER).unwrap_or_else(|_| PROGRAM.to_owned());
    escape(&executor, &fixture, Path::new(&program), &held).await;
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
    control(folder.path(), Path::new(PROGRAM), rustix::process::geteuid().is_root()).await;
}
