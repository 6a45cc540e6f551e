//! What a gate tells the runtime: never lost where it counts, never in the way of a call.

use crate::route::clean;
use ikigai_ports::gate::GateEvent;
use ikigai_types::{Fence, Usage};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

/// Denials that wait to be told; of more, only the number is kept.
const DENIED_MAX: usize = 16;
/// Pause after each event, so that an agent cannot flood its owner's log.
const PACE: Duration = Duration::from_millis(50);

/// Events that wait for room in the runtime's channel. A newer total replaces one that was not yet told.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    waiting: Mutex<Waiting>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    used: Option<Usage>,
    quota: Option<Option<u64>>,
    upstream: Option<String>,
    denied: VecDeque<String>,
    more: u64,
}

impl Notices {
    pub(crate) fn used(&self, total: Usage) {
        self.waiting().used = Some(total);
        self.wake.notify_one();
    }

    pub(crate) fn quota(&self, retry_after: Option<u64>) {
        let mut waiting = self.waiting();
        let known = waiting.quota.flatten();
        waiting.quota = Some(retry_after.max(known));
        self.wake.notify_one();
    }

    pub(crate) fn upstream(&self, what: &str) {
        self.waiting().upstream = Some(clean(what));
        self.wake.notify_one();
    }

    pub(crate) fn denied(&self, what: &str) {
        let mut waiting = self.waiting();
        if waiting.denied.len() < DENIED_MAX {
            waiting.denied.push_back(clean(what));
        } else {
            waiting.more += 1;
        }
        self.wake.notify_one();
    }

    /// Tells until the gate is closed or nobody listens any more; then what is left, as far as there is room.
    pub(crate) async fn tell(
        &self,
        fence: &Fence,
        events: mpsc::Sender<(Fence, GateEvent)>,
        closed: CancellationToken,
    ) {
        let telling = async {
            loop {
                let Some(event) = self.next() else {
                    self.wake.notified().await;
                    continue;
                };
                // Room first, then the event: while there is none, a newer total may come.
                let Ok(room) = events.reserve().await else { return };
                room.send((fence.clone(), self.newer(event)));
                tokio::time::sleep(PACE).await;
            }
        };
        tokio::select! {
            () = telling => {}
            () = closed.cancelled() => {}
        }
        while let Some(event) = self.next() {
            if events.try_send((fence.clone(), event)).is_err() {
                return;
            }
        }
    }

    fn newer(&self, event: GateEvent) -> GateEvent {
        match event {
            GateEvent::Used { total } => {
                GateEvent::Used { total: self.waiting().used.take().unwrap_or(total) }
            }
            other => other,
        }
    }

    fn next(&self) -> Option<GateEvent> {
        let mut waiting = self.waiting();
        if let Some(total) = waiting.used.take() {
            return Some(GateEvent::Used { total });
        }
        if let Some(retry_after) = waiting.quota.take() {
            return Some(GateEvent::Quota { retry_after });
        }
        if let Some(what) = waiting.upstream.take() {
            return Some(GateEvent::Upstream { what });
        }
        if let Some(what) = waiting.denied.pop_front() {
            return Some(GateEvent::Denied { what });
        }
        let more = std::mem::take(&mut waiting.more);
        (more > 0).then(|| GateEvent::Denied { what: format!("{more} more requests") })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ikigai_types::{AttemptId, Epoch, TaskId};
    use std::sync::Arc;

    fn fence() -> Fence {
        Fence { attempt: AttemptId { task: TaskId::new("p.f.T001").unwrap(), number: 1 }, epoch: Epoch(1) }
    }

    fn total(calls: u64) -> Usage {
        Usage { calls, ..Usage::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_total_comes_when_there_is_room_and_floods_become_a_number() {
        let notices = Arc::new(Notices::default());
        let (sender, mut events) = mpsc::channel(1);
        let closed = CancellationToken::new();
        let telling = {
            let (notices, closed) = (notices.clone(), closed.clone());
            tokio::spawn(async move { notices.tell(&fence(), sender, closed).await })
        };
        notices.denied("GET /\n");
        tokio::time::sleep(PACE * 3).await;
        for calls in 1..=1000 {
            notices.used(total(calls));
            tokio::task::yield_now().await;
        }
        (0..1000).for_each(|n| notices.denied(&format!("GET /{n}")));
        let mut seen = Vec::new();
        while let Ok(Some((_, event))) = tokio::time::timeout(PACE * 3, events.recv()).await {
            seen.push(event);
        }
        assert_eq!(seen[0], GateEvent::Denied { what: "GET /\u{fffd}".into() });
        assert_eq!(seen[1], GateEvent::Used { total: total(1000) });
        assert_eq!(seen.len(), 2 + DENIED_MAX + 1);
        let last = format!("{} more requests", 1000 - DENIED_MAX);
        assert_eq!(seen[2 + DENIED_MAX], GateEvent::Denied { what: last });
        notices.used(total(1001));
        closed.cancel();
        telling.await.unwrap();
        assert_eq!(events.recv().await.map(|(_, e)| e), Some(GateEvent::Used { total: total(1001) }));
        assert_eq!(events.recv().await, None);
    }
}
