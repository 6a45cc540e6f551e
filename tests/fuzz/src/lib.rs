//! What is fed with any bytes: everything that a peer, or one who is none yet, can make a node read.
//!
//! Each function is one target of `cargo fuzz` (`cargo +nightly fuzz run --fuzz-dir tests/fuzz membership`), and
//! of the plain test `tests/tests/fuzz`, which runs them all over the kept corpora and seeded mutations of those.
//! A target panics when a promise does not hold: what is read is bounded, and what is read and written again is
//! the same.

use ikigai_enrolment::Roster;
use ikigai_membership::frame::{FRAME_MAX, describe};
use ikigai_membership::{ADVERTISEMENT_MAX, Book, Config, Effect, Input, Me, Membership, Unsealed};
use ikigai_placement::{Candidate, Request, place};
use ikigai_ports::peer::Appended;
use ikigai_types::{NodeId, Resources, Timestamp};
use ikigai_wire::api::{
    Event, Filter, LogEntry, NodeView, OpenView, Problem, Snapshot, SubmitRequest, SubmitView, TaskView,
};
use ikigai_wire::peer::{
    Admission, Advertisement, Check, Checked, Copied, CopyAsk, Envelope, Lines, Offer, Reply, Report, Token,
    Workload, join, roster,
};
use ikigai_wire::rpc::{
    Cursor, Direct, Fault, Instruct, Item, LogsFrom, Named, Nothing, PackOf, Steer, Text, decode, decode_all,
    encode,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;

/// A target and its name.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 6] = [
    ("membership", membership),
    ("rpc", rpc),
    ("join", joining),
    ("statement", statement),
    ("token", token),
    ("advertisement", advertisement),
];

/// Enrolled with each other; anyone else is a stranger.
const ENROLLED: u8 = 6;

/// The node whose every byte is `i`.
pub fn id(i: u8) -> NodeId {
    NodeId::from_bytes([i; 32])
}

/// Node `i` of the enrolled, before its first input.
pub fn machine(i: u8) -> Membership {
    let me = Me {
        node: id(i),
        incarnation: 0,
        advertisement: vec![i; 20],
        book: (0..ENROLLED).map(id).collect::<Book>(),
        seal: Arc::new(Unsealed),
    };
    Membership::new(Config::default(), me, u64::from(i))
}

/// Frames of membership, each after a byte for its sender and two for its length, at a node that has begun.
pub fn membership(mut bytes: &[u8]) {
    let mut machine = machine(0);
    let mut now = Timestamp(1_000);
    let mut sent = 0;
    machine.handle(Input::Wake, now);
    while let Some((head, rest)) = bytes.split_first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([head[1], head[2]])).min(rest.len());
        let frame = rest[..length].to_vec();
        bytes = &rest[length..];
        let _ = describe(&frame);
        now.0 += 50;
        for effect in machine.handle(Input::Frame { from: id(head[0] % 8), frame }, now) {
            if let Effect::Send { to, frame } = effect {
                assert!(machine.member(&to).is_some(), "written to a stranger");
                assert!(frame.len() <= FRAME_MAX && describe(&frame).is_ok());
                sent += frame.len();
            }
        }
        assert_eq!(machine.violated(), None);
    }
    assert!(machine.members().count() < usize::from(ENROLLED), "a stranger became a member");
    assert!(sent < 16 << 20, "{sent} bytes were sent");
}

/// What is read is the same when it is written and read again.
fn message<T: DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) {
    if let Ok(read) = decode::<T>(bytes) {
        assert_eq!(decode::<T>(&encode(&read)).as_ref(), Ok(&read));
    }
}

type Reader = fn(&[u8]);

