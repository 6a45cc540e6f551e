//! One owner with one task, its log, and what it last refused.

use ikigai_task::{
    Adoption, Command, Effect, Input, Observation, Owner, Policy, Reason, Record, Refusal, TaskSpec,
    TaskState,
};
use ikigai_types::{
    Change, Commit, Disconnect, Fence, Limits, NodeId, PatchId, PlacementRow, ProjectId, Resources, Selector,
    TaskId, Timestamp, Usage, Verdict, WorkloadId,
};
use std::time::Duration;

/// What the silent holder says when it is heard again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Word {
    Heartbeat,
    Result,
    Failure,
}

pub fn me() -> NodeId {
    NodeId::from_bytes([9; 32])
}

pub fn spec(disconnect: Disconnect) -> TaskSpec {
    TaskSpec {
        id: TaskId::new("p.f.T001").unwrap(),
        project: ProjectId::new("p").unwrap(),
        checkout: "/c".to_owned(),
        feature: "f".to_owned(),
        tasks_file: None,
        title: "one".to_owned(),
        text: "one".to_owned(),
        depends_on: Vec::new(),
        claims: Vec::new(),
        verify: Vec::new(),
        adapter: "codex".to_owned(),
        provider: String::new(),
        model: String::new(),
        request: Resources::default(),
        limits: Limits::default(),
        requires: Selector::default(),
        tolerates: Vec::new(),
        wants: ikigai_task::Wants::default(),
        max_attempts: 5,
        linger_secs: 0,
        urgency: 0,
        disconnect,
        egress: Default::default(),
        owner: me(),
    }
}

/// An owner with one task, its log, and what it last refused.
pub struct World {
    pub owner: Owner,
    pub log: Vec<Record>,
    pub now: Timestamp,
    pub refused: Option<Refusal>,
    pub stopped: Vec<Fence>,
    /// What else it wanted done.
    pub acts: Vec<Effect>,
}

impl World {
    pub fn new(disconnect: Disconnect) -> Self {
        let owner = Owner::new(me(), Policy::default());
        let (log, now) = (Vec::new(), Timestamp(1_000_000));
        let mut world = Self { owner, log, now, refused: None, stopped: Vec::new(), acts: Vec::new() };
        world.input(Input::Submit(vec![spec(disconnect)], None));
        world
    }

    /// A node called `key` that adopts what is in `log`.
    pub fn adopter(key: u8, log: &[Record], here: Vec<Commit>) -> Self {
        let owner = Owner::new(NodeId::from_bytes([key; 32]), Policy::default());
        let now = log.last().unwrap().at;
        let mut world =
            Self { owner, log: Vec::new(), now, refused: None, stopped: Vec::new(), acts: Vec::new() };
        world.input(Input::Adopt(Adoption { records: log.to_vec(), here, done: Vec::new() }));
        world
    }

    pub fn input(&mut self, input: Input) {
        self.refused = None;
        for effect in self.owner.handle(input, self.now) {
            match effect {
                Effect::Record(record) => self.log.push(*record),
                Effect::Refuse(refusal) => self.refused = Some(refusal),
                Effect::Stop { fence, .. } => self.stopped.push(fence),
                other => self.acts.push(other),
            }
        }
    }

    pub fn see(&mut self, observation: Observation) {
        self.input(Input::Observation(observation));
    }

    pub fn task(&self) -> &ikigai_task::Task {
        self.owner.tasks().values().next().unwrap()
    }

    pub fn pass(&mut self, secs: u64) {
        let until = self.now.after(Duration::from_secs(secs));
        while let Some(wake) = self.owner.next_wake().filter(|w| *w <= until) {
            self.now = self.now.max(wake);
            self.input(Input::Wake);
        }
        self.now = until;
    }

    /// Places the task on the node called `key`; answers the lease.
    pub fn place(&mut self, key: u8, score: u32) -> Fence {
        if self.task().state != TaskState::Placing {
            self.input(Input::Command(self.task().spec.id.clone(), Command::Retry));
        }
        assert_eq!(self.task().state, TaskState::Placing);
        let (task, node) = (self.task().spec.id.clone(), NodeId::from_bytes([key; 32]));
        let (name, reason) = ("n".to_owned(), String::new());
        let row = PlacementRow { node, name, score: Some(score), refused: None, reason, chosen: true };
        self.see(Observation::Chosen { task, node, rows: vec![row] });
        self.task().active().unwrap().fence.clone()
    }

    pub fn start(&mut self, fence: &Fence) {
        let (workload, base) = (WorkloadId::new("w").unwrap(), Commit("b".to_owned()));
        self.see(Observation::Started {
            fence: fence.clone(),
            workload,
            base,
            isolation_missing: Vec::new(),
        });
    }

    pub fn end(&mut self, fence: &Fence, reason: Option<Reason>) {
        let change = reason.is_none().then(|| Change {
            base: Commit("b".to_owned()),
            head: Commit(format!("h{}", fence.epoch)),
            files: Vec::new(),
            additions: 1,
            deletions: 0,
        });
        let saved = reason.is_some().then(|| Commit(format!("s{}", fence.epoch)));
        self.see(Observation::Ended {
            fence: fence.clone(),
            exit_code: None,
            reason,
            detail: String::new(),
            usage: Usage::default(),
            change,
            salvage: None,
            saved,
        });
    }

    pub fn say(&mut self, fence: &Fence, word: Word) {
        match word {
            Word::Heartbeat => self.see(Observation::Heartbeat { fence: fence.clone() }),
            Word::Result => self.end(fence, None),
            Word::Failure => self.end(fence, Some(Reason::Host)),
        }
    }

    pub fn accept(&mut self) {
        let fence = self.task().attempts.last().unwrap().fence.clone();
        let patch = PatchId::new("patch").unwrap();
        self.see(Observation::PatchOpened { fence: fence.clone(), patch, revision: 1 });
        let (checks, gaps, node) = (Vec::new(), Vec::new(), me());
        self.see(Observation::Verified {
            fence: fence.clone(),
            verdict: Verdict::Verified,
            node,
            checks,
            gaps,
        });
        self.input(Input::Command(self.task().spec.id.clone(), Command::Accept { force: false }));
        self.see(Observation::Merged { fence, commit: Commit("m".to_owned()) });
        assert_eq!(self.task().state, TaskState::Accepted);
    }

    /// The log alone describes the same task, but for what is only in memory.
    pub fn replays(&self) {
        let again = Owner::replay(self.owner.node(), Policy::default(), self.log.clone());
        let (mut ours, mut theirs) = (self.task().clone(), again.tasks().values().next().unwrap().clone());
        (ours.expires, theirs.expires) = (None, None);
        (ours.not_before, theirs.not_before) = (None, None);
        assert_eq!(ours, theirs);
    }
}
