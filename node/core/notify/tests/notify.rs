//! Whole days of somebody's needs: what is told, how often, and what a restart changes of it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ikigai_notify::{Book, Delivery, Effect, Input, Item, Kind, Message, Need, Notify, Now, Rules};
use ikigai_types::Timestamp;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

fn item(n: u64, need: Need) -> Item {
    let (about, name) = (format!("p.f.T{n:03}"), format!("T{n:03}"));
    Item { need, about, name, text: format!("{need} of {n}"), turn: 1, since: Timestamp(0) }
}

fn rules() -> Rules {
    Rules {
        channels: vec!["web".to_owned()],
        quiet: Some("22:00-07:00".parse().unwrap()),
        ..Rules::default()
    }
}

/// A node with its machine, its disk and who receives; the local day begins at 0.
struct World {
    rules: Rules,
    notify: Notify,
    disk: Book,
    now: u64,
    needs: Vec<Item>,
    hidden: BTreeSet<String>,
    received: Vec<Message>,
    gave_up: Vec<Delivery>,
    /// What the receiver answers.
    works: bool,
}

impl World {
    fn new(rules: Rules) -> Self {
        let disk = Book::new("n");
        let notify = Notify::new(rules.clone(), disk.clone());
        let (needs, received, gave_up) = (Vec::new(), Vec::new(), Vec::new());
        // Eight in the morning.
        Self {
            rules,
            notify,
            disk,
            now: 8 * HOUR,
            needs,
            hidden: BTreeSet::new(),
            received,
            gave_up,
            works: true,
        }
    }

    fn now(&self) -> Now {
        Now { at: Timestamp(self.now), minute: u16::try_from(self.now / MINUTE % 1440).unwrap() }
    }

    fn step(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let effects = self.notify.step(self.now(), input);
            self.disk = self.notify.book().clone();
            for effect in effects {
                match effect {
                    Effect::Send(Delivery { message, channel, .. }) => {
                        let id = message.id.clone();
                        inputs.push(if self.works {
                            self.received.push(message);
                            Input::Delivered { id, channel }
                        } else {
                            Input::Failed { id, channel, after: None }
                        });
                    }
                    Effect::GaveUp(delivery) => self.gave_up.push(delivery),
                }
            }
        }
    }

    fn look(&mut self) {
        let hidden = &self.hidden;
        let needs = self.needs.iter().filter(|i| !hidden.contains(&i.about)).cloned().collect();
        let all = (0..100).map(|n| format!("p.f.T{n:03}")).filter(|a| !hidden.contains(a)).collect();
        self.step(Input::Seen { needs, all });
    }

    /// Lets time go by, woken when the machine wants to be.
    fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        while let Some(at) =
            self.notify.wakes(self.now()).map(|t| t.0.max(self.now + 1)).filter(|t| *t <= end)
        {
            self.now = at;
            self.step(Input::Time);
        }
        self.now = end;
        self.step(Input::Time);
    }

    /// The process dies; what it had decided and not done is lost, what it wrote down is not.
    fn restart(&mut self) {
        let bytes = serde_json::to_vec(&self.disk).unwrap();
        self.notify = Notify::new(self.rules.clone(), serde_json::from_slice(&bytes).unwrap());
    }

    fn titles(&self) -> Vec<&str> {
        self.received.iter().map(|m| m.title.as_str()).collect()
    }
}

#[test]
fn fifty_things_in_a_window_are_one_message_with_counts() {
    let mut world = World::new(rules());
    for n in 0..50 {
        world.needs.push(item(n, if n % 5 == 0 { Need::Failed } else { Need::Review }));
        world.look();
        world.pass(500);
    }
    world.pass(HOUR);
    assert_eq!(world.titles(), ["50 things need you: 10 failed, 40 review"]);
    let message = &world.received[0];
    assert_eq!(message.counts, BTreeMap::from([(Need::Failed, 10), (Need::Review, 40)]));
    assert_eq!((message.items.len(), message.about()), (50, None));
    assert!(message.text.ends_with("and 42 more") && message.text.starts_with("T000 failed: failed of 0\n"));
}

