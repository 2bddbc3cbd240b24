use core::fmt;
use core::ops::{BitAnd, BitOr, BitOrAssign, Sub};

/// The kinds of fields, as a set (XEP-0323 §5.6 "field types").
///
/// The same set says two things: in a request it is a union (fields of *any* of these kinds are
/// wanted), on a field an intersection (the field is of *all* of these kinds).
/// [`Categories::wants`] brings the two together.
///
/// ```
/// use xmpp_iot_sensordata::model::Categories;
///
/// let request = Categories::MOMENTARY | Categories::HISTORICAL_HOUR;
/// assert!(request.wants(Categories::MOMENTARY | Categories::COMPUTED));
/// // A value at midnight is one at a full hour, too.
/// assert!(request.wants(Categories::HISTORICAL_DAY));
/// assert!(!request.wants(Categories::HISTORICAL_MINUTE));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Categories(u16);

impl Categories {
    /// No category at all: a request for nothing.
    pub const NONE: Self = Self(0);
    /// A value measured at the time of the readout.
    pub const MOMENTARY: Self = Self(1);
    /// A maximum or minimum of a period.
    pub const PEAK: Self = Self(1 << 1);
    /// A value about the state of something: health, runtime, signal strength.
    pub const STATUS: Self = Self(1 << 2);
    /// A value that was computed instead of measured.
    pub const COMPUTED: Self = Self(1 << 3);
    /// A value that identifies: serial number, location, name.
    pub const IDENTITY: Self = Self(1 << 4);
    /// History, stored at a full second.
    pub const HISTORICAL_SECOND: Self = Self(1 << 5);
    /// History, stored at a full minute; is a value by the second, too.
    pub const HISTORICAL_MINUTE: Self = Self(1 << 6);
    /// History, stored at a full hour; is a value by the minute, too.
    pub const HISTORICAL_HOUR: Self = Self(1 << 7);
    /// History, stored at midnight; is a value by the hour, too.
    pub const HISTORICAL_DAY: Self = Self(1 << 8);
    /// History, stored at midnight of a Monday; is a value by the day, too.
    pub const HISTORICAL_WEEK: Self = Self(1 << 9);
    /// History, stored at midnight of the first of a month; is a value by the day, too.
    pub const HISTORICAL_MONTH: Self = Self(1 << 10);
    /// History, stored at the first of January, April, July or October; by the month, too.
    pub const HISTORICAL_QUARTER: Self = Self(1 << 11);
    /// History, stored at the first of January; is a value by the quarter, too.
    pub const HISTORICAL_YEAR: Self = Self(1 << 12);
    /// History of a period that is none of the others, or does not matter.
    pub const HISTORICAL_OTHER: Self = Self(1 << 13);
    /// All nine kinds of history.
    pub const HISTORICAL: Self = Self(0b11_1111_1110_0000);
    /// Every category.
    pub const ALL: Self = Self(0b11_1111_1111_1111);

    /// The categories one by one, in the order of the schema.
    pub const EACH: [Self; 14] = [
        Self::MOMENTARY,
        Self::PEAK,
        Self::STATUS,
        Self::COMPUTED,
        Self::IDENTITY,
        Self::HISTORICAL_SECOND,
        Self::HISTORICAL_MINUTE,
        Self::HISTORICAL_HOUR,
        Self::HISTORICAL_DAY,
        Self::HISTORICAL_WEEK,
        Self::HISTORICAL_MONTH,
        Self::HISTORICAL_QUARTER,
        Self::HISTORICAL_YEAR,
        Self::HISTORICAL_OTHER,
    ];

    /// Whether no category is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether every category of `other` is in the set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether some category of `other` is in the set.
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether this set holds history of any period.
    pub fn is_historical(self) -> bool {
        self.intersects(Self::HISTORICAL)
    }

    /// As a request: whether a field of the categories `field` is wanted.
    ///
    /// It is when it has any of the requested categories, counting those that its own imply.
    /// A field without any category is wanted only by a request for [`Categories::ALL`].
    pub fn wants(self, field: Self) -> bool {
        self == Self::ALL || self.intersects(field.with_implied())
    }

    /// The set with what its periods imply: a yearly value is a quarterly one, a quarterly a
    /// monthly, a weekly or monthly a daily, and so on down to the second (XEP-0323 §5.6).
    #[must_use]
    pub fn with_implied(self) -> Self {
        let mut all = self;
        // From the longest period down, so that each finds what the longer ones have added.
        for (longer, shorter) in [
            (Self::HISTORICAL_YEAR, Self::HISTORICAL_QUARTER),
            (Self::HISTORICAL_QUARTER, Self::HISTORICAL_MONTH),
            (Self::HISTORICAL_MONTH, Self::HISTORICAL_DAY),
            (Self::HISTORICAL_WEEK, Self::HISTORICAL_DAY),
            (Self::HISTORICAL_DAY, Self::HISTORICAL_HOUR),
            (Self::HISTORICAL_HOUR, Self::HISTORICAL_MINUTE),
            (Self::HISTORICAL_MINUTE, Self::HISTORICAL_SECOND),
        ] {
            if all.intersects(longer) {
                all |= shorter;
            }
        }
        all
    }

    /// The categories in the set, one by one, in the order of the schema.
    pub fn iter(self) -> impl Iterator<Item = Self> {
        Self::EACH
            .into_iter()
            .filter(move |category| self.contains(*category))
    }

    /// The name that people know a single category by, as XEP-0323 spells it.
    fn name(self) -> &'static str {
        match self {
            Self::MOMENTARY => "momentary",
            Self::PEAK => "peak",
            Self::STATUS => "status",
            Self::COMPUTED => "computed",
            Self::IDENTITY => "identity",
            Self::HISTORICAL_SECOND => "historicalSecond",
            Self::HISTORICAL_MINUTE => "historicalMinute",
            Self::HISTORICAL_HOUR => "historicalHour",
            Self::HISTORICAL_DAY => "historicalDay",
            Self::HISTORICAL_WEEK => "historicalWeek",
            Self::HISTORICAL_MONTH => "historicalMonth",
            Self::HISTORICAL_QUARTER => "historicalQuarter",
            Self::HISTORICAL_YEAR => "historicalYear",
            _ => "historicalOther",
        }
    }
}

impl BitOr for Categories {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Categories {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl BitAnd for Categories {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Sub for Categories {
    type Output = Self;

    /// The set without the categories of `other`.
    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl FromIterator<Categories> for Categories {
    fn from_iter<I: IntoIterator<Item = Categories>>(categories: I) -> Self {
        categories.into_iter().fold(Self::NONE, Self::bitor)
    }
}

/// The categories for people, with commas between them.
impl fmt::Display for Categories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, category) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(category.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Categories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Categories({self})")
    }
}
