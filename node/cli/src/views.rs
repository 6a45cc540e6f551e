//! How tasks, nodes and patches look in a terminal.

use crate::clean::clean;
use crate::fit::wrap;
use crate::human::{age, bytes, clock, cores, cost, count, span};
use crate::output::Show;
use crate::table::Table;
use ikigai_types::{ClassSlots, Timestamp, WorkloadClass};
use ikigai_wire::api::{
    AttemptView, NodeView, NoteView, PatchItem, PatchView, PlacementView, RevisionView, TaskView,
};

/// Columns and lines that what an attempt has to say gets.
const DETAIL: (usize, usize) = (72, 4);

impl Show for TaskView {
    const KIND: &'static str = "Task";

    fn name(&self) -> String {
        self.id.to_string()
    }

    fn head(wide: bool) -> Vec<&'static str> {
        let narrow = ["TASK", "STATE", "NODE", "TRY", "AGE", "COST", "VERDICT", "TITLE"];
        let more = [
            "TASK", "STATE", "NODE", "TRY", "AGE", "TOKENS", "COST", "VERDICT", "FEATURE", "ID", "WHY",
            "TITLE",
        ];
        if wide { more.to_vec() } else { narrow.to_vec() }
    }

    fn row(&self, wide: bool, now: Timestamp) -> Vec<String> {
        let verdict = self.patch.as_ref().and_then(|p| p.verdict.clone()).unwrap_or_default();
        let attempts = if self.attempts.is_empty() { String::new() } else { self.attempts.len().to_string() };
        let mut row =
            vec![self.short.clone(), state(self), node_name(self), attempts, age(self.updated_at, now)];
        if wide {
            row.push(tokens(self));
        }
        row.extend([cost(&self.usage), verdict]);
        if wide {
            row.extend([self.feature.clone(), self.id.to_string(), self.why.text.clone()]);
        }
        row.push(self.title.clone());
        row
    }
}

/// `waiting(dependency)`.
pub(crate) fn state(task: &TaskView) -> String {
    task.reason.as_ref().map_or_else(|| task.state.clone(), |r| format!("{}({r})", task.state))
}

fn tokens(task: &TaskView) -> String {
    if task.usage.calls == 0 {
        String::new()
    } else {
        count(task.usage.input_tokens + task.usage.output_tokens)
    }
}

/// `4m ago by alice@laptop`.
fn submitted(task: &TaskView, now: Timestamp) -> String {
    let by = task.submitted_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    format!("{} ago{by}", age(task.submitted_at, now))
}

/// The node that has a task, or had it last.
pub(crate) fn node_name(task: &TaskView) -> String {
    let Some(attempt) = task.attempts.last() else { return String::new() };
    let row = attempt.placement.iter().find(|p| p.node == attempt.node);
    row.map_or_else(|| attempt.node.short(), |p| p.name.clone())
}

/// Everything about a task, for people.
pub(crate) fn task(task: &TaskView, now: Timestamp) -> Vec<String> {
    let mut out = vec![clean(&format!("{}  {}", task.short, task.title)).into_owned()];
    let waits: Vec<_> = task.depends_on.iter().map(|id| id.short().to_owned()).collect();
    let mut fields = vec![
        ("id", task.id.to_string()),
        ("project", task.project.clone()),
        ("feature", task.feature.clone()),
        ("state", format!("{}, for {}", state(task), age(task.updated_at, now))),
        ("why", task.why.text.clone()),
        ("do", task.why.hint.clone().unwrap_or_default()),
        ("after", waits.join(" ")),
        (
            "class",
            Some(task.class)
                .filter(|c| *c != WorkloadClass::Agent)
                .map(|c| c.to_string())
                .unwrap_or_default(),
        ),
        ("priority", Some(task.priority).filter(|p| *p != 0).map(|p| p.to_string()).unwrap_or_default()),
        ("epoch", task.epoch.to_string()),
        ("used", used(task)),
        ("limits", limits(task)),
        ("egress", task.egress.join(", ")),
        ("denied", task.attempts.last().map(denied).unwrap_or_default()),
        ("exposed", task.attempts.last().map(|a| a.isolation_missing.join("; ")).unwrap_or_default()),
        ("submitted", submitted(task, now)),
    ];
    fields.retain(|(_, value)| !value.is_empty());
    out.extend(fields.iter().map(|(name, value)| format!("  {name:<10}{}", clean(value))));
    if !task.attempts.is_empty() {
        section(&mut out, "attempts", &attempts(task));
    }
    let of_attempt = task.attempts.last().map_or(&[][..], |a| &a.placement);
    let rows = if task.placement.is_empty() { of_attempt } else { &task.placement };
    if !rows.is_empty() {
        section(&mut out, "placement", &placement(rows));
    }
    if let Some(patch) = &task.patch {
        out.push("patch".into());
        out.extend(patch_lines(patch).into_iter().map(|l| format!("  {l}")));
    }
    out
}

