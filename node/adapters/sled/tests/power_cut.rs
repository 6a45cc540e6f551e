//! Cuts the power under sled: unsynced writes are dropped and torn, and what was answered should still be there.
//!
//! sled writes to real files, so its writes cannot be watched one by one. But the adapter owns the sync that
//! comes before each answer, and the test puts its own [`Syncer`] there. At each sync it photographs sled's
//! folder: the photograph is what is durable from then on, and until then the photograph before it was. A
//! crash just before the sync is done leaves, of each page that differs between the two, the older or the newer
//! state, or sectors of both (see `testsuite::torn`). Where the model does not know, it takes sled's side:
//! - snapshots and settings, which sled syncs itself, are there whole, all as before or all as now;
//! - what sled's own `sync_file_range` did is not counted, because it flushes neither metadata nor the disk's
//!   cache, which is what a power cut loses;
//! - sled's cleaner is off, so that nothing is written or synced between two photographs but by the writer.
//!
//! What was answered is what had been answered when the photograph was taken. 200 points in every test run,
//! 2,000 with `IKIGAI_SOAK=1`.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use ikigai_ports::store::Store;
use ikigai_ports::testsuite::{chance::Chance, crash, torn};
use ikigai_sled::{FileSync, SledStore, Syncer};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const WRITERS: u64 = 5;

/// The files of a folder, by their path in it.
type Photograph = BTreeMap<PathBuf, Vec<u8>>;

/// What each writer was answered last.
type Answered = Arc<Mutex<Vec<u64>>>;

/// One crash: what is in the folder, and what had been answered.
#[derive(Debug)]
struct Crash {
    image: Photograph,
    answered: Vec<u64>,
}

/// Takes the place of the real sync.
#[derive(Debug)]
struct Camera {
    synced: Photograph,
    answered: Answered,
    crashes: Arc<Mutex<Vec<Crash>>>,
    chance: Chance,
    /// One sync in this many is a crash point.
    rare: u64,
}

impl Syncer for Camera {
    fn sync_new(&mut self, folder: &Path) -> io::Result<()> {
        let now = photograph(folder)?;
        let is_blob = |path: &Path| path.starts_with("blobs");
        self.synced.retain(|path, _| !is_blob(path) || now.contains_key(path));
        self.synced.extend(now.into_iter().filter(|(path, _)| is_blob(path)));
        Ok(())
    }

    fn sync(&mut self, folder: &Path) -> io::Result<()> {
        let now = photograph(folder)?;
        if self.chance.one_in(self.rare) {
            let answered = self.answered.lock().unwrap().clone();
            let image = cut(&self.synced, &now, &mut self.chance);
            self.crashes.lock().unwrap().push(Crash { image, answered });
        }
        self.synced = now;
        Ok(())
    }
}

fn photograph(folder: &Path) -> io::Result<Photograph> {
    let mut files = Photograph::new();
    for inner in [PathBuf::new(), PathBuf::from("blobs")] {
        for entry in fs::read_dir(folder.join(&inner))? {
            let entry = entry?;
            match fs::read(entry.path()) {
                Ok(bytes) => drop(files.insert(inner.join(entry.file_name()), bytes)),
                // A folder; or sled removed a file while we looked.
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::IsADirectory | io::ErrorKind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(files)
}

/// What the folder holds after a power cut between two photographs.
fn cut(synced: &Photograph, now: &Photograph, chance: &mut Chance) -> Photograph {
    let own_is_new = chance.one_in(2);
    let all = synced.keys().chain(now.keys().filter(|path| !synced.contains_key(*path)));
    let mut image = Photograph::new();
    for path in all {
        let (before, after) = (synced.get(path), now.get(path));
        let sled_syncs_it = path != Path::new("db") && !path.starts_with("blobs");
        let kept = match (before, after) {
            _ if sled_syncs_it => if own_is_new { after } else { before }.cloned(),
            (Some(before), Some(after)) => Some(torn::torn(before, &torn::changes(before, after), chance)),
            // Made or removed since: the folder's entry may be there or not, and a new file's bytes too.
            (None, Some(after)) if chance.one_in(2) => {
                Some(torn::torn(&[], &torn::changes(&[], after), chance))
            }
            (Some(before), None) if chance.one_in(2) => Some(before.clone()),
            _ => None,
        };
        image.extend(kept.map(|bytes| (path.clone(), bytes)));
    }
    image
}

fn write_out(image: &Photograph, folder: &Path) {
    fs::create_dir_all(folder.join("blobs")).unwrap();
    for (path, bytes) in image {
        fs::write(folder.join(path), bytes).unwrap();
    }
}

/// Runs the workload once and gathers its crashes.
async fn crashes_of_a_run(seed: u64, rounds: u64, rare: u64) -> Vec<Crash> {
    let folder = tempfile::tempdir().unwrap();
    let mut chance = Chance::new(seed);
    // Made and synced before, so that a crash never meets a store that was never answered to exist.
    drop(SledStore::open_with(folder.path(), FileSync::default(), None).unwrap());
    let answered: Answered = Arc::new(Mutex::new(vec![0; WRITERS as usize]));
    let crashes = Arc::default();
    let camera = Camera {
        synced: photograph(folder.path()).unwrap(),
        answered: Arc::clone(&answered),
        crashes: Arc::clone(&crashes),
        chance: Chance::new(seed + 1),
        rare,
    };
    let store = SledStore::open_with(folder.path(), camera, None).unwrap();
    for _ in 0..rounds {
        let writers: Vec<u64> = (0..WRITERS).filter(|_| chance.one_in(2)).collect();
        let now = answered.lock().unwrap().clone();
        let commits =
            writers.iter().map(|writer| store.commit(crash::batch(*writer, now[*writer as usize] + 1)));
        for (writer, answer) in writers.iter().zip(futures::future::join_all(commits).await) {
            answer.unwrap();
            answered.lock().unwrap()[*writer as usize] += 1;
        }
    }
    drop(store);
    std::mem::take(&mut *crashes.lock().unwrap())
}

/// What is wrong after a crash; `None` if nothing is.
async fn wrong_after(crash: &Crash) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    write_out(&crash.image, folder.path());
    let path = folder.path().to_owned();
    let opened = catch_unwind(AssertUnwindSafe(|| SledStore::open_with(&path, FileSync::default(), None)));
    let store = match opened {
        Ok(Ok(store)) => store,
        Ok(Err(error)) => return Some(format!("it does not open: {}", error.chain())),
        Err(_) => return Some("it does not open: sled panics".to_owned()),
    };
    for (writer, answered) in (0..).zip(&crash.answered) {
        match crash::wrong(&store, writer, *answered).await {
            Ok(None) => {}
            Ok(Some(wrong)) => return Some(wrong),
            Err(error) => return Some(format!("it cannot be read: {}", error.chain())),
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_a_power_cut() {
    let points = if std::env::var("IKIGAI_SOAK").is_ok_and(|on| on == "1") { 2_000 } else { 200 };
    let (mut crashes, mut seed) = (Vec::new(), 1);
    while crashes.len() < points {
        crashes.extend(crashes_of_a_run(seed, 500, 12).await);
        seed += 2;
    }
    let mut losses = Vec::new();
    for (point, crash) in crashes.iter().take(points).enumerate() {
        if let Some(wrong) = wrong_after(crash).await {
            losses.push(format!("point {point}: {wrong}"));
        }
    }
    assert!(
        losses.is_empty(),
        "{} of {points} power cuts lost something:\n{}",
        losses.len(),
        losses.join("\n")
    );
}
