//! Dates and times on the wire (XEP-0082), and the offsets of time zones (XEP-0202).
//!
//! A moment is a [`DateTime`]; here are its companions: a [`Date`] without time of day, a [`Time`] that
//! recurs every day, an [`Offset`] from UTC. How far a clock of another kind is from these, the caller
//! knows: nothing here reads one.
//!
//! ```
//! use xmpp_core::datetime::{Date, DateTime, Offset, Time};
//!
//! let independence: Date = "1776-07-04".parse()?;
//! assert_eq!((independence.year(), independence.month(), independence.day()), (1776, 7, 4));
//! let tea: Time = "16:00:00".parse()?;
//! assert_eq!(tea.to_string(), "16:00:00");
//! let houston: Offset = "-06:00".parse()?;
//! assert_eq!(houston.minutes(), -360);
//! // The form of older protocols is read too.
//! let moment: DateTime = xmpp_core::datetime::parse_legacy("20021020T23:08:25")?;
//! assert_eq!(moment.to_string(), "2002-10-20T23:08:25Z");
//! # Ok::<(), xmpp_xml::ValueError>(())
//! ```

use alloc::borrow::Cow;
use alloc::format;
use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;

use xmpp_xml::{FromXmlText, IntoOwned, ToXmlText, ValueError};

pub use xmpp_xml::value::{Civil, DateTime};

/// A day of the calendar, perhaps with a zone (XEP-0082 §3.1; XML Schema `date`), years -9999 to 9999.
/// Ordered by the moment at which it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Date(DateTime);

impl Date {
    /// That day, without a zone.
    ///
    /// # Errors
    /// When the calendar has no such day.
    pub fn new(year: i32, month: u8, day: u8) -> Result<Self, ValueError> {
        let midnight = Civil {
            year,
            month,
            day,
            offset: None,
            ..Civil::default()
        };
        DateTime::from_civil(midnight).map(Self)
    }

    /// The year, -9999 to 9999; 0 is the year before year 1.
    #[must_use]
    pub fn year(self) -> i32 {
        self.0.civil().year
    }

    /// The month, 1 to 12.
    #[must_use]
    pub fn month(self) -> u8 {
        self.0.civil().month
    }

    /// The day of the month, from 1.
    #[must_use]
    pub fn day(self) -> u8 {
        self.0.civil().day
    }

    /// The moment at which the day begins, in its zone if it has one.
    #[must_use]
    pub fn start(self) -> DateTime {
        self.0
    }
}

impl FromStr for Date {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new("not a date as in 2026-01-31");
        let text = trim(text);
        let days = if text.starts_with('-') { 11 } else { 10 };
        let (day, zone) = text.split_at_checked(days).ok_or_else(wrong)?;
        if zone.contains(['.', 'T']) || day.contains('T') {
            return Err(wrong());
        }
        let start: DateTime = format!("{day}T00:00:00{zone}").parse()?;
        Ok(Self(start))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil {
            year,
            month,
            day,
            offset,
            ..
        } = self.0.civil();
        let sign = if year < 0 { "-" } else { "" };
        write!(f, "{sign}{:04}-{month:02}-{day:02}", year.unsigned_abs())?;
        write_offset(f, offset)
    }
}

/// A time of day that recurs, perhaps with a zone (XEP-0082 §3.3; XML Schema `time`). Ordered by the
/// moment at which it is on one and the same day of the calendar; a time without zone counts as UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Time(DateTime);

impl Time {
    /// That time, without a zone: hours 0 to 23, minutes and seconds 0 to 59.
    ///
    /// # Errors
    /// When a clock does not show such a time.
    pub fn new(hour: u8, minute: u8, second: u8) -> Result<Self, ValueError> {
        if hour > 23 {
            return Err(ValueError::new("an hour beyond 0 to 23"));
        }
        let time = Civil {
            hour,
            minute,
            second,
            offset: None,
            ..Civil::default()
        };
        DateTime::from_civil(time).map(Self)
    }

