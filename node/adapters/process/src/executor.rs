//! The executor itself: launching, finding again, telling and removing sandboxes.

use crate::cgroups::Cgroups;
use crate::folder::{Folder, Labels, NEVER_STARTED, Status, name};
use crate::options::ProcessOptions;
use crate::process::{Identity, Stat, namespace_of};
use crate::sandbox::{self, Etc};
use crate::watch::{Ending, Watch};
use crate::{isolation, output, seccomp};
use async_trait::async_trait;
use futures::stream::BoxStream;
use ikigai_ports::executor::{Exit, Isolation, Mount, Phase, Running, WORKLOAD_UID, WorkloadSpec, mounts};
use ikigai_ports::{Executor, PortError, PortResult};
use ikigai_types::{NodeId, WorkloadId};
use rustix::process::{Pid, Signal};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::process::Command;

/// A sandbox is made within milliseconds, and gone as soon; after this something is wrong.
const PATIENCE: Duration = Duration::from_secs(20);

/// Open files a workload may have.
const OPEN_FILES: u64 = 16_384;

/// Bytes of output kept per workload; who writes more finds its output closed.
const OUTPUT_LIMIT: u64 = 1 << 30;

/// The block in which a shell counts file sizes.
const BLOCK: u64 = 512;

/// Runs workloads as processes of this machine, each in a sandbox made by bubblewrap.
///
/// * A workload is recorded in a folder named after node, fence and role: there is never a second one.
/// * It is supervised by a process of its own, so neither its output nor its end needs the node.
#[derive(Debug)]
pub struct ProcessExecutor {
    state: PathBuf,
    bwrap: PathBuf,
    etc: Etc,
    cgroups: Cgroups,
    isolation: Isolation,
    as_root: bool,
    made: AtomicU64,
}

impl ProcessExecutor {
    /// Uses `state` to record workloads in; the same folder finds them again. Nobody else may use it meanwhile.
    ///
    /// # Errors
    /// [`PortError::Unavailable`] when bubblewrap is not there; a failure when `state` cannot be written.
    pub fn new(state: PathBuf, options: ProcessOptions) -> PortResult<Self> {
        let bwrap = find(&options.bwrap).ok_or_else(|| {
            let what = format!("{} (install it: apt-get install bubblewrap)", options.bwrap.display());
            PortError::unavailable(what, "no such program")
        })?;
        let failed = |error| PortError::failed(format!("making {}", state.display()), error);
        fs::create_dir_all(&state).map_err(failed)?;
        let state = fs::canonicalize(&state).map_err(failed)?;
        Folder::sweep(&state);
        let etc = Etc::create(&state.join(".etc")).map_err(failed)?;
        let as_root = rustix::process::geteuid().is_root();
        let cgroups = options.cgroups.as_deref().map(Cgroups::detect).unwrap_or_default();
        let isolation = isolation::describe(&cgroups, as_root);
        Ok(Self { state, bwrap, etc, cgroups, isolation, as_root, made: AtomicU64::new(0) })
    }

    fn folder(&self, id: &WorkloadId) -> PortResult<Folder> {
        let found = Folder::all(&self.state)?.into_iter().find(|f| f.labels.id == *id);
        found.ok_or_else(|| PortError::NotFound(format!("workload {id}")))
    }

