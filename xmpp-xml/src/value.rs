//! Values in text and attributes: the codecs between Rust types and their XML Schema lexical forms.
//!
//! A type that stands in an attribute or in the text of an element implements [`FromXmlText`] and
//! [`ToXmlText`]. Given here are `bool`, all integers, `f32`, `f64`, `String`, `Cow<str>`,
//! [`Base64`], [`DateTime`] and [`Duration`], and of the names and addresses that XML Schema knows
//! [`AnyUri`], [`QName`], [`NmToken`] and [`Id`]. What has `FromStr` and `Display` is taken as
//! [`Parsed`]. An enumeration derives both traits; for a type of your own they are two short
//! functions:
//!
//! ```
//! use core::fmt;
//! use std::borrow::Cow;
//! use xmpp_xml::value::{FromXmlText, ToXmlText, ValueError};
//!
//! struct Celsius(f64);
//!
//! impl<'a> FromXmlText<'a> for Celsius {
//!     fn from_xml_text(text: Cow<'a, str>) -> Result<Self, ValueError> {
//!         let degrees = f64::from_xml_text(text)?;
//!         if degrees < -273.15 {
//!             return Err(ValueError::new("colder than absolute zero"));
//!         }
//!         Ok(Celsius(degrees))
//!     }
//! }
//!
//! impl ToXmlText for Celsius {
//!     fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
//!         self.0.write_text(out)
//!     }
//! }
//!
//! assert_eq!(Celsius::from_xml_text(" 21.5 ".into())?.to_xml_text(), "21.5");
//! assert!(Celsius::from_xml_text("-300".into()).is_err());
//! # Ok::<(), ValueError>(())
//! ```
//!
//! Around booleans, numbers, times and base64 the white space of XML (space, tab, line feed,
//! carriage return) is skipped, as XML Schema prescribes; strings keep theirs.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use core::num::IntErrorKind;
use core::str::FromStr;

use base64::Engine;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;

pub use crate::lexical::{AnyUri, Id, NmToken, QName};

/// A value that can be read from an attribute or from text.
///
/// `'a` is the lifetime of the element that is read: a type may keep the text it is given, which is
/// borrowed from the element wherever nothing had to be unescaped.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from an attribute or text",
    label = "not a value in XML",
    note = "an element of its own is `#[xml(child)]` or `#[xml(children)]`",
    note = "derive or implement `FromXmlText` for it, or, if it has `FromStr`, write `Parsed<{Self}>`"
)]
pub trait FromXmlText<'a>: Sized {
    /// Reads the value from `text`, which is already unescaped.
    ///
    /// # Errors
    /// A [`ValueError`] that says what was expected.
    fn from_xml_text(text: Cow<'a, str>) -> Result<Self, ValueError>;
}

/// A value that can be written into an attribute or into text.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written into an attribute or text",
    label = "not a value in XML",
    note = "an element of its own is `#[xml(child)]` or `#[xml(children)]`",
    note = "derive or implement `ToXmlText` for it, or, if it has `Display`, write `Parsed<{Self}>`"
)]
pub trait ToXmlText {
    /// Writes the lexical form of the value, unescaped: escaping is the writer's.
    ///
    /// # Errors
    /// Those of `out`, and [`fmt::Error`] for a value that has no lexical form.
    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result;

    /// The lexical form as a string; empty for a value that has none.
    fn to_xml_text(&self) -> String {
        let mut text = String::new();
        match self.write_text(&mut text) {
            Ok(()) => text,
            Err(fmt::Error) => String::new(),
        }
    }
}

/// Why a text is not a value of the type that was asked for.
///
/// The reason says what was expected and never repeats the text, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    reason: Cow<'static, str>,
}

impl ValueError {
    /// An error with this reason, in words that complete "the value is refused: …".
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            reason: reason.into(),
        }
    }

    /// What was expected.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl core::error::Error for ValueError {}

/// Bytes in base64 (XML Schema `base64Binary`, RFC 4648 §4).
///
/// White space between the characters is skipped when reading, and none is written. SASL forbids
/// it; use [`Base64::from_strict`] there.
///
/// ```
/// use xmpp_xml::value::{Base64, FromXmlText, ToXmlText};
///
/// let picture = Base64::from_xml_text("aGVs\n  bG8=".into())?;
/// assert_eq!(picture.0, b"hello");
/// assert_eq!(picture.to_xml_text(), "aGVsbG8=");
/// # Ok::<(), xmpp_xml::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Base64(pub Vec<u8>);

