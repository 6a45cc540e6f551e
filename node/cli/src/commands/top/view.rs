//! A model drawn into a buffer of cells: the list and what is around it. The other pages are in [`super::page`].

use super::model::{Model, Page, Prompt};
use super::page;
use super::rows::{self, Row};
use crate::clean::clean;
use crate::fit::cut;
use crate::human::{age, bytes, clock, cores, cost};
use crate::views;
use ikigai_wire::api::{NodeView, TaskView};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use unicode_width::UnicodeWidthStr;

/// Nodes that are listed at most; those beyond are counted.
const NODES: usize = 6;
/// The list never gets fewer lines than this while there are nodes to leave out.
const LIST: u16 = 10;
/// Narrowest that is drawn.
const NARROWEST: u16 = 40;

/// Draws the whole of it.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    if area.width < NARROWEST || area.height < 6 {
        return put(buf, area, 0, "the terminal is too small", Style::new());
    }
    let nodes = nodes_height(model, area.height);
    let parts =
        [Constraint::Length(2), Constraint::Length(nodes), Constraint::Fill(1), Constraint::Length(1)];
    let [head, top, body, foot] = Layout::vertical(parts).areas(area);
    draw_head(model, head, buf);
    match &model.page {
        Page::List => {
            draw_nodes(model, top, buf);
            draw_list(model, body, buf);
        }
        Page::Task(id) => page::task(model, id, top.union(body), buf),
        Page::Lines(id) => page::lines(model, id, top.union(body), buf),
        Page::Help => page::help(top.union(body), buf),
    }
    draw_foot(model, foot, buf);
}

