//! Which values a field takes (XEP-0122): a datatype, and a range, a pattern or a number of choices.
//!
//! Datatypes are those of XML Schema that begin with `xs:`. A type that is not known here is taken for
//! `xs:string`, as the standard says; who knows more about it checks more.
//!
//! Patterns are POSIX extended regular expressions. They are matched in time proportional to pattern times
//! value, and both are bounded ([`MAX_PATTERN_BYTES`], [`MAX_MATCHED_BYTES`]). Three things are left to the
//! application: a pattern that cannot be compiled or is too long is a hint for people and refuses nothing;
//! letters outside ASCII belong to no class; and without the feature `std` no pattern refuses anything.

use alloc::borrow::Cow;
use alloc::format;
use core::cmp::Ordering;
use core::str::FromStr;

use xmpp_xml::value::{Base64, DateTime, Duration};
use xmpp_xml::{FromXml, FromXmlText, IntoOwned, ToXml, ValueError};

use crate::datetime::{Date, Time};
use crate::ns;

/// The most octets of a pattern that is applied.
pub const MAX_PATTERN_BYTES: usize = 1024;

/// The most octets of a value to which a pattern is applied; longer ones are refused.
pub const MAX_MATCHED_BYTES: usize = 16_384;

/// What the values of a field have to be (XEP-0122 §3).
#[derive(Debug, Clone, PartialEq, Default, FromXml, ToXml, IntoOwned)]
#[xml(name = "validate", namespace = ns::FORM_VALIDATION)]
pub struct Validate<'a> {
    /// The datatype, with its prefix. `None` stands for `xs:string`.
    #[xml(attribute)]
    pub datatype: Option<Cow<'a, str>>,
    /// What a value has to fulfil besides. `None`, and a method that is not known, stand for
    /// [`Method::Basic`]; two methods are an error.
    #[xml(child)]
    pub method: Option<Method<'a>>,
    /// How many options have to be chosen; for fields of type `list-multi` only.
    #[xml(child)]
    pub list_range: Option<ListRange>,
}

impl<'a> Validate<'a> {
    /// Every value of that datatype.
    #[must_use]
    pub fn basic(datatype: impl Into<Cow<'a, str>>) -> Self {
        Self::with_method(datatype, Method::Basic)
    }

    /// Every value of that datatype, also beside the options of a list.
    #[must_use]
    pub fn open(datatype: impl Into<Cow<'a, str>>) -> Self {
        Self::with_method(datatype, Method::Open)
    }

    /// The values of that datatype from the one to the other, both included.
    #[must_use]
    pub fn range(
        datatype: impl Into<Cow<'a, str>>,
        min: Option<&'a str>,
        max: Option<&'a str>,
    ) -> Self {
        let (min, max) = (min.map(Cow::Borrowed), max.map(Cow::Borrowed));
        Self::with_method(datatype, Method::Range { min, max })
    }

    /// The values of that datatype that the pattern matches as a whole.
    #[must_use]
    pub fn regex(datatype: impl Into<Cow<'a, str>>, pattern: impl Into<Cow<'a, str>>) -> Self {
        Self::with_method(datatype, Method::Regex(pattern.into()))
    }

    /// Sets how many options have to be chosen, both bounds included.
    #[must_use]
    pub fn with_list_range(mut self, min: Option<u32>, max: Option<u32>) -> Self {
        self.list_range = Some(ListRange { min, max });
        self
    }

    /// The datatype, `xs:string` where none is given (XEP-0122 §3.1).
    #[must_use]
    pub fn datatype_or_default(&self) -> &str {
        self.datatype.as_deref().unwrap_or("xs:string")
    }

    /// Whether values beside the options of a list are allowed: with every method but
    /// [`Method::Basic`] (XEP-0122 §3.2).
    #[must_use]
    pub fn is_open(&self) -> bool {
        !matches!(self.method, None | Some(Method::Basic))
    }

    /// Whether a value is one of the datatype and fulfils the method.
    ///
    /// # Errors
    /// What was expected.
    pub fn check(&self, value: &str) -> Result<(), ValueError> {
        let datatype = self.datatype_or_default();
        let known = Known::read(datatype, value)?;
        match &self.method {
            Some(Method::Range { min, max }) => {
                let is_beyond = |bound: &Option<Cow<'_, str>>, wrong: Ordering| {
                    // A bound that is no value of the datatype bounds nothing.
                    let bound = Known::read(datatype, bound.as_deref()?).ok()?;
                    (known.as_ref()?.order(&bound?)? == wrong).then_some(())
                };
                if is_beyond(min, Ordering::Less).is_some() {
                    let min = min.as_deref().unwrap_or_default();
                    return Err(ValueError::new(format!("less than {min}")));
                }
                if is_beyond(max, Ordering::Greater).is_some() {
                    let max = max.as_deref().unwrap_or_default();
                    return Err(ValueError::new(format!("more than {max}")));
                }
                Ok(())
            }
            Some(Method::Regex(pattern)) => pattern::check(pattern, value),
            None | Some(Method::Basic | Method::Open) => Ok(()),
        }
    }

    fn with_method(datatype: impl Into<Cow<'a, str>>, method: Method<'a>) -> Self {
        Self {
            datatype: Some(datatype.into()),
            method: Some(method),
            list_range: None,
        }
    }
}

