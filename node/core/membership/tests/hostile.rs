//! Any bytes, from anyone, in any order: no panic, no growth beyond the enrolled, nothing said to others.
#![allow(clippy::unwrap_used)]

use ikigai_membership::chance::{Chance, mix};
use ikigai_membership::frame::{FRAME_MAX, describe};
use ikigai_membership::{Book, Config, Effect, Input, Me, Membership, Seal, Unsealed};
use ikigai_types::{NodeId, Timestamp};
use proptest::prelude::*;
use std::sync::Arc;

fn id(i: u8) -> NodeId {
    NodeId::from_bytes([i; 32])
}

/// Nodes 0 to 5 are enrolled with each other; anyone else is a stranger.
fn machine(i: u8) -> Membership {
    let me = Me {
        node: id(i),
        incarnation: 0,
        advertisement: vec![i; 20],
        book: (0..6).map(id).collect::<Book>(),
        seal: Arc::new(Unsealed),
    };
    Membership::new(Config::default(), me, u64::from(i))
}

/// Frames that honest nodes sent each other while they met, lost one and found it again.
fn honest() -> Vec<Vec<u8>> {
    let mut nodes: Vec<Membership> = (0..6).map(machine).collect();
    let mut frames = Vec::new();
    let mut waiting: Vec<(usize, usize, Vec<u8>)> = Vec::new();
    for step in 0..4_000_u64 {
        let now = Timestamp(1_000 + 10 * step);
        let mut inputs: Vec<(usize, Input)> = (0..6).map(|i| (i, Input::Wake)).collect();
        let arrived = std::mem::take(&mut waiting).into_iter();
        inputs.extend(arrived.map(|(from, to, frame)| (to, Input::Frame { from: id(from as u8), frame })));
        if step == 5 {
            inputs.extend((1..6).map(|j| (0, Input::LinkUp(id(j)))));
        }
        // One sleeps for ten seconds.
        inputs.retain(|(i, _)| *i != 5 || !(1_000..2_000).contains(&step));
        for (i, input) in inputs {
            for effect in nodes[i].handle(input, now) {
                if let Effect::Send { to, frame } = effect {
                    frames.push(frame.clone());
                    waiting.push((i, usize::from(to.as_bytes()[0]), frame));
                }
            }
        }
    }
    frames
}

fn check(machine: &mut Membership, input: Input, now: Timestamp) -> usize {
    let mut sent = 0;
    for effect in machine.handle(input, now) {
        if let Effect::Send { to, frame } = effect {
            assert!(machine.member(&to).is_some(), "written to a stranger");
            assert!(frame.len() <= FRAME_MAX && describe(&frame).is_ok());
            sent += frame.len();
        }
    }
    assert_eq!(machine.violated(), None);
    sent
}

