//! Being told of changes instead of looking for them: files by inotify, processes by their descriptor.

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Tells when a file, or what is in a folder, has changed.
#[derive(Debug)]
pub struct Watch(AsyncFd<OwnedFd>);

impl Watch {
    /// Changes from now on: look at what is there after this, before the first [`Watch::changed`].
    ///
    /// # Errors
    /// What the kernel says when it cannot watch `path`.
    pub fn new(path: &Path) -> io::Result<Self> {
        let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let flags = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::DELETE_SELF;
        inotify::add_watch(&events, path, flags)?;
        Ok(Self(readable(events)?))
    }

    /// Answers after the next change, once for many. Cancel-safe.
    ///
    /// # Errors
    /// When the kernel's queue cannot be read.
    pub async fn changed(&self) -> io::Result<()> {
        let mut ready = self.0.readable().await?;
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(self.0.get_ref(), &mut buffer);
        loop {
            match events.next() {
                Ok(_) => {}
                Err(rustix::io::Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            }
        }
        ready.clear_ready();
        Ok(())
    }
}

/// Tells when a process has ended.
#[derive(Debug)]
pub struct Ending(Option<AsyncFd<OwnedFd>>);

impl Ending {
    /// Of process `pid`; one that is gone already has ended.
    ///
    /// # Errors
    /// What the kernel says when it gives no descriptor for a process that is there.
    pub fn of(pid: Pid) -> io::Result<Self> {
        match pidfd_open(pid, PidfdFlags::NONBLOCK) {
            Ok(descriptor) => Ok(Self(Some(readable(descriptor)?))),
            Err(rustix::io::Errno::SRCH) => Ok(Self(None)),
            Err(error) => Err(error.into()),
        }
    }

    /// One that is over.
    pub fn over() -> Self {
        Self(None)
    }

    /// Answers when it has ended. Cancel-safe.
    ///
    /// # Errors
    /// When the descriptor cannot be waited for.
    pub async fn ended(&self) -> io::Result<()> {
        match &self.0 {
            Some(descriptor) => descriptor.readable().await.map(drop),
            None => Ok(()),
        }
    }
}

/// The way that replaces this one is unsafe, for descriptors that somebody else may close; this one is owned.
#[expect(deprecated, reason = "sound for an owned descriptor, and unsafe code is forbidden here")]
fn readable(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(descriptor, Interest::READABLE)
}
