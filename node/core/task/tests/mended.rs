//! Mistakes the simulated mesh found, each as the few steps it takes.

use ikigai_task::{
    Command, Effect, Event, Input, Observation, Owner, Policy, Reason, Record, TaskSpec, TaskState,
    WaitReason,
};
use ikigai_types::{
    Change, Commit, Fence, Limits, NodeId, PatchId, ProjectId, Resources, Selector, TaskId, Timestamp, Usage,
    Verdict, WorkloadId,
};
use std::time::Duration;

/// An owner of one task, its log, and what it did last.
struct Desk {
    owner: Owner,
    log: Vec<Record>,
    acts: Vec<Effect>,
    now: Timestamp,
}

fn me() -> NodeId {
    NodeId::from_bytes([1; 32])
}

fn id() -> TaskId {
    TaskId::new("p.f.T001").unwrap()
}

fn spec() -> TaskSpec {
    TaskSpec {
        id: id(),
        project: ProjectId::new("p").unwrap(),
        checkout: "/c".to_owned(),
        feature: "f".to_owned(),
        tasks_file: None,
        title: "a task".to_owned(),
        text: String::new(),
        depends_on: Vec::new(),
        claims: Vec::new(),
        verify: Vec::new(),
        adapter: "codex".to_owned(),
        provider: "scripted".to_owned(),
        model: "m".to_owned(),
        request: Resources::default(),
        limits: Limits::default(),
        requires: Selector::default(),
        tolerates: Vec::new(),
        wants: ikigai_task::Wants::default(),
        max_attempts: 3,
        linger_secs: 0,
        urgency: 0,
        disconnect: ikigai_types::Disconnect::default(),
        egress: Default::default(),
        owner: me(),
    }
}

impl Desk {
    fn new() -> Self {
        let owner = Owner::new(me(), Policy::default());
        let mut desk = Self { owner, log: Vec::new(), acts: Vec::new(), now: Timestamp(1_000_000_000) };
        desk.input(Input::Submit(vec![spec()], None));
        desk
    }

    fn input(&mut self, input: Input) {
        self.acts.clear();
        for effect in self.owner.handle(input, self.now) {
            match effect {
                Effect::Record(record) => self.log.push(*record),
                act => self.acts.push(act),
            }
        }
    }

    fn see(&mut self, observation: Observation) {
        self.input(Input::Observation(observation));
    }

    fn ask(&mut self, command: Command) {
        self.input(Input::Command(id(), command));
    }

    /// Starts the owner again over its log, its clock reading `now`.
    fn restart(&mut self, now: Timestamp) {
        self.now = now;
        self.owner = Owner::replay(me(), Policy::default(), self.log.clone());
        self.input(Input::Recovered);
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
        self.input(Input::Wake);
    }

    fn grant(&mut self) -> Fence {
        self.see(Observation::Chosen { task: id(), node: me(), rows: Vec::new() });
        self.owner.task(&id()).unwrap().active().unwrap().fence.clone()
    }

    fn run(&mut self) -> Fence {
        let fence = self.grant();
        self.start(&fence);
        fence
    }

    fn start(&mut self, fence: &Fence) {
        let (workload, base) = (WorkloadId::new("w").unwrap(), Commit("b".to_owned()));
        self.see(Observation::Started {
            fence: fence.clone(),
            workload,
            base,
            isolation_missing: Vec::new(),
        });
    }

    fn end(&mut self, fence: &Fence, reason: Option<Reason>) {
        let (base, head) = (Commit("b".to_owned()), Commit("h".to_owned()));
        let change = Change { base, head, files: Vec::new(), additions: 1, deletions: 0 };
        self.see(Observation::Ended {
            fence: fence.clone(),
            exit_code: Some(0),
            reason,
            detail: String::new(),
            usage: Usage::default(),
            change: reason.is_none().then_some(change),
            salvage: None,
            saved: None,
        });
    }

    fn state(&self) -> TaskState {
        self.owner.task(&id()).unwrap().state
    }
}

