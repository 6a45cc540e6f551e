//! The world around an owner: a disk, nodes that run attempts, a forge, people; all driven by one seed.

use ikigai_task::{
    Command, Effect, Input, Moves, Observation, Owner, Policy, Reason, Record, TaskSpec, TaskState,
    WaitReason,
};
use ikigai_types::{
    Change, Commit, Epoch, Fence, Limits, NodeId, PatchId, PlacementRow, ProjectId, Resources, Selector,
    TaskId, Timestamp, Usage, Verdict, WorkloadId,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const TASKS: usize = 6;
const NODES: u8 = 3;

/// What a run left behind.
pub struct Trace {
    pub log: Vec<String>,
    pub crashes: u32,
    pub stale: u32,
    pub accepted: u32,
}

/// xorshift64*: small, seeded, the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
    fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }
    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

pub struct World {
    dice: Dice,
    owner: Owner,
    disk: Vec<Record>,
    now: Timestamp,
    /// Answers under way, with the time they arrive.
    mail: Vec<(Timestamp, Input)>,
    /// Attempts that run somewhere, whether their owner knows or not.
    running: BTreeSet<FenceKey>,
    /// What the forge merged, for ever.
    merged: BTreeMap<TaskId, FenceKey>,
    submitted: BTreeSet<TaskId>,
    faults: bool,
    crashes: u32,
    refused: u32,
}

type FenceKey = (TaskId, u32, u64);

fn key(f: &Fence) -> FenceKey {
    (f.attempt.task.clone(), f.attempt.number, f.epoch.0)
}

fn id(i: usize) -> TaskId {
    TaskId::new(format!("p.f.T{i:03}")).unwrap()
}

fn me() -> NodeId {
    NodeId::from_bytes([1; 32])
}

fn policy() -> Policy {
    Policy { machine_faults: 1000, ..Policy::default() }
}

fn spec(i: usize) -> TaskSpec {
    TaskSpec {
        id: id(i),
        project: ProjectId::new("p").unwrap(),
        checkout: "/c".to_owned(),
        feature: "f".to_owned(),
        tasks_file: Some("specs/f/tasks.md".to_owned()),
        title: format!("task {i}"),
        text: format!("task {i}"),
        depends_on: if i == 0 { vec![] } else { vec![id(i / 2)] }
            .into_iter()
            .filter(|d| *d != id(i))
            .collect(),
        claims: Vec::new(),
        verify: vec!["true".to_owned()],
        adapter: "codex".to_owned(),
        provider: "scripted".to_owned(),
        model: "m".to_owned(),
        request: Resources::default(),
        limits: Limits::default(),
        requires: Selector::default(),
        tolerates: Vec::new(),
        wants: ikigai_task::Wants::default(),
        max_attempts: 1000,
        linger_secs: 0,
        urgency: 0,
        disconnect: ikigai_types::Disconnect::default(),
        egress: Default::default(),
        owner: me(),
    }
}

impl World {
    pub fn new(seed: u64) -> Self {
        let dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut world = Self {
            dice,
            owner: Owner::new(me(), policy()),
            disk: Vec::new(),
            now: Timestamp(1_000_000),
            mail: Vec::new(),
            running: BTreeSet::new(),
            merged: BTreeMap::new(),
            submitted: BTreeSet::new(),
            faults: true,
            crashes: 0,
            refused: 0,
        };
        world.input(Input::Submit((0..TASKS).map(spec).collect(), None));
        world
    }

    /// Steps with everything going wrong that can.
    pub fn with_faults(&mut self, steps: usize) {
        for _ in 0..steps {
            self.step();
        }
    }

    /// From here on answers arrive and nobody crashes.
    pub fn heal(&mut self) {
        self.faults = false;
        self.crash();
    }

    /// Liveness: every task is accepted in bounded time on a healthy world.
    pub fn until_settled(&mut self) {
        let limit = self.now.after(Duration::from_secs(3600));
        while !self.owner.tasks().values().all(|t| t.state == TaskState::Accepted && t.ticked) {
            assert!(self.now < limit, "not settled: {:?}", self.states());
            self.step();
        }
    }

    pub fn finish(self) -> Trace {
        let stale = self.disk.iter().filter(|r| r.event.name() == "stale-refused").count();
        Trace {
            log: self.disk.iter().map(|r| format!("{:?}", r)).collect(),
            crashes: self.crashes,
            stale: u32::try_from(stale).unwrap() + self.refused,
            accepted: u32::try_from(self.merged.len()).unwrap(),
        }
    }

