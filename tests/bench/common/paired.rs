//! Paired measurement: A B B A in one run, the median of their ratios, and how sure it is.
#![allow(dead_code)] // Each bench takes what it needs.

use super::bar::{Bar, round};
use serde_json::json;

/// Groups of A B B A, of which the first is thrown away.
const GROUPS: usize = 9;

/// One side of a pair, measured once.
pub type Side<'a> = dyn FnMut() -> f64 + 'a;

/// The result of a pair.
pub struct Ratio {
    pub what: &'static str,
    pub a: f64,
    pub b: f64,
    pub ratio: f64,
    pub low: f64,
    pub high: f64,
    pub bar: Option<Bar>,
}

/// Measures `a` ÷ `b`.
pub fn ratio(what: &'static str, bar: Option<Bar>, a: &mut Side<'_>, b: &mut Side<'_>) -> Ratio {
    let mut groups = Vec::new();
    for _ in 0..GROUPS {
        let (first, second, third, fourth) = (a(), b(), b(), a());
        groups.push((f64::midpoint(first, fourth), f64::midpoint(second, third)));
    }
    groups.remove(0);
    let ratios: Vec<f64> = groups.iter().map(|(a, b)| a / b).collect();
    let (low, high) = interval(&ratios);
    let side = |of: fn(&(f64, f64)) -> f64| median(groups.iter().map(of).collect());
    Ratio { what, a: side(|g| g.0), b: side(|g| g.1), ratio: median(ratios), low, high, bar }
}

impl Ratio {
    /// Whether the bar is met, and whether the whole interval says the same.
    fn verdict(&self) -> String {
        let Some(bar) = self.bar else { return String::new() };
        let sure = bar.holds(self.low) == bar.holds(self.high);
        format!("{}{}", bar.verdict(self.ratio), if sure { "" } else { ", not surely" })
    }

    pub fn json(&self, bench: &str, unit: &str) -> serde_json::Value {
        json!({
            "bench": bench, "what": self.what, "unit": unit, "a": round(self.a), "b": round(self.b),
            "ratio": round(self.ratio), "ci95": [round(self.low), round(self.high)],
            "bar": self.bar.map(|bar| bar.to_string()), "verdict": self.verdict(),
        })
    }

    fn row(&self) -> String {
        let bar = self.bar.map_or_else(String::new, |bar| bar.to_string());
        let (a, b, ratio, low, high) = (self.a, self.b, self.ratio, self.low, self.high);
        let verdict = self.verdict();
        format!("{:<54} {a:>9.0} {b:>9.0} {ratio:>7.2} {low:>6.2}–{high:<6.2} {bar:<7} {verdict}", self.what)
    }
}

/// Prints the pairs as a table; `unit` is what both sides are measured in.
pub fn table(bench: &str, unit: &str, pairs: &[Ratio]) {
    let (title, a, b) = (format!("{bench}, A ÷ B"), format!("A, {unit}"), format!("B, {unit}"));
    println!("\n{title:<54} {a:>9} {b:>9} {:>7} {:<13} {:<7}", "ratio", "95 %", "bar");
    pairs.iter().for_each(|pair| println!("{}", pair.row()));
}

pub fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    let middle = of.len() / 2;
    if of.len().is_multiple_of(2) { f64::midpoint(of[middle - 1], of[middle]) } else { of[middle] }
}

/// The 95 % bootstrap interval of the median.
fn interval(of: &[f64]) -> (f64, f64) {
    let mut chance = ikigai_ports::testsuite::chance::Chance::new(1);
    let mut draw = || median((0..of.len()).map(|_| of[chance.below(of.len() as u64) as usize]).collect());
    let mut medians: Vec<f64> = (0..2_000).map(|_| draw()).collect();
    medians.sort_by(f64::total_cmp);
    (medians[50], medians[1_949])
}
