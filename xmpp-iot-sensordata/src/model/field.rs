use alloc::borrow::Cow;

use xmpp_xml::value::{DateTime, Duration};

use super::value::owned;
use super::{Categories, Date, Decimal, Quality, StringIds, Time, Value};

/// One item of sensor data: a name, a value, and what is to be known about it (XEP-0323 §2).
///
/// The node and the time that it belongs to stand beside it, in a [`Reading`](super::Reading).
///
/// ```
/// use xmpp_iot_sensordata::model::{Categories, Field, Quality};
///
/// let field = Field::numeric("Temperature", "23.40".parse()?, "°C")
///     .categories(Categories::MOMENTARY)
///     .quality(Quality::AUTOMATIC_READOUT);
/// assert_eq!(field.value.to_string(), "23.40 °C");
/// # Ok::<(), xmpp_xml::value::ValueError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Field<'a> {
    /// The name of the field, the same as that of the control parameter that sets it, if any.
    pub name: Cow<'a, str>,
    /// The value.
    pub value: Value<'a>,
    /// What kinds of field it is, all at once.
    pub categories: Categories,
    /// How far the value can be trusted.
    pub quality: Quality,
    /// Whether a control parameter of the same name exists; `None` when that is not known.
    pub writable: Option<bool>,
    /// The language module of [`Field::string_ids`].
    pub module: Option<Cow<'a, str>>,
    /// How the name is put together in a person's language.
    pub string_ids: Option<StringIds<'a>>,
}

impl<'a> Field<'a> {
    /// A field of the given name and value, of no category and no stated quality.
    pub fn new(name: impl Into<Cow<'a, str>>, value: Value<'a>) -> Self {
        Self {
            name: name.into(),
            value,
            categories: Categories::NONE,
            quality: Quality::NONE,
            writable: None,
            module: None,
            string_ids: None,
        }
    }

    /// A number with its exact decimals and its unit; an empty unit is none.
    pub fn numeric(
        name: impl Into<Cow<'a, str>>,
        number: Decimal<'a>,
        unit: impl Into<Cow<'a, str>>,
    ) -> Self {
        Self::new(
            name,
            Value::Numeric {
                number,
                unit: unit.into(),
            },
        )
    }

    /// A text.
    pub fn string(name: impl Into<Cow<'a, str>>, text: impl Into<Cow<'a, str>>) -> Self {
        Self::new(name, Value::String(text.into()))
    }

    /// A truth value.
    pub fn boolean(name: impl Into<Cow<'a, str>>, value: bool) -> Self {
        Self::new(name, Value::Boolean(value))
    }

    /// One of the values of the enumeration named `data_type`.
    pub fn enumeration(
        name: impl Into<Cow<'a, str>>,
        value: impl Into<Cow<'a, str>>,
        data_type: impl Into<Cow<'a, str>>,
    ) -> Self {
        Self::new(
            name,
            Value::Enumeration {
                value: value.into(),
                data_type: data_type.into(),
            },
        )
    }

    /// A whole number of 32 bits, without a unit.
    pub fn int(name: impl Into<Cow<'a, str>>, value: i32) -> Self {
        Self::new(name, Value::Int(value))
    }

    /// A whole number of 64 bits, without a unit.
    pub fn long(name: impl Into<Cow<'a, str>>, value: i64) -> Self {
        Self::new(name, Value::Long(value))
    }

    /// A day.
    pub fn date(name: impl Into<Cow<'a, str>>, value: Date) -> Self {
        Self::new(name, Value::Date(value))
    }

    /// A time of day.
    pub fn time(name: impl Into<Cow<'a, str>>, value: Time) -> Self {
        Self::new(name, Value::Time(value))
    }

    /// A point in time.
    pub fn date_time(name: impl Into<Cow<'a, str>>, value: DateTime) -> Self {
        Self::new(name, Value::DateTime(value))
    }

    /// A length of time.
    pub fn duration(name: impl Into<Cow<'a, str>>, value: Duration) -> Self {
        Self::new(name, Value::Duration(value))
    }

    /// The same field, of these categories.
    #[must_use]
    pub fn categories(self, categories: Categories) -> Self {
        Self { categories, ..self }
    }

    /// The same field, of this quality. A value that is not measured, such as a flow that decays
    /// while no pulse comes, ought to say that it is an estimate (XEP-0323 §5.7.1).
    #[must_use]
    pub fn quality(self, quality: Quality) -> Self {
        Self { quality, ..self }
    }

    /// The same field, saying whether a control parameter of its name exists.
    #[must_use]
    pub fn writable(self, writable: bool) -> Self {
        Self {
            writable: Some(writable),
            ..self
        }
    }

    /// The same field, with its name in a person's language.
    #[must_use]
    pub fn localized(self, module: impl Into<Cow<'a, str>>, ids: StringIds<'a>) -> Self {
        Self {
            module: Some(module.into()),
            string_ids: Some(ids),
            ..self
        }
    }

    /// The field, freed from what it was read from.
    pub fn into_owned(self) -> Field<'static> {
        Field {
            name: owned(self.name),
            value: self.value.into_owned(),
            categories: self.categories,
            quality: self.quality,
            writable: self.writable,
            module: self.module.map(owned),
            string_ids: self.string_ids.map(StringIds::into_owned),
        }
    }
}