    fn states(&self) -> Vec<String> {
        self.owner.tasks().values().map(|t| format!("{} {} {:?}", t.spec.id, t.state, t.not_before)).collect()
    }

    /// The next thing happens: an answer arrives, a wake is due, a person acts, or the node crashes.
    fn step(&mut self) {
        if self.faults && self.dice.one_in(40) {
            return self.crash();
        }
        if self.faults && self.dice.one_in(15) {
            return self.person();
        }
        self.accept_what_waits();
        let next_mail = self.mail.iter().map(|(t, _)| *t).min();
        let due = [next_mail, self.owner.next_wake()].into_iter().flatten().min();
        let Some(due) = due else {
            self.now = self.now.after(Duration::from_secs(1));
            return;
        };
        self.now = self.now.max(due);
        let at = self.mail.iter().position(|(t, _)| *t <= self.now);
        let input = at.map_or(Input::Wake, |i| self.mail.swap_remove(i).1);
        self.input(input);
    }

    fn input(&mut self, input: Input) {
        let effects = self.owner.handle(input, self.now);
        // Persisted as one: a crash before it loses all of it, acts included.
        if self.faults && self.dice.one_in(60) {
            return self.crash();
        }
        for effect in &effects {
            if let Effect::Record(record) = effect {
                self.disk.push((**record).clone());
                if record.event.name() == "submitted" {
                    self.submitted.insert(record.task.clone());
                }
            }
        }
        self.check();
        for effect in effects {
            if self.faults && self.dice.one_in(80) {
                return self.crash();
            }
            self.carry_out(effect);
        }
    }

    fn crash(&mut self) {
        self.crashes += 1;
        // What was under way to the owner is lost with it; what it started goes on.
        if self.faults {
            self.mail.clear();
        }
        self.owner = Owner::replay(me(), policy(), self.disk.clone());
        let effects = self.owner.handle(Input::Recovered, self.now);
        for effect in &effects {
            if let Effect::Record(record) = effect {
                self.disk.push((**record).clone());
            }
        }
        self.check();
        effects.into_iter().for_each(|e| self.carry_out(e));
    }

