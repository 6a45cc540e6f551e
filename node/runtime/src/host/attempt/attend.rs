//! While the agent runs: its lines become durable, its lease is renewed, its limits are watched.

use super::super::Ask;
use super::{Run, Told, lines, teller};
use crate::terminal::Change;
use futures::stream::{BoxStream, Peekable};
use futures::{FutureExt as _, StreamExt as _};
use ikigai_ports::gate::{GateEvent, GateOrder};
use ikigai_ports::logs::{LogLine, MAX_APPEND};
use ikigai_ports::{PortError, PortResult};
use ikigai_task::Reason;
use ikigai_task::host::{Breach, End};
use ikigai_types::WorkloadId;
use ikigai_wire::agent::FrameBody;
use ikigai_wire::peer::{News, Order, Reply};
use std::pin::Pin;
use std::time::Duration;
use tokio_util::task::AbortOnDropHandle;

/// How often limits are looked at.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// Every how many ticks the workspace is measured.
const DISK_TICKS: u32 = 5;
/// Lines that are made durable together, at most.
const LINES: usize = 1024;
/// And their bytes, about.
const WEIGHT: usize = MAX_APPEND / 4;
/// How long an agent gets to end by itself when a limit was passed.
const GRACE: Duration = Duration::from_secs(5);
/// How long a quota is waited for when the provider does not say.
const QUOTA: Duration = Duration::from_secs(60);
/// Denials of one attempt that are told one by one.
const DENIALS: u32 = 100;

/// What ends stays ended, and an error that comes behind a line is still there when it is asked for.
type Lines = Pin<Box<Peekable<BoxStream<'static, PortResult<String>>>>>;

impl Run {
    /// Stays with the workload until it ended.
    pub(super) async fn attend(&mut self, id: &WorkloadId) -> PortResult<End> {
        let mut told = Told::default();
        let mut logs = self.lines(id).await?;
        let clock = self.shared.parts.clock.clone();
        let (mut ticks, mut disk) = (0_u32, 0_u64);
        // One sleep from tick to tick: an agent that never is silent does not put it off.
        let mut tick = clock.sleep(TICK);
        loop {
            tokio::select! {
                line = logs.next() => match line {
                    Some(Ok(line)) => self.take_lines(line, &mut logs, &mut told).await?,
                    Some(Err(error)) => {
                        tracing::warn!(error = error.chain(), "the log broke off; it is read again from its start");
                        clock.sleep(TICK).await;
                        logs = self.lines(id).await?;
                    }
                    None => break,
                },
                Some(ask) = self.orders.recv() => match ask {
                    Ask::Order(order) => self.obey(id, order).await,
                    Ask::Types(change) => self.typed_in(change).await,
                },
                Some((_, event)) = self.gate.recv() => self.hear(event).await,
                told = self.teller.next() => self.answered(told).await,
                () = self.shipper.next() => {}
                () = &mut tick => {
                    tick = clock.sleep(TICK);
                    ticks += 1;
                    if ticks % DISK_TICKS == 0 {
                        let workspace = self.shared.parts.workspaces.usage(self.fence()).await;
                        let session = self.shared.session_bytes(&self.note).await;
                        disk = workspace.map_or(disk, |used| used.saturating_add(session));
                    }
                    self.tick(id, ticks, disk).await;
                }
            }
            if told.program.is_some() && self.note.spec.linger_secs > 0 && !self.note.delivered {
                self.deliver_early(&told).await;
            }
        }
        let exit = self.shared.parts.executor.wait(id).await?;
        Ok(told.end(exit))
    }

    async fn lines(&self, id: &WorkloadId) -> PortResult<Lines> {
        Ok(Box::pin(self.shared.parts.executor.logs(id).await?.peekable()))
    }