fn mutate(frame: &mut Vec<u8>, chance: &mut Chance) {
    for _ in 0..=chance.below(4) {
        let i = chance.below(frame.len());
        match chance.below(4) {
            0 if !frame.is_empty() => frame[i] = chance.bits().to_le_bytes()[0],
            1 => frame.truncate(i),
            2 => frame.insert(i, chance.bits().to_le_bytes()[0]),
            _ if !frame.is_empty() => frame[i] ^= 1 << chance.below(8),
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = describe(&bytes);
        let mut framed = vec![1, 1];
        framed.extend_from_slice(&bytes);
        let _ = describe(&framed);
    }

    #[test]
    fn any_frames_leave_the_machine_whole(seed in any::<u64>()) {
        let recorded = RECORDED.get_or_init(honest);
        let mut chance = Chance::new(seed);
        let mut machine = machine(0);
        let mut now = Timestamp(5_000);
        for _ in 0..300 {
            now.0 += chance.millis(300);
            // 6 to 9 are strangers.
            let who = id(chance.below(10) as u8);
            let input = match chance.below(20) {
                0 => Input::LinkUp(who),
                1 => Input::LinkDown(who),
                2 => Input::PeerAllowed(id(chance.below(7) as u8)),
                3 => Input::PeerRevoked(id(chance.below(7) as u8)),
                4 => Input::Advertise(vec![1; chance.below(5_000)]),
                5 | 6 => Input::Wake,
                _ => {
                    let mut frame = recorded[chance.below(recorded.len())].clone();
                    if chance.below(3) > 0 {
                        mutate(&mut frame, &mut chance);
                    }
                    Input::Frame { from: who, frame }
                }
            };
            check(&mut machine, input, now);
        }
        prop_assert!(machine.members().count() <= 7);
    }
}

static RECORDED: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();

#[test]
fn the_recorded_frames_hold_something_of_each_kind() {
    let all: String = honest().iter().map(|frame| describe(frame).unwrap()).collect();
    for kind in [
        "Ping", "Ack", "Relay", "Nack", "Rumour", "Push", "Flood", "Answer", "Want", "Prune", "Digest",
        "Table",
    ] {
        assert!(all.contains(kind), "{kind}");
    }
}

#[test]
fn a_stranger_gets_no_answer() {
    let mut machine = machine(0);
    machine.handle(Input::Wake, Timestamp(1));
    for frame in honest() {
        assert_eq!(check(&mut machine, Input::Frame { from: id(200), frame }, Timestamp(2)), 0);
    }
}

#[test]
fn a_flood_is_answered_within_its_credit() {
    let mut machine = machine(0);
    machine.handle(Input::Advertise(vec![7; 4_096]), Timestamp(1));
    let own = honest().into_iter().find(|frame| describe(frame).unwrap().starts_with("Flood")).unwrap();
    check(&mut machine, Input::Frame { from: id(1), frame: own }, Timestamp(2));
    // One that is said to be of no incarnation is sent the record: a ping of 9 bytes for 4 KiB.
    let ping = vec![1, 1, 1, 5, 0, 1, 1, 0, 0];
    let sent: usize = (0..10_000)
        .map(|_| check(&mut machine, Input::Frame { from: id(1), frame: ping.clone() }, Timestamp(3)))
        .sum();
    assert!(sent > 100_000 && sent < 1_200_000, "{sent} bytes");
}

/// Holds only if made by who knows the node's secret, which here is the node's number.
#[derive(Debug)]
struct Secret(u8);

impl Seal for Secret {
    fn seal(&self, claim: &[u8]) -> Vec<u8> {
        let sum = claim.iter().fold(u64::from(self.0), |sum, byte| mix(sum ^ u64::from(*byte)));
        sum.to_be_bytes().to_vec()
    }

    fn holds(&self, node: &NodeId, claim: &[u8], seal: &[u8]) -> bool {
        Self(node.as_bytes()[0]).seal(claim) == seal
    }
}

/// Node `i`, sealing as node `secret`, in its life number `incarnation`.
fn sealed(i: u8, secret: u8, incarnation: u64, says: &[u8]) -> Membership {
    let me = Me {
        node: id(i),
        incarnation,
        advertisement: says.to_vec(),
        book: (0..6).map(id).collect::<Book>(),
        seal: Arc::new(Secret(secret)),
    };
    Membership::new(Config::default(), me, 1)
}

/// What `machine` tells node 0 of itself when they meet.
fn greeting(machine: &mut Membership) -> Vec<Vec<u8>> {
    let effects = machine.handle(Input::LinkUp(id(0)), Timestamp(10));
    let frame = |effect| match effect {
        Effect::Send { to, frame } if to == id(0) => Some(frame),
        _ => None,
    };
    effects.into_iter().filter_map(frame).collect()
}

fn hear(machine: &mut Membership, from: u8, frames: &[Vec<u8>]) {
    for frame in frames {
        machine.handle(Input::Frame { from: id(from), frame: frame.clone() }, Timestamp(20));
    }
}

#[test]
fn only_a_node_itself_says_what_it_is() {
    let mut machine = sealed(0, 0, 0, b"");
    hear(&mut machine, 2, &greeting(&mut sealed(2, 2, 0, b"cpu=4")));
    assert_eq!(machine.member(&id(2)).unwrap().advertisement, b"cpu=4");

    // Node 1 says that 2 has more, in a far later life, under a seal of its own.
    hear(&mut machine, 1, &greeting(&mut sealed(2, 1, 1_000_000, b"cpu=400")));
    let member = machine.member(&id(2)).unwrap();
    assert_eq!((member.advertisement, member.incarnation), (&b"cpu=4"[..], 1));

    // It relays what 2 itself says later: that is taken. Told again what 2 said before, nothing changes.
    let old = greeting(&mut sealed(2, 2, 0, b"cpu=4"));
    hear(&mut machine, 1, &greeting(&mut sealed(2, 2, 7, b"cpu=2")));
    hear(&mut machine, 1, &old);
    let member = machine.member(&id(2)).unwrap();
    assert_eq!((member.advertisement, member.incarnation), (&b"cpu=2"[..], 8));
}

#[test]
fn nobody_can_use_up_the_numbers_of_another() {
    let mut machine = sealed(0, 0, 0, b"");
    machine.handle(Input::Wake, Timestamp(1));
    hear(&mut machine, 1, &greeting(&mut sealed(1, 1, 0, b"")));
    // 1 says that it knows 0 as dead in the life before the last possible one.
    let mut ping = vec![1, 1, 1, 14, 0, 1, 1];
    ping.extend([0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2]);
    let effects = machine.handle(Input::Frame { from: id(1), frame: ping }, Timestamp(30));
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::PersistIncarnation(_))), "{effects:?}");
    assert_eq!(machine.me().incarnation, 1);
    // But a record of its own life, lost with its disk, makes it take a greater number.
    hear(&mut machine, 1, &{
        let mut former = sealed(0, 0, 40, b"");
        let effects = former.handle(Input::LinkUp(id(1)), Timestamp(10));
        effects
            .into_iter()
            .filter_map(|e| if let Effect::Send { frame, .. } = e { Some(frame) } else { None })
            .collect::<Vec<_>>()
    });
    assert_eq!(machine.me().incarnation, 42);
}
