//! Events and logs as they stream.

use crate::served::{Served, TOKEN, request};
use ikigai_types::{AttemptId, TaskId};
use serde_json::Value;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;

/// A stream that is read line by line, chunk sizes skipped.
struct Reader(Lines<BufReader<UnixStream>>);

impl Reader {
    async fn open(served: &Served, path: &str, headers: &str) -> Self {
        let mut stream = served.unix().await;
        let request = request("GET", path, headers, "").replace(":PORT", "").replace("TOKEN", TOKEN);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reader = Self(BufReader::new(stream).lines());
        while !reader.line().await.expect("a head").is_empty() {}
        reader
    }

    async fn line(&mut self) -> Option<String> {
        let next = tokio::time::timeout(Duration::from_secs(10), self.0.next_line()).await;
        next.expect("a line within ten seconds").ok().flatten()
    }

    /// The next event: its name, id and data.
    async fn event(&mut self) -> Option<(String, Option<String>, Value)> {
        let (mut name, mut id) = (String::new(), None);
        loop {
            let line = self.line().await?;
            if let Some(text) = line.strip_prefix("event: ") {
                name = text.to_owned();
            } else if let Some(text) = line.strip_prefix("id: ") {
                id = Some(text.to_owned());
            } else if let Some(text) = line.strip_prefix("data: ") {
                return Some((name, id, serde_json::from_str(text).unwrap()));
            }
        }
    }

    async fn names(&mut self, n: usize) -> Vec<String> {
        let mut out = Vec::new();
        for _ in 0..n {
            let (name, id, _) = self.event().await.expect("an event");
            out.push(format!("{name} {}", id.unwrap_or_default()).trim_end().to_owned());
        }
        out
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_begin_anywhere_and_say_when_they_caught_up() {
    let served = Served::shop().await;
    let mut all = Reader::open(&served, "/v1/events", "").await;
    let names = all.names(8).await;
    assert_eq!(names[0], "event 1.1");
    assert_eq!(names[6..], ["event 1.7", "caught-up"]);
    served.fake.turn("T003", "verifying", "T003 is checked");
    assert_eq!(all.names(1).await, ["event 1.8"]);

    let mut some = Reader::open(&served, "/v1/events?cursor=1.6", "").await;
    assert_eq!(some.names(3).await, ["event 1.7", "event 1.8", "caught-up"]);
    let mut back = Reader::open(&served, "/v1/events?cursor=1.1", "Last-Event-ID: 1.8\r\n").await;
    assert_eq!(back.names(1).await, ["caught-up"]);
    served.fake.turn("T003", "review", "T003 can be reviewed");
    let (_, id, data) = back.event().await.unwrap();
    assert_eq!((id.as_deref(), data["state"].as_str()), (Some("1.9"), Some("review")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_another_log_is_told_to_resync() {
    let served = Served::shop().await;
    served.fake.restart_log();
    served.fake.turn("T003", "verifying", "T003 is checked");
    let mut reader = Reader::open(&served, "/v1/events", "Last-Event-ID: 1.7\r\n").await;
    assert_eq!(reader.names(2).await, ["resync 2.1", "caught-up"]);
    served.fake.turn("T003", "review", "T003 can be reviewed");
    assert_eq!(reader.names(1).await, ["event 2.2"]);
    let mut future = Reader::open(&served, "/v1/events?cursor=2.999", "").await;
    assert_eq!(future.names(1).await, ["resync 2.2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_comes_back_misses_nothing() {
    let served = Served::shop().await;
    let mut seen = Vec::new();
    let mut last = "1.0".to_owned();
    for round in 0..100 {
        let mut reader = Reader::open(&served, "/v1/events", &format!("Last-Event-ID: {last}\r\n")).await;
        served.fake.turn("T003", &format!("s{round}"), "turns");
        // Reads some and goes away in the middle of the stream.
        while let Some((name, id, _)) = reader.event().await {
            if name == "event" {
                last = id.unwrap();
                seen.push(last.clone());
            }
            if seen.len() > round {
                break;
            }
        }
    }
    let wanted: Vec<_> = (1..=100).map(|n| format!("1.{n}")).collect();
    assert_eq!(seen, wanted);
}

fn attempt(short: &str) -> AttemptId {
    AttemptId { task: TaskId::new(format!("1f0c2a77.001-shop.{short}")).unwrap(), number: 1 }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_lines_or_events() {
    let served = Served::shop().await;
    let lines = served.local("GET", "/v1/tasks/T006/attempts/1/logs", "").await;
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    let numbers: Vec<_> = lines
        .body
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).unwrap()["n"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [1, 2, 5]);
    let from = served.local("GET", "/v1/tasks/T006/attempts/1/logs?from=3&follow=true", "").await;
    assert_eq!(from.body.lines().count(), 2, "the rest of the gap, and line 5: {from:?}");

    let sse = "Accept: text/event-stream\r\n";
    let mut reader = Reader::open(&served, "/v1/tasks/T006/attempts/1/logs", sse).await;
    assert_eq!(reader.names(4).await, ["line 1", "gap 2", "line 5", "end"]);
    let back = format!("{sse}Last-Event-ID: 2\r\n");
    let mut reader = Reader::open(&served, "/v1/tasks/T003/attempts/1/logs?follow=true", &back).await;
    assert_eq!(reader.names(1).await, ["line 3"]);
    served.fake.print(&attempt("T003"), "more");
    served.fake.lose(&attempt("T003"), 3);
    assert_eq!(reader.names(3).await, ["line 4", "gap 5", "line 8"]);
    served.fake.end(&attempt("T003"), 0);
    assert_eq!(reader.names(1).await, ["end"]);
    assert!(reader.event().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stops_cuts_its_streams_and_ends_within_its_grace() {
    let served = Served::shop().await;
    let sse = "Accept: text/event-stream\r\n";
    let mut logs = Reader::open(&served, "/v1/tasks/T003/attempts/1/logs?follow=true", sse).await;
    let mut events = Reader::open(&served, "/v1/events?cursor=1.7", "").await;
    logs.names(3).await;
    events.names(1).await;
    served.stop.cancel();
    assert!(logs.event().await.is_none(), "no end is said: this was none");
    assert!(events.event().await.is_none());
    tokio::time::timeout(Duration::from_secs(5), served.serving).await.expect("ends in time").unwrap();
    assert!(!served.socket.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_leaves_nothing_behind() {
    let served = Served::shop().await;
    for _ in 0..50 {
        let mut reader = Reader::open(&served, "/v1/events?cursor=1.7", "").await;
        reader.names(1).await;
    }
    served.stop.cancel();
    tokio::time::timeout(Duration::from_secs(2), served.serving)
        .await
        .expect("no connection is left")
        .unwrap();
}
