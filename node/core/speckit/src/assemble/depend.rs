//! Who waits for whom, as the author wrote it: on the line, in sub-bullets, in headings, in summaries.

use std::collections::BTreeMap;

use crate::assemble::repeat::Fate;
use crate::assemble::{Notes, task};
use crate::deps::{self, Found, Relation};
use crate::document::{Dependency, DependencySource, Document, Target, TaskIdx};
use crate::error::Problem;
use crate::id::TaskId;
use crate::mention::{self, Mentioned};
use crate::reader::{Block, Draft, Joined, Label, TaskDraft, label_of};

/// Most dependencies a file may state, ranges written out.
const MAX_DEPENDENCIES: usize = 250_000;

/// Most paragraphs about dependencies that are read under one heading.
const MAX_PARAGRAPHS: usize = 256;

/// Fills in [`crate::Task::depends_on`].
pub(crate) fn read(
    draft: &Draft,
    fates: &[Fate],
    document: &mut Document,
    flawed: &[&TaskId],
    notes: &mut Notes,
) {
    let numbers = Numbers::new(document);
    let mut links = Links { document, numbers, flawed, notes, groups: BTreeMap::new(), stated: 0 };
    let inherited = Inherited::new(draft, links.notes);
    let kept = draft.tasks.iter().enumerate().zip(fates).filter(|(_, f)| **f == Fate::Keep).map(|(t, _)| t);
    for (i, (at, draft_task)) in kept.enumerate() {
        let owner = TaskIdx(i);
        links.own(owner, draft_task);
        for rule in inherited.of(draft, draft_task.block, at) {
            rule.found.iter().for_each(|found| links.found(Some(owner), rule.text, 0, rule.source, found));
        }
    }
    for block in &draft.blocks {
        for prose in block.prose.iter().filter(|p| !p.depends) {
            links.text(None, &prose.text, 0, DependencySource::Summary, false);
        }
    }
    for task in &mut document.tasks {
        once_each(&mut task.depends_on);
    }
}

/// Keeps one dependency per target, a sure one before a guessed one.
fn once_each(all: &mut Vec<Dependency>) {
    let mut best: BTreeMap<Target, bool> = BTreeMap::new();
    for one in all.iter() {
        let guessed = best.entry(one.on.clone()).or_insert(one.guessed);
        *guessed &= one.guessed;
    }
    all.retain(|one| best.get(&one.on) == Some(&one.guessed) && best.remove(&one.on).is_some());
}

/// What headings and paragraphs say for the tasks under them.
struct Inherited<'a>(Vec<Vec<Rule<'a>>>);

/// A heading or paragraph and the task lines of the draft it holds for.
struct Rule<'a> {
    text: &'a Joined,
    found: Vec<Found>,
    source: DependencySource,
    from: usize,
    to: usize,
}

impl<'a> Inherited<'a> {
    fn new(draft: &'a Draft, notes: &mut Notes) -> Self {
        let after: Vec<usize> =
            draft.blocks.iter().skip(1).map(|b| b.first_task).chain([draft.tasks.len()]).collect();
        let rules = draft.blocks.iter().zip(after).map(|(block, end)| {
            let (text, found) = (&block.heading, deps::read(&block.heading.text));
            let mut rules =
                vec![Rule { text, found, source: DependencySource::Heading, from: 0, to: usize::MAX }];
            rules.extend(paragraphs(block, end, notes));
            rules.retain(|r| !r.found.is_empty());
            rules
        });
        Self(rules.collect())
    }

    fn of<'s>(&'s self, draft: &'s Draft, block: usize, task: usize) -> impl Iterator<Item = &'s Rule<'a>> {
        let up = std::iter::successors(Some(block), |b| draft.blocks[*b].parent);
        up.flat_map(|b| self.0[b].iter()).filter(move |r| (r.from..r.to).contains(&task))
    }
}

/// A paragraph above or below all tasks of its block holds for all of them; one in between ("wait for T010,
/// then:") for those up to the next such paragraph.
fn paragraphs<'a>(block: &'a Block, end: usize, notes: &mut Notes) -> Vec<Rule<'a>> {
    let stated: Vec<_> = block.prose.iter().filter(|p| p.depends).collect();
    if let Some(first) = stated.get(MAX_PARAGRAPHS) {
        let spot = first.text.start();
        let message =
            format!("only {MAX_PARAGRAPHS} paragraphs about dependencies are read under one heading");
        notes.warn(spot.line, spot.column, message);
    }
    let mut rules = Vec::new();
    for (i, prose) in stated.iter().take(MAX_PARAGRAPHS).enumerate() {
        let at = prose.tasks_before;
        let outside = at == block.first_task || at == end;
        let next = stated.get(i + 1).map_or(usize::MAX, |p| p.tasks_before);
        let (from, to) = if outside { (block.first_task, usize::MAX) } else { (at, next) };
        let (text, found) = (&prose.text, deps::read(&prose.text.text));
        rules.push(Rule { text, found, source: DependencySource::Section, from, to });
    }
    rules
}

