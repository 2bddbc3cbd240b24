//! The lexical forms of XML Schema, read and written.

use std::borrow::Cow;
use std::fmt::Debug;

use proptest::prelude::*;
use xmpp_xml::value::{
    AnyUri, Base64, Civil, DateTime, Duration, FromXmlText, Id, NmToken, Parsed, QName, ToXmlText,
    ValueError,
};
use xmpp_xml::{Element, ElementRef};

fn read<'a, T: FromXmlText<'a>>(text: &'a str) -> Result<T, ValueError> {
    T::from_xml_text(Cow::Borrowed(text))
}

fn refused<'a, T: FromXmlText<'a> + Debug>(texts: &[&'a str]) {
    for text in texts {
        assert!(
            read::<T>(text).is_err(),
            "{text:?} was read as {:?}",
            read::<T>(text)
        );
    }
}

/// Each pair: what is read, and how the same value is written.
fn canonical<T: for<'a> FromXmlText<'a> + ToXmlText>(pairs: &[(&str, &str)]) {
    for (text, written) in pairs {
        let value: T = read(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert_eq!(value.to_xml_text(), *written, "from {text:?}");
    }
}

fn back<T: for<'a> FromXmlText<'a> + ToXmlText>(value: &T) -> T {
    read(&value.to_xml_text()).unwrap()
}

#[test]
fn booleans_have_four_forms_and_ignore_white_space_around_them() {
    canonical::<bool>(&[
        ("true", "true"),
        ("1", "true"),
        ("false", "false"),
        ("0", "false"),
        (" \t\r\ntrue\n", "true"),
    ]);
    refused::<bool>(&["", "TRUE", "True", "yes", "2", "01", "tr ue", "\u{a0}true"]);
}

#[test]
fn integers_take_a_sign_and_leading_zeros() {
    canonical::<i32>(&[
        ("+5", "5"),
        ("-0", "0"),
        ("-007", "-7"),
        (" 12\n", "12"),
        ("2147483647", "2147483647"),
        ("-2147483648", "-2147483648"),
    ]);
    canonical::<u8>(&[
        ("+255", "255"),
        ("-0", "0"),
        ("-000", "0"),
        ("0000000255", "255"),
    ]);
    refused::<i32>(&[
        "", " ", "+", "-", "+-5", "--5", "1 2", "0x10", "1.0", "1e3", "٣", "1_000",
    ]);
    refused::<u32>(&["-", "-1", "-01"]);
}

#[test]
fn an_integer_beyond_its_type_is_refused_and_does_not_wrap() {
    refused::<u8>(&["256", "-1", "99999999999999999999999999"]);
    refused::<i8>(&["128", "-129"]);
    refused::<i64>(&["9223372036854775808", "-9223372036854775809"]);
    refused::<u128>(&["340282366920938463463374607431768211456"]);
    assert_eq!(
        read::<u8>("256").unwrap_err().reason(),
        "out of the range of u8"
    );
    assert_eq!(
        read::<u8>("many").unwrap_err().to_string(),
        "not a whole number"
    );
}

#[test]
fn floats_name_infinity_and_nan_as_xml_schema_does() {
    canonical::<f64>(&[
        ("INF", "INF"),
        ("+INF", "INF"),
        ("-INF", "-INF"),
        ("NaN", "NaN"),
        ("1e3", "1000"),
        ("1E400", "INF"),
        (".5", "0.5"),
        ("5.", "5"),
        (" -1.25 ", "-1.25"),
        ("-0", "-0"),
        ("1e300", "1E300"),
        ("0.00001", "0.00001"),
        ("1.5e-7", "1.5E-7"),
        ("9999999999999998", "9999999999999998"),
        ("1e16", "1E16"),
    ]);
    canonical::<f32>(&[("0.1", "0.1"), ("1e39", "INF"), ("16777217", "16777216")]);
    refused::<f64>(&[
        "", ".", "e5", "inf", "Infinity", "nan", "-NaN", "1,5", "1e", "0x1p3", "1e3.5", "+", "1+1",
    ]);
}

#[test]
fn strings_keep_their_white_space_and_are_borrowed() {
    assert_eq!(read::<String>(" a\n").unwrap(), " a\n");
    let text = String::from(" held ");
    assert!(matches!(
        read::<Cow<'_, str>>(&text),
        Ok(Cow::Borrowed(" held "))
    ));
    assert_eq!("a<b".to_xml_text(), "a<b");
    assert_eq!(Cow::Borrowed("x").to_xml_text(), "x");
    assert_eq!(
        <&String as ToXmlText>::to_xml_text(&&String::from("x")),
        "x"
    );
}

#[test]
fn base64_skips_white_space_unless_told_to_be_strict() {
    assert_eq!(read::<Base64>(" aGVs\r\n\tbG8 = ").unwrap().0, b"hello");
    assert_eq!(read::<Base64>("").unwrap().0, b"");
    assert_eq!(
        Base64::from_strict("aGVsbG8=").unwrap(),
        Base64(b"hello".to_vec())
    );
    for text in [
        "aGVs bG8=",
        "aGVsbG8=\n",
        "aGVsbG8",
        "aGVsbG9=",
        "aGVsbG8==",
        "a-_b",
        "=",
    ] {
        assert!(Base64::from_strict(text).is_err(), "{text:?}");
    }
    refused::<Base64>(&["aGVsbG8", "aGVsbG9=", "a\u{a0}GVsbG8=", "a=b="]);
}

#[test]
fn date_times_are_read_with_and_without_zone_and_fraction() {
    canonical::<DateTime>(&[
        ("1969-07-21T02:56:15Z", "1969-07-21T02:56:15Z"),
        ("1969-07-20T21:56:15-05:00", "1969-07-20T21:56:15-05:00"),
        ("2026-11-22T12:00:00", "2026-11-22T12:00:00"),
        ("2026-11-22T12:00:00.5", "2026-11-22T12:00:00.5"),
        ("2026-11-22T12:00:00.120Z", "2026-11-22T12:00:00.12Z"),
        ("2026-11-22T12:00:00.000+05:30", "2026-11-22T12:00:00+05:30"),
        (
            "2026-11-22T12:00:00.0000000019999Z",
            "2026-11-22T12:00:00.000000001Z",
        ),
        ("2026-11-22T12:00:00-00:00", "2026-11-22T12:00:00Z"),
        ("2026-11-22T12:00:00+14:00", "2026-11-22T12:00:00+14:00"),
        (" 2026-11-22T12:00:00Z\n", "2026-11-22T12:00:00Z"),
        ("-0044-03-15T12:00:00Z", "-0044-03-15T12:00:00Z"),
        ("0000-02-29T00:00:00Z", "0000-02-29T00:00:00Z"),
        ("2000-02-29T23:59:59Z", "2000-02-29T23:59:59Z"),
    ]);
}

#[test]
fn the_hour_24_is_the_next_day() {
    canonical::<DateTime>(&[
        ("2026-12-31T24:00:00Z", "2027-01-01T00:00:00Z"),
        ("2028-02-28T24:00:00.000+01:00", "2028-02-29T00:00:00+01:00"),
    ]);
    refused::<DateTime>(&[
        "2026-12-31T24:00:01Z",
        "2026-12-31T24:01:00Z",
        "2026-12-31T24:00:00.1Z",
        "9999-12-31T24:00:00Z",
    ]);
}

#[test]
fn a_date_time_that_does_not_exist_or_is_cut_is_refused() {
    refused::<DateTime>(&[
        "",
        "2026",
        "2026-11-22",
        "12:00:00",
        "2026-11-22 12:00:00Z",
        "2026-11-22t12:00:00z",
        "2026-11-22T12:00Z",
        "2026-11-22T12:00:00.Z",
        "2026-11-22T12:00:00ZZ",
        "2026-11-22T12:00:00Z+",
        "2026-11-22T12:00:00+0100",
        "2026-11-22T12:00:00+1:00",
        "2026-11-22T12:00:00+14:01",
        "2026-11-22T12:00:00-14:01",
        "2026-11-22T12:00:00+13:60",
        "2026-11-22T12:00:00+99:00",
        "2026-11-22T12:00:60Z",
        "2026-11-22T12:60:00Z",
        "2026-11-22T25:00:00Z",
        "2026-11-31T12:00:00Z",
        "2026-02-29T12:00:00Z",
        "1900-02-29T12:00:00Z",
        "2026-00-10T12:00:00Z",
        "2026-13-10T12:00:00Z",
        "2026-11-00T12:00:00Z",
        "12026-11-22T12:00:00Z",
        "+2026-11-22T12:00:00Z",
        "226-11-22T12:00:00Z",
        "20261122T12:00:00",
    ]);
}

#[test]
fn date_times_count_from_1970() {
    let of = |text: &str| text.parse::<DateTime>().unwrap();
    assert_eq!(of("1970-01-01T00:00:00Z").unix_seconds(), 0);
    assert_eq!(of("1970-01-01T01:00:00+01:00").unix_seconds(), 0);
    assert_eq!(of("2001-09-09T01:46:40Z").unix_seconds(), 1_000_000_000);
    assert_eq!(of("1969-12-31T23:59:59.75Z").unix_seconds(), -1);
    assert_eq!(of("1969-12-31T23:59:59.75Z").nanoseconds(), 750_000_000);
    assert_eq!(of("2001-09-09T01:46:40").unix_seconds(), 1_000_000_000);
    assert_eq!(of("2001-09-09T01:46:40").offset(), None);
    assert_eq!(of("0001-01-01T00:00:00Z").unix_seconds(), -62_135_596_800);
    assert_eq!(of("9999-12-31T23:59:59.999999999Z"), DateTime::MAX);
    assert_eq!(of("-9999-01-01T00:00:00Z"), DateTime::MIN);
}

#[test]
fn date_times_are_ordered_by_instant() {
    let of = |text: &str| text.parse::<DateTime>().unwrap();
    assert!(of("2026-01-01T01:00:00+02:00") < of("2026-01-01T00:00:00Z"));
    assert!(of("2026-01-01T00:00:00.1Z") > of("2026-01-01T00:00:00Z"));
    assert!(of("2026-01-01T00:00:00") < of("2026-01-01T00:00:00Z"));
    assert_ne!(of("2026-01-01T01:00:00+01:00"), of("2026-01-01T00:00:00Z"));
    assert_eq!(
        of("2026-01-01T01:00:00+01:00").to_utc(),
        of("2026-01-01T00:00:00Z")
    );
}

#[test]
fn times_out_of_range_are_refused() {
    assert!(DateTime::from_unix(DateTime::MAX.unix_seconds() + 1, 0).is_err());
    assert!(DateTime::from_unix(DateTime::MIN.unix_seconds() - 1, 0).is_err());
    assert!(DateTime::from_unix(i64::MAX, 0).is_err());
    assert!(DateTime::from_unix(i64::MIN, 0).is_err());
    assert!(DateTime::from_unix(0, 1_000_000_000).is_err());
    let early = DateTime::from_civil(Civil {
        year: -9999,
        offset: Some(840),
        ..Civil::default()
    });
    assert_eq!(early.unwrap().to_utc(), DateTime::MIN);
    assert!(
        DateTime::from_civil(Civil {
            year: 10_000,
            ..Civil::default()
        })
        .is_err()
    );
    assert!(
        DateTime::from_civil(Civil {
            offset: Some(i16::MIN),
            ..Civil::default()
        })
        .is_err()
    );
}

#[test]
fn date_times_convert_from_and_to_the_systems_clock() {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};
    for time in [
        UNIX_EPOCH,
        UNIX_EPOCH + Duration::new(1_800_000_000, 1),
        UNIX_EPOCH - Duration::new(1, 250_000_000),
        UNIX_EPOCH - Duration::new(3, 0),
    ] {
        let date = DateTime::try_from(time).unwrap();
        assert_eq!(SystemTime::try_from(date).unwrap(), time, "{date}");
    }
    let before = DateTime::try_from(UNIX_EPOCH - Duration::new(1, 250_000_000)).unwrap();
    assert_eq!(before.to_string(), "1969-12-31T23:59:58.75Z");
}

#[test]
fn durations_are_read_and_written_in_their_shortest_form() {
    canonical::<Duration>(&[
        ("PT0S", "PT0S"),
        ("P0Y", "PT0S"),
        ("-PT0S", "PT0S"),
        ("P1Y2M3DT4H5M6.7S", "P1Y2M3DT4H5M6.7S"),
        ("P14M", "P1Y2M"),
        ("PT36H", "P1DT12H"),
        ("PT90S", "PT1M30S"),
        ("-P1D", "-P1D"),
        ("-PT0.000000001S", "-PT0.000000001S"),
        ("P1M", "P1M"),
        ("PT1M", "PT1M"),
        ("PT0.50S", "PT0.5S"),
        ("P1YT1S", "P1YT1S"),
        (" P007D ", "P7D"),
    ]);
    refused::<Duration>(&[
        "",
        "P",
        "PT",
        "-P",
        "-",
        "P1",
        "1D",
        "P1S",
        "P1H",
        "PT1D",
        "PT1Y",
        "P1YT",
        "P1M1Y",
        "PT1S1M",
        "P1D1D",
        "P-1D",
        "P1.5D",
        "PT1.S",
        "PT.5S",
        "PT1.5M",
        "PT1.5",
        "+P1D",
        "p1d",
        "P 1D",
        "P1DT1H ago",
        "PT1STT",
    ]);
}

#[test]
fn a_duration_beyond_64_bits_is_refused() {
    canonical::<Duration>(&[("P18446744073709551615M", "P1537228672809129301Y3M")]);
    refused::<Duration>(&[
        "P18446744073709551616M",
        "P1537228672809129302Y",
        "P213503982334602D",
        "PT18446744073709551615S1S",
        "P1DT18446744073709551615S",
        "PT99999999999999999999999999H",
    ]);
}

#[test]
fn only_a_duration_of_fixed_length_becomes_a_core_duration() {
    use core::time::Duration as Time;
    let of = |text: &str| text.parse::<Duration>().unwrap();
    assert_eq!(
        Time::try_from(of("P1DT0.25S")),
        Ok(Time::new(86_400, 250_000_000))
    );
    assert!(Time::try_from(of("P1M")).is_err());
    assert!(Time::try_from(of("-PT1S")).is_err());
    assert_eq!(Duration::from(Time::from_millis(1500)), of("PT1.5S"));
    assert_eq!(Duration::new(1, Time::ZERO).negated(), of("-P1M"));
    assert_eq!(of("-P1M").negated(), of("P1M"));
    assert!(!of("PT0S").negated().is_negative());
    assert_eq!(
        (of("-P1MT1S").months(), of("-P1MT1S").time()),
        (1, Time::from_secs(1))
    );
}

#[test]
fn an_error_does_not_repeat_the_text() {
    for error in [
        read::<bool>("hunter2").unwrap_err(),
        read::<u8>("hunter2").unwrap_err(),
        read::<f64>("hunter2").unwrap_err(),
        read::<Base64>("hunter2").unwrap_err(),
        read::<DateTime>("hunter2").unwrap_err(),
        read::<Duration>("hunter2").unwrap_err(),
    ] {
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

proptest! {
    #[test]
    fn integers_come_back(a: i8, b: u64, c: i128, d: usize) {
        prop_assert_eq!(back(&a), a);
        prop_assert_eq!(back(&b), b);
        prop_assert_eq!(back(&c), c);
        prop_assert_eq!(back(&d), d);
    }

    #[test]
    fn floats_come_back(a in proptest::num::f64::ANY, b in proptest::num::f32::ANY) {
        prop_assert!(back(&a) == a || a.is_nan() && back(&a).is_nan());
        prop_assert!(back(&b) == b || b.is_nan() && back(&b).is_nan());
    }

    #[test]
    fn bytes_come_back(bytes: Vec<u8>) {
        let value = Base64(bytes);
        prop_assert_eq!(back(&value), value);
    }

    #[test]
    fn date_times_come_back(
        seconds in DateTime::MIN.unix_seconds() + 86_400..=DateTime::MAX.unix_seconds() - 86_400,
        nanosecond in 0u32..1_000_000_000,
        offset in proptest::option::of(-840i16..=840),
    ) {
        let utc = DateTime::from_unix(seconds, nanosecond).unwrap();
        prop_assert_eq!(back(&utc), utc);
        let shown = Civil { offset, ..utc.civil() };
        let local = DateTime::from_civil(shown).unwrap();
        prop_assert_eq!(local.civil(), shown);
        prop_assert_eq!(back(&local), local);
        prop_assert_eq!(local.unix_seconds(), seconds - i64::from(offset.unwrap_or(0)) * 60);
    }

    #[test]
    fn every_day_is_followed_by_the_next(year in -9999i32..9999, month in 1u8..=12, day in 1u8..=28) {
        let date = DateTime::from_civil(Civil { year, month, day, hour: 12, ..Civil::default() });
        let next = DateTime::from_unix(date.unwrap().unix_seconds() + 86_400, 0).unwrap().civil();
        let same_month = (next.year, next.month, next.day) == (year, month, day + 1);
        let month_ends = day == 28 && month == 2 && (next.month, next.day) == (3, 1);
        prop_assert!(same_month || month_ends, "{:?}", next);
    }

    #[test]
    fn durations_come_back(months: u64, seconds: u64, nanoseconds in 0u32..1_000_000_000, past: bool) {
        let duration = Duration::new(months, core::time::Duration::new(seconds, nanoseconds));
        let duration = if past { duration.negated() } else { duration };
        prop_assert_eq!(back(&duration), duration);
    }

    #[test]
    fn no_text_makes_a_codec_panic(text in "[-+0-9TZPYMDHS.:eEINFa \n]{0,40}") {
        let _ = (read::<DateTime>(&text), read::<Duration>(&text), read::<f64>(&text));
        let _ = (read::<i64>(&text), read::<u8>(&text), read::<bool>(&text), read::<Base64>(&text));
    }
}

#[test]
fn addresses_of_resources_are_checked_by_their_form() {
    for good in [
        "",
        "http://example.org/a?b=c#d",
        "xmpp:romeo@montague.example?message;body=x%20y",
        "urn:xmpp:iot:sensordata",
        "mailto:a@b",
        "//user:pw@[2001:db8::1]:80/a",
        "../a/b:c",
        "#fragment",
        "?query/?",
        "http://ex\u{e4}mple.org/\u{6f22}",
        "cid:sha1+8f35fef110ffc5df08d579a50083ff9308fb6242@bob.xmpp.org",
    ] {
        assert_eq!(AnyUri::new(good).unwrap().as_str(), good);
    }
    refused::<AnyUri<'_>>(&[
        "a b",
        "a%",
        "a%2",
        "a%zz",
        "a#b#c",
        ":a",
        "1a:b",
        "a_b:c",
        "a<b",
        "a\"b",
        "a\\b",
        "a^b",
        "{a}",
        "a\u{7f}",
        "a\u{85}",
        "http://[::1/",
        "http://a[::1]/",
        "http://[::1]x/",
        "/a[1]",
        "a\u{a0}b",
    ]);
    assert_eq!(
        read::<AnyUri<'_>>(" \n http://a/ \t").unwrap().as_str(),
        "http://a/"
    );
}

#[test]
fn names_in_values_are_checked_by_their_form() {
    for (name, prefix, local) in [
        ("a", "", "a"),
        ("xs:int", "xs", "int"),
        ("\u{e9}:_.1", "\u{e9}", "_.1"),
    ] {
        let name = QName::new(name).unwrap();
        assert_eq!((name.prefix(), name.local_name()), (prefix, local));
    }
    refused::<QName<'_>>(&["", ":a", "a:", "a:b:c", "1a", "a:1", "a b"]);
    for good in ["1", "-a", "a:b:", ".", "\u{b7}", "\u{6f22}-7"] {
        assert_eq!(NmToken::new(good).unwrap().as_str(), good);
    }
    refused::<NmToken<'_>>(&["", "a b", "a/b", "a\u{d7}", "a,b", "\u{2028}"]);
    for good in ["a", "_1", "\u{e9}"] {
        assert_eq!(Id::new(good).unwrap().as_str(), good);
    }
    refused::<Id<'_>>(&["", "1a", "a:b", "-a", "a b"]);
    // White space is around them, not in them; and what is read is borrowed.
    let token = read::<NmToken<'_>>("\t1a\n").unwrap();
    assert_eq!(token.as_str(), "1a");
    assert_eq!(token.to_xml_text(), "1a");
    assert_eq!(
        Id::from_xml_text(Cow::Owned(" a ".to_owned()))
            .unwrap()
            .to_string(),
        "a"
    );
    assert!(NmToken::new(" a").is_err());
}

#[test]
fn a_name_in_a_value_means_what_the_element_around_it_says() {
    let element = Element::parse(
        "<a xmlns='urn:a' xmlns:p='urn:p'><b xmlns='' xmlns:q='urn:q'><c xmlns:p='urn:other'/></b></a>",
    )
    .unwrap();
    let a = element.root();
    let b = a.children().next().unwrap();
    let c = b.children().next().unwrap();
    let resolve = |name: &'static str, within: ElementRef<'_>| {
        let name = QName::new(name).unwrap();
        let (namespace, local) = name.resolve(within)?;
        Some((namespace.to_owned(), local.to_owned()))
    };
    let name = |namespace: &str, local: &str| Some((namespace.to_owned(), local.to_owned()));
    assert_eq!(resolve("x", a), name("urn:a", "x"));
    assert_eq!(resolve("x", b), name("", "x"));
    assert_eq!(resolve("p:x", b), name("urn:p", "x"));
    assert_eq!(resolve("p:x", c), name("urn:other", "x"));
    assert_eq!(resolve("q:x", c), name("urn:q", "x"));
    assert_eq!(resolve("q:x", a), None);
    assert_eq!(
        resolve("xml:x", a),
        name("http://www.w3.org/XML/1998/namespace", "x")
    );
    assert_eq!(
        b.to_element().root().namespace_of_prefix("q"),
        Some("urn:q")
    );
}

#[test]
fn types_with_from_str_are_values() {
    use std::net::IpAddr;
    let address = read::<Parsed<IpAddr>>(" 127.0.0.1\n").unwrap();
    assert!(address.0.is_loopback());
    assert_eq!(address.to_xml_text(), "127.0.0.1");
    let error = read::<Parsed<IpAddr>>("secret").unwrap_err();
    assert!(!error.to_string().contains("secret"));
}

#[test]
fn core_durations_are_values_of_fixed_length() {
    use std::time::Duration;
    assert_eq!(
        read::<Duration>("PT1M0.5S").unwrap(),
        Duration::from_millis(60_500)
    );
    assert_eq!(
        back(&Duration::from_secs(86_400)),
        Duration::from_secs(86_400)
    );
    refused::<Duration>(&["P1M", "-PT1S", "1"]);
}
