//! The shop: ten tasks, most states, two nodes.

use super::State;
use ikigai_types::{
    AttemptId, ClassSlots, Epoch, Limits, MicroUsd, NodeId, PatchId, ProjectId, Resources, Resumed, Tags,
    TaskId, Timestamp, Usage, WorkloadClass, WorkloadId,
};
use ikigai_wire::api::{
    AttemptView, CheckView, EdgeView, Evidence, LogEntry, NodeView, PatchView, PlacementView, PlanView,
    PlannedTask, ProjectView, RevisionView, TaskView, WhyView,
};
use std::time::Duration;

const GIB: u64 = 1 << 30;

pub(super) fn node(name: &str, key: u8, now: Timestamp) -> NodeView {
    let capacity =
        Resources { cpu_millis: 8000, memory_bytes: 16 * GIB, disk_bytes: 200 * GIB, gpus: 0, slots: 4 };
    let reserve = Resources { cpu_millis: 1000, memory_bytes: 2 * GIB, ..Resources::default() };
    let used = Resources { cpu_millis: 1000, memory_bytes: 2 * GIB, disk_bytes: 4 * GIB, gpus: 0, slots: 1 };
    NodeView {
        id: NodeId::from_bytes([key; 32]),
        name: name.into(),
        liveness: "alive".into(),
        version: "0.1.0".into(),
        capacity,
        allocatable: capacity.minus(&reserve),
        free: capacity.minus(&reserve).minus(&used),
        tags: Tags([("region".into(), "eu".into())].into()),
        adapters: vec!["codex".into(), "command".into()],
        providers: vec!["scripted".into()],
        executor: "docker".into(),
        isolation_missing: Vec::new(),
        cordoned: false,
        draining: false,
        taints: Vec::new(),
        classes: ClassSlots::standard(4),
        running: 0,
        observed_at: now,
    }
}

fn id(short: &str) -> TaskId {
    TaskId::new(format!("1f0c2a77.001-shop.{short}")).expect("invariant: letters, digits and dots")
}

fn ago(now: Timestamp, secs: u64) -> Timestamp {
    Timestamp(now.0.saturating_sub(secs * 1000))
}

pub(super) fn task(short: &str, title: &str, state: &str, project: &str, at: Timestamp) -> TaskView {
    TaskView {
        id: id(short),
        short: short.into(),
        project: project.into(),
        feature: "001-shop".into(),
        title: title.into(),
        state: state.into(),
        reason: None,
        owner: NodeId::from_bytes([1; 32]),
        epoch: Epoch(1),
        depends_on: Vec::new(),
        class: WorkloadClass::Agent,
        priority: 0,
        placement: Vec::new(),
        egress: Vec::new(),
        why: WhyView { cause: state.into(), text: format!("is {state}"), hint: None },
        attempts: Vec::new(),
        patch: None,
        usage: Usage::default(),
        limits: Limits::default(),
        submitted_by: Some("owner@laptop".into()),
        submitted_at: at,
        updated_at: at,
    }
}

pub(super) fn planned(short: &str, title: &str, wave: u32, after: &[(&str, &str)]) -> PlannedTask {
    let edge = |(task, reason): &(&str, &str)| EdgeView { task: (*task).into(), reason: (*reason).into() };
    PlannedTask {
        id: id(short),
        short: short.into(),
        title: title.into(),
        wave,
        state: "new".into(),
        after: after.iter().map(edge).collect(),
        node: Some("laptop".into()),
        placement: rows(),
        verify: vec!["make test".into()],
        cost_limit: Some(250_000),
    }
}

fn rows() -> Vec<PlacementView> {
    let row = |key: u8, name: &str, score, reason: &str, chosen| PlacementView {
        node: NodeId::from_bytes([key; 32]),
        name: name.into(),
        score,
        reason: reason.into(),
        chosen,
    };
    vec![
        row(1, "laptop", Some(812), "free cpu 750/1000, has the image", true),
        row(2, "server", None, "cordoned", false),
    ]
}

fn attempt(task: &TaskView, number: u32, phase: &str, at: Timestamp) -> AttemptView {
    AttemptView {
        id: AttemptId { task: task.id.clone(), number },
        epoch: Epoch(u64::from(number)),
        node: NodeId::from_bytes([1; 32]),
        agent: format!("{}-{number}", task.short.to_lowercase()),
        phase: phase.into(),
        outcome: None,
        detail: None,
        writer: None,
        denied: 0,
        last_denied: None,
        exit_code: None,
        workload: WorkloadId::new("4be1f00d").ok().map(|w| w.to_string()),
        placement: rows(),
        isolation_missing: Vec::new(),
        usage: Usage { calls: 3, input_tokens: 12_000, output_tokens: 800, cost: Some(MicroUsd(41_000)) },
        started_at: at,
        ended_at: None,
        continues: None,
        resumed: (number > 1).then_some(Resumed::Warm),
        salvage: None,
    }
}

