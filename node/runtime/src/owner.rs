//! The driver of the owner: one loop that takes inputs, lets the machine decide, persists, then acts.

mod act;
mod offer;
mod place;
mod recap;
pub(crate) mod sight;

use crate::chores::Chores;
use crate::host::Host;
use crate::journal::Journal;
use crate::mesh::Neighbours;
use crate::peer::LocalPeer;
use crate::{Options, Parts};
use ikigai_ports::PortError;
use ikigai_task::{Effect, Input, Observation, Owner, Record, Refusal};
use place::Placing;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Inputs that wait for the driver, at most.
const INBOX: usize = 1024;
/// Inputs that share one flush, at most.
const BATCH: usize = 256;

/// What the driver is asked.
enum Ask {
    /// Handle an input; answer once what it caused is on disk.
    Input(Box<Input>, oneshot::Sender<Result<(), Refusal>>),
    /// Look at the state.
    Look(Box<dyn FnOnce(&Owner) + Send>),
}

/// The owner, for everyone else. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct OwnerHandle {
    asks: mpsc::Sender<Ask>,
}

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ask")
    }
}

/// The driver has ended: the node is stopping.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Gone {
    /// It said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It does not run any more.
    #[error("the node is stopping")]
    Stopping,
}

impl OwnerHandle {
    /// Hands in an input; answered when what it caused is durable.
    pub(crate) async fn input(&self, input: Input) -> Result<(), Gone> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::Input(Box::new(input), answer)).await.map_err(|_| Gone::Stopping)?;
        Ok(answered.await.map_err(|_| Gone::Stopping)??)
    }

    /// Hands in what the world says.
    pub(crate) async fn observe(&self, observation: Observation) -> Result<(), Gone> {
        self.input(Input::Observation(observation)).await
    }

    /// Reads the state as it is between two inputs.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Owner) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (answer, answered) = oneshot::channel();
        let look = Box::new(move |owner: &Owner| {
            let _ = answer.send(look(owner));
        });
        self.asks.send(Ask::Look(look)).await.map_err(|_| Gone::Stopping)?;
        answered.await.map_err(|_| Gone::Stopping)
    }
}

/// What the driver holds.
struct Driver {
    owner: Owner,
    journal: Arc<Journal>,
    parts: Parts,
    options: Arc<Options>,
    host: Host,
    neighbours: Arc<Neighbours>,
    offers: offer::Offers,
    chores: Chores,
    tracker: TaskTracker,
    stop: CancellationToken,
}

/// The two ends of the driver's inbox.
pub(crate) struct Inbox(mpsc::Receiver<Ask>);

/// Makes the inbox first, so that the host can report into it before the driver runs.
pub(crate) fn inbox() -> (OwnerHandle, Inbox) {
    let (asks, inbox) = mpsc::channel(INBOX);
    (OwnerHandle { asks }, Inbox(inbox))
}

/// Everything the driver is made of.
pub(crate) struct Setup {
    pub(crate) owner: Owner,
    pub(crate) journal: Arc<Journal>,
    pub(crate) peer: LocalPeer,
    pub(crate) neighbours: Arc<Neighbours>,
    pub(crate) handle: OwnerHandle,
    pub(crate) tracker: TaskTracker,
}

/// Runs until `stop`.
pub(crate) async fn drive(setup: Setup, inbox: Inbox, stop: CancellationToken) {
    let Setup { owner, journal, peer, neighbours, handle, tracker } = setup;
    let chores = Chores::new(peer.clone(), neighbours.clone(), handle.clone(), stop.clone());
    let (parts, options, host) = (peer.parts.clone(), peer.options.clone(), peer.host.clone());
    let offers = offer::Offers::new(peer, neighbours.clone(), handle);
    let mut driver = Driver {
        owner,
        journal,
        parts,
        options,
        host,
        neighbours,
        offers,
        chores,
        tracker,
        stop: stop.clone(),
    };
    driver.turn(vec![(Input::Recovered, None)], &stop).await;
    driver.run(inbox.0, stop).await;
}

type Pending = (Input, Option<oneshot::Sender<Result<(), Refusal>>>);

