//! Types that derive reading and writing, by each attribute of the derives.

use std::borrow::Cow;
use std::fmt::Debug;

use proptest::prelude::*;
use xmpp_xml::typed::FromXmlErrorKind;
use xmpp_xml::value::{Base64, DateTime, Duration};
use xmpp_xml::{
    Element, ElementRef, FromXml, FromXmlError, FromXmlText, IntoOwned, ToXml, ToXmlText, Writer,
};

const NS: &str = "urn:example:a";

/// An element in the namespace of these tests.
fn element(xml: &str) -> Element {
    let end = xml.find([' ', '/', '>']).unwrap();
    let (start, rest) = xml.split_at(end);
    Element::parse(&format!("{start} xmlns='{NS}'{rest}")).unwrap()
}

fn written(value: &dyn ToXml) -> String {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes);
    value.to_xml(&mut writer);
    writer.finish().unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Reads `xml` as `value`, and writes `value` as the very same `xml`.
fn both_ways<T>(xml: &str, value: T)
where
    T: for<'a> FromXml<'a> + ToXml + PartialEq + Debug,
{
    let element = element(xml);
    assert_eq!(T::from_xml(element.root()).unwrap(), value);
    assert_eq!(written(&value), element.to_string());
}

fn error<T: for<'a> FromXml<'a> + Debug>(xml: &str) -> FromXmlError {
    T::from_xml(element(xml).root()).expect_err(xml)
}

#[derive(FromXml, ToXml, Debug, PartialEq)]
#[xml(name = "attributes", namespace = NS)]
struct Attributes {
    #[xml(attribute)]
    id: u8,
    #[xml(attribute = "seq-nr")]
    number: Option<i64>,
    #[xml(attribute, default)]
    done: bool,
    #[xml(attribute, default = 5)]
    level: u32,
}

#[test]
fn attributes_are_read_and_written_in_the_order_of_declaration() {
    both_ways(
        "<attributes id='7' seq-nr='-3' done='true' level='6'/>",
        Attributes {
            id: 7,
            number: Some(-3),
            done: true,
            level: 6,
        },
    );
}

#[test]
fn absent_attributes_are_none_or_the_default_and_the_default_is_not_written() {
    both_ways(
        "<attributes id='0'/>",
        Attributes {
            id: 0,
            number: None,
            done: false,
            level: 5,
        },
    );
    let explicit = element("<attributes level='5' done='0' id='0'/>");
    let value = Attributes::from_xml(explicit.root()).unwrap();
    assert_eq!(
        written(&value),
        "<attributes xmlns='urn:example:a' id='0'/>"
    );
}

#[test]
fn a_missing_attribute_is_named() {
    let error = error::<Attributes>("<attributes done='true'/>");
    assert_eq!(error.kind(), FromXmlErrorKind::MissingAttribute);
    assert_eq!((error.element(), error.namespace()), ("attributes", NS));
    assert_eq!(error.part(), Some("id"));
    assert_eq!(
        error.to_string(),
        r#"element "attributes" of "urn:example:a": attribute "id" is missing"#
    );
    assert_eq!(error.condition(), "bad-request");
}

#[test]
fn a_wrong_attribute_is_named_with_the_reason() {
    let error = error::<Attributes>("<attributes id='7' seq-nr='many'/>");
    assert_eq!(error.kind(), FromXmlErrorKind::Attribute);
    assert_eq!(error.part(), Some("seq-nr"));
    assert_eq!(error.reason().unwrap().reason(), "not a whole number");
    assert_eq!(
        error.to_string(),
        r#"element "attributes" of "urn:example:a": attribute "seq-nr" is refused: not a whole number"#
    );
}

