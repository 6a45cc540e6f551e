//! Walks the lines and sorts them into headings, tasks and what belongs to them.

use crate::document::PhaseKind;
use crate::error::Problem;
use crate::grammar::{self, Head, Item};
use crate::heading::{self, Heading, Named};
use crate::id::TaskId;
use crate::lines::{self, Line, LineKind, Unclosed, indent, is_space};
use crate::mention::{self, Mentioned};

mod label;
mod text;

pub(crate) use label::{Label, label_of, value};
pub(crate) use text::Joined;

/// The file, sorted but not yet interpreted.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) sections: Vec<Section>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) tasks: Vec<TaskDraft>,
    /// Lines that were meant as tasks, or look like it.
    pub(crate) strays: Vec<Stray>,
    pub(crate) unclosed: Vec<Unclosed>,
    /// Lines inside code fences that look like tasks.
    pub(crate) fenced: Vec<u32>,
    /// The highest task number seen on any task line, hidden and repeated ones included.
    pub(crate) highest: u64,
}

/// A phase, or a stretch of text between phases.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) named: Option<Named>,
    pub(crate) title: String,
    pub(crate) line: u32,
    level: usize,
    pub(crate) checkpoint: Option<String>,
    pub(crate) independent_test: Option<String>,
    /// End of the last line with text.
    pub(crate) end: usize,
}

/// The text under one heading of any level.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) section: usize,
    pub(crate) parent: Option<usize>,
    pub(crate) heading: Joined,
    pub(crate) summary: bool,
    pub(crate) checklist: bool,
    pub(crate) tests: Option<bool>,
    /// Paragraphs and list items that belong to no task.
    pub(crate) prose: Vec<Prose>,
    /// Task lines before this block.
    pub(crate) first_task: usize,
}

/// A paragraph or list item that belongs to no task.
#[derive(Debug)]
pub(crate) struct Prose {
    pub(crate) text: Joined,
    /// Names what tasks of the block depend on.
    pub(crate) depends: bool,
    /// Task lines before it.
    pub(crate) tasks_before: usize,
}

/// A task with the lines that belong to it.
#[derive(Debug)]
pub(crate) struct TaskDraft {
    pub(crate) head: Head,
    pub(crate) line: u32,
    pub(crate) column: u32,
    /// Byte offset of the line in the file.
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) block: usize,
    pub(crate) main: Joined,
    /// Bytes of white space between the box and the joined text.
    pub(crate) main_lead: usize,
    /// Sub-bullets with their indent.
    pub(crate) details: Vec<(usize, Joined)>,
    pub(crate) oddities: Vec<(u32, String)>,
    pub(crate) flaws: Vec<(u32, Problem)>,
}

/// A line that is no task but may have been meant as one.
#[derive(Debug)]
pub(crate) struct Stray {
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) block: usize,
    pub(crate) problem: Problem,
    pub(crate) id: Option<TaskId>,
    /// Under a paragraph like **Acceptance criteria**.
    pub(crate) checklist: bool,
    pub(crate) quoted: bool,
}

/// Reads the whole text.
pub(crate) fn read(text: &str) -> Draft {
    let (lines, unclosed) = lines::scan(text);
    let mut reader = Reader::new();
    reader.draft.unclosed = unclosed;
    let mut front = lines.first().is_some_and(|l| l.text.trim_end() == "---") && has_front_matter(&lines);
    for line in &lines {
        if front {
            front = line.number == 1 || line.text.trim_end() != "---";
            continue;
        }
        match line.kind {
            LineKind::Code => reader.code(line),
            LineKind::Comment | LineKind::Text => reader.line(line, text),
        }
    }
    reader.flush();
    reader.draft
}