/// Task numbers, to write out ranges.
struct Numbers(BTreeMap<u64, Vec<TaskIdx>>);

impl Numbers {
    fn new(document: &Document) -> Self {
        let mut numbers: BTreeMap<u64, Vec<TaskIdx>> = BTreeMap::new();
        for (i, task) in document.tasks.iter().enumerate() {
            numbers.entry(task.id.number()).or_default().push(TaskIdx(i));
        }
        Self(numbers)
    }

    fn between(&self, first: u64, last: u64) -> impl Iterator<Item = TaskIdx> + '_ {
        self.0.range(first.min(last)..=last.max(first)).flat_map(|(_, tasks)| tasks.iter().copied())
    }
}

struct Links<'a> {
    document: &'a mut Document,
    numbers: Numbers,
    flawed: &'a [&'a TaskId],
    notes: &'a mut Notes,
    /// Whether any phase belongs to a story or phase that was named.
    groups: BTreeMap<Target, bool>,
    stated: usize,
}

/// A statement on its way into the document.
struct Said<'a> {
    text: &'a Joined,
    offset: usize,
    source: DependencySource,
    guessed: bool,
    inherited: bool,
}

impl Links<'_> {
    /// The task's own line and its sub-bullets.
    fn own(&mut self, owner: TaskIdx, draft: &TaskDraft) {
        let id_end = task::id_end(draft);
        self.text(Some(owner), &draft.main, id_end, DependencySource::TaskLine, false);
        let mut list: Option<usize> = None;
        for (indent, detail) in &draft.details {
            let nested = list.is_some_and(|above| *indent > above);
            let label = label_of(&detail.text);
            if label == Label::Depends {
                list = mention::find(&detail.text).is_empty().then_some(*indent);
            } else if !nested {
                list = None;
            }
            self.text(Some(owner), detail, 0, DependencySource::SubBullet, nested);
        }
    }

    /// Everything one text says. `listed`: the ids it begins with are dependencies without further words.
    fn text(
        &mut self,
        owner: Option<TaskIdx>,
        text: &Joined,
        from: usize,
        source: DependencySource,
        listed: bool,
    ) {
        let Some(rest) = text.text.get(from..) else { return };
        let mut found = deps::read(rest);
        if listed && let Some(first) = mention::find(rest).into_iter().next().filter(|m| m.start < 4) {
            let targets = vec![(first.start, first.target)];
            found = vec![Found {
                subjects: Vec::new(),
                relation: Relation::On,
                targets,
                guessed: false,
                words: String::new(),
            }];
        }
        for one in found {
            self.found(owner, text, from, source, &one);
        }
    }

    fn found(
        &mut self,
        owner: Option<TaskIdx>,
        text: &Joined,
        from: usize,
        source: DependencySource,
        found: &Found,
    ) {
        if self.stated > MAX_DEPENDENCIES {
            return;
        }
        let subjects: Vec<TaskIdx> = found.subjects.iter().flat_map(|s| self.tasks(s)).take(64).collect();
        let foreign = !found.subjects.is_empty() && subjects.iter().any(|s| Some(*s) != owner);
        let subjects = if found.subjects.is_empty() { owner.into_iter().collect() } else { subjects };
        let inherited = matches!(source, DependencySource::Heading | DependencySource::Section);
        if inherited && foreign {
            return;
        }
        let source =
            if foreign && source != DependencySource::Summary { DependencySource::OtherTask } else { source };
        self.warn_guess(&subjects, text, from, found);
        for subject in subjects {
            for (at, target) in &found.targets {
                let guessed = found.guessed && !(inherited && source == DependencySource::Section);
                let said = Said { text, offset: from + at, source, guessed, inherited };
                match found.relation {
                    Relation::On => self.link(subject, target, &said),
                    Relation::Blocks => self.link_back(subject, target, &said),
                }
            }
        }
    }

    /// One warning for what one phrase was taken to say.
    fn warn_guess(&mut self, subjects: &[TaskIdx], text: &Joined, from: usize, found: &Found) {
        let (Some((at, _)), false) = (found.targets.first(), subjects.is_empty() || !found.guessed) else {
            return;
        };
        let spot = text.spot(from + at);
        let join = |mut names: Vec<String>| {
            names.dedup();
            names.join(", ")
        };
        let subjects = join(subjects.iter().map(|s| self.document.tasks[s.0].id.to_string()).collect());
        let known = found.targets.iter().map(|(_, t)| t).filter(|t| match t {
            Mentioned::Task(_) | Mentioned::Tasks(..) => !self.tasks(t).is_empty(),
            Mentioned::Story(_) | Mentioned::Stories(..) | Mentioned::Phase(_) => true,
        });
        let targets = join(known.map(ToString::to_string).collect());
        if targets.is_empty() {
            return; // unknown ids have a warning of their own
        }
        let (first, last) = match found.relation {
            Relation::On => (subjects, targets),
            Relation::Blocks => (targets, subjects),
        };
        self.notes.warn(
            spot.line,
            spot.column,
            format!("{:?} is read as: {first} depends on {last}", found.words),
        );
    }

    /// `subject` waits for `target`.
    fn link(&mut self, subject: TaskIdx, target: &Mentioned, said: &Said<'_>) {
        match target {
            Mentioned::Task(id) => self.on_id(subject, id, said),
            Mentioned::Tasks(first, last) => {
                self.on_id(subject, first, said);
                self.on_id(subject, last, said);
                for task in self.tasks(target) {
                    if self.stated > MAX_DEPENDENCIES {
                        break;
                    }
                    let id = self.document.tasks[task.0].id.clone();
                    if task != subject {
                        self.add(subject, Target::Task(id), said);
                    }
                }
            }
            Mentioned::Story(n) => self.on_group(subject, Target::Story(*n), said),
            Mentioned::Stories(several) => {
                for &n in several {
                    self.on_group(subject, Target::Story(n), said);
                }
            }
            Mentioned::Phase(n) => self.on_group(subject, Target::Phase(n.clone()), said),
        }
    }

    /// `subject` blocks `target`: the dependency belongs to the tasks named.
    fn link_back(&mut self, subject: TaskIdx, target: &Mentioned, said: &Said<'_>) {
        let id = self.document.tasks[subject.0].id.clone();
        for task in self.tasks(target) {
            let own = said.source == DependencySource::Summary;
            let source = if own { said.source } else { DependencySource::OtherTask };
            let said = Said { source, ..*said };
            if task != subject {
                self.add(task, Target::Task(id.clone()), &said);
            }
        }
    }

    fn on_id(&mut self, subject: TaskIdx, id: &TaskId, said: &Said<'_>) {
        let spot = said.text.spot(said.offset);
        let task = self.document.tasks[subject.0].id.clone();
        if *id == task {
            match said.inherited || said.guessed {
                true => {}
                false => self.add(subject, Target::Task(id.clone()), said),
            }
        } else if self.document.index_of(id.as_str()).is_some() {
            self.add(subject, Target::Task(id.clone()), said);
        } else if self.flawed.contains(&id) {
            // the line with that id has its own error already
        } else if said.guessed || other_feature(&said.text.text[..said.offset]) {
            let message = format!("{id}, named by {task}, is no task of this file; left out");
            self.notes.warn(spot.line, spot.column, message);
        } else {
            self.notes.error(
                spot.line,
                spot.column,
                Problem::UnknownDependency { task, unknown: id.clone() },
            );
        }
    }

    fn on_group(&mut self, subject: TaskIdx, group: Target, said: &Said<'_>) {
        let spot = said.text.spot(said.offset);
        let own = &self.document.phases[self.document.tasks[subject.0].phase];
        let inside = crate::order::is_member(own, &group);
        let phases = &self.document.phases;
        let any = || phases.iter().any(|p| crate::order::is_member(p, &group));
        let known = *self.groups.entry(group.clone()).or_insert_with(any);
        if known && !inside {
            self.add(subject, group, said);
        } else if !known {
            self.notes.warn(
                spot.line,
                spot.column,
                format!("no phase of {group} here; the dependency on it is left out"),
            );
        }
    }

    fn add(&mut self, subject: TaskIdx, on: Target, said: &Said<'_>) {
        self.stated += 1;
        if self.stated > MAX_DEPENDENCIES {
            if self.stated == MAX_DEPENDENCIES + 1 {
                let spot = said.text.spot(said.offset);
                self.notes.error(
                    spot.line,
                    spot.column,
                    Problem::TooManyDependencies { limit: MAX_DEPENDENCIES },
                );
            }
            return;
        }
        let spot = said.text.spot(said.offset);
        let wrapped = spot.wrapped && said.source == DependencySource::TaskLine;
        let source = if wrapped { DependencySource::WrappedLine } else { said.source };
        let task = &mut self.document.tasks[subject.0];
        let new = Dependency { on, source, line: spot.line, column: spot.column, guessed: said.guessed };
        task.depends_on.push(new);
    }

    fn tasks(&self, mentioned: &Mentioned) -> Vec<TaskIdx> {
        match mentioned {
            Mentioned::Task(id) => self.document.index_of(id.as_str()).into_iter().collect(),
            Mentioned::Tasks(a, b) => self.numbers.between(a.number(), b.number()).collect(),
            _ => Vec::new(),
        }
    }
}

/// `002-user-auth T014`, `spec 003 T001`: an id of another feature.
fn other_feature(before: &str) -> bool {
    let words: Vec<&str> = before.split_whitespace().rev().take(3).collect();
    words.iter().any(|word| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        digits == 3 && (word.len() == 3 || word[3..].starts_with('-')) || matches!(word, "feature" | "spec")
    })
}
