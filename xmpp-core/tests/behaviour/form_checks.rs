//! Answers checked against questions (XEP-0004 §4, XEP-0122).

use xmpp_core::error::{ErrorType, StanzaCondition, StanzaError};
use xmpp_core::form::validate::{MAX_MATCHED_BYTES, MAX_PATTERN_BYTES, Method, Validate};
use xmpp_core::form::{Field, FieldErrorKind, FieldType, Form, FormType};
use xmpp_xml::FromXml;

use crate::forms::{element, form};

fn answer(fields: &[(&'static str, &[&'static str])]) -> Form<'static> {
    fields
        .iter()
        .fold(Form::of(FormType::Submit), |form, (var, values)| {
            let field = values.iter().fold(Field::submitted(*var), |field, value| {
                field.with_value(*value)
            });
            form.with_field(field)
        })
}

/// The fault of a single field that is given these values.
fn fault(field: &Field<'_>, values: &[&str]) -> Option<(FieldErrorKind, String)> {
    let values: Vec<_> = values.iter().map(|value| (*value).into()).collect();
    let error = field.check(&values).err()?;
    Some((error.kind(), error.reason().to_string()))
}

fn takes(validate: &Validate<'_>, value: &str) -> bool {
    validate.check(value).is_ok()
}

#[test]
fn required_fields_have_to_be_answered_with_something() {
    let question = form(" type='form'><field var='a'><required/></field><field var='b'/>");
    assert!(question.check(&answer(&[("a", &["1"])])).is_ok());
    for wrong in [
        answer(&[]),
        answer(&[("a", &[])]),
        answer(&[("a", &[""])]),
        answer(&[("b", &["1"])]),
    ] {
        let error = question.check(&wrong).unwrap_err();
        let found: Vec<_> = error.errors().iter().map(|e| (e.var(), e.kind())).collect();
        assert_eq!(found, [("a", FieldErrorKind::Missing)]);
    }
    // An undefined value is never required.
    let question = form(" type='form'><field var='a'><required/><xdd:notSame/></field>");
    assert!(question.check(&answer(&[])).is_ok());
}

#[test]
fn only_some_types_have_several_values() {
    for kind in FieldType::ALL {
        let field = Field::new(kind, "a")
            .with_option(None::<&str>, "1")
            .with_option(None::<&str>, "0");
        let refused = fault(&field, &["1", "0"]).map(|(kind, _)| kind);
        let expected = (!kind.is_multi()).then_some(FieldErrorKind::TooMany);
        assert_eq!(refused, expected, "{kind:?}");
    }
}

#[test]
fn booleans_addresses_and_choices_are_what_they_say() {
    let boolean = Field::new(FieldType::Boolean, "a");
    for value in ["true", "false", "1", "0"] {
        assert_eq!(fault(&boolean, &[value]), None);
    }
    for value in ["yes", "True", "2"] {
        assert!(fault(&boolean, &[value]).is_some());
    }
    let address = Field::new(FieldType::JidSingle, "a");
    assert_eq!(fault(&address, &["juliet@example.com/balcony"]), None);
    assert!(fault(&address, &["juliet@"]).is_some());
    let addresses = Field::new(FieldType::JidMulti, "a");
    assert_eq!(fault(&addresses, &["a@b", "c"]), None);
    assert!(fault(&addresses, &["a@b", "@c"]).is_some());
    let list = Field::new(FieldType::ListMulti, "a")
        .with_option(Some("One"), "1")
        .with_option(Some("Two"), "2");
    assert_eq!(fault(&list, &["1", "2"]), None);
    assert!(fault(&list, &["1", "3"]).is_some());
    // The label is not the value.
    assert!(fault(&list, &["One"]).is_some());
    let open = list.clone().with_validate(Validate::open("xs:int"));
    assert_eq!(fault(&open, &["1", "3"]), None);
    assert!(fault(&open, &["x"]).is_some());
    // Every method but basic implies open.
    let range = list
        .clone()
        .with_validate(Validate::range("xs:int", Some("1"), Some("5")));
    assert_eq!(fault(&range, &["5"]), None);
    assert!(fault(&range, &["6"]).is_some());
    let basic = list.with_validate(Validate::basic("xs:int"));
    assert!(fault(&basic, &["3"]).is_some());
}

