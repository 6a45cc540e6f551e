//! Quantities as people write and read them.

use ikigai_types::{MicroUsd, Timestamp, Usage};
use std::str::FromStr;
use std::time::Duration;

/// A length of time as an argument: `90`, `90s`, `10m`, `1h30m`, `2d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

/// A number of bytes as an argument: `512M`, `2G`, `2GiB`, `1.5g`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) u64);

/// Cores as an argument: `2`, `0.5`, `1500m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cores(pub(crate) u64);

impl FromStr for Span {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let wrong = || format!("`{s}` is not a time such as 90s, 10m or 1h30m");
        let mut total = 0_u64;
        let mut rest = s;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
            let letters = rest[digits..].bytes().take_while(|b| !b.is_ascii_digit()).count();
            let unit = match &rest[digits..digits + letters] {
                "" | "s" => 1,
                "m" => 60,
                "h" => 3600,
                "d" => 86400,
                _ => return Err(wrong()),
            };
            total = number.checked_mul(unit).and_then(|n| total.checked_add(n)).ok_or_else(wrong)?;
            rest = &rest[digits + letters..];
        }
        if s.is_empty() { Err(wrong()) } else { Ok(Self(Duration::from_secs(total))) }
    }
}

impl FromStr for Bytes {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let wrong = || format!("`{s}` is not a size such as 512M or 2GiB");
        let lower = s.to_ascii_lowercase();
        let bare = lower.strip_suffix("ib").or_else(|| lower.strip_suffix('b')).unwrap_or(&lower);
        let powers = [('k', 10), ('m', 20), ('g', 30), ('t', 40)];
        let found = powers.iter().find_map(|(unit, power)| Some((bare.strip_suffix(*unit)?, *power)));
        let (number, power) = found.unwrap_or((bare, 0));
        let number: f64 = number.parse().map_err(|_| wrong())?;
        let bytes = number * (1_u64 << power) as f64;
        if (1.0..1e18).contains(&bytes) { Ok(Self(bytes as u64)) } else { Err(wrong()) }
    }
}

impl FromStr for Cores {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let wrong = || format!("`{s}` is not a number of cores such as 2, 0.5 or 1500m");
        if let Some(millis) = s.strip_suffix('m') {
            return millis.parse().ok().filter(|n| *n > 0).map(Self).ok_or_else(wrong);
        }
        let cores: f64 = s.parse().map_err(|_| wrong())?;
        if (0.001..1e6).contains(&cores) { Ok(Self((cores * 1000.0).round() as u64)) } else { Err(wrong()) }
    }
}

/// `12s`, `4m`, `3h`, `2d`: how long ago `then` was.
pub(crate) fn age(then: Timestamp, now: Timestamp) -> String {
    span(now.since(then))
}

/// `12s`, `4m`, `3h`, `2d`.
pub(crate) fn span(span: Duration) -> String {
    match span.as_secs() {
        s @ 0..120 => format!("{s}s"),
        s @ 120..7200 => format!("{}m", s / 60),
        s @ 7200..172_800 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86400),
    }
}

/// `2.0 GiB`.
pub(crate) fn bytes(n: u64) -> String {
    let steps = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let step = steps.iter().find(|(_, power)| n >= 1 << power);
    step.map_or_else(
        || format!("{n} B"),
        |(unit, power)| format!("{:.1} {unit}", n as f64 / (1_u64 << power) as f64),
    )
}

/// `1.5` cores.
pub(crate) fn cores(millis: u64) -> String {
    let text = format!("{:.3}", millis as f64 / 1000.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `12.8k`.
pub(crate) fn count(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..10_000_000 => format!("{:.1}k", n as f64 / 1e3),
        _ => format!("{:.1}M", n as f64 / 1e6),
    }
}

/// What was used, in money; `-` when nothing was, `unknown` when its price is.
pub(crate) fn cost(usage: &Usage) -> String {
    match usage.cost {
        Some(cost) => cost.to_string(),
        None if usage.calls == 0 => "-".into(),
        None => "unknown".into(),
    }
}

/// A bound on money; `unknown` when there is none.
pub(crate) fn bound(micro_usd: Option<u64>) -> String {
    micro_usd.map_or_else(|| "unknown".into(), |n| MicroUsd(n).to_string())
}

/// UTC clock time `10:04:07` of `at`.
pub(crate) fn clock(at: Timestamp) -> String {
    let s = at.0 / 1000 % 86400;
    format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read() {
        let secs = |s: &str| s.parse::<Span>().map(|s| s.0.as_secs()).ok();
        assert_eq!(
            [secs("90"), secs("90s"), secs("10m"), secs("1h30m")],
            [Some(90), Some(90), Some(600), Some(5400)]
        );
        for bad in ["", "m", "1x", "-1s", "1.5h", "99999999999999999999d", "1 h", "9999999999999999d"] {
            assert_eq!(secs(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn sizes_and_cores_are_read() {
        let size = |s: &str| s.parse::<Bytes>().map(|b| b.0).ok();
        assert_eq!(
            [size("512M"), size("2GiB"), size("1.5g"), size("7")],
            [Some(512 << 20), Some(2 << 30), Some(3 << 29), Some(7)]
        );
        for bad in ["", "0", "-1G", "G", "1X", "nan", "inf", "1e30"] {
            assert_eq!(size(bad), None, "{bad:?}");
        }
        let millis = |s: &str| s.parse::<Cores>().map(|c| c.0).ok();
        assert_eq!(
            [millis("2"), millis("0.5"), millis("1500m"), millis("0")],
            [Some(2000), Some(500), Some(1500), None]
        );
    }

    #[test]
    fn quantities_are_short() {
        assert_eq!(age(Timestamp(0), Timestamp(119_000)), "119s");
        assert_eq!(age(Timestamp(0), Timestamp(7_199_000)), "119m");
        assert_eq!(age(Timestamp(5), Timestamp(0)), "0s");
        assert_eq!(span(Duration::from_secs(200_000)), "2d");
        assert_eq!((bytes(512), bytes(3 << 29)), ("512 B".into(), "1.5 GiB".into()));
        assert_eq!((cores(1500), cores(2000)), ("1.5".into(), "2".into()));
        assert_eq!((count(9999), count(12_800)), ("9999".into(), "12.8k".into()));
        assert_eq!(clock(Timestamp(36_247_000)), "10:04:07");
        assert_eq!(cost(&Usage::default()), "-");
        assert_eq!(cost(&Usage { calls: 1, ..Usage::default() }), "unknown");
    }
}
