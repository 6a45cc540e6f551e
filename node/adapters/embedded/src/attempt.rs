//! One attempt's lines: those in its file, and the newest, which are in the journal and in memory only.

use crate::record::{Found, Lines, MAGIC, MAX_RECORD, Record, What, read};
use ikigai_ports::logs::LogLine;
use ikigai_ports::{PortError, PortResult};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// One place per this many bytes of a file is remembered.
const INDEX_STEP: u64 = 64 << 10;

/// The state of an attempt. Cheap to make; its file is read when it is first needed.
#[derive(Debug)]
pub(crate) struct Attempt {
    path: PathBuf,
    kept: Mutex<Option<Kept>>,
    /// The last durable number.
    last: watch::Sender<u64>,
}

/// What is known of an attempt whose file has been read.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Sound bytes of the file; what follows them is rubbish of a write that failed.
    length: u64,
    /// The last number in the file.
    in_file: u64,
    /// Rising numbers, and where in the file the record that begins with them stands.
    index: Vec<(u64, u64)>,
    /// Durable records that are not in the file yet.
    pending: Vec<u8>,
    /// The file has bytes that were not synced.
    dirty: bool,
}

impl Attempt {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, kept: Mutex::default(), last: watch::Sender::new(0) }
    }

    /// The last durable number, and every later one. Blocks when the file was not read yet.
    pub(crate) fn watch(&self) -> PortResult<watch::Receiver<u64>> {
        self.with(|_| self.last.subscribe())
    }

    /// The last durable number. Blocks when the file was not read yet.
    pub(crate) fn last(&self) -> PortResult<u64> {
        self.with(|_| *self.last.borrow())
    }

    /// Adds a durable record that ends with number `last`; the bytes that now wait for the file.
    pub(crate) fn add(&self, record: &[u8], last: u64) -> PortResult<usize> {
        self.with(|kept| {
            kept.pending.extend_from_slice(record);
            self.last.send_replace(last);
            kept.pending.len()
        })
    }

    /// Forgets and removes everything.
    pub(crate) fn clear(&self) -> io::Result<()> {
        let mut kept = self.lock();
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            // The folder too, if that was its last file; it is made again when it is needed.
            _ => drop(self.path.parent().map(fs::remove_dir)),
        }
        *kept = Some(Kept::default());
        self.last.send_replace(0);
        Ok(())
    }

    /// The folder of the file.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        self.path.parent().map(Path::to_owned)
    }

    /// Writes what waits into the file, not synced; how many bytes that were.
    pub(crate) fn spill(&self) -> io::Result<usize> {
        let mut kept = self.lock();
        let Some(kept) = kept.as_mut().filter(|kept| !kept.pending.is_empty()) else { return Ok(0) };
        if kept.length == 0 {
            self.path.parent().map_or(Ok(()), fs::create_dir_all)?;
        }
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&self.path)?;
        let mut length = kept.length;
        if length == 0 {
            file.write_all_at(MAGIC, 0)?;
            length = MAGIC.len() as u64;
        }
        // Before the lengths change: a write that fails half way is written over by the next.
        file.write_all_at(&kept.pending, length)?;
        kept.dirty = true;
        let pending = std::mem::take(&mut kept.pending);
        kept.length = length;
        Walk::new(&pending).for_each(|record| kept.note(&record));
        Ok(pending.len())
    }

    /// Syncs the file if it has bytes that were not; its folder if so.
    pub(crate) fn sync(&self) -> io::Result<Option<PathBuf>> {
        if !self.lock().as_ref().is_some_and(|kept| kept.dirty) {
            return Ok(None);
        }
        // Not under the lock: readers go on. Only the writer's thread spills, and it is here.
        File::open(&self.path)?.sync_all()?;
        if let Some(kept) = self.lock().as_mut() {
            kept.dirty = false;
        }
        Ok(self.folder())
    }

    /// Nobody would miss this state if it were read anew from the file.
    pub(crate) fn is_idle(&self) -> bool {
        let clean = self.lock().as_ref().is_none_or(|kept| kept.pending.is_empty() && !kept.dirty);
        clean && self.last.receiver_count() == 0
    }

    /// Reads the file up to, not including, the first record that reaches `number`; cuts off the rest.
    pub(crate) fn cut(&self, number: u64) -> PortResult<()> {
        let mut kept = self.lock();
        let (found, _) = load(&self.path, number)?;
        let cut = match OpenOptions::new().write(true).open(&self.path) {
            Ok(file) => file.set_len(found.length).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        };
        let dirty = cut.map_err(|e| PortError::failed(format!("cutting {}", self.path.display()), e))?;
        self.last.send_replace(found.in_file);
        *kept = Some(Kept { dirty, ..found });
        Ok(())
    }

    /// Lines from number `from`, when none of them has to be read from the file and nothing has to wait.
    pub(crate) fn recent(&self, from: u64, limit: usize) -> Option<Vec<LogLine>> {
        let kept = self.kept.try_lock().ok()?;
        let kept = kept.as_ref().filter(|kept| from > kept.in_file)?;
        Some(pick(Walk::new(&kept.pending), from).take(limit).collect())
    }

    /// Lines from number `from`. Blocks.
    pub(crate) fn read(&self, from: u64, limit: usize) -> PortResult<Vec<LogLine>> {
        let (newest, file) = self.with(|kept| {
            let newest: Vec<LogLine> = pick(Walk::new(&kept.pending), from).take(limit).collect();
            let file =
                (from <= kept.in_file).then(|| File::open(&self.path).map(|file| kept.stretch(file, from)));
            (newest, file)
        })?;
        let Some(file) = file else { return Ok(newest) };
        let failed = |e| PortError::failed(format!("reading {}", self.path.display()), e);
        let mut lines = Vec::new();
        file.and_then(|mut file| file.collect(from, limit, &mut lines)).map_err(failed)?;
        lines.extend(newest);
        lines.truncate(limit);
        Ok(lines)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, with: impl FnOnce(&mut Kept) -> T) -> PortResult<T> {
        let mut guard = self.lock();
        if let Some(kept) = guard.as_mut() {
            return Ok(with(kept));
        }
        let (found, whole) = load(&self.path, u64::MAX)?;
        if !whole {
            // Whatever a crash may have torn has been cut when the logs were opened: this is rot.
            return Err(PortError::Corrupt(format!("{} after line {}", self.path.display(), found.in_file)));
        }
        self.last.send_replace(found.in_file);
        Ok(with(guard.insert(found)))
    }
}

