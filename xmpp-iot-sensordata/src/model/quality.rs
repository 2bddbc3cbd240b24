use core::fmt;
use core::ops::{BitOr, BitOrAssign};

/// How far a value can be trusted, as a set of flags (XEP-0323 §5.7 "quality of service").
///
/// Flags combine freely. Some of them rank a value: [`Quality::may_replace`] says whether a value
/// may overwrite one that is known already.
///
/// ```
/// use xmpp_iot_sensordata::model::Quality;
///
/// let estimate = Quality::AUTOMATIC_ESTIMATE;
/// let readout = Quality::AUTOMATIC_READOUT;
/// assert!(readout.may_replace(estimate));
/// assert!(!estimate.may_replace(readout));
/// // No flag means: read automatically.
/// assert!(Quality::NONE.may_replace(Quality::MANUAL_READOUT));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Quality(u16);

impl Quality {
    /// No flag: to be taken as [`Quality::AUTOMATIC_READOUT`].
    pub const NONE: Self = Self(0);
    /// The value is missing.
    pub const MISSING: Self = Self(1);
    /// The value is still being measured or computed; read again later.
    pub const IN_PROGRESS: Self = Self(1 << 1);
    /// Estimated by a machine.
    pub const AUTOMATIC_ESTIMATE: Self = Self(1 << 2);
    /// Estimated by a person.
    pub const MANUAL_ESTIMATE: Self = Self(1 << 3);
    /// Read by a person.
    pub const MANUAL_READOUT: Self = Self(1 << 4);
    /// Read by a machine.
    pub const AUTOMATIC_READOUT: Self = Self(1 << 5);
    /// The clock was off by more than allowed and was corrected in the period.
    pub const TIME_OFFSET: Self = Self(1 << 6);
    /// A warning was logged in the period.
    pub const WARNING: Self = Self(1 << 7);
    /// An error was logged in the period.
    pub const ERROR: Self = Self(1 << 8);
    /// Signed by an operator: counts for more than an equal value that is not.
    pub const SIGNED: Self = Self(1 << 9);
    /// Invoiced by an operator.
    pub const INVOICED: Self = Self(1 << 10);
    /// An end point of a series, such as a change of tenant.
    pub const END_OF_SERIES: Self = Self(1 << 11);
    /// The power failed in the period.
    pub const POWER_FAILURE: Self = Self(1 << 12);
    /// Invoiced, and the invoice was confirmed by the receiver.
    pub const INVOICE_CONFIRMED: Self = Self(1 << 13);

    /// The flags one by one, in the order of the schema.
    pub const EACH: [Self; 14] = [
        Self::MISSING,
        Self::IN_PROGRESS,
        Self::AUTOMATIC_ESTIMATE,
        Self::MANUAL_ESTIMATE,
        Self::MANUAL_READOUT,
        Self::AUTOMATIC_READOUT,
        Self::TIME_OFFSET,
        Self::WARNING,
        Self::ERROR,
        Self::SIGNED,
        Self::INVOICED,
        Self::END_OF_SERIES,
        Self::POWER_FAILURE,
        Self::INVOICE_CONFIRMED,
    ];

    /// Whether no flag is set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether every flag of `other` is set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The flags that hold: an empty set is an automatic readout (XEP-0323 §5.7).
    #[must_use]
    pub fn effective(self) -> Self {
        if self.is_empty() {
            Self::AUTOMATIC_READOUT
        } else {
            self
        }
    }

    /// How reliable the value is: a number to compare with others, of no meaning by itself.
    ///
    /// The order is missing, in progress, automatic estimate, manual estimate, manual readout,
    /// automatic readout, signed, invoiced, confirmed; between two equals the signed one is above.
    /// Flags that only inform, such as a warning, do not count: alone they leave an automatic
    /// readout. With several the highest counts.
    pub fn rank(self) -> u8 {
        const STEPS: [(Quality, u8); 8] = [
            (Quality::INVOICE_CONFIRMED, 8),
            (Quality::INVOICED, 7),
            (Quality::AUTOMATIC_READOUT, 5),
            (Quality::MANUAL_READOUT, 4),
            (Quality::MANUAL_ESTIMATE, 3),
            (Quality::AUTOMATIC_ESTIMATE, 2),
            (Quality::IN_PROGRESS, 1),
            (Quality::MISSING, 0),
        ];
        let signed = self.contains(Self::SIGNED);
        let unranked = if signed { 6 } else { 5 };
        let step = STEPS
            .into_iter()
            .find(|(flag, _)| self.contains(*flag))
            .map_or(unranked, |(_, step)| step);
        step * 2 + u8::from(signed)
    }

    /// Whether a value of this quality may overwrite one of the quality `known`: an estimate no
    /// readout, a readout no signed value, a signed value no invoiced one.
    pub fn may_replace(self, known: Self) -> bool {
        self.rank() >= known.rank()
    }

    /// The flags that are set, one by one, in the order of the schema.
    pub fn iter(self) -> impl Iterator<Item = Self> {
        Self::EACH
            .into_iter()
            .filter(move |flag| self.contains(*flag))
    }

    /// The name that people know a single flag by, as XEP-0323 spells it.
    fn name(self) -> &'static str {
        match self {
            Self::MISSING => "missing",
            Self::IN_PROGRESS => "inProgress",
            Self::AUTOMATIC_ESTIMATE => "automaticEstimate",
            Self::MANUAL_ESTIMATE => "manualEstimate",
            Self::MANUAL_READOUT => "manualReadout",
            Self::AUTOMATIC_READOUT => "automaticReadout",
            Self::TIME_OFFSET => "timeOffset",
            Self::WARNING => "warning",
            Self::ERROR => "error",
            Self::SIGNED => "signed",
            Self::INVOICED => "invoiced",
            Self::END_OF_SERIES => "endOfSeries",
            Self::POWER_FAILURE => "powerFailure",
            _ => "invoiceConfirmed",
        }
    }
}

impl BitOr for Quality {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Quality {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl FromIterator<Quality> for Quality {
    fn from_iter<I: IntoIterator<Item = Quality>>(flags: I) -> Self {
        flags.into_iter().fold(Self::NONE, Self::bitor)
    }
}

/// The flags for people, with commas between them.
impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, flag) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(flag.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Quality({self})")
    }
}
