//! Having a result's checks run again, on another node than the agent's where there is one.

use super::{Chores, Done, change};
use ikigai_ports::forge::Mark;
use ikigai_ports::{PortError, PortResult};
use ikigai_task::{Observation, Task};
use ikigai_types::check::judge;
use ikigai_types::{CheckResult, Fence, Liveness, NodeId, Verdict};
use ikigai_wire::peer::Check;

impl Chores {
    /// Has the declared checks run on the result of `fence` and tells the forge the verdict.
    pub(super) async fn verify(&self, task: &Task, fence: Fence) -> Done {
        let declared = &task.spec.verify;
        let (node, checks) =
            if declared.is_empty() { (self.node, Vec::new()) } else { self.run_checks(task, &fence).await? };
        let (verdict, gaps) = judge(declared, &checks);
        self.tell_verdict(task, verdict, &checks, &gaps).await;
        Ok(Some(Observation::Verified { fence, verdict, node, checks, gaps }))
    }

    /// Asks one node after the other until one has run them.
    async fn run_checks(&self, task: &Task, fence: &Fence) -> PortResult<(NodeId, Vec<CheckResult>)> {
        let check = Check {
            fence: fence.clone(),
            project: task.spec.project.clone(),
            head: change(task)?.head.clone(),
            commands: task.spec.verify.clone(),
            limits: task.spec.limits,
        };
        let mut failed = PortError::Unsupported("running checks");
        for node in self.checkers(task) {
            self.peer.lend(node, &check.project);
            match self.ask(node, &check).await {
                Ok(checks) => return Ok((node, checks)),
                Err(error) => {
                    tracing::warn!(node = %node.short(), error = error.chain(), "the checks were not run there");
                    failed = error;
                }
            }
        }
        Err(failed)
    }

    async fn ask(&self, node: NodeId, check: &Check) -> PortResult<Vec<CheckResult>> {
        if node == self.node {
            return self.checker.run(check).await;
        }
        Ok(self.parts.peer(node)?.check(self.node, check.clone()).await?.checks)
    }

    /// Who may run the checks, the best first: not who ran the agent, then this node, then whoever is left.
    fn checkers(&self, task: &Task) -> Vec<NodeId> {
        let ran = task.attempts.last().map(|a| a.node);
        let image = self.options.image.as_deref();
        let now = self.parts.clock.now();
        // Room for the agent that a busy node may be given meanwhile, and for the checks.
        let room = task.spec.request.plus(&task.spec.request);
        let known = self.neighbours.candidates(image, now).into_iter().map(|(c, _)| c);
        let fit = known.filter(|c| c.liveness == Liveness::Alive && c.image && c.free.covers(&room));
        let mut nodes: Vec<_> = fit.map(|c| (Some(c.id) == ran, c.free.slots, c.id)).collect();
        nodes.push((Some(self.node) == ran, u64::from(nodes.is_empty()), self.node));
        nodes.sort_by_key(|(ran, free, id)| (*ran, std::cmp::Reverse(*free), *id));
        nodes.into_iter().map(|(_, _, id)| id).take(3).collect()
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
