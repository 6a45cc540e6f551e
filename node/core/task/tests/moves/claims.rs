//! Tasks that change the same files are under way one after the other, of whichever feature they are.

use crate::world::{me, spec};
use ikigai_task::{Command, Effect, Input, Observation, Owner, Policy, TaskSpec, TaskState, WaitReason};
use ikigai_types::{Commit, Disconnect, Fence, NodeId, PatchId, ProjectId, TaskId, Timestamp, Verdict};
use proptest::prelude::*;
use std::time::Duration;

fn task(id: &str, claims: &[&str]) -> TaskSpec {
    TaskSpec {
        id: TaskId::new(id).unwrap(),
        project: ProjectId::new(&id[..1]).unwrap(),
        claims: claims.iter().map(|c| (*c).to_owned()).collect(),
        ..spec(Disconnect::default())
    }
}

/// An owner whose placement has room for all but one.
struct World {
    owner: Owner,
    now: Timestamp,
    /// No node fits it.
    nowhere: Option<TaskId>,
}

impl World {
    fn new(tasks: Vec<TaskSpec>) -> Self {
        let mut world =
            Self { owner: Owner::new(me(), Policy::default()), now: Timestamp(1_000_000), nowhere: None };
        world.input(Input::Submit(tasks, None));
        world
    }

    fn input(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for effect in self.owner.handle(input, self.now) {
                if let Effect::Place(task) = effect {
                    let (node, rows) = (NodeId::from_bytes([2; 32]), Vec::new());
                    let (reason, text) = (WaitReason::Capacity, "full".to_owned());
                    let found = match self.nowhere.as_ref() == Some(&task) {
                        true => Observation::NoneFits { task, reason, text, rows },
                        false => Observation::Chosen { task, node, rows },
                    };
                    inputs.insert(0, Input::Observation(found));
                }
            }
            self.nothing_collides();
        }
    }

    fn nothing_collides(&self) {
        let under_way: Vec<_> = self.owner.tasks().values().filter(|t| t.is_under_way()).collect();
        for (i, one) in under_way.iter().enumerate() {
            for other in under_way[i + 1..].iter().filter(|o| o.spec.project == one.spec.project) {
                let both = one.spec.claims.iter().find(|a| other.spec.claims.iter().any(|b| overlap(a, b)));
                assert_eq!(both, None, "{} and {} are under way", one.spec.id, other.spec.id);
            }
        }
    }

    fn state(&self, id: &str) -> TaskState {
        self.owner.task(&TaskId::new(id).unwrap()).unwrap().state
    }

    fn command(&mut self, id: &str, command: Command) {
        self.input(Input::Command(TaskId::new(id).unwrap(), command));
    }

    /// The next thing that `id` needs to come to its end.
    fn further(&mut self, id: &TaskId) {
        let task = self.owner.task(id).unwrap();
        let fence = task.attempts.last().map(|a| a.fence.clone());
        match (task.state, fence) {
            (TaskState::Preparing | TaskState::Running, Some(fence)) => self.result(fence),
            (TaskState::Verifying, Some(fence)) => {
                let patch = PatchId::new("patch").unwrap();
                self.see(Observation::PatchOpened { fence: fence.clone(), patch, revision: 1 });
                let (verdict, node, checks, gaps) = (Verdict::Verified, me(), Vec::new(), Vec::new());
                self.see(Observation::Verified { fence, verdict, node, checks, gaps });
            }
            (TaskState::Review, Some(fence)) => {
                self.input(Input::Command(id.clone(), Command::Accept { force: false }));
                self.see(Observation::Merged { fence, commit: Commit("m".to_owned()) });
            }
            (TaskState::Accepted, _) => {}
            // Time passes for back-offs, and not while there are leases that would run out.
            (TaskState::Waiting(_) | TaskState::Queued, _)
                if self.owner.tasks().values().any(|t| t.active().is_some()) => {}
            (TaskState::Waiting(_) | TaskState::Queued, _) => {
                self.now = self.now.after(Duration::from_secs(3_600));
                self.input(Input::Wake);
            }
            _ => self.input(Input::Command(id.clone(), Command::Retry)),
        }
    }

    fn result(&mut self, fence: Fence) {
        let head = Commit("h".to_owned());
        let change = ikigai_types::Change {
            base: Commit("b".to_owned()),
            head,
            files: Vec::new(),
            additions: 1,
            deletions: 0,
        };
        self.see(Observation::Ended {
            fence,
            exit_code: Some(0),
            reason: None,
            detail: String::new(),
            usage: ikigai_types::Usage::default(),
            change: Some(change),
            salvage: None,
            saved: None,
        });
    }

    fn see(&mut self, observation: Observation) {
        self.input(Input::Observation(observation));
    }
}

fn overlap(a: &str, b: &str) -> bool {
    let inside = |a: &str, b: &str| a.starts_with(&format!("{b}/"));
    a == b || inside(a, b) || inside(b, a)
}

