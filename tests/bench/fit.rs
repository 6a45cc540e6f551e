//! B2: how well many placers with old views fill machines, beside one that sees all and takes the best fit.
//!
//! `make bench B=B2`. Virtual time, one seed: 1,523 machines and 8,152 tasks in the mix of the openb trace (its
//! counts and shares, not its rows). Each placer decides by `ikigai-placement` on a view of its own, in which each
//! machine is as it was some seconds ago, less what this placer put there since. The machine admits or refuses by
//! what it has; a refusal brings its fresh room. An offer takes 30 ms there and 30 ms back. At the end every task
//! is on exactly one machine and no machine has more than it holds, or the bench fails.
#![allow(clippy::unwrap_used)] // A measurement that fails is to stop.

#[path = "common/bar.rs"]
mod bar;
#[path = "place/chance.rs"]
mod chance;
#[path = "fit/rules.rs"]
mod rules;
#[path = "fit/trace.rs"]
mod trace;
#[path = "fit/world.rs"]
mod world;

use bar::{Bar, Figure};
use ikigai_placement::{Fit, Policy};
use rules::Rule;
use trace::{Machine, Task};
use world::World;

/// Tasks a second, of all placers together.
const RATE: f64 = 13.6;

fn main() {
    let machines = trace::machines(1);
    let mut figures = Vec::new();
    for (name, tasks) in trace::variants() {
        compare(name, &machines, &tasks, &mut figures);
        figures.extend(spread(name, &machines, &tasks));
    }
    figures.extend(unallocated(&machines));
    bar::table("B2", &figures);
}

fn pack() -> Policy {
    Policy { fit: Fit::Pack, ..Policy::default() }
}

/// Machines in use after all tasks came, for each age of the views and number of placers.
fn compare(name: &str, machines: &[Machine], tasks: &[Task], figures: &mut Vec<Figure>) {
    let best = rules::place(Rule::BestFit, machines, tasks);
    let mut tell = |what: String, value, unit, bar| {
        figures.push(Figure::new(format!("{name}: {what}"), value, unit, bar).told("B2"));
    };
    tell("machines, central best fit".into(), best.used as f64, "", None);
    for (rule, text) in [(Rule::Random, "random"), (Rule::LeastAllocated, "least allocated")] {
        let other = rules::place(rule, machines, tasks);
        tell(format!("machines, {text} ÷ best fit"), other.used as f64 / best.used as f64, "", None);
    }
    for (age, placers) in [(0, 1), (1, 8), (5, 1), (5, 8), (5, 64), (30, 64)] {
        let ours = World::new(pack(), machines, placers, age * 1_000).run(tasks, RATE);
        ours.check(machines, tasks);
        let with = format!("packed, {age} s old, {placers} placers");
        let bar = |most| (age == 5).then_some(Bar::AtMost(most));
        tell(format!("machines ÷ best fit, {with}"), ours.used as f64 / best.used as f64, "", bar(1.03));
        tell(format!("refused offers, {with}"), ours.bounced(), "%", bar(2.0));
        tell(format!("tasks refused once or more, {with}"), ours.turned, "%", None);
        tell(format!("on two machines, {with}"), ours.doubles as f64, "tasks", Some(Bar::AtMost(0.0)));
        assert_eq!(ours.unplaced, 0, "{with}");
    }
}

/// The policy that nodes run by, which spreads: what old views cost when nobody packs.
fn spread(name: &str, machines: &[Machine], tasks: &[Task]) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (age, placers, rate) in
        [(5_000, 1, RATE), (5_000, 8, RATE), (5_000, 64, RATE), (5_000, 64, 10.0 * RATE)]
    {
        let outcome = World::new(Policy::default(), machines, placers, age).run(tasks, rate);
        outcome.check(machines, tasks);
        let with = format!("{name}: spread, 5 s old, {placers} placers, {rate} tasks/s");
        let mut tell = |what: &str, value, unit, bar| {
            figures.push(Figure::new(format!("{with}: {what}"), value, unit, bar).told("B2"));
        };
        tell("refused offers", outcome.bounced(), "%", Some(Bar::AtMost(2.0)));
        tell("tasks refused once or more", outcome.turned, "%", None);
        tell("not placed", outcome.unplaced as f64, "tasks", None);
        tell("Jain's index of cpu", outcome.jain(machines), "", None);
    }
    figures
}

/// GPUs that stay free although tasks wait that ask for some: too many tasks for the machines.
fn unallocated(machines: &[Machine]) -> Vec<Figure> {
    let tasks = trace::tasks(3, trace::USUAL, 14_000);
    let best = rules::place(Rule::BestFit, machines, &tasks).idle_gpus;
    let least = rules::place(Rule::LeastAllocated, machines, &tasks).idle_gpus;
    let outcome = World::new(pack(), machines, 64, 5_000).run(&tasks, RATE);
    outcome.check(machines, &tasks);
    vec![
        Figure::new("overfull: GPUs idle, central best fit", best, "%", None).told("B2"),
        Figure::new("overfull: GPUs idle, least allocated", least, "%", None).told("B2"),
        Figure::new("overfull: GPUs idle, ours, 5 s old, 64 placers", outcome.idle_gpus, "%", None)
            .told("B2"),
        Figure::new(
            "overfull: least allocated ÷ ours",
            least / outcome.idle_gpus,
            "",
            Some(Bar::AtLeast(1.3)),
        )
        .told("B2"),
    ]
}
