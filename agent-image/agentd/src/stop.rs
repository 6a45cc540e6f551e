//! That the end is wanted, and by which signal, as a value everyone can wait for.

use crate::frames::Frames;
use rustix::process::Signal;
use std::io;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Asks for the end.
#[derive(Debug, Clone)]
pub struct Stopper(watch::Sender<Option<Signal>>);

/// Whether the end was asked for.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<Option<Signal>>);

/// A pair of the two.
pub fn pair() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(None);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Asks; the first signal that was asked for stays.
    pub fn ask(&self, with: Signal) {
        self.0.send_if_modified(|s| s.is_none() && s.replace(with).is_none());
    }

    /// Asks when SIGTERM or SIGINT comes, or when nobody reads what `frames` says any more.
    pub fn ask_on_signals(self, frames: Frames) -> io::Result<()> {
        let mut term = signal(SignalKind::terminate())?;
        let mut int = signal(SignalKind::interrupt())?;
        tokio::spawn(async move {
            loop {
                let with = tokio::select! {
                    _ = term.recv() => Signal::TERM,
                    _ = int.recv() => Signal::INT,
                    () = frames.broken() => Signal::TERM,
                };
                self.ask(with);
                if frames.is_broken() {
                    return;
                }
            }
        });
        Ok(())
    }
}

impl Stop {
    /// Returns once the end was asked for. Cancel-safe.
    pub async fn asked(&mut self) -> Signal {
        match self.0.wait_for(Option::is_some).await {
            Ok(signal) => signal.unwrap_or(Signal::TERM),
            // Nobody is left who could ask.
            Err(_) => std::future::pending().await,
        }
    }

    /// The signal, if the end was asked for.
    pub fn now(&self) -> Option<Signal> {
        *self.0.borrow()
    }
}