#[test]
fn the_same_path_a_folder_around_it_and_what_is_inside_it_collide() {
    let collide =
        [("src/shop/cart.rs", "src/shop/cart.rs"), ("src/shop", "src/shop/cart.rs"), ("src", "src/a/b")];
    let apart =
        [("src/cart.rs", "src/cart.rs.bak"), ("src/shop", "src/shop2/a"), ("src", "lib/src"), ("a", "ab")];
    for ((a, b), waits) in collide.map(|c| (c, true)).into_iter().chain(apart.map(|c| (c, false))) {
        for (first, second) in [(a, b), (b, a)] {
            let world = World::new(vec![task("p.f.T001", &[first]), task("p.g.T001", &["x", second])]);
            assert_eq!(world.state("p.f.T001"), TaskState::Preparing);
            let expected =
                if waits { TaskState::Waiting(WaitReason::Dependency) } else { TaskState::Preparing };
            assert_eq!(world.state("p.g.T001"), expected, "{first} and {second}");
        }
    }
    let world = World::new(vec![task("p.f.T001", &["a"]), task("q.f.T001", &["a"])]);
    assert_eq!(world.state("q.f.T001"), TaskState::Preparing, "another project has other files");
}

#[test]
fn it_is_said_which_task_changes_which_file_and_the_next_one_begins_when_that_is_decided() {
    let mut world = World::new(vec![task("p.f.T001", &["src"]), task("p.g.T002", &["src/a.rs"])]);
    let second = TaskId::new("p.g.T002").unwrap();
    let why = world.owner.why(&second, world.now, &|_| "alpha".to_owned()).unwrap();
    assert_eq!(
        (why.cause, why.text.as_str()),
        ("claim", "waits for T001 (preparing on alpha, attempt 1): both change src")
    );
    let first = TaskId::new("p.f.T001").unwrap();
    world.further(&first);
    world.further(&first);
    assert_eq!(world.state("p.f.T001"), TaskState::Review);
    let why = world.owner.why(&second, world.now, &|_| "alpha".to_owned()).unwrap();
    assert_eq!(why.hint.as_deref(), Some("run: ikigai patch accept T001"));
    world.command("p.f.T001", Command::Reject { text: "no".to_owned(), retry: false, notes: Vec::new() });
    assert_eq!(world.state("p.g.T002"), TaskState::Preparing);
    world.command("p.f.T001", Command::Retry);
    assert_eq!(
        world.state("p.f.T001"),
        TaskState::Waiting(WaitReason::Dependency),
        "now it waits for the other"
    );
}

proptest! {
    #[test]
    fn no_two_are_under_way_whatever_happens_and_all_end(
        claims in prop::collection::vec(prop::collection::vec(0..PATHS.len(), 0..3), 2..12),
        deeds in prop::collection::vec((0..12_usize, 0..6_u8), 0..80),
    ) {
        let id = |i: usize| format!("p.{}.T{i:03}", ["f", "g"][i % 2]);
        let specs = claims.iter().enumerate().map(|(i, c)| {
            let mut spec = task(&id(i), &c.iter().map(|p| PATHS[*p]).collect::<Vec<_>>());
            let before = (i > 2 && i % 3 == 0).then(|| TaskId::new(id(i - 3)).unwrap());
            spec.depends_on = before.into_iter().collect();
            spec
        });
        let mut world = World::new(specs.collect());
        for (i, deed) in deeds {
            let task = TaskId::new(id(i % claims.len())).unwrap();
            match deed {
                0 => world.input(Input::Command(task, Command::Stop)),
                1 => world.input(Input::Command(task, Command::Pause)),
                2 => world.input(Input::Command(task, Command::Resume)),
                _ => world.further(&task),
            }
        }
        for _ in 0..40 {
            (0..claims.len()).for_each(|i| {
                let task = TaskId::new(id(i)).unwrap();
                world.input(Input::Command(task.clone(), Command::Resume));
                world.further(&task);
            });
        }
        let open: Vec<_> = world.owner.tasks().values().filter(|t| t.state != TaskState::Accepted).collect();
        prop_assert!(open.is_empty(), "{:#?}", open.iter().map(|t| (&t.spec.id, t.state)).collect::<Vec<_>>());
    }
}

const PATHS: [&str; 6] = ["src", "src/a.rs", "src/b", "src/b/c.rs", "docs", "docs/a.md"];

#[test]
fn one_that_finds_no_node_keeps_no_other_from_the_files() {
    let specs = ["p.f.T001", "p.g.T002", "p.g.T003"].map(|id| task(id, &["src/a.rs"])).to_vec();
    let mut world = World::new(specs);
    assert_eq!(world.state("p.f.T001"), TaskState::Preparing);
    world.nowhere = Some(TaskId::new("p.g.T002").unwrap());
    world.command("p.f.T001", Command::Stop);
    assert_eq!(world.state("p.g.T002"), TaskState::Waiting(WaitReason::Capacity));
    assert_eq!(world.state("p.g.T003"), TaskState::Preparing);
    // It looks again, and now the other one is in its way.
    world.nowhere = None;
    world.see(Observation::CapacityChanged);
    assert_eq!(world.state("p.g.T002"), TaskState::Waiting(WaitReason::Dependency));
    world.command("p.g.T003", Command::Stop);
    assert_eq!(world.state("p.g.T002"), TaskState::Preparing);
}
