//! Records: how lines stand in journals and attempt files, and how a torn or rotten one is told.
//!
//! `length: u32, crc: u32, body`, little-endian; the checksum covers the length and the body. A body is
//! `kind: u8, number: u32, first: u64, last: u64, count: u32, task length: u8, task` and `count` lines of
//! `n: u64, at: u64, stream: u8, length: u32, text`.

use ikigai_ports::logs::{LogLine, Stream, covers};
use ikigai_types::{AttemptId, TaskId, Timestamp};

/// What journals and attempt files begin with.
pub(crate) const MAGIC: &[u8; 8] = b"IKLINES1";

/// Lines are put together in records of about this many bytes, so that reading one line never reads much more.
const RECORD_BYTES: usize = 64 << 10;

/// No record is longer: one line of the greatest length and what stands around it, with room to spare.
pub(crate) const MAX_RECORD: usize = 256 << 10;

const HEAD: usize = 8;
const BODY_HEAD: usize = 26;
const LINE_HEAD: usize = 21;

/// What a record says, its lines still in bytes.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    pub(crate) attempt: AttemptId,
    pub(crate) what: What<'a>,
    /// The bytes of the whole record.
    pub(crate) bytes: &'a [u8],
}

#[derive(Debug)]
pub(crate) enum What<'a> {
    /// Lines numbered from `first`, the last of which covers up to `last`.
    Lines { first: u64, last: u64, lines: Lines<'a> },
    /// All lines before this are removed.
    Removed,
}

/// The lines of a record.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    count: u32,
    bytes: &'a [u8],
}

/// Adds `lines` of `attempt` to `out`, in as many records as it takes.
pub(crate) fn write_lines(out: &mut Vec<u8>, attempt: &AttemptId, lines: &[LogLine]) {
    let mut rest = lines;
    while let Some(first) = rest.first() {
        let mut bytes = 0;
        let fit = rest.iter().take_while(|line| {
            bytes += line.text.len() + LINE_HEAD;
            bytes <= RECORD_BYTES
        });
        let count = fit.count().max(1);
        let (now, later) = rest.split_at(count);
        let last = now.last().map_or(first.n, covers);
        write_record(out, attempt, 1, (first.n, last), now);
        rest = later;
    }
}

/// Adds the record that says that all lines of `attempt` so far are removed.
pub(crate) fn write_removed(out: &mut Vec<u8>, attempt: &AttemptId) {
    write_record(out, attempt, 2, (0, 0), &[]);
}

fn write_record(
    out: &mut Vec<u8>,
    attempt: &AttemptId,
    kind: u8,
    (first, last): (u64, u64),
    lines: &[LogLine],
) {
    let start = out.len();
    out.extend([0; HEAD]);
    out.push(kind);
    out.extend(attempt.number.to_le_bytes());
    out.extend(first.to_le_bytes());
    out.extend(last.to_le_bytes());
    out.extend(u32::try_from(lines.len()).expect("invariant: an append is bounded").to_le_bytes());
    let task = attempt.task.as_str();
    out.push(u8::try_from(task.len()).expect("invariant: a task id has at most 120 bytes"));
    out.extend(task.as_bytes());
    for line in lines {
        out.extend(line.n.to_le_bytes());
        out.extend(line.at.0.to_le_bytes());
        out.push(stream_code(line.stream));
        out.extend(u32::try_from(line.text.len()).expect("invariant: a line is bounded").to_le_bytes());
        out.extend(line.text.as_bytes());
    }
    let length =
        u32::try_from(out.len() - start - HEAD).expect("invariant: an append is bounded").to_le_bytes();
    let crc = checksum(length, &out[start + HEAD..]);
    out[start..start + 4].copy_from_slice(&length);
    out[start + 4..start + HEAD].copy_from_slice(&crc.to_le_bytes());
}

fn checksum(length: [u8; 4], body: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&length);
    crc.update(body);
    crc.finalize()
}

/// What stands at the beginning of some bytes.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    /// A whole, sound record.
    Record(Record<'a>),
    /// The beginning of what may be a record.
    Part,
    /// Nothing that this program wrote, or half of it.
    Broken,
}

/// Reads the record at the beginning of `bytes`.
pub(crate) fn read(bytes: &[u8]) -> Found<'_> {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return Found::Part };
    let whole = HEAD + u32::from_le_bytes(*length) as usize;
    if !(HEAD + BODY_HEAD..=MAX_RECORD).contains(&whole) {
        return Found::Broken;
    }
    if bytes.len() < whole {
        return Found::Part;
    }
    let (crc, body) = rest[..whole - 4].split_first_chunk::<4>().expect("invariant: a head is longer");
    if u32::from_le_bytes(*crc) != checksum(*length, body) {
        return Found::Broken;
    }
    body_of(body).map_or(Found::Broken, |(attempt, what)| {
        Found::Record(Record { attempt, what, bytes: &bytes[..whole] })
    })
}

