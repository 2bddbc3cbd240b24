//! The model: categories, quality, decimals, calendars, localization, tokens.

use std::borrow::Cow;

use crate::common::*;
use xmpp_iot_sensordata::model::{
    Categories, Date, Decimal, Field, NodeReference, Quality, Reading, Readings, ReadoutRequest,
    Step, StepError, StringIds, Time, Tokens, Value,
};
use xmpp_iot_sensordata::payload::{Fields, FieldsRef};
use xmpp_xml::value::{Duration, FromXmlText, ToXmlText};
use xmpp_xml::{Element, ToXml};

#[test]
fn periods_imply_shorter_ones() {
    let implied = |category: Categories| (category.with_implied() - category).to_string();
    assert_eq!(implied(Categories::HISTORICAL_SECOND), "");
    assert_eq!(implied(Categories::HISTORICAL_MINUTE), "historicalSecond");
    assert_eq!(
        implied(Categories::HISTORICAL_HOUR),
        "historicalSecond, historicalMinute"
    );
    let below_day = "historicalSecond, historicalMinute, historicalHour";
    assert_eq!(implied(Categories::HISTORICAL_DAY), below_day);
    assert_eq!(
        implied(Categories::HISTORICAL_WEEK),
        format!("{below_day}, historicalDay")
    );
    assert_eq!(
        implied(Categories::HISTORICAL_MONTH),
        format!("{below_day}, historicalDay")
    );
    let below_quarter = format!("{below_day}, historicalDay, historicalMonth");
    assert_eq!(implied(Categories::HISTORICAL_QUARTER), below_quarter);
    assert_eq!(
        implied(Categories::HISTORICAL_YEAR),
        format!("{below_quarter}, historicalQuarter")
    );
    for category in [
        Categories::HISTORICAL_OTHER,
        Categories::MOMENTARY,
        Categories::PEAK,
        Categories::STATUS,
        Categories::COMPUTED,
        Categories::IDENTITY,
    ] {
        assert_eq!(implied(category), "");
    }
}

#[test]
fn requested_categories_are_a_union_and_those_of_a_field_an_intersection() {
    let request = Categories::MOMENTARY | Categories::HISTORICAL_DAY;
    assert!(request.wants(Categories::MOMENTARY));
    assert!(request.wants(Categories::MOMENTARY | Categories::STATUS));
    assert!(request.wants(Categories::HISTORICAL_WEEK | Categories::PEAK));
    assert!(!request.wants(Categories::STATUS));
    assert!(!request.wants(Categories::HISTORICAL_HOUR));
    assert!(!request.wants(Categories::NONE));
    assert!(Categories::ALL.wants(Categories::NONE));
    assert!(!Categories::NONE.wants(Categories::ALL));
}

#[test]
fn all_and_historical_stand_for_the_categories_they_name() {
    let historical = Categories::EACH
        .into_iter()
        .filter(|each| each.is_historical());
    assert_eq!(historical.clone().count(), 9);
    assert_eq!(historical.collect::<Categories>(), Categories::HISTORICAL);
    assert_eq!(
        Categories::EACH.into_iter().collect::<Categories>(),
        Categories::ALL
    );
}

#[test]
fn qualities_stand_in_the_order_of_their_reliability() {
    let signed = Quality::SIGNED;
    let order = [
        Quality::MISSING,
        Quality::MISSING | signed,
        Quality::IN_PROGRESS,
        Quality::IN_PROGRESS | signed,
        Quality::AUTOMATIC_ESTIMATE,
        Quality::AUTOMATIC_ESTIMATE | signed,
        Quality::MANUAL_ESTIMATE,
        Quality::MANUAL_ESTIMATE | signed,
        Quality::MANUAL_READOUT,
        Quality::MANUAL_READOUT | signed,
        Quality::AUTOMATIC_READOUT,
        Quality::AUTOMATIC_READOUT | signed,
        signed,
        Quality::INVOICED,
        Quality::INVOICED | signed,
        Quality::INVOICE_CONFIRMED,
        Quality::INVOICE_CONFIRMED | signed,
    ];
    for pair in order.windows(2) {
        assert!(pair[1].may_replace(pair[0]), "{pair:?}");
        assert!(!pair[0].may_replace(pair[1]), "{pair:?}");
    }
    for flag in order {
        assert!(
            flag.may_replace(flag),
            "a later value of equal quality is taken"
        );
    }
}

