//! Paired measurement: A B B A in one run, the median of their ratios, and how sure it is.

use serde_json::json;
use std::time::Duration;

/// How long each side runs at a time.
const BLOCK: Duration = Duration::from_millis(300);

/// Groups of A B B A, of which the first is thrown away.
const GROUPS: usize = 9;

/// Something that can be run for a while; answers how much it did per second.
pub type Side<'a> = dyn FnMut(Duration) -> f64 + 'a;

/// The result of a pair.
pub struct Ratio {
    pub what: &'static str,
    pub a: f64,
    pub b: f64,
    pub ratio: f64,
    pub low: f64,
    pub high: f64,
    pub bar: Option<f64>,
}

/// Measures `a` ÷ `b`.
pub fn ratio(what: &'static str, bar: Option<f64>, a: &mut Side<'_>, b: &mut Side<'_>) -> Ratio {
    let mut groups = Vec::new();
    for _ in 0..GROUPS {
        let (first, second, third, fourth) = (a(BLOCK), b(BLOCK), b(BLOCK), a(BLOCK));
        groups.push(((first + fourth) / 2.0, (second + third) / 2.0));
    }
    groups.remove(0);
    let ratios: Vec<f64> = groups.iter().map(|(a, b)| a / b).collect();
    let (low, high) = interval(&ratios);
    let side = |of: fn(&(f64, f64)) -> f64| median(groups.iter().map(of).collect());
    Ratio { what, a: side(|g| g.0), b: side(|g| g.1), ratio: median(ratios), low, high, bar }
}

impl Ratio {
    /// `met` or `missed` when the interval lies on one side of the bar.
    pub fn verdict(&self) -> &'static str {
        match self.bar {
            None => "",
            Some(bar) if self.low >= bar => "met",
            Some(bar) if self.ratio >= bar => "met, not surely",
            Some(_) => "missed",
        }
    }

    pub fn json(&self) -> serde_json::Value {
        json!({
            "bench": "B9", "what": self.what, "a_per_s": self.a.round(), "b_per_s": self.b.round(),
            "ratio": round(self.ratio), "ci95": [round(self.low), round(self.high)],
            "bar": self.bar, "verdict": self.verdict(),
        })
    }

    pub fn row(&self) -> String {
        let bar = self.bar.map_or_else(String::new, |bar| format!("≥ {bar}"));
        let (a, b, ratio, low, high) = (self.a, self.b, self.ratio, self.low, self.high);
        let verdict = self.verdict();
        format!("{:<52} {a:>9.0} {b:>9.0} {ratio:>7.2} {low:>6.2}–{high:<6.2} {bar:<6} {verdict}", self.what)
    }
}

fn round(x: f64) -> f64 {
    (x * 1000.0).round() / 1000.0
}

fn median(mut of: Vec<f64>) -> f64 {
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
