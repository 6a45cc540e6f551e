//! The executor itself: each verb of the port as few engine calls as it takes.

use crate::body::{self, HostMount};
use crate::host_paths::{PathMap, own_container};
use crate::options::{DockerOptions, HostPaths};
use crate::user::User;
use crate::{end, failure, isolation, labels, output, seccomp};
use async_trait::async_trait;
use bollard::errors::Error;
use bollard::models::{ContainerInspectResponse, ContainerState};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, KillContainerOptionsBuilder, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder, StopContainerOptionsBuilder, WaitContainerOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures::StreamExt;
use futures::stream::BoxStream;
use ikigai_ports::executor::{Exit, Isolation, Phase, Running, WorkloadSpec, mounts};
use ikigai_ports::{Executor, PortError, PortResult};
use ikigai_types::{NodeId, WorkloadId};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// An engine must have answered a call by then; the slowest honest one is a removal of much data.
const PATIENCE: Duration = Duration::from_secs(120);

/// For calls that answer when the workload does something.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Launches of the same workload take turns; those of different ones hardly ever meet.
const TURNS: usize = 16;

/// Runs workloads as containers of one Docker engine, over its Unix socket.
///
/// * A container is named after node, fence and role: the engine itself refuses a second one.
/// * Nothing is kept in this process that a restart would miss, but which workloads it killed itself.
#[derive(Debug)]
pub struct DockerExecutor {
    engine: Docker,
    socket: PathBuf,
    paths: PathMap,
    /// The engine's own folder on its machine.
    root: PathBuf,
    isolation: Isolation,
    filter: Option<String>,
    turns: [tokio::sync::Mutex<()>; TURNS],
    killed: Mutex<HashSet<WorkloadId>>,
}

impl DockerExecutor {
    /// Connects to the engine, agrees on the API's version and asks it what it can enforce.
    ///
    /// # Errors
    /// [`PortError::Unavailable`] when no engine answers; [`PortError::Refused`] when this process runs in a
    /// container whose mounts the engine cannot tell.
    pub async fn connect(options: DockerOptions) -> PortResult<Self> {
        let socket = options.socket();
        let what = || format!("the Docker engine at {}", socket.display());
        let away = |error: Error| PortError::unavailable(what(), error);
        let path = socket.to_str().ok_or_else(|| PortError::Refused(format!("{socket:?} is not UTF-8")))?;
        let engine =
            Docker::connect_with_unix(path, PATIENCE.as_secs(), API_DEFAULT_VERSION).map_err(away)?;
        let engine = engine.negotiate_version().await.map_err(away)?;
        let told = engine.info().await.map_err(away)?;
        let isolation = isolation::describe(&told, User::of_workloads());
        let root = told.docker_root_dir.clone().unwrap_or_else(|| "/var/lib/docker".to_owned()).into();
        let filter = isolation::filters(&told).then(seccomp::profile);
        let paths = match options.paths.clone() {
            HostPaths::Same => PathMap::Same,
            HostPaths::Mapped(folders) => PathMap::Mapped(folders),
            HostPaths::Detect => detect_paths(&engine).await?,
        };
        // Followed to its end, so that a mount of the socket under its other name is known too.
        let socket = std::fs::canonicalize(path).unwrap_or_else(|_| path.into());
        Ok(Self {
            engine,
            socket,
            paths,
            root,
            isolation,
            filter,
            turns: Default::default(),
            killed: Mutex::default(),
        })
    }

    async fn inspect(&self, id: &str) -> PortResult<ContainerInspectResponse> {
        let options = None::<bollard::query_parameters::InspectContainerOptions>;
        self.engine.inspect_container(id, options).await.map_err(|e| failure::port("looking at", id, e))
    }

    async fn state(&self, id: &WorkloadId) -> PortResult<ContainerState> {
        let found = self.inspect(id.as_str()).await?;
        found.state.ok_or_else(|| PortError::Corrupt(format!("the engine's answer about {id}")))
    }

    /// Starts a container that was just made. A command that cannot be run is an end, not an error.
    async fn start(&self, id: &str, name: &str) -> PortResult<()> {
        let options = None::<bollard::query_parameters::StartContainerOptions>;
        let Err(error) = self.engine.start_container(id, options).await else { return Ok(()) };
        let answered = failure::status(&error).is_some();
        if answered && self.inspect(id).await?.state.is_some_and(|s| end::start_failed(&s)) {
            return Ok(());
        }
        Err(failure::port("starting", name, error))
    }

