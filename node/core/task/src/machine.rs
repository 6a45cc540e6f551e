//! The owner: one machine for all tasks a node accepted.

mod adopt;
mod away;
mod chore;
mod command;
mod lease;
mod place;
mod review;
mod room;

use crate::attempt::Phase;
use crate::effect::Effect;
use crate::event::{Event, Record};
use crate::input::{Input, Observation, Refusal};
use crate::path_claims::PathClaims;
use crate::retry::{Blame, Policy, Reason};
use crate::spec::TaskSpec;
use crate::state::{TaskState, WaitReason};
use crate::task::Task;
use ikigai_types::{Epoch, Fence, NodeId, Resumed, TaskId, Timestamp, Writer};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

/// Decides everything about the tasks this node owns. Same state, same input, same time: same effects.
#[derive(Debug, Clone)]
pub struct Owner {
    node: NodeId,
    policy: Policy,
    tasks: BTreeMap<TaskId, Task>,
    /// Tasks that were moved away, with who has them and from which epoch on.
    ceded: BTreeMap<TaskId, (NodeId, Epoch)>,
    /// What the tasks under way change.
    path_claims: PathClaims,
}

impl Owner {
    /// An owner without tasks.
    pub fn new(node: NodeId, policy: Policy) -> Self {
        Self {
            node,
            policy,
            tasks: BTreeMap::new(),
            ceded: BTreeMap::new(),
            path_claims: PathClaims::default(),
        }
    }

    /// The owner its log describes. Follow with [`Input::Recovered`].
    pub fn replay(node: NodeId, policy: Policy, log: impl IntoIterator<Item = Record>) -> Self {
        let mut owner = Self::new(node, policy);
        log.into_iter().for_each(|record| owner.apply(&record));
        owner
    }

    /// Every task, by id.
    pub const fn tasks(&self) -> &BTreeMap<TaskId, Task> {
        &self.tasks
    }

    /// One task.
    pub fn task(&self, id: &TaskId) -> Option<&Task> {
        self.tasks.get(id)
    }

    /// Who has `id`, when it was moved away from here.
    pub fn ceded_to(&self, id: &TaskId) -> Option<NodeId> {
        self.ceded.get(id).map(|(owner, _)| *owner)
    }

    /// The node this owner is.
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// Applies one input.
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Vec<Effect> {
        let mut turn = Turn { owner: self, now, effects: Vec::new(), freed: false };
        match input {
            Input::Submit(specs, by) => turn.submit(specs, by),
            Input::Command(task, command) => turn.command(&task, command),
            Input::Adopt(adoption) => turn.adopt(adoption),
            Input::Cede(task, epoch, to) => turn.cede(&task, epoch, to),
            Input::Observation(observation) => turn.observe(observation),
            Input::Recovered => turn.recover(),
            Input::Wake => turn.wake(),
        }
        if turn.freed {
            turn.release_dependents();
        }
        turn.effects
    }

    /// When [`Input::Wake`] must come next, if nothing else happens.
    pub fn next_wake(&self) -> Option<Timestamp> {
        let due = |t: &Task| match t.state {
            TaskState::Paused => t.expires,
            _ => [t.not_before, t.expires].into_iter().flatten().min(),
        };
        let open = self.tasks.values().filter(|t| !t.state.is_settled() || t.not_before.is_some());
        let away = self.tasks.values().flat_map(|t| &t.attempts).filter(|a| a.phase == Phase::Away);
        open.filter_map(due).chain(away.filter_map(|a| a.silent.map(|s| s.until))).min()
    }

    /// Takes in a record of a log that another node writes: for showing its tasks, and for nothing else.
    pub fn follow(&mut self, record: &Record) {
        self.apply(record);
    }

    fn apply(&mut self, record: &Record) {
        if let Event::Submitted { spec, by } = &record.event {
            let task = || Task::new((**spec).clone(), by.clone(), record.at);
            self.tasks.entry(record.task.clone()).or_insert_with(task);
        }
        if let Some(task) = self.tasks.get_mut(&record.task) {
            task.apply(&record.event, record.at);
            self.path_claims.set(&task.spec, task.is_under_way());
        }
        match &record.event {
            Event::Ceded { owner, epoch } => {
                let task = self.tasks.remove(&record.task);
                task.iter().for_each(|task| self.path_claims.set(&task.spec, false));
                self.ceded.insert(record.task.clone(), (*owner, *epoch));
            }
            Event::Adopted { .. } => drop(self.ceded.remove(&record.task)),
            _ => {}
        }
    }
}

/// One input being handled.
struct Turn<'a> {
    owner: &'a mut Owner,
    now: Timestamp,
    effects: Vec<Effect>,
    /// A task under way left the files it claims to others.
    freed: bool,
}