/// What a value has to fulfil besides its datatype (XEP-0122 §3.2).
#[derive(Debug, Clone, PartialEq, Eq, FromXml, ToXml, IntoOwned)]
#[xml(namespace = ns::FORM_VALIDATION)]
pub enum Method<'a> {
    /// Nothing.
    #[xml(name = "basic")]
    Basic,
    /// Nothing, and beside the options of a list other values are allowed. Lines of text are checked each
    /// by itself.
    #[xml(name = "open")]
    Open,
    /// It lies between two values of the datatype, both included. Types without order, such as
    /// `xs:string`, have no ranges.
    #[xml(name = "range")]
    Range {
        /// The least.
        #[xml(attribute)]
        min: Option<Cow<'a, str>>,
        /// The greatest.
        #[xml(attribute)]
        max: Option<Cow<'a, str>>,
    },
    /// The pattern, a POSIX extended regular expression, matches it as a whole.
    #[xml(name = "regex")]
    Regex(#[xml(text)] Cow<'a, str>),
}

/// How many options of a `list-multi` have to be chosen (XEP-0122 §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromXml, ToXml, IntoOwned)]
#[xml(name = "list-range", namespace = ns::FORM_VALIDATION)]
pub struct ListRange {
    /// The fewest.
    #[xml(attribute)]
    pub min: Option<u32>,
    /// The most.
    #[xml(attribute)]
    pub max: Option<u32>,
}

impl ListRange {
    /// Whether so many are right.
    ///
    /// # Errors
    /// How many were expected.
    pub fn check(&self, count: usize) -> Result<(), ValueError> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        match (self.min, self.max) {
            (Some(min), _) if count < min => {
                Err(ValueError::new(format!("fewer than {min} choices")))
            }
            (_, Some(max)) if count > max => {
                Err(ValueError::new(format!("more than {max} choices")))
            }
            _ => Ok(()),
        }
    }
}

/// A value of a datatype that has an order.
enum Known<'v> {
    Number(Decimal<'v>),
    Double(f64),
    Moment(DateTime),
}

impl<'v> Known<'v> {
    /// The value, when it is one of the datatype; `None` for types without order.
    fn read(datatype: &str, value: &'v str) -> Result<Option<Self>, ValueError> {
        let text = || Cow::Borrowed(value);
        let integer = || {
            Decimal::parse(value)
                .filter(|number| number.fraction.is_empty() && !value.contains('.'))
                .ok_or_else(|| ValueError::new("not a whole number"))
        };
        macro_rules! integer_of {
            ($integer:ty) => {{
                <$integer>::from_xml_text(text())?;
                Some(Self::Number(integer()?))
            }};
        }
        let sign_is = |allowed: fn(i8) -> bool, reason: &'static str| {
            let number = integer()?;
            if allowed(number.sign()) {
                Ok(Some(Self::Number(number)))
            } else {
                Err(ValueError::new(reason))
            }
        };
        Ok(match datatype.strip_prefix("xs:").unwrap_or_default() {
            "boolean" => {
                bool::from_xml_text(text())?;
                None
            }
            "byte" => integer_of!(i8),
            "short" => integer_of!(i16),
            "int" => integer_of!(i32),
            "long" => integer_of!(i64),
            "unsignedByte" => integer_of!(u8),
            "unsignedShort" => integer_of!(u16),
            "unsignedInt" => integer_of!(u32),
            "unsignedLong" => integer_of!(u64),
            "integer" => Some(Self::Number(integer()?)),
            "nonNegativeInteger" => sign_is(|sign| sign >= 0, "less than 0")?,
            "positiveInteger" => sign_is(|sign| sign > 0, "less than 1")?,
            "nonPositiveInteger" => sign_is(|sign| sign <= 0, "more than 0")?,
            "negativeInteger" => sign_is(|sign| sign < 0, "more than -1")?,
            "decimal" => {
                let number = Decimal::parse(value);
                Some(Self::Number(
                    number.ok_or_else(|| ValueError::new("not a decimal number"))?,
                ))
            }
            "double" => Some(Self::Double(f64::from_xml_text(text())?)),
            "float" => Some(Self::Double(f32::from_xml_text(text())?.into())),
            "dateTime" => Some(Self::Moment(DateTime::from_str(value)?)),
            "date" => Some(Self::Moment(Date::from_str(value)?.start())),
            "time" => Some(Self::Moment(Time::from_str(value)?.on_first_day())),
            "duration" => {
                Duration::from_str(value)?;
                None
            }
            "base64Binary" => {
                Base64::from_xml_text(text())?;
                None
            }
            "hexBinary" => {
                let digits = trim(value);
                let are_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                if !are_digits || !digits.len().is_multiple_of(2) {
                    return Err(ValueError::new("not bytes in hexadecimal digits"));
                }
                None
            }
            "language" => {
                if !is_language(trim(value)) {
                    return Err(ValueError::new("not a language tag"));
                }
                None
            }
            "anyURI" => {
                // XML Schema lets nearly everything pass; what can be no reference at all is refused.
                if value.contains(['<', '>', '"', '{', '}', '|', '\\', '^', '`']) {
                    return Err(ValueError::new("not a URI"));
                }
                None
            }
            _ => None,
        })
    }

    fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Number(this), Self::Number(other)) => Some(this.cmp(other)),
            (Self::Double(this), Self::Double(other)) => this.partial_cmp(other),
            // In UTC: moments that are the same are so in every zone.
            (Self::Moment(this), Self::Moment(other)) => Some(this.to_utc().cmp(&other.to_utc())),
            _ => None,
        }
    }
}