#[test]
fn what_is_shown_only_and_what_is_not_asked_does_not_count() {
    let question = form(
        " type='form'><field var='r' type='boolean'><xdd:readOnly/></field><field var='f' type='fixed'/>\
         <field var='a' type='boolean'/>",
    );
    let sent = answer(&[("r", &["x"]), ("f", &["x", "y"]), ("u", &["x"]), ("v", &[])]);
    assert!(question.check(&sent).is_ok());
    let unknown: Vec<_> = question
        .unknown_fields(&sent)
        .map(|f| f.var.as_deref().unwrap())
        .collect();
    assert_eq!(unknown, ["u", "v"]);
}

#[test]
fn a_field_that_stands_twice_and_another_type_of_form_are_refused() {
    let question = form(" type='form'><field var='a'/>");
    let error = question
        .check(&answer(&[("a", &["1"]), ("a", &["2"])]))
        .unwrap_err();
    assert_eq!(error.errors()[0].kind(), FieldErrorKind::Repeated);
    for kind in [FormType::Form, FormType::Cancel, FormType::Result] {
        let error = question.check(&Form::of(kind)).unwrap_err();
        assert_eq!(error.errors()[0].kind(), FieldErrorKind::Form);
    }
    // Devices leave the type out.
    assert!(question.check(&Form::default()).is_ok());
}

#[test]
fn faults_are_told_together_and_shown_in_the_form() {
    let mut question = form(
        " type='form'><field var='a' type='boolean'/><field var='b'><required/></field><field var='c'/>",
    );
    let error = question.check(&answer(&[("a", &["x"])])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "field \"a\": not a boolean: true, false, 1 or 0; field \"b\": a value is required"
    );
    let refusal = StanzaError::from(&error);
    assert_eq!(
        (refusal.condition, refusal.kind),
        (StanzaCondition::NotAcceptable, ErrorType::Modify)
    );
    error.mark(&mut question);
    assert_eq!(
        question.field("b").unwrap().error.as_deref(),
        Some("a value is required")
    );
    assert_eq!(question.field("c").unwrap().error, None);

    let many: String = (0..100)
        .map(|n| format!("<field var='{n}'><required/></field>"))
        .collect();
    let error = form(&format!(" type='form'>{many}"))
        .check(&answer(&[]))
        .unwrap_err();
    assert_eq!(error.errors().len(), 100);
    assert!(error.to_string().ends_with("; and 92 more"));
    let long = "n".repeat(1000);
    let question =
        Form::new("").with_field(Field::new(FieldType::Boolean, long.clone()).with_required());
    assert_eq!(
        question.check(&answer(&[])).unwrap_err().errors()[0]
            .var()
            .len(),
        128
    );
}

