//! Engines end a follower's reading before the output ends (seen with 20.10 and a reader slower than the
//! workload). A pretended engine does so every time.

use bollard::{API_DEFAULT_VERSION, Docker};
use futures::StreamExt;
use ikigai_docker::output;
use ikigai_ports::PortError;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// What the log file holds: with the times, a long line in pieces whose last has lost its newline.
fn entries() -> Vec<Vec<u8>> {
    let long = "x".repeat(16 << 10);
    let texts = ["one\n".to_owned(), "two\n".to_owned(), long, String::new(), "three\n".to_owned()];
    let times = [1, 2, 3, 3, 4];
    let entry =
        |(time, text): (i32, &String)| format!("2026-01-01T00:00:00.00000000{time}Z {text}").into_bytes();
    times.into_iter().zip(&texts).map(entry).collect()
}

fn frames(entries: &[Vec<u8>]) -> Vec<u8> {
    let header = |len: usize| [vec![1, 0, 0, 0], u32::try_from(len).unwrap().to_be_bytes().to_vec()].concat();
    entries.iter().flat_map(|entry| [header(entry.len()), entry.clone()].concat()).collect()
}

/// Answers one request. Following, it gives the first `early` entries, then ends as if that were all.
async fn answer(mut stream: UnixStream, early: usize, kept: usize) {
    let mut request = vec![0; 8192];
    let count = stream.read(&mut request).await.unwrap();
    let line = String::from_utf8_lossy(&request[..count]).lines().next().unwrap().to_owned();
    let all = entries();
    let body = match line {
        l if l.contains("/logs") && l.contains("follow=true") => frames(&all[..early]),
        l if l.contains("/logs") && l.contains("tail=1") => frames(&all[kept - 1..kept]),
        l if l.contains("/logs") => frames(&all[..kept]),
        l if l.contains("/json") => br#"{"State":{"Status":"exited","ExitCode":0}}"#.to_vec(),
        l => panic!("asked for {l}"),
    };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(&[head.into_bytes(), body].concat()).await.unwrap();
}

async fn read(socket: &Path, early: usize, kept: usize) -> Vec<Result<String, PortError>> {
    let _ = std::fs::remove_file(socket);
    let listener = UnixListener::bind(socket).unwrap();
    let engine = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, early, kept));
        }
    });
    let client = Docker::connect_with_unix(socket.to_str().unwrap(), 5, API_DEFAULT_VERSION).unwrap();
    let lines = output::lines(&client, "w").collect().await;
    engine.abort();
    lines
}

#[tokio::test]
async fn a_reading_that_ends_early_is_taken_up_again() {
    let folder = tempfile::tempdir().unwrap();
    let all = entries().len();
    for early in 0..=all {
        let lines = read(&folder.path().join("s"), early, all).await;
        let lines: Vec<String> = lines.into_iter().map(Result::unwrap).collect();
        assert!(lines == ["one", "two", &"x".repeat(16 << 10), "three"], "after {early} entries");
    }
}

#[tokio::test]
async fn a_log_that_became_shorter_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let lines = read(&folder.path().join("s"), 2, 1).await;
    assert!(matches!(lines.last().unwrap(), Err(PortError::Corrupt(_))), "{lines:?}");
}