    /// An id no other workload has, of this or an earlier run of the node.
    fn fresh_id(&self) -> PortResult<WorkloadId> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let count = self.made.fetch_add(1, Ordering::Relaxed);
        WorkloadId::new(format!("p{since:x}-{:x}-{count:x}", std::process::id()))
            .map_err(|e| PortError::failed("naming a workload", e))
    }

    /// The folder of `spec`'s workload, made now or before.
    fn record(&self, spec: &WorkloadSpec) -> PortResult<Folder> {
        let name = name(spec);
        let failed = |error| PortError::failed(format!("recording {}", spec.fence), error);
        let checked = self.checked_mounts(spec)?;
        let args = sandbox::arguments(spec, &checked, &self.etc, self.as_root);
        let filter = seccomp::filter().unwrap_or_default();
        let labels =
            Labels { id: self.fresh_id()?, node: spec.node, fence: spec.fence.clone(), role: spec.role };
        let files: [(&str, &[u8]); 3] = [("args", &args), ("filter", &filter), ("stdout", b"")];
        if let Some(made) = Folder::create(&self.state, &name, labels, &files).map_err(failed)? {
            return Ok(made);
        }
        let found = Folder::open(&self.state.join(&name))?;
        found.ok_or_else(|| PortError::Conflict(format!("{} is being removed", spec.fence)))
    }

    fn checked_mounts(&self, spec: &WorkloadSpec) -> PortResult<Vec<Mount>> {
        let check = |mount: &Mount| {
            let resolved = fs::canonicalize(&mount.source)
                .map_err(|e| PortError::failed(format!("mount source {}", mount.source.display()), e))?;
            if let Some(why) = mounts::refusal(mount, &resolved, &[]) {
                return Err(PortError::Refused(why));
            }
            if !resolved.is_dir() && !resolved.is_file() {
                let why = format!("mount source {} is no folder and no file", resolved.display());
                return Err(PortError::Refused(why));
            }
            Ok(Mount { source: resolved, ..mount.clone() })
        };
        spec.mounts.iter().map(check).collect()
    }

    /// Starts the supervisor of a workload that has none, and answers when the command runs or cannot.
    async fn start(&self, folder: &Folder, spec: &WorkloadSpec) -> PortResult<()> {
        let failed = |error| PortError::failed(format!("starting {}", spec.fence), error);
        let watch = Watch::new(&folder.path).map_err(failed)?;
        let groups = self.cgroups.create(folder.labels.id.as_str(), &spec.limits).map_err(failed)?;
        let supervisor = self.supervisor(folder, spec, &groups).spawn().map_err(failed)?;
        let ending = match supervisor.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            Some(pid) => Ending::of(pid).map_err(failed)?,
            None => Ending::over(),
        };
        let begun = async {
            while folder.status() == Status::Unknown && folder.exit().is_none() {
                tokio::select! {
                    changed = watch.changed() => changed?,
                    ended = ending.ended() => return ended,
                }
            }
            Ok(())
        };
        match tokio::time::timeout(PATIENCE, begun).await {
            Ok(begun) => begun.map_err(failed)?,
            Err(_) => return Err(failed(std::io::ErrorKind::TimedOut.into())),
        }
        if folder.status() == Status::Unknown && folder.exit().is_some() {
            let why = folder.complaint();
            self.forget(folder).await?;
            return Err(PortError::failed(format!("starting {}", spec.fence), why));
        }
        // Recorded while its parents can still vouch for it.
        folder.first();
        Ok(())
    }

    fn supervisor(&self, folder: &Folder, spec: &WorkloadSpec, groups: &[PathBuf]) -> Command {
        let uid = WORKLOAD_UID.to_string();
        let start = include_str!("start.sh");
        let enter = include_str!("enter.sh").replace("UID", &uid);
        let oom = self.cgroups.out_of_memory_file(folder.labels.id.as_str()).unwrap_or_default();
        let groups: Vec<_> = groups.iter().map(|g| g.display().to_string()).collect();
        let mut command = Command::new("/bin/sh");
        command.env_clear().env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        // Its own process group: a Ctrl-C meant for the node is not for its workloads.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.current_dir("/").arg("-c").arg(include_str!("supervise.sh")).arg("ikigai-supervise");
        command.arg(&folder.path).arg(&self.bwrap);
        command.arg((OUTPUT_LIMIT / BLOCK).to_string());
        command.arg((spec.limits.disk_bytes / BLOCK).to_string());
        command.arg(OPEN_FILES.to_string()).arg(oom).arg(groups.join("\n"));
        command.args(["/bin/sh", "-c"]);
        if self.as_root {
            command.args([&enter, start]);
        } else {
            command.args([start, "sh"]);
        }
        command.args(&spec.command);
        command
    }

    fn phase(&self, folder: &Folder) -> Phase {
        if !folder.supervisor().is_some_and(|s| s.is_alive()) {
            return Phase::Ended;
        }
        let paused = match self.cgroups.freezer {
            true => self.cgroups.is_frozen(folder.labels.id.as_str()),
            false => folder.first().and_then(|f| Stat::of(f.pid)).is_some_and(|s| s.state == 'T'),
        };
        if paused { Phase::Paused } else { Phase::Running }
    }

    async fn ended(&self, folder: &Folder) -> PortResult<Exit> {
        let failed = |error| PortError::failed(format!("waiting for {}", folder.labels.id), error);
        if let Some(supervisor) = folder.supervisor().filter(Identity::is_alive) {
            let ending =
                Ending::of(Pid::from_raw(supervisor.pid).expect("invariant: a process has a number"));
            let ending = ending.map_err(failed)?;
            // The number may have been given again before the descriptor was taken.
            if supervisor.is_alive() {
                ending.ended().await.map_err(failed)?;
            }
        }
        if let Some(exit) = folder.exit() {
            return Ok(exit);
        }
        if !folder.path.is_dir() {
            return Err(PortError::NotFound(format!("workload {}", folder.labels.id)));
        }
        if folder.supervisor().is_none() {
            let detail = Some("it was recorded but never started; launch it again".to_owned());
            return Ok(Exit { code: NEVER_STARTED, out_of_memory: false, detail });
        }
        // Its supervisor was killed, or the machine went down: nobody saw the end.
        self.kill_rest(folder).await;
        let detail =
            Some("its supervisor was killed, or the machine was restarted, before it ended".to_owned());
        Ok(Exit { code: 128 + 9, out_of_memory: false, detail })
    }

    /// Ends what is left of a sandbox, whether or not its supervisor is there.
    async fn kill_rest(&self, folder: &Folder) {
        let id = folder.labels.id.as_str();
        folder.kill();
        for pid in self.cgroups.members(id) {
            if let Some(process) = Identity::of(pid) {
                process.send(Signal::KILL);
            }
        }
        // What is frozen takes its signal when it is let go.
        let _ = self.cgroups.freeze(id, false).await;
    }

    async fn kill(&self, folder: &Folder) -> PortResult<()> {
        self.kill_rest(folder).await;
        match tokio::time::timeout(PATIENCE, self.ended(folder)).await {
            Ok(Ok(_) | Err(PortError::NotFound(_))) => Ok(()),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(PortError::failed(format!("killing {}", folder.labels.id), "it does not end")),
        }
    }

    async fn forget(&self, folder: &Folder) -> PortResult<()> {
        let failed = |error| PortError::failed(format!("removing {}", folder.labels.id), error);
        self.cgroups.remove(folder.labels.id.as_str()).await.map_err(failed)?;
        folder.remove(&self.state).map_err(failed)
    }

    /// Without a freezer: every process of the sandbox by itself, until no new one is found running.
    fn signal_all(&self, folder: &Folder, signal: Signal, done: impl Fn(char) -> bool) {
        let Some(first) = folder.first() else { return };
        for _ in 0..100 {
            let state = |p: &Identity| Stat::of(p.pid).map_or('X', |s| s.state);
            let left: Vec<_> = namespace_of(&first).into_iter().filter(|p| !done(state(p))).collect();
            if left.is_empty() {
                return;
            }
            left.iter().for_each(|process| process.send(signal));
        }
    }
}

