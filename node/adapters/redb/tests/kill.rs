//! Kills a process that writes to redb at random moments: what was answered is there, and batches are whole.

use ikigai_ports::testsuite::kill::{StoreSubject, run};
use ikigai_redb::RedbStore;
use std::path::Path;
use std::sync::Arc;

fn main() {
    run("redb", &StoreSubject(|folder: &Path| Ok(Arc::new(RedbStore::open(folder)?) as _)));
}