/// The messages of calls between nodes, by the names of their recorded frames. The last is never recorded: it
/// travels signed, within an offer.
pub const MESSAGES: [(&str, Reader); 35] = [
    ("Offer.ask", message::<Offer>),
    ("Offer.answer", message::<Admission>),
    ("Order.ask", message::<Direct>),
    ("Order.answer", message::<Nothing>),
    ("Report.ask", message::<Report>),
    ("Report.answer", message::<Reply>),
    ("Append.ask", message::<Lines>),
    ("Append.answer", message::<Appended>),
    ("Check.ask", message::<Check>),
    ("Check.answer", message::<Checked>),
    ("Pack.ask", message::<PackOf>),
    ("Copy.ask", message::<CopyAsk>),
    ("Copy.answer", message::<Copied>),
    ("Roster.", message::<ikigai_wire::peer::Roster>),
    ("Snapshot.ask", message::<Filter>),
    ("Snapshot.answer", message::<Snapshot>),
    ("Task.ask", message::<Named>),
    ("Task.answer", message::<TaskView>),
    ("Command.answer", message::<TaskView>),
    ("Open.ask", message::<Named>),
    ("Diff.ask", message::<Named>),
    ("Submit.ask", message::<SubmitRequest>),
    ("Submit.answer", message::<SubmitView>),
    ("Command.ask", message::<Instruct>),
    ("Steer.ask", message::<Steer>),
    ("Steer.answer", message::<NodeView>),
    ("Logs.ask", message::<LogsFrom>),
    ("Logs.item", message::<Item<LogEntry>>),
    ("Events.ask", message::<Cursor>),
    ("Events.item", message::<Item<Event>>),
    ("Open.answer", message::<OpenView>),
    ("Diff.answer", message::<Text>),
    ("fault", message::<Fault>),
    ("problem", message::<Problem>),
    ("workload", message::<Workload>),
];

/// One message of a call, after a byte that says which.
pub fn rpc(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    MESSAGES[usize::from(*kind) % MESSAGES.len()].1(bytes);
    if kind % 4 == 0 {
        let _ = decode_all::<Item<Text>>(bytes);
        let _ = decode_all::<Item<LogEntry>>(bytes);
        let _ = decode_all::<Item<TaskView>>(bytes);
    }
}

/// A frame of enrolment, with its length before it, from one who has an invitation or says so.
pub fn joining(bytes: &[u8]) {
    let Some((head, rest)) = bytes.split_first_chunk::<4>() else { return };
    let Ok(length) = join::length(*head) else { return };
    assert!(length <= join::MAX_FRAME);
    let body = &rest[..length.min(rest.len())];
    let _ = join::decode::<join::Hello>(body);
    let _ = join::decode::<join::Request>(body);
    if let Ok(join::Answer::Page { statements, .. }) = join::decode::<join::Answer>(body) {
        let count = statements.len();
        let pages = join::pages(statements);
        let on = |page: &join::Answer| match page {
            join::Answer::Page { statements, .. } => statements.len(),
            _ => 0,
        };
        assert_eq!(pages.iter().map(on).sum::<usize>(), count);
    }
}

/// A statement about who belongs to the mesh, whose signature is taken for good, at a node that knows its mesh.
pub fn statement(bytes: &[u8]) {
    let Ok(envelope) = serde_json::from_slice::<Envelope>(bytes) else { return };
    let Ok(statement) = roster::read(&envelope, |_, _, _| true) else { return };
    assert_eq!(statement.id(), roster::id(&envelope));
    let root = ikigai_enrolment::roster::found(id(0), "a", Vec::new(), "n".to_owned(), Timestamp(1));
    let mut known = Roster::new(root.mesh);
    known.merge([statement.clone()]);
    let before = known.digest();
    known.merge([statement]);
    assert_eq!(known.digest(), before, "the same statement twice is another roster");
    assert!(known.members().count() <= 1);
}

/// An invitation as somebody pastes it.
pub fn token(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(token) = Token::decode(text) {
        assert_eq!(Token::decode(&token.encode()), Ok(token));
    }
}

/// What a node says of itself, and a choice made by it.
pub fn advertisement(bytes: &[u8]) {
    if bytes.len() > ADVERTISEMENT_MAX {
        return;
    }
    let Ok(ad) = serde_json::from_slice::<Advertisement>(bytes) else { return };
    let candidate = Candidate {
        allocatable: ad.allocatable,
        free: ad.free,
        cordoned: ad.cordoned,
        draining: ad.draining,
        taints: ad.taints,
        classes: ad.classes,
        tags: ad.tags,
        adapters: ad.adapters,
        providers: ad.providers,
        images: ad.images,
        repositories: ad.repositories,
        ..Candidate::new(id(1), ad.name)
    };
    let resources = Resources { cpu_millis: 1_000, memory_bytes: 1 << 30, slots: 1, ..Resources::default() };
    let request = Request { resources, adapter: "codex".to_owned(), ..Request::default() };
    let placed = place(&request, std::slice::from_ref(&candidate));
    assert_eq!(placed.chosen.is_none(), placed.refusal().is_some());
    assert!(placed.chosen.is_none() || candidate.free.covers(&resources));
}
