//! What a terminal gets and a pipe does not: harmless text, lines that fit, a picture drawn in place.

use crate::scene::Scene;
use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Child;

/// A terminal of 70 columns and 24 lines with the program in it.
pub(crate) struct Terminal {
    pub(crate) screen: File,
    pub(crate) child: Child,
}

impl Terminal {
    fn start(scene: &Scene, line: &str) -> Self {
        let (screen, theirs) = pair(24, 70);
        Self { screen, child: scene.command(line).stdout(theirs).spawn().unwrap() }
    }

    /// One of `lines` and `columns` that the program also reads keys from.
    pub(crate) fn keyed(scene: &Scene, line: &str, (lines, columns): (u16, u16)) -> Self {
        let (screen, theirs) = pair(lines, columns);
        let mut command = scene.command(line);
        command.stdin(theirs.try_clone().unwrap()).stdout(theirs);
        Self { screen, child: command.spawn().unwrap() }
    }

    /// All that was written until the program ended.
    fn read_out(mut self) -> String {
        let mut bytes = Vec::new();
        // The other end of a terminal that is closed is an error, not an end.
        let _ = self.screen.read_to_end(&mut bytes);
        self.child.wait().unwrap();
        String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
    }

    /// What is written until `wanted` is in it.
    fn until(&mut self, wanted: &str) -> String {
        let mut text = String::new();
        let mut bytes = [0; 4096];
        while !text.contains(wanted) {
            let n = self.screen.read(&mut bytes).unwrap();
            text.push_str(&String::from_utf8_lossy(&bytes[..n]));
        }
        text
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // One that goes on would keep what it inherited open.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Our end and theirs of a terminal.
fn pair(lines: u16, columns: u16) -> (File, OwnedFd) {
    // No program has our end: it would never see that we are gone.
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    tcsetwinsize(&ours, Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let theirs = rustix::fs::open(name, flags, rustix::fs::Mode::empty()).unwrap();
    (File::from(ours), theirs)
}

#[test]
fn logs_cannot_move_the_cursor_or_turn_the_text_around() {
    let scene = Scene::shop();
    let terminal = Terminal::start(&scene, "task logs T003 --from 3").read_out();
    assert_eq!(terminal, "red evil done\n");
    let pipe = scene.command("task logs T003 --from 3").output().unwrap();
    assert_eq!(pipe.stdout, b"red evil done\n", "a pipe may end on a terminal");
    let raw = scene.command("task logs T003 --from 3 --raw").output().unwrap();
    let stored = "\u{1b}[31mred\u{1b}[0m \u{202e}evil\u{200b} \u{1b}]0;title\u{7}done\n";
    assert_eq!(raw.stdout, stored.as_bytes(), "--raw has the bytes as they are");
}

#[test]
fn lines_fit_the_terminal() {
    let scene = Scene::shop();
    let shown = Terminal::start(&scene, "task ls -o wide").read_out();
    assert_eq!(shown.lines().count(), 8);
    assert!(shown.lines().all(|l| l.chars().count() <= 70), "{shown}");
    assert!(shown.contains('…') && !shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn watching_draws_in_place_until_ctrl_c() {
    let scene = Scene::shop();
    let mut terminal = Terminal::start(&scene, "task ls --watch");
    let first = terminal.until("2 waiting");
    assert!(!first.contains("\u{1b}[9A"), "nothing is there yet to be drawn over: {first:?}");
    scene.fake.turn("T003", "review", "T003 can be reviewed");
    let next = terminal.until("3 review");
    assert!(next.contains("\u{1b}[9A"), "{next:?}");
    let pid = rustix::process::Pid::from_child(&terminal.child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(terminal.child.wait().unwrap().code(), Some(130));
}
