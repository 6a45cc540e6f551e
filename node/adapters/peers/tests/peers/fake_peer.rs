//! A peer that only pretends: it answers what it was asked, and notes by whom.

use crate::far;
use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use ikigai_ports::objects::Pack;
use ikigai_ports::peer::Appended;
use ikigai_ports::rpc::trace::Trace;
use ikigai_ports::{Peer, PortError, PortResult};
use ikigai_task::{Reason, TaskSpec};
use ikigai_types::{
    AttemptId, Change, CheckResult, Commit, Epoch, Fence, Lease, Limits, NodeId, ProjectId, Resources, Tags,
    TaskId, Timestamp, Usage,
};
use ikigai_wire::peer::{
    Admission, Advertisement, Check, Checked, Copied, CopyAsk, Ended, Envelope, Line, Lines, News, Offer,
    Order, Reply, Report, Roster, Workload,
};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// What a check with this time in its limits does: it lasts until [`FakePeer::released`].
pub const HELD: Duration = Duration::from_secs(77);

#[derive(Debug, Default)]
pub struct FakePeer {
    pub asked: Mutex<Vec<(NodeId, String)>>,
    pub traces: Mutex<Vec<Option<Trace>>>,
    pub failures: Mutex<VecDeque<PortError>>,
    /// Pieces of the next packs.
    pub pack: Mutex<VecDeque<PortResult<Bytes>>>,
    /// Pieces that were drawn so far.
    pub drawn: std::sync::Arc<AtomicUsize>,
    pub held: AtomicUsize,
    /// Bytes that the next refusals of offers say more.
    pub wordy: AtomicUsize,
    pub dropped: AtomicUsize,
    pub released: Notify,
    pub changed: Notify,
}

impl FakePeer {
    fn note(&self, caller: NodeId, what: String) -> PortResult<()> {
        self.asked.lock().unwrap().push((caller, what));
        self.traces.lock().unwrap().push(Trace::current());
        self.failures.lock().unwrap().pop_front().map_or(Ok(()), Err)
    }

    /// Waits until `is_so`.
    pub async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        loop {
            let changed = self.changed.notified();
            if is_so(self) {
                return;
            }
            changed.await;
        }
    }
}

/// Notes that a call was given up.
struct Given<'a>(&'a FakePeer, bool);

impl Drop for Given<'_> {
    fn drop(&mut self) {
        if !self.1 {
            self.0.dropped.fetch_add(1, Ordering::SeqCst);
            self.0.changed.notify_waiters();
        }
    }
}

#[async_trait]
impl Peer for FakePeer {
    async fn offer(&self, caller: NodeId, offer: Offer) -> PortResult<Admission> {
        self.note(caller, format!("offer {}", offer.lease.fence))?;
        if offer.lease_ms == 0 {
            let advertisement = Box::new(advertisement());
            let text = format!("no room{}", "!".repeat(self.wordy.load(Ordering::SeqCst)));
            return Ok(Admission::Refused { text, advertisement });
        }
        Ok(Admission::Accepted)
    }

    async fn order(&self, caller: NodeId, fence: Fence, order: Order) -> PortResult<()> {
        self.note(caller, format!("{order:?} {fence}"))
    }

    async fn report(&self, caller: NodeId, report: Report) -> PortResult<Reply> {
        self.note(caller, format!("report {} {:?}", report.fence, report.news))?;
        if report.fence.epoch == Epoch(0) {
            return Ok(Reply::Refused { current: Some(Epoch(7)), text: "stale".to_owned() });
        }
        Ok(Reply::Taken { lease_ms: 15_000 })
    }

    async fn append(&self, caller: NodeId, lines: Lines) -> PortResult<Appended> {
        self.note(caller, format!("append {}", lines.lines.len()))?;
        match lines.lines.last() {
            Some(line) => Ok(Appended::Upto(line.n)),
            None => Ok(Appended::Stale(Epoch(9))),
        }
    }

    async fn check(&self, caller: NodeId, check: Check) -> PortResult<Checked> {
        self.note(caller, format!("check {}", check.commands.join(", ")))?;
        if check.limits.time == HELD {
            let mut given = Given(self, false);
            self.held.fetch_add(1, Ordering::SeqCst);
            let released = self.released.notified();
            self.changed.notify_waiters();
            released.await;
            given.1 = true;
        }
        let result = |command| CheckResult { command, code: 0, ms: 12, tail: vec!["ok".to_owned()] };
        Ok(Checked { checks: check.commands.into_iter().map(result).collect() })
    }

    async fn pack(
        &self,
        caller: NodeId,
        project: ProjectId,
        want: Commit,
        have: Vec<Commit>,
    ) -> PortResult<Pack> {
        self.note(caller, format!("pack {project} {want} without {}", have.len()))?;
        let pieces = std::mem::take(&mut *self.pack.lock().unwrap());
        let drawn = self.drawn.clone();
        let count = move |piece| {
            drawn.fetch_add(1, Ordering::SeqCst);
            piece
        };
        Ok(futures::stream::iter(pieces).map(count).boxed())
    }

