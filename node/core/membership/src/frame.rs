//! What nodes send each other: a frame is two bytes of version and a sequence of parts.
//!
//! Bytes: the release of the format that wrote it, the oldest that can read it, then parts: tag (1), length
//! (variable-length integer), body. A reader skips tags it does not know and what follows the fields it knows
//! in a body. Reading allocates nothing beyond what the frame's own length bounds.

use crate::book::Place;
use crate::member::Liveness;
use std::sync::Arc;

/// The format this release writes.
pub const FORMAT: u8 = 1;
/// The oldest release of the format that reads what this one writes.
const READABLE_SINCE: u8 = 1;
/// A frame of more than one part is at most this long, in bytes: it fits a datagram.
pub const FRAME_SOFT: usize = 1_200;
/// The longest frame, in bytes: one record.
pub const FRAME_MAX: usize = crate::record::RECORD_MAX + 16;

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// They end within a field.
    #[error("the frame ends within a field")]
    Truncated,
    /// A field or all of it is longer than is allowed.
    #[error("the frame or a field of it is too long")]
    TooLong,
    /// A field has a value it cannot have.
    #[error("a field of the frame has no valid value")]
    Invalid,
    /// A release wrote it that this one cannot read.
    #[error("the frame needs format {0}, this node reads up to {FORMAT}")]
    TooNew(u8),
}

/// One thing said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Are you there? My record is `mine`; of you I believe `yours`.
    Ping { seq: u32, mine: (u64, u64), yours: (u64, Liveness) },
    /// I am, or the one you had me ask is. My record is `mine`.
    Ack { seq: u32, mine: (u64, u64) },
    /// Ask `target` for me.
    Relay { seq: u32, target: Place },
    /// I asked and heard nothing yet.
    Nack { seq: u32 },
    /// `by` does not reach `about`, or has found it dead.
    Rumour { about: Place, incarnation: u64, dead: bool, by: Place },
    /// A record along its tree: who has it already says [`Part::Prune`].
    Push(Arc<[u8]>),
    /// A record for everyone over every link: who has it says nothing.
    Flood(Arc<[u8]>),
    /// A record that was asked for or found missing.
    Answer(Arc<[u8]>),
    /// I have this record, should you not.
    Have { about: Place, key: (u64, u64) },
    /// Send me this record, from now on always if `graft`.
    Want { about: Place, graft: bool },
    /// Announce this node's records to me from now on, do not send them.
    Prune { about: Place },
    /// What I know of the places that begin so has this hash.
    Digest { prefix: Place, bits: u8, hash: u64 },
    /// What I know of the places that begin so is this.
    Table { prefix: Place, bits: u8, entries: Vec<TableEntry> },
}

/// One row of [`Part::Table`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TableEntry {
    /// Of whom.
    pub(crate) place: Place,
    /// Incarnation and version.
    pub(crate) key: (u64, u64),
    /// Whether it is believed dead.
    pub(crate) dead: bool,
}

/// Most rows of one [`Part::Table`].
pub(crate) const TABLE_MAX: usize = 32;

impl Part {
    fn tag(&self) -> u8 {
        match self {
            Self::Ping { .. } => 1,
            Self::Ack { .. } => 2,
            Self::Relay { .. } => 3,
            Self::Nack { .. } => 4,
            Self::Rumour { .. } => 5,
            Self::Push(_) => 6,
            Self::Flood(_) => 7,
            Self::Answer(_) => 8,
            Self::Have { .. } => 9,
            Self::Want { .. } => 10,
            Self::Prune { .. } => 11,
            Self::Digest { .. } => 12,
            Self::Table { .. } => 13,
        }
    }

