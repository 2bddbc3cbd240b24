//! Types that derive reading and writing, by each attribute of the derives.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

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

#[derive(FromXmlText, ToXmlText, IntoOwned, Debug, PartialEq)]
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
