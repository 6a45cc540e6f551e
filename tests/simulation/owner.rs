//! The driver of the owner, as the node's: inputs in order, decide, write, then answer and act.

use crate::bugs::Bug;
use crate::forge::Merged;
use crate::gossip::Ad;
use crate::holder::{Ask, Call};
use crate::node::{Then, Write};
use crate::world::{Event, Message, World, index, node_id, policy};
use ikigai_placement::{Request, place};
use ikigai_task::{Effect, Input, Observation, Owner, Record, Refusal, WaitReason};
use ikigai_types::{Commit, Fence, Lease, NodeId, PatchId, TaskId, Verdict};
use ikigai_wire::peer::{Order, Report};
use std::collections::VecDeque;

/// Inputs that share one write, at most.
const BATCH: usize = 256;
/// How often an offer that gets no answer is made.
const TRIES: u32 = 3;
/// How long between those.
const PAUSE: u64 = 500;
/// How long a call may take.
pub const CALL: u64 = 3_000;

pub struct Driver {
    pub owner: Owner,
    pub inbox: VecDeque<Pending>,
    turn: Option<Turn>,
    wake: Option<u64>,
}

/// What waits for the driver.
#[derive(Debug)]
pub enum Pending {
    Input(Input, Asker),
    Report { from: usize, call: u64, report: Report },
    Lines { from: usize, call: u64, fence: Fence, lines: Vec<(u64, Fence)> },
}

/// Who waits for the answer to an input.
#[derive(Debug, Clone)]
pub enum Asker {
    Nobody,
    /// A holder that reported.
    Reporter {
        to: usize,
        call: u64,
    },
    /// A holder that sent lines under a lease that is not good.
    Printer {
        to: usize,
        call: u64,
        epoch: ikigai_types::Epoch,
    },
    /// Who submitted these tasks.
    Submitter(Vec<TaskId>),
}

/// What is done once the records of a turn are on the disk.
#[derive(Default)]
struct Turn {
    answers: Vec<(Asker, Result<(), Refusal>)>,
    acts: Vec<Effect>,
}

/// Work of the owner that takes time.
#[derive(Debug)]
pub enum Chore {
    Do(Effect),
    Say(Observation),
}

impl World {
    pub fn replay(&self, node: usize) -> Driver {
        let log = self.nodes[node].disk.kept.log.iter().cloned();
        let owner = Owner::replay(node_id(node), policy(), log);
        Driver { owner, inbox: VecDeque::new(), turn: None, wake: None }
    }

    pub fn recovered(&mut self, node: usize) {
        self.input(node, Input::Recovered, Asker::Nobody);
    }

    pub fn observe(&mut self, node: usize, observation: Observation) {
        self.input(node, Input::Observation(observation), Asker::Nobody);
    }

    pub fn input(&mut self, node: usize, input: Input, asker: Asker) {
        self.pend(node, Pending::Input(input, asker));
    }

    pub fn pend(&mut self, node: usize, pending: Pending) {
        if let Some(live) = self.live(node) {
            live.driver.inbox.push_back(pending);
            self.pump(node);
        }
    }

    /// Takes turns until there is nothing to take, or the disk has to be waited for.
    fn pump(&mut self, node: usize) {
        loop {
            let Some(live) = self.live(node).filter(|live| live.driver.turn.is_none()) else { return };
            let driver = &mut live.driver;
            let batch: Vec<_> = driver.inbox.drain(..driver.inbox.len().min(BATCH)).collect();
            if batch.is_empty() {
                return self.set_owner_wake(node);
            }
            let (mut turn, mut records) = (Turn::default(), Vec::new());
            for pending in batch {
                self.take(node, pending, &mut turn, &mut records);
            }
            if records.is_empty() {
                self.finish(node, turn);
                continue;
            }
            if self.has(Bug::OfferBeforeKept) {
                std::mem::take(&mut turn.acts).into_iter().for_each(|act| self.act(node, act));
            }
            if self.has(Bug::AnswerBeforeKept) {
                std::mem::take(&mut turn.answers).into_iter().for_each(|(a, r)| self.reply(node, a, r));
            }
            self.live(node).expect("it lives").driver.turn = Some(turn);
            return self.write(node, Write::Log(records), Then::Turn);
        }
    }

    pub fn turn_done(&mut self, node: usize) {
        if let Some(turn) = self.live(node).and_then(|live| live.driver.turn.take()) {
            self.finish(node, turn);
            self.pump(node);
        }
    }

