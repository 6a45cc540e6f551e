//! Users and passes in the store: a document each.

use ikigai_access::{Change, Directory, Hash, Pass, User};
use ikigai_ports::store::{Batch, Entry};
use ikigai_ports::{PortError, PortResult, Store};
use ikigai_types::Timestamp;
use ikigai_wire::record::{decode, encode};

/// Where users are: this, then the name.
const USERS: &[u8] = b"access/user/";
/// Where passes are: this, then the hash.
const PASSES: &[u8] = b"access/pass/";
/// Where sessions were before there were users.
const OLD: &[u8] = b"session/";
/// Entries that are read at a time.
const PAGE: usize = 512;

/// What is stored; what is too old is removed. What cannot be read stops the start: a user who was removed, or
/// whose role is less now, must not come back by a damaged entry that is skipped.
pub(super) async fn read(store: &dyn Store, now: Timestamp) -> PortResult<Directory> {
    let mut directory = Directory::default();
    for (_, entry) in all(store, USERS).await? {
        directory.restore(Change::User(decode::<User>(&entry.value).map_err(damaged)?));
    }
    for (key, entry) in all(store, PASSES).await? {
        let hash = key.strip_prefix(PASSES).and_then(|h| h.try_into().ok()).map(Hash::stored);
        let hash = hash.ok_or_else(|| PortError::Corrupt("the name of a stored pass".to_owned()))?;
        directory.restore(Change::Pass(hash, decode::<Pass>(&entry.value).map_err(damaged)?));
    }
    let old = all(store, OLD).await?.into_iter().fold(Batch::default(), |b, (key, _)| b.delete(key));
    let batch = directory.forget_old(now).iter().fold(old, with);
    if !batch.writes.is_empty() {
        store.commit(batch).await?;
    }
    Ok(directory)
}

/// Stores changes, all or none of them.
pub(super) async fn write(store: &dyn Store, changes: &[Change]) -> PortResult<()> {
    store.commit(changes.iter().fold(Batch::default(), with)).await
}

fn with(batch: Batch, change: &Change) -> Batch {
    let user = |name: &str| [USERS, name.as_bytes()].concat();
    let pass = |hash: &Hash| [PASSES, hash.bytes()].concat();
    match change {
        Change::User(u) => batch.put(user(&u.name), encode(u)),
        Change::NoUser(name) => batch.delete(user(name)),
        Change::Pass(hash, p) => batch.put(pass(hash), encode(p)),
        Change::NoPass(hash) => batch.delete(pass(hash)),
    }
}

async fn all(store: &dyn Store, prefix: &[u8]) -> PortResult<Vec<(Vec<u8>, Entry)>> {
    let mut found: Vec<(Vec<u8>, Entry)> = Vec::new();
    loop {
        let from = found.last().map_or_else(|| prefix.to_vec(), |(key, _)| [key, &b"\0"[..]].concat());
        let page = store.scan(prefix, &from, PAGE).await?;
        let is_last = page.len() < PAGE;
        found.extend(page);
        if is_last {
            return Ok(found);
        }
    }
}

fn damaged(error: ikigai_wire::record::StoredError) -> PortError {
    PortError::Corrupt(format!("a stored user or pass: {error}"))
}
