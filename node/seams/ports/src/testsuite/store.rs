//! The suite of [`Store`]: what `memory`, `redb`, `sled` and every later backend must do alike.

use super::chance::Chance;
use crate::PortError;
use crate::store::{Batch, Entry, Expect, MAX_BATCH, MAX_KEY, Store};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

type Model = BTreeMap<Vec<u8>, Entry>;

/// Holds a backend to the port. `make` answers a new, empty store each time.
///
/// # Panics
/// At the first promise that is not kept. Wants a runtime with more than one thread.
pub async fn store(make: impl AsyncFn() -> Arc<dyn Store>) {
    versions(&*make().await).await;
    expectations(&*make().await).await;
    batches(&*make().await).await;
    bounds(&*make().await).await;
    scans(&*make().await).await;
    prefixes(&*make().await).await;
    sizes(&*make().await).await;
    watches(&*make().await).await;
    watch_never_misses(make().await).await;
    one_winner(make().await).await;
    counted_together(make().await).await;
    scans_see_whole_commits(make().await).await;
    dropped_commits(make().await).await;
    like_a_map(&*make().await, &mut Model::new(), 7, 200).await;
}

/// Holds a durable backend to what must outlive its process. `open` opens the same place each time; the store
/// it gave before has been dropped by then.
///
/// # Panics
/// At the first promise that is not kept.
pub async fn reopened_store(open: impl AsyncFn() -> Arc<dyn Store>) {
    let mut model = Model::new();
    for round in 0..6 {
        let store = open().await;
        assert_eq!(
            all(&*store).await,
            model,
            "round {round}: what was answered is there after opening again"
        );
        if round == 3 {
            let large = vec![0xa5; 3 << 20];
            store.commit(Batch::default().put("large", large.clone())).await.unwrap();
            model.insert(b"large".to_vec(), Entry { value: large, version: 1 });
        }
        like_a_map(&*store, &mut model, round, 60).await;
    }
}

async fn value(store: &dyn Store, key: &str) -> Option<(String, u64)> {
    let entry = store.get(key.as_bytes()).await.unwrap()?;
    Some((String::from_utf8(entry.value).unwrap(), entry.version))
}

fn is(value: &str, version: u64) -> Option<(String, u64)> {
    Some((value.to_owned(), version))
}

async fn all(store: &dyn Store) -> Model {
    store.scan(b"", b"", usize::MAX).await.unwrap().into_iter().collect()
}

async fn put(store: &dyn Store, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
    store.commit(Batch::default().put(key, value)).await.unwrap();
}

async fn versions(store: &dyn Store) {
    assert_eq!(value(store, "a").await, None);
    put(store, "a", "1").await;
    assert_eq!(value(store, "a").await, is("1", 1));
    put(store, "a", "2").await;
    put(store, "a", "2").await;
    assert_eq!(value(store, "a").await, is("2", 3), "the same value again is a write too");
    assert_eq!(value(store, "ab").await, None, "a longer key is another key");
    store.commit(Batch::default().delete("a")).await.unwrap();
    assert_eq!(value(store, "a").await, None);
    store.commit(Batch::default().delete("a")).await.expect("removing what is not there is no error");
    put(store, "a", "3").await;
    assert_eq!(value(store, "a").await, is("3", 1), "versions begin anew after an absence");
}

async fn expectations(store: &dyn Store) {
    put(store, "two", "x").await;
    put(store, "two", "x").await;
    let cases = [
        ("two", Expect::Any, true),
        ("two", Expect::Version(2), true),
        ("two", Expect::Version(1), false),
        ("two", Expect::Version(3), false),
        ("two", Expect::Version(0), false),
        ("two", Expect::Absent, false),
        ("none", Expect::Any, true),
        ("none", Expect::Absent, true),
        ("none", Expect::Version(1), false),
        ("none", Expect::Version(0), false),
    ];
    for (key, expect, holds) in cases {
        let before = all(store).await;
        let asked = store.commit(Batch::default().expect(key, expect)).await;
        assert_eq!(asked.is_ok(), holds, "{key} {expect:?}: a batch of conditions alone");
        let batch =
            Batch::default().put("other", "y").expect("two", Expect::Any).expect(key, expect).delete("two");
        match (holds, store.commit(batch).await) {
            (false, Err(PortError::Conflict(_))) => {
                assert_eq!(all(store).await, before, "a conflict changes nothing")
            }
            (true, Ok(())) => {
                assert_eq!(value(store, "two").await, None);
                store.commit(Batch::default().put("two", "x").delete("other")).await.unwrap();
                put(store, "two", "x").await;
            }
            (_, other) => panic!("{key} {expect:?}: {other:?}"),
        }
    }
}