#[test]
fn another_element_is_unexpected() {
    for xml in ["<other id='7'/>", "<attribute id='7'/>"] {
        let error = error::<Attributes>(xml);
        assert_eq!(error.kind(), FromXmlErrorKind::Unexpected);
        assert!(!Attributes::matches(element(xml).root()));
        assert!(
            Attributes::from_matching(element(xml).root())
                .unwrap()
                .is_none()
        );
    }
    let elsewhere = Element::parse("<attributes xmlns='urn:example:b' id='7'/>").unwrap();
    assert!(Attributes::from_xml(elsewhere.root()).is_err());
}

#[test]
fn an_attribute_with_a_prefix_is_another() {
    let element = element("<attributes xmlns:x='urn:example:x' id='1' x:id='2' x:done='true'/>");
    let value = Attributes::from_xml(element.root()).unwrap();
    assert_eq!(
        value,
        Attributes {
            id: 1,
            number: None,
            done: false,
            level: 5
        }
    );
}

#[derive(FromXml, ToXml, IntoOwned, Debug, PartialEq)]
#[xml(name = "content", namespace = NS)]
struct Content<'a> {
    #[xml(lang)]
    lang: Option<Cow<'a, str>>,
    #[xml(attribute = "kind", namespace = "urn:example:x")]
    kind: Option<Kind<'a>>,
    #[xml(flag)]
    required: bool,
    #[xml(flag = "read-only", namespace = "urn:example:b")]
    read_only: bool,
    #[xml(child)]
    single: Single,
    #[xml(child)]
    inner: Option<Box<Inner<'a>>>,
    #[xml(children)]
    notes: Vec<Note<'a>>,
    #[xml(child_text)]
    title: Cow<'a, str>,
    #[xml(child_text = "count")]
    counts: Vec<u8>,
    #[xml(child_text, namespace = "urn:example:b")]
    size: Option<u32>,
    #[xml(child_text, default = 1.5)]
    factor: f64,
}

#[derive(FromXmlText, ToXmlText, IntoOwned, Clone, Debug, PartialEq)]
enum Kind<'a> {
    Get,
    #[xml(value = "setAll")]
    SetAll,
    #[xml(other)]
    Other(Cow<'a, str>),
}

#[derive(FromXml, ToXml, Debug, PartialEq)]
#[xml(name = "single", namespace = "urn:example:single")]
struct Single;

#[derive(FromXml, ToXml, IntoOwned, Debug, PartialEq)]
#[xml(name = "inner", namespace = NS)]
struct Inner<'a> {
    #[xml(children)]
    inner: Vec<Self>,
    #[xml(text)]
    text: Option<Cow<'a, str>>,
}

#[derive(FromXml, ToXml, IntoOwned, Debug, PartialEq)]
#[xml(name = "note", namespace = NS)]
struct Note<'a>(
    #[xml(text)] Cow<'a, str>,
    #[xml(attribute = "by")] Option<String>,
);

const SMALL: &str = "<content><single xmlns='urn:example:single'/><title>t</title></content>";

fn small<'a>() -> Content<'a> {
    Content {
        lang: None,
        kind: None,
        required: false,
        read_only: false,
        single: Single,
        inner: None,
        notes: Vec::new(),
        title: "t".into(),
        counts: Vec::new(),
        size: None,
        factor: 1.5,
    }
}

/// `SMALL` with more in it.
fn with(more: &str) -> String {
    SMALL.replace("</content>", &format!("{more}</content>"))
}

#[test]
fn what_is_optional_may_be_absent() {
    let element = element(SMALL);
    assert_eq!(Content::from_xml(element.root()).unwrap(), small());
    assert_eq!(written(&small()), element.to_string());
}

