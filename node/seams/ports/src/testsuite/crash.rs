//! What must hold of a store after any crash: a workload that shows every kind of loss, and its check.
//!
//! Each writer counts. Its batch `i` expects the version that batch `i - 1` left, raises a counter and its twin,
//! puts item `i`, which has a size and bytes of its own, and removes item `i - 8`. So after a crash the store
//! itself tells how far each writer came, whether that batch is whole, and whether any earlier one is not.

use super::chance::Chance;
use crate::PortResult;
use crate::store::{Batch, Entry, Expect, Store};

/// Items a writer keeps.
const KEPT: u64 = 8;

/// Batch `i` (from 1) of `writer`.
pub fn batch(writer: u64, i: u64) -> Batch {
    let expect = if i == 1 { Expect::Absent } else { Expect::Version(i - 1) };
    let batch = Batch::default()
        .expect(key(writer, "count"), expect)
        .put(key(writer, "count"), i.to_be_bytes())
        .put(item_key(writer, i), item(writer, i))
        .put(key(writer, "twin"), i.to_be_bytes());
    if i > KEPT { batch.delete(item_key(writer, i - KEPT)) } else { batch }
}

/// How many batches of `writer` the store holds.
///
/// # Errors
/// The store's.
pub async fn count(store: &dyn Store, writer: u64) -> PortResult<u64> {
    let entry = store.get(key(writer, "count").as_bytes()).await?;
    Ok(entry.map_or(0, |entry| number(&entry)))
}

/// What is wrong with what the store holds of `writer`, whose batch `answered` was answered and whose next may
/// have been under way; `None` if nothing is.
///
/// # Errors
/// The store's.
pub async fn wrong(store: &dyn Store, writer: u64, answered: u64) -> PortResult<Option<String>> {
    let prefix = key(writer, "");
    let found = store.scan(prefix.as_bytes(), prefix.as_bytes(), 100).await?;
    let count = count(store, writer).await?;
    if count < answered {
        return Ok(Some(format!(
            "writer {writer}: batch {answered} was answered, the last one kept is {count}"
        )));
    }
    if count > answered + 1 {
        return Ok(Some(format!(
            "writer {writer}: batch {count} was never begun, {answered} was answered last"
        )));
    }
    let wanted = state(writer, count);
    let difference = wanted.iter().zip(&found).find(|(wanted, found)| wanted != found);
    Ok(match difference {
        Some(((wanted, _), (found, entry))) => Some(format!(
            "writer {writer} after batch {count}: {} is wanted, found is {} at version {} with {} bytes",
            String::from_utf8_lossy(wanted),
            String::from_utf8_lossy(found),
            entry.version,
            entry.value.len()
        )),
        None if wanted.len() != found.len() => {
            Some(format!("writer {writer} after batch {count}: {} keys, not {}", found.len(), wanted.len()))
        }
        None => None,
    })
}

/// All of a writer's entries after batch `count`, in order.
fn state(writer: u64, count: u64) -> Vec<(Vec<u8>, Entry)> {
    if count == 0 {
        return Vec::new();
    }
    let counter = Entry { value: count.to_be_bytes().to_vec(), version: count };
    let items = (count.saturating_sub(KEPT) + 1..=count)
        .map(|i| (item_key(writer, i).into_bytes(), Entry { value: item(writer, i), version: 1 }));
    let mut all: Vec<_> = items.collect();
    all.insert(0, (key(writer, "count").into_bytes(), counter.clone()));
    all.push((key(writer, "twin").into_bytes(), counter));
    all
}

fn number(entry: &Entry) -> u64 {
    entry.value.as_slice().try_into().map_or(u64::MAX, u64::from_be_bytes)
}

fn key(writer: u64, name: &str) -> String {
    format!("writer/{writer}/{name}")
}

fn item_key(writer: u64, i: u64) -> String {
    key(writer, &format!("item/{i:08}"))
}

/// Mostly small, now and then a few pages, seldom more than a sled segment holds inline.
fn item(writer: u64, i: u64) -> Vec<u8> {
    let mut chance = Chance::new(writer << 40 | i);
    let most = [100, 100, 100, 1_000, 1_000, 5_000, 20_000, if chance.one_in(20) { 200_000 } else { 100 }];
    let most = most[chance.below(8) as usize];
    let length = chance.below(most);
    let first = chance.draw();
    (0..length).map(|n| (first.wrapping_add(n.wrapping_mul(31)) >> 3) as u8).collect()
}