    /// Takes over the container that already has this workload's name, and starts it if nobody did.
    async fn adopt(&self, name: &str, spec: &WorkloadSpec) -> PortResult<WorkloadId> {
        let found = self.inspect(name).await?;
        let labels = found.config.and_then(|c| c.labels).unwrap_or_default();
        if labels::read(&labels) != Some((spec.node, spec.fence.clone(), spec.role)) {
            return Err(PortError::Conflict(format!(
                "a container called {name} is there and is not this workload; remove it: docker rm {name}"
            )));
        }
        let id = workload_id(found.id)?;
        if found.state.is_some_and(|s| end::is_fresh(&s)) {
            self.start(id.as_str(), name).await?;
        }
        Ok(id)
    }

    fn host_mounts(&self, spec: &WorkloadSpec) -> PortResult<Vec<HostMount>> {
        let translate = |mount: &ikigai_ports::executor::Mount| {
            let refuse = |why| PortError::Refused(why);
            let resolved = std::fs::canonicalize(&mount.source)
                .map_err(|e| PortError::failed(format!("mount source {}", mount.source.display()), e))?;
            let source = self.paths.translate(&resolved)?;
            // Judged under both names: here, where links were followed, and there, where it is mounted.
            for name in [&resolved, &source] {
                if let Some(why) = mounts::refusal(mount, name, &[&self.socket]) {
                    return Err(refuse(why));
                }
            }
            if !resolved.is_dir() && !resolved.is_file() {
                return Err(refuse(format!("mount source {} is no folder and no file", resolved.display())));
            }
            let follows = source.starts_with(&self.root);
            Ok(HostMount { source, target: mount.target.clone(), read_only: mount.read_only, follows })
        };
        spec.mounts.iter().map(translate).collect()
    }

    fn turn(&self, name: &str) -> &tokio::sync::Mutex<()> {
        let sum = name.bytes().fold(0_usize, |sum, b| sum.wrapping_mul(31).wrapping_add(b.into()));
        &self.turns[sum % TURNS]
    }

    fn killed(&self) -> std::sync::MutexGuard<'_, HashSet<WorkloadId>> {
        self.killed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Executor ===

#[async_trait]
impl Executor for DockerExecutor {
    async fn launch(&self, spec: &WorkloadSpec) -> PortResult<WorkloadId> {
        let body =
            body::create(spec, User::of_workloads(), &self.host_mounts(spec)?, self.filter.as_deref())?;
        let name = labels::name(spec);
        let _turn = self.turn(&name).lock().await;
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let id = match self.engine.create_container(Some(options), body).await {
            Ok(made) => workload_id(Some(made.id))?,
            Err(error) if failure::status(&error) == Some(409) => return self.adopt(&name, spec).await,
            Err(error) => return Err(failure::port("making", &format!("image {}", spec.image), error)),
        };
        self.start(id.as_str(), &name).await?;
        Ok(id)
    }

    async fn wait(&self, id: &WorkloadId) -> PortResult<Exit> {
        loop {
            let options = WaitContainerOptionsBuilder::default().condition("not-running").build();
            let patient = self.engine.clone().with_timeout(FOREVER);
            let answer = patient.wait_container(id.as_str(), Some(options)).next().await;
            match answer {
                // The client calls an exit code above zero an error.
                Some(Ok(_) | Err(Error::DockerContainerWaitError { .. })) => {}
                Some(Err(error)) => return Err(failure::port("waiting for", id.as_str(), error)),
                None => {
                    return Err(PortError::unavailable("the container engine", "it closed the connection"));
                }
            }
            let state = self.state(id).await?;
            if end::phase(&state) == Phase::Ended {
                return Ok(end::exit(&state, self.killed().contains(id)));
            }
        }
    }

    async fn logs(&self, id: &WorkloadId) -> PortResult<BoxStream<'static, PortResult<String>>> {
        Ok(output::lines(&self.engine.clone().with_timeout(FOREVER), id.as_str()))
    }

    async fn pause(&self, id: &WorkloadId) -> PortResult<()> {
        let Err(error) = self.engine.pause_container(id.as_str()).await else { return Ok(()) };
        match failure::status(&error) {
            // Refused because there is nothing to do? Then that is what was asked for.
            Some(409 | 500) if end::phase(&self.state(id).await?) != Phase::Running => Ok(()),
            _ => Err(failure::port("pausing", id.as_str(), error)),
        }
    }