async fn batches(store: &dyn Store) {
    store.commit(Batch::default()).await.expect("an empty batch is no error");
    let batch =
        Batch::default().put("a", "1").put("b", "1").delete("c").put("a", "2").put("c", "1").delete("b");
    store.commit(batch).await.unwrap();
    assert_eq!(value(store, "a").await, is("2", 1), "the later operation wins and counts as one write");
    assert_eq!(value(store, "b").await, None);
    assert_eq!(value(store, "c").await, is("1", 1));
    let batch = Batch::default()
        .delete("a")
        .put("a", "3")
        .expect("a", Expect::Version(1))
        .expect("b", Expect::Absent);
    store.commit(batch.put("b", "2")).await.expect("conditions are asked of the state before the batch");
    assert_eq!(value(store, "a").await, is("3", 2));
}

async fn bounds(store: &dyn Store) {
    let refused = [
        Batch::default().put("", "x"),
        Batch::default().put(vec![b'k'; MAX_KEY + 1], "x"),
        Batch::default().put("fine", "x").expect("", Expect::Any),
        Batch::default().put("fine", "x").put("heavy", vec![0; MAX_BATCH]),
    ];
    for batch in refused {
        assert!(matches!(store.commit(batch).await, Err(PortError::Refused(_))));
    }
    assert!(all(store).await.is_empty(), "what was refused wrote nothing");
    put(store, vec![0xff; MAX_KEY], "x").await;
    assert_eq!(store.get(&[0xff; MAX_KEY]).await.unwrap().unwrap().value, b"x");
}

async fn keys(store: &dyn Store, prefix: &[u8], from: &[u8], limit: usize) -> Vec<String> {
    let found = store.scan(prefix, from, limit).await.unwrap();
    found.into_iter().map(|(key, _)| key.escape_ascii().to_string()).collect()
}

async fn scans(store: &dyn Store) {
    let batch = ["a", "b/1", "b/10", "b/2", "b/3", "b0", "c"];
    let batch = batch.iter().rev().fold(Batch::default(), |batch, key| batch.put(*key, format!("of {key}")));
    store.commit(batch).await.unwrap();
    assert_eq!(keys(store, b"b/", b"b/", 100).await, ["b/1", "b/10", "b/2", "b/3"]);
    assert_eq!(keys(store, b"b/", b"b/", 3).await, ["b/1", "b/10", "b/2"]);
    assert_eq!(keys(store, b"b/", b"b/10", 2).await, ["b/10", "b/2"], "from is part of the answer");
    assert_eq!(keys(store, b"b/", b"b/11", 100).await, ["b/2", "b/3"]);
    assert_eq!(keys(store, b"b/", b"", 1).await, ["b/1"], "from before the prefix is the beginning");
    assert_eq!(keys(store, b"b/", b"c", 100).await, [""; 0], "from beyond the prefix is the end");
    assert_eq!(keys(store, b"b/", b"b/", 0).await, [""; 0]);
    assert_eq!(keys(store, b"x", b"x", 100).await, [""; 0]);
    assert_eq!(keys(store, b"b/1", b"b/1", 100).await, ["b/1", "b/10"]);
    assert_eq!(keys(store, b"", b"", usize::MAX).await.len(), 7);
    let (key, entry) = store.scan(b"c", b"c", 1).await.unwrap().remove(0);
    assert_eq!((key, entry), (b"c".to_vec(), Entry { value: b"of c".to_vec(), version: 1 }));
}

async fn prefixes(store: &dyn Store) {
    let keys_put: [&[u8]; 7] =
        [b"\0", b"\0\0", b"\xfe\xff", b"\xff", b"\xff\0", b"\xff\xff", b"\xff\xff\xff"];
    store.commit(keys_put.iter().fold(Batch::default(), |batch, key| batch.put(*key, ""))).await.unwrap();
    assert_eq!(keys(store, b"\xff", b"\xff", 9).await, [r"\xff", r"\xff\x00", r"\xff\xff", r"\xff\xff\xff"]);
    assert_eq!(keys(store, b"\xff\xff", b"\xff\xff", 9).await, [r"\xff\xff", r"\xff\xff\xff"]);
    assert_eq!(keys(store, b"\xfe", b"\xfe", 9).await, [r"\xfe\xff"]);
    assert_eq!(keys(store, b"\xfe\xff", b"\xfe\xff", 9).await, [r"\xfe\xff"]);
    assert_eq!(keys(store, b"\0", b"\0", 9).await, [r"\x00", r"\x00\x00"]);
    assert_eq!(keys(store, b"\0", b"\0\0", 9).await, [r"\x00\x00"]);
    let empty = store.get(b"\xff\0").await.unwrap().unwrap();
    assert_eq!(empty, Entry { value: Vec::new(), version: 1 }, "an empty value is a value");
}

