//! The owner's desk: what holders report is checked against who holds what, then handed to the owner.
//!
//! The node's own host reports here too, so that a task on this machine and one on another take one path.

use crate::journal::Journal;
use crate::mesh::Fetches;
use crate::owner::{Gone, OwnerHandle};
use crate::{Options, Parts};
use ikigai_ports::logs::{LogLine, Stream};
use ikigai_ports::peer::Appended;
use ikigai_ports::{PortError, PortResult};
use ikigai_task::{Input, Observation, Reason, Refusal};
use ikigai_types::{Commit, Epoch, Fence, NodeId, ProjectId, Timestamp, Writer};
use ikigai_wire::peer::{Adopted, Copied, CopyAsk, Ended, Line, Lines, News, Reply, Report};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Where holders report. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    parts: Parts,
    options: Arc<Options>,
    node: NodeId,
    owner: OwnerHandle,
    journal: Arc<Journal>,
    /// Stale appends already in the log: a zombie that prints thousands of lines is recorded once.
    told: Arc<Mutex<HashMap<Fence, Epoch>>>,
    fetches: Arc<Fetches>,
}

/// What the owner knows of a fence.
enum Claim {
    /// No such attempt: the owner says so itself, or records it as stale.
    Unknown,
    /// It was granted to `node`; `last` when it is the present attempt or may become it again.
    Granted { node: NodeId, project: ProjectId, last: bool, epoch: Epoch },
}

/// Entries of the log that are copied at once, and moved tasks that are told of.
const PAGE: usize = 256;
/// How long a copier waits for an entry before it is told that there is none.
const NEWS: Duration = Duration::from_secs(5);
/// Fences whose stale appends are remembered as told.
const TOLD: usize = 1024;
/// What is kept of a refused request, in characters.
const DENIED: usize = 300;

impl Desk {
    pub(crate) fn new(
        parts: &Parts,
        options: &Arc<Options>,
        owner: OwnerHandle,
        journal: Arc<Journal>,
    ) -> Self {
        let node = NodeId::from_bytes(parts.signer.public_key());
        let (told, fetches) = (Arc::default(), Arc::default());
        Self { parts: parts.clone(), options: options.clone(), node, owner, journal, told, fetches }
    }

    /// Makes sure that a commit and all it reaches is here, brought from `node` if it is not.
    ///
    /// # Errors
    /// When that node is away or does not have it, or what it sends is not whole.
    pub(crate) async fn fetch(&self, node: NodeId, project: &ProjectId, want: &Commit) -> PortResult<()> {
        self.fetches.fetch(&self.parts, node, project, want).await
    }

    /// What happened to an attempt; answered when it is durable here, objects included.
    pub(crate) async fn report(&self, caller: NodeId, report: Report) -> PortResult<Reply> {
        let Report { fence, mut news } = report;
        let claim = self.claim(caller, &fence).await?;
        if let (Claim::Granted { project, last: true, .. }, News::Ended(ended)) = (&claim, &mut news)
            && caller != self.node
        {
            self.bring_renewing(caller, &fence, project, ended).await?;
        }
        let observation = observation(fence, news, self.parts.clock.now());
        match self.owner.observe(observation).await {
            Ok(()) => Ok(Reply::Taken { lease_ms: lease_ms(self.options.policy.lease) }),
            Err(Gone::Stopping) => Err(stopping()),
            Err(Gone::Refused(refusal)) => {
                let current = match &refusal {
                    Refusal::Stale { current, .. } => Some(*current),
                    _ => None,
                };
                Ok(Reply::Refused { current, text: refusal.to_string() })
            }
        }
    }

    /// Brings here what an attempt made, and renews its lease for as long as that takes.
    async fn bring_renewing(
        &self,
        holder: NodeId,
        fence: &Fence,
        project: &ProjectId,
        ended: &mut Ended,
    ) -> PortResult<()> {
        let every = self.options.policy.lease / 3;
        let mut brought = std::pin::pin!(self.bring(holder, project, ended));
        loop {
            tokio::select! {
                brought = &mut brought => return brought,
                () = self.parts.clock.sleep(every) => {
                    let beat = observation(fence.clone(), News::Heartbeat, self.parts.clock.now());
                    // One that lost its lease is refused with the result.
                    let _ = self.owner.observe(beat).await;
                }
            }
        }
    }

