//! One attempt on this machine, from its lease to its handed-over result. Every step may be repeated, so a
//! restart runs the same code again: what is there already is found, not made.

mod attend;
mod deliver;
mod lines;
mod shipper;
mod teller;

use super::{Ask, Shared, note_key, tidy::log_failure};
use ikigai_ports::gate::GateEvent;
use ikigai_ports::store::Batch;
use ikigai_ports::{PortError, PortResult};
use ikigai_task::Reason;
use ikigai_task::host::{Breach, End, Watch, judge};
use ikigai_types::{Fence, Resumed, Timestamp, WorkloadId};
use ikigai_wire::peer::{Ended, News};
use ikigai_wire::record::{HostRecord, encode};
use shipper::Shipper;
use std::sync::Arc;
use std::time::Duration;
use teller::Teller;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;

/// Gate events that wait for the attempt, at most.
const GATE_EVENTS: usize = 64;

/// An attempt and the inbox of its orders.
pub(super) struct Run {
    shared: Arc<Shared>,
    note: HostRecord,
    orders: mpsc::Receiver<Ask>,
    gate: mpsc::Receiver<(Fence, GateEvent)>,
    gate_sender: mpsc::Sender<(Fence, GateEvent)>,
    watch: Watch,
    /// Its owner holds it.
    paused: bool,
    /// A person types in its terminal.
    typed_in: bool,
    /// Why this side ended it, if it did.
    stopped: Option<Breach>,
    /// Its workload is being ended, by then.
    ending: Option<(Timestamp, AbortOnDropHandle<()>)>,
    /// The lease is good until then, by this side's clock.
    lease_until: Timestamp,
    again: bool,
    denied: u32,
    teller: Teller,
    shipper: Shipper,
}

impl Run {
    pub(super) fn new(
        shared: Arc<Shared>,
        note: HostRecord,
        orders: mpsc::Receiver<Ask>,
        again: bool,
    ) -> Self {
        let now = shared.parts.clock.now();
        let (gate_sender, gate) = mpsc::channel(GATE_EVENTS);
        let watch = Watch::new(note.spec.limits, Duration::from_millis(note.ran_ms), now);
        let lease_until = now.after(Duration::from_millis(note.lease_ms));
        let (owner, fence) = (note.spec.owner, note.lease.fence.clone());
        let teller = Teller::new(shared.clone(), owner, fence.clone());
        let shipper = Shipper::new(shared.clone(), owner, fence);
        let (stopped, ending, denied) = (None, None, 0);
        Self {
            shared,
            note,
            orders,
            gate,
            gate_sender,
            watch,
            paused: false,
            typed_in: false,
            stopped,
            ending,
            lease_until,
            again,
            denied,
            teller,
            shipper,
        }
    }

    fn fence(&self) -> &Fence {
        &self.note.lease.fence
    }

