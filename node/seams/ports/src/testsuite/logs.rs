//! The suite of [`Logs`].

use super::chance::Chance;
use crate::PortError;
use crate::logs::{LogLine, Logs, MAX_LINE, Stream};
use ikigai_types::{AttemptId, TaskId, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// Holds a backend to the port. `make` answers new, empty logs each time.
///
/// # Panics
/// At the first promise that is not kept. Wants a runtime with more than one thread.
pub async fn logs(make: impl AsyncFn() -> Arc<dyn Logs>) {
    numbers(&*make().await).await;
    replays(&*make().await).await;
    gaps(&*make().await).await;
    refusals(&*make().await).await;
    every_text(&*make().await).await;
    limits(&*make().await).await;
    removal(&*make().await).await;
    watches(&*make().await).await;
    follower(make().await).await;
    rivals(make().await).await;
    many_attempts(make().await).await;
}

/// Holds durable logs to what must outlive their process. `open` opens the same place each time; what it gave
/// before has been dropped by then.
///
/// # Panics
/// At the first promise that is not kept.
pub async fn reopened_logs(open: impl AsyncFn() -> Arc<dyn Logs>) {
    let mut chance = Chance::new(11);
    let mut kept: Vec<Vec<LogLine>> = vec![Vec::new(); 5];
    for round in 0..8 {
        let logs = open().await;
        for (i, lines) in kept.iter().enumerate() {
            let read = logs.read(&attempt(i), 1, usize::MAX).await.unwrap();
            assert_eq!(read, *lines, "round {round}: attempt {i} after opening again");
            let last = *logs.watch(&attempt(i)).await.unwrap().borrow();
            assert_eq!(last, lines.last().map_or(0, |line| line.n), "round {round}: attempt {i}");
        }
        for _ in 0..20 {
            let i = chance.below(5) as usize;
            if chance.one_in(20) {
                logs.remove(&attempt(i)).await.unwrap();
                kept[i].clear();
                continue;
            }
            let last = kept[i].last().map_or(0, |line| line.n);
            let new = random_lines(&mut chance, last);
            let replayed = kept[i].iter().rev().take(chance.below(4) as usize).rev().cloned();
            let answered = logs.append(&attempt(i), replayed.chain(new.clone()).collect()).await.unwrap();
            assert_eq!(answered, last + new.len() as u64);
            kept[i].extend(new);
        }
    }
}

fn random_lines(chance: &mut Chance, last: u64) -> Vec<LogLine> {
    let count = chance.below(40);
    (last + 1..=last + count)
        .map(|n| {
            let length =
                if chance.one_in(30) { chance.below(MAX_LINE as u64 + 1) } else { chance.below(200) };
            line(n, &"abcdefghi".repeat(length as usize / 9))
        })
        .collect()
}

/// An attempt of the suite.
pub fn attempt(i: usize) -> AttemptId {
    AttemptId { task: TaskId::new(format!("suite.001-logs.T{i:03}")).unwrap(), number: 1 }
}

/// A line of standard output.
pub fn line(n: u64, text: &str) -> LogLine {
    LogLine { n, at: Timestamp(1_000 + n), stream: Stream::Stdout, text: text.to_owned() }
}

fn lines(range: std::ops::RangeInclusive<u64>) -> Vec<LogLine> {
    range.map(|n| line(n, &format!("line {n}"))).collect()
}

async fn read_all(logs: &dyn Logs, i: usize) -> Vec<LogLine> {
    logs.read(&attempt(i), 0, usize::MAX).await.unwrap()
}

/// Fails instead of hanging.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future)
        .await
        .unwrap_or_else(|_| panic!("{what} within 30 s"))
}

async fn numbers(logs: &dyn Logs) {
    assert_eq!(read_all(logs, 1).await, []);
    assert_eq!(
        logs.append(&attempt(1), Vec::new()).await.unwrap(),
        0,
        "an empty append answers the last number"
    );
    assert_eq!(logs.append(&attempt(1), lines(1..=3)).await.unwrap(), 3);
    assert_eq!(logs.append(&attempt(1), lines(4..=4)).await.unwrap(), 4);
    assert_eq!(logs.append(&attempt(1), Vec::new()).await.unwrap(), 4);
    assert_eq!(logs.append(&attempt(2), lines(1..=1)).await.unwrap(), 1, "each attempt has its own numbers");
    let second_try = AttemptId { number: 2, ..attempt(1) };
    assert_eq!(logs.append(&second_try, lines(1..=2)).await.unwrap(), 2, "so has each try of a task");
    assert_eq!(read_all(logs, 1).await, lines(1..=4));
    assert_eq!(logs.read(&second_try, 1, 9).await.unwrap(), lines(1..=2));
}

