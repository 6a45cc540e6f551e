//! Bytes to lines, as [`Executor::logs`](super::Executor::logs) promises them.

/// The longest line kept as one: 1 MiB. What is longer comes in pieces of at most that, nothing is lost.
pub const MAX_OUTPUT_LINE: usize = 1 << 20;

/// Cuts a byte stream into lines; bytes that are no UTF-8 become `U+FFFD`.
#[derive(Debug, Default)]
pub struct LineCutter {
    pending: Vec<u8>,
}

impl LineCutter {
    /// Takes the next bytes and answers the lines they complete, without their newlines.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            match piece.strip_suffix(b"\n") {
                Some(end) => {
                    self.extend(end, &mut lines);
                    lines.push(text(&self.pending));
                    self.pending.clear();
                }
                None => self.extend(piece, &mut lines),
            }
        }
        lines
    }

    /// What came after the last newline, when the stream has ended.
    pub fn finish(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.pending);
        (!rest.is_empty()).then(|| text(&rest))
    }

    fn extend(&mut self, bytes: &[u8], lines: &mut Vec<String>) {
        self.pending.extend_from_slice(bytes);
        while self.pending.len() > MAX_OUTPUT_LINE {
            let at = char_start(&self.pending, MAX_OUTPUT_LINE);
            let rest = self.pending.split_off(at);
            lines.push(text(&self.pending));
            self.pending = rest;
        }
    }
}

/// The last place at or before `at` where a character begins, so that a cut breaks none.
fn char_start(bytes: &[u8], at: usize) -> usize {
    let continues = |i: usize| bytes[i] & 0b1100_0000 == 0b1000_0000;
    (at - 3..=at).rev().find(|i| !continues(*i)).unwrap_or(at)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pieces: &[&[u8]]) -> Vec<String> {
        let mut cutter = LineCutter::default();
        let mut lines: Vec<String> = pieces.iter().flat_map(|p| cutter.push(p)).collect();
        lines.extend(cutter.finish());
        lines
    }

    #[test]
    fn where_the_stream_is_split_changes_nothing() {
        let text = "one\n\nthré\n€uro\nlast".as_bytes();
        let whole = cut(&[text]);
        assert_eq!(whole, ["one", "", "thré", "€uro", "last"]);
        for at in 0..text.len() {
            assert_eq!(cut(&[&text[..at], &text[at..]]), whole, "split at {at}");
        }
        assert_eq!(cut(&[b"a\n"]), ["a"], "a newline at the end begins no line");
    }

    #[test]
    fn a_line_over_the_limit_comes_in_pieces_without_loss() {
        let long = "€".repeat(MAX_OUTPUT_LINE);
        let lines = cut(&[long.as_bytes(), b"\nnext\n"]);
        assert!(lines.iter().all(|l| l.len() <= MAX_OUTPUT_LINE));
        assert_eq!(lines.last().unwrap(), "next");
        assert_eq!(lines[..lines.len() - 1].concat(), long);
    }

    #[test]
    fn bytes_that_are_no_text_do_not_stop_it() {
        assert_eq!(cut(&[b"\xff\xfe\nok\n"]), ["\u{fffd}\u{fffd}", "ok"]);
        let garbage = vec![0x80; MAX_OUTPUT_LINE + 10];
        assert_eq!(cut(&[&garbage]).len(), 2);
    }
}
