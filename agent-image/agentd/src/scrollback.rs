//! What a terminal wrote last, by number of each byte.

use std::collections::VecDeque;

/// Bytes that are kept.
pub const KEPT: usize = 4 << 20;

/// The last [`KEPT`] bytes, and how many there were before them.
#[derive(Debug, Default)]
pub struct Scrollback {
    bytes: VecDeque<u8>,
    start: u64,
}

/// What there is at a number.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Bytes(Vec<u8>),
    /// Nothing any more, up to this number.
    Gap(u64),
    /// Nothing yet.
    End,
}

impl Scrollback {
    /// Number of the next byte to come.
    pub fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Adds what was written; the oldest goes.
    pub fn push(&mut self, bytes: &[u8]) {
        let kept = &bytes[bytes.len().saturating_sub(KEPT)..];
        let over = (self.bytes.len() + kept.len()).saturating_sub(KEPT);
        self.bytes.drain(..over);
        self.bytes.extend(kept);
        self.start += (over + bytes.len() - kept.len()) as u64;
    }

    /// What there is from `number`, at most `most` bytes.
    pub fn from(&self, number: u64, most: usize) -> Piece {
        if number < self.start {
            return Piece::Gap(self.start);
        }
        if number >= self.end() {
            return Piece::End;
        }
        let at = usize::try_from(number - self.start).unwrap_or(usize::MAX);
        let until = self.bytes.len().min(at.saturating_add(most));
        Piece::Bytes(self.bytes.range(at..until).copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_where_its_number_says() {
        let mut kept = Scrollback::default();
        assert_eq!(kept.from(0, 9), Piece::End);
        kept.push(b"hello");
        assert_eq!(kept.from(0, 9), Piece::Bytes(b"hello".to_vec()));
        assert_eq!(kept.from(1, 3), Piece::Bytes(b"ell".to_vec()));
        assert_eq!((kept.from(5, 9), kept.from(u64::MAX, 9), kept.end()), (Piece::End, Piece::End, 5));
    }

    #[test]
    fn what_is_not_kept_any_more_is_told() {
        let mut kept = Scrollback::default();
        let numbered: Vec<u8> = (0..KEPT + 10).map(|n| u8::try_from(n % 251).unwrap()).collect();
        for piece in numbered.chunks(70_000) {
            kept.push(piece);
        }
        assert_eq!(kept.end(), numbered.len() as u64);
        assert_eq!(kept.from(9, 1), Piece::Gap(10));
        assert_eq!(kept.from(10, KEPT), Piece::Bytes(numbered[10..].to_vec()));
    }

    #[test]
    fn more_at_once_than_is_kept_leaves_its_end() {
        let mut kept = Scrollback::default();
        kept.push(b"x");
        kept.push(&vec![7; KEPT + 2]);
        assert_eq!((kept.from(0, 1), kept.end()), (Piece::Gap(3), KEPT as u64 + 3));
    }
}
