//! Placers, machines and what flies between them, in virtual milliseconds.

use crate::rules::filled;
use crate::trace::{Machine, Task};
use ikigai_placement::{Candidate, Index, Policy, Request, seed};
use ikigai_types::{NodeId, Resources, TaskId, WorkloadClass};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// One way between a placer and a machine.
const LINK: u64 = 30;
/// How long a placer that finds no room waits, and how often it tries.
const WAIT: u64 = 5_000;
const TRIES: u32 = 8;
/// The number of an admission that has not answered yet.
const UNDER_WAY: u64 = u64::MAX;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// A task that its placer puts somewhere, for the so-and-so-manieth time.
    Place {
        task: usize,
        offers: u32,
        waits: u32,
    },
    Offer {
        task: usize,
        machine: usize,
        offers: u32,
        waits: u32,
    },
    Answer {
        task: usize,
        machine: usize,
        admitted: bool,
        offers: u32,
        waits: u32,
        told: Told,
    },
    /// A machine's word reaches all placers.
    Word {
        machine: usize,
        told: Told,
    },
}

/// What a machine says: what is free, after so many admissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    admitted: u64,
    cpu: u64,
    memory: u64,
    gpus: u64,
    slots: u64,
}

struct Placer {
    index: Index,
    /// What this placer put on each machine: the number of the admission, and the task. What the machine's word
    /// already counts is dropped.
    mine: Vec<Vec<(u64, usize)>>,
    /// The newest word of each machine.
    words: Vec<Option<Told>>,
}

pub struct World<'a> {
    machines: &'a [Machine],
    placers: Vec<Placer>,
    age: u64,
    free: Vec<Resources>,
    admitted: Vec<u64>,
    holders: Vec<Vec<usize>>,
    offers: u64,
    refused: u64,
    /// Tasks of which an offer was refused.
    turned: Vec<bool>,
    unplaced: usize,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    count: u64,
}

/// How it ended.
pub struct Outcome {
    pub used: usize,
    pub idle_gpus: f64,
    pub offers: u64,
    pub refused: u64,
    /// Tasks of which an offer was refused, in percent.
    pub turned: f64,
    pub unplaced: usize,
    pub doubles: usize,
    free: Vec<Resources>,
    holders: Vec<Vec<usize>>,
}

fn id(i: usize) -> NodeId {
    let mut bytes = [0; 32];
    let mut mixed = crate::chance::Chance(i as u64);
    bytes.chunks_mut(8).for_each(|part| part.copy_from_slice(&mixed.draw().to_be_bytes()));
    NodeId::from_bytes(bytes)
}

fn candidate(i: usize, machine: &Machine, free: Resources) -> Candidate {
    Candidate {
        allocatable: machine.all,
        free,
        adapters: vec!["codex".to_owned()],
        ..Candidate::new(id(i), format!("n{i}"))
    }
}

impl<'a> World<'a> {
    pub fn new(policy: Policy, machines: &'a [Machine], placers: usize, age: u64) -> Self {
        let all: Vec<Candidate> = machines.iter().enumerate().map(|(i, m)| candidate(i, m, m.all)).collect();
        let index = Index::new(policy, all);
        let placer = |_| Placer {
            index: index.clone(),
            mine: vec![Vec::new(); machines.len()],
            words: vec![None; machines.len()],
        };
        Self {
            machines,
            placers: (0..placers).map(placer).collect(),
            age,
            free: machines.iter().map(|m| m.all).collect(),
            admitted: vec![0; machines.len()],
            holders: Vec::new(),
            offers: 0,
            refused: 0,
            turned: Vec::new(),
            unplaced: 0,
            events: BinaryHeap::new(),
            count: 0,
        }
    }

    fn at(&mut self, at: u64, event: Event) {
        self.count += 1;
        self.events.push(Reverse((at, self.count, event)));
    }

    /// All tasks, `rate` a second, each to the next placer.
    pub fn run(mut self, tasks: &[Task], rate: f64) -> Outcome {
        let numbers: std::collections::HashMap<NodeId, usize> =
            (0..self.machines.len()).map(|i| (id(i), i)).collect();
        self.holders = vec![Vec::new(); tasks.len()];
        self.turned = vec![false; tasks.len()];
        for task in 0..tasks.len() {
            self.at((task as f64 * 1_000.0 / rate) as u64, Event::Place { task, offers: 0, waits: 0 });
        }
        while let Some(Reverse((now, _, event))) = self.events.pop() {
            match event {
                Event::Place { task, offers, waits } => {
                    let chosen = self.decide(task, offers, &tasks[task]);
                    match chosen.map(|id| numbers[&id]) {
                        Some(machine) => {
                            let placer = task % self.placers.len();
                            self.placers[placer].mine[machine].push((UNDER_WAY, task));
                            self.at(now + LINK, Event::Offer { task, machine, offers, waits });
                        }
                        None if waits < TRIES => {
                            self.at(now + WAIT, Event::Place { task, offers, waits: waits + 1 });
                        }
                        None => self.unplaced += 1,
                    }
                }
                Event::Offer { task, machine, offers, waits } => {
                    let admitted = self.offer(machine, task, &tasks[task]);
                    let told = self.told(machine);
                    self.at(now + LINK, Event::Answer { task, machine, admitted, offers, waits, told });
                    if admitted {
                        self.at(now + self.age.max(LINK), Event::Word { machine, told });
                    }
                }
                Event::Answer { task, machine, admitted, offers, waits, told } => {
                    self.answered(task, machine, admitted, told, tasks);
                    if !admitted {
                        self.at(now, Event::Place { task, offers: offers + 1, waits });
                    }
                }
                Event::Word { machine, told } => {
                    for placer in 0..self.placers.len() {
                        self.hear(placer, machine, told);
                        self.reckon(placer, machine, tasks);
                    }
                }
            }
        }
        let filled = filled(self.machines, &self.free);
        let doubles = self.holders.iter().filter(|by| by.len() > 1).count();
        let (offers, refused, unplaced) = (self.offers, self.refused, self.unplaced);
        let (free, holders) = (self.free, self.holders);
        let turned = self.turned.iter().filter(|turned| **turned).count() as f64 / tasks.len() as f64 * 100.0;
        Outcome {
            turned,
            used: filled.used,
            idle_gpus: filled.idle_gpus,
            offers,
            refused,
            unplaced,
            doubles,
            free,
            holders,
        }
    }

