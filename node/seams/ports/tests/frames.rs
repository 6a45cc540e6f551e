//! What earlier versions sent can be read, and what later ones add is passed over.
//!
//! `fixtures/rpc/<version>.jsonl` holds, for each message of that version, the document and its bytes as that
//! version sent them. Bytes that were recorded are never changed; a new message is a new line without bytes,
//! which `RECORD_FRAMES=1 cargo test -p ikigai-ports --test frames` fills in.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use ikigai_ports::peer::Appended;
use ikigai_ports::rpc::Verb;
use ikigai_wire::api::{
    Event, Filter, LogEntry, NodeView, OpenView, Problem, Snapshot, SubmitView, TaskView,
};
use ikigai_wire::peer::{Admission, Check, Checked, Copied, CopyAsk, Lines, Offer, Reply, Report, Roster};
use ikigai_wire::rpc::{
    Cursor, Direct, Fault, Instruct, Item, LogsFrom, Named, Nothing, PackOf, Steer, Submission, Text, decode,
    decode_all, encode,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

#[derive(Debug, Serialize, Deserialize)]
struct Frame {
    /// `<verb>.ask`, `<verb>.answer` or `<verb>.item`, and after a slash which.
    frame: String,
    document: Value,
    /// Hexadecimal.
    bytes: String,
}

/// A document by a message's name: what it is, asked of all that must hold of it.
fn hold(frame: &Frame) -> Vec<u8> {
    match frame.frame.split('/').next().unwrap() {
        "Offer.ask" => of::<Offer>(frame),
        "Offer.answer" => of::<Admission>(frame),
        "Order.ask" => of::<Direct>(frame),
        "Order.answer" => of::<Nothing>(frame),
        "Report.ask" => of::<Report>(frame),
        "Report.answer" => of::<Reply>(frame),
        "Append.ask" => of::<Lines>(frame),
        "Append.answer" => of::<Appended>(frame),
        "Check.ask" => of::<Check>(frame),
        "Check.answer" => of::<Checked>(frame),
        "Pack.ask" => of::<PackOf>(frame),
        "Copy.ask" => of::<CopyAsk>(frame),
        "Copy.answer" => of::<Copied>(frame),
        "Roster.ask" | "Roster.answer" => of::<Roster>(frame),
        "Snapshot.ask" => of::<Filter>(frame),
        "Snapshot.answer" => of::<Snapshot>(frame),
        "Task.ask" | "Open.ask" | "Diff.ask" => of::<Named>(frame),
        "Task.answer" | "Command.answer" => of::<TaskView>(frame),
        "Submit.ask" => of::<Submission>(frame),
        "Submit.answer" => of::<SubmitView>(frame),
        "Command.ask" => of::<Instruct>(frame),
        "Steer.ask" => of::<Steer>(frame),
        "Steer.answer" => of::<NodeView>(frame),
        "Logs.ask" => of::<LogsFrom>(frame),
        "Logs.item" => of::<Item<LogEntry>>(frame),
        "Events.ask" => of::<Cursor>(frame),
        "Events.item" => of::<Item<Event>>(frame),
        "Open.answer" => of::<OpenView>(frame),
        "Diff.answer" => of::<Text>(frame),
        "fault" => of::<Fault>(frame),
        "problem" => of::<Problem>(frame),
        other => panic!("{other} is no message"),
    }
}

/// Answers the bytes that this version sends.
fn of<T: Serialize + DeserializeOwned + PartialEq + Debug>(frame: &Frame) -> Vec<u8> {
    let name = &frame.frame;
    let wanted: T = serde_json::from_value(frame.document.clone()).unwrap();
    let sent = encode(&wanted);
    assert_eq!(decode::<T>(&sent).unwrap(), wanted, "{name}: what is sent is what is read");
    if !frame.bytes.is_empty() {
        let recorded = unhex(&frame.bytes);
        assert_eq!(decode::<T>(&recorded).unwrap(), wanted, "{name}: what was sent is what is read");
        let mut later: Value = decode(&recorded).unwrap();
        // A submission with a wish that is not understood is refused, not half done. An answer to `append` is
        // a variant with its number, not a map of fields.
        if !name.starts_with("Submit.ask") && !name.starts_with("Append.answer") {
            add(&mut later);
            assert_eq!(decode::<T>(&encode(&later)).unwrap(), wanted, "{name}: what is added is passed over");
        }
    }
    sent
}

/// Adds to every map what no version knows.
fn add(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(add),
        Value::Object(fields) => {
            // Tags are a map of names, not of fields.
            fields.iter_mut().filter(|(name, _)| *name != "tags").for_each(|(_, field)| add(field));
            fields.insert("addedLater".to_owned(), json!([1, { "x": null, "y": "z" }, -2.5]));
        }
        _ => {}
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rpc")
}

fn read(file: &Path) -> Vec<Frame> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |i| u8::from_str_radix(&text[i..i + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

#[test]
fn frames_of_every_version_are_read() {
    for file in std::fs::read_dir(folder()).unwrap() {
        for frame in read(&file.unwrap().path()) {
            hold(&frame);
        }
    }
}

#[test]
fn every_message_of_this_version_is_recorded() {
    let file = folder().join(format!("{}.jsonl", env!("CARGO_PKG_VERSION")));
    let mut frames = read(&file);
    if std::env::var_os("RECORD_FRAMES").is_some() {
        for frame in frames.iter_mut().filter(|f| f.bytes.is_empty()) {
            frame.bytes = hex(&hold(frame));
        }
        let lines: String = frames.iter().map(|f| serde_json::to_string(f).unwrap() + "\n").collect();
        std::fs::write(&file, lines).unwrap();
    }
    assert!(frames.iter().all(|f| !f.bytes.is_empty()), "run with RECORD_FRAMES=1");
    let names: BTreeSet<_> = frames.iter().map(|f| f.frame.split('/').next().unwrap()).collect();
    for verb in Verb::ALL {
        let answer = if verb.streams() { "item" } else { "answer" };
        assert!(names.contains(&*format!("{}.ask", verb.name())), "{verb:?} is not recorded");
        // Pieces of a pack are bytes of git.
        assert!(verb == Verb::Pack || names.contains(&*format!("{}.{answer}", verb.name())), "{verb:?}");
    }
}

#[test]
fn a_submission_with_a_wish_that_is_not_understood_is_refused() {
    let plain = json!({ "project": "/p", "by": "alice" });
    let read: Submission = decode(&encode(&plain)).unwrap();
    assert_eq!((read.request.project.as_str(), read.by.as_deref()), ("/p", Some("alice")));
    let wish = json!({ "project": "/p", "by": "alice", "onTheMoon": true });
    assert!(decode::<Submission>(&encode(&wish)).is_err());
}

#[test]
fn items_stand_one_after_the_other() {
    let item = |n| Item::of(Ok(Text { text: format!("line {n}") }));
    let bytes: Vec<u8> = (0..100).flat_map(|n| encode(&item(n))).collect();
    assert_eq!(decode_all::<Item<Text>>(&bytes).unwrap(), (0..100).map(item).collect::<Vec<_>>());
    assert_eq!(decode_all::<Item<Text>>(&[]).unwrap(), []);
    assert!(decode_all::<Item<Text>>(&bytes[..bytes.len() - 1]).is_err());
    // A kind of item that comes later is no item, and no error.
    let later: Item<Text> = decode(&encode(&json!({ "mark": 7 }))).unwrap();
    assert_eq!(later.into_result(), None);
}

/// Whatever comes is read or refused: every start of every message, and every message with one byte changed.
#[test]
fn broken_frames_are_refused_without_harm() {
    for frame in read(&folder().join("0.1.0.jsonl")) {
        let bytes = unhex(&frame.bytes);
        for end in 0..bytes.len().min(400) {
            assert!(decode::<Value>(&bytes[..end]).is_err(), "{} bytes of {}", end, frame.frame);
        }
        for at in 0..bytes.len().min(400) {
            for changed in [0x00, 0x80, 0x90, 0xc1, 0xdb, 0xdd, 0xdf, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] = changed;
                let _ = std::hint::black_box(decode::<Value>(&bytes));
                let _ = std::hint::black_box(decode::<Snapshot>(&bytes));
                let _ = std::hint::black_box(decode::<Offer>(&bytes));
                let _ = std::hint::black_box(decode::<Report>(&bytes));
            }
        }
    }
}
