//! Running a result's checks again: from a clean checkout, in a fresh container, by agentd.

use super::{Chores, Done, change, check_fence};
use crate::host::{WORKSPACE, run_folder, write_launch};
use futures::StreamExt as _;
use ikigai_ports::executor::{Exit, Mount, Role, WorkloadSpec};
use ikigai_ports::forge::Mark;
use ikigai_ports::{PortError, PortResult};
use ikigai_task::{Observation, Task};
use ikigai_types::check::judge;
use ikigai_types::{CheckResult, Fence, Verdict, WorkloadId};
use ikigai_wire::agent::{Frame, FrameBody, Launch, Program, RUN_FOLDER};
use std::collections::VecDeque;
use std::time::Duration;

/// What marks a checkout that was made for checks.
pub(super) const SUFFIX: &str = ":check";
/// Lines of a check's output that are kept.
const TAIL: usize = 20;
/// Longest kept line, in characters.
const TAIL_LINE: usize = 400;

/// Whether a fence stands for a checkout made for checks.
pub(crate) fn is_check(fence: &Fence) -> bool {
    fence.attempt.task.as_str().ends_with(SUFFIX)
}

impl Chores {
    /// Runs the declared checks on the result of `fence` and tells the forge the verdict.
    pub(super) async fn verify(&self, task: &Task, fence: Fence) -> Done {
        let declared = &task.spec.verify;
        let checks = if declared.is_empty() { Vec::new() } else { self.run_checks(task, &fence).await? };
        let (verdict, gaps) = judge(declared, &checks);
        self.tell_verdict(task, verdict, &checks, &gaps).await;
        Ok(Some(Observation::Verified { fence, verdict, node: self.node, checks, gaps }))
    }

    async fn run_checks(&self, task: &Task, fence: &Fence) -> PortResult<Vec<CheckResult>> {
        let at = check_fence(fence)?;
        let folder = run_folder(&self.options.run_folder, &at);
        self.clear(&at, &folder).await;
        let workspace = self.parts.workspaces.create(&task.spec.project, &at, &change(task)?.head).await?;
        let launch = Launch {
            program: Program::Checks {
                commands: task.spec.verify.clone(),
                timeout_secs: task.spec.limits.time.as_secs(),
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
            limits: task.spec.limits,
        };
        let id = self.parts.executor.launch(&spec).await?;
        let result = self.follow(&id, task).await;
        let _ = self.parts.executor.remove(&id).await;
        self.clear(&at, &folder).await;
        result
    }

    /// Reads what the checks say, and ends them when they take longer than an attempt may.
    async fn follow(&self, id: &WorkloadId, task: &Task) -> PortResult<Vec<CheckResult>> {
        let limit = task.spec.limits.time;
        tokio::select! {
            read = self.read(id) => {
                let (checks, ended) = read?;
                let exit = self.parts.executor.wait(id).await?;
                whole(checks, ended, &exit, task)
            }
            () = self.parts.clock.sleep(limit) => {
                self.parts.executor.stop(id, Duration::ZERO).await?;
                let (mut checks, _) = self.read(id).await?;
                let ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
                if let Some(command) = task.spec.verify.get(checks.len()) {
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

    async fn clear(&self, at: &Fence, folder: &std::path::Path) {
        let _ = self.parts.workspaces.remove(at).await;
        let _ = tokio::fs::remove_dir_all(folder).await;
    }

    async fn tell_verdict(&self, task: &Task, verdict: Verdict, checks: &[CheckResult], gaps: &[String]) {
        let Some(patch) = task.attempts.last().and_then(|a| a.patch.clone()) else { return };
        let ran: Vec<_> =
            checks.iter().map(|c| format!("- `{}` exited with {}", c.command, c.code)).collect();
        let gaps = if gaps.is_empty() { String::new() } else { format!("\n\nMissing: {}", gaps.join(", ")) };
        let body = format!("{verdict}, checked from a clean checkout.\n\n{}{gaps}", ran.join("\n"));
        let told = self.parts.forge.comment(&task.spec.project, &patch, &body).await;
        let marked = match verdict {
            Verdict::Not => Ok(()),
            _ => self.parts.forge.mark(&task.spec.project, &patch, Mark::Ready).await,
        };
        for error in [told, marked].into_iter().filter_map(Result::err) {
            tracing::warn!(task = %task.spec.id, error = error.chain(), "the forge was not told the verdict");
        }
    }
}

/// Checks that were cut short by the machine say nothing of the result; by the kernel's memory limit they do.
fn whole(
    mut checks: Vec<CheckResult>,
    ended: bool,
    exit: &Exit,
    task: &Task,
) -> PortResult<Vec<CheckResult>> {
    if ended {
        return Ok(checks);
    }
    let next = task.spec.verify.get(checks.len());
    if let (true, Some(command)) = (exit.out_of_memory, next) {
        let tail = vec!["the kernel ended it for want of memory".to_owned()];
        checks.push(CheckResult { command: command.clone(), code: 137, ms: 0, tail });
        return Ok(checks);
    }
    let detail = exit.detail.clone().unwrap_or_default();
    Err(PortError::Refused(format!("the check container ended early with {} {detail}", exit.code)))
}
