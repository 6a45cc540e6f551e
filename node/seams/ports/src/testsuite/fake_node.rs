//! A node that only pretends: what surfaces and clients are tried against, with a small shop as its scene.
//!
//! It keeps the promises of [`NodeHandle`] (order, resumable streams, idempotent keys) over plain vectors,
//! and moves tasks by a table far simpler than the real one.

mod commands;
mod scene;

use crate::node::{Answer, NodeHandle};
use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use ikigai_types::{AttemptId, NodeId, TaskId, Timestamp};
use ikigai_wire::api::{
    Code, Command, Event, Filter, LogEntry, NodeCommand, NodeView, OpenView, PlanView, Problem, ProjectView,
    Snapshot, SubmitRequest, SubmitView, TaskView, WhyView,
};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The fake; clones share one state.
#[derive(Debug, Clone)]
pub struct FakeNode {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    now: Timestamp,
    log_epoch: u64,
    nodes: Vec<NodeView>,
    projects: Vec<ProjectView>,
    tasks: Vec<TaskView>,
    plan: PlanView,
    events: Vec<Event>,
    lines: BTreeMap<AttemptId, Vec<LogEntry>>,
    submitted: HashMap<String, SubmitView>,
    failures: VecDeque<Problem>,
    asked: Vec<String>,
}

// === impl FakeNode ===

impl FakeNode {
    /// A node called `laptop` with nothing to do, to which it is `now`.
    pub fn empty(now: Timestamp) -> Self {
        Self::of(State {
            now,
            log_epoch: 1,
            nodes: vec![scene::node("laptop", 1, now)],
            projects: Vec::new(),
            tasks: Vec::new(),
            plan: PlanView::default(),
            events: Vec::new(),
            lines: BTreeMap::new(),
            submitted: HashMap::new(),
            failures: VecDeque::new(),
            asked: Vec::new(),
        })
    }

    /// Two nodes, one feature `001-shop` of the project `project`, and a task in most states.
    pub fn shop(now: Timestamp, project: &str) -> Self {
        let fake = Self::empty(now);
        scene::shop(&mut fake.lock(), project);
        fake
    }

    fn of(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)), changed: watch::channel(0).0 }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touch(&self) {
        self.changed.send_modify(|n| *n += 1);
    }

    /// Changes the task called `short`.
    pub fn edit(&self, short: &str, change: impl Fn(&mut TaskView)) {
        self.lock().tasks.iter_mut().filter(|t| t.short == short).take(1).for_each(change);
    }

    /// Changes the node called `name`.
    pub fn edit_node(&self, name: &str, change: impl Fn(&mut NodeView)) {
        self.lock().nodes.iter_mut().filter(|n| n.name == name).take(1).for_each(change);
    }

    /// The next call answers `problem`.
    pub fn fail_next(&self, problem: Problem) {
        self.lock().failures.push_back(problem);
    }

    /// What was asked of it so far, one line per call that changes something.
    pub fn asked(&self) -> Vec<String> {
        self.lock().asked.clone()
    }

    /// The attempt prints a line; its number is answered.
    pub fn print(&self, attempt: &AttemptId, text: &str) -> u64 {
        let mut state = self.lock();
        let at = state.now;
        let lines = state.lines.entry(attempt.clone()).or_default();
        let n = lines.last().map_or(1, |l| l.n + 1);
        lines.push(LogEntry { n, at, stream: "stdout".into(), text: text.to_owned() });
        drop(state);
        self.touch();
        n
    }

    /// The attempt loses its next `count` lines without a word.
    pub fn lose(&self, attempt: &AttemptId, count: u64) {
        let n = self.print(attempt, "");
        let mut state = self.lock();
        if let Some(last) = state.lines.get_mut(attempt).and_then(|l| l.last_mut()) {
            last.n = n + count;
        }
    }

    /// The attempt ends with `code`.
    pub fn end(&self, attempt: &AttemptId, code: i32) {
        let mut state = self.lock();
        let now = state.now;
        for task in state.tasks.iter_mut().filter(|t| t.id == attempt.task) {
            for a in task.attempts.iter_mut().filter(|a| a.id == *attempt) {
                a.phase = "ended".into();
                a.exit_code = Some(code);
                a.ended_at = Some(now);
            }
        }
        drop(state);
        self.touch();
    }

    /// A task moves, and an event says so.
    pub fn turn(&self, short: &str, to: &str, text: &str) {
        let mut state = self.lock();
        let Some(i) = state.tasks.iter().position(|t| t.short == short) else { return };
        state.turn(i, to, to, text);
        drop(state);
        self.touch();
    }

    /// A task like `short`, of the same project but of another feature.
    pub fn twin(&self, short: &str, feature: &str) {
        let mut state = self.lock();
        let Some(mut twin) = state.tasks.iter().find(|t| t.short == short).cloned() else { return };
        twin.id =
            TaskId::new(format!("1f0c2a77.{feature}.{short}")).expect("invariant: letters, digits and dots");
        twin.feature = feature.to_owned();
        state.tasks.push(twin);
    }

    /// The node starts over with a new log; older cursors mean nothing any more.
    pub fn restart_log(&self) {
        let mut state = self.lock();
        state.log_epoch += 1;
        state.events.clear();
        drop(state);
        self.touch();
    }

    fn failure(&self) -> Answer<()> {
        self.lock().failures.pop_front().map_or(Ok(()), Err)
    }
}

impl State {
    fn cursor(&self) -> String {
        format!("{}.{}", self.log_epoch, self.events.len())
    }

