//! What an agent CLI prints, as a person reads it: one entry of the log becomes lines, nothing else changes.
//!
//! Pure: the state is only what makes one record readable after another. A line that is no known record stays as it
//! is. Everything is made harmless for a terminal.

mod codex;
mod shell;

use crate::clean::clean;
use codex::Told;
use ikigai_wire::api::LogEntry;

/// A record longer than a log line arrives in pieces, each but the last at least this long.
const PIECE: usize = (64 << 10) - 3;
/// The longest record that is put together; a longer one is shown as it came.
const LONGEST: usize = 4 << 20;

/// Reads the entries of one attempt, in their order.
#[derive(Debug, Default)]
pub(crate) struct Readable {
    /// The item whose beginning was shown last.
    begun: Option<String>,
    /// The error that was shown last.
    error: Option<String>,
    /// Pieces of a long record, and the entry of the first.
    pieces: Vec<LogEntry>,
}

/// An entry and the lines it became.
pub(crate) type Shown = (LogEntry, Vec<String>);

// === impl Readable ===

impl Readable {
    /// What is to be shown now that `entry` has come.
    pub(crate) fn read(&mut self, entry: LogEntry) -> Vec<Shown> {
        if entry.stream == "gap" {
            let mut shown = self.finish();
            let lines = vec![gap(&entry)];
            shown.push((entry, lines));
            return shown;
        }
        if entry.stream != "stdout" {
            let lines = lines(&entry.text);
            return vec![(entry, lines)];
        }
        let piece = entry.text.len() >= PIECE;
        if self.pieces.is_empty() && !(piece && entry.text.starts_with('{') && !codex::is_record(&entry.text))
        {
            let lines = self.line(&entry.text);
            return vec![(entry, lines)];
        }
        self.pieces.push(entry);
        let length: usize = self.pieces.iter().map(|p| p.text.len()).sum();
        if piece && length <= LONGEST { Vec::new() } else { self.finish() }
    }

    /// What is left when no entry follows.
    pub(crate) fn finish(&mut self) -> Vec<Shown> {
        let pieces = std::mem::take(&mut self.pieces);
        let Some(first) = pieces.first() else { return Vec::new() };
        let whole: String = pieces.iter().map(|p| p.text.as_str()).collect();
        if codex::is_record(&whole) {
            let lines = self.line(&whole);
            return vec![(first.clone(), lines)];
        }
        pieces.into_iter().map(|p| (p.clone(), lines(&p.text))).collect()
    }

    fn line(&mut self, text: &str) -> Vec<String> {
        match codex::read(text) {
            None => lines(text),
            Some(told) => told.into_iter().flat_map(|t| self.told(t)).collect(),
        }
    }

    fn told(&mut self, told: Told) -> Vec<String> {
        let error = self.error.take();
        match told {
            Told::Text(text) => lines(&text),
            Told::Began { item, command } => {
                self.begun = Some(item);
                command_lines(&command)
            }
            Told::Ended { item, command, output, code } => {
                let mut out = Vec::new();
                if self.begun.take().is_none_or(|begun| begun != item) {
                    out = command_lines(&command);
                }
                out.extend(tail(&output));
                out.push(code.map_or_else(|| "  [not ended]".to_owned(), |code| format!("  [exit {code}]")));
                out
            }
            Told::Error(text) => {
                let known = error.is_some_and(|e| e == text);
                let out = if known { Vec::new() } else { marked("error: ", "       ", &text, usize::MAX) };
                self.error = Some(text);
                out
            }
        }
    }
}

/// The line that stands for lines that are missing.
pub(crate) fn gap(entry: &LogEntry) -> String {
    let last = entry.text.parse::<u64>().map_or(entry.n, |k| entry.n.saturating_add(k.saturating_sub(1)));
    format!("[gap: {} lines missing, {} to {last}]", clean(&entry.text), entry.n)
}

/// Lines of an output that are shown: the last ones.
const OUTPUT: usize = 12;
/// Lines of a command that are shown: the first ones.
const COMMAND: usize = 12;

fn lines(text: &str) -> Vec<String> {
    marked("", "", text, usize::MAX)
}

fn command_lines(command: &str) -> Vec<String> {
    marked("$ ", "> ", shell::inner(command).as_deref().unwrap_or(command), COMMAND)
}

fn tail(output: &str) -> Vec<String> {
    let all: Vec<_> = output.trim_end().lines().collect();
    let skipped = all.len().saturating_sub(OUTPUT);
    let mut out = Vec::new();
    if skipped > 0 {
        out.push(format!("  [{skipped} lines before; --raw has all]"));
    }
    // Of a line that was drawn over and over, what stood there last.
    let drawn = |l: &str| l.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default().to_owned();
    out.extend(all[skipped..].iter().map(|l| format!("  {}", clean(&drawn(l))).trim_end().to_owned()));
    out
}

/// The lines of `text`, the first after `head`, the others after `rest`; beyond `most` only their number.
fn marked(head: &str, rest: &str, text: &str, most: usize) -> Vec<String> {
    let all: Vec<_> = text.trim_end_matches('\n').split('\n').collect();
    let mark = |i: usize| if i == 0 { head } else { rest };
    let shown = all.iter().take(most).enumerate();
    let mut out: Vec<_> =
        shown.map(|(i, l)| format!("{}{}", mark(i), clean(l)).trim_end().to_owned()).collect();
    if all.len() > most {
        out.push(format!("{rest}[{} lines more; --raw has all]", all.len() - most));
    }
    out
}

#[cfg(test)]
mod tests;