impl Driver {
    async fn run(&mut self, mut inbox: mpsc::Receiver<Ask>, stop: CancellationToken) {
        loop {
            let sleep = self.until_wake();
            // Not behind an inbox that is never empty.
            if sleep.is_zero() {
                self.turn(vec![(Input::Wake, None)], &stop).await;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                ask = inbox.recv() => match ask {
                    Some(ask) => self.take(ask, &mut inbox, &stop).await,
                    None => return,
                },
                () = self.parts.clock.sleep(sleep.max(Duration::from_millis(1))) => self.turn(vec![(Input::Wake, None)], &stop).await,
            }
        }
    }

    fn until_wake(&self) -> Duration {
        let now = self.parts.clock.now();
        self.owner.next_wake().map_or(Duration::from_secs(3600), |t| t.since(now))
    }

    /// Takes what is there, so that many inputs share one flush.
    async fn take(&mut self, first: Ask, inbox: &mut mpsc::Receiver<Ask>, stop: &CancellationToken) {
        let mut inputs: Vec<Pending> = Vec::new();
        let mut next = Some(first);
        while let Some(ask) = next {
            match ask {
                Ask::Input(input, answer) => inputs.push((*input, Some(answer))),
                Ask::Look(look) => {
                    // A look sees what was handed in before it.
                    self.turn(std::mem::take(&mut inputs), stop).await;
                    look(&self.owner);
                }
            }
            next = if inputs.len() < BATCH { inbox.try_recv().ok() } else { None };
        }
        self.turn(inputs, stop).await;
    }

    /// Handles inputs and everything that follows from them at once: decide, persist, answer, act.
    async fn turn(&mut self, inputs: Vec<Pending>, stop: &CancellationToken) {
        let (mut records, mut acts, mut answers) = (Vec::new(), Vec::new(), Vec::new());
        let mut looked = false;
        for (input, answer) in inputs {
            // Whoever says that there may be room speaks of what was so before this turn: one look is for all.
            let again = matches!(input, Input::Observation(Observation::CapacityChanged));
            let result = match again && std::mem::replace(&mut looked, true) {
                true => Ok(()),
                false => self.decide(input, &mut records, &mut acts),
            };
            answers.extend(answer.map(|a| (a, result)));
        }
        if !self.persist(&records, stop).await {
            return;
        }
        for (answer, result) in answers {
            let _ = answer.send(result);
        }
        acts.into_iter().for_each(|act| self.act(act));
    }

    /// Handles one input, then the placements it asks for.
    fn decide(
        &mut self,
        input: Input,
        records: &mut Vec<Record>,
        acts: &mut Vec<Effect>,
    ) -> Result<(), Refusal> {
        let now = self.parts.clock.now();
        let (mut result, mut next, mut placing) = (Ok(()), Some(input), Placing::default());
        while let Some(input) = next.take() {
            for effect in self.owner.handle(input, now) {
                match effect {
                    Effect::Record(record) => records.push(*record),
                    Effect::Refuse(refusal) => result = Err(refusal),
                    Effect::Place(task) => placing.add(task),
                    other => acts.push(other),
                }
            }
            while next.is_none() {
                let Some(task) = placing.next() else { break };
                next = self.place(task, &mut placing).map(Input::Observation);
            }
        }
        result
    }

    /// Writes the records, again and again while the disk is full: nothing is answered or done before.
    /// False when the node stops first; the records are then as if they had never been.
    async fn persist(&self, records: &[Record], stop: &CancellationToken) -> bool {
        if records.is_empty() {
            return true;
        }
        let mut wait = Duration::from_millis(100);
        while let Err(error) = self.journal.append(records).await {
            tracing::error!(error = error.chain(), "the log cannot be written; nothing goes on until it can");
            if let PortError::Corrupt(_) | PortError::Conflict(_) = error {
                stop.cancel();
                return false;
            }
            tokio::select! {
                () = stop.cancelled() => return false,
                () = self.parts.clock.sleep(wait) => wait = (wait * 2).min(Duration::from_secs(5)),
            }
        }
        true
    }
}
