//! Dates, times and offsets (XEP-0082).

use xmpp_core::datetime::{Date, DateTime, Offset, Time, parse_legacy};

#[test]
fn dates_are_days_with_or_without_a_zone() {
    let date: Date = " 1776-07-04\n".parse().unwrap();
    assert_eq!((date.year(), date.month(), date.day()), (1776, 7, 4));
    assert_eq!(Date::new(1776, 7, 4), Ok(date));
    for text in [
        "1776-07-04",
        "2026-02-28Z",
        "2026-02-28+02:00",
        "-0044-03-15",
    ] {
        assert_eq!(text.parse::<Date>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "1776-7-4",
        "1776-07-04T",
        "1776-07-04T00:00:00",
        "1776-07-04.5Z",
        "2026-02-29",
        "17760704",
        "2026-02-28+15:00",
        "2026-02-2\u{e9}",
    ] {
        assert!(text.parse::<Date>().is_err(), "{text}");
    }
    assert!(Date::new(2026, 2, 29).is_err());
    let day = |text: &str| text.parse::<Date>().unwrap();
    assert!(day("2026-02-28") < day("2026-03-01"));
    assert!(day("2026-02-28+02:00") < day("2026-02-28Z"));
    assert_eq!(
        day("2026-02-28+02:00").start().to_string(),
        "2026-02-28T00:00:00+02:00"
    );
}

#[test]
fn times_recur_with_or_without_a_zone() {
    let tea: Time = "16:00:00".parse().unwrap();
    assert_eq!((tea.hour(), tea.minute(), tea.second()), (16, 0, 0));
    assert_eq!(Time::new(16, 0, 0), Ok(tea));
    assert_eq!(tea.offset(), None);
    for text in [
        "16:00:00",
        "16:00:00.25",
        "23:59:59Z",
        "23:30:00-05:00",
        "00:30:00+05:00",
    ] {
        let time: Time = text.parse().unwrap();
        assert_eq!(time.to_string(), text);
    }
    let precise: Time = "16:00:00.25-05:00".parse().unwrap();
    assert_eq!(precise.nanosecond(), 250_000_000);
    assert_eq!(precise.offset().map(Offset::minutes), Some(-300));
    assert_eq!(
        precise.on_first_day().to_string(),
        "1970-01-01T16:00:00.25-05:00"
    );
    assert_eq!("24:00:00".parse::<Time>().unwrap().to_string(), "00:00:00");
    for text in [
        "",
        "16:00",
        "25:00:00",
        "16:60:00",
        "16:00:00X",
        "T16:00:00",
    ] {
        assert!(text.parse::<Time>().is_err(), "{text}");
    }
    assert!(Time::new(24, 0, 0).is_err());
    let time = |text: &str| text.parse::<Time>().unwrap();
    assert!(time("08:00:00Z") < time("09:00:00Z"));
}

#[test]
fn offsets_are_of_hours_and_minutes() {
    for (text, minutes) in [("Z", 0), ("-06:00", -360), ("+05:45", 345), ("+14:00", 840)] {
        let offset: Offset = text.parse().unwrap();
        assert_eq!(
            (offset.minutes(), offset.to_string().as_str()),
            (minutes, text)
        );
        assert_eq!(Offset::from_minutes(minutes), Ok(offset));
    }
    assert_eq!("+00:00".parse::<Offset>(), Ok(Offset::UTC));
    for text in ["", "06:00", "-6", "+14:01", "+01:60", ":00Z"] {
        assert!(text.parse::<Offset>().is_err(), "{text}");
    }
    assert!(Offset::from_minutes(841).is_err());
    assert!(Offset::from_minutes(i16::MIN).is_err());
}

#[test]
fn the_form_of_older_protocols_is_read_too() {
    let moment: DateTime = "2002-10-20T23:08:25Z".parse().unwrap();
    for text in [
        "20021020T23:08:25",
        "20021020T23:08:25Z",
        "2002-10-20T23:08:25Z",
    ] {
        assert_eq!(parse_legacy(text), Ok(moment), "{text}");
    }
    for text in [
        "",
        "2002",
        "20021020",
        "20021020T",
        "20021320T23:08:25",
        "200\u{e9}1020T23:08:25",
    ] {
        assert!(parse_legacy(text).is_err(), "{text}");
    }
}