#[test]
fn flags_that_only_inform_do_not_rank() {
    for flag in [
        Quality::NONE,
        Quality::TIME_OFFSET,
        Quality::WARNING,
        Quality::ERROR,
        Quality::END_OF_SERIES,
        Quality::POWER_FAILURE,
    ] {
        assert_eq!(flag.rank(), Quality::AUTOMATIC_READOUT.rank(), "{flag:?}");
    }
    assert_eq!(Quality::NONE.effective(), Quality::AUTOMATIC_READOUT);
    assert_eq!(Quality::WARNING.effective(), Quality::WARNING);
}

#[test]
fn a_field_comes_once_per_node_name_and_time_in_its_best_quality() {
    let reading = |node: &'static str, second: u8, value: i32, quality: Quality| {
        let field = Field::int("Count", value).quality(quality);
        let time = time(&format!("2026-01-31T12:00:{second:02}Z"));
        Reading::new(NodeReference::new(node), time, field)
    };
    let mut readings = Readings::new();
    assert!(readings.insert(reading("a", 1, 1, Quality::AUTOMATIC_READOUT)));
    assert!(!readings.insert(reading("a", 1, 2, Quality::MANUAL_ESTIMATE)));
    assert!(readings.insert(reading("a", 1, 3, Quality::AUTOMATIC_READOUT)));
    assert!(readings.insert(reading("a", 2, 4, Quality::MISSING)));
    assert!(readings.insert(reading("b", 1, 5, Quality::MISSING)));
    let other_source = NodeReference::new("a").source("s");
    readings.extend([Reading::new(
        other_source,
        time("2026-01-31T12:00:01Z"),
        Field::int("Count", 6),
    )]);
    let values: Vec<_> = readings
        .iter()
        .map(|(_, _, field)| field.value.to_string())
        .collect();
    assert_eq!(values, ["3", "4", "6", "5"]);
    assert_eq!(readings.len(), 4);
    let held = readings
        .field(&node("a"), "Count", &time("2026-01-31T12:00:01Z"))
        .unwrap();
    assert_eq!(held.value, Value::Int(3));
}

