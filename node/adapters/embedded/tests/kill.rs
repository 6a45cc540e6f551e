//! Kills a process that appends log lines at random moments: what was answered is there, once and in order.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use ikigai_embedded::{Bounds, SegmentLogs};
use ikigai_ports::PortResult;
use ikigai_ports::logs::{LogLine, Logs};
use ikigai_ports::testsuite::chance::Chance;
use ikigai_ports::testsuite::kill::{Answered, Subject, answered, found, run};
use ikigai_ports::testsuite::logs::line;
use ikigai_types::{AttemptId, TaskId};
use std::path::Path;
use std::sync::Arc;

const WRITERS: u64 = 6;

/// Lines of one attempt, after which the next is begun and this one removed.
const LINES: u64 = 100;

/// Small, so that files are written and journals are settled within a child's short life.
const BOUNDS: Bounds = Bounds { journal: 20_000, waiting: 8_000, waiting_of_one: 3_000 };

fn main() {
    run("embedded", &LogSubject);
}

struct LogSubject;

/// The attempt in which a writer's line `place` (from 1, over all attempts) is, and its number there.
fn place_of(writer: u64, place: u64) -> (AttemptId, u64) {
    let number = u32::try_from((place - 1) / LINES + 1).unwrap();
    let task = TaskId::new(format!("kill.001-logs.T{writer:03}")).unwrap();
    (AttemptId { task, number }, (place - 1) % LINES + 1)
}

fn text(writer: u64, place: u64) -> String {
    let mut chance = Chance::new(writer << 40 | place);
    let length = if chance.one_in(50) { chance.below(30_000) } else { chance.below(150) };
    format!("{writer}/{place} {}", "é".repeat(length as usize))
}

fn line_of(writer: u64, place: u64) -> LogLine {
    line(place_of(writer, place).1, &text(writer, place))
}

/// How many lines a writer's logs hold, over all attempts, removed ones included.
async fn place(logs: &SegmentLogs, writer: u64) -> PortResult<u64> {
    let (mut place, mut missing) = (0, 0);
    for attempt in 0.. {
        let last = *logs.watch(&place_of(writer, attempt * LINES + 1).0).await?.borrow();
        (place, missing) = if last > 0 { (attempt * LINES + last, 0) } else { (place, missing + 1) };
        if missing > 40 {
            break;
        }
    }
    Ok(place)
}

async fn write(logs: &SegmentLogs, writer: u64, mut done: u64) -> PortResult<()> {
    let mut chance = Chance::new(writer + done);
    if done > LINES {
        logs.remove(&place_of(writer, done - LINES).0).await?;
    }
    loop {
        let (attempt, n) = place_of(writer, done + 1);
        let count = if n == 1 { 1 } else { (1 + chance.below(4)).min(LINES + 1 - n) };
        // From the last line kept, as a source does that lost its connection.
        let from = if n > 1 && chance.one_in(3) { done } else { done + 1 };
        let lines = (from..=done + count).map(|place| line_of(writer, place)).collect();
        assert_eq!(logs.append(&attempt, lines).await?, n + count - 1);
        done += count;
        answered(&writer.to_string(), done);
        if n == 1 && done > LINES {
            logs.remove(&place_of(writer, done - LINES).0).await?;
        }
    }
}

/// What is missing or wrong of a writer's logs.
async fn check(logs: &SegmentLogs, writer: u64, answered: u64) -> Result<(), String> {
    let place = place(logs, writer).await.map_err(|e| e.chain())?;
    if place < answered {
        return Err(format!("writer {writer}: line {answered} was answered, {place} is the last one kept"));
    }
    if place == 0 {
        return Ok(());
    }
    let (attempt, last) = place_of(writer, place);
    let read = logs.read(&attempt, 1, usize::MAX).await.map_err(|e| e.chain())?;
    let wanted: Vec<LogLine> = (place - last + 1..=place).map(|place| line_of(writer, place)).collect();
    if let Some((_, found)) = wanted.iter().zip(&read).find(|(wanted, found)| wanted != found) {
        return Err(format!("writer {writer}: line {} of {attempt} is wrong: {:.80}", found.n, found.text));
    }
    if wanted.len() != read.len() {
        return Err(format!("writer {writer}: {} lines of {attempt}, not {}", read.len(), wanted.len()));
    }
    // The attempt before was removed before the second line of this one was appended.
    if place > LINES && last > 1 {
        let (removed, _) = place_of(writer, place - LINES);
        let read = logs.read(&removed, 1, 1).await.map_err(|e| e.chain())?;
        return if read.is_empty() { Ok(()) } else { Err(format!("{removed} was removed and is back")) };
    }
    Ok(())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

impl Subject for LogSubject {
    fn write(&self, folder: &Path) -> PortResult<()> {
        let logs = Arc::new(SegmentLogs::open_with(folder, BOUNDS)?);
        runtime().block_on(async {
            let mut writers = tokio::task::JoinSet::new();
            for writer in 0..WRITERS {
                let done = place(&logs, writer).await?;
                found(&writer.to_string(), done);
                let logs = Arc::clone(&logs);
                writers.spawn(async move { write(&logs, writer, done).await });
            }
            writers.join_next().await.unwrap().unwrap()
        })
    }

    fn check(&self, folder: &Path, answered: &Answered) -> Result<(), String> {
        let logs = SegmentLogs::open_with(folder, BOUNDS).map_err(|e| format!("opening: {}", e.chain()))?;
        runtime().block_on(async {
            for writer in 0..WRITERS {
                check(&logs, writer, answered.get(&writer.to_string()).copied().unwrap_or(0)).await?;
            }
            Ok(())
        })
    }
}
