//! stdout: results in the form that was asked for.

use crate::table::Table;
use ikigai_types::Timestamp;
use ikigai_wire::api::{Code, Document, List, Problem};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    Table,
    /// More columns
    Wide,
    /// One JSON document
    Json,
    /// One JSON document per line
    Ndjson,
    /// One YAML document
    Yaml,
    /// Names only, one per line
    Name,
}

/// Something that is printed alone or in a list.
pub(crate) trait Show: Serialize {
    /// `Task`, `Node`, …
    const KIND: &'static str;

    /// What `-o name` prints: accepted wherever such a thing is an argument.
    fn name(&self) -> String;

    /// The heading of its table.
    fn head(wide: bool) -> Vec<&'static str>;

    /// Its row.
    fn row(&self, wide: bool, now: Timestamp) -> Vec<String>;
}

/// Writes results.
#[derive(Debug, Clone)]
pub(crate) struct Printer {
    pub(crate) format: Format,
    pub(crate) quiet: bool,
    pub(crate) terminal: bool,
}

// === impl Printer ===

impl Printer {
    pub(crate) fn new(format: Format, quiet: bool) -> Self {
        Self { format, quiet, terminal: io::stdout().is_terminal() }
    }

    /// A list of things.
    pub(crate) fn list<T: Show>(&self, items: Vec<T>, now: Timestamp) -> Result<(), Problem> {
        match self.format {
            Format::Table | Format::Wide => self.lines(&self.table(&items, now).lines(self.width())),
            Format::Name => self.lines(&items.iter().map(Show::name).collect::<Vec<_>>()),
            Format::Ndjson => items.iter().try_for_each(|item| self.document(T::KIND, item)),
            _ => self.document(&format!("{}List", T::KIND), &List { items, next: None }),
        }
    }

    pub(crate) fn table<T: Show>(&self, items: &[T], now: Timestamp) -> Table {
        let wide = self.format == Format::Wide;
        let mut table = Table::new(&T::head(wide));
        items.iter().for_each(|item| table.row(item.row(wide, now)));
        table
    }

    /// One thing: `text` makes the lines for people.
    pub(crate) fn one<T: Show>(&self, item: &T, text: impl FnOnce() -> Vec<String>) -> Result<(), Problem> {
        match self.format {
            Format::Table | Format::Wide => self.lines(&text()),
            Format::Name => self.lines(&[item.name()]),
            _ => self.document(T::KIND, item),
        }
    }

    /// A document that has no name: `text` makes the lines for people and for `-o name`.
    pub(crate) fn other<T: Serialize>(
        &self,
        kind: &str,
        body: &T,
        text: impl FnOnce() -> Vec<String>,
    ) -> Result<(), Problem> {
        match self.format {
            Format::Table | Format::Wide | Format::Name => self.lines(&text()),
            _ => self.document(kind, body),
        }
    }

    /// A document in JSON or YAML.
    pub(crate) fn document<T: Serialize>(&self, kind: &str, body: &T) -> Result<(), Problem> {
        let document = Document::new(kind, body);
        let failed =
            |e: &dyn std::fmt::Display| Problem::plain(Code::Failed, format!("cannot print the result: {e}"));
        let text = match self.format {
            Format::Ndjson => serde_json::to_string(&document).map_err(|e| failed(&e))?,
            Format::Yaml => {
                serde_yaml_ng::to_string(&document).map_err(|e| failed(&e))?.trim_end().to_owned()
            }
            _ => serde_json::to_string_pretty(&document).map_err(|e| failed(&e))?,
        };
        self.lines(&[text])
    }

    /// Lines, as they are.
    pub(crate) fn lines<S: AsRef<str>>(&self, lines: &[S]) -> Result<(), Problem> {
        let mut text = String::new();
        for line in lines {
            text.push_str(line.as_ref());
            text.push('\n');
        }
        self.raw(&text)
    }

    /// Text, as it is. A reader that went away ends the program as if all was read.
    pub(crate) fn raw(&self, text: &str) -> Result<(), Problem> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
            Err(e) => Err(Problem::plain(Code::Failed, format!("cannot write to stdout: {e}"))),
            Ok(()) => Ok(()),
        }
    }

    /// A remark for people, on stderr.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(io::stderr(), "{}", crate::clean::clean(text));
        }
    }

    /// Columns of the terminal; `None` when stdout is none.
    pub(crate) fn width(&self) -> Option<usize> {
        self.terminal.then(|| {
            rustix::termios::tcgetwinsize(io::stdout()).map_or(80, |s| usize::from(s.ws_col).max(40))
        })
    }

    /// Lines of the terminal.
    pub(crate) fn height(&self) -> usize {
        rustix::termios::tcgetwinsize(io::stdout()).map_or(24, |s| usize::from(s.ws_row).max(4))
    }

    /// Whether results are for people.
    pub(crate) fn for_people(&self) -> bool {
        matches!(self.format, Format::Table | Format::Wide)
    }
}