// === impl Executor ===

#[async_trait]
impl Executor for ProcessExecutor {
    async fn launch(&self, spec: &WorkloadSpec) -> PortResult<WorkloadId> {
        check(spec)?;
        let folder = self.record(spec)?;
        if folder.supervisor().is_none() && folder.exit().is_none() {
            self.start(&folder, spec).await?;
        }
        Ok(folder.labels.id)
    }

    async fn wait(&self, id: &WorkloadId) -> PortResult<Exit> {
        self.ended(&self.folder(id)?).await
    }

    async fn logs(&self, id: &WorkloadId) -> PortResult<BoxStream<'static, PortResult<String>>> {
        let folder = self.folder(id)?;
        let alive = folder.supervisor().filter(Identity::is_alive).and_then(|s| Pid::from_raw(s.pid));
        let ending = alive.map_or(Ok(Ending::over()), Ending::of);
        let ending = ending.map_err(|e| PortError::failed(format!("watching {id}"), e))?;
        output::lines(&folder, ending).await
    }

    async fn pause(&self, id: &WorkloadId) -> PortResult<()> {
        let folder = self.folder(id)?;
        if self.phase(&folder) != Phase::Running {
            return Ok(());
        }
        if !self.cgroups.freezer {
            self.signal_all(&folder, Signal::STOP, |state| matches!(state, 'T' | 't' | 'Z' | 'X'));
            return Ok(());
        }
        let frozen = self.cgroups.freeze(id.as_str(), true).await;
        frozen.map_err(|e| PortError::failed(format!("pausing {id}"), e))
    }

    async fn resume(&self, id: &WorkloadId) -> PortResult<()> {
        let folder = self.folder(id)?;
        if self.phase(&folder) != Phase::Paused {
            return Ok(());
        }
        if !self.cgroups.freezer {
            self.signal_all(&folder, Signal::CONT, |state| state != 'T');
            return Ok(());
        }
        let thawed = self.cgroups.freeze(id.as_str(), false).await;
        thawed.map_err(|e| PortError::failed(format!("resuming {id}"), e))
    }

    async fn stop(&self, id: &WorkloadId, grace: Duration) -> PortResult<()> {
        let folder = self.folder(id)?;
        match (self.phase(&folder), folder.first()) {
            (Phase::Ended, _) => return Ok(()),
            (Phase::Running, Some(first)) => {
                first.send(Signal::TERM);
                if let Ok(ended) = tokio::time::timeout(grace, self.ended(&folder)).await {
                    return ended.map(drop);
                }
            }
            _ => {}
        }
        self.kill(&folder).await
    }

    async fn remove(&self, id: &WorkloadId) -> PortResult<()> {
        let folder = match self.folder(id) {
            Err(PortError::NotFound(_)) => return Ok(()),
            found => found?,
        };
        self.kill(&folder).await?;
        self.forget(&folder).await
    }

    async fn list(&self, node: NodeId) -> PortResult<Vec<Running>> {
        let mine = Folder::all(&self.state)?.into_iter().filter(|f| f.labels.node == node);
        let running = mine.map(|folder| {
            let phase = self.phase(&folder);
            Running { id: folder.labels.id, fence: folder.labels.fence, role: folder.labels.role, phase }
        });
        Ok(running.collect())
    }

    fn isolation(&self) -> Isolation {
        self.isolation.clone()
    }
}

fn check(spec: &WorkloadSpec) -> PortResult<()> {
    let refuse = |why: &str| Err(PortError::Refused(why.to_owned()));
    let text = spec.command.iter().chain(spec.env.keys()).chain(spec.env.values());
    if spec.command.first().is_none_or(String::is_empty) {
        return refuse("the workload has no command");
    }
    if text.clone().any(|text| text.contains('\0')) {
        return refuse("the command or the environment holds a zero byte");
    }
    if spec.env.keys().any(|key| key.is_empty() || key.contains('=')) {
        return refuse("an environment name is empty or holds `=`");
    }
    if !spec.workdir.is_absolute() {
        return refuse("the working directory is not absolute");
    }
    let limits = [spec.limits.memory_bytes, spec.limits.cpu_millis, spec.limits.pids, spec.limits.disk_bytes];
    if limits.contains(&0) {
        return refuse("a limit is zero: every limit must be set");
    }
    Ok(())
}

/// A program by its path, or by its name on PATH.
fn find(program: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let candidates = std::env::split_paths(&path).map(|folder| folder.join(program));
    if program.components().count() > 1 {
        return fs::canonicalize(program).ok();
    }
    candidates.into_iter().find(|p| p.is_file())
}