impl Base64 {
    /// Reads base64 in which no white space is allowed.
    ///
    /// # Errors
    /// For any character outside the alphabet, wrong padding and bits that do not belong to a byte.
    pub fn from_strict(text: &str) -> Result<Self, ValueError> {
        match STANDARD.decode(text) {
            Ok(bytes) => Ok(Self(bytes)),
            Err(_) => Err(ValueError::new("not base64")),
        }
    }
}

impl From<Vec<u8>> for Base64 {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for Base64 {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl FromXmlText<'_> for Base64 {
    fn from_xml_text(text: Cow<'_, str>) -> Result<Self, ValueError> {
        if text.contains(is_space) {
            Self::from_strict(&text.replace(is_space, ""))
        } else {
            Self::from_strict(&text)
        }
    }
}

impl ToXmlText for Base64 {
    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "{}", Base64Display::new(&self.0, &STANDARD))
    }
}

/// A value of a type that has `FromStr` and `Display`, such as an IP address, in that form.
///
/// White space around it is skipped when reading. The error of `FromStr` is told without its words, which
/// may repeat the value.
///
/// ```
/// use std::net::IpAddr;
/// use xmpp_xml::value::Parsed;
/// use xmpp_xml::{Element, FromXml};
///
/// #[derive(FromXml)]
/// #[xml(name = "host", namespace = "urn:example:host")]
/// struct Host {
///     #[xml(attribute)]
///     address: Parsed<IpAddr>,
/// }
///
/// let element = Element::parse("<host xmlns='urn:example:host' address='2001:db8::1'/>")?;
/// let Host { address: Parsed(address) } = element.root().read()?;
/// assert!(address.is_ipv6());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Parsed<T>(pub T);

impl<T: FromStr> FromXmlText<'_> for Parsed<T> {
    fn from_xml_text(text: Cow<'_, str>) -> Result<Self, ValueError> {
        match trim(&text).parse() {
            Ok(value) => Ok(Self(value)),
            Err(_) => Err(ValueError::new("not of the form that its type has")),
        }
    }
}

impl<T: fmt::Display> ToXmlText for Parsed<T> {
    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        write!(out, "{}", self.0)
    }
}

impl<T: 'static> crate::typed::IntoOwned for Parsed<T> {
    type Owned = Self;

    fn into_owned(self) -> Self {
        self
    }
}

/// A point in time: XML Schema `dateTime` in the profile of XEP-0082, years -9999 to 9999.
///
/// A time without a zone is legal and found in the field; it is kept apart from UTC:
/// [`offset`](Self::offset) is `None`, and [`unix_seconds`](Self::unix_seconds) counts as if it were
/// UTC.
///
/// Order is by instant; equal instants are ordered by offset, the one without a zone first.
/// Fractions are kept to the nanosecond, further digits are dropped. Year 0 is the year before
/// year 1 (ISO 8601).
///
/// ```
/// use xmpp_xml::value::DateTime;
///
/// let moon: DateTime = "1969-07-20T21:56:15-05:00".parse()?;
/// assert_eq!(moon.unix_seconds(), -14_159_025);
/// assert_eq!(moon.to_utc().to_string(), "1969-07-21T02:56:15Z");
/// assert_eq!(DateTime::from_unix(0, 250_000_000)?.to_string(), "1970-01-01T00:00:00.25Z");
/// # Ok::<(), xmpp_xml::value::ValueError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DateTime {
    seconds: i64,
    nanoseconds: u32,
    offset: Option<i16>,
}

impl DateTime {
    /// The earliest time that can be written: the start of the year -9999, UTC.
    pub const MIN: Self = Self {
        seconds: days_of(-9999, 1, 1) * DAY,
        nanoseconds: 0,
        offset: Some(0),
    };

    /// The latest time that can be written: the last nanosecond of the year 9999, UTC.
    pub const MAX: Self = Self {
        seconds: days_of(10_000, 1, 1) * DAY - 1,
        nanoseconds: 999_999_999,
        offset: Some(0),
    };

    /// The time, in UTC, of `seconds` and `nanoseconds` after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// If `nanoseconds` is a second or more, or the year is not in -9999 to 9999.
    pub fn from_unix(seconds: i64, nanoseconds: u32) -> Result<Self, ValueError> {
        if nanoseconds >= NANOS {
            return Err(ValueError::new("nanoseconds of a second or more"));
        }
        Self {
            seconds,
            nanoseconds,
            offset: Some(0),
        }
        .checked()
    }