impl Turn<'_> {
    /// Records an event and takes it in.
    fn emit(&mut self, task: &TaskId, event: Event) {
        let claims = |t: &Task| !t.spec.claims.is_empty() && t.is_under_way();
        let before = self.owner.tasks.get(task);
        let (state, held) = before.map_or((TaskState::Queued, false), |t| (t.state, claims(t)));
        let mut record = Record { at: self.now, task: task.clone(), event, state };
        self.owner.apply(&record);
        let after = self.owner.tasks.get(task);
        self.freed |= held && !after.is_some_and(claims);
        record.state = after.map_or(state, |t| t.state);
        self.effects.push(Effect::Record(Box::new(record)));
    }

    fn act(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.act(Effect::Refuse(refusal));
    }

    fn observe(&mut self, observation: Observation) {
        match observation {
            Observation::CapacityChanged => self.look_again(),
            Observation::Chosen { task, node, rows } => self.chosen(&task, node, rows),
            Observation::NoneFits { task, reason, text, rows } => self.none_fits(&task, reason, text, rows),
            Observation::MakeRoom { task, evict, text, rows } => self.make_room(&task, &evict, text, rows),
            Observation::Declined { fence, text } => self.declined(fence, text),
            Observation::Heartbeat { fence } => self.heartbeat(fence),
            Observation::Used { fence, usage } => self.used(&fence, usage),
            Observation::Started { fence, workload, base, isolation_missing } => {
                if self.current(&fence, "start") {
                    self.renew(&fence);
                    let task = fence.attempt.task.clone();
                    self.emit(&task, Event::Started { fence, workload, base, isolation_missing });
                }
            }
            Observation::Denied { fence, what } => {
                if self.current(&fence, "denial") {
                    self.renew(&fence);
                    let task = fence.attempt.task.clone();
                    self.emit(&task, Event::Denied { fence, what });
                }
            }
            Observation::Session { fence, how } => self.session(fence, how),
            Observation::Typing { fence, writer } => self.typing(&fence, writer),
            Observation::Quota { fence, until } => self.quota(fence, until),
            ended @ Observation::Ended { .. } => self.ended(ended),
            Observation::PatchOpened { fence, patch, revision } => {
                self.result(&fence, "patch", |fence| Event::PatchOpened { fence, patch, revision });
            }
            Observation::Archived { task } => self.patch_archived(&task),
            Observation::Verified { fence, verdict, node, checks, gaps } => {
                self.verified(&fence, verdict, node, checks, gaps);
            }
            Observation::Landed { fence } => self.landed(&fence),
            Observation::Unchanged { fence } => self.unchanged(&fence),
            Observation::Merged { fence, commit } => self.merged(&fence, commit),
            Observation::MergeConflict { fence, text } => self.merge_conflict(&fence, text),
            Observation::Ticked { task } => self.box_ticked(&task),
            Observation::Acted { fence, what } => self.acted(&fence, &what),
            Observation::ChoreFailed { task, chore, text } => self.chore_failed(&task, chore, text),
        }
    }

    /// True if `fence` is the present lease of its task; otherwise the refusal is recorded and answered.
    fn current(&mut self, fence: &Fence, what: &str) -> bool {
        let task = self.owner.tasks.get(&fence.attempt.task);
        let Some(task) = task else {
            self.refuse(Refusal::Unknown(fence.attempt.task.clone()));
            return false;
        };
        if task.holds(fence) {
            // It is back before anybody gave it up.
            if task.active().is_some_and(|a| a.silent.is_some()) {
                self.returns(fence);
            }
            return true;
        }
        if task.away(fence).is_some() {
            return self.back(fence, what);
        }
        let current = task.good_epoch();
        self.stale(fence, current, what);
        false
    }

    /// What a holder does in passing is good as long as it may still become the present one.
    fn acted(&mut self, fence: &Fence, what: &str) {
        let task = self.owner.tasks.get(&fence.attempt.task);
        match task.map(|t| (t.is_last(fence) || t.away(fence).is_some(), t.good_epoch())) {
            Some((true, _)) => {}
            Some((false, current)) => self.stale(fence, current, what),
            None => self.refuse(Refusal::Unknown(fence.attempt.task.clone())),
        }
    }

    /// How its agent began; a holder that was restarted says it again.
    fn session(&mut self, fence: Fence, how: Resumed) {
        if !self.current(&fence, "session") {
            return;
        }
        self.renew(&fence);
        let task = fence.attempt.task.clone();
        let known = self.owner.tasks.get(&task).and_then(Task::active).and_then(|a| a.resumed);
        if known != Some(how) {
            self.emit(&task, Event::Session { fence, how });
        }
    }

    /// Who types, as the holder says. Of an attempt that was replaced nobody needs to know.
    fn typing(&mut self, fence: &Fence, writer: Option<Writer>) {
        let task = self.owner.tasks.get(&fence.attempt.task);
        let last = task.filter(|t| t.is_last(fence)).and_then(|t| t.attempts.last());
        let Some(from) = last.map(|a| a.writer.clone()) else { return };
        let fence = fence.clone();
        let event = match (from, writer) {
            (from, Some(writer)) if from.as_ref() != Some(&writer) => {
                Event::TakenOver { fence, writer, from }
            }
            (Some(from), None) => Event::HandedBack { fence, from },
            _ => return,
        };
        let task = event.fence().map(|f| f.attempt.task.clone()).expect("invariant: it has a lease");
        self.emit(&task, event);
    }

    fn stale(&mut self, fence: &Fence, current: Epoch, what: &str) {
        let event = Event::StaleRefused { fence: fence.clone(), current, what: what.to_owned() };
        self.emit(&fence.attempt.task, event);
        self.refuse(Refusal::Stale { fence: fence.clone(), current });
    }

    /// The attempt of `id` ended for `reason`: another one after a back-off, or none.
    fn next_try(&mut self, id: &TaskId, reason: Reason) {
        let Some(task) = self.owner.tasks.get(id) else { return };
        let (agent, machine) = (task.faults(Blame::Agent), task.faults(Blame::Machine));
        let left = match reason.blame() {
            Blame::Agent => agent < task.spec.max_attempts,
            Blame::Machine => machine < self.owner.policy.machine_faults,
            Blame::Nobody => true,
            Blame::Final => false,
        };
        if left {
            let until = self.now.after(self.owner.policy.delay(reason, agent.max(machine).max(1)));
            self.emit(id, Event::BackOff { reason, until });
        } else {
            self.emit(id, Event::Failed { reason });
            self.wait_no_longer(id, Reason::Superseded);
            self.do_chore(id);
        }
        self.look_again();
    }

    /// Puts every task that waits for others back in line when none is left that it waits for. Of those that change
    /// the same files the first that is placed goes on, and the others wait for that one: which it is, is known only
    /// when there is a node for it.
    fn release_dependents(&mut self) {
        for id in self.owner.in_state(TaskState::Waiting(WaitReason::Dependency)) {
            if self.owner.tasks.get(&id).is_some_and(|t| self.owner.blocked(&t.spec).is_none()) {
                self.emit(&id, Event::Queued);
            }
        }
        self.place_queued();
    }

    fn wake(&mut self) {
        self.expire_leases();
        self.end_quota();
        self.due_chores();
        self.look_again_when_due();
        self.place_queued();
    }

    /// What is waited for is in the log by the clock of another life of this node, which may have been ahead:
    /// nobody is held longer than any back-off is. A provider's quota is known by nobody better.
    fn bound_waits(&mut self) {
        let longest = self.owner.policy.backoff_max.max(self.owner.policy.look_again);
        let latest = self.now.after(longest);
        let quota = TaskState::Waiting(WaitReason::Quota);
        for task in self.owner.tasks.values_mut().filter(|t| t.state != quota) {
            task.not_before = task.not_before.map(|t| t.min(latest));
        }
    }

    /// After a restart: leases get a full length again, offers and chores that may not have left are repeated.
    fn recover(&mut self) {
        self.bound_waits();
        let (now, lease) = (self.now, self.owner.policy.lease);
        for task in self.owner.tasks.values_mut() {
            let Some(active) = task.active() else { continue };
            let (fence, node) = (active.fence.clone(), active.node);
            let expires = now.after(lease);
            task.expires = Some(expires.max(active.silent.map_or(expires, |s| s.until)));
            self.effects.push(Effect::Offer(ikigai_types::Lease { fence, node, expires }));
        }
        let placing: Vec<_> = self.owner.in_state(TaskState::Placing);
        placing.iter().for_each(|id| self.emit(id, Event::Queued));
        // A chore that failed is repeated when its time comes: once, not also now.
        let due = self.owner.tasks.values().filter(|t| t.chore_tries == 0);
        let ids: Vec<_> = due.map(|t| t.spec.id.clone()).collect();
        ids.iter().for_each(|id| self.do_chore(id));
        self.release_dependents();
        self.look_again();
    }
}

