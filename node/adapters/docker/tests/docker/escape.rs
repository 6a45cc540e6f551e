//! The escape suite in containers.

use crate::engine::engine;
use ikigai_ports::testsuite::escape::{control, escape};
use ikigai_ports::testsuite::executor::Fixture;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_gets_out_of_a_container() {
    let Some((executor, image)) = engine("nothing_gets_out_of_a_container").await else { return };
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture { image: Some(image), folder: folder.path().canonicalize().unwrap() };
    escape(&executor, &fixture).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probes_succeed_where_nothing_blocks_them() {
    if engine("the_probes_succeed_where_nothing_blocks_them").await.is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    control(folder.path(), rustix::process::geteuid().is_root()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "it did not start")]
async fn a_container_that_did_not_start_is_no_pass() {
    let Some((executor, _)) = engine("a_container_that_did_not_start_is_no_pass").await else {
        panic!("it did not start: no engine, as printed");
    };
    let folder = tempfile::tempdir().unwrap();
    let image = Some(format!("sha256:{}", "0f".repeat(32)));
    let fixture = Fixture { image, folder: folder.path().canonicalize().unwrap() };
    escape(&executor, &fixture).await;
}
