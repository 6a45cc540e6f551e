//! Tells people that they are needed: what the mesh shows goes into the machine, its messages go out by their ways.
//!
//! What the machine remembers is on disk before a message is sent, so that a restart neither loses nor repeats one: a
//! try that was cut off is made again with the same id.

mod look;
mod port;

pub use port::Ways;

use ikigai_notify::{Book, Delivery, Effect, Input, Message, Notify, Now, Rules};
use ikigai_ports::notice::Channel;
use ikigai_ports::store::Batch;
use ikigai_ports::{Clock, NodeHandle, PortError, PortResult, Rng, Store};
use ikigai_types::{NodeId, Timestamp};
use ikigai_wire::record::{decode, encode};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Where the machine's book is kept.
const BOOK: &[u8] = b"notify/book";
/// How long after a write that failed it is tried again.
const PAUSE: Duration = Duration::from_secs(5);

/// What telling people takes.
pub struct Setup {
    /// What is looked at.
    pub handle: Arc<dyn NodeHandle>,
    /// This node.
    pub own: NodeId,
    /// Only of tasks that this node owns; of nodes nevertheless.
    pub only_own: bool,
    /// Where the book is.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Names.
    pub rng: Arc<dyn Rng>,
    /// The minute of the day where the person is.
    pub minute: fn(Timestamp) -> u16,
    /// What the person wants.
    pub rules: Rules,
    /// Every way.
    pub channels: Vec<Arc<dyn Channel>>,
    /// Where the dashboard is, for links: `http://127.0.0.1:7420`.
    pub base: String,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices").field("channels", &self.channels).finish_non_exhaustive()
    }
}

/// Runs until `stop`.
///
/// # Errors
/// When the book cannot be read.
pub async fn run(setup: Setup, ways: Ways, stop: CancellationToken) -> PortResult<()> {
    let book = read(&setup).await?;
    let notify = Notify::new(setup.rules.clone(), book);
    let (looked, mut looks) = mpsc::channel(1);
    let looking =
        look::look(setup.handle.clone(), setup.clock.clone(), setup.only_own.then_some(setup.own), looked);
    let mut telling = Telling { setup: Arc::new(setup), ways, notify, sends: JoinSet::new() };
    let telling = async {
        // What the last life left undone.
        let mut next = Input::Time;
        loop {
            telling.step(next).await;
            let wait = telling.wait();
            next = tokio::select! {
                Some(seen) = looks.recv() => seen,
                Some(sent) = telling.sends.join_next() => sent.unwrap_or(Input::Time),
                () = wait => Input::Time,
            };
        }
    };
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        () = looking => Ok(()),
        never = telling => never,
    }
}

async fn read(setup: &Setup) -> PortResult<Book> {
    match setup.store.get(BOOK).await? {
        Some(entry) => decode(&entry.value)
            .map_err(|e| PortError::Corrupt(format!("the book of what people were told: {e}"))),
        None => Ok(Book::new(setup.rng.hex(6))),
    }
}

struct Telling {
    setup: Arc<Setup>,
    ways: Ways,
    notify: Notify,
    sends: JoinSet<Input>,
}

impl Telling {
    fn now(&self) -> Now {
        let at = self.setup.clock.now();
        Now { at, minute: (self.setup.minute)(at) }
    }

    /// Until something is to be done though nothing happened.
    fn wait(&self) -> impl Future<Output = ()> + use<> {
        let (now, clock) = (self.now(), self.setup.clock.clone());
        let left = self.notify.wakes(now).map(|at| at.since(now.at));
        async move {
            match left {
                Some(left) => clock.sleep(left).await,
                None => std::future::pending().await,
            }
        }
    }

    async fn step(&mut self, input: Input) {
        let before = self.notify.book().clone();
        let effects = self.notify.step(self.now(), input);
        if *self.notify.book() != before {
            self.write().await;
        }
        self.ways.waiting(self.notify.book().outbox());
        for effect in effects {
            match effect {
                Effect::Send(delivery) => self.send(delivery),
                Effect::GaveUp(Delivery { message, channel, .. }) => {
                    tracing::warn!(
                        channel,
                        message = message.id,
                        title = message.title,
                        "a message was given up"
                    );
                }
            }
        }
    }

    /// Writes the book down; nothing is sent before that succeeded.
    async fn write(&self) {
        let bytes = encode(self.notify.book());
        while let Err(error) = self.setup.store.commit(Batch::default().put(BOOK, bytes.clone())).await {
            tracing::warn!(error = error.chain(), "what people are told cannot be written down; it waits");
            self.setup.clock.sleep(PAUSE).await;
        }
    }

    fn send(&mut self, delivery: Delivery) {
        let (setup, ways) = (self.setup.clone(), self.ways.clone());
        self.sends.spawn(async move {
            let Delivery { message, channel, .. } = delivery;
            let Some(way) = setup.channels.iter().find(|c| c.name() == channel) else {
                return Input::Refused { id: message.id, channel };
            };
            let sent = way.deliver(&message, &link(&setup.base, &message)).await;
            ways.note(&channel, setup.clock.now(), &sent);
            let id = message.id;
            match sent {
                Ok(()) => Input::Delivered { id, channel },
                Err(PortError::Unavailable { retry_after, .. }) => {
                    Input::Failed { id, channel, after: retry_after }
                }
                // A store of secrets, a file that is not there now: it may be mended without a restart.
                Err(PortError::NotFound(_) | PortError::Failed { .. }) => {
                    Input::Failed { id, channel, after: None }
                }
                Err(_) => Input::Refused { id, channel },
            }
        });
    }
}

/// The page that has what a message is about.
fn link(base: &str, message: &Message) -> String {
    use ikigai_notify::Need;
    match message.about() {
        Some(item) if item.need == Need::NodeLost => format!("{base}/nodes/{}", segment(&item.name)),
        Some(item) if item.need == Need::Review => format!("{base}/review/{}", item.about),
        Some(item) => format!("{base}/task/{}", item.about),
        None => format!("{base}/"),
    }
}

/// A name as a part of a path.
fn segment(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    name.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