#[test]
fn children_text_and_flags_are_read_and_written_in_the_order_of_declaration() {
    let xml = "<content xml:lang='de' xmlns:x='urn:example:x' x:kind='setAll'><required/>\
        <read-only xmlns='urn:example:b'/>\
        <single xmlns='urn:example:single'/><inner><inner>deep</inner></inner>\
        <note>one &lt; two</note><note by='me'/><title>t</title><count>1</count><count>2</count>\
        <size xmlns='urn:example:b'>3</size><factor>2</factor></content>";
    let element = element(xml);
    let value = Content {
        lang: Some("de".into()),
        kind: Some(Kind::SetAll),
        required: true,
        read_only: true,
        inner: Some(Box::new(Inner {
            inner: vec![Inner {
                inner: Vec::new(),
                text: Some("deep".into()),
            }],
            text: None,
        })),
        notes: vec![
            Note("one < two".into(), None),
            Note("".into(), Some("me".into())),
        ],
        counts: vec![1, 2],
        size: Some(3),
        factor: 2.0,
        ..small()
    };
    assert_eq!(Content::from_xml(element.root()).unwrap(), value);
    assert_eq!(Element::parse(&written(&value)).unwrap(), element);
}

#[test]
fn a_child_that_may_stand_once_is_refused_twice() {
    for (more, name) in [
        ("<single xmlns='urn:example:single'/>", "single"),
        ("<title>u</title>", "title"),
        ("<inner/><inner/>", "inner"),
        ("<required/><required/>", "required"),
        ("<factor>1</factor><factor>1</factor>", "factor"),
        (
            "<size xmlns='urn:example:b'>1</size><size xmlns='urn:example:b'>1</size>",
            "size",
        ),
    ] {
        let error = error_in_content(&with(more));
        assert_eq!(error.kind(), FromXmlErrorKind::RepeatedChild, "{more}");
        assert_eq!((error.element(), error.part()), ("content", Some(name)));
        assert!(error.to_string().ends_with("stands twice"), "{error}");
    }
}

#[test]
fn a_missing_child_is_named() {
    let no_title = "<content><single xmlns='urn:example:single'/></content>";
    let no_single = "<content><title>t</title></content>";
    for (xml, name) in [(no_title, "title"), (no_single, "single")] {
        let error = error_in_content(xml);
        assert_eq!(error.kind(), FromXmlErrorKind::MissingChild);
        assert_eq!((error.element(), error.part()), ("content", Some(name)));
    }
}

#[test]
fn the_wrong_text_of_a_child_is_named_with_the_reason() {
    let error = error_in_content(&with("<count>256</count>"));
    assert_eq!(error.kind(), FromXmlErrorKind::Child);
    assert_eq!((error.element(), error.part()), ("content", Some("count")));
    assert_eq!(error.reason().unwrap().reason(), "out of the range of u8");
}

#[test]
fn children_of_the_same_name_in_another_namespace_are_others() {
    let xml = with("<title xmlns='urn:example:b'>u</title><size>4</size><required xmlns=''/>");
    assert_eq!(Content::from_xml(element(&xml).root()).unwrap(), small());
}

#[test]
fn what_is_unknown_is_ignored() {
    let xml = with("text<more><title>u</title></more>").replace("<content", "<content new='1'");
    assert_eq!(Content::from_xml(element(&xml).root()).unwrap(), small());
}

#[test]
fn values_borrow_from_the_element_unless_something_was_escaped() {
    let plain = element("<note by='x'>plain</note>");
    let escaped = element("<note>a &amp; b</note>");
    assert!(matches!(
        Note::from_xml(plain.root()).unwrap().0,
        Cow::Borrowed("plain")
    ));
    assert!(
        matches!(Note::from_xml(escaped.root()).unwrap().0, Cow::Owned(text) if text == "a & b")
    );
}

#[test]
fn an_owned_value_outlives_its_element() {
    let owned: Content<'static> = {
        let xml = with("<note by='me'>n</note><inner><inner>deep</inner></inner>");
        let element = element(&xml.replace("<content", "<content xml:lang='de'"));
        Content::from_xml(element.root()).unwrap().into_owned()
    };
    let inner = Inner {
        inner: Vec::new(),
        text: Some("deep".into()),
    };
    let expected = Content {
        lang: Some("de".into()),
        notes: vec![Note("n".into(), Some("me".into()))],
        inner: Some(Box::new(Inner {
            inner: vec![inner],
            text: None,
        })),
        ..small()
    };
    assert_eq!(owned, expected);
}

