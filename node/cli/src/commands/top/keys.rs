//! What a key does: it changes what is shown, or asks the node for something.

use super::model::{Model, Page, Prompt};
use ikigai_types::TaskId;
use ikigai_wire::api::{Command, TaskView};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What is to be done beside drawing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    Quit,
    Interrupt,
    Open(TaskId),
    Command(TaskId, Command),
}

/// Lines a page goes up or down at once.
const PAGE: usize = 10;

impl Model {
    pub(super) fn key(&mut self, key: KeyEvent) -> Option<Ask> {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return matches!(key.code, KeyCode::Char('c')).then_some(Ask::Interrupt);
        }
        match std::mem::replace(&mut self.prompt, Prompt::Keys) {
            Prompt::Filter => self.filter_key(key.code),
            Prompt::Accept(task) => return self.answer(key.code, task),
            Prompt::Keys | Prompt::Note(_) => return self.plain(key.code),
        }
        None
    }

    fn filter_key(&mut self, key: KeyCode) {
        match key {
            KeyCode::Enter => return,
            KeyCode::Esc => {
                self.filter.clear();
                return self.keep_selection();
            }
            KeyCode::Backspace => self.type_filter(None),
            KeyCode::Char(c) => self.type_filter(Some(c)),
            _ => {}
        }
        self.prompt = Prompt::Filter;
    }

    fn answer(&mut self, key: KeyCode, task: TaskId) -> Option<Ask> {
        if key == KeyCode::Char('y') {
            self.prompt = Prompt::Note("accepting …".to_owned());
            return Some(Ask::Command(task, Command::Accept { force: false }));
        }
        self.prompt = Prompt::Note("nothing was accepted".to_owned());
        None
    }

    fn plain(&mut self, key: KeyCode) -> Option<Ask> {
        let lines = matches!(self.page, Page::Lines(_));
        match key {
            KeyCode::Char('q') => return Some(Ask::Quit),
            KeyCode::Char('?') => self.page = Page::Help,
            KeyCode::Esc | KeyCode::Left => self.leave(),
            KeyCode::Char('j') | KeyCode::Down if lines => self.back = self.back.saturating_sub(1),
            KeyCode::Char('k') | KeyCode::Up if lines => self.look_back(1),
            KeyCode::PageDown if lines => self.back = self.back.saturating_sub(PAGE),
            KeyCode::PageUp if lines => self.look_back(PAGE),
            KeyCode::Char('G') | KeyCode::End if lines => self.back = 0,
            KeyCode::Char('j') | KeyCode::Down => self.step(1),
            KeyCode::Char('k') | KeyCode::Up => self.step(-1),
            KeyCode::PageDown => self.step(PAGE as isize),
            KeyCode::PageUp => self.step(-(PAGE as isize)),
            KeyCode::Char('g') | KeyCode::Home => self.step(isize::MIN),
            KeyCode::Char('G') | KeyCode::End => self.step(isize::MAX),
            KeyCode::Char('/') => (self.page, self.prompt) = (Page::List, Prompt::Filter),
            KeyCode::Enter | KeyCode::Right => self.show(Page::Task),
            KeyCode::Char('l') => self.show(Page::Lines),
            KeyCode::Char('o') => return self.about(|t| Ok(Ask::Open(t.id.clone()))),
            KeyCode::Char('p') => return self.about(pause),
            KeyCode::Char('a') => self.ask_accept(),
            _ => {}
        }
        None
    }

    fn look_back(&mut self, by: usize) {
        self.back = (self.back + by).min(self.lines.len().saturating_sub(1));
    }

    fn leave(&mut self) {
        match self.page {
            Page::List if !self.filter.is_empty() => {
                self.filter.clear();
                self.keep_selection();
            }
            _ => self.page = Page::List,
        }
    }

    fn show(&mut self, page: impl Fn(TaskId) -> Page) {
        if let Some(task) = self.subject() {
            self.page = page(task.id.clone());
            self.back = 0;
        }
    }

    fn about(&mut self, ask: impl Fn(&TaskView) -> Result<Ask, String>) -> Option<Ask> {
        match ask(self.subject()?) {
            Ok(ask) => Some(ask),
            Err(text) => {
                self.prompt = Prompt::Note(text);
                None
            }
        }
    }

    fn ask_accept(&mut self) {
        let Some(task) = self.subject() else { return };
        self.prompt = match &task.patch {
            Some(_) if task.state == "review" => Prompt::Accept(task.id.clone()),
            _ => Prompt::Note(format!("{} has no patch to accept", task.short)),
        };
    }
}

fn pause(task: &TaskView) -> Result<Ask, String> {
    let command = match task.state.as_str() {
        "paused" => Command::Resume,
        "accepted" | "rejected" | "cancelled" | "failed" | "lost" | "review" => {
            return Err(format!("{} is {} and cannot be paused", task.short, task.state));
        }
        _ => Command::Pause,
    };
    Ok(Ask::Command(task.id.clone(), command))
}