#[test]
fn decimals_are_never_lost() {
    for (text, decimals) in [
        ("10", Some(0)),
        ("10.0", Some(1)),
        ("10.00", Some(2)),
        ("-0.500", Some(3)),
        ("+1.", Some(0)),
        (".5", Some(1)),
        ("1.50E2", Some(0)),
        ("15E1", Some(-1)),
        ("1.5e-3", Some(4)),
        ("INF", None),
        ("-INF", None),
        ("NaN", None),
        ("123456789012345678901234567890.123", Some(3)),
    ] {
        let decimal = Decimal::parse(text).unwrap();
        assert_eq!(decimal.as_str(), text);
        assert_eq!(decimal.decimals(), decimals, "{text}");
        assert_eq!(decimal.to_xml_text(), text);
    }
    assert_ne!("10".parse::<Decimal<'_>>(), "10.0".parse());
    assert_eq!(Decimal::parse(" 1.0\n").unwrap().as_str(), "1.0");
    assert_eq!(Decimal::parse("1.5E2").unwrap().to_f64(), 150.0);
    assert!(Decimal::parse("NaN").unwrap().to_f64().is_nan());
    assert_eq!(Decimal::parse("-INF").unwrap().to_f64(), f64::NEG_INFINITY);
}

#[test]
fn what_is_no_number_is_refused() {
    for text in [
        "", " ", "1,5", ".", "-", "+", "e5", "1e", "1e+", "1.2.3", "0x10", "inf", "nan", "1 2",
        "--1",
    ] {
        assert!(Decimal::parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn numbers_are_made_with_the_decimals_they_were_measured_with() {
    for (unscaled, decimals, text) in [
        (2345, 2, "23.45"),
        (-2345, 1, "-234.5"),
        (5, 3, "0.005"),
        (-5, 1, "-0.5"),
        (0, 2, "0.00"),
        (7, 0, "7"),
        (i64::MIN, 19, "-0.9223372036854775808"),
    ] {
        assert_eq!(Decimal::from_scaled(unscaled, decimals).as_str(), text);
    }
    assert_eq!(Decimal::from_f64(1.0 / 3.0, 3).as_str(), "0.333");
    assert_eq!(Decimal::from_f64(20.0, 1).as_str(), "20.0");
    assert_eq!(Decimal::from_f64(f64::NEG_INFINITY, 1).as_str(), "-INF");
    assert_eq!(Decimal::from_f64(f64::NAN, 1).as_str(), "NaN");
}

#[test]
fn dates_and_times_are_those_of_xml_schema() {
    for text in [
        "2024-02-29",
        "2026-01-31Z",
        "2026-01-31+14:00",
        "-0044-03-15-05:30",
    ] {
        assert_eq!(text.parse::<Date>().unwrap().to_string(), text);
    }
    for text in [
        "2026-02-29",
        "2026-13-01",
        "2026-1-31",
        "20260131",
        "2026-01-31T00:00:00",
        "2026-01-31+15:00",
        "2026-01-31z",
        "2026-01-31+1:00",
        "12026-01-31",
        "",
    ] {
        assert!(text.parse::<Date>().is_err(), "{text}");
    }
    for text in [
        "00:00:00",
        "23:59:59.999999999",
        "12:00:00.5Z",
        "12:00:00-14:00",
    ] {
        assert_eq!(text.parse::<Time>().unwrap().to_string(), text);
    }
    for text in [
        "24:00:01",
        "25:00:00",
        "12:60:00",
        "12:00:60",
        "12:00",
        "12:00:00.",
        "noon",
        "12:00:00Zx",
    ] {
        assert!(text.parse::<Time>().is_err(), "{text}");
    }
    let midnight: Time = "24:00:00+01:00".parse().unwrap();
    assert_eq!(midnight, Time::new(0, 0, 0, 0, Some(60)).unwrap());
    assert_eq!(
        Time::from_xml_text(" 12:00:00.1234567899 ".into())
            .unwrap()
            .nanosecond(),
        123_456_789
    );
    assert!(Date::new(2026, 2, 30, None).is_err());
    assert!(Time::new(0, 0, 0, 1_000_000_000, None).is_err());
    assert!(Date::new(9999, 12, 31, Some(-840)).is_ok());
}

#[test]
fn localized_names_are_put_together_step_by_step() {
    let lookup = |module: &str, id: &str| -> Option<Cow<'static, str>> {
        Some(match (module, id) {
            ("Main", "1") => "Temperature".into(),
            ("Main", "2") => "%0%, Max".into(),
            ("MathModule", "1") => "sum(%0%)".into(),
            ("Main", "3") => "Input %1%".into(),
            ("Main", "4") => "Entrance %1%".into(),
            ("Main", "5") => "%0%, Floor %1%".into(),
            ("Main", "6") => "100% %2% of %0%".into(),
            _ => return None,
        })
    };
    for (ids, name) in [
        ("1", Some("Temperature")),
        ("1,2", Some("Temperature, Max")),
        ("1,1|MathModule", Some("sum(Temperature)")),
        ("3||A1", Some("Input A1")),
        ("4||A1,2", Some("Entrance A1, Max")),
        ("4||A1,5||3", Some("Entrance A1, Floor 3")),
        ("2", Some(", Max")),
        ("3||a|b", Some("Input a|b")),
        ("1,6", Some("100% %2% of Temperature")),
        ("9", None),
        ("1|Unknown", None),
    ] {
        let ids = StringIds::parse(ids).unwrap();
        assert_eq!(ids.localize("Main", lookup).as_deref(), name, "{ids}");
    }
    for wrong in ["", "x", "1,", ",1", "1|M,", "|M", "-1", "1 "] {
        assert!(StringIds::parse(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn a_localized_name_cannot_fill_the_memory() {
    let steps: Vec<_> = (0..1000).map(|_| Step::new("1")).collect();
    let ids = StringIds::new(steps).unwrap();
    let text = |_: &str, _: &str| Some(Cow::Borrowed("%0%x%0%"));
    assert_eq!(ids.localize("", text), None);
}

#[test]
fn steps_that_cannot_be_written_are_refused() {
    for (step, error) in [
        (Step::new(""), StepError::Id),
        (Step::new("a"), StepError::Id),
        (Step::new("1").module("a b"), StepError::Module),
        (Step::new("1").module("urn:x"), StepError::Module),
        (Step::new("1").module("a|b"), StepError::Module),
        (Step::new("1").seed("a,b"), StepError::Seed),
    ] {
        assert_eq!(StringIds::new([step]), Err(error), "{step:?}");
    }
    assert_eq!(StringIds::new([]), Err(StepError::Missing));
    let steps = [Step::new("1").module("A.b").seed("x|y"), Step::new("2")];
    let ids = StringIds::new(steps).unwrap();
    assert_eq!(ids.as_str(), "1|A.b|x|y,2");
    assert_eq!(ids.steps().collect::<Vec<_>>(), steps);
}

#[test]
fn tokens_are_kept_joined_and_not_shown() {
    let tokens = Tokens::new().service("a b").user("");
    assert_eq!(
        Tokens::each(&tokens.service).collect::<Vec<_>>(),
        ["a", "b"]
    );
    assert_eq!(Tokens::each(&tokens.user).count(), 0);
    assert_eq!(Tokens::each(&tokens.device).count(), 0);
    assert!(!tokens.is_empty() && Tokens::new().user(" ").is_empty());
    let both = Tokens::new().service("own").device("mine").and(&tokens);
    assert_eq!(
        both,
        Tokens::new().service("own a b").device("mine").user("")
    );
    let shown = format!("{:?}", Tokens::new().service("secret").user("hidden"));
    assert!(
        !shown.contains("secret") && !shown.contains("hidden"),
        "{shown}"
    );
    let shown = format!(
        "{:?}",
        ReadoutRequest::all().tokens(Tokens::new().device("secret"))
    );
    assert!(!shown.contains("secret"), "{shown}");
}

#[test]
fn the_interval_is_inclusive_and_knows_zones() {
    let request = ReadoutRequest::new(Categories::HISTORICAL)
        .from(time("2026-01-31T12:00:00Z"))
        .to(time("2026-01-31T13:00:00"));
    for (text, offset, covered) in [
        ("2026-01-31T12:00:00Z", 0, true),
        ("2026-01-31T11:59:59.999999999Z", 0, false),
        ("2026-01-31T13:00:00+01:00", 0, true),
        ("2026-01-31T13:00:00Z", 0, true),
        ("2026-01-31T13:00:00.000000001Z", 0, false),
        // Where no zone is said, that of the reader is meant: `to` is noon in UTC then.
        ("2026-01-31T12:00:00Z", 60, true),
        ("2026-01-31T12:00:01Z", 60, false),
        ("2026-01-31T13:00:00", 60, true),
    ] {
        assert_eq!(
            request.covers(&time(text), offset),
            covered,
            "{text} {offset}"
        );
    }
    let momentary = Field::int("x", 1).categories(Categories::MOMENTARY);
    let open = ReadoutRequest::all().from(time("2030-01-01T00:00:00Z"));
    assert!(
        open.wants(&momentary, &noon(), 0),
        "the interval is about history"
    );
    assert!(!open.wants(
        &momentary.categories(Categories::HISTORICAL_OTHER),
        &noon(),
        0
    ));
}

fn through(field: Field<'static>) -> Field<'static> {
    use xmpp_iot_sensordata::payload::{NodeFields, Sample};
    let sample = Sample {
        time: noon(),
        fields: vec![field],
    };
    let fields = Fields {
        seqnr: 1,
        done: false,
        nodes: vec![NodeFields {
            node: node("1"),
            samples: vec![sample],
        }],
    };
    let element = Element::build(|writer| fields.to_xml(writer)).unwrap();
    let read: Fields<'_> = element.root().read().unwrap();
    read.nodes[0].samples[0].fields[0].clone().into_owned()
}

#[test]
fn every_type_of_value_is_carried() {
    let values = [
        Value::Numeric {
            number: "23.40".parse().unwrap(),
            unit: "°C".into(),
        },
        Value::Numeric {
            number: "NaN".parse().unwrap(),
            unit: "".into(),
        },
        Value::String(" a\r\n\tb & <c> \"d\" 'e' ".into()),
        Value::Boolean(true),
        Value::Boolean(false),
        Value::Enumeration {
            value: "On".into(),
            data_type: "Switch".into(),
        },
        Value::Int(i32::MIN),
        Value::Long(i64::MAX),
        Value::Date("2024-02-29".parse().unwrap()),
        Value::Time("12:34:56.789+02:00".parse().unwrap()),
        Value::DateTime(time("2026-01-31T12:00:00.120")),
        Value::Duration("-P1Y2M3DT4H5M6.7S".parse::<Duration>().unwrap()),
    ];
    for value in values {
        let field = Field::new("x", value);
        assert_eq!(through(field.clone()), field);
    }
}

#[test]
fn all_that_a_field_says_is_carried() {
    for writable in [None, Some(true), Some(false)] {
        let mut field = temperature("1")
            .categories(Categories::STATUS | Categories::HISTORICAL_HOUR)
            .quality(Quality::SIGNED | Quality::WARNING | Quality::IN_PROGRESS)
            .localized("Module", StringIds::parse("1,3||A1").unwrap());
        field.writable = writable;
        assert_eq!(through(field.clone()), field);
    }
    let bare = Field::int("x", 1);
    let element = Element::build(|writer| {
        let sample = xmpp_iot_sensordata::payload::Sample {
            time: noon(),
            fields: vec![bare.clone()],
        };
        let nodes = vec![xmpp_iot_sensordata::payload::NodeFields {
            node: node("1"),
            samples: vec![sample],
        }];
        Fields {
            seqnr: 1,
            done: false,
            nodes,
        }
        .to_xml(writer);
    })
    .unwrap();
    assert!(
        element.to_string().contains("<int name='x' value='1'/>"),
        "{element}"
    );
}

#[test]
fn quality_is_spelled_as_in_the_schema() {
    for (name, flag) in [
        ("missing", Quality::MISSING),
        ("inProgress", Quality::IN_PROGRESS),
        ("automaticEstimate", Quality::AUTOMATIC_ESTIMATE),
        ("manualEstimate", Quality::MANUAL_ESTIMATE),
        ("manualReadout", Quality::MANUAL_READOUT),
        ("automaticReadout", Quality::AUTOMATIC_READOUT),
        ("timeOffset", Quality::TIME_OFFSET),
        ("warning", Quality::WARNING),
        ("error", Quality::ERROR),
        ("signed", Quality::SIGNED),
        ("invoiced", Quality::INVOICED),
        ("endOfSeries", Quality::END_OF_SERIES),
        ("powerFailure", Quality::POWER_FAILURE),
        ("invoiceConfirmed", Quality::INVOICE_CONFIRMED),
    ] {
        let xml = format!(
            "<fields xmlns='urn:xmpp:iot:sensordata' seqnr='1'><node nodeId='1'>\
             <timestamp value='2026-01-31T12:00:00Z'><int name='x' {name}='true' value='1'/>\
             </timestamp></node></fields>"
        );
        let element = Element::parse(&xml).unwrap();
        let fields: Fields<'_> = element.root().read().unwrap();
        assert_eq!(fields.nodes[0].samples[0].fields[0].quality, flag, "{name}");
        assert_eq!(
            Element::build(|writer| fields.to_xml(writer)).unwrap(),
            element,
            "{name}"
        );
    }
}

#[test]
fn what_a_field_may_leave_out_is_tolerated() {
    let element = Element::parse(
        "<fields xmlns='urn:xmpp:iot:sensordata' seqnr='1'><node nodeId=''>\
         <timestamp value='2026-01-31T12:00:00'><numeric name='n' value='1'/>\
         <enum name='e' value='On'/><string name='s' value='' stringIds='what?' all='true' \
         historical='true'/>\
         <string name='t' value='' stringIds='1||A1'/></timestamp></node></fields>",
    )
    .unwrap();
    let fields: Fields<'_> = element.root().read().unwrap();
    assert_eq!(fields.nodes[0].node, node(""));
    let [numeric, enumeration, string, localized] = &fields.nodes[0].samples[0].fields[..] else {
        panic!()
    };
    assert_eq!(numeric.value.unit(), None);
    assert!(
        matches!(&enumeration.value, Value::Enumeration { data_type, .. } if data_type.is_empty())
    );
    assert_eq!(
        (string.string_ids.as_ref(), string.categories),
        (None, Categories::NONE)
    );
    assert_eq!(
        localized.string_ids.as_ref().map(StringIds::as_str),
        Some("1||A1")
    );
    assert_eq!(localized.module, None);
    // A missing unit is written as an empty one: the schema wants it.
    let written = Element::build(|writer| fields.to_xml(writer))
        .unwrap()
        .to_string();
    assert!(written.contains("value='1' unit=''"), "{written}");
}

#[test]
fn fields_are_walked_without_copying_their_texts() {
    let field = "<numeric name='Temperature' momentary='true' value='23.40' unit='°C'/>";
    let xml = format!(
        "<fields xmlns='urn:xmpp:iot:sensordata' seqnr='1'><node nodeId='n' sourceId='s'>\
         <timestamp value='2026-01-31T12:00:00Z'>{}</timestamp></node></fields>",
        field.repeat(1000)
    );
    let element = Element::parse(&xml).unwrap();
    let fields: FieldsRef<'_> = element.root().read().unwrap();
    let mut count = 0;
    for reading in fields.readings() {
        let reading = reading.unwrap();
        assert!(matches!(reading.node.id, Cow::Borrowed("n")));
        assert!(matches!(reading.field.name, Cow::Borrowed("Temperature")));
        let Value::Numeric { number, unit } = reading.field.value else {
            panic!()
        };
        assert!(matches!(unit, Cow::Borrowed("°C")));
        let inside = element.root().bytes().as_bytes().as_ptr_range();
        assert!(
            inside.contains(&number.as_str().as_ptr()),
            "the number is a slice of the stanza"
        );
        count += 1;
    }
    assert_eq!((count, fields.count()), (1000, 1000));
}