/// A holder counts on the answer to whatever it reports.
#[test]
fn what_a_holder_reports_renews_its_lease() {
    let mut desk = Desk::new();
    let fence = desk.grant();
    desk.pass(29);
    desk.start(&fence);
    desk.pass(29);
    desk.see(Observation::Denied { fence, what: "a host".to_owned() });
    desk.pass(29);
    assert_eq!(desk.state(), TaskState::Running);
    desk.pass(2);
    assert_eq!(desk.state(), TaskState::Queued);
}

#[test]
fn a_clock_that_was_set_back_holds_nobody_for_longer_than_a_back_off() {
    let mut desk = Desk::new();
    let fence = desk.run();
    desk.end(&fence, Some(Reason::Agent));
    let back = Timestamp(desk.now.0 - 3_600_000);
    desk.restart(back);
    let longest = Policy::default().backoff_max;
    assert!(desk.owner.next_wake().unwrap() <= back.after(longest));
}

/// Two merges at once could fail and succeed: then another attempt is made of what is merged already.
#[test]
fn a_chore_that_failed_is_repeated_once_after_a_restart() {
    let mut desk = Desk::new();
    let fence = desk.run();
    desk.end(&fence, None);
    let patch = PatchId::new("patch").unwrap();
    desk.see(Observation::PatchOpened { fence: fence.clone(), patch, revision: 1 });
    let (verdict, node) = (Verdict::Verified, me());
    desk.see(Observation::Verified { fence, verdict, node, checks: Vec::new(), gaps: Vec::new() });
    desk.ask(Command::Accept { force: false });
    desk.see(Observation::ChoreFailed { task: id(), chore: "merge", text: "away".to_owned() });
    desk.restart(desk.now);
    let merges = |desk: &Desk| desk.acts.iter().filter(|a| matches!(a, Effect::Merge(_))).count();
    assert_eq!(merges(&desk), 0);
    desk.pass(60);
    assert_eq!(merges(&desk), 1);
}

/// An order is sent once, and may be lost with its link or its node.
#[test]
fn a_renewal_repeats_whether_the_agent_is_to_run() {
    let mut desk = Desk::new();
    let fence = desk.run();
    let beat = Observation::Heartbeat { fence };
    desk.see(beat.clone());
    assert!(desk.acts.is_empty(), "one that never was held needs no word");
    desk.ask(Command::Pause);
    desk.see(beat.clone());
    assert!(matches!(desk.acts[..], [Effect::Hold { .. }]), "{:?}", desk.acts);
    desk.ask(Command::Resume);
    desk.restart(desk.now);
    desk.see(beat);
    assert!(matches!(desk.acts[..], [Effect::Unhold { .. }]), "{:?}", desk.acts);
}

#[test]
fn a_pause_over_a_quota_ends_when_the_person_says_so() {
    let mut desk = Desk::new();
    let fence = desk.run();
    let until = desk.now.after(Duration::from_secs(2));
    desk.see(Observation::Quota { fence, until });
    assert_eq!(desk.state(), TaskState::Waiting(WaitReason::Quota));
    desk.ask(Command::Pause);
    desk.pass(5);
    desk.ask(Command::Resume);
    assert_eq!(desk.state(), TaskState::Running);
}

/// A node that did not answer may run it all the same: lines of two leases must not share a number.
#[test]
fn the_number_of_an_unanswered_offer_is_not_used_again() {
    let mut desk = Desk::new();
    let first = desk.grant();
    desk.see(Observation::Declined { fence: first.clone(), text: "no answer".to_owned() });
    let second = desk.grant();
    assert!(second.attempt.number > first.attempt.number && second.epoch > first.epoch);
    let granted = |r: &&Record| matches!(r.event, Event::Granted { .. });
    assert_eq!(desk.log.iter().filter(granted).count(), 2);
    desk.restart(desk.now);
    assert_eq!(desk.owner.task(&id()).unwrap().next_number(), second.attempt.number + 1);
}
