//! Log lines and events as streams: read what is kept, then wait for more.

use super::Handle;
use crate::journal::Journal;
use crate::view;
use futures::stream::{self, BoxStream, StreamExt as _};
use ikigai_ports::logs::{LogLine, Stream};
use ikigai_ports::node::Answer;
use ikigai_types::AttemptId;
use ikigai_wire::api::{Code, Event, LogEntry, Problem};
use std::sync::Arc;
use tokio::sync::watch;

/// Lines or events read at once.
const PAGE: usize = 512;

struct Follow {
    handle: Handle,
    attempt: AttemptId,
    next: u64,
    follow: bool,
    lines: watch::Receiver<u64>,
    events: watch::Receiver<u64>,
}

pub(super) async fn logs(
    handle: Handle,
    attempt: AttemptId,
    from: u64,
    follow: bool,
) -> Answer<BoxStream<'static, Answer<LogEntry>>> {
    let lines = handle.parts.logs.watch(&attempt).await.map_err(view::problem)?;
    let events = handle.journal.last();
    let state = Follow { handle, attempt, next: from.max(1), follow, lines, events };
    let pages = stream::try_unfold(Some(state), |state| async move {
        let Some(mut state) = state else { return Ok(None) };
        match state.page().await? {
            Some(page) => Ok(Some((page, Some(state)))),
            None => Ok(None),
        }
    });
    let entries = pages.flat_map(|page: Answer<Vec<LogEntry>>| match page {
        Ok(page) => stream::iter(page.into_iter().map(Ok).collect::<Vec<_>>()),
        Err(problem) => stream::iter(vec![Err(problem)]),
    });
    Ok(entries.boxed())
}

impl Follow {
    /// The next lines; waits for them when following. `None` at the end.
    async fn page(&mut self) -> Answer<Option<Vec<LogEntry>>> {
        loop {
            self.lines.borrow_and_update();
            self.events.borrow_and_update();
            // Asked before reading: lines of an attempt that was over by then are all there to be read.
            let over = !self.follow || self.is_over().await?;
            let read = self.handle.parts.logs.read(&self.attempt, self.next, PAGE).await;
            let page = read.map_err(view::problem)?;
            if let Some(last) = page.last() {
                self.next = last_number(last) + 1;
                return Ok(Some(page.into_iter().map(entry).collect()));
            }
            if over {
                return Ok(None);
            }
            let gone = tokio::select! {
                changed = self.lines.changed() => changed.is_err(),
                changed = self.events.changed() => changed.is_err(),
            };
            if gone {
                return Ok(None);
            }
        }
    }

    async fn is_over(&self) -> Answer<bool> {
        let attempt = self.attempt.clone();
        let looked = self.handle.owner.look(move |o| {
            let task = o.task(&attempt.task);
            let found = task.and_then(|t| t.attempts.iter().find(|a| a.fence.attempt == attempt));
            found.is_none_or(|a| a.phase == ikigai_task::Phase::Ended)
        });
        looked.await.map_err(crate::submit::problem)
    }
}

/// A gap stands for all the lines it says are missing.
fn last_number(line: &LogLine) -> u64 {
    match line.stream {
        Stream::Gap => line.n + line.text.parse::<u64>().unwrap_or(1).saturating_sub(1),
        _ => line.n,
    }
}

fn entry(line: LogLine) -> LogEntry {
    let stream = match line.stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
        Stream::System => "system",
        Stream::Gap => "gap",
    };
    LogEntry { n: line.n, at: line.at, stream: stream.to_owned(), text: line.text }
}

pub(super) fn events(
    journal: Arc<Journal>,
    cursor: Option<&str>,
) -> Answer<BoxStream<'static, Answer<Event>>> {
    let next = match cursor {
        None => 1,
        Some(cursor) => sequence(&journal, cursor)? + 1,
    };
    let state = (journal.last(), journal, next);
    let pages = stream::unfold(state, |(mut last, journal, next)| async move {
        loop {
            last.borrow_and_update();
            match journal.read(next, PAGE).await {
                Ok(page) if page.is_empty() => last.changed().await.ok()?,
                Ok(page) => {
                    let after = page.last().map_or(next, |(n, _)| n + 1);
                    let events: Vec<_> =
                        page.iter().map(|(n, r)| Ok(view::event(journal.epoch(), *n, r))).collect();
                    return Some((events, (last, journal, after)));
                }
                Err(error) => return Some((vec![Err(view::problem(error))], (last, journal, next))),
            }
        }
    });
    Ok(pages.flat_map(stream::iter).boxed())
}

fn sequence(journal: &Journal, cursor: &str) -> Answer<u64> {
    let bad = |what: &str| Problem::new(Code::Conflict, what.to_owned(), "start again without a cursor");
    let (epoch, n) = cursor.rsplit_once('.').ok_or_else(|| bad("the cursor cannot be read"))?;
    if epoch != journal.epoch() {
        return Err(bad("the cursor is of another log"));
    }
    let n: u64 = n.parse().map_err(|_| bad("the cursor cannot be read"))?;
    if n > *journal.last().borrow() {
        return Err(bad("the cursor lies ahead of the log"));
    }
    Ok(n)
}
