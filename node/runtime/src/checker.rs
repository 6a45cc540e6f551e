//! Running checks from a clean checkout, in a fresh container, by agentd: for this node's tasks and for others'.

use crate::host::{WORKSPACE, run_folder, write_launch};
use crate::{Options, Parts};
use futures::StreamExt as _;
use ikigai_ports::executor::{Exit, Mount, Role, WorkloadSpec};
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{AttemptId, CheckResult, Fence, NodeId, TaskId, WorkloadId};
use ikigai_wire::agent::{Frame, FrameBody, Launch, Program, RUN_FOLDER};
use ikigai_wire::peer::Check;
use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

/// What marks a checkout that was made for checks.
const SUFFIX: &str = ":check";
/// Lines of a check's output that are kept.
const TAIL: usize = 20;
/// Longest kept line, in characters.
const TAIL_LINE: usize = 400;

/// Whether a fence stands for a checkout made for checks.
pub(crate) fn is_check(fence: &Fence) -> bool {
    fence.attempt.task.as_str().ends_with(SUFFIX)
}

/// Runs checks. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Checker {
    parts: Parts,
    options: Arc<Options>,
    node: NodeId,
    /// The same checks asked for twice, after a call broke, come one after the other.
    turns: Arc<Mutex<Turns>>,
}

type Turns = HashMap<Fence, Weak<tokio::sync::Mutex<()>>>;

impl Checker {
    pub(crate) fn new(parts: &Parts, options: &Arc<Options>) -> Self {
        let node = NodeId::from_bytes(parts.signer.public_key());
        Self { parts: parts.clone(), options: options.clone(), node, turns: Arc::default() }
    }

    /// One result per command, in order, up to the first that could not be run.
    ///
    /// Begun, it goes on to its end, also when whoever asked is gone: nobody else removes its container.
    pub(crate) async fn run(&self, check: &Check) -> PortResult<Vec<CheckResult>> {
        let (this, check) = (self.clone(), check.clone());
        let run = tokio::spawn(async move { this.run_all(&check).await });
        run.await.unwrap_or_else(|e| Err(PortError::failed("running checks", e)))
    }

    async fn run_all(&self, check: &Check) -> PortResult<Vec<CheckResult>> {
        let at = check_fence(&check.fence)?;
        let turn = self.turn(&at);
        let _one_at_a_time = turn.lock().await;
        let folder = run_folder(&self.options.run_folder, &at);
        self.clear(&at, &folder).await;
        let workspace = self.parts.workspaces.create(&check.project, &at, &check.head).await?;
        let launch = Launch {
            program: Program::Checks {
                commands: check.commands.clone(),
                timeout_secs: check.limits.time.as_secs(),
            },
            workdir: WORKSPACE.to_owned(),
            env: self.options.agent.env.clone(),
            linger_secs: 0,
        };
        write_launch(&folder, &launch).await?;
        let mount = |source, target: &str, read_only| Mount { source, target: target.into(), read_only };
        let mut mounts = vec![mount(workspace, WORKSPACE, false), mount(folder.clone(), RUN_FOLDER, true)];
        mounts.extend(self.options.agent.mounts.iter().cloned());
        let spec = WorkloadSpec {
            node: self.node,
            fence: at.clone(),
            role: Role::Check,
            image: self.options.image.clone().unwrap_or_default(),
            command: self.options.agent.command.clone(),
            env: self.options.agent.env.clone(),
            mounts,
            workdir: WORKSPACE.into(),
            limits: check.limits,
        };
        let id = self.parts.executor.launch(&spec).await?;
        let result = self.follow(&id, check).await;
        let _ = self.parts.executor.remove(&id).await;
        self.clear(&at, &folder).await;
        result
    }

    fn turn(&self, at: &Fence) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().expect("invariant: no panic while turns are held");
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(at).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(tokio::sync::Mutex::new(()));
        turns.insert(at.clone(), Arc::downgrade(&turn));
        turn
    }

    /// Reads what the checks say, and ends them when they take longer than an attempt may.
    async fn follow(&self, id: &WorkloadId, check: &Check) -> PortResult<Vec<CheckResult>> {
        let limit = check.limits.time;
        tokio::select! {
            read = self.read(id) => {
                let (checks, ended) = read?;
                let exit = self.parts.executor.wait(id).await?;
                whole(checks, ended, &exit, &check.commands)
            }
            () = self.parts.clock.sleep(limit) => {
                self.parts.executor.stop(id, Duration::ZERO).await?;
                let (mut checks, _) = self.read(id).await?;
                let ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
                if let Some(command) = check.commands.get(checks.len()) {
                    let tail = vec![format!("ended after {} s", limit.as_secs())];
                    checks.push(CheckResult { command: command.clone(), code: 124, ms, tail });
                }
                Ok(checks)
            }
        }
    }

    async fn read(&self, id: &WorkloadId) -> PortResult<(Vec<CheckResult>, bool)> {
        let mut lines = self.parts.executor.logs(id).await?;
        let (mut checks, mut tail, mut ended) = (Vec::new(), VecDeque::new(), false);
        while let Some(line) = lines.next().await {
            let Ok(frame) = serde_json::from_str::<Frame>(&line?) else { continue };
            match frame.body {
                FrameBody::Out { t } | FrameBody::Err { t } => {
                    tail.push_back(t.chars().take(TAIL_LINE).collect());
                    if tail.len() > TAIL {
                        tail.pop_front();
                    }
                }
                FrameBody::Checked { command, code, ms } => {
                    let tail = std::mem::take(&mut tail).into();
                    checks.push(CheckResult { command, code, ms, tail });
                }
                FrameBody::Ended { .. } => ended = true,
                _ => {}
            }
        }
        Ok((checks, ended))
    }

    /// Removes what an earlier run left, its container first: it works in the checkout.
    async fn clear(&self, at: &Fence, folder: &Path) {
        let left = self.parts.executor.list(self.node).await.unwrap_or_default();
        for workload in left.into_iter().filter(|w| w.fence == *at) {
            let _ = self.parts.executor.remove(&workload.id).await;
        }
        let _ = self.parts.workspaces.remove(at).await;
        let _ = tokio::fs::remove_dir_all(folder).await;
    }
}

/// The fence a check's checkout stands under, so that it never meets the agent's own.
fn check_fence(fence: &Fence) -> Result<Fence, PortError> {
    let id = format!("{}{SUFFIX}", fence.attempt.task);
    let task = TaskId::new(id).map_err(|e| PortError::failed("naming a check", e))?;
    Ok(Fence { attempt: AttemptId { task, number: fence.attempt.number }, epoch: fence.epoch })
}

/// Checks that were cut short by the machine say nothing of the result; by the kernel's memory limit they do.
fn whole(
    mut checks: Vec<CheckResult>,
    ended: bool,
    exit: &Exit,
    commands: &[String],
) -> PortResult<Vec<CheckResult>> {
    if ended {
        return Ok(checks);
    }
    if let (true, Some(command)) = (exit.out_of_memory, commands.get(checks.len())) {
        let tail = vec!["the kernel ended it for want of memory".to_owned()];
        checks.push(CheckResult { command: command.clone(), code: 137, ms: 0, tail });
        return Ok(checks);
    }
    let detail = exit.detail.clone().unwrap_or_default();
    Err(PortError::Refused(format!("the check container ended early with {} {detail}", exit.code)))
}