#[test]
fn datatypes_have_their_values_and_no_others() {
    let cases: [(&str, &[&str], &[&str]); 21] = [
        ("xs:string", &["", "anything <>"], &[]),
        ("x:own", &["anything"], &[]),
        ("xs:boolean", &["true", "0"], &["no"]),
        ("xs:byte", &["-128", "127", "+1"], &["128", "1.0", "x", ""]),
        ("xs:short", &["-32768", "32767"], &["32768"]),
        (
            "xs:int",
            &["-2147483648", "2147483647"],
            &["2147483648", "1.5"],
        ),
        (
            "xs:long",
            &["-9223372036854775808"],
            &["9223372036854775808"],
        ),
        ("xs:unsignedByte", &["0", "255"], &["-1", "256"]),
        (
            "xs:integer",
            &["99999999999999999999999999", "-0", "+7"],
            &["1.", "", "-", "1e3"],
        ),
        ("xs:nonNegativeInteger", &["0", "-0", "5"], &["-5"]),
        ("xs:positiveInteger", &["1"], &["0", "-1"]),
        ("xs:negativeInteger", &["-1"], &["0", "1"]),
        ("xs:nonPositiveInteger", &["0", "-9"], &["1"]),
        (
            "xs:decimal",
            &["1.5", "-.5", "7.", "+00.10"],
            &[".", "1e3", "1.5.2", "--1"],
        ),
        ("xs:double", &["1e3", "INF", "-0.5", "NaN"], &["inf", "x"]),
        (
            "xs:dateTime",
            &["2003-10-06T11:22:00-07:00", "2003-10-06T11:22:00"],
            &["2003-10-06", "x"],
        ),
        ("xs:date", &["2003-10-06", "2003-10-06Z"], &["2003-13-06"]),
        ("xs:time", &["11:22:00", "11:22:00.5Z"], &["11:22"]),
        ("xs:duration", &["PT5M", "-P1Y"], &["5 minutes"]),
        (
            "xs:language",
            &["en", "de-1996"],
            &["", "e_n", "1de", "waytoolongtag"],
        ),
        (
            "xs:anyURI",
            &["http://example.com/a?b#c", "urn:x:y"],
            &["<a>", "a|b"],
        ),
    ];
    for (datatype, good, bad) in cases {
        let validate = Validate::basic(datatype);
        for value in good {
            assert!(takes(&validate, value), "{datatype} {value:?}");
        }
        for value in bad {
            assert!(!takes(&validate, value), "{datatype} {value:?}");
        }
    }
    assert!(takes(&Validate::basic("xs:base64Binary"), "aGVsbG8="));
    assert!(!takes(&Validate::basic("xs:base64Binary"), "?"));
    assert!(takes(&Validate::basic("xs:hexBinary"), "00fF"));
    assert!(!takes(&Validate::basic("xs:hexBinary"), "0"));
    assert!(takes(&Validate::default(), "anything"));
}

#[test]
fn ranges_include_their_ends_and_compare_values_not_texts() {
    let range = |datatype, min, max| Validate::range(datatype, min, max);
    for (datatype, min, max, inside, outside) in [
        (
            "xs:int",
            "9",
            "100",
            &["9", "100", "010", "+50"][..],
            &["8", "101", "-9"][..],
        ),
        (
            "xs:decimal",
            "-1.50",
            "1.5",
            &["-1.5", "1.500", "0"],
            &["-1.501", "1.51", "2"],
        ),
        (
            "xs:integer",
            "-10",
            "100000000000000000000",
            &["-10", "99999999999999999999"],
            &["-11", "100000000000000000001"],
        ),
        (
            "xs:double",
            "-1",
            "1e3",
            &["1000", "-1.0"],
            &["1000.1", "-INF"],
        ),
        (
            "xs:dateTime",
            "2003-10-05T00:00:00-07:00",
            "2003-10-24T23:59:59-07:00",
            &[
                "2003-10-06T11:22:00-07:00",
                "2003-10-05T07:00:00Z",
                "2003-10-25T06:59:59Z",
            ],
            &["2003-10-05T00:00:00Z", "2003-10-25T07:00:00Z"],
        ),
        (
            "xs:date",
            "2003-10-05",
            "2003-10-24",
            &["2003-10-05", "2003-10-24Z"],
            &["2003-10-04", "2003-10-25"],
        ),
        (
            "xs:time",
            "08:00:00Z",
            "16:00:00Z",
            &["08:00:00Z", "17:00:00+01:00"],
            &["08:00:00+01:00"],
        ),
    ] {
        let validate = range(datatype, Some(min), Some(max));
        for value in inside {
            assert!(takes(&validate, value), "{datatype} {value}");
        }
        for value in outside {
            assert!(!takes(&validate, value), "{datatype} {value}");
        }
        // Each end for itself, and none at all.
        assert!(
            !takes(&range(datatype, Some(min), None), outside[0])
                || !takes(&range(datatype, None, Some(max)), outside[0])
        );
        assert!(takes(&range(datatype, None, None), outside[0]));
    }
    // Texts have no order, and a bound that is no value bounds nothing.
    assert!(takes(&range("xs:string", Some("b"), Some("c")), "a"));
    assert!(takes(&range("xs:int", Some("low"), None), "-5"));
}

