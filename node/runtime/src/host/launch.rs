//! From a lease to a running workload: workspace, launch file, gate, container. Each step may be repeated.

use super::Shared;
use crate::view::agent_label;
use ikigai_ports::executor::{Mount, Role, WorkloadSpec};
use ikigai_ports::gate::GatePolicy;
use ikigai_ports::{PortError, PortResult};
use ikigai_task::TaskSpec;
use ikigai_types::{Fence, WorkloadId};
use ikigai_wire::agent::{GATEWAY_PORT, LAUNCH_FILE, Launch, Program, RUN_FOLDER, SESSION_FOLDER};
use ikigai_wire::record::HostRecord;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where a workload sees its workspace.
pub(crate) const WORKSPACE: &str = "/workspace";

impl Shared {
    /// Makes everything ready and starts the agent; with everything there already, finds it again.
    pub(super) async fn launch(&self, note: &HostRecord, events: GateEvents) -> PortResult<WorkloadId> {
        let fence = &note.lease.fence;
        let begin = note.from.as_ref().unwrap_or(&note.base);
        let workspace = self.parts.workspaces.create(&note.spec.project, fence, begin).await?;
        let folder = self.run_folder(fence);
        let launch = Launch {
            program: self.program(note)?,
            workdir: WORKSPACE.to_owned(),
            env: self.environment(&note.spec),
            linger_secs: note.spec.linger_secs,
        };
        write_launch(&folder, &launch).await?;
        let provider = self.options.provider_needed(&note.spec.adapter, &note.spec.provider);
        let egress = note.spec.egress.clone();
        let policy = GatePolicy { provider, egress, events, spent: note.usage };
        self.parts.gates.open(fence, &agent_label(fence), &folder, policy).await?;
        self.parts.executor.launch(&self.workload(note, Role::Agent, fence.clone(), workspace, folder)).await
    }

    /// The environment of an agent. Which feature is meant stands in no file that git keeps: Spec-Kit's scripts are told.
    fn environment(&self, spec: &TaskSpec) -> BTreeMap<String, String> {
        let mut env = self.proxied();
        if let Some((folder, _)) = spec.tasks_file.as_ref().and_then(|file| file.rsplit_once('/')) {
            env.insert("SPECIFY_FEATURE_DIRECTORY".to_owned(), folder.to_owned());
        }
        env
    }

    /// The environment of what runs in the sandbox: programs that know of proxies find the gate, and what it denies
    /// is told, whether or not anything is listed.
    fn proxied(&self) -> BTreeMap<String, String> {
        let gate = format!("http://127.0.0.1:{GATEWAY_PORT}");
        let proxies =
            ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"].map(|name| (name, gate.as_str()));
        let own = ["no_proxy", "NO_PROXY"].map(|name| (name, "127.0.0.1,localhost,::1"));
        // Node's programs look at the others only when this one says so.
        let node = [("NODE_USE_ENV_PROXY", "1")];
        let all = proxies.into_iter().chain(own).chain(node);
        let mut env: BTreeMap<_, _> = all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        env.extend(self.options.agent.env.clone());
        env
    }

    fn program(&self, note: &HostRecord) -> PortResult<Program> {
        let adapter = self.options.adapters.get(&note.spec.adapter).cloned();
        let mut adapter =
            adapter.ok_or_else(|| PortError::NotFound(format!("adapter {}", note.spec.adapter)))?;
        let told = |more: Option<&String>| note.prompt.clone() + more.map_or("", String::as_str);
        let follow = note.follow.as_ref();
        // Not in the adapter: an image older than this node does not know the word there.
        let sessions = adapter.sessions.take().filter(|_| self.session_files(note).is_some());
        Ok(Program::Agent {
            adapter,
            sessions,
            prompt: told(follow.map(|f| &f.cold)),
            model: note.spec.model.clone(),
            session: note.resume.clone(),
            resume_prompt: told(follow.and_then(|f| f.warm.as_ref())),
        })
    }

    fn workload(
        &self,
        note: &HostRecord,
        role: Role,
        fence: Fence,
        workspace: PathBuf,
        run: PathBuf,
    ) -> WorkloadSpec {
        let mount = |source, target: &str, read_only| Mount { source, target: target.into(), read_only };
        let mut mounts = vec![mount(workspace, WORKSPACE, false), mount(run, RUN_FOLDER, true)];
        mounts.extend(self.session_files(note).map(|files| mount(files, SESSION_FOLDER, false)));
        mounts.extend(self.options.agent.mounts.iter().cloned());
        WorkloadSpec {
            node: self.node,
            fence,
            role,
            image: self.options.image.clone().unwrap_or_default(),
            command: self.options.agent.command.clone(),
            env: self.options.agent.env.clone(),
            mounts,
            workdir: WORKSPACE.into(),
            limits: note.spec.limits,
        }
    }

    /// The folder an attempt's container sees as `/run/ikigai`.
    pub(super) fn run_folder(&self, fence: &Fence) -> PathBuf {
        run_folder(&self.options.run_folder, fence)
    }
}

/// Where gates tell what happens.
pub(super) type GateEvents = tokio::sync::mpsc::Sender<(Fence, ikigai_ports::gate::GateEvent)>;

/// A short path, since the name of a Unix socket holds 107 bytes: the agent's label is unique enough.
pub(crate) fn run_folder(base: &Path, fence: &Fence) -> PathBuf {
    base.join(format!("{}-{}", agent_label(fence), fence.epoch))
}

/// Puts the launch file where agentd reads it, whole or not at all.
pub(crate) async fn write_launch(folder: &Path, launch: &Launch) -> PortResult<()> {
    let failed = |e: std::io::Error| PortError::failed("writing the launch file", e);
    tokio::fs::create_dir_all(folder).await.map_err(failed)?;
    let text =
        serde_json::to_vec_pretty(launch).map_err(|e| PortError::failed("writing the launch file", e))?;
    let fresh = folder.join(".launch.json.new");
    tokio::fs::write(&fresh, text).await.map_err(failed)?;
    tokio::fs::rename(&fresh, folder.join(LAUNCH_FILE)).await.map_err(failed)
}