    fn decide(&mut self, task: usize, offers: u32, asked: &Task) -> Option<NodeId> {
        let placer = task % self.placers.len();
        let name = TaskId::new(format!("bench.T{task}")).unwrap();
        let request = Request {
            resources: asked.asks,
            adapter: "codex".to_owned(),
            seed: seed(&name, 1 + offers, &id(1_000_000 + placer)),
            ..Request::default()
        };
        let index = &mut self.placers[placer].index;
        let chosen = index.decide(&request)?;
        // Taken off at once, so that this placer's next decision counts with it.
        index.take(&chosen, WorkloadClass::Agent, &asked.asks);
        Some(chosen)
    }

    /// The machine alone says whether it has room.
    fn offer(&mut self, machine: usize, task: usize, asked: &Task) -> bool {
        self.offers += 1;
        let admitted = self.free[machine].covers(&asked.asks);
        if admitted {
            self.free[machine] = self.free[machine].minus(&asked.asks);
            self.admitted[machine] += 1;
            self.holders[task].push(machine);
        } else {
            self.refused += 1;
            self.turned[task] = true;
        }
        admitted
    }

    fn told(&self, machine: usize) -> Told {
        let free = self.free[machine];
        let (cpu, memory, gpus, slots) = (free.cpu_millis, free.memory_bytes, free.gpus, free.slots);
        Told { admitted: self.admitted[machine], cpu, memory, gpus, slots }
    }

    fn answered(&mut self, task: usize, machine: usize, admitted: bool, told: Told, tasks: &[Task]) {
        let placer = task % self.placers.len();
        self.placers[placer].mine[machine].retain(|(_, mine)| *mine != task);
        if admitted {
            self.placers[placer].mine[machine].push((told.admitted, task));
        }
        if !admitted {
            self.hear(placer, machine, told);
        }
        self.reckon(placer, machine, tasks);
    }

    /// A machine said something; what it said before is forgotten, and so is what that counts in.
    fn hear(&mut self, placer: usize, machine: usize, told: Told) {
        let placer = &mut self.placers[placer];
        if placer.words[machine].is_none_or(|word| word.admitted < told.admitted) {
            placer.words[machine] = Some(told);
            placer.mine[machine].retain(|(number, _)| *number > told.admitted);
        }
    }

    /// What a machine said, less what this placer put there since.
    fn reckon(&mut self, placer: usize, machine: usize, tasks: &[Task]) {
        let all = self.machines[machine].all;
        let placer = &mut self.placers[placer];
        let said = placer.words[machine].map_or(all, |told| Resources {
            cpu_millis: told.cpu,
            memory_bytes: told.memory,
            gpus: told.gpus,
            slots: told.slots,
            ..all
        });
        let mine = &placer.mine[machine];
        let free = mine.iter().fold(said, |free, (_, task)| free.minus(&tasks[*task].asks));
        placer.index.update(candidate(machine, &self.machines[machine], free));
    }
}

impl Outcome {
    /// Refused offers in percent of all.
    pub fn bounced(&self) -> f64 {
        self.refused as f64 / self.offers as f64 * 100.0
    }

    /// Jain's index of how evenly cpu is taken: 1 is even.
    pub fn jain(&self, machines: &[Machine]) -> f64 {
        let used = machines.iter().zip(&self.free);
        let used = used.map(|(m, free)| 1.0 - free.cpu_millis as f64 / m.all.cpu_millis as f64);
        let used: Vec<f64> = used.collect();
        let sum: f64 = used.iter().sum();
        sum * sum / (used.len() as f64 * used.iter().map(|x| x * x).sum::<f64>())
    }

    /// Every task is held where it was admitted, none is lost, and no machine has more than it holds.
    pub fn check(&self, machines: &[Machine], tasks: &[Task]) {
        let mut taken = vec![Resources::default(); machines.len()];
        for (holders, task) in self.holders.iter().zip(tasks) {
            holders.iter().for_each(|m| taken[*m] = taken[*m].plus(&task.asks));
        }
        for ((machine, free), taken) in machines.iter().zip(&self.free).zip(&taken) {
            assert!(machine.all.covers(taken) && machine.all.minus(taken) == *free);
        }
        let held = self.holders.iter().filter(|by| !by.is_empty()).count();
        assert_eq!(held + self.unplaced, tasks.len(), "a task was lost");
    }
}