/// What the gate of an attempt denied.
fn denied(attempt: &AttemptView) -> String {
    let last = attempt.last_denied.as_deref().unwrap_or_default();
    if attempt.denied == 0 { String::new() } else { format!("{} times, the last {last}", attempt.denied) }
}

fn used(task: &TaskView) -> String {
    if task.usage.calls == 0 {
        String::new()
    } else {
        format!("{} tokens, {}", tokens(task), cost(&task.usage))
    }
}

fn limits(task: &TaskView) -> String {
    let l = &task.limits;
    let (cpu, memory) = (cores(l.cpu_millis), bytes(l.memory_bytes));
    let turns = l.max_turns.map(|n| format!(", {n} model calls")).unwrap_or_default();
    let (disk, time) = (bytes(l.disk_bytes), span(l.time));
    format!("{cpu} cores, {memory} memory, {disk} disk, {} pids, {time}{turns}", l.pids)
}

fn section(out: &mut Vec<String>, title: &str, table: &Table) {
    out.push(title.into());
    out.extend(table.lines(None).into_iter().map(|l| format!("  {l}")));
}

fn attempts(task: &TaskView) -> Table {
    let mut table = Table::new(&["TRY", "PHASE", "OUTCOME", "EXIT", "TOOK", "COST", "AGENT", "DETAIL"]);
    for a in &task.attempts {
        let took = a.ended_at.map(|end| span(end.since(a.started_at))).unwrap_or_default();
        let mut details = wrap(&detail(a), DETAIL.0, DETAIL.1).into_iter();
        table.row(vec![
            a.id.number.to_string(),
            a.phase.clone(),
            a.outcome.clone().unwrap_or_default(),
            a.exit_code.map(|c| c.to_string()).unwrap_or_default(),
            took,
            cost(&a.usage),
            a.agent.clone(),
            details.next().unwrap_or_default(),
        ]);
        for more in details {
            let mut row = vec![" ".to_owned(); 7];
            row.push(more);
            table.row(row);
        }
    }
    table
}