#[test]
fn the_language_is_the_elements_own() {
    let outer = element("<outer xml:lang='de'><note>n</note></outer>");
    let note = outer.root().child("note", NS).unwrap();
    assert_eq!(note.lang().as_deref(), Some("de"));
    let text = Translated::from_xml(note).unwrap();
    assert_eq!(text.lang, None);
}

#[test]
fn what_is_no_language_tag_is_no_language() {
    for (tag, lang) in [
        ("de-CH", Some("de-CH")),
        ("", Some("")),
        ("no tag", None),
        ("<", None),
    ] {
        let note = element(&format!("<note xml:lang='{}'/>", tag.replace('<', "&lt;")));
        let text = Translated::from_xml(note.root()).unwrap();
        assert_eq!(text.lang.as_deref(), lang);
        assert_eq!(text.lang.is_some(), written(&text).contains("xml:lang"));
    }
}

#[derive(FromXml, ToXml, Debug)]
#[xml(name = "note", namespace = NS)]
struct Translated {
    #[xml(lang)]
    lang: Option<String>,
}

fn error_in_content(xml: &str) -> FromXmlError {
    Content::from_xml(element(xml).root()).expect_err(xml)
}

#[derive(FromXml, ToXml, Debug, PartialEq)]
#[xml(name = "time", namespace = NS)]
struct Time {
    #[xml(attribute)]
    at: DateTime,
    #[xml(attribute)]
    every: Option<Duration>,
    #[xml(text)]
    data: Base64,
}

#[test]
fn times_and_bytes_are_values() {
    both_ways(
        "<time at='2026-11-22T12:00:00+01:00' every='PT15M'>aGVsbG8=</time>",
        Time {
            at: "2026-11-22T12:00:00+01:00".parse().unwrap(),
            every: Some("PT15M".parse().unwrap()),
            data: Base64(b"hello".to_vec()),
        },
    );
    let wrong = error::<Time>("<time at='2026-11-22T12:00:00Z'>!</time>");
    assert_eq!(wrong.kind(), FromXmlErrorKind::Text);
    assert_eq!(
        wrong.to_string(),
        r#"element "time" of "urn:example:a": text is refused: not base64"#
    );
}

#[derive(FromXml, ToXml, Debug, PartialEq)]
#[xml(name = "number", namespace = NS)]
struct Number {
    #[xml(text, default = 42)]
    value: u8,
}

#[test]
fn an_empty_text_is_the_default() {
    both_ways("<number/>", Number { value: 42 });
    both_ways("<number>7</number>", Number { value: 7 });
}

#[derive(FromXml, ToXml, Debug, PartialEq)]
#[xml(name = "request", namespace = "urn:example:a")]
struct Request<'a> {
    #[xml(attribute)]
    id: u32,
    #[xml(flatten)]
    options: Options<'a>,
    #[xml(child_text)]
    last: Option<u8>,
    #[xml(rest)]
    rest: Vec<ElementRef<'a>>,
}

#[derive(FromXml, ToXml, IntoOwned, Debug, Default, PartialEq)]
#[xml(group)]
struct Options<'a> {
    #[xml(attribute, default)]
    momentary: bool,
    #[xml(child_text = "node")]
    nodes: Vec<Cow<'a, str>>,
    #[xml(flag)]
    quick: bool,
    #[xml(flatten)]
    range: Range,
}

#[derive(FromXml, ToXml, Debug, Default, PartialEq)]
#[xml(group)]
struct Range {
    #[xml(attribute)]
    from: Option<i8>,
    #[xml(attribute)]
    to: Option<i8>,
}