fn ended(mut a: AttemptView, outcome: &str, code: i32, at: Timestamp) -> AttemptView {
    a.phase = "ended".into();
    a.outcome = Some(outcome.into());
    a.exit_code = Some(code);
    a.ended_at = Some(at.after(Duration::from_secs(95)));
    a
}

fn patch(attempt: u32, verdict: &str, code: i32, gaps: &[&str]) -> PatchView {
    PatchView {
        id: PatchId::new("6f1d2c3b4a5968778695a4b3c2d1e0f112233445").ok(),
        attempt,
        revision: attempt,
        notes: Vec::new(),
        revisions: (1..=attempt).map(|n| revision(n, if n == attempt { verdict } else { "NOT" })).collect(),
        head: "9c0ffee9c0ffee9c0ffee9c0ffee9c0ffee9c0ff".into(),
        files: vec!["src/cart.py".into(), "tests/test_cart.py".into()],
        additions: 42,
        deletions: 3,
        verdict: Some(verdict.into()),
        evidence: Some(Evidence {
            node: Some(NodeId::from_bytes([2; 32])),
            checks: vec![CheckView {
                command: "make test".into(),
                code,
                ms: 1840,
                tail: vec![if code == 0 { "12 passed" } else { "1 failed, 11 passed" }.into()],
            }],
            gaps: gaps.iter().map(|g| (*g).to_owned()).collect(),
        }),
        merged: None,
    }
}

fn revision(number: u32, verdict: &str) -> RevisionView {
    RevisionView {
        number,
        attempt: number,
        head: "9c0ffee9c0ffee9c0ffee9c0ffee9c0ffee9c0ff".into(),
        additions: 40 + u64::from(number),
        deletions: 3,
        verdict: Some(verdict.into()),
        outcome: (verdict == "NOT").then(|| "check-failed".into()),
    }
}