#[test]
fn one_thing_is_told_by_its_name_and_once() {
    let mut world = World::new(rules());
    world.needs = vec![item(7, Need::Review)];
    for _ in 0..20 {
        world.look();
        world.pass(MINUTE);
    }
    assert_eq!(world.titles(), ["T007 waits for your review"]);
    // Over, and again after another attempt.
    world.needs.clear();
    world.look();
    world.needs = vec![Item { turn: 2, ..item(7, Need::Review) }];
    world.look();
    world.pass(MINUTE);
    assert_eq!(world.received.len(), 2);
}

#[test]
fn what_is_over_before_it_is_told_is_never_told() {
    let mut world = World::new(rules());
    world.needs = vec![item(1, Need::Failed)];
    world.look();
    world.pass(10_000);
    world.needs.clear();
    world.look();
    world.pass(48 * HOUR);
    assert!(world.received.is_empty());
    assert_eq!(world.notify.wakes(world.now()), None);
}

#[test]
fn quiet_hours_keep_all_but_what_is_urgent_for_the_morning() {
    let mut world = World::new(rules());
    world.pass(15 * HOUR);
    for (n, need) in [(1, Need::Review), (2, Need::NodeLost), (3, Need::Failed)] {
        world.needs.push(item(n, need));
        world.look();
        world.pass(10 * MINUTE);
    }
    assert_eq!(world.titles(), ["T002 does not answer"]);
    assert!(world.received[0].urgent);
    world.restart();
    world.pass(12 * HOUR);
    assert_eq!(world.titles()[1..], ["2 things need you: 1 failed, 1 review"]);
    let told = world.received[1].at.0 % (24 * HOUR);
    assert_eq!(told / MINUTE, 7 * 60, "at seven");
    assert!(!world.received[1].urgent);
}

#[test]
fn what_is_not_looked_at_for_a_day_is_told_once_more() {
    let mut world = World::new(Rules { quiet: None, ..rules() });
    world.needs = vec![item(1, Need::Review), item(2, Need::Review)];
    world.look();
    world.pass(20 * HOUR);
    world.needs.pop();
    world.look();
    world.pass(100 * HOUR);
    assert_eq!(world.titles(), ["2 things need you: 2 review", "T001 still waits for your review"]);
    assert_eq!((world.received[1].kind, world.received[1].urgent), (Kind::Reminder, true));
}

#[test]
fn a_way_that_fails_is_tried_again_and_the_message_stays_the_same() {
    let mut world = World::new(rules());
    world.works = false;
    world.needs = vec![item(1, Need::Failed)];
    world.look();
    world.pass(HOUR);
    let tries = world.notify.book().outbox()[0].tries;
    assert!((5..20).contains(&tries), "{tries} tries in an hour");
    let id = world.notify.book().outbox()[0].message.id.clone();
    world.restart();
    world.works = true;
    world.pass(2 * HOUR);
    assert_eq!(world.received.iter().map(|m| m.id.as_str()).collect::<Vec<_>>(), [id]);
    assert!(world.notify.book().outbox().is_empty());
}

#[test]
fn a_message_nobody_takes_is_given_up_after_days_and_others_make_room() {
    let mut world = World::new(Rules { quiet: None, ..rules() });
    world.works = false;
    for n in 0..130 {
        world.needs = vec![Item { turn: n, ..item(1, Need::Failed) }];
        world.look();
        world.pass(MINUTE);
    }
    world.needs.clear();
    world.look();
    assert_eq!((world.notify.book().outbox().len(), world.gave_up.len()), (100, 30));
    world.pass(100 * HOUR);
    assert_eq!((world.notify.book().outbox().len(), world.gave_up.len()), (0, 130));
}

