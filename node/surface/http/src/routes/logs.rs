//! Lines of an attempt, as ndjson or server-sent events, from any number on.

use super::App;
use super::extract::{Names, Params};
use super::streams::{self, Gone, KEEP_ALIVE, Pipe, last_event_id, wants_sse};
use crate::api::Shared;
use crate::frames::Frame;
use crate::reply::{Failure, Reply};
use axum::extract::State;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use http::HeaderMap;
use ikigai_ports::node::Answer;
use ikigai_types::AttemptId;
use ikigai_wire::api::{LogEntry, TaskView};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// Query of logs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogQuery {
    /// First number wanted; 1 is the first line.
    from: Option<u64>,
    /// Go on until the attempt has ended and its last line was sent.
    #[serde(default)]
    follow: bool,
}

pub(super) async fn logs(
    State(app): App,
    Names((id, number)): Names<(String, u32)>,
    Params(query): Params<LogQuery>,
    headers: HeaderMap,
) -> Reply {
    let task = app.handle.task(&id).await?;
    if !task.attempts.iter().any(|a| a.id.number == number) {
        let text = format!("{} has no attempt {number}", task.short);
        return Err(Failure::not_found(text, &format!("run: ikigai task show {}", task.short)));
    }
    let sse = wants_sse(&headers);
    let from = match last_event_id(&headers)? {
        Some(id) if sse => number_after(&id)?,
        _ => query.from.unwrap_or(1).max(1),
    };
    let attempt = AttemptId { task: task.id, number };
    let lines = app.handle.logs(&attempt, from, query.follow).await?;
    let writer = Writer { sse, follow: query.follow, numbers: Numbers::new(from), attempt, app: app.clone() };
    let kind = if sse { "text/event-stream" } else { "application/x-ndjson" };
    Ok(streams::answer(kind, |pipe| async move { writer.run(&pipe, lines).await }))
}

fn number_after(id: &str) -> Result<u64, Failure> {
    let wrong = |_| Failure::usage("Last-Event-ID is not the number of a line", "send back an id as it came");
    id.parse::<u64>().map(|n| n.saturating_add(1)).map_err(wrong)
}

struct Writer {
    sse: bool,
    follow: bool,
    numbers: Numbers,
    attempt: AttemptId,
    app: Arc<Shared>,
}

impl Writer {
    async fn run(mut self, pipe: &Pipe, mut lines: BoxStream<'static, Answer<LogEntry>>) {
        let mut beat = tokio::time::interval(KEEP_ALIVE);
        beat.reset();
        loop {
            let next = tokio::select! {
                () = pipe.gone() => return,
                () = self.app.stop.cancelled() => return pipe.cut("the node stops").await,
                _ = beat.tick(), if self.sse => match pipe.send(Bytes::from_static(b": keep-alive\n\n")).await {
                    Ok(()) => continue,
                    Err(Gone) => return,
                },
                next = lines.next() => next,
            };
            let done = match next {
                Some(Ok(entry)) => self.entry(pipe, entry).await.is_err(),
                Some(Err(problem)) => return pipe.cut(&problem.message).await,
                None => return self.end(pipe).await,
            };
            if done {
                return;
            }
        }
    }

    /// Says that this was the end, when it was: a source that dried up because the node stops is a break.
    async fn end(&self, pipe: &Pipe) {
        if self.follow {
            let task = self.app.handle.task(self.attempt.task.as_str()).await;
            let over = |t: &TaskView| t.attempts.iter().any(|a| a.id == self.attempt && a.phase == "ended");
            if !task.is_ok_and(|t| over(&t)) {
                return pipe.cut("the attempt has not ended").await;
            }
        }
        if self.sse {
            let _ = pipe.send(Frame::new("end", None, "{}".into()).bytes()).await;
        }
    }

    async fn entry(&mut self, pipe: &Pipe, entry: LogEntry) -> Result<(), Gone> {
        if let Some(gap) = self.numbers.gap_before(&entry) {
            pipe.send(self.bytes(&gap)).await?;
        }
        pipe.send(self.bytes(&entry)).await
    }

    fn bytes(&self, entry: &LogEntry) -> Bytes {
        let json = serde_json::to_string(entry).unwrap_or_default();
        if self.sse {
            let name = if entry.stream == "gap" { "gap" } else { "line" };
            return Frame::new(name, Some(entry.n.to_string()), json).bytes();
        }
        Bytes::from(json + "\n")
    }
}

/// Sees to it that a hole in the numbers is never passed over in silence.
#[derive(Debug)]
struct Numbers {
    /// The next number that is no hole.
    next: u64,
}

impl Numbers {
    fn new(from: u64) -> Self {
        Self { next: from }
    }

    /// The gap to show before `entry`, when numbers are missing that no gap line told of.
    fn gap_before(&mut self, entry: &LogEntry) -> Option<LogEntry> {
        let missing = entry.n.saturating_sub(self.next);
        let first = self.next;
        let told: u64 = if entry.stream == "gap" { entry.text.parse().unwrap_or(1) } else { 1 };
        self.next = self.next.max(entry.n.saturating_add(told.max(1)));
        let gap = LogEntry { n: first, at: entry.at, stream: "gap".into(), text: missing.to_string() };
        (missing > 0).then_some(gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ikigai_types::Timestamp;

    fn line(n: u64, stream: &str, text: &str) -> LogEntry {
        LogEntry { n, at: Timestamp(0), stream: stream.into(), text: text.into() }
    }

    fn gaps(from: u64, lines: &[LogEntry]) -> Vec<(u64, String)> {
        let mut numbers = Numbers::new(from);
        lines.iter().filter_map(|l| numbers.gap_before(l)).map(|g| (g.n, g.text)).collect()
    }

    #[test]
    fn holes_are_told_once() {
        let out = |n| line(n, "stdout", "x");
        assert_eq!(gaps(1, &[out(1), out(2), out(3)]), []);
        assert_eq!(gaps(1, &[out(1), out(5), out(6)]), [(2, "3".into())]);
        assert_eq!(gaps(3, &[out(5)]), [(3, "2".into())]);
        assert_eq!(gaps(1, &[out(1), line(2, "gap", "3"), out(5)]), []);
        assert_eq!(gaps(1, &[out(1), line(2, "gap", "3"), out(7)]), [(5, "2".into())]);
    }
}