/// `---` on the first line and again within the next forty, with only `key: value` lines between.
fn has_front_matter(lines: &[Line<'_>]) -> bool {
    let end = lines.iter().skip(1).take(40).position(|l| l.text.trim_end() == "---");
    end.is_some_and(|end| lines[1..=end].iter().all(|l| !l.text.starts_with('#') && !l.text.contains("[ ]")))
}

struct Reader {
    draft: Draft,
    /// Headings that enclose the current line: level and block.
    open: Vec<(usize, usize)>,
    current: Option<Current>,
    paragraph: Option<(Joined, Label)>,
    after_blank: bool,
    /// The last paragraph announced a checklist.
    checklist: bool,
}

/// The task that following lines may belong to.
struct Current {
    task: usize,
    /// None for a task written as a heading: everything below belongs to it.
    indent: Option<usize>,
}

impl Reader {
    fn new() -> Self {
        let mut draft = Draft::default();
        draft.sections.push(Section::new(None, String::new(), 0, 0));
        draft.blocks.push(Block::new(0, None, 0));
        Self { draft, open: Vec::new(), current: None, paragraph: None, after_blank: true, checklist: false }
    }

    fn code(&mut self, line: &Line<'_>) {
        let item = grammar::item(&line.text);
        if matches!(item, Item::Task(_)) {
            self.draft.fenced.push(line.number);
        }
        let (width, _) = indent(&line.text);
        match &self.current {
            Some(current) if current.indent.is_none_or(|i| width > i) => self.extend_task(line),
            _ => self.current = None,
        }
        self.end_paragraph();
        self.extend_section(line);
    }

    fn line(&mut self, line: &Line<'_>, file: &str) {
        self.note_hidden(line, file);
        if line.text.trim_matches(is_space).is_empty() {
            self.end_paragraph();
            self.after_blank = true;
            return;
        }
        self.visible(line);
        self.after_blank = false;
        if !is_rule(&line.text) {
            self.extend_section(line);
        }
    }

    /// Ids in comments count for the next free id: somebody may bring the line back.
    fn note_hidden(&mut self, line: &Line<'_>, file: &str) {
        let raw = &file[line.start..line.start + line.text.len()];
        if line.kind == LineKind::Comment || raw != line.text {
            let raw = raw.trim_start_matches(is_space).trim_start_matches("<!--");
            if let Item::Task(head) = grammar::item(raw) {
                self.draft.highest = self.draft.highest.max(head.id.number());
            }
        }
    }

    fn visible(&mut self, line: &Line<'_>) {
        let text: &str = &line.text;
        let item = grammar::item(text);
        if let Item::Task(head) = item {
            return self.task(head, line);
        }
        if let Some(heading) = heading::read(text) {
            if let Item::NoBox { offset, id, .. } = item {
                self.stray(line, offset, Problem::MissingBox { id: id.clone() }, Some(id));
            }
            return self.heading(heading, line);
        }
        match item {
            Item::Flawed { indent, offset, id, problem } => {
                self.close_unless_inside(indent);
                self.current = None;
                self.stray(line, offset, problem, id);
            }
            Item::Unnamed { indent, offset, text: quoted } => {
                if self.inside(indent) {
                    return self.detail(line, indent, offset + 1);
                }
                self.current = None;
                self.stray(line, offset, Problem::MissingId { text: quoted }, None);
            }
            Item::NoBox { indent, offset, id } => {
                if self.inside(indent) {
                    return self.detail(line, indent, offset + 1);
                }
                self.stray(line, offset, Problem::MissingBox { id: id.clone() }, Some(id));
                self.prose_item(line, offset);
            }
            Item::Bullet { indent, text } if self.inside(indent) => self.detail(line, indent, text),
            Item::Bullet { text, .. } => self.prose_item(line, text),
            Item::Task(_) | Item::Other => self.other(line),
        }
    }

    fn task(&mut self, head: Head, line: &Line<'_>) {
        self.end_paragraph();
        self.draft.highest = self.draft.highest.max(head.id.number());
        let heading = line.text[head.bullet..].starts_with('#');
        let column = lines::column(&line.text, head.bullet);
        let mut main = Joined::default();
        main.push(&line.text, head.text, line);
        let place = |offset: usize| lines::column(&line.text, offset);
        let task = TaskDraft {
            line: line.number,
            column,
            start: line.start,
            end: line.start + line.text.trim_end().len(),
            block: self.draft.blocks.len() - 1,
            main,
            main_lead: line.text[head.text..].len()
                - line.text[head.text..].trim_start_matches(is_space).len(),
            details: Vec::new(),
            oddities: head.oddities.iter().map(|(at, m)| (place(*at), m.clone())).collect(),
            flaws: head.flaws.iter().map(|(at, p)| (place(*at), p.clone())).collect(),
            head,
        };
        let indent = (!heading).then_some(task.head.indent);
        self.draft.tasks.push(task);
        self.current = Some(Current { task: self.draft.tasks.len() - 1, indent });
    }

    fn heading(&mut self, heading: Heading, line: &Line<'_>) {
        self.end_paragraph();
        self.current = None;
        self.checklist = false;
        while self.open.last().is_some_and(|(level, _)| *level >= heading.level) {
            self.open.pop();
        }
        let parent = self.open.last().map(|(_, block)| *block);
        let in_summary = parent.is_some_and(|p| self.draft.blocks[p].summary);
        if self.begins_section(&heading, in_summary) {
            let named = heading.phase.clone().filter(|_| !in_summary && !heading.summary);
            let title = named.as_ref().map_or_else(|| heading.text.clone(), |n| n.title.clone());
            self.draft.sections.push(Section::new(named, title, line.number, heading.level));
        }
        let mut block = Block::new(self.section(), parent, self.draft.tasks.len());
        let offset = line.text.find(|c: char| c != '#' && !is_space(c)).unwrap_or(0);
        block.heading.push(&line.text, offset, line);
        block.summary = in_summary || heading.summary;
        block.checklist = heading.checklist || parent.is_some_and(|p| self.draft.blocks[p].checklist);
        let inherited = parent.and_then(|p| self.draft.blocks[p].tests);
        block.tests = match heading.phase.as_ref().map(|p| p.kind) {
            None => heading.tests.or(inherited),
            Some(PhaseKind::Other) => heading.tests,
            Some(_) => None,
        };
        self.draft.blocks.push(block);
        self.open.push((heading.level, self.draft.blocks.len() - 1));
    }

    fn begins_section(&self, heading: &Heading, in_summary: bool) -> bool {
        let section = &self.draft.sections[self.section()];
        let named = heading.phase.as_ref().filter(|_| !heading.summary && !in_summary);
        if named.is_some_and(|n| n.explicit) {
            return true;
        }
        let current = section.named.as_ref();
        if heading.level > section.level && section.line > 0 {
            // `### User Story 2` under `## Phase 3: Stories`
            let own_story = named.filter(|n| matches!(n.kind, PhaseKind::Story { .. }));
            return match (own_story, current) {
                (Some(story), Some(phase)) => {
                    phase.stories.iter().all(|s| !story.stories.contains(s)) && phase.stories.is_empty()
                }
                (Some(_), None) => true,
                (None, None) => named.is_some(),
                (None, Some(_)) => false,
            };
        }
        // `## Tests for User Story 1` after `## Phase 3: User Story 1`
        let mine = mention::find(&heading.text).into_iter().any(
            |m| matches!(m.target, Mentioned::Story(n) if current.is_some_and(|c| c.stories.contains(&n))),
        );
        named.is_some() || heading.summary || in_summary || !mine
    }

    /// A list item outside any task.
    fn prose_item(&mut self, line: &Line<'_>, offset: usize) {
        self.end_paragraph();
        self.current = None;
        let mut text = Joined::default();
        text.push(&line.text, offset, line);
        let label = label_of(&text.text);
        self.paragraph = Some((text, label));
    }

    fn detail(&mut self, line: &Line<'_>, indent: usize, offset: usize) {
        self.end_paragraph();
        let Some(current) = &self.current else { return };
        let mut text = Joined::default();
        text.push(&line.text, offset, line);
        self.draft.tasks[current.task].details.push((indent, text));
        self.extend_task(line);
    }

    /// A line that is neither heading nor list item: it continues something, or begins a paragraph.
    fn other(&mut self, line: &Line<'_>) {
        let (width, offset) = indent(&line.text);
        let rest = &line.text[offset..];
        if is_rule(rest) || rest.starts_with('|') {
            self.end_paragraph();
            self.close_unless_inside(width);
            return;
        }
        if let Some(quote) = rest.strip_prefix('>') {
            return self.quote(line, offset, quote);
        }
        let label = label_of(rest);
        let lazy = !self.after_blank && label == Label::None;
        match &self.current {
            Some(current) if lazy || current.indent.is_none_or(|i| width >= i + 2) => {
                let task = &mut self.draft.tasks[current.task];
                if self.after_blank {
                    let mut text = Joined::default();
                    text.push(&line.text, offset, line);
                    task.details.push((width, text));
                } else {
                    let last = task.details.last_mut().map_or(&mut task.main, |(_, text)| text);
                    last.push(&line.text, offset, line);
                }
                self.extend_task(line);
            }
            _ => {
                self.current = None;
                self.paragraph_line(line, offset, label);
            }
        }
    }

    fn paragraph_line(&mut self, line: &Line<'_>, offset: usize, label: Label) {
        if label == Label::None
            && let Some((text, _)) = &mut self.paragraph
        {
            return text.push(&line.text, offset, line);
        }
        self.end_paragraph();
        let mut text = Joined::default();
        text.push(&line.text, offset, line);
        self.paragraph = Some((text, label));
    }

    fn quote(&mut self, line: &Line<'_>, offset: usize, quote: &str) {
        let at = offset + 1;
        if let Item::Task(head) = grammar::item(quote) {
            self.stray(line, at, Problem::MissingBox { id: head.id.clone() }, Some(head.id));
            if let Some(stray) = self.draft.strays.last_mut() {
                stray.quoted = true;
            }
            return;
        }
        let lead = quote.len() - quote.trim_start_matches(is_space).len();
        if quote.trim_matches(is_space).is_empty() {
            return self.end_paragraph();
        }
        self.current = None;
        self.paragraph_line(line, at + lead, label_of(&quote[lead..]));
    }

    fn end_paragraph(&mut self) {
        let Some((text, label)) = self.paragraph.take() else { return };
        let section = self.section();
        let section = &mut self.draft.sections[section];
        match label {
            Label::Checkpoint => section.checkpoint = Some(label::value(&text.text)),
            Label::IndependentTest => section.independent_test = Some(label::value(&text.text)),
            _ => {}
        }
        self.checklist = label == Label::Checklist;
        if let Some(block) = self.draft.blocks.last_mut() {
            let tasks_before = self.draft.tasks.len();
            block.prose.push(Prose { text, depends: label == Label::Depends, tasks_before });
        }
    }

    fn stray(&mut self, line: &Line<'_>, offset: usize, problem: Problem, id: Option<TaskId>) {
        self.end_paragraph_keeping_checklist();
        if let Some(id) = &id {
            self.draft.highest = self.draft.highest.max(id.number());
        }
        self.draft.strays.push(Stray {
            line: line.number,
            column: lines::column(&line.text, offset),
            block: self.draft.blocks.len() - 1,
            problem,
            id,
            checklist: self.checklist,
            quoted: false,
        });
    }

    /// A checklist has several items: only a new paragraph ends it.
    fn end_paragraph_keeping_checklist(&mut self) {
        let was = self.checklist && self.paragraph.is_none();
        self.end_paragraph();
        self.checklist |= was;
    }

    fn inside(&self, width: usize) -> bool {
        self.current.as_ref().is_some_and(|c| c.indent.is_none_or(|i| width > i))
    }

    fn close_unless_inside(&mut self, width: usize) {
        if !self.inside(width) {
            self.current = None;
        }
    }

    fn extend_task(&mut self, line: &Line<'_>) {
        if let Some(current) = &self.current {
            self.draft.tasks[current.task].end = line.start + line.text.trim_end().len();
        }
    }

    fn extend_section(&mut self, line: &Line<'_>) {
        let section = self.section();
        self.draft.sections[section].end = line.start + line.text.trim_end().len();
    }

    fn flush(&mut self) {
        self.end_paragraph();
    }

    fn section(&self) -> usize {
        self.draft.sections.len() - 1
    }
}

impl Section {
    fn new(named: Option<Named>, title: String, line: u32, level: usize) -> Self {
        Self { named, title, line, level, checkpoint: None, independent_test: None, end: 0 }
    }
}

impl Block {
    fn new(section: usize, parent: Option<usize>, first_task: usize) -> Self {
        Self {
            section,
            parent,
            heading: Joined::default(),
            summary: false,
            checklist: false,
            tests: None,
            prose: Vec::new(),
            first_task,
        }
    }
}

/// `---`, `***`, `===`: a rule, or the underline of a heading.
fn is_rule(text: &str) -> bool {
    let text = text.trim_matches(is_space);
    text.len() >= 3 && text.bytes().all(|b| matches!(b, b'-' | b'*' | b'_' | b'=' | b' '))
}
