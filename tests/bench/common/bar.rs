//! What a figure is held to. A bar is never moved by a measurement: what misses it stays in the table.
#![allow(dead_code)] // Each bench takes what it needs.

use serde_json::json;
use std::fmt;

/// The least or the most a figure may be.
#[derive(Debug, Clone, Copy)]
pub enum Bar {
    AtLeast(f64),
    AtMost(f64),
}

impl Bar {
    pub fn holds(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(bar) => figure >= bar,
            Self::AtMost(bar) => figure <= bar,
        }
    }

    pub fn verdict(self, figure: f64) -> &'static str {
        if self.holds(figure) { "MET" } else { "MISSED" }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bar) => write!(f, "≥ {bar}"),
            Self::AtMost(bar) => write!(f, "≤ {bar}"),
        }
    }
}

/// A figure that stands alone, because its bar is absolute.
pub struct Figure {
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
    pub bar: Option<Bar>,
}

impl Figure {
    pub fn new(what: impl Into<String>, value: f64, unit: &'static str, bar: Option<Bar>) -> Self {
        Self { what: what.into(), value, unit, bar }
    }

    /// Prints it as a record for programs, as soon as it is known.
    pub fn told(self, bench: &str) -> Self {
        let bar = self.bar.map(|bar| bar.to_string());
        let verdict = self.bar.map(|bar| bar.verdict(self.value));
        println!(
            "{}",
            json!({"bench": bench, "what": self.what, "value": round(self.value), "unit": self.unit,
                "bar": bar, "verdict": verdict})
        );
        self
    }
}

/// Prints the figures as a table.
pub fn table(bench: &str, figures: &[Figure]) {
    println!("\n{bench:<54} {:>9} {:<8} {:<7}", "figure", "", "bar");
    for figure in figures {
        let bar = figure.bar.map_or_else(String::new, |bar| bar.to_string());
        let verdict = figure.bar.map_or("", |bar| bar.verdict(figure.value));
        println!("{:<54} {:>9.2} {:<8} {bar:<7} {verdict}", figure.what, figure.value, figure.unit);
    }
}

pub fn round(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}