    /// The time that a calendar and a clock show.
    ///
    /// The hour may be 24 if nothing follows it: that is the start of the next day.
    ///
    /// # Errors
    /// If a field is out of its range, given with [`Civil`].
    pub fn from_civil(civil: Civil) -> Result<Self, ValueError> {
        let Civil {
            year,
            month,
            day,
            hour,
            minute,
            second,
            nanosecond,
            offset,
        } = civil;
        if !(-9999..=9999).contains(&year) {
            return Err(ValueError::new("a year beyond -9999 to 9999"));
        }
        if !(1..=12).contains(&month) {
            return Err(ValueError::new("a month beyond 1 to 12"));
        }
        if day == 0 || day > days_in(year, month) {
            return Err(ValueError::new("a day that the month does not have"));
        }
        let midnight = hour == 24 && minute == 0 && second == 0 && nanosecond == 0;
        if (hour > 23 && !midnight) || minute > 59 || second > 59 || nanosecond >= NANOS {
            return Err(ValueError::new("a time of day beyond 00:00:00 to 24:00:00"));
        }
        if offset.is_some_and(|minutes| minutes.unsigned_abs() > 14 * 60) {
            return Err(ValueError::new("a zone beyond -14:00 to +14:00"));
        }
        let time = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
        let shown = days_of(year, month, day) * DAY + time;
        let seconds = shown - i64::from(offset.unwrap_or(0)) * 60;
        Self {
            seconds,
            nanoseconds: nanosecond,
            offset,
        }
        .checked()
    }

    /// What a calendar and a clock show at this time, in its own zone.
    pub fn civil(&self) -> Civil {
        let shown = self.shown();
        let (year, month, day) = date_of(shown.div_euclid(DAY));
        let time = shown.rem_euclid(DAY);
        Civil {
            year,
            month,
            day,
            hour: (time / 3600) as u8,
            minute: (time / 60 % 60) as u8,
            second: (time % 60) as u8,
            nanosecond: self.nanoseconds,
            offset: self.offset,
        }
    }

    /// Seconds since 1970-01-01T00:00:00Z, rounded down; as if in UTC where there is no zone.
    pub fn unix_seconds(&self) -> i64 {
        self.seconds
    }

    /// Nanoseconds past [`unix_seconds`](Self::unix_seconds), below 1,000,000,000.
    pub fn nanoseconds(&self) -> u32 {
        self.nanoseconds
    }

    /// Minutes that the local clock is ahead of UTC, -840 to 840; `None` if no zone was given.
    pub fn offset(&self) -> Option<i16> {
        self.offset
    }

    /// The same instant in UTC. A time without a zone is taken to be UTC.
    ///
    /// Within a day of the ends of the range the result may be clamped to [`MIN`](Self::MIN) or
    /// [`MAX`](Self::MAX).
    pub fn to_utc(&self) -> Self {
        let utc = Self {
            offset: Some(0),
            ..*self
        };
        utc.clamp(Self::MIN, Self::MAX)
    }

    /// Seconds that the local calendar and clock show since 1970-01-01T00:00:00.
    fn shown(&self) -> i64 {
        self.seconds + i64::from(self.offset.unwrap_or(0)) * 60
    }

    fn checked(self) -> Result<Self, ValueError> {
        // Not `shown`: `seconds` may be anything here, and must not overflow.
        let shown = self
            .seconds
            .saturating_add(i64::from(self.offset.unwrap_or(0)) * 60);
        if (Self::MIN.seconds..=Self::MAX.seconds).contains(&shown) {
            Ok(self)
        } else {
            Err(ValueError::new("a year beyond -9999 to 9999"))
        }
    }
}

impl Ord for DateTime {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.seconds, self.nanoseconds, self.offset).cmp(&(
            other.seconds,
            other.nanoseconds,
            other.offset,
        ))
    }
}

impl PartialOrd for DateTime {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_text(f)
    }
}

