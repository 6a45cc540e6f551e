//! Bytes into lines: split at newlines and at 64 KiB, invalid UTF-8 replaced, everything else kept.

/// A line is at most this many bytes of text.
pub const MAX_LINE: usize = 64 << 10;

/// Cuts a stream of bytes into lines.
#[derive(Debug, Default)]
pub struct Splitter {
    rest: Vec<u8>,
    within: bool,
}

/// A line, or a part of one.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// The text.
    pub text: String,
    /// Whether this is a whole line and not a part of one that was too long.
    pub whole: bool,
}

impl Splitter {
    /// Takes what was read and hands every line that is complete to `sink`.
    pub fn push(&mut self, mut bytes: &[u8], sink: &mut impl FnMut(Line)) {
        while let Some(at) = bytes.iter().position(|b| *b == b'\n') {
            self.rest.extend_from_slice(&bytes[..at]);
            bytes = &bytes[at + 1..];
            self.cut(sink);
            self.end_line(sink);
        }
        self.rest.extend_from_slice(bytes);
        self.cut(sink);
    }

    /// The stream ended: hands on a last line without newline.
    pub fn end(&mut self, sink: &mut impl FnMut(Line)) {
        if !self.rest.is_empty() {
            self.end_line(sink);
        }
    }

    fn end_line(&mut self, sink: &mut impl FnMut(Line)) {
        // A line cut exactly at its end has nothing left to say.
        if !(self.within && self.rest.is_empty()) {
            emit(&self.rest, !self.within, sink);
        }
        self.rest.clear();
        self.within = false;
    }

    fn cut(&mut self, sink: &mut impl FnMut(Line)) {
        while self.rest.len() > MAX_LINE {
            let at = boundary(&self.rest, MAX_LINE);
            emit(&self.rest[..at], false, sink);
            self.rest.drain(..at);
            self.within = true;
        }
    }
}

/// The greatest place ≤ `max` at which no UTF-8 character is cut.
fn boundary(bytes: &[u8], max: usize) -> usize {
    let is_start = |b: u8| b & 0xC0 != 0x80;
    (max - 3..=max).rev().find(|at| is_start(bytes[*at])).unwrap_or(max)
}

/// Replacing makes text longer, so what was short enough as bytes is cut once more as text.
fn emit(bytes: &[u8], whole: bool, sink: &mut impl FnMut(Line)) {
    let text = String::from_utf8_lossy(bytes);
    let mut rest = &*text;
    let whole = whole && rest.len() <= MAX_LINE;
    while rest.len() > MAX_LINE {
        let (head, tail) = rest.split_at(rest.floor_char_boundary(MAX_LINE));
        sink(Line { text: head.to_owned(), whole: false });
        rest = tail;
    }
    sink(Line { text: rest.to_owned(), whole });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(chunks: &[&[u8]]) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut splitter = Splitter::default();
        for chunk in chunks {
            splitter.push(chunk, &mut |l| lines.push(l));
        }
        splitter.end(&mut |l| lines.push(l));
        lines
    }

    #[track_caller]
    fn check(chunks: &[&[u8]], expect: &[&str]) {
        let texts: Vec<_> = split(chunks).into_iter().map(|l| l.text).collect();
        assert_eq!(texts, expect);
    }

    #[test]
    fn lines_end_at_newlines_wherever_the_reads_end() {
        check(&[], &[]);
        check(&[b"a\nb\n"], &["a", "b"]);
        check(&[b"a", b"b\n", b"c"], &["ab", "c"]);
        check(&[b"\n\n"], &["", ""]);
        check(&[b"a\r\n"], &["a\r"]);
        check(&[b"\x1b[31mred\x1b[0m\n"], &["\u{1b}[31mred\u{1b}[0m"]);
    }

    #[test]
    fn bad_bytes_are_replaced_and_characters_are_not_cut_by_reads() {
        check(&[b"a\xffb\n"], &["a\u{fffd}b"]);
        check(&["é\n".as_bytes()[..1].as_ref(), "é\n".as_bytes()[1..].as_ref()], &["é"]);
    }

    #[test]
    fn long_lines_are_cut_between_characters_and_nothing_is_lost() {
        for unit in ["a", "é", "€", "𝄞"] {
            for count in [MAX_LINE / unit.len(), MAX_LINE / unit.len() + 1, 3 * MAX_LINE] {
                let mut long = unit.repeat(count);
                let text = long.clone();
                long.push('\n');
                let chunks: Vec<_> = long.as_bytes().chunks(7919).collect();
                let lines = split(&chunks);
                assert!(lines.iter().all(|l| l.text.len() <= MAX_LINE));
                assert_eq!(lines.len() == 1, lines[0].whole);
                assert_eq!(lines.into_iter().map(|l| l.text).collect::<String>(), text);
            }
        }
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_one_line_and_twice_the_limit_is_two() {
        let exact = [b'x'; MAX_LINE];
        assert_eq!(split(&[&exact, b"\n"]).len(), 1);
        assert_eq!(split(&[&exact, &exact, b"\n", b"y\n"]).len(), 3);
    }

    #[test]
    fn a_long_line_of_bad_bytes_stays_within_the_limit() {
        let bad = [0xffu8; MAX_LINE];
        let lines = split(&[&bad, b"\n"]);
        assert!(lines.iter().all(|l| l.text.len() <= MAX_LINE && !l.whole));
        let chars: usize = lines.iter().map(|l| l.text.chars().count()).sum();
        assert_eq!(chars, MAX_LINE);
    }

    #[test]
    fn any_way_of_cutting_the_stream_gives_the_same_lines() {
        let mut bytes = Vec::new();
        for n in 0..400u32 {
            bytes.extend(n.wrapping_mul(2_654_435_761).to_le_bytes());
            if n % 7 == 0 {
                bytes.push(b'\n');
            }
        }
        let whole = split(&[&bytes]);
        for size in 1..20 {
            let chunks: Vec<_> = bytes.chunks(size).collect();
            assert_eq!(split(&chunks), whole, "chunks of {size}");
        }
    }
}
