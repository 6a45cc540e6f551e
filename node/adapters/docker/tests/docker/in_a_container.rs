//! A node that itself runs in a container: its folders have other names where its engine looks for mounts.
//!
//! This very program is run again in a container with the engine's socket and a volume.

use crate::engine::engine;
use bollard::container::LogOutput;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptions, RemoveContainerOptionsBuilder,
    RemoveVolumeOptions, StartContainerOptions,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures::StreamExt;
use ikigai_docker::options::DEFAULT_SOCKET;
use ikigai_ports::executor::{Mount, Role, WorkloadSpec};
use ikigai_ports::{Executor, PortError};
use ikigai_types::{AttemptId, Epoch, Fence, Limits, NodeId};
use std::os::unix::fs::PermissionsExt;

/// Set in the container: the image to use there.
const INSIDE: &str = "IKIGAI_TEST_INSIDE";
const SAID: &str = "the mount was translated";

#[tokio::test(flavor = "multi_thread")]
async fn mounts_are_named_as_the_engine_names_them() {
    let Some((_, image)) = engine("mounts_are_named_as_the_engine_names_them").await else { return };
    let docker = Docker::connect_with_unix(DEFAULT_SOCKET, 60, API_DEFAULT_VERSION).unwrap();
    let docker = docker.negotiate_version().await.unwrap();
    let volume = format!("ikigai-test-{}", std::process::id());
    let program = std::env::current_exe().unwrap();
    let body = ContainerCreateBody {
        image: Some(image.clone()),
        entrypoint: Some(
            ["/test", "--exact", "in_a_container::inside", "--nocapture"].map(str::to_owned).into(),
        ),
        env: Some(vec![format!("{INSIDE}={image}")]),
        host_config: Some(HostConfig {
            binds: Some(vec![
                format!("{}:/test:ro", program.display()),
                format!("{DEFAULT_SOCKET}:{DEFAULT_SOCKET}"),
                format!("{volume}:/data"),
            ]),
            ..Default::default()
        }),
        ..Default::default()
    };
    let id = docker.create_container(None::<CreateContainerOptions>, body).await.unwrap().id;
    let options = AttachContainerOptionsBuilder::default().stdout(true).stderr(true).stream(true).build();
    let attached = docker.attach_container(&id, Some(options)).await.unwrap();
    docker.start_container(&id, None::<StartContainerOptions>).await.unwrap();
    let output: Vec<LogOutput> = attached.output.map(Result::unwrap).collect().await;
    let text: String = output.iter().map(ToString::to_string).collect();
    let options = RemoveContainerOptionsBuilder::default().force(true).build();
    docker.remove_container(&id, Some(options)).await.unwrap();
    docker.remove_volume(&volume, None::<RemoveVolumeOptions>).await.unwrap();
    assert!(text.contains(SAID) && text.contains("1 passed"), "{text}");
}

/// The part that runs in the container.
#[tokio::test(flavor = "multi_thread")]
async fn inside() {
    let Ok(image) = std::env::var(INSIDE) else {
        println!(
            "NOT ASKED here: `inside` is run in a container by mounts_are_named_as_the_engine_names_them"
        );
        return;
    };
    let executor = ikigai_docker::DockerExecutor::connect(Default::default()).await.unwrap();
    std::fs::create_dir_all("/data/work/t1").unwrap();
    std::fs::set_permissions("/data/work/t1", std::fs::Permissions::from_mode(0o777)).unwrap();
    let mount = |source: &str| Mount { source: source.into(), target: "/work".into(), read_only: false };
    let attempt = AttemptId { task: "suite.inside".parse().unwrap(), number: 1 };
    let mut spec = WorkloadSpec {
        node: NodeId::from_bytes([0xcc; 32]),
        fence: Fence { attempt, epoch: Epoch(u64::from(std::process::id())) },
        role: Role::Agent,
        image,
        command: ["/bin/sh", "-c", "echo here > /work/note"].map(str::to_owned).into(),
        env: Default::default(),
        mounts: vec![mount("/data/work/t1")],
        workdir: "/work".into(),
        limits: Limits::default(),
    };
    let id = executor.launch(&spec).await.unwrap();
    let exit = executor.wait(&id).await.unwrap();
    executor.remove(&id).await.unwrap();
    assert_eq!((exit.code, std::fs::read_to_string("/data/work/t1/note").unwrap().as_str()), (0, "here\n"));

    // What only this container has cannot be shown to another; what leads to the socket must not be.
    for source in ["/tmp", "/opt", DEFAULT_SOCKET, "/run"] {
        spec.mounts = vec![mount(source)];
        let answer = executor.launch(&spec).await;
        assert!(matches!(answer, Err(PortError::Refused(_))), "{source}: {answer:?}");
    }
    println!("{SAID}");
}