impl FromStr for DateTime {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new("not a date and time as in 2026-01-31T12:00:00Z");
        let mut scan = Scan(trim(text).as_bytes());
        let before_christ = scan.skip(b'-');
        let years = scan.digits(4).ok_or_else(wrong)?;
        let year = if before_christ {
            -(years as i32)
        } else {
            years as i32
        };
        if scan.0.first().is_some_and(u8::is_ascii_digit) {
            return Err(ValueError::new("a year beyond -9999 to 9999"));
        }
        let mut two = |mark: u8| {
            let marked = scan.skip(mark);
            scan.digits(2)
                .filter(|_| marked)
                .map(|value| value as u8)
                .ok_or_else(wrong)
        };
        let month = two(b'-')?;
        let day = two(b'-')?;
        let hour = two(b'T')?;
        let minute = two(b':')?;
        let second = two(b':')?;
        let nanosecond = scan.fraction().ok_or_else(wrong)?;
        let offset = if scan.skip(b'Z') {
            Some(0)
        } else if scan.0.is_empty() {
            None
        } else {
            let ahead = scan.skip(b'+');
            let signed = ahead || scan.skip(b'-');
            let hours = scan.digits(2).filter(|_| signed).ok_or_else(wrong)?;
            let marked = scan.skip(b':');
            let minutes = scan.digits(2).filter(|_| marked).ok_or_else(wrong)?;
            if minutes > 59 {
                return Err(ValueError::new("a zone beyond -14:00 to +14:00"));
            }
            let minutes = (hours * 60 + minutes) as i16;
            Some(if ahead { minutes } else { -minutes })
        };
        if !scan.0.is_empty() {
            return Err(wrong());
        }
        Self::from_civil(Civil {
            year,
            month,
            day,
            hour,
            minute,
            second,
            nanosecond,
            offset,
        })
    }
}

impl FromXmlText<'_> for DateTime {
    fn from_xml_text(text: Cow<'_, str>) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl ToXmlText for DateTime {
    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let Civil {
            year,
            month,
            day,
            hour,
            minute,
            second,
            nanosecond,
            offset,
        } = self.civil();
        if year < 0 {
            out.write_char('-')?;
        }
        let year = year.unsigned_abs();
        write!(
            out,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        write_fraction(out, nanosecond)?;
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
}

#[cfg(feature = "std")]
impl TryFrom<std::time::SystemTime> for DateTime {
    type Error = ValueError;

    /// The time in UTC; an error if the year is not in -9999 to 9999.
    fn try_from(time: std::time::SystemTime) -> Result<Self, ValueError> {
        let far = || ValueError::new("a year beyond -9999 to 9999");
        match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => {
                let seconds = i64::try_from(after.as_secs()).map_err(|_| far())?;
                Self::from_unix(seconds, after.subsec_nanos())
            }
            Err(before) => {
                let before = before.duration();
                let seconds = i64::try_from(before.as_secs()).map_err(|_| far())?;
                match before.subsec_nanos() {
                    0 => Self::from_unix(-seconds, 0),
                    // Seconds are rounded down, and the rest counts up from there.
                    nanoseconds => Self::from_unix(-seconds - 1, NANOS - nanoseconds),
                }
            }
        }
    }
}

#[cfg(feature = "std")]
impl TryFrom<DateTime> for std::time::SystemTime {
    type Error = ValueError;

    /// The instant; a time without a zone is taken to be UTC. An error where the system's clock
    /// does not reach.
    fn try_from(time: DateTime) -> Result<Self, ValueError> {
        let whole = core::time::Duration::from_secs(time.seconds.unsigned_abs());
        let epoch = std::time::UNIX_EPOCH;
        let second = if time.seconds < 0 {
            epoch.checked_sub(whole)
        } else {
            epoch.checked_add(whole)
        };
        second
            .and_then(|second| {
                second.checked_add(core::time::Duration::from_nanos(time.nanoseconds.into()))
            })
            .ok_or_else(|| ValueError::new("beyond the range of the system's clock"))
    }
}

/// A date and a time of day as calendar and clock show them (proleptic Gregorian calendar).
///
/// Made by [`DateTime::civil`], taken by [`DateTime::from_civil`].
///
/// ```
/// use xmpp_xml::value::{Civil, DateTime};
///
/// let noon = Civil { year: 2026, month: 2, day: 28, hour: 12, ..Civil::default() };
/// assert_eq!(DateTime::from_civil(noon)?.to_string(), "2026-02-28T12:00:00Z");
/// # Ok::<(), xmpp_xml::value::ValueError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Civil {
    /// Year, -9999 to 9999; 0 is the year before year 1.
    pub year: i32,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
    /// Hour, 0 to 23; 24 only when minutes, seconds and nanoseconds are 0.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 59.
    pub second: u8,
    /// Nanosecond, below 1,000,000,000.
    pub nanosecond: u32,
    /// Minutes ahead of UTC, -840 to 840; `None` if no zone is known.
    pub offset: Option<i16>,
}

