//! Kill tests: a child process writes and says what was answered, until it is killed at a random moment.
//!
//! The test is a program of its own (`harness = false`) that runs itself again as the child. What a child was
//! answered it prints; a pipe keeps what was printed by who was killed. 200 kills in every test run, 2,000
//! with `IKIGAI_SOAK=1` or `--ignored`; `IKIGAI_SEED` repeats a run's choices, though never its timing.

use super::chance::Chance;
use super::crash;
use crate::PortResult;
use crate::store::Store;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// What a child was answered: for each name the greatest number.
pub type Answered = BTreeMap<String, u64>;

/// What is killed.
pub trait Subject {
    /// Opens what is in `folder`, says what it found there ([`found`]), then writes and says what was answered
    /// ([`answered`]) until the process is killed.
    fn write(&self, folder: &Path) -> PortResult<()>;
    /// Opens what is in `folder` and tells what is missing of `answered`, or not whole.
    ///
    /// # Errors
    /// What was lost, or the backend's.
    fn check(&self, folder: &Path, answered: &Answered) -> Result<(), String>;
}

/// Says that the child found number `n` of `name` when it opened the folder.
pub fn found(name: &str, n: u64) {
    say("found", name, n);
}

/// Says that number `n` of `name` was answered.
pub fn answered(name: &str, n: u64) {
    say("answered", name, n);
}

fn say(what: &str, name: &str, n: u64) {
    // One write, so that a kill cannot tear it.
    let line = format!("{what} {name} {n}\n");
    if std::io::stdout().write_all(line.as_bytes()).is_err() {
        std::process::exit(0);
    }
}

/// The test's `main`.
pub fn run(name: &str, subject: &dyn Subject) {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, child, folder] = arguments.as_slice()
        && child == "--child"
    {
        subject.write(Path::new(folder)).unwrap();
        return;
    }
    let name = format!("{name}_keeps_what_it_answered");
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if has("--list") {
        println!("{name}: test");
        return;
    }
    let mut filters = arguments[1..].iter().filter(|argument| !argument.starts_with('-')).peekable();
    if filters.peek().is_some() && !filters.any(|filter| name.contains(filter.as_str())) {
        return;
    }
    let soak = has("--ignored") || std::env::var("IKIGAI_SOAK").is_ok_and(|soak| soak == "1");
    let kills = if soak { 2_000 } else { 200 };
    let seed = std::env::var("IKIGAI_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let total = kill_often(subject, kills, seed);
    println!("test {name} ... ok ({kills} kills, {total} answers, seed {seed})");
    assert!(total > kills * 2, "the kills came too early to show anything");
}

/// Kills `kills` children; how many numbers they were answered in all.
fn kill_often(subject: &dyn Subject, kills: u64, seed: u64) -> u64 {
    let mut chance = Chance::new(seed);
    let mut total = 0;
    let mut folder = Folder::new();
    let mut known = Answered::new();
    for kill in 0..kills {
        if kill % 25 == 0 {
            total += known.values().sum::<u64>();
            (folder, known) = (Folder::new(), Answered::new());
        }
        // Some die while they open, which is while they recover from the kill before.
        let opening = chance.one_in(5);
        let after = Duration::from_micros(chance.below(if opening { 15_000 } else { 30_000 }));
        let lines = killed(&folder.0, opening, after);
        take(&mut known, &lines).unwrap_or_else(|lost| panic!("seed {seed}, kill {kill}: {lost}"));
        // Not after each kill: opening again closes properly, and a crash should find what a crash left.
        if chance.one_in(2) || kill % 25 == 24 {
            let checked = subject.check(&folder.0, &known);
            checked.unwrap_or_else(|lost| panic!("seed {seed}, kill {kill}: {lost}"));
        }
    }
    total + known.values().sum::<u64>()
}

/// A child that was killed some time after its start or after its first word; the lines it printed.
fn killed(folder: &Path, opening: bool, after: Duration) -> Vec<String> {
    let this = std::env::current_exe().unwrap();
    let mut child = Command::new(this).arg("--child").arg(folder).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    if !opening {
        said.extend(lines.next().map(Result::unwrap));
        assert!(!said.is_empty(), "the child ended by itself: {:?}", child.wait());
    }
    std::thread::scope(|scope| {
        let rest = scope.spawn(|| read_on(&mut lines));
        std::thread::sleep(after);
        end(&mut child);
        said.extend(rest.join().unwrap());
    });
    said
}

fn read_on(lines: &mut std::io::Lines<BufReader<ChildStdout>>) -> Vec<String> {
    lines.map_while(Result::ok).collect()
}

fn end(child: &mut Child) {
    if let Some(status) = child.try_wait().unwrap() {
        panic!("the child ended by itself: {status}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Takes account of what a child said.
fn take(known: &mut Answered, lines: &[String]) -> Result<(), String> {
    for line in lines {
        let mut words = line.split(' ');
        let (Some(what), Some(name), Some(n)) = (words.next(), words.next(), words.next()) else {
            return Err(format!("the child said `{line}`"));
        };
        let n: u64 = n.parse().map_err(|_| format!("the child said `{line}`"))?;
        let greatest = known.entry(name.to_owned()).or_default();
        if what == "found" && n < *greatest {
            return Err(format!("{name}: {greatest} was answered, {n} was found"));
        }
        *greatest = n.max(*greatest);
    }
    Ok(())
}

/// A folder of its own under the build's or the system's folder for such, removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("ikigai-kill-{}-{next}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What a failed test leaves is what one wants to look at.
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// A [`Store`] under the workload of [`crash`].
pub struct StoreSubject<O>(pub O);

/// Writers of a child.
const WRITERS: u64 = 6;

impl<O: Fn(&Path) -> PortResult<Arc<dyn Store>>> Subject for StoreSubject<O> {
    fn write(&self, folder: &Path) -> PortResult<()> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let store = (self.0)(folder)?;
        runtime.block_on(async {
            let mut writers = tokio::task::JoinSet::new();
            for writer in 0..WRITERS {
                let store = Arc::clone(&store);
                let begun = crash::count(&*store, writer).await?;
                found(&writer.to_string(), begun);
                writers.spawn(async move {
                    for i in begun + 1.. {
                        store.commit(crash::batch(writer, i)).await?;
                        answered(&writer.to_string(), i);
                    }
                    Ok(())
                });
            }
            writers.join_next().await.unwrap().unwrap()
        })
    }

    fn check(&self, folder: &Path, answered: &Answered) -> Result<(), String> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let store = (self.0)(folder).map_err(|e| format!("opening: {}", e.chain()))?;
        runtime.block_on(async {
            for writer in 0..WRITERS {
                let answered = answered.get(&writer.to_string()).copied().unwrap_or(0);
                let wrong = crash::wrong(&*store, writer, answered).await.map_err(|e| e.chain())?;
                wrong.map_or(Ok(()), Err)?;
            }
            Ok(())
        })
    }
}
