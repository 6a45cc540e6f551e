//! What the machine knows, as the documents everybody outside reads.

use ikigai_ports::PortError;
use ikigai_task::{Attempt, Owner, Phase, Record, Task, TaskSpec, TaskState, WaitReason};
use ikigai_types::{Fence, NodeId, PlacementRow, Resumed, Timestamp};
use ikigai_wire::api::{
    AttemptView, CheckView, Code, ContinuesView, Event, Evidence, PatchView, PlacementView, Problem,
    RevisionView, TaskView, WhyView,
};

/// The name of an attempt's agent in URLs: a DNS label, unique on its node.
pub(crate) fn agent_label(fence: &Fence) -> String {
    let id = fence.attempt.task.as_str();
    let hash = ring::digest::digest(&ring::digest::SHA256, id.as_bytes());
    let hex: String = hash.as_ref().iter().take(3).map(|b| format!("{b:02x}")).collect();
    let short =
        fence.attempt.task.short().to_ascii_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let short: String = short.chars().take(30).collect();
    format!("{}-{}-{hex}", short.trim_matches('-'), fence.attempt.number)
}

/// A task as it is at `now`.
pub(crate) fn task(owner: &Owner, task: &Task, now: Timestamp, name: &dyn Fn(NodeId) -> String) -> TaskView {
    let spec = &task.spec;
    let why = owner.why(&spec.id, now, name);
    TaskView {
        id: spec.id.clone(),
        short: spec.id.short().to_owned(),
        project: spec.checkout.clone(),
        feature: spec.feature.clone(),
        title: spec.title.clone(),
        state: task.state.name().to_owned(),
        reason: task.state.reason().map(ToOwned::to_owned),
        owner: spec.owner,
        epoch: task.epoch,
        depends_on: spec.depends_on.clone(),
        class: spec.wants.class,
        priority: spec.wants.priority,
        egress: egress(spec),
        why: why.map_or_else(WhyView::default, |w| WhyView {
            cause: w.cause.to_owned(),
            text: w.text,
            hint: w.hint,
        }),
        placement: task.rows.iter().filter(|_| waits_for_node(task)).map(placement).collect(),
        attempts: attempts(task),
        patch: task.attempts.iter().rev().find_map(|a| patch(task, a)),
        usage: task.usage(),
        limits: spec.limits,
        submitted_by: task.submitted_by.as_ref().map(|s| s.name.clone()),
        submitted_at: task.submitted_at,
        updated_at: task.updated_at,
    }
}

/// Where its agents may reach, a line for each endpoint.
fn egress(spec: &TaskSpec) -> Vec<String> {
    let lines = |(name, entry): (&String, &ikigai_types::EgressEntry)| {
        entry.endpoints.iter().map(|e| format!("{name}: {e}")).collect::<Vec<_>>()
    };
    spec.egress.0.iter().flat_map(lines).collect()
}

fn waits_for_node(task: &Task) -> bool {
    matches!(task.state, TaskState::Waiting(WaitReason::Capacity | WaitReason::Credential))
}

/// All of them by number; in a task the present one is the last.
fn attempts(task: &Task) -> Vec<AttemptView> {
    let mut all: Vec<_> = task.attempts.iter().map(|a| attempt(task, a)).collect();
    all.sort_by_key(|a| a.id.number);
    all
}

