use xmpp_xml::Writer;

use crate::model::{Categories, Quality};

/// The attributes for categories, in the order of [`Categories::EACH`].
const CATEGORIES: [&str; 14] = [
    "momentary",
    "peak",
    "status",
    "computed",
    "identity",
    "historicalSecond",
    "historicalMinute",
    "historicalHour",
    "historicalDay",
    "historicalWeek",
    "historicalMonth",
    "historicalQuarter",
    "historicalYear",
    "historicalOther",
];

/// The attributes for quality, in the order of [`Quality::EACH`].
const QUALITY: [&str; 14] = [
    "missing",
    "inProgress",
    "automaticEstimate",
    "manualEstimate",
    "manualReadout",
    "automaticReadout",
    "timeOffset",
    "warning",
    "error",
    "signed",
    "invoiced",
    "endOfSeries",
    "powerFailure",
    "invoiceConfirmed",
];

/// What an attribute that is true or false says of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag {
    Category(Categories),
    Quality(Quality),
}

impl Flag {
    /// The flag that an attribute of this name stands for.
    pub(super) fn of(name: &str) -> Option<Self> {
        // One decision over all names, as most fields have flags of both kinds.
        Some(match name.as_bytes() {
            b"momentary" => Self::Category(Categories::MOMENTARY),
            b"peak" => Self::Category(Categories::PEAK),
            b"status" => Self::Category(Categories::STATUS),
            b"computed" => Self::Category(Categories::COMPUTED),
            // The standard's own example 6 has the longer name.
            b"identity" | b"identification" => Self::Category(Categories::IDENTITY),
            b"historicalSecond" => Self::Category(Categories::HISTORICAL_SECOND),
            b"historicalMinute" => Self::Category(Categories::HISTORICAL_MINUTE),
            b"historicalHour" => Self::Category(Categories::HISTORICAL_HOUR),
            b"historicalDay" => Self::Category(Categories::HISTORICAL_DAY),
            b"historicalWeek" => Self::Category(Categories::HISTORICAL_WEEK),
            b"historicalMonth" => Self::Category(Categories::HISTORICAL_MONTH),
            b"historicalQuarter" => Self::Category(Categories::HISTORICAL_QUARTER),
            b"historicalYear" => Self::Category(Categories::HISTORICAL_YEAR),
            b"historicalOther" => Self::Category(Categories::HISTORICAL_OTHER),
            b"missing" => Self::Quality(Quality::MISSING),
            b"inProgress" => Self::Quality(Quality::IN_PROGRESS),
            b"automaticEstimate" => Self::Quality(Quality::AUTOMATIC_ESTIMATE),
            b"manualEstimate" => Self::Quality(Quality::MANUAL_ESTIMATE),
            b"manualReadout" => Self::Quality(Quality::MANUAL_READOUT),
            b"automaticReadout" => Self::Quality(Quality::AUTOMATIC_READOUT),
            b"timeOffset" => Self::Quality(Quality::TIME_OFFSET),
            b"warning" => Self::Quality(Quality::WARNING),
            b"error" => Self::Quality(Quality::ERROR),
            b"signed" => Self::Quality(Quality::SIGNED),
            b"invoiced" => Self::Quality(Quality::INVOICED),
            b"endOfSeries" => Self::Quality(Quality::END_OF_SERIES),
            b"powerFailure" => Self::Quality(Quality::POWER_FAILURE),
            b"invoiceConfirmed" => Self::Quality(Quality::INVOICE_CONFIRMED),
            _ => return None,
        })
    }
}

pub(super) fn write_categories(categories: Categories, writer: &mut Writer<'_>) {
    for name in category_names(categories) {
        writer.attribute(name, "true");
    }
}

pub(super) fn write_quality(flags: Quality, writer: &mut Writer<'_>) {
    for name in quality_names(flags) {
        writer.attribute(name, "true");
    }
}

pub(super) fn category_names(categories: Categories) -> impl Iterator<Item = &'static str> {
    let pairs = Categories::EACH.into_iter().zip(CATEGORIES);
    pairs
        .filter(move |(category, _)| categories.contains(*category))
        .map(|(_, name)| name)
}

pub(super) fn quality_names(flags: Quality) -> impl Iterator<Item = &'static str> {
    let pairs = Quality::EACH.into_iter().zip(QUALITY);
    pairs
        .filter(move |(flag, _)| flags.contains(*flag))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_has_the_name_that_it_is_read_by() {
        for each in Categories::EACH {
            let names: Vec<_> = category_names(each).collect();
            assert_eq!(names.len(), 1);
            assert_eq!(Flag::of(names[0]), Some(Flag::Category(each)));
        }
        for each in Quality::EACH {
            let names: Vec<_> = quality_names(each).collect();
            assert_eq!(names.len(), 1);
            assert_eq!(Flag::of(names[0]), Some(Flag::Quality(each)));
        }
    }
}
