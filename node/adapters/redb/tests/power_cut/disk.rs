//! A disk in memory that remembers everything that was done to it, so that it can be cut off at any point.

use ikigai_ports::testsuite::chance::Chance;
use ikigai_ports::testsuite::torn::{Change, torn};
use redb::StorageBackend;
use std::io;
use std::sync::{Arc, Mutex};

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Event {
    Changed(Change),
    Synced,
    /// The store answered: each writer's last batch.
    Answered(Vec<u64>),
}

/// Shared by redb, which writes, and the test, which cuts.
#[derive(Debug, Clone, Default)]
pub struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    events: Vec<Event>,
    /// What each write and sync fails with, after that many that work.
    failing: Option<(u64, io::ErrorKind)>,
}

impl Disk {
    /// A disk that holds `bytes`, all of them durable.
    pub fn holding(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State { bytes, ..State::default() })))
    }

    pub fn note(&self, event: Event) {
        self.0.lock().unwrap().events.push(event);
    }

    pub fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().events.clone()
    }

    /// From the `after`th write or sync on each fails with `kind`; `None` heals the disk.
    pub fn fail(&self, failing: Option<(u64, io::ErrorKind)>) {
        self.0.lock().unwrap().failing = failing;
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.may_fail()?;
        apply(&mut state.bytes, &change);
        state.events.push(Event::Changed(change));
        Ok(())
    }
}

impl State {
    fn may_fail(&mut self) -> io::Result<()> {
        match &mut self.failing {
            Some((0, kind)) => Err(io::Error::from(*kind)),
            Some((after, _)) => {
                *after -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(length) => bytes.resize(usize::try_from(*length).unwrap(), 0),
        Change::Write(at, data) => {
            let at = usize::try_from(*at).unwrap();
            if bytes.len() < at + data.len() {
                bytes.resize(at + data.len(), 0);
            }
            bytes[at..at + data.len()].copy_from_slice(data);
        }
    }
}

/// What a disk that held `bytes` holds when the power is cut after `events`, and what had been answered.
pub fn cut(bytes: &[u8], events: &[Event], chance: &mut Chance) -> (Vec<u8>, Option<Vec<u64>>) {
    let mut synced = bytes.to_vec();
    let (mut changes, mut answered) = (Vec::new(), None);
    for event in events {
        match event {
            Event::Changed(change) => changes.push(change.clone()),
            Event::Synced => changes.drain(..).for_each(|change| apply(&mut synced, &change)),
            Event::Answered(counts) => answered = Some(counts.clone()),
        }
    }
    (torn(&synced, &changes, chance), answered)
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock().unwrap();
        let at = usize::try_from(offset).unwrap();
        let found = state.bytes.get(at..at + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.change(Change::Length(length))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.may_fail()?;
        state.events.push(Event::Synced);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Change::Write(offset, data.to_vec()))
    }
}
