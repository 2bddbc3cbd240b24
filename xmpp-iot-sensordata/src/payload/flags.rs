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

/// The category that an attribute of this name stands for.
pub(super) fn category(name: &str) -> Option<Categories> {
    Some(match name.as_bytes() {
        b"momentary" => Categories::MOMENTARY,
        b"peak" => Categories::PEAK,
        b"status" => Categories::STATUS,
        b"computed" => Categories::COMPUTED,
        // The standard's own example 6 has the longer name.
        b"identity" | b"identification" => Categories::IDENTITY,
        b"historicalSecond" => Categories::HISTORICAL_SECOND,
        b"historicalMinute" => Categories::HISTORICAL_MINUTE,
        b"historicalHour" => Categories::HISTORICAL_HOUR,
        b"historicalDay" => Categories::HISTORICAL_DAY,
        b"historicalWeek" => Categories::HISTORICAL_WEEK,
        b"historicalMonth" => Categories::HISTORICAL_MONTH,
        b"historicalQuarter" => Categories::HISTORICAL_QUARTER,
        b"historicalYear" => Categories::HISTORICAL_YEAR,
        b"historicalOther" => Categories::HISTORICAL_OTHER,
        _ => return None,
    })
}

/// The quality that an attribute of this name stands for.
pub(super) fn quality(name: &str) -> Option<Quality> {
    Some(match name.as_bytes() {
        b"missing" => Quality::MISSING,
        b"inProgress" => Quality::IN_PROGRESS,
        b"automaticEstimate" => Quality::AUTOMATIC_ESTIMATE,
        b"manualEstimate" => Quality::MANUAL_ESTIMATE,
        b"manualReadout" => Quality::MANUAL_READOUT,
        b"automaticReadout" => Quality::AUTOMATIC_READOUT,
        b"timeOffset" => Quality::TIME_OFFSET,
        b"warning" => Quality::WARNING,
        b"error" => Quality::ERROR,
        b"signed" => Quality::SIGNED,
        b"invoiced" => Quality::INVOICED,
        b"endOfSeries" => Quality::END_OF_SERIES,
        b"powerFailure" => Quality::POWER_FAILURE,
        b"invoiceConfirmed" => Quality::INVOICE_CONFIRMED,
        _ => return None,
    })
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
            assert_eq!(category(names[0]), Some(each));
        }
        for each in Quality::EACH {
            let names: Vec<_> = quality_names(each).collect();
            assert_eq!(names.len(), 1);
            assert_eq!(quality(names[0]), Some(each));
        }
    }
}