    /// Brings here what an attempt made. What was saved of one that failed is worth a try, and no more.
    async fn bring(&self, holder: NodeId, project: &ProjectId, ended: &mut Ended) -> PortResult<()> {
        if let Some(change) = &ended.change {
            self.fetch(holder, project, &change.head).await?;
        }
        let wanted = ended.saved.as_ref().filter(|_| ended.reason.is_some_and(Reason::resumes));
        if let Some(saved) = wanted
            && let Err(error) = self.fetch(holder, project, saved).await
        {
            tracing::warn!(error = error.chain(), "what was saved of an attempt stays on its node");
            ended.saved = None;
        }
        Ok(())
    }

    /// Lines of an attempt that ran on another machine, kept here as they were numbered there.
    pub(crate) async fn append(&self, caller: NodeId, lines: Lines) -> PortResult<Appended> {
        let Lines { fence, lines } = lines;
        match self.claim(caller, &fence).await? {
            Claim::Granted { last: true, .. } => {}
            Claim::Granted { epoch, .. } => return self.stale_lines(fence, epoch).await,
            Claim::Unknown => return self.stale_lines(fence, Epoch::default()).await,
        }
        let attempt = &fence.attempt;
        if lines.is_empty() {
            return Ok(Appended::Upto(*self.parts.logs.watch(attempt).await?.borrow()));
        }
        let lines = lines.into_iter().map(log_line).collect::<PortResult<Vec<_>>>()?;
        self.parts.logs.append(attempt, lines).await.map(Appended::Upto)
    }

    async fn stale_lines(&self, fence: Fence, epoch: Epoch) -> PortResult<Appended> {
        if self.is_news(&fence, epoch) {
            let what = "log line".to_owned();
            match self.owner.observe(Observation::Acted { fence, what }).await {
                Err(Gone::Stopping) => return Err(stopping()),
                Ok(()) | Err(Gone::Refused(_)) => {}
            }
        }
        Ok(Appended::Stale(epoch))
    }

    fn is_news(&self, fence: &Fence, epoch: Epoch) -> bool {
        let mut told = self.told.lock().expect("invariant: no panic while it is held");
        if told.len() >= TOLD {
            told.clear();
        }
        told.insert(fence.clone(), epoch) != Some(epoch)
    }

    /// Whose attempt it is. A node speaks for the attempts it was granted and for no other.
    async fn claim(&self, caller: NodeId, fence: &Fence) -> PortResult<Claim> {
        let wanted = fence.clone();
        let looked = self.owner.look(move |o| {
            let task = o.task(&wanted.attempt.task)?;
            let attempt = task.attempts.iter().find(|a| a.fence == wanted)?;
            let last = task.is_last(&wanted) || task.away(&wanted).is_some();
            let project = task.spec.project.clone();
            Some(Claim::Granted { node: attempt.node, project, last, epoch: task.good_epoch() })
        });
        match looked.await.map_err(|_| stopping())? {
            Some(Claim::Granted { node, .. }) if node != caller => {
                Err(PortError::Refused(format!("{fence} was not granted to node {}", caller.short())))
            }
            claim => Ok(claim.unwrap_or(Claim::Unknown)),
        }
    }

    /// Whether `caller` has or had an attempt of `project` from here: it may read the project's objects.
    pub(crate) async fn works_on(&self, caller: NodeId, project: &ProjectId) -> bool {
        let project = project.clone();
        let looked = self.owner.look(move |o| {
            let mut tasks = o.tasks().values().filter(|t| t.spec.project == project);
            tasks.any(|t| t.attempts.iter().any(|a| a.node == caller))
        });
        looked.await.unwrap_or(false)
    }

