//! The one thread that writes: a group of batches becomes one durable transaction.

use crate::database::{ENTRIES, Reopening};
use ikigai_ports::group::Flush;
use ikigai_ports::store::resolve::Writes;
use ikigai_ports::store::{Batch, Watchers, resolve};
use ikigai_ports::{PortError, PortResult};
use redb::{Durability, ReadableTable, Table};
use std::sync::Arc;

type Entries<'a> = Table<'a, &'static [u8], (u64, &'static [u8])>;

#[derive(Debug)]
pub(crate) struct Writer {
    database: Arc<Reopening>,
    watchers: Arc<Watchers>,
}

/// What became of a group: an answer for each batch, and the keys that were written.
struct Done {
    answers: Vec<PortResult<()>>,
    written: Vec<Vec<u8>>,
}

impl Writer {
    pub(crate) fn new(database: Arc<Reopening>, watchers: Arc<Watchers>) -> Self {
        Self { database, watchers }
    }

    /// All of `batches` in one transaction; those that conflict leave no trace in it.
    fn transaction(&self, batches: &[Batch]) -> PortResult<Done> {
        self.database.with(|database| {
            let mut transaction = database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            let mut done = Done { answers: Vec::with_capacity(batches.len()), written: Vec::new() };
            {
                let mut entries = transaction.open_table(ENTRIES)?;
                for batch in batches {
                    let writes = match decide(&entries, batch.clone())? {
                        Ok(writes) => writes,
                        Err(refusal) => {
                            done.answers.push(Err(refusal));
                            continue;
                        }
                    };
                    apply(&mut entries, &writes)?;
                    done.written.extend(writes.into_keys());
                    done.answers.push(Ok(()));
                }
            }
            // Without a write there is nothing to flush: what was read is durable already.
            if done.written.is_empty() {
                transaction.abort()?;
            } else {
                transaction.commit()?;
            }
            Ok(done)
        })
    }
}

impl Flush for Writer {
    type Ask = Batch;
    type Answer = ();

    fn weight(batch: &Batch) -> usize {
        batch.weight()
    }

    fn flush(&mut self, batches: Vec<Batch>) -> Vec<PortResult<()>> {
        match self.transaction(&batches) {
            Ok(done) => {
                self.watchers.tell(done.written.iter().map(Vec::as_slice));
                done.answers
            }
            Err(error) => {
                let why = error.chain();
                tracing::error!(
                    error = why,
                    "a transaction failed; the store is opened again when it is next used"
                );
                // redb refuses everything after an I/O error, reads too, until it is opened again.
                self.database.close();
                batches.iter().map(|_| Err(PortError::unavailable("the store", why.clone()))).collect()
            }
        }
    }
}

/// What `batch` writes, or why it is refused; the outer error is redb's.
fn decide(entries: &Entries<'_>, batch: Batch) -> Result<PortResult<Writes>, redb::Error> {
    let mut failed = None;
    let decided = resolve(batch, |key| match entries.get(key) {
        Ok(found) => Ok(found.map(|found| found.value().0)),
        Err(error) => {
            let text = error.to_string();
            failed = Some(error);
            Err(PortError::unavailable("the store", text))
        }
    });
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(decided),
    }
}

fn apply(entries: &mut Entries<'_>, writes: &Writes) -> Result<(), redb::Error> {
    for (key, entry) in writes {
        match entry {
            Some(entry) => entries.insert(key.as_slice(), (entry.version, entry.value.as_slice()))?,
            None => entries.remove(key.as_slice())?,
        };
    }
    Ok(())
}