async fn replays(logs: &dyn Logs) {
    logs.append(&attempt(1), lines(1..=5)).await.unwrap();
    assert_eq!(logs.append(&attempt(1), lines(1..=5)).await.unwrap(), 5);
    let other_words = vec![line(5, "other"), line(6, "new")];
    assert_eq!(logs.append(&attempt(1), other_words).await.unwrap(), 6);
    let read = read_all(logs, 1).await;
    assert_eq!(read[..5], lines(1..=5), "the first that was answered stays");
    assert_eq!(read[5..], [line(6, "new")]);
}

async fn gaps(logs: &dyn Logs) {
    logs.append(&attempt(1), lines(1..=2)).await.unwrap();
    assert_eq!(logs.append(&attempt(1), lines(6..=7)).await.unwrap(), 7);
    assert_eq!(logs.append(&attempt(1), vec![line(9, "nine")]).await.unwrap(), 9);
    let gap = |n, count: &str| LogLine { n, at: Timestamp(0), stream: Stream::Gap, text: count.to_owned() };
    let mut read = read_all(logs, 1).await;
    read.iter_mut().filter(|line| line.stream == Stream::Gap).for_each(|line| line.at = Timestamp(0));
    let mut wanted = lines(1..=2);
    wanted.push(gap(3, "3"));
    wanted.extend(lines(6..=7));
    wanted.push(gap(8, "1"));
    wanted.push(line(9, "nine"));
    assert_eq!(read, wanted);
    assert_eq!(logs.append(&attempt(1), lines(3..=5)).await.unwrap(), 9, "what comes too late is dropped");
    assert_eq!(read_all(logs, 1).await.len(), wanted.len());
    assert_eq!(logs.append(&attempt(2), vec![gap(1, "4")]).await.unwrap(), 4, "a gap stands for its range");
    assert_eq!(logs.append(&attempt(2), lines(5..=5)).await.unwrap(), 5);
    assert_eq!(read_all(logs, 2).await.len(), 2);
}

async fn refusals(logs: &dyn Logs) {
    logs.append(&attempt(1), lines(1..=2)).await.unwrap();
    let long = "x".repeat(MAX_LINE + 1);
    let bad = [
        vec![line(0, "zero")],
        vec![line(3, "c"), line(3, "c")],
        vec![line(4, "d"), line(3, "c")],
        vec![line(3, "c"), line(4, &long)],
        vec![line(3, "c"), LogLine { stream: Stream::Gap, ..line(4, "some") }],
        (3..=132).map(|n| line(n, &long[1..])).collect(),
    ];
    for lines in bad {
        let answer = logs.append(&attempt(1), lines).await;
        assert!(matches!(answer, Err(PortError::Refused(_))), "{answer:?}");
    }
    assert_eq!(read_all(logs, 1).await, lines(1..=2), "what is refused is refused whole");
    assert_eq!(logs.append(&attempt(1), lines(3..=3)).await.unwrap(), 3);
}

async fn every_text(logs: &dyn Logs) {
    let longest = "é".repeat(MAX_LINE / 2);
    let texts =
        ["", " ", "tab\t", "\u{1b}[31mred\u{1b}[0m", "nul \0", "inner\nnewline", "\r", "日本語 🦀", &longest];
    let streams = [Stream::Stdout, Stream::Stderr, Stream::System];
    let lines: Vec<LogLine> = (1..)
        .zip(texts)
        .map(|(n, text)| LogLine {
            stream: streams[n as usize % 3],
            at: Timestamp(u64::MAX - n),
            ..line(n, text)
        })
        .collect();
    logs.append(&attempt(1), lines.clone()).await.unwrap();
    assert_eq!(read_all(logs, 1).await, lines);
}