async fn sizes(store: &dyn Store) {
    let mut chance = Chance::new(3);
    let sizes = [1, 4095, 4096, 4097, 65_535, 65_536, 1 << 20, 5 << 20];
    let values: Vec<Vec<u8>> = sizes.iter().map(|n| (0..*n).map(|_| chance.draw() as u8).collect()).collect();
    for (i, value) in values.iter().enumerate() {
        put(store, format!("size/{i}"), value.clone()).await;
    }
    for (i, value) in values.iter().enumerate() {
        let read = store.get(format!("size/{i}").as_bytes()).await.unwrap().unwrap();
        assert!(read.value == *value, "a value of {} bytes", value.len());
    }
    put(store, "size/7", "small again").await;
    assert_eq!(value(store, "size/7").await, is("small again", 2));
}

/// Fails instead of hanging.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future)
        .await
        .unwrap_or_else(|_| panic!("{what} within 30 s"))
}

async fn watches(store: &dyn Store) {
    put(store, "a/0", "before").await;
    let (mut a, mut b, mut every) = (store.watch(b"a/"), store.watch(b"b/"), store.watch(b""));
    assert!(!a.has_changed().unwrap(), "what was before is not told");
    for _ in 0..3 {
        store.commit(Batch::default().put("a/1", "x").put("a/2", "y")).await.unwrap();
    }
    soon("a watch wakes", a.changed()).await.unwrap();
    a.borrow_and_update();
    assert!(!a.has_changed().unwrap(), "many commits may be one wake-up");
    assert!(!b.has_changed().unwrap(), "another prefix stays quiet");
    assert!(every.has_changed().unwrap());
    every.borrow_and_update();
    let _ = store.commit(Batch::default().put("a/1", "x").expect("a/1", Expect::Absent)).await.unwrap_err();
    store.commit(Batch::default().expect("a/1", Expect::Any)).await.unwrap();
    assert!(
        !a.has_changed().unwrap() && !every.has_changed().unwrap(),
        "a commit that writes nothing is not told"
    );
    store.commit(Batch::default().delete("b/1").delete("a/1")).await.unwrap();
    soon("a removal wakes", a.changed()).await.unwrap();
    soon("a removal wakes", b.changed()).await.unwrap();
}

async fn watch_never_misses(store: Arc<dyn Store>) {
    const LAST: u64 = 100;
    let mut told = store.watch(b"n");
    let writer = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for n in 1..=LAST {
                put(&*store, "n", n.to_be_bytes()).await;
            }
        }
    });
    let mut seen = 0;
    while seen < LAST {
        soon("the next wake-up", told.changed()).await.unwrap();
        told.borrow_and_update();
        let now = store.get(b"n").await.unwrap().expect("a commit was told").version;
        assert!(now >= seen, "never an older state than before");
        seen = now;
    }
    writer.await.unwrap();
}

async fn one_winner(store: Arc<dyn Store>) {
    for round in 0..8 {
        let key = format!("lease/{round}");
        let rivals: Vec<_> = (0..16)
            .map(|rival| {
                let (store, key) = (Arc::clone(&store), key.clone());
                let batch = Batch::default().expect(key.clone(), Expect::Absent).put(key, format!("{rival}"));
                tokio::spawn(async move { store.commit(batch).await.is_ok() })
            })
            .collect();
        let mut winners = Vec::new();
        for (i, rival) in rivals.into_iter().enumerate() {
            if rival.await.unwrap() {
                winners.push(i.to_string());
            }
        }
        assert_eq!(winners.len(), 1, "exactly one rival wins");
        assert_eq!(value(&*store, &key).await, is(&winners[0], 1));
    }
}

