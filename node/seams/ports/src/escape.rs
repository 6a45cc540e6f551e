//! The escape trial: a program inside a workload tries every way out it knows, towards things that are really there,
//! and must fail at each.

use crate::executor::{Executor, Mount, Role, WorkloadSpec};
use crate::{PortError, PortResult};
use futures::stream::StreamExt;
use ikigai_types::{AttemptId, Epoch, Fence, Limits, NodeId, WorkloadId};
use serde::{Deserialize, Serialize};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::Path;
use std::time::Duration;

pub(crate) mod targets;

/// The program, for Python 3.
pub const PROGRAM: &str = include_str!("escape/escape.py");
/// The fewest probes the program may tell of; fewer means that it was cut.
pub const PROBES: usize = 60;
/// The whole program takes seconds; some probes wait for an answer that must not come.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// Probes that may succeed where an executor says that it does not hold to the limit named here.
pub const HELD: [(&str, &str); 2] =
    [("many_processes", "limit on processes"), ("much_memory", "memory limit")];

/// What the program says of one try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Which way it tried.
    pub probe: String,
    /// Whether it failed.
    pub blocked: bool,
    /// How, or what it got.
    pub detail: String,
    /// Whether it must succeed where nothing blocks it.
    pub control: bool,
}

impl Probe {
    /// The limit that `executor` says it does not hold to, when that is why it succeeded.
    pub fn excuse(&self, executor: &dyn Executor) -> Option<&'static str> {
        let (_, limit) = HELD.into_iter().find(|(probe, _)| *probe == self.probe)?;
        let missing = executor.isolation().missing;
        (!self.blocked && missing.iter().any(|m| m.contains(limit))).then_some(limit)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Probe(Probe),
    Done { done: usize },
}

/// Runs the program as an agent's workload of `image`, with what there is to reach in `folder`; answers what every
/// probe says. The workload is gone afterwards, the folder is not.
///
/// # Errors
/// When the workload does not start, or the program does not run to its end: that is no pass.
pub async fn trial(executor: &dyn Executor, image: Option<String>, folder: &Path) -> PortResult<Vec<Probe>> {
    let failed = |e: io::Error| PortError::failed("making what there is to reach", e);
    let targets = targets::Targets::open(folder).await.map_err(failed)?;
    let spec = spec(folder, image, targets.told.clone()).map_err(failed)?;
    let id = executor.launch(&spec).await?;
    let ended = tokio::time::timeout(PATIENCE, output(executor, &id)).await;
    executor.remove(&id).await?;
    let late = |_| PortError::Refused(format!("the program did not end within {} s", PATIENCE.as_secs()));
    let (lines, code) = ended.map_err(late)??;
    if code != 0 {
        let last = lines.last().map_or("nothing", String::as_str);
        let text = format!("the program did not run to its end: it exited with {code} and said last: {last}");
        return Err(PortError::Refused(text));
    }
    let probes = read(&lines).map_err(PortError::Refused)?;
    if probes.len() < PROBES {
        return Err(PortError::Refused(format!("only {} probes ran", probes.len())));
    }
    Ok(probes)
}

async fn output(executor: &dyn Executor, id: &WorkloadId) -> PortResult<(Vec<String>, i32)> {
    let mut lines = Vec::new();
    let mut stream = executor.logs(id).await?;
    while let Some(line) = stream.next().await {
        lines.push(line?);
    }
    Ok((lines, executor.wait(id).await?.code))
}

/// The probes in what the program printed; every one that ran is told once.
pub(crate) fn read(lines: &[String]) -> Result<Vec<Probe>, String> {
    let (mut probes, mut ended) = (Vec::<Probe>::new(), None);
    for line in lines {
        match serde_json::from_str(line).map_err(|e| format!("`{line}`: {e}"))? {
            Line::Probe(probe) if probes.iter().any(|p| p.probe == probe.probe) => {
                return Err(format!("{} ran twice", probe.probe));
            }
            Line::Probe(probe) => probes.push(probe),
            Line::Done { done } => ended = Some(done),
        }
    }
    if ended == Some(probes.len()) { Ok(probes) } else { Err("not every probe that ran was told".to_owned()) }
}

fn spec(folder: &Path, image: Option<String>, targets: String) -> io::Result<WorkloadSpec> {
    let attempt = AttemptId { task: "suite.escape".parse().map_err(io::Error::other)?, number: 1 };
    let (work, program) =
        (targets::open_folder(&folder.join("work"))?, targets::open_folder(&folder.join("program"))?);
    std::fs::write(program.join("escape.py"), PROGRAM)?;
    let mount = |source, target: &str, read_only| Mount { source, target: target.into(), read_only };
    Ok(WorkloadSpec {
        node: NodeId::from_bytes(std::array::from_fn(|_| random().to_le_bytes()[0])),
        fence: Fence { attempt, epoch: Epoch(1) },
        role: Role::Agent,
        image: image.unwrap_or_default(),
        command: ["/usr/bin/python3", "/escape/escape.py"].map(str::to_owned).into(),
        env: [("ESCAPE_TARGETS".to_owned(), targets), ("ESCAPE_SCRATCH".to_owned(), "/work".to_owned())]
            .into(),
        mounts: vec![mount(work, "/work", false), mount(program, "/escape", true)],
        workdir: "/work".into(),
        limits: Limits { memory_bytes: 200 << 20, pids: 96, disk_bytes: 16 << 20, ..Limits::default() },
    })
}

fn random() -> u64 {
    RandomState::new().hash_one(0)
}