    fn take(&mut self, node: usize, pending: Pending, turn: &mut Turn, records: &mut Vec<Record>) {
        let (input, asker) = match pending {
            Pending::Input(input, asker) => (input, asker),
            Pending::Report { from, call, report } => match self.reported(node, from, call, report) {
                Some(next) => next,
                None => return,
            },
            Pending::Lines { from, call, fence, lines } => match self.printed(node, from, call, fence, lines)
            {
                Some(next) => next,
                None => return,
            },
        };
        // As the node does it: each placement sees what the one before took.
        let (mut result, mut next, mut placing) = (Ok(()), Some(input), VecDeque::new());
        while let Some(input) = next.take() {
            for effect in self.handle(node, input) {
                match effect {
                    Effect::Record(record) => records.push(*record),
                    Effect::Refuse(refusal) => result = Err(refusal),
                    Effect::Place(task) => placing.push_back(task),
                    other => turn.acts.push(other),
                }
            }
            while next.is_none() {
                let Some(task) = placing.pop_front() else { break };
                next = self.choose(node, task).map(Input::Observation);
            }
        }
        turn.answers.push((asker, result));
    }

    /// The machine decides; what must hold of any decision is looked at here.
    fn handle(&mut self, node: usize, input: Input) -> Vec<Effect> {
        let now = self.clock(node);
        let Some(live) = self.live(node) else { return Vec::new() };
        let before = crate::mind::stale(&live.driver.owner, &input);
        let woken = matches!(input, Input::Wake);
        let effects = live.driver.owner.handle(input, now);
        if let Some(before) = before {
            self.check_stale(node, &before, &effects);
        }
        if woken {
            self.check_expired(node, &effects);
        }
        effects
    }

    fn finish(&mut self, node: usize, turn: Turn) {
        turn.answers.into_iter().for_each(|(asker, result)| self.reply(node, asker, result));
        turn.acts.into_iter().for_each(|act| self.act(node, act));
    }

    fn reply(&mut self, node: usize, asker: Asker, result: Result<(), Refusal>) {
        match asker {
            Asker::Nobody => {}
            Asker::Reporter { to, call } => self.answer_report(node, to, call, result),
            Asker::Printer { to, call, epoch } => self.answer_stale(node, to, call, epoch),
            Asker::Submitter(tasks) => self.mind.acknowledged.extend(tasks),
        }
    }