    fn body(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ping { seq, mine, yours } => {
                put_varint(out, u64::from(*seq));
                put_key(out, *mine);
                put_varint(out, yours.0);
                out.push(yours.1 as u8);
            }
            Self::Ack { seq, mine } => {
                put_varint(out, u64::from(*seq));
                put_key(out, *mine);
            }
            Self::Relay { seq, target } => {
                put_varint(out, u64::from(*seq));
                out.extend_from_slice(&target.to_be_bytes());
            }
            Self::Nack { seq } => put_varint(out, u64::from(*seq)),
            Self::Rumour { about, incarnation, dead, by } => {
                out.extend_from_slice(&about.to_be_bytes());
                put_varint(out, *incarnation);
                out.push(u8::from(*dead));
                out.extend_from_slice(&by.to_be_bytes());
            }
            Self::Push(raw) | Self::Flood(raw) | Self::Answer(raw) => out.extend_from_slice(raw),
            Self::Have { about, key } => {
                out.extend_from_slice(&about.to_be_bytes());
                put_key(out, *key);
            }
            Self::Want { about, graft } => {
                out.extend_from_slice(&about.to_be_bytes());
                out.push(u8::from(*graft));
            }
            Self::Prune { about } => out.extend_from_slice(&about.to_be_bytes()),
            Self::Digest { prefix, bits, hash } => {
                out.extend_from_slice(&prefix.to_be_bytes());
                out.push(*bits);
                out.extend_from_slice(&hash.to_be_bytes());
            }
            Self::Table { prefix, bits, entries } => {
                out.extend_from_slice(&prefix.to_be_bytes());
                out.push(*bits);
                put_varint(out, entries.len() as u64);
                for entry in entries {
                    out.extend_from_slice(&entry.place.to_be_bytes());
                    put_key(out, entry.key);
                    out.push(u8::from(entry.dead));
                }
            }
        }
    }

    fn parse(tag: u8, body: &[u8]) -> Result<Option<Self>, FrameError> {
        let mut r = Reader::new(body);
        Ok(Some(match tag {
            1 => Self::Ping { seq: r.seq()?, mine: r.key()?, yours: (r.varint()?, r.liveness()?) },
            2 => Self::Ack { seq: r.seq()?, mine: r.key()? },
            3 => Self::Relay { seq: r.seq()?, target: r.place()? },
            4 => Self::Nack { seq: r.seq()? },
            5 => {
                Self::Rumour { about: r.place()?, incarnation: r.varint()?, dead: r.flag()?, by: r.place()? }
            }
            6 => Self::Push(body.into()),
            7 => Self::Flood(body.into()),
            8 => Self::Answer(body.into()),
            9 => Self::Have { about: r.place()?, key: r.key()? },
            10 => Self::Want { about: r.place()?, graft: r.flag()? },
            11 => Self::Prune { about: r.place()? },
            12 => Self::Digest { prefix: r.place()?, bits: r.bits()?, hash: r.place()? },
            13 => Self::Table { prefix: r.place()?, bits: r.bits()?, entries: r.table()? },
            _ => return Ok(None),
        }))
    }
}

/// Packs `parts` into as few frames as hold them in this order.
pub(crate) fn write(parts: &[Part]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut frame = vec![FORMAT, READABLE_SINCE];
    let mut body = Vec::new();
    for part in parts {
        body.clear();
        part.body(&mut body);
        if frame.len() > 2 && frame.len() + 3 + body.len() > FRAME_SOFT {
            frames.push(std::mem::replace(&mut frame, vec![FORMAT, READABLE_SINCE]));
        }
        frame.push(part.tag());
        put_varint(&mut frame, body.len() as u64);
        frame.extend_from_slice(&body);
    }
    if frame.len() > 2 {
        frames.push(frame);
    }
    frames
}

/// Reads a frame; parts of kinds this release does not know are left out.
///
/// # Errors
/// [`FrameError`] if any of it cannot be read: then none of it counts.
pub(crate) fn read(frame: &[u8]) -> Result<Vec<Part>, FrameError> {
    if frame.len() > FRAME_MAX {
        return Err(FrameError::TooLong);
    }
    let mut r = Reader::new(frame);
    let [_, readable_since] = r.array()?;
    if readable_since > FORMAT {
        return Err(FrameError::TooNew(readable_since));
    }
    let mut parts = Vec::new();
    while !r.is_empty() {
        let tag = r.byte()?;
        let length = usize::try_from(r.varint()?).map_err(|_| FrameError::TooLong)?;
        parts.extend(Part::parse(tag, r.bytes(length)?)?);
    }
    Ok(parts)
}

/// What a frame says, for logs and for tests of recorded frames.
///
/// # Errors
/// [`FrameError`] if it cannot be read.
pub fn describe(frame: &[u8]) -> Result<String, FrameError> {
    let parts = read(frame)?;
    Ok(parts.iter().map(|part| format!("{part:?}\n")).collect())
}

/// Appends `x` in seven-bit groups, the lowest first.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut x: u64) {
    while x >= 0x80 {
        out.push(x.to_le_bytes()[0] | 0x80);
        x >>= 7;
    }
    out.push(x.to_le_bytes()[0]);
}

fn put_key(out: &mut Vec<u8>, (incarnation, version): (u64, u64)) {
    put_varint(out, incarnation);
    put_varint(out, version);
}

