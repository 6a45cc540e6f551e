//! Tables: narrow, aligned by what a terminal shows, without lines or glyphs.

use crate::clean::clean;
use crate::fit::cut;
use unicode_width::UnicodeWidthStr;

/// Spaces between columns.
const GAP: usize = 2;

/// Rows under a heading; the last column takes what room is left.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        Self { rows: vec![head.iter().map(|h| (*h).to_owned()).collect()] }
    }

    /// Adds a row; what an agent or a repository wrote is made harmless here, newlines included.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        let cell = |c: String| {
            if c.is_empty() { "-".to_owned() } else { clean(&c.replace(['\n', '\t'], " ")).into_owned() }
        };
        self.rows.push(cells.into_iter().map(cell).collect());
    }

    /// The lines, each at most `width` columns when there is a width.
    pub(crate) fn lines(&self, width: Option<usize>) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widest =
            |i: usize| self.rows.iter().filter_map(|r| r.get(i)).map(|c| c.width()).max().unwrap_or(0);
        let widths: Vec<_> = (0..columns).map(widest).collect();
        self.rows.iter().map(|row| line(row, &widths, width)).collect()
    }
}

fn line(row: &[String], widths: &[usize], width: Option<usize>) -> String {
    let mut out = String::new();
    for (i, cell) in row.iter().enumerate() {
        out.push_str(cell);
        if i + 1 < row.len() {
            out.push_str(&" ".repeat(widths[i] - cell.width() + GAP));
        }
    }
    let out = out.trim_end();
    width.map_or_else(|| out.to_owned(), |w| cut(out, w))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_by_what_is_shown_and_lines_are_cut() {
        let mut table = Table::new(&["TASK", "STATE", "TITLE"]);
        table.row(vec!["T001".into(), "running".into(), "日本 page".into()]);
        table.row(vec!["T1002".into(), String::new(), "a\n\u{1b}[31mb".into()]);
        assert_eq!(
            table.lines(None),
            ["TASK   STATE    TITLE", "T001   running  日本 page", "T1002  -        a b"]
        );
        assert_eq!(table.lines(Some(20))[1], "T001   running…");
    }
}