fn detail(attempt: &AttemptView) -> String {
    let salvage = attempt.salvage.as_ref().map(|s| format!("saved as {s}"));
    let from = attempt.continues.as_ref();
    let from = from.map(|c| format!("continues from {:.10} of attempt {}", c.commit, c.attempt));
    let resumed = attempt.resumed.map(|how| format!("{how} start"));
    [resumed, from, attempt.detail.clone(), salvage].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// One row per node: chosen, scored, or refused and why.
pub(crate) fn placement(rows: &[PlacementView]) -> Table {
    let mut table = Table::new(&["NODE", "SCORE", "REASON"]);
    for row in rows {
        let mark = if row.chosen { " (chosen)" } else { "" };
        let score = row.score.map_or_else(|| "no".to_owned(), |s| s.to_string());
        table.row(vec![format!("{}{mark}", row.name), score, row.reason.clone()]);
    }
    table
}

/// Everything about a patch, for people.
pub(crate) fn patch_lines(patch: &PatchView) -> Vec<String> {
    let mut out = vec![format!(
        "{}  try {}  +{} -{}  {}",
        patch.verdict.as_deref().unwrap_or("checks run"),
        patch.attempt,
        patch.additions,
        patch.deletions,
        patch.id.as_ref().map_or("not opened yet", |id| id.as_str()),
    )];
    if let Some(merged) = &patch.merged {
        out.push(format!("merged as {merged}"));
    }
    // One alone is what the line above says.
    out.extend(patch.revisions.iter().filter(|_| patch.revisions.len() > 1).map(revision));
    out.extend(patch.notes.iter().filter(|n| n.standing != "node").flat_map(note));
    if let Some(evidence) = &patch.evidence {
        for check in &evidence.checks {
            let verdict =
                if check.code == 0 { "passed".to_owned() } else { format!("failed with {}", check.code) };
            out.push(format!("check `{}` {verdict} in {} ms", check.command, check.ms));
            out.extend(check.tail.iter().filter(|_| check.code != 0).map(|l| format!("  {l}")));
        }
        out.extend(evidence.gaps.iter().map(|gap| format!("missing: {gap}")));
    }
    out.extend(patch.files.iter().map(|file| format!("file {file}")));
    out.iter().map(|l| clean(l).into_owned()).collect()
}

/// Who said what, a line of text after the other.
fn note(note: &NoteView) -> Vec<String> {
    let key = note.author.get(..12).unwrap_or(&note.author);
    let word = if note.asks { "says" } else { "approves" };
    let head = format!("{} {key} {word}:", note.standing);
    std::iter::once(head).chain(note.text.lines().map(|l| format!("  {l}"))).collect()
}

fn revision(revision: &RevisionView) -> String {
    let verdict = revision.verdict.as_deref().unwrap_or("checks run");
    let head = revision.head.get(..12).unwrap_or(&revision.head);
    format!(
        "revision {}  {head}  try {}  +{} -{}  {verdict}",
        revision.number, revision.attempt, revision.additions, revision.deletions
    )
}

impl Show for NodeView {
    const KIND: &'static str = "Node";

    fn name(&self) -> String {
        self.name.clone()
    }

    fn head(wide: bool) -> Vec<&'static str> {
        let narrow = ["NODE", "STATE", "AGE", "CPU", "MEMORY", "DISK", "SLOTS", "TAGS"];
        let more = ["ID", "VERSION", "EXECUTOR", "ADAPTERS", "PROVIDERS", "EXPOSED"];
        if wide { [&narrow[..], &more[..]].concat() } else { narrow.to_vec() }
    }

    fn row(&self, wide: bool, now: Timestamp) -> Vec<String> {
        let of = |free: String, all: String| format!("{free}/{all}");
        let (free, all) = (&self.free, &self.allocatable);
        let cordoned = match (self.draining, self.cordoned, self.running) {
            (true, _, 0) => ",drained",
            (true, ..) => ",draining",
            (false, true, _) => ",cordoned",
            _ => "",
        };
        let mut row = vec![
            self.name.clone(),
            format!("{}{cordoned}", self.liveness),
            age(self.observed_at, now),
            of(cores(free.cpu_millis), cores(all.cpu_millis)),
            of(bytes(free.memory_bytes), bytes(all.memory_bytes)),
            of(bytes(free.disk_bytes), bytes(all.disk_bytes)),
            of(free.slots.to_string(), all.slots.to_string()),
            self.tags.to_string(),
        ];
        if wide {
            let (adapters, providers) = (self.adapters.join(","), self.providers.join(","));
            let missing = self.isolation_missing.join("; ");
            row.extend([
                self.id.short(),
                self.version.clone(),
                self.executor.clone(),
                adapters,
                providers,
                missing,
            ]);
        }
        row
    }
}