    /// Takes a line and whatever came with it: they are made durable together.
    async fn take_lines(&mut self, first: String, logs: &mut Lines, told: &mut Told) -> PortResult<()> {
        let (mut batch, session) = (Vec::new(), self.note.session.clone());
        self.read(&first, told, &mut batch);
        while batch.len() < LINES && batch.iter().map(LogLine::weight).sum::<usize>() < WEIGHT {
            let Some(Some(Ok(_))) = logs.as_mut().peek().now_or_never() else { break };
            if let Some(Some(Ok(line))) = logs.next().now_or_never() {
                self.read(&line, told, &mut batch);
            }
        }
        self.watch.heard(self.shared.parts.clock.now());
        if let Some(named) = self.note.session.clone().filter(|s| session.as_ref() != Some(s)) {
            let noted = self.shared.name_session(&self.note, &named).await;
            super::log_failure("note a session", noted);
        }
        if !batch.is_empty() {
            let last = self.shared.parts.logs.append(&self.fence().attempt, batch).await?;
            self.shipper.kept(last);
        }
        Ok(())
    }

    fn read(&mut self, line: &str, told: &mut Told, batch: &mut Vec<LogLine>) {
        let Some(frame) = lines::frame(line) else {
            tracing::warn!("a line of the workload is not agentd's");
            return;
        };
        match &frame.body {
            FrameBody::Ended { code, error } => {
                told.program = Some(*code);
                told.error.clone_from(error);
            }
            FrameBody::Session { id } => self.note.session = Some(id.clone()),
            FrameBody::Resumed { how } => self.teller.tell(News::Session { how: *how }),
            _ => {}
        }
        batch.push(lines::log_line(&frame));
    }

    async fn obey(&mut self, id: &WorkloadId, order: Order) {
        let executor = &self.shared.parts.executor;
        let now = self.shared.parts.clock.now();
        let done = match order {
            Order::Stop { grace, reason } => {
                let detail = format!("the owner ended it: {}", reason.name());
                self.stopped.get_or_insert(Breach { reason, detail });
                return self.end_within(id, Duration::from_secs(grace));
            }
            Order::Hold => executor.pause(id).await.map(|()| self.paused = true),
            Order::Unhold => executor.resume(id).await.map(|()| self.paused = false),
        };
        self.watch.hold(self.paused || self.typed_in, now);
        if let Err(error) = done {
            tracing::warn!(error = error.chain(), "an order could not be carried out");
        }
    }

    /// A person types in the terminal, or nobody does any more: the agent gets no new turn meanwhile, its clock
    /// stands, and its owner is told.
    async fn typed_in(&mut self, Change(writer): Change) {
        let (parts, now) = (&self.shared.parts, self.shared.parts.clock.now());
        self.typed_in = writer.is_some();
        let order = if self.typed_in { GateOrder::Hold } else { GateOrder::Release };
        super::log_failure("hold the agent's turns", parts.gates.tell(self.fence(), order).await);
        self.watch.hold(self.paused || self.typed_in, now);
        self.teller.tell(News::Typing { writer });
    }

