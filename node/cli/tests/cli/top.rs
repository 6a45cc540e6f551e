//! `ikigai top` in a real terminal: what it shows, that it says when it is old, and what it leaves behind.

use crate::scene::Scene;
use crate::terminal::Terminal;
use rustix::termios::{LocalModes, tcgetattr};
use std::io::{Read, Write};

/// Columns and lines of the terminal.
const SIZE: (usize, usize) = (80, 24);

/// A screen as a terminal would show it, as far as `top` writes to one.
struct Seen {
    terminal: Terminal,
    cells: Vec<Vec<char>>,
    at: (usize, usize),
    bytes: Vec<u8>,
    read: usize,
}

impl Seen {
    fn start(scene: &Scene, line: &str) -> Self {
        let terminal = Terminal::keyed(scene, line, (SIZE.1 as u16, SIZE.0 as u16));
        let cells = vec![vec![' '; SIZE.0]; SIZE.1];
        Self { terminal, cells, at: (0, 0), bytes: Vec::new(), read: 0 }
    }

    fn press(&mut self, keys: &str) {
        self.terminal.screen.write_all(keys.as_bytes()).unwrap();
    }

    fn text(&self) -> String {
        self.cells.iter().map(|row| row.iter().collect::<String>().trim_end().to_owned() + "\n").collect()
    }

    /// Reads until `is` holds of what is seen.
    fn until(&mut self, what: &str, is: impl Fn(&str) -> bool) {
        let mut more = [0; 4096];
        while !is(&self.text()) {
            let n = self.terminal.screen.read(&mut more).unwrap_or(0);
            assert!(n > 0, "it ended before {what}:\n{}", self.text());
            self.bytes.extend(&more[..n]);
            self.interpret();
        }
    }

    /// All that is written until it ends, and its exit code.
    fn end(mut self) -> (String, Option<i32>) {
        let mut more = [0; 4096];
        let code = loop {
            match self.terminal.screen.read(&mut more) {
                Ok(n) if n > 0 => self.bytes.extend(&more[..n]),
                _ => break self.terminal.child.wait().unwrap().code(),
            }
        };
        (String::from_utf8_lossy(&self.bytes).into_owned(), code)
    }

    /// Places text where the cursor was moved to; colours and modes change nothing here.
    fn interpret(&mut self) {
        while let Some(first) = self.bytes.get(self.read) {
            if *first == 0x1b {
                let rest = &self.bytes[self.read..];
                let Some(end) = rest.iter().skip(2).position(|b| (0x40..=0x7e).contains(b)) else { return };
                let numbers = String::from_utf8_lossy(&rest[2..end + 2]).into_owned();
                match rest[end + 2] {
                    b'H' => {
                        let (y, x) = numbers.split_once(';').unwrap_or(("1", "1"));
                        self.at = (x.parse::<usize>().unwrap() - 1, y.parse::<usize>().unwrap() - 1);
                    }
                    b'J' => self.cells.iter_mut().for_each(|row| row.fill(' ')),
                    _ => {}
                }
                self.read += end + 3;
                continue;
            }
            let length = match first {
                0..0x80 => 1,
                0x80..0xe0 => 2,
                0xe0..0xf0 => 3,
                _ => 4,
            };
            let Some(bytes) = self.bytes.get(self.read..self.read + length) else { return };
            let c = std::str::from_utf8(bytes).unwrap().chars().next().unwrap();
            if let Some(cell) = self.cells.get_mut(self.at.1).and_then(|row| row.get_mut(self.at.0)) {
                *cell = c;
            }
            self.at.0 += 1;
            self.read += length;
        }
    }
}

#[test]
fn top_follows_the_node_says_when_it_is_cut_off_and_comes_back() {
    let mut scene = Scene::shop();
    let mut seen = Seen::start(&scene, "top");
    seen.until("the list", |t| t.contains("NEEDS YOU (3)") && t.contains("RUNS (1)"));
    scene.fake.turn("T003", "review", "T003 can be reviewed");
    seen.until("the change", |t| t.contains("NEEDS YOU (4)"));

    scene.unserve();
    seen.until("that it is cut off", |t| t.contains("NOT CONNECTED: what is shown is") && t.contains("T003"));
    scene.fake.turn("T004", "running", "T004 runs");
    scene.serve();
    seen.until("that it is back", |t| !t.contains("NOT CONNECTED") && t.contains("RUNS (1)"));

    // T006 stands first, for it failed.
    seen.press("\r");
    seen.until("the task with its lines", |t| t.contains("Checkout page") && t.contains("gave up"));
    seen.press("p");
    seen.until("a refusal", |t| t.contains("T006 is failed and cannot be paused"));
    seen.press("q");
    let (bytes, code) = seen.end();
    assert_eq!(code, Some(0));
    assert!(bytes.contains("\u{1b}[?1049h") && bytes.trim_end().ends_with("\u{1b}[?25h"), "{bytes:?}");
}

#[test]
fn a_patch_is_accepted_by_y_alone() {
    let scene = Scene::shop();
    let mut seen = Seen::start(&scene, "top");
    seen.until("the list", |t| t.contains("T002"));
    seen.press("ja");
    seen.until("the question", |t| t.contains("accept and merge the patch of T002?"));
    seen.press("n");
    seen.until("the answer", |t| t.contains("nothing was accepted"));
    assert!(scene.fake.asked().is_empty());
    seen.press("ay");
    seen.until("it is done", |t| t.contains("T002 is accepted"));
    assert_eq!(scene.fake.asked().len(), 1);
}

#[test]
fn the_terminal_is_as_before_however_it_ends() {
    let scene = Scene::shop();
    for (how, code) in [("key", 130), ("INT", 130), ("TERM", 130)] {
        let mut seen = Seen::start(&scene, "top");
        let theirs = seen.terminal.screen.try_clone().unwrap();
        seen.until("the list", |t| t.contains("NEEDS YOU"));
        assert!(!tcgetattr(&theirs).unwrap().local_modes.contains(LocalModes::ICANON), "it reads keys");
        let pid = rustix::process::Pid::from_child(&seen.terminal.child);
        match how {
            "key" => seen.press("\u{3}"),
            "INT" => rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap(),
            _ => rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap(),
        }
        // What it writes is read to its end, or it could not end.
        let (bytes, ended) = seen.end();
        assert_eq!(ended, Some(code), "{how}");
        assert!(
            tcgetattr(&theirs).unwrap().local_modes.contains(LocalModes::ICANON | LocalModes::ECHO),
            "{how}"
        );
        assert!(bytes.contains("\u{1b}[?1049l"), "{how}");
    }
}

#[test]
fn without_a_terminal_it_says_what_to_use_and_once_is_text() {
    let scene = Scene::shop();
    let shown = scene.all(&["top", "top --once", "top -o yaml"]);
    // What an attempt cost is of today, or of yesterday a few minutes after midnight.
    let line = |l: &str| l.split_once("   today ").map_or_else(|| l.to_owned(), |(head, _)| head.to_owned());
    insta::assert_snapshot!(shown.lines().map(line).collect::<Vec<_>>().join("\n"));
    let json = scene.command("top --once --json").output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((json["kind"].as_str(), json["apiVersion"].as_str()), (Some("Top"), Some("ikigai.dev/v1")));
    let short =
        |group: &str| json[group].as_array().unwrap().iter().map(|t| t["short"].clone()).collect::<Vec<_>>();
    assert_eq!((short("needsYou").len(), short("runs")), (3, vec!["T003".into()]));
}
