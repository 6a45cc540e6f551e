//! Handing the result to the owner: collected from the workspace, fenced, and answered before anything is
//! deleted.

use super::attend::TICK;
use super::{Run, Told};
use crate::host::Shared;
use ikigai_ports::PortError;
use ikigai_ports::workspace::Saved;
use ikigai_task::Reason;
use ikigai_task::host::{Breach, End, judge};
use ikigai_types::Change;
use ikigai_wire::peer::{Ended, News, Reply};
use ikigai_wire::record::HostRecord;
use std::sync::Arc;

impl Run {
    /// The agent is done but stays for its editor: its result goes to the owner now.
    pub(super) async fn deliver_early(&mut self, told: &Told) {
        let end = End { program: told.program, program_error: told.error.clone(), ..End::default() };
        let breach = judge(&end, self.stopped.as_ref());
        self.hand_over(end.program, breach).await;
    }

    /// Collects, saves the rest, and reports until the owner has answered.
    pub(super) async fn hand_over(&mut self, exit_code: Option<i32>, breach: Option<Breach>) {
        if (self.note.spec.linger_secs == 0 || breach.is_some())
            && let Ok(used) = self.shared.parts.gates.close(self.fence()).await
        {
            self.note.usage = used;
        }
        let collected = collect(self.shared.clone(), self.note.clone(), breach);
        let (change, breach) = self.meanwhile(collected).await;
        let failed = breach.is_some() || change.is_none();
        let saved = if failed { self.salvage().await } else { None };
        let (reason, detail) = breach.map_or((None, String::new()), |b| (Some(b.reason), b.detail));
        let usage = self.note.usage;
        let (salvage, saved) =
            saved.map_or((None, None), |s| (Some(s.reference), Some(s.commit).filter(|_| s.sound)));
        let ended = Ended { exit_code, reason, detail, usage, change, salvage, saved };
        // Noted first: a restart hands it over as it is, and does not run it in room that others have by then.
        self.note.ended = Some(ended.clone());
        super::log_failure("note the end", self.keep_note().await);
        self.report_end(ended).await;
    }

    /// Tells the owner how it ended, until there is an answer.
    pub(super) async fn report_end(&mut self, ended: Ended) {
        let fence = self.fence().clone();
        // From here on it asks nothing of the machine but patience with an owner that may be away.
        self.shared.release(&fence);
        if let Ok(kept) = self.shared.parts.logs.watch(&fence.attempt).await {
            self.shipper.kept(*kept.borrow());
        }
        self.ship_all().await;
        // Refused as stale: the work is kept under its salvage ref, the refusal is in the owner's log.
        if let Reply::Refused { text, .. } = self.teller.finish(News::Ended(Box::new(ended))).await {
            tracing::warn!(%fence, text, "the result was not taken");
            self.salvage().await;
        }
        self.note.delivered = true;
        super::log_failure("note the hand-over", self.keep_note().await);
    }

    /// Sends the owner what it lacks of the log, while the lease is renewed.
    async fn ship_all(&mut self) {
        let clock = self.shared.parts.clock.clone();
        let mut tick = clock.sleep(TICK);
        while self.shipper.behind() {
            tokio::select! {
                () = self.shipper.next() => {}
                told = self.teller.next() => self.answered(told).await,
                () = &mut tick => {
                    tick = clock.sleep(TICK);
                    self.teller.tell(News::Heartbeat);
                }
            }
        }
    }

    async fn salvage(&mut self) -> Option<Saved> {
        let (shared, note) = (self.shared.clone(), self.note.clone());
        let work = async move {
            shared.parts.workspaces.salvage(&note.spec.project, &note.lease.fence, &note.base).await
        };
        let saved = self.meanwhile(work).await;
        saved.unwrap_or_else(|error| {
            if !matches!(error, PortError::NotFound(_)) {
                tracing::warn!(error = error.chain(), "cannot save what is not pushed; it is tried again");
            }
            None
        })
    }
}

/// What the agent committed, when it ended well; why it cannot be taken otherwise.
async fn collect(
    shared: Arc<Shared>,
    note: HostRecord,
    breach: Option<Breach>,
) -> (Option<Change>, Option<Breach>) {
    if breach.is_some() {
        return (None, breach);
    }
    let (base, fence) = (&note.base, &note.lease.fence);
    let signer = shared.parts.keys.for_attempt(fence);
    let project = &note.spec.project;
    match shared.parts.workspaces.collect(project, fence, base, &*signer).await {
        Ok(Some(change)) => (Some(change), None),
        Ok(None) => {
            let detail = "the agent ended without a commit".to_owned();
            (None, Some(Breach { reason: Reason::NoChange, detail }))
        }
        Err(PortError::Refused(detail)) => (None, Some(Breach { reason: Reason::Policy, detail })),
        Err(error) => (None, Some(Breach { reason: Reason::Host, detail: error.chain() })),
    }
}
