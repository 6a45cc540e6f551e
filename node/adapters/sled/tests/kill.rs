//! Kills a process that writes to sled at random moments: what was answered is there, and batches are whole.

use ikigai_ports::testsuite::kill::{StoreSubject, run};
use ikigai_sled::SledStore;
use std::path::Path;
use std::sync::Arc;

fn main() {
    run("sled", &StoreSubject(|folder: &Path| Ok(Arc::new(SledStore::open(folder)?) as _)));
}
