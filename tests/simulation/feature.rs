//! A feature whose agents take a known time, on a mesh in which nothing goes wrong: what is ready runs at once, the
//! longest chain first, and the whole ends in the time of its critical path.

use crate::owner::Asker;
use crate::world::World;
use ikigai_membership::chance::Chance;
use ikigai_speckit::{Graph, TaskIdx, parse};
use ikigai_task::{Input, TaskSpec, TaskState};
use ikigai_types::TaskId;
use std::time::Duration;

const MINUTE: u64 = 60_000;

/// Twelve tasks in the phases of Spec-Kit, and how many minutes the agent of each takes.
const STORIES: (&str, [u64; 12]) = (
    "## Phase 1: Setup\n- [ ] T001 a\n\
     ## Phase 2: Foundational\n- [ ] T002 b\n- [ ] T003 [P] c\n\
     ## Phase 3: User Story 1 - x (Priority: P1)\n- [ ] T004 [US1] d\n- [ ] T005 [US1] e\n- [ ] T006 [US1] f\n\
     ## Phase 4: User Story 2 - y (Priority: P2)\n- [ ] T007 [P] [US2] g\n- [ ] T008 [P] [US2] h\n\
     ## Phase 5: User Story 3 - z (Priority: P3)\n- [ ] T009 [US3] i\n- [ ] T010 [US3] j\n\
     ## Phase 6: Polish\n- [ ] T011 [P] k\n- [ ] T012 [P] l\n",
    [2, 3, 2, 4, 2, 3, 5, 4, 6, 2, 3, 2],
);

/// Eight tasks by themselves, then a chain of four: begun in the order of the file, the chain is begun last.
const CHAIN: (&str, [u64; 12]) = (
    "## Phase 1: User Story 1 - x (Priority: P1)\n\
     - [ ] T001 [P] [US1] a\n- [ ] T002 [P] [US1] b\n- [ ] T003 [P] [US1] c\n- [ ] T004 [P] [US1] d\n\
     - [ ] T005 [P] [US1] e\n- [ ] T006 [P] [US1] f\n- [ ] T007 [P] [US1] g\n- [ ] T008 [P] [US1] h\n\
     ## Phase 2: User Story 2 - y (Priority: P2)\n\
     - [ ] T009 [US2] i\n- [ ] T010 [US2] j\n- [ ] T011 [US2] k\n- [ ] T012 [US2] l\n",
    [1, 1, 1, 1, 1, 1, 1, 1, 5, 5, 5, 5],
);

/// A feature on its way through a mesh.
struct Run {
    world: World,
    graph: Graph,
    ids: Vec<TaskId>,
    minutes: [u64; 12],
}

impl Run {
    /// The mesh, its machines with so many slots each, some time after its start: each knows the others.
    fn new((text, minutes): (&str, [u64; 12]), slots: &[u64], seed: u64) -> Self {
        let mut world = World::of(slots, Chance::new(seed), None, false);
        world.heal();
        world.run(MINUTE);
        let document = parse(text, "001-a").document;
        let graph = Graph::build(&document).expect("a graph");
        let id = |id: &str| TaskId::new(format!("p0.f.{id}")).expect("an id");
        let ids: Vec<_> = document.tasks.iter().map(|task| id(task.id.as_str())).collect();
        Self { world, graph, ids, minutes }
    }

    fn critical_path(&self) -> u64 {
        let path = self.graph.critical_path(|task| self.minutes[task.0]);
        path.iter().map(|task| self.minutes[task.0] * MINUTE).sum()
    }

    fn specs(&mut self, urgency: &[u32]) -> Vec<TaskSpec> {
        let each = 0..self.ids.len();
        each.map(|i| {
            let before = self.graph.direct(TaskIdx(i)).into_iter().map(|edge| self.ids[edge.from.0].clone());
            let mut spec = self.world.spec(0, self.ids[i].clone(), before.collect());
            spec.urgency = urgency[i];
            spec.claims.clear();
            spec.limits.time = Duration::from_secs(3_600);
            // As many fit a machine as it has slots.
            spec.request.cpu_millis = 1_000;
            spec.request.memory_bytes = 1 << 30;
            spec
        })
        .collect()
    }

    /// Lets it run to its end, a person accepting what is there for review; answers how long that took.
    fn time(mut self, urgency: &[u32]) -> u64 {
        let specs = self.specs(urgency);
        let times = self.ids.iter().cloned().zip(self.minutes.map(|m| m * MINUTE));
        self.world.run_times = times.collect();
        self.world.tasks = self.ids.iter().map(|id| (id.clone(), 0)).collect();
        self.world.input(0, Input::Submit(specs, None), Asker::Submitter(self.ids.clone()));
        let from = self.world.now;
        while !self.ended() {
            self.world.run(100);
            assert_eq!(self.world.broken, None);
            assert!(self.world.now < from + 10 * self.critical_path(), "it does not end");
        }
        self.world.now - from
    }

    fn ended(&self) -> bool {
        let owner = self.world.nodes[0].live.as_ref().map(|live| &live.driver.owner);
        let accepted = |id| owner.and_then(|o| o.task(id)).is_some_and(|t| t.state == TaskState::Accepted);
        self.ids.iter().all(accepted)
    }
}

#[test]
fn twelve_tasks_end_in_the_time_of_their_critical_path() {
    // With room for all that is ready, and with one slot less than the widest wave.
    for slots in [&[2, 2, 2][..], &[1, 2, 2]] {
        for seed in 0..20 {
            let run = Run::new(STORIES, slots, seed);
            let (path, urgency) = (run.critical_path(), run.graph.chain_behind());
            let took = run.time(&urgency);
            let told = format!("{took} ms for a path of {path} ms, slots {slots:?}, seed {seed}");
            assert!(took >= path && took <= path + path / 10, "{told}");
        }
    }
}

#[test]
fn the_longest_chain_is_begun_first() {
    for seed in 0..20 {
        let run = |urgency: Option<[u32; 12]>| {
            let run = Run::new(CHAIN, &[1, 1, 1], seed);
            let urgency = urgency.map_or_else(|| run.graph.chain_behind(), |flat| flat.to_vec());
            (run.critical_path(), run.time(&urgency))
        };
        let (path, took) = run(None);
        assert!(took >= path && took <= path + path / 10, "{took} ms for a path of {path} ms, seed {seed}");
        // Without it, the chain waits for the tasks that stand before it in the file.
        let (_, unordered) = run(Some([0; 12]));
        assert!(unordered > took + MINUTE, "{unordered} ms, {took} ms with it, seed {seed}");
    }
}