/// Fills `state` with the shop.
pub(super) fn shop(state: &mut State, project: &str) {
    let now = state.now;
    let mut server = node("server", 2, ago(now, 12));
    server.cordoned = true;
    state.nodes.push(server);
    let at = ago(now, 630);
    let make = |short: &str, title: &str, to: &str| task(short, title, to, project, at);

    let mut t1 = make("T001", "Create project structure per implementation plan", "accepted");
    t1.attempts = vec![ended(attempt(&t1, 1, "ended", at), "done", 0, at)];
    t1.patch = Some(PatchView { merged: Some("aa11".repeat(10)), ..patch(1, "VERIFIED", 0, &[]) });
    t1.usage = t1.attempts[0].usage;

    let mut t2 = make("T002", "Create Item model in src/item.py", "review");
    let failed = ended(attempt(&t2, 1, "ended", at), "check-failed", 0, at);
    t2.attempts = vec![failed, ended(attempt(&t2, 2, "ended", at), "done", 0, at)];
    t2.patch = Some(patch(2, "VERIFIED", 0, &[]));
    t2.usage = t2.attempts[0].usage.plus(t2.attempts[1].usage);
    t2.why = WhyView {
        cause: "review".into(),
        text: "waits for a person to accept its patch".into(),
        hint: Some("run: ikigai patch accept T002".into()),
    };

    let mut t3 = make("T003", "Create Cart in src/cart.py", "running");
    t3.attempts = vec![attempt(&t3, 1, "running", ago(now, 90))];
    t3.usage = t3.attempts[0].usage;
    t3.why = WhyView { cause: "running".into(), text: "runs on laptop, attempt 1".into(), hint: None };

    let mut t4 = make("T004", "Price the cart in src/cart.py", "waiting");
    t4.reason = Some("dependency".into());
    t4.depends_on = vec![id("T003")];
    t4.why = WhyView {
        cause: "dependency".into(),
        text: "waits for T003 (running on laptop, attempt 1)".into(),
        hint: Some("run: ikigai task logs -f T003".into()),
    };

    let mut t5 = make("T005", "Train the ranking", "waiting");
    t5.reason = Some("capacity".into());
    t5.why = WhyView {
        cause: "tag".into(),
        text: "no node with gpu=true".into(),
        hint: Some("run: ikigai node ls -o wide".into()),
    };

    let mut t6 = make("T006", "Checkout page in web/checkout.html", "failed");
    t6.reason = Some("agent".into());
    t6.attempts = vec![ended(attempt(&t6, 1, "ended", at), "agent", 7, at)];
    t6.usage = Usage { cost: None, ..t6.attempts[0].usage };

    let mut t7 = make("T007", "Discounts in src/discount.py", "review");
    t7.attempts = vec![ended(attempt(&t7, 1, "ended", at), "done", 0, at)];
    t7.patch = Some(patch(1, "NOT", 1, &["make test failed"]));
    t7.usage = t7.attempts[0].usage;

    scene_logs(state, &t3, &t6);
    state.lines.insert(t7.attempts[0].id.clone(), codex_log(now));
    state.projects = vec![ProjectView {
        id: ProjectId::new("1f0c2a77").expect("invariant: letters and digits"),
        checkout: project.to_owned(),
        forge: "git".into(),
        repository: "/var/lib/ikigai/git/1f0c2a77.git".into(),
        branch: "main".into(),
    }];
    state.tasks = vec![t1, t2, t3, t4, t5, t6, t7];
    for i in 0..state.tasks.len() {
        let (to, why) = (state.tasks[i].state.clone(), state.tasks[i].reason.clone());
        let updated = state.tasks[i].updated_at;
        state.turn(i, &to, "submitted", "was submitted");
        state.tasks[i].reason = why;
        state.tasks[i].updated_at = updated;
    }
    state.plan = PlanView {
        feature: "001-shop".into(),
        tasks: vec![
            PlannedTask { state: "running".into(), ..planned("T003", "Create Cart in src/cart.py", 1, &[]) },
            planned("T008", "Receipt in src/receipt.py", 1, &[]),
            planned(
                "T009",
                "Print the receipt",
                2,
                &[("T008", "explicit"), ("T003", "same-file src/cart.py")],
            ),
            PlannedTask {
                node: None,
                cost_limit: None,
                placement: vec![
                    PlacementView {
                        score: None,
                        reason: "no tag gpu=true".into(),
                        chosen: false,
                        ..rows()[0].clone()
                    },
                    rows()[1].clone(),
                ],
                ..planned("T010", "Recommend items", 2, &[("T008", "phase")])
            },
        ],
        warnings: vec!["line 31: `(after the cart)` was read as no dependency".into()],
    };
}

/// What the Codex CLI prints.
fn codex_log(at: Timestamp) -> Vec<LogEntry> {
    let item = |when: &str, item: &str| format!(r#"{{"type":"item.{when}","item":{{"id":"i",{item}}}}}"#);
    let run = r#""type":"command_execution","command":"/usr/bin/bash -lc 'make test'","aggregated_output":""#;
    let lines = [
        r#"{"type":"thread.started","thread_id":"01a1fd8f-de68-7841-adf7-b89a402f60e6"}"#.to_owned(),
        r#"{"type":"turn.started"}"#.to_owned(),
        item("started", &format!(r#"{run}","exit_code":null,"status":"in_progress""#)),
        item("completed", &format!(r#"{run}1 failed\n","exit_code":1,"status":"failed""#)),
        item("completed", r#""type":"file_change","changes":[{"path":"/workspace/src/discount.py","kind":"update"}],"status":"completed""#),
        item("completed", r#""type":"agent_message","text":"Done: discounts are rounded.""#),
        r#"{"type":"turn.completed","usage":{"input_tokens":3600,"cached_input_tokens":600,"output_tokens":102}}"#.to_owned(),
    ];
    let entry = |(n, text)| LogEntry { n, at, stream: "stdout".into(), text };
    (1..).zip(lines).map(entry).collect()
}

fn scene_logs(state: &mut State, running: &TaskView, failed: &TaskView) {
    let now = state.now;
    let line =
        |n: u64, stream: &str, text: &str| LogEntry { n, at: now, stream: stream.into(), text: text.into() };
    state.lines.insert(
        running.attempts[0].id.clone(),
        vec![
            line(1, "system", "agent started"),
            line(2, "stdout", "reading src/cart.py"),
            line(3, "stdout", "\u{1b}[31mred\u{1b}[0m \u{202e}evil\u{200b} \u{1b}]0;title\u{7}done"),
        ],
    );
    state.lines.insert(
        failed.attempts[0].id.clone(),
        vec![line(1, "stdout", "starting"), line(2, "gap", "3"), line(5, "stderr", "gave up")],
    );
}
