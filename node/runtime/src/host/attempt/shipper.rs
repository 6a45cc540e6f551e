//! Lines of an attempt on their way to an owner on another machine, who keeps them too.

use crate::desk::line;
use crate::host::Shared;
use ikigai_ports::PortResult;
use ikigai_ports::logs::MAX_APPEND;
use ikigai_ports::peer::Appended;
use ikigai_types::{Fence, NodeId};
use ikigai_wire::peer::Lines;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::task::AbortOnDropHandle;

/// Lines that are sent together, at most.
const LINES: usize = 512;
/// And their bytes, about: an owner takes [`MAX_APPEND`] at once.
const WEIGHT: usize = MAX_APPEND / 2;
/// How long after a call that did not get through the next one is made.
const PAUSE: Duration = Duration::from_secs(1);

/// Sends what is durable here and not yet there. Does nothing for an owner on this machine.
pub(super) struct Shipper {
    shared: Arc<Shared>,
    owner: NodeId,
    fence: Fence,
    /// The last number the owner has; not known before it was asked.
    there: Option<u64>,
    /// The last number that is durable here.
    here: u64,
    over: bool,
    call: Option<AbortOnDropHandle<PortResult<Appended>>>,
}

impl Shipper {
    pub(super) fn new(shared: Arc<Shared>, owner: NodeId, fence: Fence) -> Self {
        let over = owner == shared.node;
        Self { shared, owner, fence, there: None, here: 0, over, call: None }
    }

    /// Lines up to `last` are durable here.
    pub(super) fn kept(&mut self, last: u64) {
        self.here = self.here.max(last);
    }

    /// Whether the owner lacks lines.
    pub(super) fn behind(&self) -> bool {
        !self.over && self.here > self.there.unwrap_or(0)
    }

    /// Sends a piece; never ends when there is nothing to send.
    pub(super) async fn next(&mut self) {
        if !self.behind() {
            return std::future::pending().await;
        }
        if self.call.is_none() {
            self.call = Some(self.call());
        }
        let call = self.call.as_mut().expect("invariant: there is a call");
        let sent = call.await.expect("invariant: calls do not panic and are ended by nobody else");
        self.call = None;
        match sent {
            Ok(Appended::Upto(n)) => self.there = Some(n),
            Ok(Appended::Stale(_)) => self.over = true,
            Err(error) => tracing::debug!(error = error.chain(), "the owner does not take lines now"),
        }
    }

    fn call(&self) -> AbortOnDropHandle<PortResult<Appended>> {
        let (shared, owner, fence, there) = (self.shared.clone(), self.owner, self.fence.clone(), self.there);
        AbortOnDropHandle::new(tokio::spawn(async move {
            let lines = match there {
                // Nothing is sent before the owner said what it has.
                None => Vec::new(),
                Some(n) => shared.parts.logs.read(&fence.attempt, n + 1, LINES).await?,
            };
            let mut weight = 0;
            let fitting = lines.into_iter().take_while(|line| {
                let first = weight == 0;
                weight += line.weight();
                first || weight <= WEIGHT
            });
            let lines = Lines { fence, lines: fitting.map(line).collect() };
            let sent = shared.parts.peer(owner)?.append(shared.node, lines).await;
            if sent.is_err() {
                shared.parts.clock.sleep(PAUSE).await;
            }
            sent
        }))
    }
}
