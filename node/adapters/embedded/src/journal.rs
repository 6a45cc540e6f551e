//! The journal: what makes lines of all attempts durable with one flush.

use crate::folder::{self, Folder};
use crate::record::MAGIC;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

/// The length of a journal without records.
pub(crate) const EMPTY: u64 = MAGIC.len() as u64;

/// The journal that is written now.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    number: u64,
    /// Bytes that are durable; what follows them is rubbish of a write that failed.
    length: u64,
    failed: bool,
}

impl Journal {
    /// Makes a new journal, durably.
    pub(crate) fn create(folder: &Folder, number: u64) -> io::Result<Self> {
        let path = folder.journal(number);
        // One that is there already was made by a try that failed, and nothing was answered from it.
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(path)?;
        file.write_all_at(MAGIC, 0)?;
        file.sync_all()?;
        folder::sync(folder.path())?;
        Ok(Self { file, number, length: EMPTY, failed: false })
    }

    /// The bytes written so far.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Adds `bytes` with one flush. After an error nothing of them counts.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.failed {
            // Cuts off what may have been written, so that no later replay takes it for answered.
            self.file.set_len(self.length)?;
            self.file.sync_all()?;
        }
        self.failed = true;
        self.file.write_all_at(bytes, self.length)?;
        self.file.sync_data()?;
        self.failed = false;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Goes on in a new journal.
    pub(crate) fn rotate(&mut self, folder: &Folder) -> io::Result<()> {
        *self = Self::create(folder, self.number + 1)?;
        self.remove_earlier(folder)
    }

    /// Removes all journals before this one, whose lines are in their files by now.
    pub(crate) fn remove_earlier(&self, folder: &Folder) -> io::Result<()> {
        for number in folder.journals()? {
            if number < self.number {
                fs::remove_file(folder.journal(number))?;
            }
        }
        Ok(())
    }
}