fn body_of(body: &[u8]) -> Option<(AttemptId, What<'_>)> {
    let mut rest = body;
    let kind = take::<1>(&mut rest)?[0];
    let number = u32::from_le_bytes(take(&mut rest)?);
    let first = u64::from_le_bytes(take(&mut rest)?);
    let last = u64::from_le_bytes(take(&mut rest)?);
    let count = u32::from_le_bytes(take(&mut rest)?);
    let length = take::<1>(&mut rest)?[0];
    let (task, bytes) = rest.split_at_checked(length.into())?;
    let attempt = AttemptId { task: TaskId::new(str::from_utf8(task).ok()?).ok()?, number };
    let what = match kind {
        1 => What::Lines { first, last, lines: Lines { count, bytes } },
        2 => What::Removed,
        _ => return None,
    };
    Some((attempt, what))
}

impl Iterator for Lines<'_> {
    type Item = LogLine;

    fn next(&mut self) -> Option<LogLine> {
        self.count = self.count.checked_sub(1)?;
        let n = u64::from_le_bytes(take(&mut self.bytes)?);
        let at = Timestamp(u64::from_le_bytes(take(&mut self.bytes)?));
        let stream = stream_of(take::<1>(&mut self.bytes)?[0])?;
        let length = u32::from_le_bytes(take(&mut self.bytes)?);
        let (text, rest) = self.bytes.split_at_checked(length as usize)?;
        self.bytes = rest;
        Some(LogLine { n, at, stream, text: str::from_utf8(text).ok()?.to_owned() })
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

fn stream_code(stream: Stream) -> u8 {
    match stream {
        Stream::Stdout => 1,
        Stream::Stderr => 2,
        Stream::System => 3,
        Stream::Gap => 4,
    }
}

fn stream_of(code: u8) -> Option<Stream> {
    [Stream::Stdout, Stream::Stderr, Stream::System, Stream::Gap]
        .into_iter()
        .find(|s| stream_code(*s) == code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ikigai_ports::logs::MAX_LINE;

    fn attempt() -> AttemptId {
        "p.001-x.T001/2".parse().unwrap()
    }

    fn line(n: u64, stream: Stream, text: &str) -> LogLine {
        LogLine { n, at: Timestamp(n * 7), stream, text: text.to_owned() }
    }

    fn read_all(mut bytes: &[u8]) -> Vec<Vec<LogLine>> {
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let Found::Record(record) = read(bytes) else { panic!("a whole record") };
            assert_eq!(record.attempt, attempt());
            bytes = &bytes[record.bytes.len()..];
            let What::Lines { first, last, lines } = record.what else { panic!("lines") };
            let lines: Vec<LogLine> = lines.collect();
            assert_eq!((first, last), (lines[0].n, lines.last().map(covers).unwrap()));
            all.push(lines);
        }
        all
    }

    #[test]
    fn records_read_what_they_were_written_from() {
        let longest = "x".repeat(MAX_LINE);
        let lines = vec![
            line(1, Stream::Stdout, "é"),
            line(2, Stream::Stderr, ""),
            line(3, Stream::Gap, "9"),
            line(12, Stream::System, &longest),
            line(13, Stream::Stdout, "z"),
        ];
        let mut bytes = Vec::new();
        write_lines(&mut bytes, &attempt(), &lines);
        let records = read_all(&bytes);
        assert_eq!(records.iter().map(Vec::len).collect::<Vec<_>>(), [3, 1, 1]);
        assert_eq!(records.concat(), lines);
        let mut removed = Vec::new();
        write_removed(&mut removed, &attempt());
        assert!(matches!(read(&removed), Found::Record(Record { what: What::Removed, .. })));
    }

    #[test]
    fn a_torn_or_changed_record_is_never_taken_for_one() {
        let mut bytes = Vec::new();
        write_lines(
            &mut bytes,
            &attempt(),
            &[line(1, Stream::Stdout, "hello"), line(2, Stream::Stderr, "world")],
        );
        for end in 0..bytes.len() {
            assert!(matches!(read(&bytes[..end]), Found::Part), "{end}");
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                assert!(!matches!(read(&changed), Found::Record(_)), "bit {bit} of byte {at}");
            }
        }
        assert!(matches!(read(&[0; 4096]), Found::Broken), "a hole reads as zeros");
        assert!(matches!(read(&[0xff; 4096]), Found::Broken));
    }
}
