//! When a schedule is due.

use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The shortest time between two runs.
pub const SHORTEST_EVERY: Duration = Duration::from_secs(1);

/// Times at which a workflow is started. The same for every process: times since the epoch, or of a calendar.
#[derive(Debug, Clone)]
pub enum Schedule {
    /// Each time that the clock shows a multiple of this.
    Every(Duration),
    /// As a cron expression says, in a time zone.
    Cron(Box<Cron>, TimeZone),
}

impl Schedule {
    /// Reads a cron expression of five fields: minute, hour, day of the month, month, day of the week.
    pub(super) fn cron(text: &str, zone: TimeZone) -> Result<Self, String> {
        let parser = CronParser::builder().seconds(Seconds::Disallowed).build();
        let cron = parser.parse(text).map_err(|error| error.to_string())?;
        Ok(Self::Cron(Box::new(cron), zone))
    }

    /// The first time after `now`; `None` if there is none any more.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(every) => {
                let every = i64::try_from(every.as_millis()).ok().filter(|every| *every > 0)?;
                let next = now.as_millisecond().div_euclid(every).checked_add(1)?.checked_mul(every)?;
                Timestamp::from_millisecond(next).ok()
            }
            Self::Cron(cron, zone) => {
                // The library takes the zone's whole seconds.
                let from = now.to_zoned(zone.clone());
                let next = cron.find_next_occurrence(&from, false).ok()?.timestamp();
                (next > now).then_some(next).or_else(|| next.checked_add(SignedDuration::from_secs(1)).ok())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn intervals_are_multiples_since_the_epoch() {
        let hourly = Schedule::Every(Duration::from_hours(1));
        assert_eq!(hourly.next(at("2026-03-01T10:20:30Z")), Some(at("2026-03-01T11:00:00Z")));
        assert_eq!(hourly.next(at("2026-03-01T11:00:00Z")), Some(at("2026-03-01T12:00:00Z")));
    }

    #[test]
    fn a_calendar_goes_by_its_time_zone() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let weekdays = Schedule::cron("30 9 * * 1-5", zone).unwrap();
        // A Friday before, and a Monday after, the clocks go forward.
        assert_eq!(weekdays.next(at("2026-03-27T08:29:59Z")), Some(at("2026-03-27T08:30:00Z")));
        assert_eq!(weekdays.next(at("2026-03-27T08:30:00Z")), Some(at("2026-03-30T07:30:00Z")));
        assert!(Schedule::cron("61 * * * *", TimeZone::UTC).is_err());
        assert!(Schedule::cron("* * * * * *", TimeZone::UTC).is_err());
    }
}
