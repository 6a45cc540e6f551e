//! Frames of each released format, recorded when it was written, are read as they were meant.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)] // Fixtures are files.

use ikigai_membership::frame::describe;

#[test]
fn recorded_frames_are_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/frames");
    let mut lines = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines() {
            let (hex, meaning) = line.split_once(' ').unwrap();
            let bytes = |i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
            let frame: Vec<u8> = (0..hex.len()).step_by(2).map(bytes).collect();
            assert_eq!(describe(&frame).unwrap(), format!("{meaning}\n"));
            lines += 1;
        }
    }
    assert!(lines >= 14, "the recorded frames are there");
}
