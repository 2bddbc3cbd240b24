use alloc::borrow::Cow;
use core::fmt;

use xmpp_xml::value::{DateTime, Duration};

use super::{Date, Decimal, Time};

/// The value of a field, in one of the types of XEP-0323 §5.4.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Value<'a> {
    /// A number with its exact decimals and a unit.
    Numeric {
        /// The number.
        number: Decimal<'a>,
        /// The unit as the device spells it; empty when there is none.
        unit: Cow<'a, str>,
    },
    /// Any text.
    String(Cow<'a, str>),
    /// True or false.
    Boolean(bool),
    /// One of a closed list of values.
    Enumeration {
        /// The value.
        value: Cow<'a, str>,
        /// The name of the type that lists the values; empty when the device did not say.
        data_type: Cow<'a, str>,
    },
    /// A whole number of 32 bits.
    Int(i32),
    /// A whole number of 64 bits.
    Long(i64),
    /// A day.
    Date(Date),
    /// A time of day.
    Time(Time),
    /// A point in time.
    DateTime(DateTime),
    /// A length of time; also known as a time span.
    Duration(Duration),
}

impl<'a> Value<'a> {
    /// The unit of a [`Value::Numeric`] that has one.
    pub fn unit(&self) -> Option<&str> {
        match self {
            Self::Numeric { unit, .. } if !unit.is_empty() => Some(unit),
            _ => None,
        }
    }

    /// The value as a number, for plotting and thresholds: numbers as they are and booleans as 0
    /// and 1; `None` for everything else.
    pub fn to_f64(&self) -> Option<f64> {
        match self {
            Self::Numeric { number, .. } => Some(number.to_f64()),
            Self::Boolean(value) => Some(f64::from(u8::from(*value))),
            Self::Int(value) => Some(f64::from(*value)),
            Self::Long(value) => Some(*value as f64),
            _ => None,
        }
    }

    /// The value, freed from what it was read from.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Numeric { number, unit } => Value::Numeric {
                number: number.into_owned(),
                unit: owned(unit),
            },
            Self::String(text) => Value::String(owned(text)),
            Self::Boolean(value) => Value::Boolean(value),
            Self::Enumeration { value, data_type } => Value::Enumeration {
                value: owned(value),
                data_type: owned(data_type),
            },
            Self::Int(value) => Value::Int(value),
            Self::Long(value) => Value::Long(value),
            Self::Date(value) => Value::Date(value),
            Self::Time(value) => Value::Time(value),
            Self::DateTime(value) => Value::DateTime(value),
            Self::Duration(value) => Value::Duration(value),
        }
    }
}

pub(super) fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

/// The value for people: a number with its unit, a text as it is.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numeric { number, unit } if unit.is_empty() => write!(f, "{number}"),
            Self::Numeric { number, unit } => write!(f, "{number} {unit}"),
            Self::String(text) | Self::Enumeration { value: text, .. } => f.write_str(text),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Long(value) => write!(f, "{value}"),
            Self::Date(value) => write!(f, "{value}"),
            Self::Time(value) => write!(f, "{value}"),
            Self::DateTime(value) => write!(f, "{value}"),
            Self::Duration(value) => write!(f, "{value}"),
        }
    }
}
