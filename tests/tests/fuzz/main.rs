//! The fuzz targets over their kept corpora and seeded mutations of them: 120,000 in seconds, 10,000,000 with
//! `IKIGAI_SOAK=1`. A failure prints the target, the seed and the bytes; `IKIGAI_SEED=n` runs that one alone.
//!
//! `IKIGAI_RECORD=1` writes the corpora anew from what honest nodes say.
#![allow(clippy::unwrap_used)]

mod corpus;
#[path = "../../fuzz/src/lib.rs"]
mod targets;

use ikigai_membership::chance::Chance;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use targets::TARGETS;

/// Longest input, in bytes: some frames of the longest kind.
const LONGEST: usize = 16 << 10;

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

fn kept(target: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder(target)).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// Bytes that mean much somewhere: ends of ranges, and what begins things in MessagePack and JSON.
const TELLING: [&[u8]; 12] = [
    &[0],
    &[0xff],
    &[0x80],
    &[0x7f],
    &[0xff; 9],
    &[0xdf, 0xff, 0xff, 0xff, 0xff],
    &[0xdd, 0xff, 0xff, 0xff, 0xff],
    &[0xdb, 0xff, 0xff, 0xff, 0xff],
    &[0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    b"18446744073709551616",
    b"[[[[[[[[[[[[[[[[",
    b"\xed\xa0\x80",
];

/// A kept input, changed in up to eight places.
fn mutated(kept: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = kept[chance.below(kept.len())].clone();
    for _ in 0..=chance.below(8) {
        let at = chance.below(bytes.len() + 1);
        let telling = TELLING[chance.below(TELLING.len())];
        match chance.below(8) {
            0 | 1 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            2 if at < bytes.len() => bytes[at] = chance.bits().to_le_bytes()[0],
            3 => drop(bytes.splice(at..at, telling.iter().copied())),
            4 => {
                let end = (at + telling.len()).min(bytes.len());
                drop(bytes.splice(at..end, telling.iter().copied()));
            }
            5 => drop(bytes.drain(at..(at + chance.below(16)).min(bytes.len()))),
            6 => {
                // A part of another one, or of itself.
                let other = &kept[chance.below(kept.len())];
                let from = chance.below(other.len() + 1);
                let part = other[from..(from + chance.below(64)).min(other.len())].to_vec();
                drop(bytes.splice(at..at, part));
            }
            _ => bytes.truncate(at.max(1)),
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

fn feed((name, target): targets::Target, seed: u64, bytes: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| target(bytes))).is_err() {
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        panic!("{name}, IKIGAI_SEED={seed}: {hex}");
    }
}

#[test]
fn whatever_comes_is_read_or_refused() {
    if std::env::var_os("IKIGAI_RECORD").is_some() {
        corpus::write(folder);
    }
    let soak = std::env::var_os("IKIGAI_SOAK").is_some();
    let each = if soak { 10_000_000 } else { 120_000 } / TARGETS.len() as u64;
    let seeds = match std::env::var("IKIGAI_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..each,
    };
    let run = |target: targets::Target| {
        let kept = kept(target.0);
        assert!(!kept.is_empty(), "{} has no corpus", target.0);
        kept.iter().for_each(|bytes| feed(target, u64::MAX, bytes));
        for seed in seeds.clone() {
            feed(target, seed, &mutated(&kept, &mut Chance::new(seed)));
        }
    };
    let ran = std::thread::scope(|scope| {
        let threads: Vec<_> = TARGETS.map(|target| scope.spawn(move || run(target))).into();
        threads.into_iter().map(|thread| thread.join().is_ok()).collect::<Vec<_>>()
    });
    assert!(ran.iter().all(|ok| *ok), "see above");
}

/// What is kept is not refused at once: a corpus of rubbish would find nothing.
#[test]
fn the_corpora_hold_what_honest_nodes_say() {
    let frames: String = kept("membership").iter().map(|bytes| corpus::describe(bytes)).collect();
    for kind in ["Ping", "Ack", "Relay", "Nack", "Rumour", "Flood", "Answer", "Want", "Digest", "Table"] {
        assert!(frames.contains(kind), "no {kind} is kept");
    }
    assert!(
        kept("token")
            .iter()
            .any(|t| ikigai_wire::peer::Token::decode(std::str::from_utf8(t).unwrap()).is_ok())
    );
    assert!(kept("rpc").len() >= 40);
}