fn attempt(task: &Task, a: &Attempt) -> AttemptView {
    let held = matches!(task.state, TaskState::Paused | TaskState::Waiting(_));
    let phase = match a.phase {
        Phase::Preparing => "preparing",
        Phase::Running if held => "paused",
        Phase::Running => "running",
        Phase::Away => "away",
        Phase::Ended => "ended",
    };
    let done = (a.phase == Phase::Ended && a.reason.is_none()).then_some("done");
    AttemptView {
        id: a.fence.attempt.clone(),
        epoch: a.fence.epoch,
        node: a.node,
        agent: agent_label(&a.fence),
        phase: phase.to_owned(),
        outcome: a.reason.map(|r| r.name()).or(done).map(ToOwned::to_owned),
        detail: (!a.detail.is_empty()).then(|| a.detail.clone()),
        writer: a.writer.as_ref().map(|w| w.name.clone()),
        denied: a.denied.times,
        last_denied: (a.denied.times > 0).then(|| a.denied.last.clone()),
        exit_code: a.exit_code,
        workload: a.workload.as_ref().map(ToString::to_string),
        placement: a.rows.iter().map(placement).collect(),
        isolation_missing: a.isolation_missing.clone(),
        usage: a.usage,
        started_at: a.started_at,
        ended_at: a.ended_at,
        continues: a
            .continues
            .as_ref()
            .map(|c| ContinuesView { attempt: c.attempt, commit: c.commit.to_string() }),
        resumed: a.resumed,
        salvage: a.salvage.clone(),
    }
}

fn patch(task: &Task, a: &Attempt) -> Option<PatchView> {
    let change = a.change.as_ref()?;
    Some(PatchView {
        id: task.patch().cloned(),
        attempt: a.fence.attempt.number,
        revision: a.revision,
        revisions: revisions(task),
        notes: Vec::new(),
        head: change.head.to_string(),
        files: change.files.clone(),
        additions: change.additions,
        deletions: change.deletions,
        verdict: a.verified.as_ref().map(|v| v.verdict.to_string()),
        evidence: a.verified.as_ref().map(|v| Evidence {
            node: Some(v.node),
            checks: v.checks.iter().map(check).collect(),
            gaps: v.gaps.clone(),
        }),
        merged: a.merged.as_ref().map(ToString::to_string),
    })
}

/// Every state its patch had, the newest last.
fn revisions(task: &Task) -> Vec<RevisionView> {
    let patch = task.patch();
    let of_it = task.attempts.iter().filter(|a| a.patch.is_some() && a.patch.as_ref() == patch);
    let mut all: Vec<_> = of_it.filter_map(revision).collect();
    all.sort_by_key(|r| (r.number, r.attempt));
    all
}

fn revision(a: &Attempt) -> Option<RevisionView> {
    let change = a.change.as_ref()?;
    Some(RevisionView {
        number: a.revision,
        attempt: a.fence.attempt.number,
        head: change.head.to_string(),
        additions: change.additions,
        deletions: change.deletions,
        verdict: a.verified.as_ref().map(|v| v.verdict.to_string()),
        outcome: a.reason.map(|r| r.name().to_owned()),
    })
}

fn check(c: &ikigai_types::CheckResult) -> CheckView {
    CheckView { command: c.command.clone(), code: c.code, ms: c.ms, tail: c.tail.clone() }
}

/// A row of a placement.
pub(crate) fn placement(row: &PlacementRow) -> PlacementView {
    PlacementView {
        node: row.node,
        name: row.name.clone(),
        score: row.score,
        reason: row.reason.clone(),
        chosen: row.chosen,
    }
}

/// An entry of the log, as it is streamed.
pub(crate) fn event(epoch: &str, n: u64, record: &Record) -> Event {
    let fence = record.event.fence();
    Event {
        cursor: format!("{epoch}.{n}"),
        at: record.at,
        task: record.task.clone(),
        attempt: fence.map(|f| f.attempt.number),
        epoch: fence.map(|f| f.epoch),
        what: record.event.name().to_owned(),
        state: record.state.to_string(),
        text: sentence(record),
    }
}