#[test]
fn groups_are_parts_of_the_element_they_are_flattened_into() {
    let xml = "<request id='1' momentary='true' from='-1' to='1'><node>a</node><node>b</node>\
        <quick/><last>9</last><more/><node xmlns='urn:example:b'>c</node></request>";
    let element = element(xml);
    let more = |name: &str, namespace: &str| element.root().child(name, namespace).unwrap();
    let value = Request {
        id: 1,
        options: Options {
            momentary: true,
            nodes: vec!["a".into(), "b".into()],
            quick: true,
            range: Range {
                from: Some(-1),
                to: Some(1),
            },
        },
        last: Some(9),
        rest: vec![more("more", NS), more("node", "urn:example:b")],
    };
    assert_eq!(Request::from_xml(element.root()).unwrap(), value);
    assert_eq!(Element::parse(&written(&value)).unwrap(), element);
    assert_eq!(
        written(&Request {
            options: Options::default(),
            last: None,
            rest: Vec::new(),
            ..value
        }),
        "<request xmlns='urn:example:a' id='1'/>"
    );
}

#[test]
fn an_error_in_a_group_names_the_element() {
    let element = element("<request id='1' from='x'/>");
    let error = Request::from_xml(element.root()).unwrap_err();
    assert_eq!((error.element(), error.part()), ("request", Some("from")));
}

#[derive(FromXml, ToXml, Debug, PartialEq)]
#[xml(name = "bag", namespace = NS)]
struct Bag {
    #[xml(rest)]
    rest: Vec<Element>,
    #[xml(child)]
    number: Option<Number>,
}

#[test]
fn the_rest_is_what_no_other_field_takes_wherever_it_is_declared() {
    let xml = "<bag><a/><number>1</number><b xmlns='urn:example:b' c='d'>e</b></bag>";
    let element = element(xml);
    let bag = Bag::from_xml(element.root()).unwrap();
    assert_eq!(bag.number, Some(Number { value: 1 }));
    let names = |element: &Element| -> Vec<String> {
        element
            .root()
            .children()
            .map(|child| child.name().to_owned())
            .collect()
    };
    assert_eq!(bag.rest.len(), 2);
    // Written where it is declared: before the number.
    let back = Element::parse(&written(&bag)).unwrap();
    assert_eq!(names(&back), ["a", "b", "number"]);
    assert_eq!(Bag::from_xml(back.root()).unwrap(), bag);
}

#[derive(FromXml, ToXml, Debug, PartialEq)]
#[xml(name = "strict", namespace = NS, deny_unknown)]
struct Strict {
    #[xml(attribute)]
    id: Option<u8>,
    #[xml(flatten)]
    range: Range,
    #[xml(child)]
    number: Option<Number>,
}

#[test]
fn a_strict_type_refuses_what_it_does_not_know() {
    both_ways(
        "<strict id='1' to='3'><number/></strict>",
        Strict {
            id: Some(1),
            range: Range {
                from: None,
                to: Some(3),
            },
            number: Some(Number { value: 42 }),
        },
    );
    let attribute = error::<Strict>("<strict more='1'/>");
    assert_eq!(attribute.kind(), FromXmlErrorKind::UnknownAttribute);
    assert_eq!(attribute.part(), Some("more"));
    let prefixed = error::<Strict>("<strict xmlns:x='urn:example:x' x:id='1'/>");
    assert_eq!(prefixed.kind(), FromXmlErrorKind::UnknownAttribute);
    let child = error::<Strict>("<strict><more/></strict>");
    assert_eq!(child.kind(), FromXmlErrorKind::UnknownChild);
    assert_eq!(child.part(), Some("more"));
}

mod names {
    pub(crate) const OTHER: &str = "urn:example:other";
}