/// A decimal number of any length, without the zeros that mean nothing.
struct Decimal<'v> {
    is_negative: bool,
    whole: &'v str,
    fraction: &'v str,
}

impl<'v> Decimal<'v> {
    fn parse(text: &'v str) -> Option<Self> {
        let text = trim(text);
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() && fraction.is_empty() || !are_digits(whole) || !are_digits(fraction) {
            return None;
        }
        let (whole, fraction) = (
            whole.trim_start_matches('0'),
            fraction.trim_end_matches('0'),
        );
        Some(Self {
            is_negative: is_negative && !(whole.is_empty() && fraction.is_empty()),
            whole,
            fraction,
        })
    }

    fn sign(&self) -> i8 {
        match (self.is_negative, self.whole, self.fraction) {
            (_, "", "") => 0,
            (true, ..) => -1,
            (false, ..) => 1,
        }
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let size = |number: &Self| (number.whole.len(), number.whole, number.fraction);
        // Digits of the same count, and digits after the point, are ordered as their texts are.
        match (self.is_negative, other.is_negative) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => size(self).cmp(&size(other)),
            (true, true) => size(other).cmp(&size(self)),
        }
    }
}

/// XML Schema `language`: subtags of one to eight letters, and digits after the first.
fn is_language(tag: &str) -> bool {
    tag.split('-').enumerate().all(|(at, subtag)| {
        (1..=8).contains(&subtag.len())
            && subtag
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || (at > 0 && byte.is_ascii_alphanumeric()))
    })
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}

#[cfg(feature = "std")]
mod pattern {
    use alloc::format;

    use regex_lite::RegexBuilder;
    use xmpp_xml::ValueError;

    use super::{MAX_MATCHED_BYTES, MAX_PATTERN_BYTES};

    /// The memory that a compiled pattern may take, in octets.
    const COMPILED_BYTES: usize = 65_536;

    pub(super) fn check(pattern: &str, value: &str) -> Result<(), ValueError> {
        if pattern.len() > MAX_PATTERN_BYTES {
            return Ok(());
        }
        let compile = |pattern: &str| {
            RegexBuilder::new(pattern)
                .size_limit(COMPILED_BYTES)
                .build()
                .ok()
        };
        // Alone first: what closes a group that it did not open is no pattern.
        let anchored = compile(pattern).and_then(|_| compile(&format!("^(?:{pattern})$")));
        let Some(anchored) = anchored else {
            return Ok(());
        };
        if value.len() > MAX_MATCHED_BYTES {
            return Err(ValueError::new("too long for the pattern of the field"));
        }
        if anchored.is_match(value) {
            Ok(())
        } else {
            Err(ValueError::new("the pattern of the field does not match"))
        }
    }
}

#[cfg(not(feature = "std"))]
mod pattern {
    use xmpp_xml::ValueError;

    pub(super) fn check(_: &str, _: &str) -> Result<(), ValueError> {
        Ok(())
    }
}
