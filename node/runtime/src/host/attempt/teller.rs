//! What the owner is to be told, one thing at a time and in order, beside everything else an attempt does.

use crate::host::Shared;
use ikigai_ports::{PortError, PortResult};
use ikigai_types::{Fence, NodeId, Timestamp, Usage};
use ikigai_wire::peer::{News, Reply, Report};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::AbortOnDropHandle;

/// News that wait, at most; what comes beyond is dropped (heartbeats and denials only).
const WAITING: usize = 64;
/// How long a call to the owner may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often an owner is told what was used after the end.
const SETTLING: u32 = 60;
/// How long after a call that did not get through the next one is made.
const PAUSE: Duration = Duration::from_secs(1);

/// Tells the owner. Dropping it withdraws what was not said.
pub(super) struct Teller {
    shared: Arc<Shared>,
    owner: NodeId,
    fence: Fence,
    waiting: VecDeque<News>,
    call: Option<AbortOnDropHandle<Told>>,
    /// The answer to that call renews the lease.
    renews: bool,
}

/// What came of telling one thing.
pub(super) struct Told {
    pub(super) news: News,
    /// When it was sent: a lease is counted from here.
    pub(super) sent: Timestamp,
    pub(super) reply: PortResult<Reply>,
}

impl Teller {
    pub(super) fn new(shared: Arc<Shared>, owner: NodeId, fence: Fence) -> Self {
        Self { shared, owner, fence, waiting: VecDeque::new(), call: None, renews: false }
    }

    /// Has `news` told in its turn. A heartbeat that still waits is enough, and of what was used the last count.
    pub(super) fn tell(&mut self, news: News) {
        if counts(&news) {
            self.waiting.retain(|n| !counts(n));
        }
        let renewed = self.call.is_some() && self.renews || self.waiting.iter().any(|n| !counts(n));
        if matches!(news, News::Heartbeat) && renewed {
            return;
        }
        if self.waiting.len() < WAITING {
            self.waiting.push_back(news);
        }
    }

    /// The next answer; never when there is nothing to tell.
    pub(super) async fn next(&mut self) -> Told {
        if self.call.is_none() {
            match self.waiting.pop_front() {
                Some(news) => {
                    self.renews = !counts(&news);
                    self.call = Some(self.call(news));
                }
                None => std::future::pending().await,
            }
        }
        let call = self.call.as_mut().expect("invariant: there is a call");
        let told = call.await.expect("invariant: calls do not panic and are ended by nobody else");
        self.call = None;
        if told.reply.is_err() && lasts(&told.news) {
            // The owner has to know what the attempt works from, how it began, and who types in the end.
            self.waiting.push_front(told.news.clone());
        }
        told
    }

    /// Tells what still waits but heartbeats and counts, then `news`, again and again until there is an answer to it.
    pub(super) async fn finish(&mut self, news: News) -> Reply {
        self.waiting.retain(|n| !matches!(n, News::Heartbeat) && !counts(n));
        self.waiting.push_back(news);
        loop {
            let told = self.next().await;
            match (told.reply, told.news) {
                (Ok(reply), News::Ended(_)) => return reply,
                (Ok(_), _) => {}
                (Err(error), news) => {
                    tracing::info!(error = error.chain(), "the owner is away; what it is to know waits");
                    if matches!(news, News::Ended(_)) {
                        self.waiting.push_back(news);
                    }
                    self.shared.parts.clock.sleep(PAUSE).await;
                }
            }
        }
    }

    /// Tells what was used after the end was told. An owner that is away is waited for, but not for ever.
    pub(super) async fn settle(&mut self, usage: Usage) {
        self.waiting.clear();
        for _ in 0..SETTLING {
            self.tell(News::Used { usage });
            match self.next().await {
                Told { news: News::Used { usage: told }, reply: Ok(_), .. } if told == usage => return,
                Told { reply: Ok(_) | Err(PortError::Unavailable { .. }), .. } => {}
                Told { reply: Err(error), .. } => {
                    return tracing::warn!(error = error.chain(), "the owner does not take what was used");
                }
            }
            self.shared.parts.clock.sleep(PAUSE).await;
        }
    }

    fn call(&self, news: News) -> AbortOnDropHandle<Told> {
        let (shared, owner, fence) = (self.shared.clone(), self.owner, self.fence.clone());
        AbortOnDropHandle::new(tokio::spawn(async move {
            let sent = shared.parts.clock.now();
            let report = Report { fence, news: news.clone() };
            let reply = tokio::select! {
                reply = shared.report(owner, report) => reply,
                // Objects are fetched while the end is reported: that takes as long as it takes.
                () = shared.parts.clock.sleep(DEADLINE), if !matches!(news, News::Ended(_)) => {
                    Err(PortError::unavailable(format!("owner {}", owner.short()), "no answer in time"))
                }
            };
            if reply.is_err() && lasts(&news) {
                shared.parts.clock.sleep(PAUSE).await;
            }
            Told { news, sent, reply }
        }))
    }
}

/// Whether it only counts what was used: the next count says it again, and the lease has no part in it.
const fn counts(news: &News) -> bool {
    matches!(news, News::Used { .. })
}

/// Whether it is told until the owner has it.
fn lasts(news: &News) -> bool {
    matches!(news, News::Started { .. } | News::Session { .. } | News::Typing { .. })
}

impl Shared {
    async fn report(&self, owner: NodeId, report: Report) -> PortResult<Reply> {
        if owner == self.node {
            self.desk.report(self.node, report).await
        } else {
            self.parts.peer(owner)?.report(self.node, report).await
        }
    }
}