impl Kept {
    /// Takes account of a record that stands at the end of the file.
    fn note(&mut self, record: &Record<'_>) {
        if let What::Lines { first, last, .. } = record.what {
            if self.index.last().is_none_or(|(_, at)| self.length >= at + INDEX_STEP) {
                self.index.push((first, self.length));
            }
            self.in_file = last;
        }
        self.length += record.bytes.len() as u64;
    }

    /// The part of the file in which number `from` and all later ones stand.
    fn stretch(&self, file: File, from: u64) -> Stretch {
        let after = self.index.partition_point(|(first, _)| *first <= from);
        let at = after.checked_sub(1).map_or(MAGIC.len() as u64, |i| self.index[i].1);
        Stretch { file, at, end: self.length, buffer: Vec::new(), used: 0 }
    }
}

/// What the sound beginning of a file holds, up to the first record that reaches `number`; whether that is all.
fn load(path: &Path, number: u64) -> PortResult<(Kept, bool)> {
    let failed = |e| PortError::failed(format!("reading {}", path.display()), e);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Kept::default(), true)),
        Err(error) => return Err(failed(error)),
    };
    let end = file.metadata().map_err(failed)?.len();
    let mut magic = [0; MAGIC.len()];
    if end < magic.len() as u64 || file.read_exact_at(&mut magic, 0).is_err() || magic != *MAGIC {
        return Ok((Kept::default(), end == 0));
    }
    let mut kept = Kept { length: magic.len() as u64, ..Kept::default() };
    let mut stretch = Stretch { file, at: kept.length, end, buffer: Vec::new(), used: 0 };
    while let Some(record) = stretch.next().map_err(failed)? {
        match record.what {
            What::Lines { last, .. } if last >= number => return Ok((kept, false)),
            _ => kept.note(&record),
        }
    }
    let whole = kept.length == end;
    Ok((kept, whole))
}

/// Records of a part of a file, read in steps.
struct Stretch {
    file: File,
    at: u64,
    end: u64,
    buffer: Vec<u8>,
    used: usize,
}

impl Stretch {
    /// The next sound record; `None` at the end or where a record is broken.
    fn next(&mut self) -> io::Result<Option<Record<'_>>> {
        if self.buffer.len() - self.used < MAX_RECORD && self.at < self.end {
            self.fill()?;
        }
        match read(&self.buffer[self.used..]) {
            Found::Record(record) => {
                self.used += record.bytes.len();
                Ok(Some(record))
            }
            Found::Part | Found::Broken => Ok(None),
        }
    }

    /// Reads on, so that a whole record is there if the file has one.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.used);
        self.used = 0;
        let step = (self.end - self.at).min(MAX_RECORD as u64);
        let before = self.buffer.len();
        self.buffer.resize(before + usize::try_from(step).expect("invariant: a step is small"), 0);
        self.file.read_exact_at(&mut self.buffer[before..], self.at)?;
        self.at += step;
        Ok(())
    }

    /// Adds the lines from number `from` until there are `limit`.
    fn collect(&mut self, from: u64, limit: usize, lines: &mut Vec<LogLine>) -> io::Result<()> {
        while lines.len() < limit {
            match self.next()? {
                Some(Record { what: What::Lines { last, lines: found, .. }, .. }) if last >= from => {
                    lines.extend(found.filter(|line| line.n >= from));
                }
                Some(_) => {}
                None => return self.ended(),
            }
        }
        Ok(())
    }

    /// An error when there is more, but no sound record.
    fn ended(&self) -> io::Result<()> {
        if self.at == self.end && self.used == self.buffer.len() {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "a record is broken"))
    }
}

/// The records of bytes that are known to be sound.
pub(crate) struct Walk<'a>(&'a [u8]);

impl<'a> Walk<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let Found::Record(record) = read(self.0) else { return None };
        self.0 = &self.0[record.bytes.len()..];
        Some(record)
    }
}

fn pick<'a>(records: Walk<'a>, from: u64) -> impl Iterator<Item = LogLine> + 'a {
    let reaching = records.filter_map(move |record| match record.what {
        What::Lines { last, lines, .. } if last >= from => Some(lines),
        _ => None,
    });
    reaching.flat_map(|lines: Lines<'a>| lines).filter(move |line| line.n >= from)
}