impl Default for Civil {
    /// 1970-01-01T00:00:00Z.
    fn default() -> Self {
        Self {
            year: 1970,
            month: 1,
            day: 1,
            hour: 0,
            minute: 0,
            second: 0,
            nanosecond: 0,
            offset: Some(0),
        }
    }
}

/// A length of time: XML Schema `duration`.
///
/// Months have no fixed length, therefore the value has two parts: months (a year is 12 of them),
/// and seconds with nanoseconds (a day is 86,400 of them). One sign is for both.
///
/// ```
/// use xmpp_xml::value::Duration;
///
/// let minute: Duration = "PT60S".parse()?;
/// assert_eq!(minute.to_string(), "PT1M");
/// assert_eq!(core::time::Duration::try_from(minute), Ok(core::time::Duration::from_secs(60)));
///
/// let month: Duration = "P1M".parse()?;
/// assert!(core::time::Duration::try_from(month).is_err());
/// # Ok::<(), xmpp_xml::value::ValueError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Duration {
    negative: bool,
    months: u64,
    seconds: u64,
    nanoseconds: u32,
}

impl Duration {
    /// A duration of `months` and `time`.
    pub fn new(months: u64, time: core::time::Duration) -> Self {
        Self {
            negative: false,
            months,
            seconds: time.as_secs(),
            nanoseconds: time.subsec_nanos(),
        }
    }

    /// The duration with its sign turned; zero has none.
    pub fn negated(self) -> Self {
        Self {
            negative: !self.negative,
            ..self
        }
        .normal()
    }

    /// Whether it points into the past.
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// The months and years, as months, without the sign.
    pub fn months(&self) -> u64 {
        self.months
    }

    /// The days, hours, minutes and seconds, without the sign.
    pub fn time(&self) -> core::time::Duration {
        core::time::Duration::new(self.seconds, self.nanoseconds)
    }

    fn normal(mut self) -> Self {
        self.negative &= self.months != 0 || self.seconds != 0 || self.nanoseconds != 0;
        self
    }
}

impl From<core::time::Duration> for Duration {
    fn from(time: core::time::Duration) -> Self {
        Self::new(0, time)
    }
}

impl TryFrom<Duration> for core::time::Duration {
    type Error = ValueError;

    /// Exact, or an error: for months and years, and for negative durations.
    fn try_from(duration: Duration) -> Result<Self, ValueError> {
        if duration.negative {
            Err(ValueError::new("a negative duration"))
        } else if duration.months != 0 {
            Err(ValueError::new("months have no fixed length"))
        } else {
            Ok(duration.time())
        }
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_text(f)
    }
}

impl FromStr for Duration {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let mut scan = Scan(trim(text).as_bytes());
        let negative = scan.skip(b'-');
        let marked = scan.skip(b'P');
        let years = scan.amount(b'Y')?;
        let months = scan.amount(b'M')?;
        let days = scan.amount(b'D')?;
        let timed = scan.skip(b'T');
        let (hours, minutes, seconds) = if timed {
            (scan.amount(b'H')?, scan.amount(b'M')?, scan.amount(b'S')?)
        } else {
            (None, None, None)
        };
        let dated = years.or(months).or(days).is_some();
        let clocked = hours.or(minutes).or(seconds).is_some();
        if !marked || !scan.0.is_empty() || timed != clocked || !(dated || clocked) {
            return Err(ValueError::new("not a duration as in P1DT12H"));
        }
        let sum = |parts: &[(Option<(u64, u32)>, u64)]| {
            parts.iter().try_fold(0u64, |sum, (part, size)| {
                sum.checked_add(part.map_or(0, |(count, _)| count).checked_mul(*size)?)
            })
        };
        let total_months = sum(&[(years, 12), (months, 1)]);
        let total_seconds = sum(&[(days, 86_400), (hours, 3600), (minutes, 60), (seconds, 1)]);
        match (total_months, total_seconds) {
            (Some(months), Some(whole)) => {
                let nanoseconds = seconds.map_or(0, |(_, nanoseconds)| nanoseconds);
                Ok(Self {
                    negative,
                    months,
                    seconds: whole,
                    nanoseconds,
                }
                .normal())
            }
            _ => Err(too_long()),
        }
    }
}