    async fn hear(&mut self, event: GateEvent) {
        self.watch.heard(self.shared.parts.clock.now());
        let news = match event {
            GateEvent::Used { total } => {
                self.note.usage = total;
                super::log_failure("note what was used", self.keep_note().await);
                self.teller.tell(News::Used { usage: total });
                return self.end_turns();
            }
            GateEvent::Upstream { what } => return tracing::warn!(what, "the model provider"),
            GateEvent::Quota { retry_after } => {
                let wait = retry_after.map_or(QUOTA, Duration::from_secs);
                News::Quota { wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX) }
            }
            GateEvent::Denied { what } => {
                self.denied += 1;
                tracing::info!(what, "denied by the gate");
                if self.denied > DENIALS {
                    return;
                }
                News::Denied { what }
            }
        };
        self.teller.tell(news);
    }

    async fn tick(&mut self, id: &WorkloadId, ticks: u32, disk: u64) {
        if self.stopped.is_some() {
            return self.beat(ticks).await;
        }
        let now = self.shared.parts.clock.now();
        if self.shared.parts.gates.has_editor_open(self.fence()) {
            // Somebody works there, which is no silence.
            self.watch.heard(now);
        }
        // One whose result was taken stays for its editor only: it has nothing to lose but its place.
        let limits = if self.note.delivered { None } else { self.passed(disk, now) };
        if let Some(breach) = limits.or_else(|| self.shared.drained(now)) {
            tracing::warn!(reason = breach.reason.name(), detail = breach.detail, "ends the agent");
            self.stopped = Some(breach);
            self.end_within(id, GRACE);
        }
        self.beat(ticks).await;
    }

    /// Ends an agent that called its model too often, as soon as it has: turns can be short.
    fn end_turns(&mut self) {
        let breach = self.watch.turned(self.note.usage.calls).filter(|_| !self.note.delivered);
        if let (Some(breach), None, Some(id)) = (breach, &self.stopped, self.note.workload.clone()) {
            tracing::warn!(detail = breach.detail, "ends the agent");
            self.stopped = Some(breach);
            self.end_within(&id, GRACE);
        }
    }

    /// Renews the lease when it is time, also while the agent is being ended: the owner is to hear how.
    async fn beat(&mut self, ticks: u32) {
        let gone = |b: &Breach| matches!(b.reason, Reason::Lost | Reason::Superseded | Reason::Stopped);
        let every = (self.note.lease_ms / 3000).max(1);
        if !self.note.delivered && !self.stopped.as_ref().is_some_and(gone) && u64::from(ticks) % every == 0 {
            self.heartbeat().await;
        }
    }

    /// Ends the agent beside everything else that goes on. The same order again changes nothing; a shorter one
    /// counts.
    fn end_within(&mut self, id: &WorkloadId, grace: Duration) {
        let by = self.shared.parts.clock.now().after(grace);
        if self.ending.as_ref().is_some_and(|(sooner, _)| *sooner <= by) {
            return;
        }
        let (parts, id) = (self.shared.parts.clone(), id.clone());
        let ending = tokio::spawn(async move {
            // Until it is so: an agent that is to end has no limits any more.
            loop {
                match parts.executor.stop(&id, grace).await {
                    Ok(()) | Err(PortError::NotFound(_)) => return,
                    Err(error) => tracing::warn!(error = error.chain(), "an agent is not ended yet"),
                }
                parts.clock.sleep(TICK).await;
            }
        });
        self.ending = Some((by, AbortOnDropHandle::new(ending)));
    }

    fn passed(&mut self, disk: u64, now: ikigai_types::Timestamp) -> Option<Breach> {
        self.watch.breach(disk, now).or_else(|| self.lease_over(now))
    }

    fn lease_over(&self, now: ikigai_types::Timestamp) -> Option<Breach> {
        let detail = || "its owner did not renew the lease".to_owned();
        // The owner waits for as long before it gives the attempt up.
        let until = self.lease_until.after(self.note.spec.disconnect.lost_after());
        (now >= until).then(|| Breach { reason: Reason::Lost, detail: detail() })
    }

    /// Asks for more time and notes how long it ran, for the next start of this node.
    async fn heartbeat(&mut self) {
        self.note.ran_ms = u64::try_from(self.watch.ran().as_millis()).unwrap_or(u64::MAX);
        super::log_failure("note how long it ran", self.keep_note().await);
        self.teller.tell(News::Heartbeat);
    }

    /// The owner answered: the lease is good from before it was asked, or it is not good any more.
    pub(super) async fn answered(&mut self, told: teller::Told) {
        match told.reply {
            // What was used was used, whoever holds the lease.
            _ if matches!(told.news, News::Used { .. }) => {}
            Ok(Reply::Taken { lease_ms }) => {
                self.lease_until = told.sent.after(Duration::from_millis(lease_ms));
                self.note.lease_ms = lease_ms;
            }
            // It was replaced: it ends, and what it made is saved, not handed in.
            Ok(Reply::Refused { text, .. }) if self.stopped.is_none() => {
                self.stopped = Some(Breach { reason: Reason::Lost, detail: text });
                if let Some(id) = self.note.workload.clone() {
                    self.end_within(&id, GRACE);
                }
            }
            Ok(Reply::Refused { .. }) => {}
            Err(error) => tracing::debug!(error = error.chain(), "the owner does not answer"),
        }
    }
}