fn sentence(record: &Record) -> String {
    use ikigai_task::Event as E;
    match &record.event {
        E::Submitted { spec, .. } => spec.title.clone(),
        E::Used { usage, .. } => {
            let (read, wrote) = (usage.input_tokens, usage.output_tokens);
            format!("{} model calls so far, {read} tokens read and {wrote} written", usage.calls)
        }
        E::Waits { text, .. } | E::Declined { text, .. } | E::MergeRefused { text, .. } => text.clone(),
        E::Rejected { text, .. } | E::ChoreFailed { text, .. } => text.clone(),
        E::Granted { lease, rows, .. } => {
            let row = rows.iter().find(|r| r.node == lease.node);
            let whom = row.map_or_else(|| lease.node.short(), |r| format!("{}: {}", r.name, r.reason));
            format!("attempt {} goes to {whom}", lease.fence.attempt.number)
        }
        E::Started { workload, .. } => format!("the agent runs as {workload}"),
        E::Session { how: Resumed::Warm, .. } => {
            "the agent goes on with the session of the attempt before (warm)".to_owned()
        }
        E::Session { how: Resumed::Cold, .. } => {
            "the agent begins anew and is told what was done before (cold)".to_owned()
        }
        E::Denied { what, .. } => format!("the gate denied {what}"),
        E::Ended { reason: None, .. } => "the agent is done".to_owned(),
        E::Ended { reason: Some(reason), detail, .. } => format!("{}: {detail}", reason.name()),
        E::BackOff { reason, until } => {
            format!("{}: next attempt in {} s", reason.name(), until.since(record.at).as_secs())
        }
        E::PatchOpened { patch, revision: 1, .. } => format!("patch {patch} is opened as a draft"),
        E::PatchOpened { patch, revision, .. } => format!("revision {revision} of patch {patch}, a draft"),
        E::Landed { fence } => {
            format!("the result of attempt {} was merged on the forge", fence.attempt.number)
        }
        E::Unchanged { stands: Some(stands), .. } => {
            format!("it changed nothing; the result of attempt {} is in review again", stands.attempt.number)
        }
        E::Unchanged { stands: None, .. } => "it changed nothing of what was reviewed".to_owned(),
        E::NotesHeld { turns } => {
            format!("notes on its patch began {turns} turns; further ones wait for a person")
        }
        E::Archived => "the patch is archived".to_owned(),
        E::Verified { verdict, gaps, .. } => format!("{verdict} {}", gaps.join(", ")).trim_end().to_owned(),
        E::Merged { commit, .. } => format!("merged as {commit}"),
        E::StaleRefused { fence, current, what } if fence.epoch < *current => {
            format!("refused a {what} under epoch {}; epoch {current} is good", fence.epoch)
        }
        E::StaleRefused { fence, what, .. } => {
            format!("refused a {what} under epoch {}, whose lease has ended", fence.epoch)
        }
        E::Silent { until, replaced: true, .. } => {
            let wait = until.since(record.at).as_secs();
            format!("its node is silent; another attempt is made, and this one may come back within {wait} s")
        }
        E::Silent { until, .. } => {
            format!("its node is silent; it is waited for {} s", until.since(record.at).as_secs())
        }
        E::Returned { fence } => format!("attempt {} is back and goes on", fence.attempt.number),
        E::Evicting { room_for: Some(other), .. } => format!("is ended to make room for {}", other.short()),
        E::Evicting { .. } => "a person takes it off its node".to_owned(),
        E::TakenOver { writer, from: Some(from), .. } => {
            format!("{} types instead of {}; the agent waits", writer.name, from.name)
        }
        E::TakenOver { writer, .. } => format!("{} types; the agent waits", writer.name),
        E::HandedBack { from, .. } => format!("{} types no more; the agent goes on", from.name),
        E::QuotaHeld { until, .. } => {
            format!("the quota is used up for {} s", until.since(record.at).as_secs())
        }
        other => other.name().to_owned(),
    }
}

/// A port's error as the document people read.
pub(crate) fn problem(error: PortError) -> Problem {
    let message = error.chain();
    match error {
        PortError::NotFound(_) => Problem::plain(Code::NotFound, message),
        PortError::Refused(_) => Problem::plain(Code::Denied, message),
        PortError::Conflict(_) => Problem::new(Code::Conflict, message, "read it again and retry"),
        PortError::Unavailable { .. } => Problem::new(Code::Unreachable, message, "run: ikigai doctor"),
        PortError::Unsupported(_) => Problem::plain(Code::Usage, message),
        PortError::Corrupt(_) | PortError::Failed { .. } => {
            Problem::new(Code::Failed, message, "see the node's log; run: ikigai doctor")
        }
    }
}