/// A duration of fixed length that is not negative, as a `duration` of days and less.
impl FromXmlText<'_> for core::time::Duration {
    fn from_xml_text(text: Cow<'_, str>) -> Result<Self, ValueError> {
        Duration::from_xml_text(text)?.try_into()
    }
}

impl ToXmlText for core::time::Duration {
    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        Duration::from(*self).write_text(out)
    }
}

impl FromXmlText<'_> for Duration {
    fn from_xml_text(text: Cow<'_, str>) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl ToXmlText for Duration {
    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let &Self {
            negative,
            months,
            seconds,
            nanoseconds,
        } = self;
        out.write_str(if negative { "-P" } else { "P" })?;
        let parts = [
            (months / 12, 'Y'),
            (months % 12, 'M'),
            (seconds / 86_400, 'D'),
        ];
        write_amounts(out, &parts)?;
        let time = seconds % 86_400;
        if time != 0 || nanoseconds != 0 || (months == 0 && seconds == 0) {
            out.write_char('T')?;
            write_amounts(out, &[(time / 3600, 'H'), (time / 60 % 60, 'M')])?;
            if time % 60 != 0 || nanoseconds != 0 || time == 0 {
                write!(out, "{}", time % 60)?;
                write_fraction(out, nanoseconds)?;
                out.write_char('S')?;
            }
        }
        Ok(())
    }
}

impl FromXmlText<'_> for bool {
    #[inline]
    fn from_xml_text(text: Cow<'_, str>) -> Result<Self, ValueError> {
        match trim(&text) {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(ValueError::new("not a boolean: true, false, 1 or 0")),
        }
    }
}

impl ToXmlText for bool {
    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(if *self { "true" } else { "false" })
    }
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl FromXmlText<'_> for $integer {
            fn from_xml_text(text: Cow<'_, str>) -> Result<Self, ValueError> {
                let text = trim(&text);
                match text.parse() {
                    Ok(value) => Ok(value),
                    // XML Schema has a negative zero for the unsigned, too.
                    Err(_) if is_negative_zero(text) => Ok(0),
                    Err(error) => Err(match error.kind() {
                        IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => {
                            ValueError::new(concat!("out of the range of ", stringify!($integer)))
                        }
                        _ => ValueError::new("not a whole number"),
                    }),
                }
            }
        }

        impl ToXmlText for $integer {
            fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
                write!(out, "{self}")
            }
        }
    )*};
}

integers!(
    i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize
);

macro_rules! floats {
    ($($float:ty),*) => {$(
        /// XML Schema `float` and `double`: `INF`, `-INF` and `NaN` by these names, and numbers
        /// beyond the range become infinite or zero.
        impl FromXmlText<'_> for $float {
            fn from_xml_text(text: Cow<'_, str>) -> Result<Self, ValueError> {
                match trim(&text) {
                    "INF" | "+INF" => Ok(Self::INFINITY),
                    "-INF" => Ok(Self::NEG_INFINITY),
                    "NaN" => Ok(Self::NAN),
                    // Rust has other names for the three, which are not ours.
                    number if number.bytes().all(is_of_number) => {
                        number.parse().map_err(|_| ValueError::new("not a number"))
                    }
                    _ => Err(ValueError::new("not a number")),
                }
            }
        }

        /// The shortest digits that read back as the same value; an exponent from 1E16 up and
        /// below 1E-5.
        impl ToXmlText for $float {
            fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
                let size = self.abs();
                if self.is_nan() {
                    out.write_str("NaN")
                } else if self.is_infinite() {
                    out.write_str(if *self > 0.0 { "INF" } else { "-INF" })
                } else if size == 0.0 || (1e-5..1e16).contains(&size) {
                    write!(out, "{self}")
                } else {
                    write!(out, "{self:E}")
                }
            }
        }
    )*};
}

floats!(f32, f64);

/// Borrowed from the element, unless something had to be unescaped.
impl<'a> FromXmlText<'a> for Cow<'a, str> {
    fn from_xml_text(text: Cow<'a, str>) -> Result<Self, ValueError> {
        Ok(text)
    }
}

impl FromXmlText<'_> for String {
    fn from_xml_text(text: Cow<'_, str>) -> Result<Self, ValueError> {
        Ok(text.into_owned())
    }
}