#[derive(FromXml, ToXml, IntoOwned, Debug, PartialEq)]
#[xml(namespace = NS)]
enum Choice<'a> {
    Number(Number),
    Note(Box<Note<'a>>),
    #[xml(name = "nothing")]
    Nothing,
    #[xml(name = "pair", namespace = names::OTHER)]
    Pair {
        #[xml(attribute)]
        left: u8,
        #[xml(child_text)]
        right: Cow<'a, str>,
    },
    #[xml(name = "triple")]
    Triple(#[xml(attribute = "a")] u8, #[xml(flatten)] Range),
    Other(Element),
}

#[test]
fn an_enum_is_one_of_several_elements() {
    let cases = [
        ("<number>3</number>", Choice::Number(Number { value: 3 })),
        (
            "<note>n</note>",
            Choice::Note(Box::new(Note("n".into(), None))),
        ),
        ("<nothing/>", Choice::Nothing),
        (
            "<triple a='1' from='2'/>",
            Choice::Triple(
                1,
                Range {
                    from: Some(2),
                    to: None,
                },
            ),
        ),
        ("<pair/>", Choice::Other(element("<pair/>"))),
    ];
    for (xml, value) in cases {
        let element = element(xml);
        assert!(Choice::matches(element.root()));
        assert_eq!(Choice::from_xml(element.root()).unwrap(), value);
        assert_eq!(written(&value), element.to_string());
        assert_eq!(
            Choice::from_xml(element.root()).unwrap().into_owned(),
            value
        );
    }
    let pair = "<pair xmlns='urn:example:other' left='1'><right>r</right></pair>";
    let value = Choice::Pair {
        left: 1,
        right: "r".into(),
    };
    assert_eq!(
        Choice::from_xml(Element::parse(pair).unwrap().root()).unwrap(),
        value
    );
    assert_eq!(written(&value), pair);
}

#[test]
fn an_error_in_a_variant_is_not_another_element() {
    let error = Choice::from_xml(element("<triple/>").root()).unwrap_err();
    assert_eq!(error.kind(), FromXmlErrorKind::MissingAttribute);
    assert_eq!((error.element(), error.part()), ("triple", Some("a")));
}

#[derive(FromXml, ToXml, Debug, PartialEq)]
enum Closed {
    Number(Number),
    #[xml(name = "nothing", namespace = NS)]
    Nothing,
}

#[derive(FromXml, ToXml, Debug, PartialEq)]
#[xml(name = "closed", namespace = NS)]
struct HasClosed {
    #[xml(child)]
    first: Closed,
    #[xml(children)]
    bags: Vec<Bag>,
}

#[test]
fn an_enum_without_a_variant_for_the_rest_does_not_match_it() {
    assert!(!Closed::matches(element("<other/>").root()));
    assert!(Closed::matches(element("<nothing/>").root()));
    assert!(Closed::matches(element("<number/>").root()));
    assert_eq!(
        error::<Closed>("<other/>").kind(),
        FromXmlErrorKind::Unexpected
    );
    both_ways(
        "<closed><nothing/><bag/></closed>",
        HasClosed {
            first: Closed::Nothing,
            bags: vec![Bag {
                rest: Vec::new(),
                number: None,
            }],
        },
    );
    let missing = error::<HasClosed>("<closed><other/></closed>");
    assert_eq!(
        (missing.kind(), missing.part()),
        (FromXmlErrorKind::MissingChild, Some("first"))
    );
    let repeated = error::<HasClosed>("<closed><nothing/><number/></closed>");
    assert_eq!(repeated.kind(), FromXmlErrorKind::RepeatedChild);
    assert_eq!(repeated.part(), Some("number"));
}

#[derive(FromXml, ToXml, IntoOwned, Debug, PartialEq)]
#[xml(name = "form", namespace = NS, attribute = "type", deny_unknown)]
enum Form<'a> {
    #[xml(default, value = "form")]
    Ask {
        #[xml(child_text)]
        title: Option<Cow<'a, str>>,
    },
    Cancel,
    #[xml(value = "result-range")]
    Result(Range),
}

