//! Cuts the power under the log files: what was answered is there, whatever became of what was not synced.
//!
//! One writer appends to several attempts, and the folder is photographed after each answer. By then the
//! journal is synced; an attempt's file is known to be synced only as it was when the journal was begun, so all
//! of it that came later may be there, in part, torn or not at all (see `testsuite::torn`). A crash during the
//! next append leaves of the journal what was synced and any part of what the append adds, or, when that
//! append ended in a new journal, either of the two. 200 points in every test run, 3,000 with `IKIGAI_SOAK=1`.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use ikigai_embedded::{Bounds, SegmentLogs};
use ikigai_ports::logs::{LogLine, Logs};
use ikigai_ports::testsuite::chance::Chance;
use ikigai_ports::testsuite::logs::{attempt, line};
use ikigai_ports::testsuite::torn::{changes, torn};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const ATTEMPTS: u64 = 4;

/// Small, so that a run of a few hundred appends spills and settles often.
const BOUNDS: Bounds = Bounds { journal: 40_000, waiting: 6_000, waiting_of_one: 2_000 };

/// The files of a folder, by their path in it.
type Photograph = BTreeMap<PathBuf, Vec<u8>>;

/// After an answer.
#[derive(Clone)]
struct Moment {
    files: Photograph,
    /// The files when the present journal was begun.
    settled: Photograph,
    answered: Vec<Vec<LogLine>>,
}

fn photograph(folder: &Path, inner: &Path, files: &mut Photograph) {
    for entry in fs::read_dir(folder.join(inner)).unwrap() {
        let entry = entry.unwrap();
        let path = inner.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            photograph(folder, &path, files);
        } else {
            files.insert(path, fs::read(entry.path()).unwrap());
        }
    }
}

fn journal(files: &Photograph) -> &PathBuf {
    files.keys().find(|path| path.to_str().unwrap().starts_with("journal-")).unwrap()
}

fn new_lines(chance: &mut Chance, last: u64) -> Vec<LogLine> {
    let count = 1 + chance.below(6);
    let length = if chance.one_in(40) { 8_000 } else { 100 };
    (last + 1..=last + count)
        .map(|n| line(n, &format!("{n} ").repeat(chance.below(length) as usize)))
        .collect()
}

async fn moments(seed: u64, appends: u64) -> Vec<Moment> {
    let folder = tempfile::tempdir().unwrap();
    let logs = SegmentLogs::open_with(folder.path(), BOUNDS).unwrap();
    let look = || {
        let mut files = Photograph::new();
        photograph(folder.path(), Path::new(""), &mut files);
        files
    };
    let mut chance = Chance::new(seed);
    let mut answered = vec![Vec::<LogLine>::new(); ATTEMPTS as usize];
    let mut moments = vec![Moment { files: look(), settled: look(), answered: answered.clone() }];
    for _ in 0..appends {
        let i = chance.below(ATTEMPTS) as usize;
        if chance.one_in(60) {
            logs.remove(&attempt(i)).await.unwrap();
            answered[i].clear();
        } else {
            let lines = new_lines(&mut chance, answered[i].last().map_or(0, |line| line.n));
            logs.append(&attempt(i), lines.clone()).await.unwrap();
            answered[i].extend(lines);
        }
        let (files, before) = (look(), moments.last().unwrap());
        let begun = journal(&files) != journal(&before.files);
        let settled = if begun { files.clone() } else { before.settled.clone() };
        moments.push(Moment { files, settled, answered: answered.clone() });
    }
    moments
}

/// What the folder holds when the power is cut on the way from one moment to the next.
fn cut(before: &Moment, after: &Moment, chance: &mut Chance) -> Photograph {
    let begun = journal(&before.files) != journal(&after.files);
    let from = if begun && chance.one_in(2) { after } else { before };
    let now = if begun { from } else { after };
    let mut image = Photograph::new();
    let synced = &from.files[journal(&from.files)];
    let later = changes(synced, &now.files[journal(&from.files)]);
    image.insert(journal(&from.files).clone(), torn(synced, &later, chance));
    for path in from.settled.keys().chain(now.files.keys()).filter(|path| path.starts_with("attempts")) {
        let (synced, now) = (from.settled.get(path), now.files.get(path));
        let kept = match (synced, now) {
            (Some(synced), Some(now)) => Some(torn(synced, &changes(synced, now), chance)),
            (None, Some(now)) if chance.one_in(2) => Some(torn(&[], &changes(&[], now), chance)),
            (Some(synced), None) if chance.one_in(2) => Some(synced.clone()),
            _ => None,
        };
        image.extend(kept.map(|bytes| (path.clone(), bytes)));
    }
    image
}

fn write_out(image: &Photograph, folder: &Path) {
    for (path, bytes) in image {
        fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
        fs::write(folder.join(path), bytes).unwrap();
    }
}

async fn check(logs: &SegmentLogs, before: &Moment, after: &Moment, point: &str) {
    for i in 0..ATTEMPTS as usize {
        let read = logs.read(&attempt(i), 1, usize::MAX).await.unwrap();
        let (old, new) = (&before.answered[i], &after.answered[i]);
        let removed = new.is_empty() && read.is_empty();
        let whole = read.starts_with(old) && (read == *old || new.starts_with(&read));
        assert!(
            removed || whole,
            "{point}, attempt {i}: {} lines, not {} or {}",
            read.len(),
            old.len(),
            new.len()
        );
        let next = vec![line(read.last().map_or(0, |line| line.n) + 1, "after the cut")];
        assert_eq!(logs.append(&attempt(i), next.clone()).await.unwrap(), next[0].n);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_a_power_cut() {
    let points = if std::env::var("IKIGAI_SOAK").is_ok_and(|on| on == "1") { 3_000 } else { 200 };
    let (mut settling, mut spilled) = (0, 0);
    let mut point = 0;
    while point < points {
        let moments = moments(point, 400).await;
        assert!(
            moments.iter().any(|m| journal(&m.files) != journal(&moments[0].files)),
            "journals are settled"
        );
        for _ in 0..100 {
            let mut chance = Chance::new(point);
            let k = chance.below(moments.len() as u64 - 1) as usize;
            let (before, after) = (&moments[k], &moments[k + 1]);
            settling += u32::from(journal(&before.files) != journal(&after.files));
            spilled += u32::from(before.files != before.settled);
            let folder = tempfile::tempdir().unwrap();
            write_out(&cut(before, after, &mut chance), folder.path());
            let name = format!("point {point} at append {k}");
            check(&SegmentLogs::open_with(folder.path(), BOUNDS).unwrap(), before, after, &name).await;
            point += 1;
        }
    }
    assert!(settling > 2 && spilled > 100, "{settling} cuts while settling, {spilled} with files not synced");
}