/// Takes fields off the front of bytes.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    pub(crate) fn bytes(&mut self, n: usize) -> Result<&'a [u8], FrameError> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(FrameError::Truncated)?;
        self.0 = tail;
        Ok(head)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let (head, tail) = self.0.split_first_chunk().ok_or(FrameError::Truncated)?;
        self.0 = tail;
        Ok(*head)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, FrameError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, FrameError> {
        let mut x = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return Err(FrameError::Invalid);
            }
            x |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(x);
            }
        }
        Err(FrameError::Invalid)
    }

    fn key(&mut self) -> Result<(u64, u64), FrameError> {
        Ok((self.varint()?, self.varint()?))
    }

    fn place(&mut self) -> Result<Place, FrameError> {
        self.array().map(u64::from_be_bytes)
    }

    fn seq(&mut self) -> Result<u32, FrameError> {
        u32::try_from(self.varint()?).map_err(|_| FrameError::Invalid)
    }

    fn flag(&mut self) -> Result<bool, FrameError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(FrameError::Invalid),
        }
    }

    fn bits(&mut self) -> Result<u8, FrameError> {
        self.byte().and_then(|bits| if bits <= 64 { Ok(bits) } else { Err(FrameError::Invalid) })
    }

    fn liveness(&mut self) -> Result<Liveness, FrameError> {
        match self.byte()? {
            0 => Ok(Liveness::Alive),
            1 => Ok(Liveness::Suspect),
            2 => Ok(Liveness::Dead),
            _ => Err(FrameError::Invalid),
        }
    }

    fn table(&mut self) -> Result<Vec<TableEntry>, FrameError> {
        let length = usize::try_from(self.varint()?).map_err(|_| FrameError::TooLong)?;
        if length > TABLE_MAX {
            return Err(FrameError::TooLong);
        }
        (0..length)
            .map(|_| Ok(TableEntry { place: self.place()?, key: self.key()?, dead: self.flag()? }))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::Unsealed;
    use ikigai_types::NodeId;

    /// One of each, with fields short and long.
    fn samples() -> Vec<Part> {
        let raw = crate::record::write(&NodeId::from_bytes([5; 32]), (2, 300), false, b"cpu=4", &Unsealed);
        let entry = TableEntry { place: 1 << 60, key: (1, 128), dead: true };
        vec![
            Part::Ping { seq: 0, mine: (1, 1), yours: (0, Liveness::Dead) },
            Part::Ping { seq: u32::MAX, mine: (u64::MAX, 3), yours: (300, Liveness::Suspect) },
            Part::Ack { seq: 7, mine: (4, 1_000_000) },
            Part::Relay { seq: 8, target: 0xDEAD_BEEF },
            Part::Nack { seq: 9 },
            Part::Rumour { about: 1, incarnation: 2, dead: true, by: 3 },
            Part::Push(raw.clone()),
            Part::Flood(raw.clone()),
            Part::Answer(raw),
            Part::Have { about: 4, key: (5, 6) },
            Part::Want { about: 7, graft: true },
            Part::Prune { about: 8 },
            Part::Digest { prefix: 9 << 60, bits: 4, hash: u64::MAX },
            Part::Table { prefix: 1 << 60, bits: 4, entries: vec![entry, entry] },
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        let frames = write(&samples());
        let read: Vec<Part> = frames.iter().flat_map(|frame| read(frame).unwrap()).collect();
        assert_eq!(read, samples());
    }

    /// While the format is 1, it is written as it was recorded: `IKIGAI_RECORD=1` shows the lines.
    #[test]
    fn what_is_written_is_what_was_recorded() {
        let recorded = include_str!("../tests/frames/format-1.txt");
        let line = |part: Part| {
            let [frame] = &write(std::slice::from_ref(&part))[..] else { panic!("one frame") };
            let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{hex} {part:?}\n")
        };
        let written: String = samples().into_iter().map(line).collect();
        if std::env::var_os("IKIGAI_RECORD").is_some() {
            println!("{written}");
        }
        assert_eq!(written, recorded);
    }

    #[test]
    fn frames_fit_datagrams_unless_they_are_one_record() {
        let long: Arc<[u8]> = vec![0; crate::record::RECORD_MAX].into();
        let parts: Vec<Part> = (0..500)
            .map(|about| Part::Prune { about })
            .chain([Part::Push(long.clone()), Part::Push(long)])
            .collect();
        let frames = write(&parts);
        assert!(frames.iter().all(|frame| frame.len() <= FRAME_MAX));
        let long = frames.iter().filter(|frame| frame.len() > FRAME_SOFT);
        assert_eq!(long.map(|frame| read(frame).unwrap().len()).collect::<Vec<_>>(), [1, 1]);
        assert_eq!(frames.iter().map(|frame| read(frame).unwrap().len()).sum::<usize>(), 502);
    }

    #[test]
    fn a_later_release_is_understood_as_far_as_it_says_so() {
        let [frame] = &write(&[Part::Nack { seq: 9 }])[..] else { panic!("one frame") };
        let mut later = frame.clone();
        later[0] = 9;
        // A part of a kind yet unknown, and a known one with a field more.
        later.extend_from_slice(&[200, 3, 1, 2, 3]);
        later.extend_from_slice(&[4, 3, 10, 0xAA, 0xBB]);
        assert_eq!(read(&later).unwrap(), [Part::Nack { seq: 9 }, Part::Nack { seq: 10 }]);
        later[1] = 2;
        assert_eq!(read(&later), Err(FrameError::TooNew(2)));
    }
}