impl ToXmlText for str {
    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(self)
    }
}

impl ToXmlText for String {
    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(self)
    }
}

impl<T: ToXmlText + ToOwned + ?Sized> ToXmlText for Cow<'_, T> {
    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        self.as_ref().write_text(out)
    }
}

impl<T: ToXmlText + ?Sized> ToXmlText for &T {
    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        (**self).write_text(out)
    }
}

const DAY: i64 = 86_400;
const NANOS: u32 = 1_000_000_000;

/// Days from 1970-01-01 to a date; the month may be any of 1 to 12, the day any.
const fn days_of(year: i32, month: u8, day: u8) -> i64 {
    // Years begin in March here: the leap day is the last, and months have a regular pattern.
    let month = month as i64;
    let year = year as i64 - if month <= 2 { 1 } else { 0 };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day as i64 - 1;
    year * 365 + leap_days + day_of_year - 719_468
}

/// The year, month and day that many days after 1970-01-01.
fn date_of(days: i64) -> (i32, u8, u8) {
    const ERA: i64 = 146_097; // days in 400 years
    let days = days + 719_468;
    let era = days.div_euclid(ERA);
    let day_of_era = days.rem_euclid(ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / (ERA - 1)) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year as i32, month as u8, day as u8)
}

fn days_in(year: i32, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

fn trim(text: &str) -> &str {
    let bytes = text.as_bytes();
    let is_bare = |edge: Option<&u8>| edge.is_some_and(|&byte| byte > b' ');
    if is_bare(bytes.first()) && is_bare(bytes.last()) {
        return text;
    }
    text.trim_matches(is_space)
}

fn is_negative_zero(text: &str) -> bool {
    text.strip_prefix('-')
        .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|digit| digit == b'0'))
}

fn is_of_number(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-')
}

fn too_long() -> ValueError {
    ValueError::new("a duration beyond 64 bits of seconds or months")
}

fn write_fraction(out: &mut dyn fmt::Write, nanoseconds: u32) -> fmt::Result {
    if nanoseconds == 0 {
        return Ok(());
    }
    let (mut digits, mut width) = (nanoseconds, 9);
    while digits % 10 == 0 {
        digits /= 10;
        width -= 1;
    }
    write!(out, ".{digits:0width$}")
}

fn write_amounts(out: &mut dyn fmt::Write, amounts: &[(u64, char)]) -> fmt::Result {
    amounts
        .iter()
        .filter(|(count, _)| *count != 0)
        .try_for_each(|(count, unit)| write!(out, "{count}{unit}"))
}

/// What is left to read of a lexical form.
struct Scan<'t>(&'t [u8]);

impl Scan<'_> {
    fn skip(&mut self, byte: u8) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn digit(&mut self) -> Option<u32> {
        let (first, rest) = self.0.split_first()?;
        let digit = char::from(*first).to_digit(10)?;
        self.0 = rest;
        Some(digit)
    }

    /// A number of exactly so many digits.
    fn digits(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |number, _| Some(number * 10 + self.digit()?))
    }

    /// The nanoseconds of a fraction, 0 if there is none; `None` for a point without digits.
    fn fraction(&mut self) -> Option<u32> {
        if !self.skip(b'.') {
            return Some(0);
        }
        let mut place = NANOS / 10;
        let mut nanoseconds = self.digit()? * place;
        while let Some(digit) = self.digit() {
            place /= 10;
            nanoseconds += digit * place;
        }
        Some(nanoseconds)
    }

    /// The number before `unit`, if that is what follows; seconds may have a fraction.
    fn amount(&mut self, unit: u8) -> Result<Option<(u64, u32)>, ValueError> {
        let mut ahead = Scan(self.0);
        let Some(first) = ahead.digit() else {
            return Ok(None);
        };
        let mut count = u64::from(first);
        while let Some(digit) = ahead.digit() {
            let tens = count.checked_mul(10).ok_or_else(too_long)?;
            count = tens.checked_add(digit.into()).ok_or_else(too_long)?;
        }
        let fraction = if unit == b'S' {
            ahead.fraction()
        } else {
            Some(0)
        };
        match fraction {
            Some(nanoseconds) if ahead.skip(unit) => {
                self.0 = ahead.0;
                Ok(Some((count, nanoseconds)))
            }
            _ => Ok(None),
        }
    }
}
