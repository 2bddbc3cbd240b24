use alloc::borrow::Cow;
use alloc::format;
use core::fmt;
use core::str::FromStr;

use xmpp_xml::value::{FromXmlText, ToXmlText, ValueError};

/// A number with exactly the decimals that it was measured with.
///
/// `10`, `10.0` and `10.00` are three different results of a measurement (XEP-0323 §5.4), so the
/// text is kept and equality is that of the text. For computing there is [`Decimal::to_f64`].
///
/// ```
/// use xmpp_iot_sensordata::model::Decimal;
///
/// let coarse: Decimal = "10".parse()?;
/// let fine = Decimal::from_scaled(1000, 2);
/// assert_eq!(fine.as_str(), "10.00");
/// assert_eq!(coarse.to_f64(), fine.to_f64());
/// assert_ne!(coarse, fine);
/// assert_eq!((coarse.decimals(), fine.decimals()), (Some(0), Some(2)));
/// # Ok::<(), xmpp_xml::value::ValueError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Decimal<'a> {
    text: Cow<'a, str>,
}

impl<'a> Decimal<'a> {
    /// The number that `text` says in the form of an `xs:double`: digits with a point, perhaps a
    /// sign and an exponent, or `INF`, `-INF`, `NaN`.
    ///
    /// # Errors
    /// When the text is none of these.
    pub fn parse(text: impl Into<Cow<'a, str>>) -> Result<Self, ValueError> {
        let text = text.into();
        if is_double(&text) {
            return Ok(Self { text });
        }
        // XML Schema lets white space stand around a number.
        let trimmed = text.trim_matches([' ', '\t', '\n', '\r']);
        if trimmed.len() != text.len() && is_double(trimmed) {
            let text = match &text {
                Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches([' ', '\t', '\n', '\r'])),
                Cow::Owned(_) => Cow::Owned(trimmed.into()),
            };
            return Ok(Self { text });
        }
        Err(ValueError::new("not a number"))
    }

    /// The number `unscaled` divided by ten to the power of `decimals`: 2345 and 2 give `23.45`.
    pub fn from_scaled(unscaled: i64, decimals: u8) -> Self {
        let width = usize::from(decimals);
        if width == 0 {
            return Self {
                text: Cow::Owned(format!("{unscaled}")),
            };
        }
        let sign = if unscaled < 0 { "-" } else { "" };
        let digits = format!("{:0>least$}", unscaled.unsigned_abs(), least = width + 1);
        let (whole, fraction) = digits.split_at(digits.len() - width);
        Self {
            text: Cow::Owned(format!("{sign}{whole}.{fraction}")),
        }
    }

    /// A computed number, rounded to `decimals` places.
    pub fn from_f64(number: f64, decimals: u8) -> Self {
        let text = if number.is_nan() {
            Cow::Borrowed("NaN")
        } else if number.is_infinite() {
            Cow::Borrowed(if number > 0.0 { "INF" } else { "-INF" })
        } else {
            Cow::Owned(format!("{number:.places$}", places = usize::from(decimals)))
        };
        Self { text }
    }

    /// The number as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How many decimals the number has; negative when an exponent makes even its last digit count
    /// tens or more, `None` for infinities and what is not a number.
    pub fn decimals(&self) -> Option<i32> {
        let (mantissa, exponent) = match self.text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (&*self.text, 0),
        };
        if !mantissa.ends_with(|last: char| last.is_ascii_digit() || last == '.') {
            return None;
        }
        let places = mantissa
            .split_once('.')
            .map_or(0, |(_, fraction)| fraction.len());
        i32::try_from(places).ok()?.checked_sub(exponent)
    }

    /// The number for computing; its decimals are lost, and its precision is that of a double.
    pub fn to_f64(&self) -> f64 {
        match &*self.text {
            "INF" | "+INF" => f64::INFINITY,
            "-INF" => f64::NEG_INFINITY,
            text => text.parse().unwrap_or(f64::NAN),
        }
    }

    /// The number, freed from what it was read from.
    pub fn into_owned(self) -> Decimal<'static> {
        Decimal {
            text: Cow::Owned(self.text.into_owned()),
        }
    }
}

fn is_double(text: &str) -> bool {
    if matches!(text, "INF" | "+INF" | "-INF" | "NaN") {
        return true;
    }
    let mut rest = text.as_bytes();
    if let [b'+' | b'-', after @ ..] = rest {
        rest = after;
    }
    let mut digits = 0;
    let mut point = false;
    while let [first, after @ ..] = rest {
        match first {
            b'0'..=b'9' => digits += 1,
            b'.' if !point => point = true,
            _ => break,
        }
        rest = after;
    }
    match rest {
        [] => digits > 0,
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            digits > 0 && !exponent.is_empty() && exponent.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

impl FromStr for Decimal<'static> {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Decimal::parse(text).map(Decimal::into_owned)
    }
}

impl From<i64> for Decimal<'_> {
    fn from(number: i64) -> Self {
        Self::from_scaled(number, 0)
    }
}

impl fmt::Display for Decimal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Decimal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decimal({})", self.text)
    }
}

impl<'a> FromXmlText<'a> for Decimal<'a> {
    fn from_xml_text(text: Cow<'a, str>) -> Result<Self, ValueError> {
        Self::parse(text)
    }
}

impl ToXmlText for Decimal<'_> {
    fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        out.write_str(&self.text)
    }
}
