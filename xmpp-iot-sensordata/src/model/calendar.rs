use alloc::borrow::Cow;
use core::fmt;
use core::str::FromStr;

use xmpp_xml::value::{Civil, DateTime, FromXmlText, ToXmlText, ValueError};

/// A day of the calendar (`xs:date`), with or without a time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Date {
    civil: Civil,
}

impl Date {
    /// The day `day` (from 1) of the month `month` (from 1) of `year` (-9999 to 9999), with the
    /// minutes that its zone is ahead of UTC where it has one.
    ///
    /// # Errors
    /// When the calendar has no such day, or the zone is beyond 14 hours.
    pub fn new(year: i32, month: u8, day: u8, offset: Option<i16>) -> Result<Self, ValueError> {
        let civil = Civil {
            year,
            month,
            day,
            offset,
            ..Civil::default()
        };
        // Only the check is wanted. The zone is left out: it may push midnight into another year.
        DateTime::from_civil(Civil {
            offset: None,
            ..civil
        })?;
        check_offset(offset)?;
        Ok(Self { civil })
    }

    /// The year, -9999 to 9999.
    pub fn year(&self) -> i32 {
        self.civil.year
    }

    /// The month, 1 to 12.
    pub fn month(&self) -> u8 {
        self.civil.month
    }

    /// The day of the month, from 1.
    pub fn day(&self) -> u8 {
        self.civil.day
    }

    /// Minutes ahead of UTC; `None` when the zone is undefined.
    pub fn offset(&self) -> Option<i16> {
        self.civil.offset
    }
}

/// A time of day (`xs:time`), with or without a time zone. The end of the day, `24:00:00`, is the
/// same value as its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Time {
    civil: Civil,
}

impl Time {
    /// The time `hour`:`minute`:`second` and `nanosecond`, with the minutes that its zone is ahead
    /// of UTC where it has one.
    ///
    /// # Errors
    /// When a part is beyond its range; only 24:00:00 may have an hour above 23.
    pub fn new(
        hour: u8,
        minute: u8,
        second: u8,
        nanosecond: u32,
        offset: Option<i16>,
    ) -> Result<Self, ValueError> {
        let civil = Civil {
            hour,
            minute,
            second,
            nanosecond,
            offset: None,
            ..Civil::default()
        };
        DateTime::from_civil(civil)?;
        check_offset(offset)?;
        Ok(Self {
            civil: Civil {
                hour: hour % 24,
                offset,
                ..civil
            },
        })
    }

    /// The hour, 0 to 23.
    pub fn hour(&self) -> u8 {
        self.civil.hour
    }

    /// The minute, 0 to 59.
    pub fn minute(&self) -> u8 {
        self.civil.minute
    }

    /// The second, 0 to 59.
    pub fn second(&self) -> u8 {
        self.civil.second
    }

    /// The part of a second, 0 to 999,999,999.
    pub fn nanosecond(&self) -> u32 {
        self.civil.nanosecond
    }

    /// Minutes ahead of UTC; `None` when the zone is undefined.
    pub fn offset(&self) -> Option<i16> {
        self.civil.offset
    }
}

fn check_offset(offset: Option<i16>) -> Result<(), ValueError> {
    if offset.is_some_and(|minutes| minutes.unsigned_abs() > 14 * 60) {
        return Err(ValueError::new("a zone beyond -14:00 to +14:00"));
    }
    Ok(())
}

impl FromStr for Date {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new("not a date as in 2026-01-31");
        let mut scan = Scan::new(text);
        let before_christ = scan.skip(b'-');
        let year = scan.digits(4).ok_or_else(wrong)? as i32;
        let month = scan.after(b'-').ok_or_else(wrong)?;
        let day = scan.after(b'-').ok_or_else(wrong)?;
        let offset = scan.zone().ok_or_else(wrong)?;
        Self::new(if before_christ { -year } else { year }, month, day, offset)
    }
}

impl FromStr for Time {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new("not a time of day as in 12:00:00");
        let mut scan = Scan::new(text);
        let hour = scan.digits(2).ok_or_else(wrong)? as u8;
        let minute = scan.after(b':').ok_or_else(wrong)?;
        let second = scan.after(b':').ok_or_else(wrong)?;
        let nanosecond = scan.fraction().ok_or_else(wrong)?;
        let offset = scan.zone().ok_or_else(wrong)?;
        Self::new(hour, minute, second, nanosecond, offset)
    }
}

/// Reads the parts of a lexical form from its front.
struct Scan<'a>(&'a [u8]);

impl<'a> Scan<'a> {
    fn new(text: &'a str) -> Self {
        Self(text.trim_matches([' ', '\t', '\n', '\r']).as_bytes())
    }

    fn skip(&mut self, mark: u8) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if *first == mark => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    /// Exactly `count` digits, at most nine.
    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        let mut value = 0;
        for digit in digits {
            value = value * 10 + char::from(*digit).to_digit(10)?;
        }
        self.0 = rest;
        Some(value)
    }

    /// Two digits after `mark`.
    fn after(&mut self, mark: u8) -> Option<u8> {
        if self.skip(mark) {
            self.digits(2).map(|value| value as u8)
        } else {
            None
        }
    }

    /// The nanoseconds of a fraction, if there is one; further digits are cut off.
    fn fraction(&mut self) -> Option<u32> {
        if !self.skip(b'.') {
            return Some(0);
        }
        let (mut value, mut weight, mut any) = (0, 100_000_000, false);
        while let Some((digit, rest)) = self.0.split_first()
            && let Some(digit) = char::from(*digit).to_digit(10)
        {
            value += digit * weight;
            weight /= 10;
            any = true;
            self.0 = rest;
        }
        any.then_some(value)
    }

    /// The zone that ends the form; the inner `None` when there is none.
    fn zone(&mut self) -> Option<Option<i16>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let minutes = if self.skip(b'Z') {
            0
        } else {
            let ahead = self.skip(b'+');
            if !ahead && !self.skip(b'-') {
                return None;
            }
            let hours = self.digits(2)?;
            let minutes = self.after(b':').filter(|minutes| *minutes < 60)?;
            let offset = hours as i16 * 60 + i16::from(minutes);
            if ahead { offset } else { -offset }
        };
        self.0.is_empty().then_some(Some(minutes))
    }
}

impl ToXmlText for Date {
    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let Civil {
            year,
            month,
            day,
            offset,
            ..
        } = self.civil;
        let sign = if year < 0 { "-" } else { "" };
        write!(out, "{sign}{:04}-{month:02}-{day:02}", year.unsigned_abs())?;
        write_zone(out, offset)
    }
}

impl ToXmlText for Time {
    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        let Civil {
            hour,
            minute,
            second,
            nanosecond,
            offset,
            ..
        } = self.civil;
        write!(out, "{hour:02}:{minute:02}:{second:02}")?;
        if nanosecond != 0 {
            let (mut digits, mut width) = (nanosecond, 9);
            while digits % 10 == 0 {
                digits /= 10;
                width -= 1;
            }
            write!(out, ".{digits:0width$}")?;
        }
        write_zone(out, offset)
    }
}

fn write_zone(out: &mut dyn fmt::Write, offset: Option<i16>) -> fmt::Result {
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

impl FromXmlText<'_> for Date {
    fn from_xml_text(text: Cow<'_, str>) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl FromXmlText<'_> for Time {
    fn from_xml_text(text: Cow<'_, str>) -> Result<Self, ValueError> {
        text.parse()
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_text(f)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_text(f)
    }
}