    /// A piece of this node's log for a node that keeps a copy. Tasks that were moved there while this node was
    /// gone are its own from now on, unless they were accepted here.
    pub(crate) async fn copy(&self, caller: NodeId, ask: CopyAsk) -> PortResult<Copied> {
        let mut kept = Vec::new();
        for Adopted { task, epoch } in ask.adopted.into_iter().take(PAGE) {
            match self.owner.input(Input::Cede(task.clone(), epoch, caller)).await {
                Ok(()) => {}
                Err(Gone::Refused(_)) => kept.push(task),
                Err(Gone::Stopping) => return Err(stopping()),
            }
        }
        let log = self.journal.epoch().to_owned();
        let first = if ask.log.as_ref() == Some(&log) { ask.after.saturating_add(1) } else { 1 };
        let mut last = self.journal.last();
        let news = async { last.wait_for(|n| *n >= first).await.map(drop) };
        tokio::select! {
            _ = news => {}
            () = self.parts.clock.sleep(NEWS) => {}
        }
        let records = self.journal.read(first, PAGE).await?.into_iter().map(|(_, record)| record).collect();
        Ok(Copied { log, first, records, kept })
    }

    /// Something became free.
    pub(crate) async fn freed(&self) {
        // A node that is stopping looks again when it starts.
        let _ = self.owner.observe(Observation::CapacityChanged).await;
    }
}

/// What a holder may count on, from before it asked: the owner's lease less the margin for clocks that do not
/// run at one rate.
pub(crate) fn lease_ms(lease: Duration) -> u64 {
    let margin = Duration::from_secs(2).max(lease / 5).min(lease / 2);
    u64::try_from((lease - margin).as_millis()).unwrap_or(u64::MAX)
}

fn stopping() -> PortError {
    PortError::unavailable("the owner", "its node is stopping")
}

fn observation(fence: Fence, news: News, now: Timestamp) -> Observation {
    match news {
        News::Heartbeat => Observation::Heartbeat { fence },
        News::Used { usage } => Observation::Used { fence, usage },
        News::Started { workload, base, isolation_missing } => {
            Observation::Started { fence, workload, base, isolation_missing }
        }
        News::Session { how } => Observation::Session { fence, how },
        News::Denied { what } => {
            // It comes from another machine, and is kept.
            Observation::Denied { fence, what: what.chars().take(DENIED).collect() }
        }
        News::Typing { writer } => {
            // A name comes from another machine, and is shown to everybody.
            let writer = writer.map(|w| Writer::new(&w.name, w.node));
            Observation::Typing { fence, writer }
        }
        News::Quota { wait_ms } => {
            Observation::Quota { fence, until: now.after(Duration::from_millis(wait_ms)) }
        }
        News::Ended(e) => Observation::Ended {
            fence,
            exit_code: e.exit_code,
            reason: e.reason,
            detail: e.detail,
            usage: e.usage,
            change: e.change,
            salvage: e.salvage,
            saved: e.saved,
        },
    }
}

fn log_line(line: Line) -> PortResult<LogLine> {
    let stream = match line.stream.as_str() {
        "stdout" => Stream::Stdout,
        "stderr" => Stream::Stderr,
        "system" => Stream::System,
        "gap" => Stream::Gap,
        other => {
            let other: String = other.chars().take(20).collect();
            return Err(PortError::Refused(format!("`{other}` is no stream of a log line")));
        }
    };
    Ok(LogLine { n: line.n, at: line.at, stream, text: line.text })
}

/// A log line as it is sent.
pub(crate) fn line(line: LogLine) -> Line {
    let stream = match line.stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
        Stream::System => "system",
        Stream::Gap => "gap",
    };
    Line { n: line.n, at: line.at, stream: stream.to_owned(), text: line.text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_counts_on_less_than_the_owner_grants() {
        let margin = |s| s * 1000 - lease_ms(Duration::from_secs(s));
        assert_eq!([60, 10, 5, 3].map(margin), [12_000, 2_000, 2_000, 1_500]);
    }
}
