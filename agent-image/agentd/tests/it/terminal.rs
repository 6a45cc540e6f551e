//! The terminal: a shell on a real PTY, each of whose bytes a client gets once, however often it comes back.

use crate::harness::{Agentd, Control, Gateway, HANG, Room, ended, eventually, lives};
use ikigai_wire::agent::FrameBody;
use ikigai_wire::terminal::{ClientWord, FromClient, FromTerminal, Reader, Size, TerminalWord, Want};
use serde_json::json;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

/// An agent that does `script`, and its node.
fn idle(script: &str) -> (Room, Gateway, Control, Agentd) {
    let room = Room::new();
    let gateway = Gateway::listen(&room);
    room.script(script);
    let agentd = room.start();
    let control = gateway.control();
    (room, gateway, control, agentd)
}

/// A client of the terminal.
struct Client {
    stream: UnixStream,
    messages: Reader,
    terminal: String,
    next: u64,
    got: Vec<u8>,
    gaps: Vec<(u64, u64)>,
    exited: Option<i32>,
}

impl Client {
    fn open(stream: UnixStream, terminal: Option<&str>, from: Option<u64>) -> Self {
        stream.set_read_timeout(Some(HANG)).unwrap();
        let size = Size { cols: 100, rows: 30 };
        let (mut this, terminal) = (
            Self {
                stream,
                messages: Reader::default(),
                terminal: String::new(),
                next: 0,
                got: Vec::new(),
                gaps: Vec::new(),
                exited: None,
            },
            terminal.map(str::to_owned),
        );
        this.say(&FromClient::Word(ClientWord::Open {
            client: "c".into(),
            terminal,
            from,
            size,
            want: Want::Type,
        }));
        match this.hear().unwrap() {
            FromTerminal::Word(TerminalWord::Opened { terminal, from, .. }) => {
                (this.terminal, this.next) = (terminal, from);
            }
            other => panic!("{other:?}"),
        }
        this
    }

    fn say(&mut self, message: &FromClient) {
        self.stream.write_all(&message.frame()).unwrap();
    }

    fn types(&mut self, text: &str) {
        self.say(&FromClient::Input(text.as_bytes().to_vec()));
    }

    fn hear(&mut self) -> Option<FromTerminal> {
        loop {
            if let Some(message) = self.messages.message().unwrap() {
                return Some(FromTerminal::decode(message).unwrap());
            }
            let mut buffer = [0; 9999];
            match self.stream.read(&mut buffer).unwrap() {
                0 => return None,
                n => self.messages.push(&buffer[..n]),
            }
        }
    }

    /// Takes in one message; false at the end.
    fn take(&mut self) -> bool {
        match self.hear() {
            None => return false,
            Some(FromTerminal::Output { offset, bytes }) => {
                assert_eq!(offset, self.next, "no byte is left out or sent again");
                self.next += bytes.len() as u64;
                self.got.extend(bytes);
            }
            Some(FromTerminal::Word(TerminalWord::Gap { from, to })) => {
                assert_eq!(from, self.next);
                self.next = to;
                self.gaps.push((from, to));
            }
            Some(FromTerminal::Word(TerminalWord::Exited { code })) => self.exited = Some(code),
            Some(other) => panic!("{other:?}"),
        }
        true
    }

    fn until(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.got).contains(text) {
            assert!(self.take(), "it ended before {text}: {}", String::from_utf8_lossy(&self.got));
        }
    }
}

fn dial(gateway: &Gateway, control: &mut Control, id: u64) -> UnixStream {
    control.order(&json!({ "order": "dial-terminal", "id": id }));
    gateway.stream(id)
}

#[test]
fn a_shell_has_a_terminal_of_its_own_in_the_workspace() {
    let (room, gateway, mut control, _agentd) = idle("sleep 1000");
    let mut client = Client::open(dial(&gateway, &mut control, 1), None, None);
    client.types("tty; stty size; pwd; echo it is $((40 + 2))\r");
    client.until("it is 42");
    let seen = String::from_utf8_lossy(&client.got).into_owned();
    assert!(seen.contains("/dev/pts/") && seen.contains("30 100"), "{seen}");
    assert!(seen.contains(room.path("work").to_str().unwrap()), "{seen}");
    client.say(&FromClient::Word(ClientWord::Size { size: Size { cols: 72, rows: 20 } }));
    client.types("stty size\r");
    client.until("20 72");
    // Job control works: the shell leads a session that has the terminal. What is interrupted has begun: before that
    // the key would be the shell's own.
    client.types("sh -c 'echo be\"\"gun; exec sleep 100'\r");
    client.until("begun");
    client.types("\u{3}");
    client.types("echo back $((1 + 1))\r");
    client.until("back 2");
}

