//! What a person reads: one thing, or how many of which.

use crate::need::{Item, Need};
use ikigai_types::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Items that a message carries at most; all are counted.
const MOST: usize = 50;
/// Items that its text names.
const NAMED: usize = 8;

/// Why a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Something needs a person.
    Needs,
    /// It still does.
    Reminder,
    /// A person asked whether messages arrive.
    Test,
}

/// A message, the same on every way it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The same over all tries: who has seen it may drop another.
    pub id: String,
    /// Why it is sent.
    pub kind: Kind,
    /// When it was made.
    pub at: Timestamp,
    /// One line.
    pub title: String,
    /// More lines.
    pub text: String,
    /// Whether it may disturb.
    pub urgent: bool,
    /// How many things of which need.
    pub counts: BTreeMap<Need, usize>,
    /// The things, most urgent first; the first of them when there are many.
    pub items: Vec<Item>,
}

impl Message {
    /// A message that only shows that messages arrive.
    pub fn test(id: String, at: Timestamp) -> Self {
        let (title, text) = ("Ikigai reaches you", "You asked for this message; nothing needs you.");
        let (counts, items) = (BTreeMap::new(), Vec::new());
        Self {
            id,
            kind: Kind::Test,
            at,
            title: title.to_owned(),
            text: text.to_owned(),
            urgent: false,
            counts,
            items,
        }
    }

    /// A message of `items`, of which there is at least one.
    pub(crate) fn of(id: String, kind: Kind, at: Timestamp, mut items: Vec<Item>, urgent: bool) -> Self {
        items.sort_by(|a, b| (a.need, a.since, &a.about).cmp(&(b.need, b.since, &b.about)));
        let mut counts = BTreeMap::new();
        items.iter().for_each(|i| *counts.entry(i.need).or_default() += 1);
        let still = if kind == Kind::Reminder { "still " } else { "" };
        let (title, text) = match &items[..] {
            [one] => (format!("{} {still}{}", one.name, one.need.phrase()), one.text.clone()),
            many => {
                let parts: Vec<_> = counts.iter().map(|(need, n)| format!("{n} {need}")).collect();
                let verb = if kind == Kind::Reminder { "still need" } else { "need" };
                (format!("{} things {verb} you: {}", many.len(), parts.join(", ")), list(many))
            }
        };
        items.truncate(MOST);
        Self { id, kind, at, title, text, urgent, counts, items }
    }

    /// The task or node it is about, when it is about one alone.
    pub fn about(&self) -> Option<&Item> {
        match &self.items[..] {
            [one] => Some(one),
            _ => None,
        }
    }
}

fn list(items: &[Item]) -> String {
    let mut lines: Vec<_> =
        items.iter().take(NAMED).map(|i| format!("{} {}: {}", i.name, i.need.phrase(), i.text)).collect();
    if items.len() > NAMED {
        lines.push(format!("and {} more", items.len() - NAMED));
    }
    lines.join("\n")
}

impl Need {
    /// What follows the name of the task or node.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Answer => "asks you something",
            Self::Budget => "may not spend more",
            Self::Credential => "lacks a credential",
            Self::Failed => "failed",
            Self::Lost => "is lost",
            Self::NodeLost => "does not answer",
            Self::Review => "waits for your review",
        }
    }
}
