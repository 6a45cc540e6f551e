//! The port's own suite.

use crate::engine::engine;
use ikigai_docker::{DockerExecutor, DockerOptions};
use ikigai_ports::testsuite::executor::{Fixture, executor};
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn docker_keeps_the_ports_promises() {
    let Some((_, image)) = engine("docker_keeps_the_ports_promises").await else { return };
    let folder = tempfile::tempdir().unwrap();
    let fixture = Fixture { image: Some(image), folder: folder.path().canonicalize().unwrap() };
    let open = async || Arc::new(DockerExecutor::connect(DockerOptions::default()).await.unwrap()) as Arc<_>;
    executor(open, fixture).await;
}
