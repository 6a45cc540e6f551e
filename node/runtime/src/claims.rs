//! What a node says to an arbiter and asks of it, on a node that has one: that it is there, who has its tasks now,
//! and, before it accepts a result or moves a task here, whether it may.

use crate::Parts;
use crate::owner::OwnerHandle;
use ikigai_ports::arbiter::{Arbiter, Claim, Ruling, Taking};
use ikigai_ports::node::Answer;
use ikigai_ports::{Clock, PortError, PortResult};
use ikigai_task::{Input, Owner, TaskState};
use ikigai_types::{Epoch, NodeId, TaskId};
use ikigai_wire::api::{Code, Problem};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;

/// Tasks that are asked for at once.
const ASKED: usize = 500;

/// Held while the owner writes that it accepts: what the arbiter was told is not looked at meanwhile.
pub(crate) type Accepting<'a> = MutexGuard<'a, ()>;

/// This node before its arbiter. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Claims {
    arbiter: Option<Arc<dyn Arbiter>>,
    clock: Arc<dyn Clock>,
    node: NodeId,
    owner: OwnerHandle,
    /// How long a word of this node is good for.
    lasts: Duration,
    accepting: Arc<Mutex<()>>,
}

/// A task of this node, as far as an arbiter can know of it.
struct Own {
    task: TaskId,
    epoch: Epoch,
    adopted_from: Option<NodeId>,
    accepted: bool,
}

impl Claims {
    pub(crate) fn new(parts: &Parts, node: NodeId, owner: &OwnerHandle, lease: Duration) -> Self {
        let (arbiter, clock, owner) = (parts.arbiter.clone(), parts.clock.clone(), owner.clone());
        Self { arbiter, clock, node, owner, lasts: lease.saturating_mul(2), accepting: Arc::default() }
    }

    /// Says again and again that this node is there, and learns what is not its own any more.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let Some(arbiter) = self.arbiter.clone() else { return };
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                done = self.round(&*arbiter) => if let Err(error) = done {
                    tracing::warn!(error = error.chain(), "the arbiter was not asked");
                },
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.clock.sleep(self.lasts / 4) => {}
            }
        }
    }

    /// First what is lost, then that this node is there: whoever waits for it to go may have what it gave up.
    async fn round(&self, arbiter: &dyn Arbiter) -> PortResult<()> {
        let _alone = self.accepting.lock().await;
        let own = self.owner.look(own).await.map_err(|_| stopping())?;
        for some in own.chunks(ASKED) {
            let ids: Vec<_> = some.iter().map(|t| t.task.clone()).collect();
            let claims = arbiter.claims(&ids).await?;
            for task in some {
                let claim = claims.iter().find(|(id, _)| *id == task.task).map(|(_, c)| *c);
                self.compare(arbiter, task, claim).await?;
            }
        }
        arbiter.stand(self.node, self.lasts).await
    }

    async fn compare(&self, arbiter: &dyn Arbiter, task: &Own, claim: Option<Claim>) -> PortResult<()> {
        match (claim, task.adopted_from) {
            (Some(c), _) if c.owner != self.node && (c.held || c.settled) => {
                self.cede(&task.task, c.epoch.max(task.epoch.taken_over()), c.owner).await;
            }
            // Promised to another that has not taken it into its log yet, and may never.
            (Some(c), _) if c.owner != self.node && c.was == self.node => {}
            (Some(c), _) if c.owner == self.node && c.settled && !task.accepted => {
                arbiter.settle(&task.task, self.node, false).await?;
            }
            (Some(c), Some(_)) if c.owner == self.node && c.held => {}
            (_, Some(from)) => {
                let to = (from, task.epoch);
                let ruling = arbiter.take(&Taking { held: true, ..self.taking(&task.task, to) }).await?;
                if let Ruling::Held(other) | Ruling::Settled(other) = ruling {
                    self.cede(&task.task, task.epoch.taken_over(), other).await;
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn cede(&self, task: &TaskId, epoch: Epoch, to: NodeId) {
        if let Err(error) = self.owner.input(Input::Cede(task.clone(), epoch, to)).await {
            tracing::error!(%task, node = %to.short(), %error, "the arbiter gave it to another node");
        }
    }

    fn taking(&self, task: &TaskId, (from, epoch): (NodeId, Epoch)) -> Taking {
        Taking { task: task.clone(), from, to: self.node, epoch, force: false, held: false }
    }

    /// Asks whether `task` may be moved here from the node that has it, under epochs above a given one.
    pub(crate) async fn take(&self, task: &TaskId, from: (NodeId, Epoch), force: bool) -> Answer<()> {
        let Some(arbiter) = &self.arbiter else {
            let text = "the owner may come back and find its task taken";
            let hint =
                "if it is gone for good, say so with --force; nodes with an arbiter need not ask a person";
            return if force { Ok(()) } else { Err(Problem::new(Code::Denied, text, hint)) };
        };
        let ruling = arbiter.take(&Taking { force, ..self.taking(task, from) }).await.map_err(away)?;
        refused(task, ruling)
    }

    /// Says that `task` is in this node's log. When that does not work now, the next round says it.
    pub(crate) async fn confirm(&self, task: &TaskId) {
        let Some(arbiter) = &self.arbiter else { return };
        let id = task.clone();
        let adopted = move |o: &Owner| o.task(&id).and_then(|t| Some((t.adopted_from?, t.epoch)));
        if let Ok(Some((from, epoch))) = self.owner.look(adopted).await {
            let taking = Taking { held: true, ..self.taking(task, (from, epoch)) };
            if let Err(error) = arbiter.take(&taking).await {
                tracing::info!(%task, error = error.chain(), "the arbiter is told later");
            }
        }
    }

    /// Asks whether this node may accept the result of `task`; from the answer on nobody else can.
    pub(crate) async fn settle(&self, task: &TaskId) -> Answer<Option<Accepting<'_>>> {
        let Some(arbiter) = &self.arbiter else { return Ok(None) };
        let accepting = self.accepting.lock().await;
        refused(task, arbiter.settle(task, self.node, true).await.map_err(away)?)?;
        Ok(Some(accepting))
    }
}

/// Tasks that an arbiter may know more of than their owner.
fn own(owner: &Owner) -> Vec<Own> {
    let open = owner.tasks().values().filter(|t| t.state != TaskState::Accepted);
    let own = open.map(|t| Own {
        task: t.spec.id.clone(),
        epoch: t.epoch,
        adopted_from: t.adopted_from,
        accepted: t.accepted.is_some(),
    });
    own.collect()
}

fn stopping() -> PortError {
    PortError::unavailable("the owner", "its node is stopping")
}

fn away(error: PortError) -> Problem {
    let hint =
        "nothing is decided without it: start it again, or take [arbiter] out of every node's ikigai.toml";
    Problem::new(Code::Unreachable, error.chain(), hint)
}

fn refused(task: &TaskId, ruling: Ruling) -> Answer<()> {
    let short = task.short();
    let (node, text, hint) = match ruling {
        Ruling::Granted => return Ok(()),
        Ruling::There(node) => {
            (node, "is there, as far as the arbiter knows", "wait until its word is over, or say --force")
        }
        Ruling::Unheard(node) => {
            (node, "never told the arbiter that it is there", "if it is gone for good, say so with --force")
        }
        Ruling::Held(node) => (node, "has it now", "ask that node: ikigai task ls"),
        Ruling::Settled(node) => (node, "accepted its result", "ask that node: ikigai task ls"),
    };
    Err(Problem::new(
        Code::Conflict,
        format!("{short} stays where it is: node {} {text}", node.short()),
        hint,
    ))
}
