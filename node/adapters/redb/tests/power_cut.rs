//! Cuts the power under redb: unsynced writes are dropped and torn, and what was answered is still there.
//!
//! redb writes to a disk in memory that records every write, length and sync, and when the store answered.
//! Each crash point is a place in that record: what was synced before it is there, of what was not any part
//! (see `testsuite::torn`). 300 points in every test run, 3,000 with `IKIGAI_SOAK=1`; a third of them is cut
//! once more while redb recovers.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

#[path = "power_cut/disk.rs"]
mod disk;

use disk::{Disk, Event, cut};
use ikigai_ports::store::{Batch, Store};
use ikigai_ports::testsuite::{chance::Chance, crash};
use ikigai_redb::RedbStore;
use redb::Builder;
use std::io::ErrorKind;

const WRITERS: u64 = 5;

fn open(disk: &Disk) -> RedbStore {
    let disk = disk.clone();
    RedbStore::open_with(move || Builder::new().set_cache_size(1 << 20).create_with_backend(disk.clone()))
        .unwrap()
}

/// Batches of several writers at once, again and again; the disk knows what was answered when.
async fn work(store: &RedbStore, disk: &Disk, counts: &mut [u64], rounds: u64, chance: &mut Chance) {
    for _ in 0..rounds {
        let writers: Vec<u64> = (0..WRITERS).filter(|_| chance.one_in(2)).collect();
        let commits =
            writers.iter().map(|writer| store.commit(crash::batch(*writer, counts[*writer as usize] + 1)));
        for (writer, answer) in writers.iter().zip(futures::future::join_all(commits).await) {
            answer.unwrap();
            counts[*writer as usize] += 1;
        }
        disk.note(Event::Answered(counts.to_vec()));
    }
}

async fn check(store: &RedbStore, answered: &[u64], point: &str) {
    for (writer, answered) in (0..).zip(answered) {
        let wrong = crash::wrong(store, writer, *answered).await.unwrap();
        assert_eq!(wrong, None, "{point}");
    }
    store.commit(Batch::default().put("after", "the cut")).await.unwrap();
}

fn points(soak: u64) -> u64 {
    if std::env::var("IKIGAI_SOAK").is_ok_and(|on| on == "1") { soak } else { soak / 10 }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_survives_a_power_cut() {
    let (disk, mut chance, mut counts) = (Disk::default(), Chance::new(1), vec![0; WRITERS as usize]);
    // A file gets its name when redb has laid it out: no cut is before that.
    drop(open(&disk));
    let made = disk.events().len();
    let store = open(&disk);
    work(&store, &disk, &mut counts, 150, &mut chance).await;
    drop(store);
    let events = disk.events();
    let (mut between, mut twice) = (0, 0);
    for point in 0..points(3_000) {
        let mut chance = Chance::new(1_000 + point);
        let at = made + chance.below((events.len() - made) as u64 + 1) as usize;
        between += u32::from(!matches!(events.get(at), Some(Event::Answered(_)) | None));
        let (mut image, answered) = cut(&[], &events[..at], &mut chance);
        let answered = answered.unwrap_or_else(|| vec![0; WRITERS as usize]);
        if chance.one_in(3) {
            let recovering = Disk::holding(image.clone());
            drop(open(&recovering));
            let recovery = recovering.events();
            let second = chance.below(recovery.len() as u64 + 1) as usize;
            image = cut(&image, &recovery[..second], &mut chance).0;
            twice += 1;
        }
        check(&open(&Disk::holding(image)), &answered, &format!("point {point} at event {at}")).await;
    }
    assert!(between > 100 && twice > 50, "{between} cuts between answers, {twice} twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_refuses_and_comes_back() {
    for (point, kind) in (0..points(400)).zip([ErrorKind::StorageFull, ErrorKind::Other].into_iter().cycle())
    {
        let (disk, mut chance, mut counts) = (Disk::default(), Chance::new(point), vec![0; WRITERS as usize]);
        let store = open(&disk);
        work(&store, &disk, &mut counts, 3, &mut chance).await;
        disk.fail(Some((chance.below(12), kind)));
        let mut refused = 0;
        for writer in 0..WRITERS {
            match store.commit(crash::batch(writer, counts[writer as usize] + 1)).await {
                Ok(()) => counts[writer as usize] += 1,
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 0, "point {point}");
        disk.fail(None);
        check(&store, &counts, &format!("point {point}, the disk healed")).await;
        drop(store);
        check(&open(&disk), &counts, &format!("point {point}, opened again")).await;
    }
}