/// One frame as lines of text, as long as it has to be.
pub(super) fn text(model: &Model, width: usize) -> Vec<String> {
    let rows = model.rows().len().max(1) + model.nodes.len().min(NODES + 1) + 4;
    let width = u16::try_from(width).unwrap_or(u16::MAX).max(NARROWEST);
    let area = Rect::new(0, 0, width, u16::try_from(rows).unwrap_or(u16::MAX).max(LIST + NODES as u16));
    let mut buf = Buffer::empty(area);
    let foot = Rect { y: area.height - 1, height: 1, ..area };
    draw(model, area, &mut buf);
    buf.set_style(area, Style::reset());
    let lines = buf.content.chunks(usize::from(width)).take(usize::from(foot.y));
    let mut lines: Vec<String> = lines.map(|cells| line(cells).trim_end().to_owned()).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

/// The text of a row of cells; a wide character takes the place of two.
fn line(cells: &[ratatui::buffer::Cell]) -> String {
    let mut text = String::new();
    let mut covered = 0;
    for cell in cells {
        if covered == 0 {
            text.push_str(cell.symbol());
        }
        covered = cell.symbol().width().max(covered).saturating_sub(1);
    }
    text
}

/// A line of text at row `y` of `area`, cut to its width.
pub(super) fn put(buf: &mut Buffer, area: Rect, y: u16, text: &str, style: Style) {
    if y < area.height {
        let text = cut(&clean(text), usize::from(area.width));
        buf.set_stringn(area.x, area.y + y, text, usize::from(area.width), style);
    }
}

fn draw_head(model: &Model, area: Rect, buf: &mut Buffer) {
    let rows = model.rows();
    let count = |name: &str| {
        rows.iter().find_map(|r| match r {
            Row::Head(head, n) if *head == name => Some(*n),
            _ => None,
        })
    };
    let [needs, runs, waits] = ["NEEDS YOU", "RUNS", "WAITS"].map(|n| count(n).unwrap_or(0));
    let node = model.nodes.first().map_or("", |n| n.name.as_str());
    let today = cost(&rows::today(&model.tasks, model.now));
    let text = format!("ikigai {node}   {needs} need you, {runs} run, {waits} wait   today {today}");
    put(buf, area, 0, &text, Style::new().add_modifier(Modifier::BOLD));
    let time = format!("{} UTC", clock(model.now));
    let at = area.width.saturating_sub(time.len() as u16);
    if text.width() + 2 < usize::from(at) {
        buf.set_string(area.x + at, area.y, time, Style::new());
    }
    let (text, style) = state_of_link(model);
    put(buf, area, 1, &text, style);
}

/// Whether what is shown is true now, in words.
fn state_of_link(model: &Model) -> (String, Style) {
    let loud = paint(model, Color::Red).add_modifier(Modifier::REVERSED);
    match (&model.lost, model.seen) {
        (Some(why), Some(seen)) => {
            let old = age(seen, model.now);
            (format!("NOT CONNECTED: what is shown is {old} old; trying again ({why})"), loud)
        }
        (Some(why), None) => (format!("NOT CONNECTED: trying again ({why})"), loud),
        (None, None) => ("asking the node …".to_owned(), Style::new()),
        (None, Some(_)) if !model.filter.is_empty() => {
            (format!("only what has: {}", model.filter), Style::new())
        }
        (None, Some(_)) => (String::new(), Style::new()),
    }
}

/// Lines of the table of nodes: its heading, the nodes, how many more there are, and one that is empty.
fn nodes_height(model: &Model, height: u16) -> u16 {
    let room = usize::from(height.saturating_sub(LIST + 3)).max(3);
    let nodes = model.nodes.len();
    let shown = nodes.min(NODES).min(room - 2);
    (shown + usize::from(nodes > shown) + 2) as u16
}

fn draw_nodes(model: &Model, area: Rect, buf: &mut Buffer) {
    let head = format!(
        "{:<14}{:<11}{:>5}{:>14}{:>20}{:>7}",
        "NODE", "STATE", "RUNS", "CORES FREE", "MEMORY FREE", "SEEN"
    );
    put(buf, area, 0, &head, paint(model, Color::Cyan));
    // The heading and an empty line are none of them.
    let room = usize::from(area.height.saturating_sub(2));
    let shown = if model.nodes.len() > room { room.saturating_sub(1) } else { model.nodes.len() };
    for (y, node) in (1..).zip(model.nodes.iter().take(shown)) {
        let style = if node.liveness == "alive" { Style::new() } else { paint(model, Color::Red) };
        put(buf, area, y, &node_line(node, model), style);
    }
    if model.nodes.len() > shown {
        let more = format!("and {} more: ikigai node ls", model.nodes.len() - shown);
        put(buf, area, shown as u16 + 1, &more, Style::new());
    }
}

fn node_line(node: &NodeView, model: &Model) -> String {
    let state = match (node.draining, node.cordoned) {
        _ if node.liveness != "alive" => node.liveness.as_str(),
        (true, _) => "draining",
        (false, true) => "cordoned",
        _ => "alive",
    };
    let (free, all) = (&node.free, &node.allocatable);
    let cpu = format!("{}/{}", cores(free.cpu_millis), cores(all.cpu_millis));
    let memory = format!("{}/{}", bytes(free.memory_bytes), bytes(all.memory_bytes));
    let seen = age(node.observed_at, model.now);
    let name = cell(&node.name, 13);
    format!("{name} {} {:>5}{cpu:>14}{memory:>20}{seen:>7}", cell(state, 10), node.running)
}

/// The list, scrolled so that the selected row is seen.
fn draw_list(model: &Model, area: Rect, buf: &mut Buffer) {
    let rows = model.rows();
    if rows.is_empty() {
        let text = if model.filter.is_empty() {
            "no open tasks; run: ikigai task new"
        } else {
            "nothing fits the filter"
        };
        return put(buf, area, 0, text, Style::new());
    }
    let here = |r: &Row<'_>| r.task().is_some_and(|t| Some(&t.id) == model.selected.as_ref());
    let at = rows.iter().position(here).unwrap_or(0);
    let height = usize::from(area.height);
    let from = (at + 1).saturating_sub(height);
    for (y, row) in (0..).zip(rows.iter().skip(from).take(height)) {
        match row {
            Row::Head(head, n) => put(buf, area, y, &format!("{head} ({n})"), paint(model, Color::Cyan)),
            Row::Task(task) => {
                let style = style_of(model, task);
                let style = if here(row) { style.add_modifier(Modifier::REVERSED) } else { style };
                put(buf, area, y, &task_line(task, model), style);
            }
        }
    }
}

fn task_line(task: &TaskView, model: &Model) -> String {
    let state = match (rows::need(task), task.patch.as_ref().and_then(|p| p.verdict.as_deref())) {
        (Some(ikigai_notify::Need::Review), Some(verdict)) => format!("review {verdict}"),
        _ => views::state(task),
    };
    let waits = matches!(task.state.as_str(), "waiting" | "paused" | "queued");
    let said = if waits { &task.why.text } else { &task.title };
    let (node, tries) = (views::node_name(task), task.attempts.len());
    let since = age(task.updated_at, model.now);
    let (short, state, node) = (cell(&task.short, 7), cell(&state, 19), cell(&node, 10));
    format!("  {short} {state} {node} {tries:>2} {since:>5} {:>8}  {said}", cost(&task.usage))
}

/// `text` in exactly `width` columns.
fn cell(text: &str, width: usize) -> String {
    let text = cut(&clean(text), width);
    let pad = width.saturating_sub(text.width());
    text + &" ".repeat(pad)
}

fn style_of(model: &Model, task: &TaskView) -> Style {
    match task.state.as_str() {
        "failed" | "lost" => paint(model, Color::Red),
        "review" | "waiting" if rows::need(task).is_some() => paint(model, Color::Yellow),
        "running" => paint(model, Color::Green),
        _ => Style::new(),
    }
}

/// A colour, where there are colours.
pub(super) fn paint(model: &Model, colour: Color) -> Style {
    if model.colour { Style::new().fg(colour) } else { Style::new() }
}

fn draw_foot(model: &Model, area: Rect, buf: &mut Buffer) {
    let short = |id| model.task(id).map_or_else(String::new, |t| t.short.clone());
    let text = match &model.prompt {
        Prompt::Filter => format!("filter: {}_   enter keeps it, esc clears it", model.filter),
        Prompt::Accept(id) => format!("accept and merge the patch of {}? y / any other key", short(id)),
        Prompt::Note(text) => text.clone(),
        Prompt::Keys => match &model.page {
            Page::List => "j/k move  enter show  l lines  o open  a accept  p pause  / filter  ? help  q",
            Page::Task(_) => "esc back  j/k next  l lines  o open  a accept  p pause  ? help  q quit",
            Page::Lines(_) => "esc back  j/k pgup/pgdn scroll  G newest  enter task  ? help  q quit",
            Page::Help => "esc back  q quit",
        }
        .to_owned(),
    };
    let asks = matches!(model.prompt, Prompt::Accept(_) | Prompt::Filter);
    let style = if asks { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
    put(buf, area, 0, &text, style);
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