    /// Moves task `i` and records the event.
    fn turn(&mut self, i: usize, to: &str, what: &str, text: &str) {
        let cursor = format!("{}.{}", self.log_epoch, self.events.len() + 1);
        let task = &mut self.tasks[i];
        task.state = to.to_owned();
        task.reason = None;
        task.updated_at = self.now;
        if what != "submitted" {
            task.why = WhyView { cause: to.to_owned(), text: format!("is {to}"), hint: None };
        }
        let attempt = task.attempts.last().map(|a| a.id.number);
        self.events.push(Event {
            cursor,
            at: self.now,
            task: task.id.clone(),
            attempt,
            epoch: Some(task.epoch),
            what: what.to_owned(),
            state: to.to_owned(),
            text: text.to_owned(),
        });
    }

    fn find(&self, given: &str) -> Answer<usize> {
        let named = |t: &TaskView| t.id.as_str() == given || t.short == given;
        let mut found = self.tasks.iter().enumerate().filter(|(_, t)| named(t)).map(|(i, _)| i);
        match (found.next(), found.next()) {
            (Some(i), None) => Ok(i),
            (None, _) => {
                Err(Problem::new(Code::NotFound, format!("there is no task {given}"), "run: ikigai task ls"))
            }
            _ => Err(Problem::new(Code::Usage, format!("{given} is more than one task"), "use the whole id")),
        }
    }
}

#[async_trait]
impl NodeHandle for FakeNode {
    async fn snapshot(&self, filter: Filter) -> Answer<Snapshot> {
        self.failure()?;
        let state = self.lock();
        let wanted = |t: &&TaskView| {
            filter.project.as_ref().is_none_or(|p| *p == t.project)
                && filter.feature.as_ref().is_none_or(|f| *f == t.feature)
                && (filter.states.is_empty() || filter.states.contains(&t.state))
        };
        Ok(Snapshot {
            node: state.nodes[0].id,
            nodes: state.nodes.clone(),
            projects: state.projects.clone(),
            tasks: state.tasks.iter().filter(wanted).cloned().collect(),
            cursor: state.cursor(),
        })
    }

    async fn task(&self, task: &str) -> Answer<TaskView> {
        self.failure()?;
        let state = self.lock();
        state.find(task).map(|i| state.tasks[i].clone())
    }

    async fn submit(&self, request: SubmitRequest) -> Answer<SubmitView> {
        self.failure()?;
        let answer = self.lock().submit(request);
        self.touch();
        answer
    }

    async fn command(&self, task: &TaskId, command: Command) -> Answer<TaskView> {
        self.failure()?;
        let answer = self.lock().command(task, &command);
        self.touch();
        answer
    }

    async fn steer(&self, node: &NodeId, command: NodeCommand) -> Answer<NodeView> {
        self.failure()?;
        self.lock().steer(node, &command)
    }

    async fn logs(
        &self,
        attempt: &AttemptId,
        from: u64,
        follow: bool,
    ) -> Answer<BoxStream<'static, Answer<LogEntry>>> {
        self.failure()?;
        let (fake, attempt) = (self.clone(), attempt.clone());
        let begin = (fake.changed.subscribe(), from);
        let lines = stream::unfold(begin, move |(mut changed, from)| {
            let (fake, attempt) = (fake.clone(), attempt.clone());
            async move {
                loop {
                    changed.borrow_and_update();
                    match fake.line(&attempt, from) {
                        (Some(line), _) => return Some((Ok(line.clone()), (changed, line.n + 1))),
                        (None, running) if !running || !follow => return None,
                        (None, _) => changed.changed().await.ok()?,
                    }
                }
            }
        });
        Ok(lines.boxed())
    }

    async fn events(&self, cursor: Option<String>) -> Answer<BoxStream<'static, Answer<Event>>> {
        self.failure()?;
        let (epoch, have) = {
            let state = self.lock();
            (state.log_epoch, state.events.len())
        };
        let begin = match cursor.as_deref().map(|c| c.split_once('.')) {
            None => 0,
            Some(Some((e, seq))) if e == epoch.to_string() && seq.parse().is_ok_and(|s: usize| s <= have) => {
                seq.parse().unwrap_or(0)
            }
            Some(_) => return Err(Problem::plain(Code::Conflict, "the cursor is of another log")),
        };
        let fake = self.clone();
        let events =
            stream::unfold((fake.changed.subscribe(), begin), move |(mut changed, at): (_, usize)| {
                let fake = fake.clone();
                async move {
                    loop {
                        watch::Receiver::borrow_and_update(&mut changed);
                        let next = fake.lock().events.get(at).cloned();
                        match next {
                            Some(event) => return Some((Ok(event), (changed, at + 1))),
                            None => changed.changed().await.ok()?,
                        }
                    }
                }
            });
        Ok(events.boxed())
    }

    async fn open(&self, task: &TaskId) -> Answer<OpenView> {
        self.failure()?;
        self.lock().open(task)
    }

    async fn diff(&self, task: &TaskId) -> Answer<String> {
        self.failure()?;
        self.lock().diff(task)
    }
}

impl FakeNode {
    /// The first line from `from` on, and whether more may come.
    fn line(&self, attempt: &AttemptId, from: u64) -> (Option<LogEntry>, bool) {
        let state = self.lock();
        let line = state.lines.get(attempt).and_then(|l| l.iter().find(|l| l.n >= from)).cloned();
        let of = |t: &TaskView| t.attempts.iter().any(|a| a.id == *attempt && a.phase != "ended");
        (line, state.tasks.iter().any(of))
    }
}
