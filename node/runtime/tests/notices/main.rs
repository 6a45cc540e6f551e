//! Telling people, over a store that stays and processes that do not.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use async_trait::async_trait;
use ikigai_memory::{MemoryStore, SeededRng, VirtualClock};
use ikigai_notify::{Message, Rules};
use ikigai_ports::notice::{Channel, Notices};
use ikigai_ports::testsuite::fake_node::FakeNode;
use ikigai_ports::{Clock, PortError, PortResult, Store};
use ikigai_runtime::notices::{Setup, Ways, run};
use ikigai_types::{NodeId, Timestamp};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Who is told, and whether they can be reached.
#[derive(Debug, Clone, Default)]
struct Person {
    got: Arc<Mutex<Vec<(Message, String)>>>,
    away: Arc<Mutex<bool>>,
    /// The message arrives, and its sender never hears of it.
    mute: Arc<Mutex<bool>>,
}

#[async_trait]
impl Channel for Person {
    fn name(&self) -> &str {
        "person"
    }

    async fn deliver(&self, message: &Message, link: &str) -> PortResult<()> {
        if *self.away.lock().unwrap() {
            return Err(PortError::unavailable("the person", "gone fishing"));
        }
        self.got.lock().unwrap().push((message.clone(), link.to_owned()));
        if *self.mute.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

impl Person {
    fn titles(&self) -> Vec<String> {
        self.got.lock().unwrap().iter().map(|(m, _)| m.title.clone()).collect()
    }
}

/// A node's life: what it shows stays over it, and so does its store.
struct Life {
    ways: Ways,
    stop: CancellationToken,
    runs: tokio::task::JoinHandle<PortResult<()>>,
}

struct World {
    fake: FakeNode,
    store: Arc<MemoryStore>,
    clock: Arc<VirtualClock>,
    person: Person,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(VirtualClock::new(Timestamp(1_795_300_000_000)));
        let fake = FakeNode::shop(clock.now(), "/shop");
        Self { fake, store: Arc::new(MemoryStore::new()), clock, person: Person::default() }
    }

    fn begin(&self, only_own: bool) -> Life {
        let setup = Setup {
            handle: Arc::new(self.fake.clone()),
            own: NodeId::from_bytes([9; 32]),
            only_own,
            store: self.store.clone(),
            clock: self.clock.clone(),
            rng: Arc::new(SeededRng::new(1)),
            minute: |_| 600,
            rules: Rules { channels: vec!["person".to_owned()], ..Rules::default() },
            channels: vec![Arc::new(self.person.clone())],
            base: "http://here".to_owned(),
        };
        let (ways, stop) = (Ways::of(&setup), CancellationToken::new());
        let runs = tokio::spawn(run(setup, ways.clone(), stop.clone()));
        Life { ways, stop, runs }
    }

    /// Lets time go by as the sleepers want it, until `is`; an hour at most.
    async fn until(&self, what: &str, is: impl Fn(&Person) -> bool) {
        let end = self.clock.now().after(Duration::from_secs(3600));
        while !is(&self.person) {
            assert!(self.clock.now() < end, "never: {what}: {:?}", self.person.titles());
            self.settle().await;
            self.clock.advance(Duration::from_secs(1));
        }
    }

    async fn pass(&self, secs: u64) {
        for _ in 0..secs {
            self.settle().await;
            self.clock.advance(Duration::from_secs(1));
        }
        self.settle().await;
    }

    /// Everything that can go on without time does.
    async fn settle(&self) {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
}

impl Life {
    async fn end(self) {
        self.stop.cancel();
        self.runs.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_is_there_is_one_message_and_what_comes_is_told_with_its_link() {
    let world = World::new();
    let life = world.begin(false);
    world.until("the first", |p| p.titles().len() == 1).await;
    assert_eq!(world.person.titles(), ["3 things need you: 1 failed, 2 review"]);
    assert_eq!(world.person.got.lock().unwrap()[0].1, "http://here/");
    world.fake.turn("T003", "review", "T003 can be reviewed");
    world.until("the second", |p| p.titles().len() == 2).await;
    let (message, link) = world.person.got.lock().unwrap()[1].clone();
    assert_eq!(
        (message.title.as_str(), message.text.as_str()),
        ("T003 waits for your review", "Create Cart in src/cart.py")
    );
    assert_eq!(link, format!("http://here/review/{}", message.items[0].about));
    world.pass(600).await;
    assert_eq!(world.person.titles().len(), 2, "nothing is told again");
    let views = life.ways.channels().await.unwrap();
    assert_eq!(
        (views[0].waiting, views[0].trouble.as_deref(), views[0].delivered_at.is_some()),
        (0, None, true)
    );
    life.end().await;
}

#[tokio::test]
async fn a_restart_loses_nothing_and_tells_nothing_twice() {
    let world = World::new();
    *world.person.away.lock().unwrap() = true;
    let life = world.begin(false);
    world.pass(120).await;
    assert_eq!(life.ways.channels().await.unwrap()[0].waiting, 1);
    let trouble = life.ways.channels().await.unwrap()[0].trouble.clone().unwrap();
    assert!(trouble.contains("gone fishing"), "{trouble}");
    life.end().await;

    // It is delivered after the restart, and that life ends before it hears so.
    *world.person.away.lock().unwrap() = false;
    *world.person.mute.lock().unwrap() = true;
    let life = world.begin(false);
    world.until("it arrives", |p| p.titles().len() == 1).await;
    life.end().await;

    *world.person.mute.lock().unwrap() = false;
    let life = world.begin(false);
    world.until("it arrives again", |p| p.titles().len() == 2).await;
    life.end().await;
    let life = world.begin(false);
    world.pass(3000).await;
    life.end().await;
    let got = world.person.got.lock().unwrap().clone();
    assert_eq!(got.len(), 2);
    assert_eq!(got[0].0, got[1].0, "by the same id, and word for word");
}

#[tokio::test]
async fn what_is_told_is_written_down_first() {
    let world = World::new();
    let life = world.begin(false);
    world.until("it arrives", |p| !p.titles().is_empty()).await;
    assert!(world.store.get(b"notify/book").await.unwrap().is_some());
    life.end().await;
    // Garbage is not taken for an empty book, which would tell everything again.
    let batch = ikigai_ports::store::Batch::default().put(b"notify/book".as_slice(), b"{".as_slice());
    world.store.commit(batch).await.unwrap();
    let life = world.begin(false);
    assert!(matches!(life.runs.await.unwrap(), Err(PortError::Corrupt(_))));
}

#[tokio::test]
async fn where_several_nodes_tell_each_tells_of_its_own() {
    let world = World::new();
    let life = world.begin(true);
    world.pass(600).await;
    assert!(world.person.titles().is_empty(), "the tasks are of another node");
    life.end().await;
}

#[tokio::test]
async fn a_test_goes_out_at_once_and_its_trouble_is_answered() {
    let world = World::new();
    let life = world.begin(true);
    assert_eq!(life.ways.test().await.unwrap()[0].trouble, None);
    assert_eq!(world.person.titles(), ["Ikigai reaches you"]);
    *world.person.away.lock().unwrap() = true;
    assert!(life.ways.test().await.unwrap()[0].trouble.is_some());
    life.end().await;
}

#[tokio::test]
async fn what_agents_wrote_is_one_harmless_line() {
    let world = World::new();
    world.fake.edit("T003", |t| t.title = "a\u{1b}[31m\u{202e}b\nc\u{7}".to_owned());
    world.fake.turn("T003", "review", "review");
    let life = world.begin(false);
    world.until("it arrives", |p| !p.titles().is_empty()).await;
    let text = world.person.got.lock().unwrap()[0].0.text.clone();
    assert!(
        text.contains("T003 waits for your review: abc\n")
            || text.ends_with("T003 waits for your review: abc"),
        "{text}"
    );
    life.end().await;
}