impl Owner {
    /// Ids in `state`: the most important first, of those the most urgent, then in the order of their ids.
    fn in_state(&self, state: TaskState) -> Vec<TaskId> {
        let mut found: Vec<_> = self.tasks.values().filter(|t| t.state == state).collect();
        let order = |t: &&Task| (Reverse((t.spec.wants.priority, t.spec.urgency)), t.spec.id.clone());
        found.sort_by_cached_key(order);
        found.into_iter().map(|t| t.spec.id.clone()).collect()
    }

    /// The task that `task` waits for: the first dependency that is not accepted, else one under way that changes
    /// the same files.
    pub(crate) fn blocked<'a>(&'a self, task: &'a TaskSpec) -> Option<Blocked<'a>> {
        let open = |d: &&TaskId| !self.tasks.get(*d).is_some_and(|t| t.state == TaskState::Accepted);
        let depends = task.depends_on.iter().find(open).map(|by| Blocked { by, path: None });
        let claimed = || self.path_claims.against(task).map(|(by, path)| Blocked { by, path: Some(path) });
        depends.or_else(claimed)
    }
}

/// What one task waits for of another.
pub(crate) struct Blocked<'a> {
    pub by: &'a TaskId,
    /// The file or folder both change; nothing if it depends on the other.
    pub path: Option<&'a str>,
}

impl fmt::Display for Blocked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "waits for {}", self.by.short())?;
        self.path.map_or(Ok(()), |path| write!(f, ", which changes {path} as well"))
    }
}
