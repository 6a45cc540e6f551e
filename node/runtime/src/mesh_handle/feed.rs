//! The events of all nodes in one sequence, as this node heard of them: numbered by it, kept in memory.
//!
//! Each owner's log is the durable truth; this is the newest part of all of them. A reader whose cursor is of
//! another life of the node, or older than what is kept, reads the snapshot again.

use super::other_life;
use crate::Reach;
use crate::handle::Handle;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use ikigai_ports::NodeHandle;
use ikigai_ports::node::Answer;
use ikigai_types::NodeId;
use ikigai_wire::api::{Code, Event, Filter};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Events that are kept.
const KEPT: usize = 20_000;
/// Events that are handed on together.
const PAGE: usize = 512;
/// How long after a stream broke it is opened again.
const PAUSE: Duration = Duration::from_secs(1);

/// The newest events of the mesh. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Feed {
    own: Handle,
    reach: Reach,
    kept: Arc<Mutex<Kept>>,
    last: watch::Sender<u64>,
}

#[derive(Debug)]
struct Kept {
    /// Names this sequence; a new one begins when something may have been missed.
    life: String,
    /// Number of the first event that is kept.
    first: u64,
    events: VecDeque<Event>,
}

impl Feed {
    pub(super) fn new(own: Handle, reach: Reach) -> Self {
        let kept = Kept { life: own.parts.rng.hex(8), first: 1, events: VecDeque::new() };
        Self { own, reach, kept: Arc::new(Mutex::new(kept)), last: watch::Sender::new(0) }
    }

    /// Where the sequence is now.
    pub(super) fn cursor(&self) -> String {
        let kept = self.kept();
        format!("{}.{}", kept.life, kept.last())
    }

    /// What comes after `cursor`; without one, everything that is kept.
    pub(super) async fn events(&self, cursor: Option<&str>) -> Answer<BoxStream<'static, Answer<Event>>> {
        let (life, next) = {
            let kept = self.kept();
            let next = match cursor {
                None => kept.first,
                Some(cursor) => kept.after(cursor).ok_or_else(other_life)?,
            };
            (kept.life.clone(), next)
        };
        let feed = self.clone();
        let pages = stream::unfold(Some((feed, next)), move |state| {
            let life = life.clone();
            async move {
                let (feed, next) = state?;
                let mut last = feed.last.subscribe();
                loop {
                    last.borrow_and_update();
                    let page = feed.kept().page(&life, next);
                    match page {
                        None => return Some((vec![Err(other_life())], None)),
                        Some(page) if page.is_empty() => {}
                        Some(page) => {
                            let after = next + page.len() as u64;
                            return Some((page.into_iter().map(Ok).collect::<Vec<_>>(), Some((feed, after))));
                        }
                    }
                    last.changed().await.ok()?;
                }
            }
        });
        Ok(pages.flat_map(stream::iter).boxed())
    }

    /// Follows this node's log and those of all its neighbours.
    pub(super) async fn run(self) {
        let mut changes = self.own.neighbours.changes();
        let mut followed: BTreeMap<NodeId, tokio::task::AbortHandle> = BTreeMap::new();
        let mut following = JoinSet::new();
        following.spawn(self.clone().follow_own());
        loop {
            changes.borrow_and_update();
            let known = self.own.neighbours.all();
            followed.retain(|node, task| {
                let stays = known.contains_key(node);
                if !stays {
                    task.abort();
                }
                stays
            });
            for node in known.into_keys().filter(|n| !followed.contains_key(n)).collect::<Vec<_>>() {
                let task = following.spawn(self.clone().follow(self.reach.peers.handle(node)));
                followed.insert(node, task);
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Takes in this node's own log from its beginning.
    async fn follow_own(self) {
        let Ok(mut events) = self.own.events(None).await else { return };
        while let Some(Ok(event)) = events.next().await {
            self.push(event);
        }
    }

    /// Takes in what `node` logs from now on, also after breaks.
    async fn follow(self, node: Arc<dyn NodeHandle>) {
        let clock = self.own.parts.clock.clone();
        let mut cursor = None;
        loop {
            if cursor.is_none() {
                // No state is called this: only the cursor is wanted.
                let none = Filter { states: vec!["-".to_owned()], ..Filter::default() };
                cursor = node.snapshot(none).await.ok().map(|s| s.cursor);
                // What readers know of this node's tasks may be of before that cursor.
                if cursor.is_some() {
                    self.begin_anew();
                }
            }
            if let Some(from) = cursor.clone() {
                match node.events(Some(from)).await {
                    Ok(mut events) => {
                        while let Some(Ok(event)) = events.next().await {
                            cursor = Some(event.cursor.clone());
                            self.push(event);
                        }
                    }
                    Err(problem) if problem.code == Code::Conflict => cursor = None,
                    Err(_) => {}
                }
            }
            clock.sleep(PAUSE).await;
        }
    }

    fn push(&self, event: Event) {
        let mut kept = self.kept();
        let n = kept.last() + 1;
        let cursor = format!("{}.{n}", kept.life);
        kept.events.push_back(Event { cursor, ..event });
        if kept.events.len() > KEPT {
            kept.events.pop_front();
            kept.first += 1;
        }
        drop(kept);
        self.last.send_replace(n);
    }

    /// Readers are to look at everything again.
    fn begin_anew(&self) {
        let mut kept = self.kept();
        if kept.first == 1 && kept.events.is_empty() {
            return;
        }
        *kept = Kept { life: self.own.parts.rng.hex(8), first: 1, events: VecDeque::new() };
        drop(kept);
        self.last.send_replace(0);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("invariant: no panic while events are held")
    }
}

impl Kept {
    fn last(&self) -> u64 {
        self.first + self.events.len() as u64 - 1
    }

    /// The number after `cursor`, if that is one of this sequence and what follows is kept.
    fn after(&self, cursor: &str) -> Option<u64> {
        let (life, n) = cursor.rsplit_once('.')?;
        let next = n.parse::<u64>().ok()?.checked_add(1)?;
        (life == self.life && next >= self.first && next <= self.last() + 1).then_some(next)
    }

    /// Events from `next` on; `None` when `life` is over or they are not kept any more.
    fn page(&self, life: &str, next: u64) -> Option<Vec<Event>> {
        let skip = usize::try_from(next.checked_sub(self.first)?).ok()?;
        (life == self.life).then(|| self.events.iter().skip(skip).take(PAGE).cloned().collect())
    }
}