#[test]
fn a_pattern_has_to_match_the_whole_value() {
    // XEP-0122, example 5.
    let number = Validate::regex("xs:string", "([0-9]{3})-([0-9]{2})-([0-9]{4})");
    assert!(takes(&number, "123-12-1234"));
    for value in ["123-12-12345", "x123-12-1234", "", "123-12-1234\n"] {
        assert!(!takes(&number, value), "{value:?}");
    }
    let classes = Validate::regex("xs:string", "[[:alpha:]]+|[[:digit:]]{2,}");
    assert!(takes(&classes, "abc") && takes(&classes, "42"));
    assert!(!takes(&classes, "a1") && !takes(&classes, "4"));
    // The datatype counts too.
    assert!(!takes(&Validate::regex("xs:int", ".*"), "x"));
}

#[test]
fn patterns_are_bounded_and_broken_ones_refuse_nothing() {
    for pattern in [
        "(",
        "[",
        "a)(?:b",
        "(((((x{1000}){1000}){1000}){1000}){1000})",
        "\\p{Letter}",
    ] {
        assert!(
            takes(&Validate::regex("xs:string", pattern), "anything"),
            "{pattern}"
        );
    }
    let long = "a".repeat(MAX_PATTERN_BYTES + 1);
    assert!(takes(&Validate::regex("xs:string", long.clone()), "b"));
    assert!(!takes(&Validate::regex("xs:string", &long[1..]), "b"));
    // What makes other engines run for ever.
    let evil = Validate::regex("xs:string", "(a*)*b");
    assert!(!takes(&evil, &"a".repeat(MAX_MATCHED_BYTES)));
    let any = Validate::regex("xs:string", "a*");
    assert!(takes(&any, &"a".repeat(MAX_MATCHED_BYTES)));
    assert!(!takes(&any, &"a".repeat(MAX_MATCHED_BYTES + 1)));
}

#[test]
fn choices_of_a_list_are_counted() {
    let validate = Validate::basic("xs:string").with_list_range(Some(2), Some(3));
    let list = ["1", "2", "3", "4"]
        .iter()
        .fold(Field::new(FieldType::ListMulti, "a"), |field, value| {
            field.with_option(None::<&str>, *value)
        })
        .with_validate(validate.clone());
    for (values, kind) in [
        (&["1"][..], Some(FieldErrorKind::Choices)),
        (&["1", "2"], None),
        (&["1", "2", "3"], None),
        (&["1", "2", "3", "4"], Some(FieldErrorKind::Choices)),
    ] {
        assert_eq!(
            fault(&list, values).map(|(kind, _)| kind),
            kind,
            "{values:?}"
        );
    }
    // Elsewhere the numbers mean nothing.
    let text = Field::new(FieldType::TextSingle, "a").with_validate(validate);
    assert_eq!(fault(&text, &["1"]), None);
}

#[test]
fn a_method_is_read_by_its_namespace_and_stands_once() {
    let read = |content: &str| {
        let form = format!(
            "><field var='a'><xdv:validate datatype='xs:int'>{content}</xdv:validate></field>"
        );
        Form::from_xml(element(&form).root())
            .map(|form| form.fields[0].validate.as_deref().unwrap().method.clone())
            .map(|method| method.map(xmpp_xml::IntoOwned::into_owned))
    };
    assert_eq!(read("").unwrap(), None);
    assert_eq!(read("<xdv:basic/>").unwrap(), Some(Method::Basic));
    assert_eq!(read("<xdv:open/>").unwrap(), Some(Method::Open));
    assert_eq!(
        read("<xdv:range max='5'/>").unwrap(),
        Some(Method::Range {
            min: None,
            max: Some("5".into())
        })
    );
    assert_eq!(
        read("<xdv:regex>a+</xdv:regex>").unwrap(),
        Some(Method::Regex("a+".into()))
    );
    // A method that is not known is basic, and so is one in another namespace.
    assert_eq!(read("<xdv:guess/>").unwrap(), None);
    assert_eq!(read("<open/>").unwrap(), None);
    assert!(read("<xdv:basic/><xdv:open/>").is_err());
    let plain = form(
        "><field var='a'><validate xmlns='http://jabber.org/protocol/xdata-validate'><range min='1'/></validate></field>",
    );
    let validate = plain.fields[0].validate.as_deref().unwrap();
    assert_eq!(validate.datatype_or_default(), "xs:string");
    assert!(validate.is_open());
}