async fn counted_together(store: Arc<dyn Store>) {
    let adders: Vec<_> = (0..8)
        .map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let mut added = 0;
                while added < 10 {
                    let (now, expect) = match store.get(b"sum").await.unwrap() {
                        Some(entry) => (entry.value[0], Expect::Version(entry.version)),
                        None => (0, Expect::Absent),
                    };
                    match store.commit(Batch::default().expect("sum", expect).put("sum", [now + 1])).await {
                        Ok(()) => added += 1,
                        Err(PortError::Conflict(_)) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            })
        })
        .collect();
    for adder in adders {
        adder.await.unwrap();
    }
    assert_eq!(store.get(b"sum").await.unwrap(), Some(Entry { value: vec![80], version: 80 }));
}

async fn scans_see_whole_commits(store: Arc<dyn Store>) {
    let writer = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for round in 0..100_u32 {
                let batch = (0..20_u8)
                    .fold(Batch::default(), |batch, key| batch.put([b'w', key], round.to_be_bytes()));
                store.commit(batch).await.unwrap();
            }
        }
    });
    let mut last = 0;
    while !writer.is_finished() {
        let found = store.scan(b"w", b"w", 100).await.unwrap();
        let Some((_, first)) = found.first() else { continue };
        assert!(found.len() == 20 && found.iter().all(|(_, e)| e == first), "a scan sees a commit whole");
        assert!(first.version >= last, "and never an older one than before");
        last = first.version;
    }
    writer.await.unwrap();
}

async fn dropped_commits(store: Arc<dyn Store>) {
    for n in 0..50_u32 {
        let batch = Batch::default().put("x", n.to_be_bytes()).put("y", n.to_be_bytes());
        let commit = tokio::spawn({
            let store = Arc::clone(&store);
            async move { store.commit(batch).await }
        });
        if n % 3 == 0 {
            tokio::task::yield_now().await;
        }
        commit.abort();
        let _ = commit.await;
    }
    put(&*store, "z", "after").await;
    assert_eq!(value(&*store, "z").await, is("after", 1));
    let (x, y) = (store.get(b"x").await.unwrap(), store.get(b"y").await.unwrap());
    assert_eq!(x, y, "dropped commits are whole or not at all");
}

/// Random batches, of which `model` tells what must come out.
async fn like_a_map(store: &dyn Store, model: &mut Model, seed: u64, rounds: u32) {
    let mut chance = Chance::new(seed);
    for round in 0..rounds {
        let (batch, holds) = random_batch(&mut chance, model);
        match store.commit(batch.clone()).await {
            Ok(()) => {
                assert!(holds, "seed {seed} round {round}: {batch:?} was to conflict");
                apply(model, batch);
            }
            Err(PortError::Conflict(_)) => {
                assert!(!holds, "seed {seed} round {round}: {batch:?} was to hold")
            }
            Err(other) => panic!("seed {seed} round {round}: {other}"),
        }
        if chance.one_in(10) {
            assert_eq!(all(store).await, *model, "seed {seed} round {round}");
        }
    }
    assert_eq!(all(store).await, *model, "seed {seed}, at the end");
}

fn random_batch(chance: &mut Chance, model: &Model) -> (Batch, bool) {
    let (mut batch, mut holds) = (Batch::default(), true);
    for _ in 0..chance.below(3) {
        let key = random_key(chance);
        let version = model.get(&key).map(|entry| entry.version);
        let (expect, so) = match chance.below(6) {
            0 => (Expect::Any, true),
            1 => (Expect::Absent, version.is_none()),
            2 => (Expect::Version(1), version == Some(1)),
            _ => (version.map_or(Expect::Absent, Expect::Version), true),
        };
        holds &= so;
        batch = batch.expect(key, expect);
    }
    for _ in 0..chance.below(6) {
        let key = random_key(chance);
        batch = match chance.below(3) {
            0 => batch.delete(key),
            _ => {
                let length = chance.below(300) as usize;
                batch.put(key, vec![chance.draw() as u8; length])
            }
        };
    }
    (batch, holds)
}

fn random_key(chance: &mut Chance) -> Vec<u8> {
    let length = 1 + chance.below(3);
    (0..length).map(|_| [0, 1, b'a', 0xfe, 0xff][chance.below(5) as usize]).collect()
}

fn apply(model: &mut Model, batch: Batch) {
    let last: BTreeMap<_, _> = batch.writes.into_iter().collect();
    for (key, value) in last {
        match value {
            Some(value) => {
                let version = model.get(&key).map_or(0, |entry| entry.version) + 1;
                model.insert(key, Entry { value, version });
            }
            None => {
                model.remove(&key);
            }
        }
    }
}