async fn limits(logs: &dyn Logs) {
    for start in (1..=3000).step_by(100) {
        logs.append(&attempt(1), lines(start..=start + 99)).await.unwrap();
    }
    for (from, limit, wanted) in [
        (0, 2, lines(1..=2)),
        (1, 1, lines(1..=1)),
        (1, 0, Vec::new()),
        (99, 3, lines(99..=101)),
        (100, 1, lines(100..=100)),
        (101, 1, lines(101..=101)),
        (2998, 1000, lines(2998..=3000)),
        (3000, 9, lines(3000..=3000)),
        (3001, 9, Vec::new()),
        (u64::MAX, 9, Vec::new()),
        (1, 3000, lines(1..=3000)),
        (1, usize::MAX, lines(1..=3000)),
        (1234, 1000, lines(1234..=2233)),
    ] {
        let read = logs.read(&attempt(1), from, limit).await.unwrap();
        assert_eq!(read, wanted, "from {from}, {limit} lines");
    }
    assert_eq!(logs.read(&attempt(2), 1, 10).await.unwrap(), []);
}

async fn removal(logs: &dyn Logs) {
    logs.remove(&attempt(1)).await.expect("removing what is not there is no error");
    logs.append(&attempt(1), lines(1..=3)).await.unwrap();
    logs.append(&attempt(2), lines(1..=3)).await.unwrap();
    logs.remove(&attempt(1)).await.unwrap();
    assert_eq!(read_all(logs, 1).await, []);
    assert_eq!(*logs.watch(&attempt(1)).await.unwrap().borrow(), 0);
    assert_eq!(read_all(logs, 2).await, lines(1..=3), "others stay");
    assert_eq!(logs.append(&attempt(1), vec![line(1, "again")]).await.unwrap(), 1, "numbers begin anew");
    assert_eq!(read_all(logs, 1).await, [line(1, "again")]);
    logs.remove(&attempt(1)).await.unwrap();
    logs.remove(&attempt(1)).await.unwrap();
}

async fn watches(logs: &dyn Logs) {
    let mut told = logs.watch(&attempt(1)).await.unwrap();
    assert_eq!(*told.borrow_and_update(), 0);
    logs.append(&attempt(1), lines(1..=3)).await.unwrap();
    soon("a watch wakes", told.changed()).await.unwrap();
    assert_eq!(*told.borrow_and_update(), 3);
    logs.append(&attempt(1), lines(1..=3)).await.unwrap();
    logs.append(&attempt(2), lines(1..=5)).await.unwrap();
    assert!(!told.has_changed().unwrap(), "neither a replay nor another attempt is told");
    assert_eq!(*logs.watch(&attempt(2)).await.unwrap().borrow(), 5);
    assert_eq!(*logs.watch(&attempt(1)).await.unwrap().borrow(), 3);
}

/// Reads on while lines come: every line once, in order.
async fn follower(logs: Arc<dyn Logs>) {
    const LAST: u64 = 2_000;
    let writer = tokio::spawn({
        let logs = Arc::clone(&logs);
        async move {
            for start in (1..=LAST).step_by(25) {
                logs.append(&attempt(1), lines(start..=start + 24)).await.unwrap();
            }
        }
    });
    let mut told = logs.watch(&attempt(1)).await.unwrap();
    let mut next = 1;
    while next <= LAST {
        let durable = *told.borrow_and_update();
        let read = logs.read(&attempt(1), next, 64).await.unwrap();
        assert!(!read.is_empty() || durable < next, "what was told can be read");
        for line in &read {
            assert_eq!(line.n, next);
            next += 1;
        }
        if read.is_empty() {
            soon("more lines", told.changed()).await.unwrap();
        }
    }
    writer.await.unwrap();
}

/// Several sources replay the same lines at once: each line is kept once.
async fn rivals(logs: Arc<dyn Logs>) {
    let sources: Vec<_> = (0..8)
        .map(|_| {
            let logs = Arc::clone(&logs);
            tokio::spawn(async move {
                for end in (10..=200).step_by(10) {
                    let answered = logs.append(&attempt(1), lines(1..=end)).await.unwrap();
                    assert!(answered >= end);
                }
            })
        })
        .collect();
    for source in sources {
        source.await.unwrap();
    }
    assert_eq!(read_all(&*logs, 1).await, lines(1..=200));
}

async fn many_attempts(logs: Arc<dyn Logs>) {
    let sources: Vec<_> = (0..64)
        .map(|i| {
            let logs = Arc::clone(&logs);
            tokio::spawn(async move {
                for n in 1..=20 {
                    assert_eq!(logs.append(&attempt(i), lines(n..=n)).await.unwrap(), n);
                }
            })
        })
        .collect();
    for source in sources {
        source.await.unwrap();
    }
    for i in 0..64 {
        assert_eq!(read_all(&*logs, i).await, lines(1..=20));
    }
}