/// `agent 1 (1 kept), ci 0 (2 at most)`: the classes that have a share or take slots.
fn classes(slots: &ClassSlots) -> String {
    let line = |class: WorkloadClass| {
        let (used, share) = (slots.used(class), slots.shares.get(&class).copied().unwrap_or_default());
        let kept = (share.reserve > 0).then(|| format!("{} kept", share.reserve));
        let rules: Vec<_> = kept.into_iter().chain(share.limit.map(|l| format!("{l} at most"))).collect();
        match (used, rules.is_empty()) {
            (0, true) => None,
            (_, true) => Some(format!("{class} {used}")),
            _ => Some(format!("{class} {used} ({})", rules.join(", "))),
        }
    };
    WorkloadClass::ALL.into_iter().filter_map(line).collect::<Vec<_>>().join(", ")
}

/// Everything about a node, for people.
pub(crate) fn node(node: &NodeView, now: Timestamp) -> Vec<String> {
    let amounts = |r: &ikigai_types::Resources| {
        let (memory, disk) = (bytes(r.memory_bytes), bytes(r.disk_bytes));
        format!(
            "{} cores, {memory} memory, {disk} disk, {} gpus, {} slots",
            cores(r.cpu_millis),
            r.gpus,
            r.slots
        )
    };
    let work = match (node.draining, node.cordoned) {
        (true, _) => "is being emptied",
        (false, true) => "takes no new work",
        _ => "takes work",
    };
    let missing = node.isolation_missing.join("; ");
    let mut fields = vec![
        ("id", node.id.to_string()),
        ("state", format!("{}, {work}, seen {} ago", node.liveness, age(node.observed_at, now))),
        ("version", node.version.clone()),
        ("has", amounts(&node.capacity)),
        ("gives", amounts(&node.allocatable)),
        ("free", amounts(&node.free)),
        ("runs", node.running.to_string()),
        ("classes", classes(&node.classes)),
        ("tags", node.tags.to_string()),
        ("taints", node.taints.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        ("executor", node.executor.clone()),
        ("exposed", missing),
        ("adapters", node.adapters.join(", ")),
        ("providers", node.providers.join(", ")),
    ];
    fields.retain(|(_, value)| !value.is_empty());
    let lines = fields.iter().map(|(name, value)| format!("  {name:<10}{}", clean(value)));
    std::iter::once(clean(&node.name).into_owned()).chain(lines).collect()
}

impl Show for PatchItem {
    const KIND: &'static str = "Patch";

    fn name(&self) -> String {
        self.task.to_string()
    }

    fn head(wide: bool) -> Vec<&'static str> {
        let narrow = ["TASK", "VERDICT", "STATE", "TRY", "LINES", "FILES", "TITLE"];
        let more =
            ["TASK", "VERDICT", "STATE", "TRY", "LINES", "FILES", "PATCH", "REV", "HEAD", "MISSING", "TITLE"];
        if wide { more.to_vec() } else { narrow.to_vec() }
    }

    fn row(&self, wide: bool, _: Timestamp) -> Vec<String> {
        let patch = &self.patch;
        let mut row = vec![
            self.short.clone(),
            patch.verdict.clone().unwrap_or_default(),
            self.state.clone(),
            patch.attempt.to_string(),
            format!("+{} -{}", patch.additions, patch.deletions),
            patch.files.len().to_string(),
        ];
        if wide {
            let gaps = patch.evidence.as_ref().map(|e| e.gaps.join("; ")).unwrap_or_default();
            let head = patch.head.get(..12).unwrap_or(&patch.head).to_owned();
            let id = patch.id.as_ref().map(ToString::to_string).unwrap_or_default();
            row.extend([id, patch.revision.to_string(), head, gaps]);
        }
        row.push(self.title.clone());
        row
    }
}

/// An event on one line.
pub(crate) fn event(event: &ikigai_wire::api::Event) -> String {
    clean(&format!("{}  {}  {}  {}", clock(event.at), event.task.short(), event.state, event.text))
        .into_owned()
}

/// A task's present state on one line, like an event.
pub(crate) fn turn(task: &TaskView) -> String {
    let (at, why) = (clock(task.updated_at), &task.why.text);
    clean(&format!("{at}  {}  {}  {why}", task.short, state(task))).into_owned()
}
