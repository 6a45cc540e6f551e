//! The picture kept true: snapshots after events and every few seconds, lines of the task that is looked at.

use super::keys::Ask;
use super::model::{Model, Prompt};
use super::screen::{self, Said, Screen};
use super::view;
use crate::agentlog::Readable;
use crate::run::{INTERRUPTED, Outcome};
use futures::StreamExt;
use ikigai_ports::NodeHandle;
use ikigai_ports::node::Answer;
use ikigai_remote::RemoteNode;
use ikigai_types::{AttemptId, Timestamp};
use ikigai_wire::api::{Code, Command, Filter, Problem, Snapshot};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::AbortHandle;

/// What no event tells of, such as what a node has free, is asked for this often.
const POLL: Duration = Duration::from_secs(3);
/// Events that come within this are followed by one snapshot.
const TOGETHER: Duration = Duration::from_millis(150);
/// How often ages grow, and how soon a node that is away is asked again.
const BEAT: Duration = Duration::from_secs(1);

/// What the node told.
#[derive(Debug)]
enum Told {
    Snapshot(Box<Answer<Snapshot>>),
    Lines(AttemptId, Vec<String>),
    Done(String),
}

/// Shows it until the person quits.
pub(super) async fn run(node: RemoteNode, mut model: Model) -> Outcome {
    let failed = |e: std::io::Error| Problem::plain(Code::Failed, format!("cannot show it: {e}"));
    let mut ended = signal(SignalKind::terminate()).map_err(failed)?;
    let mut hung_up = signal(SignalKind::hangup()).map_err(failed)?;
    let mut screen = Screen::open()?;
    let mut keys = screen::keys();
    let (tell, mut told) = channel(256);
    tokio::spawn(watch(node.clone(), tell.clone()));
    let mut follower = Follower { node: node.clone(), tell: tell.clone(), now: None };
    let mut beat = tokio::time::interval(BEAT);
    loop {
        model.now = now();
        follower.follow(model.wants_lines());
        screen.0.draw(|frame| view::draw(&model, frame.area(), frame.buffer_mut())).map_err(failed)?;
        tokio::select! {
            said = keys.recv() => match said {
                None => return Err(Problem::plain(Code::Failed, "the terminal is gone")),
                Some(Said::Size) => {}
                Some(Said::Key(key)) => match model.key(key) {
                    Some(Ask::Quit) => return Ok(0),
                    Some(Ask::Interrupt) => return Ok(INTERRUPTED),
                    Some(ask) => drop(tokio::spawn(act(node.clone(), ask, tell.clone()))),
                    None => {}
                },
            },
            Some(first) = told.recv() => take(&mut model, first, &mut told),
            _ = beat.tick() => {}
            _ = ended.recv() => return Ok(INTERRUPTED),
            _ = hung_up.recv() => return Ok(INTERRUPTED),
        }
    }
}

/// Takes in all that is there, so that one frame shows it.
fn take(model: &mut Model, first: Told, more: &mut Receiver<Told>) {
    model.now = now();
    let mut next = Some(first);
    while let Some(told) = next {
        match told {
            Told::Snapshot(answer) => match *answer {
                Ok(snapshot) => model.take(snapshot),
                Err(problem) => model.lose(&problem.message),
            },
            Told::Lines(attempt, lines) => model.add_lines(&attempt, lines),
            Told::Done(text) => model.prompt = Prompt::Note(text),
        }
        next = more.try_recv().ok();
    }
}

/// Reads the snapshot, goes on from its cursor, and reads it again after what happens. A break is told at once.
async fn watch(node: RemoteNode, tell: Sender<Told>) {
    loop {
        let snapshot = node.snapshot(Filter::default()).await;
        let cursor = snapshot.as_ref().ok().map(|s| s.cursor.clone());
        if tell.send(Told::Snapshot(Box::new(snapshot))).await.is_err() {
            return;
        }
        let events = match cursor {
            Some(cursor) => node.events(Some(cursor)).await.ok(),
            None => None,
        };
        let Some(mut events) = events else {
            tokio::time::sleep(BEAT).await;
            continue;
        };
        if matches!(tokio::time::timeout(POLL, events.next()).await, Ok(Some(Ok(_)))) {
            tokio::time::sleep(TOGETHER).await;
        }
    }
}

/// Follows the lines of the attempt that is looked at.
struct Follower {
    node: RemoteNode,
    tell: Sender<Told>,
    now: Option<(AttemptId, AbortHandle)>,
}

impl Follower {
    fn follow(&mut self, wanted: Option<AttemptId>) {
        if self.now.as_ref().map(|(attempt, _)| attempt) == wanted.as_ref() {
            return;
        }
        if let Some((_, task)) = self.now.take() {
            task.abort();
        }
        self.now = wanted.map(|attempt| {
            let task = tokio::spawn(lines(self.node.clone(), attempt.clone(), self.tell.clone()));
            (attempt, task.abort_handle())
        });
    }
}

async fn lines(node: RemoteNode, attempt: AttemptId, tell: Sender<Told>) {
    // Also without a line, for those of another attempt are to go.
    let _ = tell.send(Told::Lines(attempt.clone(), Vec::new())).await;
    let mut readable = Readable::default();
    let mut next = 1;
    loop {
        if let Ok(mut entries) = node.logs(&attempt, next, true).await {
            while let Some(Ok(entry)) = entries.next().await {
                next = entry.n + 1;
                let shown = readable.read(entry).into_iter().flat_map(|(_, lines)| lines).collect();
                if tell.send(Told::Lines(attempt.clone(), shown)).await.is_err() {
                    return;
                }
            }
        }
        tokio::time::sleep(BEAT).await;
    }
}

async fn act(node: RemoteNode, ask: Ask, tell: Sender<Told>) {
    let said = match ask {
        Ask::Open(task) => node.open(&task).await.map(|link| link.url),
        Ask::Command(task, command) => {
            let done = done(&command);
            node.command(&task, command).await.map(|t| format!("{} {done}", t.short))
        }
        Ask::Quit | Ask::Interrupt => return,
    };
    let text = said.unwrap_or_else(|problem| match problem.hint {
        Some(hint) => format!("{}; {hint}", problem.message),
        None => problem.message,
    });
    let _ = tell.send(Told::Done(text)).await;
}

const fn done(command: &Command) -> &'static str {
    match command {
        Command::Pause => "is paused",
        Command::Resume => "goes on",
        Command::Accept { .. } => "is accepted",
        _ => "is told",
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