    /// An answer on its way: late, sometimes twice, sometimes never.
    fn send(&mut self, observation: Observation) {
        if self.faults && self.dice.one_in(8) {
            return;
        }
        let late = if self.faults && self.dice.one_in(10) { 120_000 } else { 3000 };
        let at = Timestamp(self.now.0 + 1 + self.dice.below(late));
        if self.faults && self.dice.one_in(10) {
            self.mail
                .push((Timestamp(at.0 + self.dice.below(90_000)), Input::Observation(observation.clone())));
        }
        self.mail.push((at, Input::Observation(observation)));
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Place(task) => self.place(task),
            Effect::Offer(lease) => self.offer(&lease.fence),
            Effect::OpenPatch(fence) => {
                let (patch, revision) = (PatchId::new("patch").unwrap(), fence.attempt.number);
                self.send(Observation::PatchOpened { fence, patch, revision });
            }
            Effect::Verify(fence) => self.verify(fence),
            Effect::Merge(fence) => self.merge(fence),
            Effect::Tick(task) => self.send(Observation::Ticked { task }),
            Effect::Archive { task, .. } => self.send(Observation::Archived { task }),
            Effect::Refuse(_) => self.refused += 1,
            // A frozen node does not hear it: that is what the epoch is for.
            Effect::Stop { fence, .. } if !self.faults || self.dice.one_in(2) => {
                self.running.remove(&key(&fence));
            }
            _ => {}
        }
    }

    fn place(&mut self, task: TaskId) {
        let node = NodeId::from_bytes([u8::try_from(self.dice.below(u64::from(NODES))).unwrap() + 1; 32]);
        let row = PlacementRow {
            node,
            name: "n".into(),
            score: Some(1),
            refused: None,
            reason: String::new(),
            chosen: true,
        };
        let observation = if self.dice.one_in(6) {
            let text = "no capacity".to_owned();
            Observation::NoneFits { task, reason: WaitReason::Capacity, text, rows: vec![row] }
        } else {
            Observation::Chosen { task, node, rows: vec![row] }
        };
        // Placement answers within the driver's turn; only a crash loses it.
        self.mail.push((self.now, Input::Observation(observation)));
    }

    fn offer(&mut self, fence: &Fence) {
        if self.dice.one_in(10) {
            return self.send(Observation::Declined { fence: fence.clone(), text: "full".to_owned() });
        }
        if !self.running.insert(key(fence)) {
            return;
        }
        let (workload, base) = (WorkloadId::new("w").unwrap(), Commit("b".to_owned()));
        self.send(Observation::Started { fence: fence.clone(), workload, base, isolation_missing: vec![] });
        self.send(Observation::Heartbeat { fence: fence.clone() });
        let reasons = [Reason::Agent, Reason::Host, Reason::Stall, Reason::OutOfMemory];
        let reason = self.dice.one_in(4).then(|| reasons[usize::try_from(self.dice.below(4)).unwrap()]);
        let change = reason.is_none().then(|| Change {
            base: Commit("b".to_owned()),
            head: Commit(format!("h{}", fence.epoch)),
            files: vec![],
            additions: 1,
            deletions: 0,
        });
        self.send(Observation::Ended {
            fence: fence.clone(),
            exit_code: Some(0),
            reason,
            detail: String::new(),
            usage: Usage::default(),
            change,
            salvage: None,
            saved: None,
        });
    }

    fn verify(&mut self, fence: Fence) {
        if self.dice.one_in(8) {
            let task = fence.attempt.task;
            return self.send(Observation::ChoreFailed {
                task,
                chore: "run the checks",
                text: "away".into(),
            });
        }
        let verdict = if self.dice.one_in(5) { Verdict::Not } else { Verdict::Verified };
        self.send(Observation::Verified { fence, verdict, node: me(), checks: vec![], gaps: vec![] });
    }

    /// The forge merges at once and for good; only its answer may get lost.
    fn merge(&mut self, fence: Fence) {
        if !self.merged.contains_key(&fence.attempt.task) && self.dice.one_in(8) {
            return self.send(Observation::MergeConflict { fence, text: "a.rs".into() });
        }
        let first = self.merged.entry(fence.attempt.task.clone()).or_insert_with(|| key(&fence)).clone();
        assert_eq!(first, key(&fence), "a second attempt of a task was merged");
        self.send(Observation::Merged { commit: Commit("m".to_owned()), fence });
    }

    fn person(&mut self) {
        let task = id(usize::try_from(self.dice.below(TASKS as u64)).unwrap());
        let command = match self.dice.below(6) {
            0 => Command::Pause,
            1 | 2 => Command::Resume,
            3 => Command::Evict { grace: 1 },
            4 => Command::Reject { text: "no".to_owned(), retry: true, notes: Vec::new() },
            _ => Command::Retry,
        };
        self.input(Input::Command(task, command));
    }

    /// Somebody accepts what is ready, and lets go on what was held.
    fn accept_what_waits(&mut self) {
        let wants = |s: TaskState| match s {
            TaskState::Review => Some(Command::Accept { force: false }),
            TaskState::Paused => Some(Command::Resume),
            TaskState::Failed(_) | TaskState::Lost | TaskState::Rejected => Some(Command::Retry),
            _ => None,
        };
        let open = |t: &&ikigai_task::Task| t.accepted.is_none() && wants(t.state).is_some();
        let found = self.owner.tasks().values().find(open).map(|t| (t.spec.id.clone(), t.state));
        if let Some((id, state)) = found
            && (!self.faults || self.dice.one_in(3))
            && let Some(command) = wants(state)
        {
            self.input(Input::Command(id, command));
        }
    }

    /// What must hold after every write.
    fn check(&self) {
        let mut epochs: BTreeMap<&TaskId, Epoch> = BTreeMap::new();
        let mut states: BTreeMap<&TaskId, TaskState> = BTreeMap::new();
        let mut accepted: BTreeMap<&TaskId, u32> = BTreeMap::new();
        for record in &self.disk {
            if let ikigai_task::Event::Granted { lease, .. } = &record.event {
                let last = epochs.insert(&record.task, lease.fence.epoch);
                assert!(last.is_none_or(|l| l < lease.fence.epoch), "an epoch did not grow");
            }
            *accepted.entry(&record.task).or_default() += u32::from(record.event.name() == "accepted");
            let from = states.insert(&record.task, record.state).unwrap_or(TaskState::Queued);
            assert!(Moves::allows(from, record.state), "{}: {from} → {}", record.task, record.state);
        }
        assert!(accepted.values().all(|n| *n <= 1), "a task was accepted twice");
        let known = |t: &TaskId| self.owner.task(t).is_some();
        assert!(self.submitted.iter().all(known), "an acknowledged task was lost");
        for task in self.owner.tasks().values() {
            assert!(task.attempts.iter().filter(|a| a.is_active()).count() <= 1);
        }
    }
}
