//! One task with its newest lines, its lines alone, and the help.

use super::model::Model;
use super::view::{paint, put};
use crate::clean::clean;
use crate::views;
use ikigai_types::TaskId;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};

const HELP: [&str; 15] = [
    "j k, arrows     the next and the task before; pgup pgdn g G go further",
    "enter           the task, why it is where it is, and its newest lines",
    "l               the lines of its newest attempt, as they come",
    "o               a link to its agent's editor, which works once",
    "a               accept its patch: merges it, after you said y",
    "p               pause it, or let a paused one go on",
    "/               only tasks that have this in id, title, feature, state or node",
    "esc             back; on the list it takes the filter away",
    "q, ctrl-c       quit",
    "",
    "NEEDS YOU has what goes on with nobody else: a question, money, a credential,",
    "what failed, what is to be reviewed; the most urgent first.",
    "today is what attempts cost that began today (UTC), as the gateways counted it;",
    "unknown when a model has no price.",
    "SEEN is how long ago a node said this of itself.",
];

pub(super) fn help(area: Rect, buf: &mut Buffer) {
    for (y, line) in (0..).zip(HELP) {
        put(buf, area, y, line, Style::new());
    }
}

/// What is known of a task above, the newest lines of its agent below.
pub(super) fn task(model: &Model, id: &TaskId, area: Rect, buf: &mut Buffer) {
    let Some(task) = model.task(id) else {
        return put(buf, area, 0, "the task is not there any more", Style::new());
    };
    let told = views::task(task, model.now);
    let most = (area.height * 2 / 3).max(4);
    let above = most.min(u16::try_from(told.len()).unwrap_or(most));
    let parts = [Constraint::Length(above), Constraint::Length(1), Constraint::Fill(1)];
    let [top, title, bottom] = Layout::vertical(parts).areas(area);
    for (y, line) in (0..).zip(&told) {
        let style = if y == 0 { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() };
        put(buf, top, y, line, style);
    }
    let cut = usize::from(above) < told.len();
    let more = if cut { format!("; all of it: ikigai task show {}", task.short) } else { String::new() };
    put(buf, title, 0, &format!("newest lines{more}"), paint(model, Color::Cyan));
    newest(model, bottom, 0, buf);
}

/// The lines of its newest attempt.
pub(super) fn lines(model: &Model, id: &TaskId, area: Rect, buf: &mut Buffer) {
    let [title, rest] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    let task = model.task(id);
    let number = task.and_then(|t| t.attempts.last()).map_or(0, |a| a.id.number);
    let short = task.map_or("", |t| t.short.as_str());
    let back = if model.back > 0 { format!(", {} before the newest", model.back) } else { String::new() };
    put(buf, title, 0, &format!("{short}, attempt {number}{back}"), paint(model, Color::Cyan));
    newest(model, rest, model.back, buf);
}

fn newest(model: &Model, area: Rect, back: usize, buf: &mut Buffer) {
    let Some(lines) = model.shown_lines().filter(|l| !l.is_empty()) else {
        let text = if model.wants_lines().is_some() { "no lines yet" } else { "it has not been tried yet" };
        return put(buf, area, 0, text, Style::new());
    };
    let end = lines.len() - back.min(lines.len() - 1);
    let from = end.saturating_sub(usize::from(area.height));
    for (y, line) in (0..).zip(lines.range(from..end)) {
        put(buf, area, y, &clean(line).replace('\t', "    "), Style::new());
    }
}