    fn act(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Offer(lease) => self.propose(node, lease),
            Effect::Stop { fence, node: to, grace, reason } => {
                self.order(node, to, fence, Order::Stop { grace, reason });
            }
            Effect::Hold { fence, node: to } => self.order(node, to, fence, Order::Hold),
            Effect::Unhold { fence, node: to } => self.order(node, to, fence, Order::Unhold),
            chore => {
                let (wait, life) = (self.between(20, 800), self.life(node));
                self.at(wait, Event::Chore { node, life, chore: Chore::Do(chore) });
            }
        }
    }

    /// Placement answers within the turn that asks.
    fn choose(&self, node: usize, id: TaskId) -> Option<Observation> {
        let task = self.nodes[node].live.as_ref().and_then(|l| l.driver.owner.task(&id))?;
        let placed = place(&request(task), &self.candidates(node));
        let text = placed.refusal().unwrap_or_default();
        // What it says of each node is for people, and makes a long run slow.
        let rows = Vec::new();
        Some(match placed.chosen {
            Some(node) => Observation::Chosen { task: id, node, rows },
            None => Observation::NoneFits { task: id, reason: WaitReason::Capacity, text, rows },
        })
    }

    fn propose(&mut self, node: usize, lease: Lease) {
        let call = self.ticket();
        let Some(live) = self.live(node) else { return };
        live.calls.insert(call, Call::Offer { lease, tries: 0 });
        let (wait, life) = (self.between(5, 60), self.life(node));
        self.at(wait, Event::Offer { node, life, call });
    }

    /// Makes the offer, or makes it again.
    pub fn make_offer(&mut self, node: usize, call: u64) {
        let again = self.ticket();
        let Some(live) = self.live(node) else { return };
        let Some(Call::Offer { lease, tries }) = live.calls.remove(&call) else { return };
        let Some(spec) = live.driver.owner.task(&lease.fence.attempt.task).map(|t| t.spec.clone()) else {
            return;
        };
        live.calls.insert(again, Call::Offer { lease: lease.clone(), tries: tries + 1 });
        self.check_offer(node, &lease);
        let ask = Ask::Offer { lease: lease.clone(), spec: Box::new(spec) };
        self.call(node, index(lease.node), again, ask, CALL);
    }

    /// The node did not answer: it is asked again, then passed over for a while.
    pub fn offer_unanswered(&mut self, node: usize, lease: Lease, tries: u32) {
        if tries < TRIES {
            let (call, life) = (self.ticket(), self.life(node));
            self.live(node).expect("it lives").calls.insert(call, Call::Offer { lease, tries });
            return self.at(PAUSE, Event::Offer { node, life, call });
        }
        self.counts.add("offers without an answer");
        self.shun(node, index(lease.node));
        self.observe(node, Observation::Declined { fence: lease.fence, text: "no answer".to_owned() });
    }

    pub fn offer_declined(&mut self, node: usize, lease: Lease, text: String, ad: Ad) {
        self.counts.add("declined");
        self.refreshed(node, index(lease.node), ad);
        self.observe(node, Observation::Declined { fence: lease.fence, text });
    }

    fn order(&mut self, node: usize, to: NodeId, fence: Fence, order: Order) {
        let call = self.ticket();
        self.send(node, index(to), Message::Ask { call, ask: Box::new(Ask::Order { fence, order }) });
    }

    /// Does a chore: what it changes outside has happened, whether its answer comes or not.
    pub fn chore_done(&mut self, node: usize, chore: Chore) {
        let effect = match chore {
            Chore::Say(observation) => return self.observe(node, observation),
            Chore::Do(effect) => effect,
        };
        let task = match &effect {
            Effect::OpenPatch(f) | Effect::Verify(f) | Effect::Merge(f) => f.attempt.task.clone(),
            Effect::Tick(task) | Effect::Archive { task, .. } => task.clone(),
            _ => return,
        };
        let failed = self.trouble(8);
        let observation = match effect {
            _ if failed => {
                Observation::ChoreFailed { task, chore: "chore", text: "the forge is away".to_owned() }
            }
            Effect::OpenPatch(fence) => {
                let revision = self.forge.revise(&fence);
                let patch = PatchId::new(format!("patch-{}", task.short())).expect("an id");
                Observation::PatchOpened { fence, patch, revision }
            }
            Effect::Verify(fence) => {
                let verdict = if self.trouble(6) { Verdict::Not } else { Verdict::Verified };
                let node = node_id(node);
                Observation::Verified { fence, verdict, node, checks: Vec::new(), gaps: Vec::new() }
            }
            Effect::Merge(fence) => self.merge(node, fence),
            Effect::Archive { task, .. } => Observation::Archived { task },
            _ => self.tick_box(task),
        };
        let (wait, life) = (self.between(20, 1_500), self.life(node));
        self.at(wait, Event::Chore { node, life, chore: Chore::Say(observation) });
    }

    fn merge(&mut self, node: usize, fence: Fence) -> Observation {
        if !self.forge.merged.contains_key(&fence.attempt.task) && self.trouble(6) {
            return Observation::MergeConflict { fence, text: "a.rs".to_owned() };
        }
        match self.forge.merge(&fence) {
            Merged::Now => self.check_merge(node, &fence),
            Merged::Before => {}
            Merged::Other => self.fail(|| format!("two attempts of {} are merged", fence.attempt.task)),
        }
        Observation::Merged { fence, commit: Commit("m".to_owned()) }
    }

    fn tick_box(&mut self, task: TaskId) -> Observation {
        if !self.forge.merged.contains_key(&task) {
            self.fail(|| format!("the box of {task} is ticked, and nothing is merged"));
        }
        self.forge.boxes.insert(task.clone());
        Observation::Ticked { task }
    }

    pub fn owner_wake(&mut self, node: usize, at: u64) {
        if let Some(live) = self.live(node).filter(|live| live.driver.wake == Some(at)) {
            live.driver.wake = None;
            self.input(node, Input::Wake, Asker::Nobody);
        }
    }

    fn set_owner_wake(&mut self, node: usize) {
        let now = self.now;
        let Some(live) = self.nodes[node].live.as_mut() else { return };
        let wake = live.driver.owner.next_wake().map(|t| live.when(t).max(now + 1));
        if wake.is_some() && wake != live.driver.wake {
            live.driver.wake = wake;
            let (at, life) = (wake.unwrap_or_default(), self.life(node));
            self.at(at - now, Event::OwnerWake { node, life, at });
        }
    }
}

/// What a task asks of its node.
pub fn request(task: &ikigai_task::Task) -> Request {
    let spec = &task.spec;
    Request {
        resources: spec.request,
        adapter: spec.adapter.clone(),
        seed: ikigai_placement::seed(&spec.id, task.next_number(), &spec.owner),
        ..Request::default()
    }
}