    async fn copy(&self, caller: NodeId, ask: CopyAsk) -> PortResult<Copied> {
        self.note(caller, format!("copy after {} of {:?}", ask.after, ask.log))?;
        let kept = ask.adopted.into_iter().map(|a| a.task).collect();
        Ok(Copied { log: "a1".to_owned(), first: ask.after + 1, records: Vec::new(), kept })
    }

    async fn roster(&self, caller: NodeId, roster: Roster) -> PortResult<Roster> {
        self.note(caller, format!("roster {}", roster.statements.len()))?;
        Ok(Roster { statements: roster.statements.into_iter().rev().collect(), ..Roster::default() })
    }
}

pub fn fence() -> Fence {
    let task = TaskId::new("1f0c2a77.001-shop.T003").unwrap();
    Fence { attempt: AttemptId { task, number: 2 }, epoch: Epoch(3) }
}

pub fn advertisement() -> Advertisement {
    Advertisement {
        name: "laptop".to_owned(),
        version: "0.1.0".to_owned(),
        capacity: Resources { cpu_millis: 8000, ..Resources::default() },
        allocatable: Resources { cpu_millis: 6000, ..Resources::default() },
        free: Resources { cpu_millis: 500, ..Resources::default() },
        tags: Tags::default(),
        adapters: vec!["codex".to_owned()],
        providers: vec!["openai".to_owned()],
        images: Vec::new(),
        executor: "docker".to_owned(),
        isolation_missing: Vec::new(),
        cordoned: false,
        draining: false,
        taints: vec!["spot:prefer-no-schedule".parse().unwrap()],
        classes: ikigai_types::ClassSlots::standard(4),
        repositories: Vec::new(),
        running: 3,
    }
}

pub fn workload() -> Workload {
    Workload {
        fence: fence(),
        node: far(),
        spec: TaskSpec {
            id: fence().attempt.task,
            project: ProjectId::new("1f0c2a77").unwrap(),
            checkout: "/srv/my shop".to_owned(),
            feature: "001-shop".to_owned(),
            tasks_file: Some("specs/001-shop/tasks.md".to_owned()),
            title: "Add a theme".to_owned(),
            text: "Add a theme / ü".to_owned(),
            depends_on: Vec::new(),
            claims: Vec::new(),
            verify: vec!["make test".to_owned()],
            adapter: "codex".to_owned(),
            provider: "openai".to_owned(),
            model: "m".to_owned(),
            request: Resources::default(),
            limits: Limits::default(),
            requires: ikigai_types::Selector::default(),
            tolerates: vec!["spot".parse().unwrap()],
            wants: ikigai_task::Wants { priority: 5, ..ikigai_task::Wants::default() },
            max_attempts: 3,
            linger_secs: 0,
            urgency: 1,
            disconnect: ikigai_types::Disconnect::default(),
            egress: Default::default(),
            owner: crate::near(),
        },
        prompt: "Do it.".to_owned(),
        base: Commit("a".repeat(40)),
        from: Some(Commit("f".repeat(40))),
        follow: Some(ikigai_task::Follow {
            attempt: 1,
            warm: Some("go on".to_owned()),
            cold: "anew".to_owned(),
        }),
        image: None,
        network: "gateway".to_owned(),
    }
}

pub fn offer() -> Offer {
    let sign = |_: &[u8]| Ok::<_, ()>([7; 64]);
    Offer {
        lease: Lease { fence: fence(), node: far(), expires: Timestamp(1_700_000_060_000) },
        lease_ms: 15_000,
        workload: Envelope::seal("workload", &workload(), crate::near(), sign).unwrap(),
    }
}

pub fn report(news: News) -> Report {
    Report { fence: fence(), news }
}

pub fn ended() -> News {
    let commit = |c: &str| Commit(c.repeat(40));
    News::Ended(Box::new(Ended {
        exit_code: Some(-9),
        reason: Some(Reason::OutOfMemory),
        detail: "ended by the kernel".to_owned(),
        usage: Usage::default(),
        change: Some(Change {
            base: commit("a"),
            head: commit("b"),
            files: vec!["src/ü.rs".to_owned()],
            additions: 3,
            deletions: 1,
        }),
        salvage: None,
        saved: Some(commit("c")),
    }))
}

pub fn lines(texts: &[String]) -> Lines {
    let line = |(i, text): (usize, &String)| Line {
        n: i as u64 + 1,
        at: Timestamp(1_700_000_000_000),
        stream: "stdout".to_owned(),
        text: text.clone(),
    };
    Lines { fence: fence(), lines: texts.iter().enumerate().map(line).collect() }
}

pub fn check(time: Duration) -> Check {
    Check {
        fence: fence(),
        project: ProjectId::new("1f0c2a77").unwrap(),
        head: Commit("b".repeat(40)),
        commands: vec!["make test".to_owned()],
        limits: Limits { time, ..Limits::default() },
    }
}