    /// The hour, 0 to 23.
    #[must_use]
    pub fn hour(self) -> u8 {
        self.0.civil().hour
    }

    /// The minute, 0 to 59.
    #[must_use]
    pub fn minute(self) -> u8 {
        self.0.civil().minute
    }

    /// The second, 0 to 59.
    #[must_use]
    pub fn second(self) -> u8 {
        self.0.civil().second
    }

    /// Nanoseconds past the second.
    #[must_use]
    pub fn nanosecond(self) -> u32 {
        self.0.nanoseconds()
    }

    /// The zone, if one is given.
    #[must_use]
    pub fn offset(self) -> Option<Offset> {
        self.0.offset().map(Offset)
    }

    /// The moment of 1970-01-01 at which it is that time.
    #[must_use]
    pub fn on_first_day(self) -> DateTime {
        self.0
    }
}

impl Ord for Time {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Time {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let moment: DateTime = format!("1970-01-01T{}", trim(text))
            .parse()
            .map_err(|_| ValueError::new("not a time of day as in 16:00:00"))?;
        // The hour 24 is the 0 of the day after.
        let of_first_day = Civil {
            day: 1,
            ..moment.civil()
        };
        DateTime::from_civil(of_first_day).map(Self)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What follows the day of a moment is the time.
        let moment = self.0.to_xml_text();
        f.write_str(moment.split_once('T').map_or("", |(_, time)| time))
    }
}

/// How far the clocks of a zone are ahead of UTC, in minutes, -840 to 840 (XEP-0202 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Offset(i16);

impl Offset {
    /// UTC itself.
    pub const UTC: Self = Self(0);

    /// So many minutes ahead of UTC; negative for behind.
    ///
    /// # Errors
    /// Beyond 14 hours in either direction.
    pub fn from_minutes(minutes: i16) -> Result<Self, ValueError> {
        if minutes.unsigned_abs() > 840 {
            return Err(ValueError::new("a zone beyond -14:00 to +14:00"));
        }
        Ok(Self(minutes))
    }

    /// Minutes ahead of UTC.
    #[must_use]
    pub fn minutes(self) -> i16 {
        self.0
    }
}

impl FromStr for Offset {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new("not an offset as in -06:00");
        let moment: DateTime = format!("1970-01-02T00:00:00{}", trim(text))
            .parse()
            .map_err(|_| wrong())?;
        moment.offset().map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_offset(f, Some(self.0))
    }
}

/// Reads a moment in the form of XEP-0082, or in the form without dashes and zone that older protocols
/// write, which is in UTC (XEP-0082 §4).
///
/// # Errors
/// When it is in neither.
pub fn parse_legacy(text: &str) -> Result<DateTime, ValueError> {
    let text = trim(text);
    let parts = (text.get(..4), text.get(4..6), text.get(6..8), text.get(8..));
    match parts {
        (Some(year), Some(month), Some(day), Some(time)) if !text.contains('-') => {
            let zone = if time.ends_with('Z') { "" } else { "Z" };
            format!("{year}-{month}-{day}{time}{zone}").parse()
        }
        _ => text.parse(),
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}

fn write_offset(out: &mut dyn fmt::Write, offset: Option<i16>) -> fmt::Result {
    match offset {
        None => Ok(()),
        Some(0) => out.write_char('Z'),
        Some(minutes) => {
            let sign = if minutes < 0 { '-' } else { '+' };
            let minutes = minutes.unsigned_abs();
            write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        }
    }
}

macro_rules! text {
    ($($type:ty),*) => {$(
        impl FromXmlText<'_> for $type {
            fn from_xml_text(text: Cow<'_, str>) -> Result<Self, ValueError> {
                text.parse()
            }
        }

        impl ToXmlText for $type {
            fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
                write!(out, "{self}")
            }
        }

        impl IntoOwned for $type {
            type Owned = Self;

            fn into_owned(self) -> Self {
                self
            }
        }
    )*};
}

text!(Date, Time, Offset);
