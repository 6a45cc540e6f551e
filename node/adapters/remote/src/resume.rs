//! Streams that go on after a break, from the last thing that was read: nothing lost, nothing twice.

use crate::call::{Call, encode};
use crate::sse::{Decoder, Sse};
use crate::target::Target;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use ikigai_ports::node::Answer;
use ikigai_types::AttemptId;
use ikigai_wire::api::{Code, Event, LogEntry, Problem};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// A stream that says nothing for this long, not even a sign of life, is broken.
const SILENCE: Duration = Duration::from_secs(45);
/// How long to try to come back before giving up.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest wait between two tries.
const MAX_WAIT: Duration = Duration::from_secs(2);

/// What is read, and where it stands: the part that differs between logs and events.
pub(crate) trait Feed: Send + 'static {
    type Item: Send + 'static;

    /// The request that goes on from here.
    fn call(&self) -> Call;

    /// What an event of the stream means, and where that leaves us.
    fn take(&mut self, event: Sse) -> Take<Self::Item>;
}

pub(crate) enum Take<T> {
    Item(T),
    Problem(Problem),
    Skip,
    End,
}

struct Resuming<F: Feed> {
    target: Target,
    feed: F,
    body: Option<(Incoming, Decoder)>,
    ready: VecDeque<Sse>,
    /// When the stream was last whole, and how often was tried since.
    broken: Option<(Instant, u32)>,
    ended: bool,
}

/// Opens `feed` at `target`; the first failure is answered, later ones are mended.
pub(crate) async fn open<F: Feed>(target: Target, feed: F) -> Answer<BoxStream<'static, Answer<F::Item>>> {
    let mut resuming =
        Resuming { target, feed, body: None, ready: VecDeque::new(), broken: None, ended: false };
    resuming.connect().await?;
    let next = |mut r: Resuming<F>| async move { r.next().await.map(|item| (item, r)) };
    Ok(stream::unfold(resuming, next).boxed())
}

// === impl Resuming ===

impl<F: Feed> Resuming<F> {
    async fn connect(&mut self) -> Answer<()> {
        let response = self.feed.call().stream().send(&self.target).await?;
        self.body = Some((response.into_body(), Decoder::default()));
        Ok(())
    }

    async fn next(&mut self) -> Option<Answer<F::Item>> {
        while !self.ended {
            if let Some(event) = self.ready.pop_front() {
                match self.feed.take(event) {
                    Take::Item(item) => return Some(Ok(item)),
                    Take::Problem(problem) => return Some(Err(problem)),
                    Take::Skip => {}
                    Take::End => self.ended = true,
                }
            } else if let Err(problem) = self.more().await {
                self.ended = true;
                return Some(Err(problem));
            }
        }
        None
    }

    /// Reads on; a break is mended with patience. Errors only when that is not possible.
    async fn more(&mut self) -> Answer<()> {
        let Some((body, decoder)) = self.body.as_mut() else { return self.mend().await };
        let frame = match tokio::time::timeout(SILENCE, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            _ => {
                self.body = None;
                return Ok(());
            }
        };
        if let Ok(bytes) = frame.into_data() {
            let long = |_| Problem::plain(Code::Failed, format!("{} sends events without end", self.target));
            self.ready.extend(decoder.feed(&bytes).map_err(long)?);
            self.broken = None;
        }
        Ok(())
    }

    async fn mend(&mut self) -> Answer<()> {
        let (since, tries) = *self.broken.get_or_insert((Instant::now(), 0));
        if since.elapsed() > PATIENCE {
            let text = format!("{} breaks off again and again", self.target);
            return Err(Problem::new(Code::Unreachable, text, "run: ikigai doctor"));
        }
        if tries > 0 {
            tokio::time::sleep(MAX_WAIT.min(Duration::from_millis(50 << tries.min(6)))).await;
        }
        self.broken = Some((since, tries + 1));
        match self.connect().await {
            Ok(()) => Ok(()),
            Err(p) if p.code == Code::Unreachable && since.elapsed() < PATIENCE => Ok(()),
            Err(p) => Err(p),
        }
    }
}

/// Lines of an attempt.
pub(crate) struct Lines {
    pub(crate) attempt: AttemptId,
    pub(crate) next: u64,
    pub(crate) follow: bool,
}

impl Feed for Lines {
    type Item = LogEntry;

    fn call(&self) -> Call {
        let AttemptId { task, number } = &self.attempt;
        let (task, next, follow) = (encode(task.as_str()), self.next, self.follow);
        Call::get(format!("/v1/tasks/{task}/attempts/{number}/logs?from={next}&follow={follow}"))
    }

    fn take(&mut self, event: Sse) -> Take<LogEntry> {
        if event.name == "end" {
            return Take::End;
        }
        match serde_json::from_str::<LogEntry>(&event.data) {
            Ok(entry) if entry.n < self.next => Take::Skip,
            Ok(entry) => {
                self.next = entry.n.saturating_add(1);
                Take::Item(entry)
            }
            Err(e) => Take::Problem(unreadable(&e)),
        }
    }
}

/// Events of the owner's log.
pub(crate) struct Events {
    pub(crate) cursor: Option<String>,
}

impl Feed for Events {
    type Item = Event;

    fn call(&self) -> Call {
        let call = Call::get("/v1/events");
        match &self.cursor {
            Some(cursor) => call.header("last-event-id", cursor),
            None => call,
        }
    }

    fn take(&mut self, event: Sse) -> Take<Event> {
        if event.id.is_some() {
            self.cursor.clone_from(&event.id);
        }
        let reread = "read the snapshot again";
        match event.name.as_str() {
            "event" => {
                serde_json::from_str(&event.data).map_or_else(|e| Take::Problem(unreadable(&e)), Take::Item)
            }
            "resync" => Take::Problem(Problem::new(Code::Conflict, "the node has another log now", reread)),
            "gap" => Take::Problem(Problem::new(
                Code::Conflict,
                format!("events are missing: {}", event.data),
                reread,
            )),
            "error" => Take::Problem(serde_json::from_str(&event.data).unwrap_or_else(|e| unreadable(&e))),
            _ => Take::Skip,
        }
    }
}

fn unreadable(error: &serde_json::Error) -> Problem {
    Problem::plain(Code::Failed, format!("what the node sent cannot be read: {error}"))
}
