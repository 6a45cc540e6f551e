//! The terminal while it is ours, and its keys.

use ikigai_wire::api::{Code, Problem};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use tokio::sync::mpsc;

/// What a terminal says.
#[derive(Debug)]
pub(super) enum Said {
    Key(KeyEvent),
    /// Its size is another; it is drawn anew.
    Size,
}

/// A screen of its own; what was there before is back when this is dropped, and also after a panic.
#[derive(Debug)]
pub(super) struct Screen(pub(super) DefaultTerminal);

impl Screen {
    pub(super) fn open() -> Result<Self, Problem> {
        // What sets the terminal also sets a panic hook that resets it.
        let failed = |e| Problem::plain(Code::Failed, format!("cannot use the terminal: {e}"));
        ratatui::try_init().map(Self).map_err(failed)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = ratatui::try_restore();
    }
}

/// Keys as they are pressed. The thread that reads them ends with the program, or when nobody listens any more.
pub(super) fn keys() -> mpsc::Receiver<Said> {
    let (said, heard) = mpsc::channel(64);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            let what = match event {
                Event::Key(key) if key.kind != KeyEventKind::Release => Said::Key(key),
                Event::Resize(..) => Said::Size,
                _ => continue,
            };
            if said.blocking_send(what).is_err() {
                return;
            }
        }
    });
    heard
}