    async fn resume(&self, id: &WorkloadId) -> PortResult<()> {
        let Err(error) = self.engine.unpause_container(id.as_str()).await else { return Ok(()) };
        match failure::status(&error) {
            Some(409 | 500) if end::phase(&self.state(id).await?) != Phase::Paused => Ok(()),
            _ => Err(failure::port("resuming", id.as_str(), error)),
        }
    }

    async fn stop(&self, id: &WorkloadId, grace: Duration) -> PortResult<()> {
        let phase = end::phase(&self.state(id).await?);
        if phase == Phase::Ended {
            return Ok(());
        }
        self.killed().insert(id.clone());
        let done = if phase == Phase::Paused {
            let options = KillContainerOptionsBuilder::default().signal("SIGKILL").build();
            self.engine.kill_container(id.as_str(), Some(options)).await
        } else {
            let seconds = i32::try_from(grace.as_millis().div_ceil(1000)).unwrap_or(i32::MAX);
            let options = StopContainerOptionsBuilder::default().t(seconds).build();
            let patient = self.engine.clone().with_timeout(grace.saturating_add(PATIENCE));
            patient.stop_container(id.as_str(), Some(options)).await
        };
        match done {
            Err(error) if failure::status(&error) != Some(409) => {
                Err(failure::port("stopping", id.as_str(), error))
            }
            // A kill answers before the end; a conflict means that it ended meanwhile.
            _ => self.wait(id).await.map(drop),
        }
    }

    async fn remove(&self, id: &WorkloadId) -> PortResult<()> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        let removed = match self.engine.remove_container(id.as_str(), Some(options)).await {
            Err(error) if failure::status(&error) == Some(409) => self.await_removal(id).await,
            Err(error) => Err(failure::port("removing", id.as_str(), error)),
            Ok(()) => Ok(()),
        };
        match removed {
            Ok(()) | Err(PortError::NotFound(_)) => {
                self.killed().remove(id);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn list(&self, node: NodeId) -> PortResult<Vec<Running>> {
        let filter = HashMap::from([("label", vec![format!("{}={node}", labels::NODE)])]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filter).build();
        let found = self.engine.list_containers(Some(options)).await;
        let found = found.map_err(|e| failure::port("listing", "containers", e))?;
        let mut running = Vec::with_capacity(found.len());
        for container in found {
            let labels = container.labels.unwrap_or_default();
            let Some((_, fence, role)) = labels::read(&labels) else {
                tracing::warn!(container = container.id, "carries this node's label but not the others");
                continue;
            };
            let phase = end::listed(container.state);
            running.push(Running { id: workload_id(container.id)?, fence, role, phase });
        }
        Ok(running)
    }

    fn isolation(&self) -> Isolation {
        self.isolation.clone()
    }
}

impl DockerExecutor {
    /// Somebody else's removal is under way: answers when the container is gone.
    async fn await_removal(&self, id: &WorkloadId) -> PortResult<()> {
        let options = WaitContainerOptionsBuilder::default().condition("removed").build();
        match self.engine.wait_container(id.as_str(), Some(options)).next().await {
            Some(Err(error)) if failure::status(&error).is_some() || failure::is_away(&error) => {
                Err(failure::port("removing", id.as_str(), error))
            }
            _ => Ok(()),
        }
    }
}

async fn detect_paths(engine: &Docker) -> PortResult<PathMap> {
    let mountinfo = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let Some(id) = own_container(&mountinfo) else { return Ok(PathMap::Same) };
    let options = None::<bollard::query_parameters::InspectContainerOptions>;
    let found = engine.inspect_container(id, options).await.map_err(|error| {
        PortError::Refused(format!(
            "this node runs in container {}, which its Docker engine does not know ({}): set how its folders \
             are called on the engine's machine",
            &id[..12],
            failure::message(&error)
        ))
    })?;
    let folder = |m: bollard::models::MountPoint| Some((m.destination?.into(), m.source?.into()));
    let shared = found.mounts.unwrap_or_default().into_iter().filter_map(folder);
    Ok(PathMap::Mapped(shared.filter(|(_, there): &(PathBuf, PathBuf)| there != Path::new("")).collect()))
}

fn workload_id(id: Option<String>) -> PortResult<WorkloadId> {
    let id = id.unwrap_or_default();
    WorkloadId::new(id).map_err(|e| PortError::failed("reading the engine's answer", e))
}
