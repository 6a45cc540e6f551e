//! Holders that stand still past their lease and wake up when somebody else has done their work.

use crate::cluster::{Cluster, Held, Node, Shape};
use crate::person::Person;
use crate::soak;
use futures::StreamExt as _;
use ikigai_ports::NodeHandle as _;
use ikigai_remote::RemoteNode;
use ikigai_wire::api::{Event, TaskView};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};
use tokio_util::task::AbortOnDropHandle;

/// Workloads at once on each node: one falls asleep when it has them all.
const SLOTS: u64 = 2;
/// How long a replacement may take, the lease that must run out first included.
const REPLACED: Duration = Duration::from_secs(240);
/// How long one that woke up may take to be told.
const REFUSED: Duration = Duration::from_secs(60);

/// What the tasks of a test share.
struct Scene {
    person: Person,
    events: watch::Receiver<Vec<Event>>,
    /// Half of the nodes at a time, so that there is somebody to take over.
    places: Semaphore,
    wanted: usize,
    stale: Mutex<Vec<Held>>,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_that_slept_past_its_lease_changes_nothing() {
    let (wanted, tasks) = if soak() { (1_000, 4_000) } else { (3, 32) };
    // Long enough that a sleeper is seldom about to end anyway, and that work is left when it wakes up.
    let shape = Shape { nodes: 5, tasks, tenths: 60, slots: SLOTS, owner_slots: 0 };
    let test = "a_holder_that_slept_past_its_lease_changes_nothing";
    let Some(mut cluster) = Cluster::start(test, shape).await else { return };
    cluster.submit().await;
    let began = Instant::now();
    let (seen, events) = watch::channel(Vec::new());
    let _follow = AbortOnDropHandle::new(tokio::spawn(follow(cluster.owner().handle(), seen)));
    let person = Person::sit(&cluster);
    let (places, stale) = (Semaphore::new((shape.nodes - 1) / 2), Mutex::default());
    let scene = Scene { person, events, places, wanted, stale };
    let freezes = cluster.nodes[1..].iter().map(|node| scene.freeze_again(node));
    let freezes: usize = futures::future::join_all(freezes).await.into_iter().sum();
    let stale = scene.stale.lock().unwrap().clone();
    println!("{freezes} freezes; {} attempts slept past their lease; {:?}", stale.len(), began.elapsed());
    scene.person.until_all_accepted(tasks, Duration::from_secs(120)).await;
    println!("all accepted after {:?}; {} given up and tried again", began.elapsed(), scene.person.retries());
    cluster.check_accepted_once().await;
    assert!(stale.len() >= wanted, "only {} of {wanted} attempts slept", stale.len());
    let events = scene.events.borrow().clone();
    check_refused(&stale, &events, &cluster.owner().tasks().await);
    cluster.nothing_is_left(Duration::from_secs(60)).await;
    drop(scene);
    cluster.check_disks().await;
}

/// Collects the owner's events as they come.
async fn follow(owner: RemoteNode, seen: watch::Sender<Vec<Event>>) {
    let mut events = owner.events(None).await.unwrap();
    while let Some(event) = events.next().await {
        seen.send_modify(|all| all.push(event.unwrap()));
    }
}

impl Scene {
    /// Enough slept, or nobody has anything left to do.
    fn is_over(&self) -> bool {
        let tasks = self.person.tasks();
        let is_done = !tasks.is_empty() && tasks.iter().all(|t| t.state == "accepted");
        is_done || self.stale.lock().unwrap().len() >= self.wanted
    }

    /// Freezes `node` whenever it is full, until enough attempts slept; answers how often.
    async fn freeze_again(&self, node: &Node) -> usize {
        let mut count = 0;
        while !self.is_over() {
            let place = self.places.acquire().await.unwrap();
            let tasks = self.person.tasks();
            let left = tasks.iter().filter(|t| t.state != "accepted").count();
            if node.held(&tasks).len() < left.min(SLOTS as usize).max(1) {
                drop(place);
                self.person.look().await;
                continue;
            }
            node.freeze();
            let mut held = node.held(&self.person.look().await);
            let accepted = |tasks: &[TaskView]| held.iter().all(|stale| is_accepted(stale, tasks));
            let all = self.person.until(REPLACED, accepted).await;
            assert!(all, "not replaced within {REPLACED:?}: {}", states(&held, &self.person.tasks()));
            // What it had told before it fell asleep, and was heard only then, was not caught.
            held.retain(|stale| is_replaced(stale, &self.person.tasks()));
            count += usize::from(!held.is_empty());
            node.thaw();
            let mut events = self.events.clone();
            let refused = |events: &Vec<Event>| held.iter().all(|one| refusals(one, events).next().is_some());
            let refused = tokio::time::timeout(REFUSED, events.wait_for(refused)).await;
            assert!(refused.is_ok(), "not refused within {REFUSED:?}: {held:?}");
            self.stale.lock().unwrap().extend(held);
        }
        count
    }
}

/// The task is accepted, whoever did it.
fn is_accepted((attempt, _): &Held, tasks: &[TaskView]) -> bool {
    tasks.iter().any(|t| t.id == attempt.task && t.state == "accepted")
}

/// What became of the tasks of `held`, and of all.
fn states(held: &[Held], tasks: &[TaskView]) -> String {
    let accepted = tasks.iter().filter(|t| t.state == "accepted").count();
    let mut text = format!("{accepted} of {} are accepted\n", tasks.len());
    for (attempt, _) in held {
        let Some(task) = tasks.iter().find(|t| t.id == attempt.task) else { continue };
        let last = task.attempts.last().map(|a| (&a.id, &a.phase, &a.outcome, &a.node));
        text.push_str(&format!("{attempt}: {} {} {last:?}\n", task.state, task.why.text));
    }
    text
}

/// What was accepted is another attempt's, of a higher epoch.
fn is_replaced((attempt, epoch): &Held, tasks: &[TaskView]) -> bool {
    let Some(task) = tasks.iter().find(|t| t.id == attempt.task) else { return false };
    let taken = task.patch.as_ref().map(|p| p.attempt);
    task.state == "accepted" && taken.is_some_and(|n| n > attempt.number) && task.epoch > *epoch
}

/// What the owner's log has of an attempt that was refused.
fn refusals<'a>(stale: &'a Held, events: &'a [Event]) -> impl Iterator<Item = &'a Event> {
    let (attempt, epoch) = stale;
    events.iter().filter(move |e| {
        e.what == "stale-refused"
            && e.task == attempt.task
            && e.attempt == Some(attempt.number)
            && e.epoch == Some(*epoch)
    })
}

/// Each sleeper's report was refused with both epochs, and its result is not what was taken.
fn check_refused(stale: &[Held], events: &[Event], tasks: &[TaskView]) {
    let mut by_what: HashMap<String, usize> = HashMap::new();
    for one in stale {
        for refusal in refusals(one, events) {
            let (under, good) = (format!("under epoch {};", one.1), " is good");
            assert!(refusal.text.contains(&under) && refusal.text.ends_with(good), "{}", refusal.text);
            let what = refusal.text.split(" under ").next().unwrap_or_default();
            *by_what.entry(what.to_owned()).or_default() += 1;
        }
        let task = tasks.iter().find(|t| t.id == one.0.task).unwrap();
        let attempt = task.attempts.iter().find(|a| a.id == one.0).unwrap();
        assert_eq!(attempt.outcome.as_deref(), Some("lost"), "{}", attempt.id);
    }
    println!("refused: {by_what:?}");
}
