//! The retry-after header: seconds or a date.

use std::time::SystemTime;

/// Longest time that is believed: a week.
const MAX: u64 = 7 * 24 * 3600;

/// Whole seconds from now, rounded up; `None` when `value` is neither seconds nor a date.
pub(super) fn seconds(value: &str) -> Option<u64> {
    let value = value.trim();
    let seconds = match value.parse::<f64>() {
        Ok(seconds) if seconds >= 0.0 => seconds.ceil(),
        Ok(_) => return None,
        Err(_) => {
            let date = httpdate::parse_http_date(value).ok()?;
            date.duration_since(SystemTime::now()).unwrap_or_default().as_secs_f64().ceil()
        }
    };
    // A float beyond the range of u64 becomes its maximum, so the bound holds for it as well.
    Some((seconds as u64).min(MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn seconds_and_dates_are_read_and_bounded() {
        assert_eq!(seconds("20"), Some(20));
        assert_eq!(seconds(" 0.2 "), Some(1));
        for huge in ["999999999999", "1e300", "inf"] {
            assert_eq!(seconds(huge), Some(MAX), "{huge}");
        }
        for bad in ["", "-1", "soon", "NaN"] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
        let in_a_minute = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        assert!((50..=61).contains(&seconds(&in_a_minute).unwrap()));
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(0));
    }
}