#[test]
fn an_enum_is_one_element_told_apart_by_an_attribute() {
    for (xml, value) in [
        (
            "<form><title>t</title></form>",
            Form::Ask {
                title: Some("t".into()),
            },
        ),
        ("<form type='cancel'/>", Form::Cancel),
        (
            "<form type='result-range' to='3'/>",
            Form::Result(Range {
                from: None,
                to: Some(3),
            }),
        ),
    ] {
        let element = element(xml);
        assert_eq!(Form::from_xml(element.root()).unwrap(), value);
        assert_eq!(written(&value), element.to_string());
        assert_eq!(Form::from_xml(element.root()).unwrap().into_owned(), value);
    }
    let explicit = element("<form type='form'/>");
    assert_eq!(
        Form::from_xml(explicit.root()).unwrap(),
        Form::Ask { title: None }
    );
}

#[test]
fn an_unknown_value_of_that_attribute_is_refused() {
    let wrong = element("<form type='Cancel'/>");
    let error = Form::from_xml(wrong.root()).unwrap_err();
    assert_eq!(
        (error.kind(), error.part()),
        (FromXmlErrorKind::Attribute, Some("type"))
    );
    assert_eq!(
        error.reason().unwrap().reason(),
        "none of form, cancel, result-range"
    );
    let extra = element("<form type='cancel' to='3'/>");
    let error = Form::from_xml(extra.root()).unwrap_err();
    assert_eq!(error.kind(), FromXmlErrorKind::UnknownAttribute);
}

#[derive(FromXml, ToXml, Debug, PartialEq)]
#[xml(name = "switch", namespace = "", attribute = "to")]
enum Switch {
    On,
    Off,
}

#[test]
fn without_a_default_variant_the_attribute_is_required() {
    let none = Element::parse("<switch/>").unwrap();
    let error = Switch::from_xml(none.root()).unwrap_err();
    assert_eq!(
        (error.kind(), error.part()),
        (FromXmlErrorKind::MissingAttribute, Some("to"))
    );
    let off = Element::parse("<switch to='off'/>").unwrap();
    assert_eq!(Switch::from_xml(off.root()).unwrap(), Switch::Off);
    assert_eq!(written(&Switch::On), "<switch to='on'/>");
}

#[derive(FromXmlText, ToXmlText, Clone, Copy, Debug, PartialEq)]
enum Level {
    Low,
    #[xml(value = "very high")]
    VeryHigh,
}

#[derive(FromXmlText, ToXmlText, IntoOwned, Debug, PartialEq)]
struct Name<'a>(Cow<'a, str>);

fn read<'a, T: FromXmlText<'a>>(text: &'a str) -> Result<T, xmpp_xml::ValueError> {
    T::from_xml_text(Cow::Borrowed(text))
}

#[test]
fn an_enumeration_is_case_sensitive_and_names_its_values() {
    assert_eq!(read::<Level>("low"), Ok(Level::Low));
    assert_eq!(read::<Level>("very high"), Ok(Level::VeryHigh));
    assert_eq!(Level::VeryHigh.to_xml_text(), "very high");
    for text in ["Low", "LOW", " low", "", "very  high", "veryhigh"] {
        let error = read::<Level>(text).unwrap_err();
        assert_eq!(error.reason(), "none of low, very high");
    }
}

