//! Dates and times by which lists are filtered.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use crate::error::ApiError;

/// A date or a time. The end of a range includes the whole day, or the very second, that it names.
pub(super) fn moment(text: &str, parameter: &'static str, end: bool) -> Result<Timestamp, ApiError> {
    let wrong = |_| ApiError::parameter(parameter);
    if let Ok(at) = text.parse::<Timestamp>() {
        return if end { at.checked_add(1.second()).map_err(wrong) } else { Ok(at) };
    }
    let day: Date = text.parse().map_err(wrong)?;
    let day = if end { day.tomorrow().map_err(wrong)? } else { day };
    day.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()).map_err(wrong)
}

/// The day that a date, or any time in it, names: its beginning and that of the next one. SDKs write days as times.
pub(super) fn day(text: &str, parameter: &'static str) -> Result<(Timestamp, Timestamp), ApiError> {
    let at = moment(text, parameter, false)?.to_zoned(TimeZone::UTC).date().to_string();
    Ok((moment(&at, parameter, false)?, moment(&at, parameter, true)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_take_days_and_times() {
        let check = |text: &str, end: bool, expect: &str| {
            assert_eq!(moment(text, "StartDate", end).unwrap(), expect.parse::<Timestamp>().unwrap(), "{text}");
        };
        check("2026-11-21", false, "2026-11-21T00:00:00Z");
        check("2026-11-21", true, "2026-11-22T00:00:00Z");
        check("2026-11-21T02:06:51Z", false, "2026-11-21T02:06:51Z");
        check("2026-11-21T02:06:51Z", true, "2026-11-21T02:06:52Z");
        let [from, until] = ["2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"].map(|text| text.parse().unwrap());
        assert_eq!(day("2026-11-21T02:06:51Z", "DateSent"), Ok((from, until)));
        assert_eq!(moment("yesterday", "EndDate", true), Err(ApiError::parameter("EndDate")));
    }
}