    /// Runs it to its end. When the node stops first, everything stays for the next start to find.
    pub(super) async fn run(mut self) {
        let fence = self.fence().clone();
        let span = tracing::info_span!("attempt", node = %self.shared.node.short(), task = %fence.attempt.task,
            attempt = fence.attempt.number, epoch = fence.epoch.0);
        async {
            let stop = self.shared.stop.clone();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.all() => {}
            }
            self.shared.seats().remove(self.fence());
            self.shared.changed.send_modify(|n| *n += 1);
            self.shared.desk.freed().await;
        }
        .instrument(span)
        .await;
    }

    async fn all(&mut self) {
        match self.go().await {
            Ok(()) => {}
            Err(error) => {
                tracing::warn!(error = error.chain(), "the attempt could not be run");
                if matches!(&error, PortError::NotFound(what) if what.contains("image")) {
                    self.shared.image_missing.store(true, std::sync::atomic::Ordering::Relaxed);
                }
                // Nobody attends to it any more, and its room is about to be given away.
                if let Some(workload) = &self.note.workload {
                    let stopped = self.shared.parts.executor.stop(workload, Duration::ZERO).await;
                    log_failure("stop a workload", stopped);
                }
                if self.note.ended.is_none() {
                    let breach = Breach { reason: Reason::Host, detail: error.chain() };
                    self.hand_over(None, Some(self.stopped.clone().unwrap_or(breach))).await;
                }
            }
        }
        self.clean_up().await;
    }

    async fn go(&mut self) -> PortResult<()> {
        if let Some(ended) = self.note.ended.clone() {
            return self.after_its_end(ended).await;
        }
        self.keep_note().await?;
        if self.note.workload.is_none() {
            self.take_session().await?;
        }
        let workload = self.prepare().await?;
        self.shared.image_missing.store(false, std::sync::atomic::Ordering::Relaxed);
        self.note.workload = Some(workload.clone());
        self.keep_note().await?;
        self.report_start();
        if self.stopped.is_some() {
            // It was replaced while it was made ready.
            log_failure("stop", self.shared.parts.executor.stop(&workload, Duration::ZERO).await);
        }
        let end = self.attend(&workload).await?;
        if !self.note.delivered {
            let breach = judge(&end, self.stopped.as_ref());
            self.hand_over(end.program, breach).await;
        }
        Ok(())
    }

    /// A restart found it ended: the result goes to the owner, if it has not, and an agent that stays for its editor
    /// is stayed with.
    async fn after_its_end(&mut self, ended: Ended) -> PortResult<()> {
        let well = ended.reason.is_none();
        if !self.note.delivered {
            self.report_end(ended).await;
        }
        if !well || self.note.spec.linger_secs == 0 {
            return Ok(());
        }
        let running = self.shared.parts.executor.list(self.shared.node).await?;
        if !running.iter().any(|r| r.fence == *self.fence()) {
            return Ok(());
        }
        let workload = self.shared.launch(&self.note, self.gate_sender.clone()).await?;
        self.attend(&workload).await.map(drop)
    }

    /// Makes everything ready and starts the workload. The lease is renewed meanwhile: objects may have a long way.
    async fn prepare(&mut self) -> PortResult<WorkloadId> {
        let ready = ready(self.shared.clone(), self.note.clone(), self.again, self.gate_sender.clone());
        self.meanwhile(ready).await
    }

    /// Does something that may take long, while the lease is renewed.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        let clock = self.shared.parts.clock.clone();
        let mut tick = clock.sleep(attend::TICK);
        loop {
            tokio::select! {
                done = &mut work => return done,
                told = self.teller.next() => self.answered(told).await,
                () = &mut tick => {
                    tick = clock.sleep(attend::TICK);
                    self.teller.tell(News::Heartbeat);
                }
            }
        }
    }

    /// The session of the attempt before, where it is here and helps; noted before the agent is started.
    async fn take_session(&mut self) -> PortResult<()> {
        let (shared, note) = (self.shared.clone(), self.note.clone());
        let taken = self.meanwhile(async move { shared.take_session(&note).await }).await;
        self.note.resume = taken?;
        self.keep_note().await
    }

    async fn keep_note(&self) -> PortResult<()> {
        let batch = Batch::default().put(note_key(self.fence()), encode(&self.note));
        self.shared.parts.store.commit(batch).await
    }

    /// A restart reports the same start again; the owner takes it as the same.
    fn report_start(&mut self) {
        let Some(workload) = self.note.workload.clone() else { return };
        let isolation_missing = self.shared.parts.executor.isolation().missing;
        let base = self.note.base.clone();
        self.teller.tell(News::Started { workload, base, isolation_missing });
        if self.note.follow.is_some() && self.note.resume.is_none() {
            self.teller.tell(News::Session { how: Resumed::Cold });
        }
        if self.again {
            // Whoever typed before this node was restarted does not any more.
            self.teller.tell(News::Typing { writer: None });
        }
    }

    /// Ends what is left of it. The note goes last: until then a restart comes back here.
    async fn clean_up(&mut self) {
        let fence = self.fence().clone();
        self.settle_usage().await;
        let parts = &self.shared.parts;
        // A start that failed may have left a container too.
        let gone = match &self.note.workload {
            Some(workload) => {
                let removed = parts.executor.remove(workload).await;
                let gone = removed.is_ok();
                log_failure("remove a workload", removed);
                gone
            }
            None => false,
        };
        log_failure("keep a session", self.shared.settle_session(&self.note, gone).await);
        if !self.save_rest().await {
            return;
        }
        log_failure("remove a workspace", parts.workspaces.remove(&fence).await);
        let _ = tokio::fs::remove_dir_all(self.shared.run_folder(&fence)).await;
        log_failure("remove a note", parts.store.commit(Batch::default().delete(note_key(&fence))).await);
    }

    /// Closes the gate; what was used since the end was told, by an agent that stayed for its editor, is told too.
    async fn settle_usage(&mut self) {
        if let Ok(used) = self.shared.parts.gates.close(self.fence()).await {
            self.note.usage = self.note.usage.later(used);
        }
        let told = self.note.ended.as_ref().map_or(self.note.usage, |e| e.usage);
        if self.note.delivered && self.note.usage.calls > told.calls {
            log_failure("note what was used", self.keep_note().await);
            self.teller.settle(self.note.usage).await;
        }
    }

    /// Saves what is in the workspace and in no ref yet, before it is deleted: files that an agent left beside its
    /// result, what a person left in the editor after that was taken, and what could not be saved before.
    async fn save_rest(&self) -> bool {
        let (project, base) = (&self.note.spec.project, &self.note.base);
        let saved = self.shared.parts.workspaces.salvage(project, self.fence(), base).await;
        match saved {
            Ok(Some(saved)) => {
                tracing::info!(reference = saved.reference, "what was left in a workspace is saved");
                true
            }
            Ok(None) | Err(PortError::NotFound(_)) => true,
            Err(error) => {
                tracing::error!(error = error.chain(), "cannot save a workspace; it stays");
                false
            }
        }
    }
}

/// Everything an attempt needs, up to its running workload; what is there already is found.
async fn ready(
    shared: Arc<Shared>,
    note: HostRecord,
    again: bool,
    events: mpsc::Sender<(Fence, GateEvent)>,
) -> PortResult<WorkloadId> {
    fetch_base(&shared, &note).await?;
    shared.has_objects(&note.spec.project).await?;
    if again && note.workload.is_some() {
        let running = shared.parts.executor.list(shared.node).await?;
        if !running.iter().any(|r| r.fence == note.lease.fence) {
            return Err(PortError::Refused("its workload vanished while the node was away".to_owned()));
        }
    }
    shared.launch(&note, events).await
}

/// Brings here what the attempt works from, from the owner that has it.
async fn fetch_base(shared: &Shared, note: &HostRecord) -> PortResult<()> {
    let spec = &note.spec;
    if spec.owner == shared.node {
        return Ok(());
    }
    for commit in [Some(&note.base), note.from.as_ref()].into_iter().flatten() {
        shared.desk.fetch(spec.owner, &spec.project, commit).await?;
    }
    Ok(())
}

/// What is known of the end before the workload itself ended.
#[derive(Debug, Default)]
struct Told {
    program: Option<i32>,
    error: Option<String>,
}

impl Told {
    fn end(self, exit: ikigai_ports::executor::Exit) -> End {
        End {
            program: self.program,
            program_error: self.error,
            workload: exit.code,
            out_of_memory: exit.out_of_memory,
            detail: exit.detail,
        }
    }
}