#[test]
fn an_enumeration_may_keep_other_values() {
    assert_eq!(read::<Kind<'_>>("get"), Ok(Kind::Get));
    assert_eq!(read::<Kind<'_>>("setAll"), Ok(Kind::SetAll));
    assert!(matches!(
        read::<Kind<'_>>("GET"),
        Ok(Kind::Other(Cow::Borrowed("GET")))
    ));
    assert_eq!(Kind::Other("x".into()).to_xml_text(), "x");
    assert_eq!(
        Kind::Other("x".into()).into_owned(),
        Kind::Other("x".into())
    );
}

#[test]
fn a_struct_of_one_field_takes_its_form() {
    assert!(matches!(
        read::<Name<'_>>("n"),
        Ok(Name(Cow::Borrowed("n")))
    ));
    assert_eq!(Name("n".into()).into_owned().to_xml_text(), "n");
}

mod elsewhere {
    pub(crate) use xmpp_xml as renamed;
}

#[derive(FromXml, ToXml, IntoOwned, Debug, PartialEq)]
#[xml(crate = elsewhere::renamed, name = "r", namespace = NS)]
struct Renamed<'a> {
    // Names that the generated code and the prelude use must not get in the way.
    #[xml(attribute)]
    r#type: Option<Cow<'a, str>>,
    #[xml(attribute)]
    element: Level,
    #[xml(child_text)]
    writer: Option<u8>,
    #[xml(child_text, default)]
    default: u8,
}

#[test]
fn raw_names_and_another_path_to_the_crate_work() {
    let element = element("<r type='t' element='low'><writer>1</writer><default>2</default></r>");
    let value = Renamed {
        r#type: Some("t".into()),
        element: Level::Low,
        writer: Some(1),
        default: 2,
    };
    assert_eq!(Renamed::from_xml(element.root()).unwrap(), value);
    assert_eq!(written(&value), element.to_string());
}

#[derive(ToXml)]
#[xml(name = "list", namespace = NS)]
struct WriteOnly<'a> {
    #[xml(attribute)]
    name: &'a str,
    #[xml(children)]
    numbers: &'a [Number],
    #[xml(child_text)]
    label: &'a [&'a str],
}

#[test]
fn a_type_that_is_only_written_may_hold_slices() {
    let list = WriteOnly {
        name: "n",
        numbers: &[Number { value: 1 }],
        label: &["a", "b"],
    };
    assert_eq!(
        written(&list),
        "<list xmlns='urn:example:a' name='n'><number>1</number><label>a</label>\
         <label>b</label></list>"
    );
}

#[test]
fn a_value_without_a_lexical_form_fails_the_writer() {
    struct Unwritable;
    impl ToXmlText for Unwritable {
        fn write_text(&self, _: &mut dyn std::fmt::Write) -> std::fmt::Result {
            Err(std::fmt::Error)
        }
    }
    #[derive(ToXml)]
    #[xml(name = "w", namespace = NS)]
    struct Holder(#[xml(attribute = "a")] Unwritable);
    assert!(Element::build(|writer| Holder(Unwritable).to_xml(writer)).is_err());
}

/// Text without the characters that XML cannot have and the line ends that it normalises.
fn text() -> impl Strategy<Value = String> {
    "[ -~äß€😀\t\n]{0,12}"
}

fn content() -> impl Strategy<Value = Content<'static>> {
    let note =
        (text(), proptest::option::of(text())).prop_map(|(text, by)| Note(Cow::Owned(text), by));
    let kind = prop_oneof![
        Just(Kind::Get),
        Just(Kind::SetAll),
        "[a-z ]{4}".prop_map(|other| Kind::Other(other.into())),
    ];
    let inner = proptest::option::of("[a-z<>&'\"]{1,9}").prop_map(|text| {
        let deep = Inner {
            inner: Vec::new(),
            text: text.clone().map(Cow::Owned),
        };
        Inner {
            inner: vec![deep],
            text: text.map(Cow::Owned),
        }
    });
    (
        (
            proptest::option::of("[a-z]{2}"),
            proptest::option::of(kind),
            any::<(bool, bool)>(),
        ),
        proptest::option::of(inner),
        proptest::collection::vec(note, 0..4),
        (
            text(),
            any::<Vec<u8>>(),
            any::<Option<u32>>(),
            proptest::num::f64::NORMAL,
        ),
    )
        .prop_map(
            |((lang, kind, flags), inner, notes, (title, counts, size, factor))| Content {
                lang: lang.map(Cow::Owned),
                kind,
                required: flags.0,
                read_only: flags.1,
                single: Single,
                inner: inner.map(Box::new),
                notes,
                title: title.into(),
                counts,
                size,
                factor,
            },
        )
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_back(value in content()) {
        let element = Element::parse(&written(&value)).unwrap();
        let back = Content::from_xml(element.root()).unwrap();
        prop_assert_eq!(&back, &value);
        prop_assert_eq!(back.into_owned(), value);
    }
}