#[test]
fn who_comes_back_after_a_megabyte_has_every_byte_once() {
    let (_room, gateway, mut control, _agentd) = idle("sleep 1000");
    let mut first = Client::open(dial(&gateway, &mut control, 1), None, None);
    first.types("seq 1 160000; echo do''ne\r");
    while first.got.len() < 300_000 {
        first.take();
    }
    let (mut got, terminal) = (std::mem::take(&mut first.got), first.terminal.clone());
    let next = first.next;
    drop(first);
    let mut second = Client::open(dial(&gateway, &mut control, 2), Some(&terminal), Some(next));
    second.until("done");
    got.append(&mut second.got);
    assert!(got.len() > 1_000_000, "{}", got.len());
    // What another sees that was there from the beginning is the same, byte for byte.
    let mut whole = Client::open(dial(&gateway, &mut control, 3), None, None);
    while whole.next < second.next {
        whole.take();
    }
    assert!(got == whole.got, "the two differ");
    let lines: String = (1..=160_000).map(|n| format!("{n}\r\n")).collect();
    assert!(String::from_utf8_lossy(&got).contains(&lines));
}

#[test]
fn what_is_not_kept_any_more_is_a_gap_and_another_terminal_is_read_from_its_start() {
    let (_room, gateway, mut control, _agentd) = idle("sleep 1000");
    let mut first = Client::open(dial(&gateway, &mut control, 1), None, None);
    first.types("head -c 6000000 /dev/zero | tr '\\0' x; echo; echo do''ne\r");
    first.until("done");
    let mut late = Client::open(dial(&gateway, &mut control, 2), Some(&first.terminal), Some(5));
    late.until("done");
    assert_eq!(late.gaps.len(), 1);
    assert!(late.gaps[0].0 == 5 && late.gaps[0].1 > 1_000_000, "{:?}", late.gaps);
    let other = Client::open(dial(&gateway, &mut control, 3), Some("of another life"), Some(50));
    assert_eq!(other.next, 0);
}

#[test]
fn a_shell_that_ends_is_told_and_the_next_client_has_a_new_one_in_the_same_terminal() {
    let (_room, gateway, mut control, _agentd) = idle("sleep 1000");
    let mut first = Client::open(dial(&gateway, &mut control, 1), None, None);
    first.types("echo fir''st; exit 7\r");
    while first.take() {}
    assert_eq!(first.exited, Some(7));
    let mut second = Client::open(dial(&gateway, &mut control, 2), None, None);
    second.types("echo sec''ond\r");
    second.until("second");
    assert!(String::from_utf8_lossy(&second.got).contains("first"));
}

#[test]
fn the_shell_outlives_its_clients_and_ends_with_agentd() {
    let (_room, gateway, mut control, mut agentd) = idle("until [ -e go ]; do sleep 0.01; done");
    let mut first = Client::open(dial(&gateway, &mut control, 1), None, None);
    first.types("echo it is $$ he''re\r");
    first.until(" here");
    drop(first);
    let mut second = Client::open(dial(&gateway, &mut control, 2), None, None);
    second.until(" here");
    let text = String::from_utf8_lossy(&second.got).into_owned();
    let pid = text.split("it is ").filter_map(|t| t.split(" here").next()?.parse().ok()).next().unwrap();
    assert!(lives(pid));
    second.types("touch go\r");
    agentd.until(|body| *body == ended(0));
    assert_eq!(agentd.wait().code(), Some(0));
    eventually("the shell is gone", || !lives(pid));
}

#[test]
fn while_a_person_types_the_end_of_the_agent_is_not_told() {
    let (room, gateway, mut control, mut agentd) = idle("until [ -e go ]; do sleep 0.01; done");
    control.order(&json!({ "order": "hold" }));
    // The order before it has been read by then.
    let mut client = Client::open(dial(&gateway, &mut control, 1), None, None);
    client.types("touch go\r");
    let waits = |b: &FrameBody| matches!(b, FrameBody::Note { t } if t.contains("handed back"));
    agentd.until(waits);
    client.types("echo ma''de > by-hand; echo wri''tten\r");
    client.until("written");
    control.order(&json!({ "order": "release" }));
    agentd.until(|body| *body == ended(0));
    assert_eq!(std::fs::read_to_string(room.path("work/by-hand")).unwrap(), "made\n");
}

#[test]
fn a_node_that_goes_away_holds_nobody() {
    let (_room, gateway, mut control, mut agentd) = idle("until [ -e go ]; do sleep 0.01; done");
    control.order(&json!({ "order": "hold" }));
    let mut client = Client::open(dial(&gateway, &mut control, 1), None, None);
    client.types("touch go\r");
    agentd.until(|b| matches!(b, FrameBody::Note { t } if t.contains("handed back")));
    std::fs::remove_file(gateway.socket()).unwrap();
    drop(control);
    agentd.until(|body| *body == ended(0));
}

#[test]
fn a_connection_that_breaks_hands_nothing_back() {
    let (room, gateway, mut control, mut agentd) = idle("until [ -e go ]; do sleep 0.01; done");
    control.order(&json!({ "order": "hold" }));
    let mut client = Client::open(dial(&gateway, &mut control, 1), None, None);
    client.types("touch go\r");
    agentd.until(|b| matches!(b, FrameBody::Note { t } if t.contains("handed back")));
    drop(control);
    let mut control = gateway.control();
    let mut again = Client::open(dial(&gateway, &mut control, 2), None, None);
    // It would have ended by now, and taken the shell with it.
    again.types("sleep 0.2; echo ma''de > by-hand; echo wri''tten\r");
    again.until("written");
    control.order(&json!({ "order": "release" }));
    agentd.until(|body| *body == ended(0));
    assert_eq!(std::fs::read_to_string(room.path("work/by-hand")).unwrap(), "made\n");
}
