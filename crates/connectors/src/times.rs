//! Times of warehouses whose clocks carry no zone, and where a reading by such times goes on.

use connect::ConnectorError;
use jiff::{
    SignedDuration, Timestamp, ToSpan as _, civil,
    tz::{AmbiguousOffset, TimeZone},
};

/// How far the local times of warehouses may be ahead of the service's clock, which is told in UTC.
const AHEAD: SignedDuration = SignedDuration::from_hours(48);

/// The moment in a `Date` header.
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

/// A time. Without an offset it is the warehouse's local time, in the zone of the settings.
pub(crate) fn moment(text: &str, zone: &TimeZone) -> Result<Timestamp, ConnectorError> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let local = text.parse::<civil::DateTime>().ok().and_then(|local| local.to_zoned(zone.clone()).ok());
    local.map(|zoned| zoned.timestamp()).ok_or_else(|| {
        ConnectorError::unexpected(format!("{:?} is not a time", text.chars().take(60).collect::<String>()))
    })
}

/// The moment of a local time that was only once. Of two counts the newer one is acted upon, so the time of a count is not guessed:
/// an hour too late, it would stand above what was counted after it.
///
/// # Errors
/// Why it is not known, and what to do.
pub(crate) fn only_moment(local: civil::DateTime, zone: &TimeZone) -> Result<Timestamp, &'static str> {
    let shown = zone.to_ambiguous_timestamp(local);
    match shown.offset() {
        AmbiguousOffset::Unambiguous { .. } => shown.compatible().map_err(|_| "the calendar has no such time"),
        AmbiguousOffset::Fold { .. } => {
            Err("this local time came twice, since clocks were put back, and which of the two is meant \
                                             decides which count is newer. Have the warehouse write times in UTC or with \
                                             their offset, or count again")
        }
        AmbiguousOffset::Gap { .. } => {
            Err("this local time never was, since clocks were put forward. Have the warehouse check its \
                                            clock and the time zone of the settings, and count again")
        }
    }
}

/// How far back a new reading goes: ten minutes, and an hour more when clocks were put back around that time in the
/// one of the zones that the times may be in.
pub(crate) fn overlap(text: &str, zones: &[TimeZone]) -> jiff::Span {
    let put_back = |zone: &TimeZone| {
        let near = |hours: i64| {
            let local = text.parse::<civil::DateTime>().ok()?.checked_add(hours.hours()).ok()?;
            Some(local.to_zoned(zone.clone()).ok()?.offset().seconds())
        };
        matches!((near(-4), near(4)), (Some(before), Some(after)) if after < before)
    };
    if zones.iter().any(put_back) { 70.minutes() } else { 10.minutes() }
}

/// Whether the reading may go on from a time. One that is none would stop every later reading, and one that has not come yet
/// would pass over everything until then.
pub(crate) fn can_go_on_from(changed: &str, now: Option<Timestamp>) -> Result<(), ConnectorError> {
    let has_been = match (moment(changed, &TimeZone::UTC), now.map(|now| now.checked_add(AHEAD))) {
        (Ok(moment), Some(Ok(latest))) => moment <= latest,
        (Ok(_), _) => true,
        (Err(_), _) => false,
    };
    if has_been && earlier(changed, 7.days()).is_some() {
        return Ok(());
    }
    Err(ConnectorError::unexpected(format!(
        "an order's last change is given as {:?}, which is not a time that can have been; nothing was read",
        changed.chars().take(40).collect::<String>()
    )))
}

/// A time of the service, earlier by so much, in its own form.
pub(crate) fn earlier(text: &str, span: jiff::Span) -> Option<String> {
    let local: civil::DateTime = text.parse().ok()?;
    Some(local.checked_sub(span).ok()?.strftime("%Y-%m-%dT%H:%M:%S").to_string())
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::{can_go_on_from, earlier, http_date, only_moment, overlap};

    #[test]
    fn a_local_time_that_was_not_once_is_not_guessed() {
        let zone = TimeZone::get("America/New_York").unwrap();
        let only = |text: &str| only_moment(text.parse().unwrap(), &zone).map(|moment| moment.to_string());
        assert_eq!(only("2026-11-01T00:59:59"), Ok("2026-11-01T04:59:59Z".to_owned()));
        for twice in ["2026-11-01T01:00:00", "2026-11-01T01:59:59"] {
            assert!(only(twice).unwrap_err().contains("came twice"), "{twice}");
        }
        assert_eq!(only("2026-11-01T02:00:00"), Ok("2026-11-01T07:00:00Z".to_owned()));
        assert!(only("2026-03-08T02:30:00").unwrap_err().contains("never was"));
        assert_eq!(only("2026-03-08T03:00:00"), Ok("2026-03-08T07:00:00Z".to_owned()));
        assert!(only_moment("2026-11-01T01:30:00".parse().unwrap(), &TimeZone::UTC).is_ok());
    }

    #[test]
    fn a_reading_goes_back_further_where_clocks_are_put_back() {
        let zones = [TimeZone::get("America/New_York").unwrap()];
        let from = |text: &str| earlier(text, overlap(text, &zones)).unwrap();
        assert_eq!(from("2026-11-23T06:30:04.123"), "2026-11-23T06:20:04");
        assert_eq!(from("2026-11-01T01:59:00"), "2026-11-01T00:49:00");
        assert_eq!(from("2026-11-01T04:00:00"), "2026-11-01T02:50:00");
        assert_eq!(from("2026-03-08T03:10:00"), "2026-03-08T03:00:00", "put forward: nothing repeats");
        assert_eq!(earlier("soon", overlap("soon", &zones)), None);
    }

    #[test]
    fn a_reading_goes_on_only_from_a_time_that_can_have_been() {
        let now = "2026-11-23T06:30:04Z".parse().ok();
        for (changed, fine) in [
            ("2026-11-23T06:30:04.123", true),
            ("2026-11-24T06:30:04", true),
            ("1999-01-01T00:00:00", true),
            ("2026-11-26T06:30:04", false),
            ("9999-12-31T00:00:00", false),
            ("5-1", false),
            ("", false),
        ] {
            assert_eq!(can_go_on_from(changed, now).is_ok(), fine, "{changed}");
        }
        assert!(can_go_on_from("2026-11-26T06:30:04", None).is_ok());
    }

    #[test]
    fn the_servers_date_is_read() {
        let read = http_date("Mon, 23 Nov 2026 06:30:04 GMT").map(|moment| moment.to_string());
        assert_eq!(read.as_deref(), Some("2026-11-23T06:30:04Z"));
        assert_eq!(http_date("soon"), None);
    }
}
