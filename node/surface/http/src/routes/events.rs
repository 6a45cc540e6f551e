//! `/v1/events`: the owner's log as server-sent events, from any cursor on.

use super::App;
use super::extract::Params;
use super::streams::{self, Gone, KEEP_ALIVE, Pipe, last_event_id};
use crate::api::Shared;
use crate::frames::{Cursor, Frame, Frames, Start, start};
use crate::reply::{Failure, Reply};
use axum::extract::State;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use http::HeaderMap;
use ikigai_ports::node::Answer;
use ikigai_wire::api::{Code, Event, Filter};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

/// Query of events.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventQuery {
    /// Go on after this cursor; absent: from the beginning.
    cursor: Option<String>,
}

pub(super) async fn events(State(app): App, Params(query): Params<EventQuery>, headers: HeaderMap) -> Reply {
    let given = last_event_id(&headers)?.or(query.cursor);
    let wrong = |()| Failure::usage("the cursor is not one of this API", "send back a cursor as it came");
    let given = given.map(|c| c.parse::<Cursor>().map_err(wrong)).transpose()?;
    // No state is called this: only the cursor is wanted, not every task.
    let none = Filter { states: vec!["-".into()], ..Filter::default() };
    let now = app.handle.snapshot(none).await?.cursor;
    let mut begin = start(given, &now);
    let source = match app.handle.events(cursor_of(&begin)).await {
        Err(problem) if problem.code == Code::Conflict => {
            begin = Start::Resync(now.clone());
            app.handle.events(Some(now.clone())).await?
        }
        other => other?,
    };
    let frames = Frames::new(cursor_of(&begin).as_deref(), &now);
    let resync = matches!(begin, Start::Resync(_)).then(|| Frame::resync(&now));
    let app = app.clone();
    Ok(streams::answer("text/event-stream", |pipe| async move {
        write(&app, &pipe, resync, frames, source).await
    }))
}

fn cursor_of(start: &Start) -> Option<String> {
    match start {
        Start::After(cursor) => cursor.clone(),
        Start::Resync(cursor) => Some(cursor.clone()),
    }
}

async fn write(
    app: &Arc<Shared>,
    pipe: &Pipe,
    resync: Option<Frame>,
    mut frames: Frames,
    mut source: BoxStream<'static, Answer<Event>>,
) {
    let opening = resync.into_iter().chain(frames.opening()).collect();
    if send(pipe, opening).await.is_err() {
        return;
    }
    let mut beat = tokio::time::interval(KEEP_ALIVE);
    beat.reset();
    loop {
        let sent = tokio::select! {
            () = pipe.gone() => return,
            () = app.stop.cancelled() => return pipe.cut("the node stops").await,
            _ = beat.tick() => pipe.send(Bytes::from_static(b": keep-alive\n\n")).await,
            next = source.next() => match next {
                Some(Ok(event)) => send(pipe, frames.event(&event)).await,
                Some(Err(problem)) => {
                    let _ = send(pipe, vec![Frame::problem(&problem)]).await;
                    return pipe.cut(&problem.message).await;
                }
                None => return pipe.cut("the log ended").await,
            },
        };
        if let Err(Gone) = sent {
            return;
        }
    }
}

async fn send(pipe: &Pipe, frames: Vec<Frame>) -> Result<(), Gone> {
    for frame in frames {
        pipe.send(frame.bytes()).await?;
    }
    Ok(())
}
