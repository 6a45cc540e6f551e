//! Text joined from several lines that still knows where each character came from.

use crate::lines::{Line, column, is_space};

/// Longest joined text; the rest of a runaway paragraph is left out.
const MAX_LEN: usize = 64 * 1024;

/// Lines joined by one space.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) text: String,
    pieces: Vec<Piece>,
    /// Lines were left out because there were too many.
    pub(crate) cut: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    /// Offset in the joined text.
    at: usize,
    line: u32,
    column: u32,
}

/// Where a character of joined text stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spot {
    pub(crate) line: u32,
    pub(crate) column: u32,
    /// Not on the first line.
    pub(crate) wrapped: bool,
}

impl Joined {
    /// Adds the rest of a line from `offset` on.
    pub(crate) fn push(&mut self, line_text: &str, offset: usize, line: &Line<'_>) {
        let rest = &line_text[offset..];
        let lead = rest.len() - rest.trim_start_matches(is_space).len();
        let text = rest.trim_matches(is_space);
        if self.text.len() + text.len() > MAX_LEN {
            self.cut = true;
            return;
        }
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.pieces.push(Piece {
            at: self.text.len(),
            line: line.number,
            column: column(line_text, offset + lead),
        });
        self.text.push_str(text);
    }

    /// Where the text begins, or line 0 when it is empty.
    pub(crate) fn start(&self) -> Spot {
        self.spot(0)
    }

    /// Where a byte of the joined text stands.
    pub(crate) fn spot(&self, offset: usize) -> Spot {
        let index = self.pieces.partition_point(|p| p.at <= offset).saturating_sub(1);
        let Some(piece) = self.pieces.get(index) else { return Spot { line: 0, column: 1, wrapped: false } };
        let chars = self.text.get(piece.at..offset).unwrap_or("").chars().count();
        let chars = u32::try_from(chars).unwrap_or(u32::MAX);
        Spot { line: piece.line, column: piece.column.saturating_add(chars), wrapped: index > 0 }
    }
}
