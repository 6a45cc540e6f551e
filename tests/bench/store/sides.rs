//! What is measured: the disk itself, the stores driven raw, and the same stores and the logs through us.

use ikigai_ports::Store;
use ikigai_ports::logs::{LogLine, Logs};
use ikigai_ports::store::Batch;
use ikigai_ports::testsuite::logs::attempt;
use ikigai_sled::{FileSync, Syncer};
use ikigai_types::Timestamp;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

pub use crate::floor::BYTES;

/// Keys each writer writes, one after the other, over and over.
const KEYS: u64 = 1_000;

fn key(writer: u64, n: u64) -> Vec<u8> {
    format!("writer/{writer:03}/{:06}", n % KEYS).into_bytes()
}

fn value(n: u64) -> Vec<u8> {
    let mut value = vec![0xa5; BYTES];
    value[..8].copy_from_slice(&n.to_be_bytes());
    value
}

/// Repeats `once`, which does `each` things, for `d`.
fn repeat(d: Duration, each: u64, mut once: impl FnMut()) -> f64 {
    let (start, mut done) = (Instant::now(), 0);
    while start.elapsed() < d {
        once();
        done += each;
    }
    done as f64 / start.elapsed().as_secs_f64()
}

/// One file: `together` records of [`BYTES`] appended by one write, then one `fdatasync`.
pub struct Plain {
    file: File,
    bytes: Vec<u8>,
    together: u64,
}

impl Plain {
    pub fn new(folder: &Path, together: u64) -> Self {
        let file = File::create(folder.join(format!("plain-{together}"))).unwrap();
        Self { file, bytes: vec![0xa5; BYTES * together as usize], together }
    }

    pub fn run(&mut self, d: Duration) -> f64 {
        repeat(d, self.together, || {
            self.file.write_all(&self.bytes).unwrap();
            self.file.sync_data().unwrap();
        })
    }
}

/// One thread that gives redb `together` writes per durable transaction.
pub struct RawRedb {
    database: redb::Database,
    together: u64,
    n: u64,
}

const TABLE: redb::TableDefinition<'static, &'static [u8], (u64, &'static [u8])> =
    redb::TableDefinition::new("entries");

impl RawRedb {
    pub fn new(folder: &Path, together: u64) -> Self {
        let file = folder.join(format!("raw-{together}.redb"));
        let database = redb::Builder::new().set_cache_size(16 << 20).create(file).unwrap();
        Self { database, together, n: 0 }
    }

    pub fn run(&mut self, d: Duration) -> f64 {
        repeat(d, self.together, || {
            self.n += 1;
            let transaction = self.database.begin_write().unwrap();
            {
                let mut table = transaction.open_table(TABLE).unwrap();
                for writer in 0..self.together {
                    let (key, value) = (key(writer, self.n), value(self.n));
                    table.insert(key.as_slice(), (self.n, value.as_slice())).unwrap();
                }
            }
            transaction.commit().unwrap();
        })
    }
}

/// One thread that gives sled `together` writes per batch, then flushes and syncs its files.
pub struct RawSled {
    db: sled::Db,
    folder: PathBuf,
    sync: FileSync,
    together: u64,
    n: u64,
}

impl RawSled {
    pub fn new(folder: &Path, together: u64) -> Self {
        let folder = folder.join(format!("raw-{together}.sled"));
        let config = sled::Config::default().path(&folder).cache_capacity(16 << 20).flush_every_ms(Some(500));
        Self { db: config.open().unwrap(), folder, sync: FileSync::default(), together, n: 0 }
    }

    pub fn run(&mut self, d: Duration) -> f64 {
        repeat(d, self.together, || {
            self.n += 1;
            let mut batch = sled::Batch::default();
            for writer in 0..self.together {
                batch.insert(key(writer, self.n), [&self.n.to_le_bytes(), value(self.n).as_slice()].concat());
            }
            self.db.apply_batch(batch).unwrap();
            self.db.flush().unwrap();
            self.sync.sync(&self.folder).unwrap();
        })
    }
}

/// `writers` tasks that each commit one write at a time to a store.
pub struct Commits {
    store: Arc<dyn Store>,
    done: Vec<u64>,
}

impl Commits {
    pub fn new(store: Arc<dyn Store>, writers: usize) -> Self {
        Self { store, done: vec![0; writers] }
    }

    pub fn run(&mut self, runtime: &Runtime, d: Duration) -> f64 {
        let start = Instant::now();
        let before: u64 = self.done.iter().sum();
        runtime.block_on(async {
            let writers = self.done.iter().enumerate().map(|(writer, done)| {
                let (store, mut n) = (Arc::clone(&self.store), *done);
                tokio::spawn(async move {
                    while start.elapsed() < d {
                        n += 1;
                        let batch = Batch::default().put(key(writer as u64, n), value(n));
                        store.commit(batch).await.unwrap();
                    }
                    n
                })
            });
            let done = futures::future::join_all(writers).await;
            self.done = done.into_iter().map(Result::unwrap).collect();
        });
        (self.done.iter().sum::<u64>() - before) as f64 / start.elapsed().as_secs_f64()
    }

    /// A wrong answer is worth nothing: every writer's last commit is there.
    pub fn verify(&self, runtime: &Runtime) {
        for (writer, done) in self.done.iter().enumerate() {
            let entry = runtime.block_on(self.store.get(&key(writer as u64, *done))).unwrap();
            assert_eq!(entry.map(|entry| entry.value), Some(value(*done)), "writer {writer}'s commit {done}");
        }
    }
}

/// `agents` that each append lines, `together` at a time, to a log of their own.
pub struct Lines {
    logs: Arc<dyn Logs>,
    pub together: u64,
    done: Vec<u64>,
}

impl Lines {
    pub fn new(logs: Arc<dyn Logs>, agents: usize) -> Self {
        Self { logs, together: 1, done: vec![0; agents] }
    }

    pub fn run(&mut self, runtime: &Runtime, d: Duration) -> f64 {
        let start = Instant::now();
        let before: u64 = self.done.iter().sum();
        runtime.block_on(async {
            let agents = self.done.iter().enumerate().map(|(agent, done)| {
                let (logs, mut n, id, together) =
                    (Arc::clone(&self.logs), *done, attempt(agent), self.together);
                tokio::spawn(async move {
                    while start.elapsed() < d {
                        let lines = (n + 1..=n + together).map(line).collect();
                        n += together;
                        assert_eq!(logs.append(&id, lines).await.unwrap(), n);
                    }
                    n
                })
            });
            let done = futures::future::join_all(agents).await;
            self.done = done.into_iter().map(Result::unwrap).collect();
        });
        (self.done.iter().sum::<u64>() - before) as f64 / start.elapsed().as_secs_f64()
    }

    /// Every line is there, once.
    pub fn verify(&self, runtime: &Runtime) {
        for (agent, done) in self.done.iter().enumerate() {
            let read = runtime.block_on(self.logs.read(&attempt(agent), 1, usize::MAX)).unwrap();
            assert!(read.len() as u64 == *done && read.iter().zip(1..).all(|(found, n)| *found == line(n)));
        }
    }
}

fn line(n: u64) -> LogLine {
    // Cheaply: what an agent prints is not ours to make.
    let mut text = "x".repeat(BYTES - 20);
    text.push_str(&n.to_string());
    LogLine { n, at: Timestamp(n), stream: ikigai_ports::logs::Stream::Stdout, text }
}
