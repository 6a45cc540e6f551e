//! What honest nodes say, as inputs of the targets.

use crate::targets::{MESSAGES, id, machine};
use ikigai_enrolment::Said;
use ikigai_enrolment::roster::found;
use ikigai_membership::{Effect, Input, Membership, frame};
use ikigai_types::{NodeId, Timestamp};
use ikigai_wire::peer::{Token, join, roster};
use std::path::{Path, PathBuf};

/// Frames kept in one input.
const TOGETHER: usize = 12;

pub fn write(folder: impl Fn(&str) -> PathBuf) {
    let put = |target: &str, name: String, bytes: &[u8]| {
        std::fs::create_dir_all(folder(target)).unwrap();
        std::fs::write(folder(target).join(name), bytes).unwrap();
    };
    for (n, bytes) in membership().iter().enumerate() {
        put("membership", format!("{n:02}"), bytes);
    }
    for (n, bytes) in calls().iter().enumerate() {
        put("rpc", format!("{n:02}"), bytes);
    }
    let (statements, frames) = enrolment();
    statements.iter().enumerate().for_each(|(n, s)| put("statement", n.to_string(), s.as_bytes()));
    frames.iter().enumerate().for_each(|(n, f)| put("join", n.to_string(), f));
    for (n, addresses) in
        [vec![], vec!["/ip4/10.0.0.1/tcp/7421".to_owned(), "/dns4/host.example/tcp/7421".to_owned()]]
            .into_iter()
            .enumerate()
    {
        let mesh = found(id(0), "a", vec![], "n".to_owned(), Timestamp(1)).mesh;
        let token = Token { mesh, inviter: id(1), addresses, expires: Timestamp(99), seed: [7; 32] };
        put("token", n.to_string(), token.encode().as_bytes());
    }
    put("advertisement", "0".to_owned(), ADVERTISEMENT.as_bytes());
}

const ADVERTISEMENT: &str = r#"{"name":"laptop","version":"0.1.0","capacity":{"cpuMillis":8000,"memoryBytes":17179869184,"diskBytes":0,"gpus":1,"slots":4},"allocatable":{"cpuMillis":6000,"memoryBytes":12884901888,"diskBytes":0,"gpus":1,"slots":4},"free":{"cpuMillis":6000,"memoryBytes":12884901888,"diskBytes":0,"gpus":1,"slots":4},"tags":{"region":"eu"},"adapters":["codex"],"providers":["openai"],"images":["sha256:00"],"executor":"docker","isolationMissing":["landlock"],"cordoned":false,"draining":false,"taints":["gpu=true:no-schedule"],"classes":{"shares":{"ci":{"reserve":1,"limit":2}},"used":{"ci":1}},"repositories":[],"running":3}"#;

/// What six nodes send each other while they meet, lose one and find it again: of each pair a few.
fn membership() -> Vec<Vec<u8>> {
    let mut nodes: Vec<Membership> = (0..6).map(machine).collect();
    let mut waiting: Vec<(u8, NodeId, Vec<u8>)> = Vec::new();
    let mut to_first: Vec<(u8, Vec<u8>)> = Vec::new();
    for step in 0..4_000_u64 {
        let now = Timestamp(1_000 + 10 * step);
        let mut inputs: Vec<(u8, Input)> = (0..6).map(|i| (i, Input::Wake)).collect();
        let arrived = std::mem::take(&mut waiting).into_iter();
        inputs.extend(
            arrived.map(|(from, to, frame)| (to.as_bytes()[0], Input::Frame { from: id(from), frame })),
        );
        if step == 5 {
            inputs.extend((1..6).map(|j| (0, Input::LinkUp(id(j)))));
        }
        inputs.retain(|(i, _)| *i != 5 || !(1_000..2_000).contains(&step));
        for (i, input) in inputs {
            for effect in nodes[usize::from(i)].handle(input, now) {
                if let Effect::Send { to, frame } = effect {
                    to_first.push((i, frame.clone()));
                    waiting.push((i, to, frame));
                }
            }
        }
    }
    // All kinds, few of each: those first that say what was not said yet.
    let mut kinds = std::collections::BTreeMap::<String, usize>::new();
    to_first.retain(|(_, frame)| {
        let text = frame::describe(frame).unwrap();
        let kind: String = text.split(|c: char| !c.is_alphabetic()).filter(|w| !w.is_empty()).collect();
        let count = kinds.entry(kind).or_default();
        *count += 1;
        *count <= 2
    });
    let one = |(from, frame): &(u8, Vec<u8>)| {
        let length = u16::try_from(frame.len()).unwrap().to_be_bytes();
        [&[*from, length[0], length[1]], &frame[..]].concat()
    };
    to_first.chunks(TOGETHER).take(24).map(|some| some.iter().flat_map(one).collect()).collect()
}

/// What is in an input of the target `membership`.
pub fn describe(mut bytes: &[u8]) -> String {
    let mut text = String::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<3>() {
        let (frame, after) = rest.split_at(usize::from(u16::from_be_bytes([head[1], head[2]])));
        text.push_str(&frame::describe(frame).unwrap());
        bytes = after;
    }
    text
}

/// The recorded frames of calls, each after the number of its kind.
fn calls() -> Vec<Vec<u8>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../node/seams/ports/fixtures/rpc/0.1.0.jsonl");
    let text = std::fs::read_to_string(file).unwrap();
    let mut all = Vec::new();
    for line in text.lines() {
        let frame: serde_json::Value = serde_json::from_str(line).unwrap();
        let hex = frame["bytes"].as_str().unwrap();
        let bytes = (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap());
        let bytes: Vec<u8> = bytes.collect();
        let named = frame["frame"].as_str().unwrap();
        let kind = MESSAGES.iter().position(|(name, _)| named.starts_with(name));
        let kind = u8::try_from(kind.unwrap_or_else(|| panic!("{named} has no target"))).unwrap();
        all.push([&[kind], &bytes[..]].concat());
    }
    all
}

/// Statements, and the frames of somebody joining.
fn enrolment() -> (Vec<String>, Vec<Vec<u8>>) {
    let seal = |said: &Said| roster::seal(said, id(0), |_| Ok::<_, ()>([7; 64])).unwrap();
    let address = vec!["/ip4/10.0.0.1/tcp/7421".to_owned()];
    let root = found(id(0), "a", address.clone(), "n".to_owned(), Timestamp(1));
    let known = ikigai_enrolment::Roster::new(root.mesh);
    let mesh = root.mesh;
    let said = [
        Said::Enrol(root),
        Said::Enrol(known.enrol(id(0), id(1), "b", address.clone(), Timestamp(2))),
        Said::Remove(known.remove(id(0), id(1), Timestamp(3))),
        Said::Address(known.address(address.clone(), Timestamp(4))),
    ];
    let envelopes: Vec<_> = said.iter().map(seal).collect();
    let statements = envelopes.iter().map(|e| serde_json::to_string(e).unwrap()).collect();
    let request = join::Request {
        mesh,
        host: id(0),
        guest: id(2),
        nonce: "ab".to_owned(),
        name: "desk".to_owned(),
        addresses: address,
    };
    let frames = vec![
        join::encode(&join::Hello { version: join::VERSION, mesh, node: id(2) }).unwrap(),
        join::encode(&join::Answer::Challenge { nonce: "ab".to_owned(), now: Timestamp(5) }).unwrap(),
        join::encode(&request).unwrap(),
        join::encode(&join::Answer::Page { statements: envelopes, last: true }).unwrap(),
    ];
    (statements, frames)
}