#[test]
fn a_task_on_a_node_that_is_away_is_not_over() {
    let mut world = World::new(Rules { quiet: None, ..rules() });
    world.needs = vec![item(1, Need::Review)];
    world.look();
    world.pass(HOUR);
    world.hidden.insert("p.f.T001".to_owned());
    world.look();
    world.restart();
    world.look();
    world.pass(30 * HOUR);
    assert_eq!(world.received.len(), 1, "nobody is reminded of what is not seen");
    world.hidden.clear();
    world.look();
    world.pass(HOUR);
    assert_eq!(world.titles(), ["T001 waits for your review", "T001 still waits for your review"]);
}

/// Something that happens in a day.
#[derive(Debug, Clone)]
enum Act {
    Begin(u64, usize),
    End(usize),
    Pass(u64),
    Restart,
    Breaks,
    Works,
    Hide(u64),
    Show,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..20_u64, 0..Need::ALL.len()).prop_map(|(n, need)| Act::Begin(n, need)),
        2 => any::<usize>().prop_map(Act::End),
        4 => (0..3 * HOUR).prop_map(Act::Pass),
        2 => (0..40_000_u64).prop_map(Act::Pass),
        1 => Just(Act::Restart),
        1 => Just(Act::Breaks),
        1 => Just(Act::Works),
        1 => (0..20_u64).prop_map(Act::Hide),
        1 => Just(Act::Show),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn each_thing_is_told_once_and_never_in_quiet_hours(acts in proptest::collection::vec(act(), 1..80)) {
        let mut world = World::new(rules());
        let mut turn = 10;
        for act in acts {
            match act {
                Act::Begin(n, need) => {
                    let item = item(n, Need::ALL[need]);
                    if !world.needs.iter().any(|i| (i.need, &i.about) == (item.need, &item.about)) {
                        turn += 1;
                        world.needs.push(Item { turn, ..item });
                    }
                }
                Act::End(n) if !world.needs.is_empty() => drop(world.needs.remove(n % world.needs.len())),
                Act::End(_) => {}
                Act::Pass(ms) => world.pass(ms),
                Act::Restart => world.restart(),
                Act::Breaks => world.works = false,
                Act::Works => world.works = true,
                Act::Hide(n) => drop(world.hidden.insert(format!("p.f.T{n:03}"))),
                Act::Show => world.hidden.clear(),
            }
            world.look();
        }
        // A quiet end: whatever still needs somebody has been told.
        world.works = true;
        world.hidden.clear();
        world.look();
        world.pass(48 * HOUR);

        let mut told: BTreeMap<(Kind2, String, Need, u64), usize> = BTreeMap::new();
        let mut ids = BTreeSet::new();
        for message in &world.received {
            prop_assert!(ids.insert(message.id.clone()), "{} came twice", message.id);
            let minute = u16::try_from(message.at.0 / MINUTE % 1440).unwrap();
            let quiet = !(7 * 60..22 * 60).contains(&minute);
            for item in &message.items {
                prop_assert!(!quiet || world.rules.urgent.contains(&item.need), "{} at {minute}", message.title);
                *told.entry((message.kind.into(), item.about.clone(), item.need, item.turn)).or_default() += 1;
            }
        }
        prop_assert!(told.values().all(|n| *n == 1), "{told:?}");
        for item in &world.needs {
            let key = (Kind2::Needs, item.about.clone(), item.need, item.turn);
            prop_assert!(told.contains_key(&key), "{item:?} was never told");
        }
        let mut news: Vec<_> = world.received.iter().filter(|m| m.kind == Kind::Needs).map(|m| m.at.0).collect();
        // What failed is delivered after what came later.
        news.sort_unstable();
        // The end of quiet hours may follow on a message that could not wait for it.
        let seven = |at: u64| at / MINUTE % 1440 == 7 * 60;
        let close = |a: u64, b: u64| b.saturating_sub(a) < 30_000 && !seven(a) && !seven(b);
        prop_assert!(!news.windows(2).any(|w| close(w[0], w[1])), "{news:?}");
    }
}

/// [`Kind`] with an order, to count by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind2 {
    Needs,
    Reminder,
    Test,
}

impl From<Kind> for Kind2 {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Needs => Self::Needs,
            Kind::Reminder => Self::Reminder,
            Kind::Test => Self::Test,
        }
    }
}
