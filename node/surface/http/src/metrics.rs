//! The counters of `/metrics`, in Prometheus' text format.

use crate::guard::Reason;
use ikigai_wire::api::Snapshot;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// Requests refused before a handler, by reason.
#[derive(Debug, Default)]
pub(crate) struct Refusals([AtomicU64; Reason::ALL.len()]);

impl Refusals {
    pub(crate) fn count(&self, reason: Reason) {
        self.0[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self, reason: Reason) -> u64 {
        self.0[reason as usize].load(Ordering::Relaxed)
    }
}

/// The page.
pub(crate) fn page(snapshot: &Snapshot, refusals: &Refusals) -> String {
    let mut states: BTreeMap<&str, u64> = BTreeMap::new();
    let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut calls, mut input, mut output) = (0_u64, 0_u64, 0_u64);
    for task in &snapshot.tasks {
        *states.entry(&task.state).or_default() += 1;
        for attempt in &task.attempts {
            *outcomes.entry(attempt.outcome.as_deref().unwrap_or("open")).or_default() += 1;
        }
        calls = calls.saturating_add(task.usage.calls);
        input = input.saturating_add(task.usage.input_tokens);
        output = output.saturating_add(task.usage.output_tokens);
    }
    let mut page = String::new();
    let mut family = |name: &str, kind: &str, help: &str, rows: Vec<(String, u64)>| {
        let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in rows {
            let _ = writeln!(page, "{name}{labels} {value}");
        }
    };
    let by = |label: &str, map: &BTreeMap<&str, u64>| {
        map.iter().map(|(k, v)| (format!("{{{label}=\"{}\"}}", escape(k)), *v)).collect::<Vec<_>>()
    };
    family("ikigai_tasks", "gauge", "Tasks by state.", by("state", &states));
    family("ikigai_attempts", "gauge", "Attempts by outcome.", by("outcome", &outcomes));
    family("ikigai_model_calls", "gauge", "Model calls of all tasks.", vec![(String::new(), calls)]);
    let tokens = vec![("{direction=\"input\"}".into(), input), ("{direction=\"output\"}".into(), output)];
    family("ikigai_model_tokens", "gauge", "Tokens of all tasks.", tokens);
    let refused = Reason::ALL.map(|r| (format!("{{reason=\"{}\"}}", r.name()), refusals.read(r)));
    family("ikigai_http_refused_total", "counter", "Requests refused before a handler.", refused.into());
    page
}

fn escape(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
