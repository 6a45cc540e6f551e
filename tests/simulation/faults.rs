//! What goes wrong, and what people do meanwhile.

use crate::gossip::owner_of;
use crate::owner::Asker;
use crate::world::{Event, LEASE, Sleep, World, node_id};
use ikigai_task::{Command, Input, TaskSpec, TaskState};
use ikigai_types::{Disconnect, Limits, ProjectId, Reconcile, Resources, Selector, TaskId};
use std::time::Duration;

impl World {
    /// One more thing goes wrong.
    pub fn fault(&mut self) {
        if !self.faults {
            return;
        }
        let node = self.dice.below(self.nodes.len());
        match self.dice.below(8) {
            0 | 1 => self.crash_for_a_while(node),
            2 => self.sleep_for_a_while(node),
            3 => self.part(),
            4 => self.cut_off(node),
            5 => self.roughen(),
            6 => self.net.heal(),
            _ => {
                let machine = self.one_in(2);
                self.crash(node, machine);
                self.start(node);
            }
        }
        let most = 24_000 / self.nodes.len() as u64;
        let wait = self.between(300, 2_000 + most);
        self.at(wait, Event::Fault);
    }

    fn crash_for_a_while(&mut self, node: usize) {
        if self.nodes[node].live.is_some() {
            let machine = self.one_in(3);
            self.crash(node, machine);
            let most = if self.one_in(4) { 4 * LEASE } else { LEASE };
            let wait = self.between(50, most);
            self.at(wait, Event::Start(node));
        }
    }

    fn sleep_for_a_while(&mut self, node: usize) {
        if self.nodes[node].sleep == Sleep::Awake && self.nodes[node].live.is_some() {
            let machine = self.one_in(2);
            self.pause(node, machine);
            let most = if self.one_in(3) { 10 * LEASE } else { 2 * LEASE };
            let wait = self.between(200, most);
            self.at(wait, Event::Resume(node));
        }
    }

    /// Two halves do not hear each other.
    fn part(&mut self) {
        self.counts.add("partitions");
        let halves = self.dice.bits();
        let until = self.until();
        let n = self.nodes.len();
        for (a, b) in (0..n).flat_map(|a| (0..n).map(move |b| (a, b))) {
            if (halves >> a) & 1 != (halves >> b) & 1 {
                self.net.cut(a, b, until);
            }
        }
    }

    /// One node is not heard, or hears nothing, or one link works in one direction only.
    fn cut_off(&mut self, node: usize) {
        self.counts.add("one-way partitions");
        let until = self.until();
        let n = self.nodes.len();
        match self.dice.below(3) {
            0 => (0..n).for_each(|other| self.net.cut(node, other, until)),
            1 => (0..n).for_each(|other| self.net.cut(other, node, until)),
            _ => {
                let other = self.dice.below(n);
                self.net.cut(node, other, until);
            }
        }
    }

    fn until(&mut self) -> u64 {
        let most = if self.one_in(3) { 4 * LEASE } else { LEASE };
        self.now + self.between(1_000, most)
    }

    fn roughen(&mut self) {
        self.net.drop_percent = if self.one_in(2) { self.dice.millis(30) } else { 0 };
        self.net.double_percent = self.dice.millis(20);
        self.net.delay = 1 + self.dice.millis(400);
    }

    /// Nothing goes wrong any more, and what was down or asleep is there again.
    pub fn heal(&mut self) {
        self.say(|| "all is well from here on".to_owned());
        self.faults = false;
        self.net.heal();
        for node in 0..self.nodes.len() {
            self.resume(node);
            self.start(node);
        }
        for (node, other) in self.pairs() {
            self.link(node, other, true);
        }
        self.end_lost_calls();
    }

    /// Calls that were made over a link that is no more fail once there is a new one, within the two seconds that
    /// the transport promises.
    fn end_lost_calls(&mut self) {
        for node in 0..self.nodes.len() {
            let calls: Vec<_> = self.nodes[node].live.iter().flat_map(|l| l.calls.keys().copied()).collect();
            for call in calls {
                let (wait, life) = (self.between(50, 2_000), self.life(node));
                self.at(wait, Event::Deadline { node, life, call });
            }
        }
    }

    fn pairs(&self) -> Vec<(usize, usize)> {
        let n = self.nodes.len();
        (0..n).flat_map(|a| (0..n).map(move |b| (a, b))).filter(|(a, b)| a != b).collect()
    }

