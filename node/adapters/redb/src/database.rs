//! The open database, which a failed disk can take away and bring back.

use ikigai_ports::{PortError, PortResult};
use redb::{
    Database, DatabaseError, ReadOnlyTable, ReadableDatabase, StorageError, TableDefinition, TableError,
};
use std::fmt;
use std::sync::{PoisonError, RwLock};

/// Key -> (version, value).
pub(crate) const ENTRIES: TableDefinition<'static, &'static [u8], (u64, &'static [u8])> =
    TableDefinition::new("entries");

type Opener = Box<dyn Fn() -> Result<Database, DatabaseError> + Send + Sync>;

/// The database and how to open it again. redb refuses everything after its first I/O error until then.
pub(crate) struct Reopening {
    open: Opener,
    database: RwLock<Option<Database>>,
}

impl Reopening {
    pub(crate) fn open(open: Opener) -> Result<Self, DatabaseError> {
        let database = open()?;
        Ok(Self { open, database: RwLock::new(Some(database)) })
    }

    /// What `with` makes of the database, while nobody can close it. Opens it when it was closed.
    pub(crate) fn with<T>(&self, with: impl Fn(&Database) -> Result<T, redb::Error>) -> PortResult<T> {
        let read = self.database.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(database) = read.as_ref() {
            return with(database).map_err(as_port_error);
        }
        drop(read);
        let mut write = self.database.write().unwrap_or_else(PoisonError::into_inner);
        let database = match &mut *write {
            Some(database) => database,
            closed => closed.insert((self.open)().map_err(|e| as_port_error(e.into()))?),
        };
        with(database).map_err(as_port_error)
    }

    /// What `read` makes of a snapshot of all entries; `None` as long as there never was one.
    pub(crate) fn read<T>(
        &self,
        read: impl Fn(ReadOnlyTable<&'static [u8], (u64, &'static [u8])>) -> Result<T, StorageError>,
    ) -> PortResult<Option<T>> {
        self.with(|database| match database.begin_read()?.open_table(ENTRIES) {
            Ok(table) => Ok(Some(read(table)?)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(other) => Err(other.into()),
        })
    }

    /// Closes the database; whoever needs it next opens it from what is on disk.
    pub(crate) fn close(&self) {
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl fmt::Debug for Reopening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reopening").field("database", &self.database).finish_non_exhaustive()
    }
}

/// What a caller can do about redb's error.
pub(crate) fn as_port_error(error: redb::Error) -> PortError {
    match error {
        redb::Error::Corrupted(what) => PortError::Corrupt(format!("the store ({what})")),
        redb::Error::DatabaseAlreadyOpen => {
            PortError::Refused("the store is open in another process: stop that one first".to_owned())
        }
        other => PortError::unavailable("the store", other),
    }
}