    /// People submit tasks, and look at some of those that are there.
    pub fn people(&mut self) {
        let node = self.dice.below(self.nodes.len());
        if self.faults && self.one_in(3) {
            self.submit(node);
        }
        let tasks: Vec<_> = self.tasks.keys().cloned().collect();
        for task in tasks {
            if let Some(command) = self.wish(&task) {
                self.input(owner_of(&task), Input::Command(task, command), Asker::Nobody);
            }
        }
        let wait = self.between(200, 1_500);
        self.at(wait, Event::People);
    }

    /// What somebody wants of a task now.
    fn wish(&mut self, id: &TaskId) -> Option<Command> {
        let node = owner_of(id);
        let (state, decided) = {
            let live = self.nodes[node].live.as_ref().filter(|_| self.nodes[node].sleep == Sleep::Awake)?;
            let task = live.driver.owner.task(id)?;
            (task.state, task.accepted.is_some())
        };
        if self.trouble(60) {
            return Some(match self.dice.below(6) {
                0 => Command::Pause,
                1 => Command::Stop,
                2 | 3 => Command::Evict { grace: 1 },
                4 => Command::Reject { text: "no".to_owned(), retry: true, notes: Vec::new() },
                _ => Command::Retry,
            });
        }
        if self.faults && !self.one_in(3) {
            return None;
        }
        match state {
            TaskState::Review if !decided => Some(Command::Accept { force: false }),
            TaskState::Paused => Some(Command::Resume),
            TaskState::Failed(_) | TaskState::Lost | TaskState::Rejected => Some(Command::Retry),
            TaskState::Cancelled if self.one_in(2) => Some(Command::Retry),
            _ => None,
        }
    }

    fn submit(&mut self, node: usize) {
        let most = 4 + self.nodes.len();
        if self.nodes[node].live.is_none() || self.tasks.len() >= most {
            return;
        }
        let own: Vec<_> = self.tasks.iter().filter(|(_, n)| **n == node).map(|(t, _)| t.clone()).collect();
        let mut specs = Vec::new();
        for i in 0..=self.dice.below(3) {
            let id = TaskId::new(format!("p{node}.f.T{:03}", own.len() + i)).expect("an id");
            // As a node does it: nothing is made to wait for a task that nobody has.
            let known = own.iter().filter(|t| self.mind.acknowledged.contains(*t));
            let mut earlier: Vec<_> = known.cloned().collect();
            earlier.extend(specs.iter().map(|s: &TaskSpec| s.id.clone()));
            let depends = !earlier.is_empty() && self.one_in(3);
            let depends_on =
                if depends { vec![earlier[self.dice.below(earlier.len())].clone()] } else { vec![] };
            specs.push(self.spec(node, id, depends_on));
        }
        let ids: Vec<_> = specs.iter().map(|s| s.id.clone()).collect();
        self.tasks.extend(ids.iter().map(|id| (id.clone(), node)));
        self.input(node, Input::Submit(specs, None), Asker::Submitter(ids));
    }

    /// What is to happen when the holder goes silent: any of the options, the usual one most often.
    fn disconnect(&mut self) -> Disconnect {
        if self.one_in(2) {
            return Disconnect::default();
        }
        let reconcile = Reconcile::ALL[self.dice.below(Reconcile::ALL.len())];
        let lost_after_secs = [0, 5, 20, 60][self.dice.below(4)];
        Disconnect { lost_after_secs, replace: !self.one_in(3), reconcile }
    }

    pub fn spec(&mut self, node: usize, id: TaskId, depends_on: Vec<TaskId>) -> TaskSpec {
        let request = Resources {
            cpu_millis: self.between(300, 1_000),
            memory_bytes: self.between(1, 1 << 30),
            slots: 1,
            ..Resources::default()
        };
        let paths = ["src", "src/a.rs", "docs/a.md"];
        let claims =
            if self.one_in(3) { vec![paths[self.dice.below(paths.len())].to_owned()] } else { vec![] };
        let (time, stall) = (Duration::from_secs(150), Duration::from_secs(60));
        TaskSpec {
            project: ProjectId::new("p").expect("an id"),
            checkout: "/c".to_owned(),
            feature: "f".to_owned(),
            tasks_file: Some("specs/f/tasks.md".to_owned()),
            title: id.short().to_owned(),
            text: String::new(),
            depends_on,
            claims,
            verify: vec!["true".to_owned()],
            adapter: "codex".to_owned(),
            provider: String::new(),
            model: String::new(),
            request,
            limits: Limits { time, stall, ..Limits::default() },
            requires: Selector::default(),
            tolerates: Vec::new(),
            wants: ikigai_task::Wants::default(),
            max_attempts: 3,
            linger_secs: 0,
            disconnect: self.disconnect(),
            urgency: u32::try_from(self.dice.below(3)).expect("small"),
            egress: Default::default(),
            owner: node_id(node),
            id,
        }
    }
}
