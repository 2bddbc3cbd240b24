//! The derived codecs of `xmpp-xml`.

use std::borrow::Cow;

use xmpp_xml::value::{Base64, DateTime, Duration};
use xmpp_xml::{
    Element, FromXml, FromXmlText, IntoOwned, Limits, Scratch, ToXml, ToXmlText, Writer,
};

/// What a document is read as is written, parsed and read as the same again, and an owned copy of
/// it is equal.
pub fn derive(data: &[u8]) {
    let mut scratch = Scratch::new();
    let Ok(element) = scratch.document(data, &Limits::default()) else {
        return;
    };
    let Ok(value) = Everything::from_xml(element) else {
        return;
    };

    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes);
    value.to_xml(&mut writer);
    assert_eq!(writer.finish(), Ok(()), "not written: {value:?}");

    let mut scratch = Scratch::new();
    let limits = Limits::default().stanza_bytes(u32::MAX);
    let again = match scratch.document(&bytes, &limits) {
        Ok(element) => Everything::from_xml(element),
        Err(fault) => unparsable(&bytes, &fault),
    };
    assert_eq!(again.as_ref(), Ok(&value));
    assert_eq!(value.clone().into_owned(), value);
}

#[expect(clippy::panic, reason = "a fuzz target tells what is wrong by a panic")]
fn unparsable(bytes: &[u8], fault: &dyn std::error::Error) -> ! {
    panic!("{} is refused: {fault}", String::from_utf8_lossy(bytes))
}

/// A payload with every kind of field that the derives know.
#[derive(FromXml, ToXml, IntoOwned, Clone, Debug, PartialEq)]
#[xml(name = "everything", namespace = "urn:example:fuzz")]
struct Everything<'a> {
    #[xml(attribute)]
    id: Option<Cow<'a, str>>,
    #[xml(attribute, default)]
    done: bool,
    #[xml(attribute, default = -1)]
    small: i8,
    #[xml(attribute)]
    large: Option<u64>,
    #[xml(attribute)]
    single: Option<Float<f32>>,
    #[xml(attribute = "double", namespace = "urn:example:other")]
    double: Option<Float<f64>>,
    #[xml(attribute)]
    at: Option<DateTime>,
    #[xml(attribute)]
    every: Option<Duration>,
    #[xml(attribute)]
    kind: Option<Kind<'a>>,
    #[xml(lang)]
    lang: Option<Cow<'a, str>>,
    #[xml(flatten)]
    group: Group<'a>,
    #[xml(text)]
    text: Option<Cow<'a, str>>,
    #[xml(child)]
    choice: Option<Choice<'a>>,
    #[xml(children)]
    forms: Vec<Form<'a>>,
    #[xml(child)]
    inner: Option<Box<Self>>,
    #[xml(rest)]
    rest: Vec<Element>,
}

#[derive(FromXml, ToXml, IntoOwned, Clone, Debug, PartialEq)]
#[xml(group)]
struct Group<'a> {
    #[xml(attribute)]
    node: Option<Cow<'a, str>>,
    #[xml(flag)]
    quick: bool,
    #[xml(child_text = "value")]
    values: Vec<Cow<'a, str>>,
    #[xml(child_text, default = 3)]
    count: u16,
    #[xml(child_text, namespace = "urn:example:other")]
    data: Option<Base64>,
}

#[derive(FromXml, ToXml, IntoOwned, Clone, Debug, PartialEq)]
#[xml(namespace = "urn:example:fuzz")]
enum Choice<'a> {
    #[xml(name = "nothing")]
    Nothing,
    #[xml(name = "pair", namespace = "urn:example:other")]
    Pair {
        #[xml(attribute)]
        left: Cow<'a, str>,
        #[xml(text)]
        right: i128,
    },
}

#[derive(FromXml, ToXml, IntoOwned, Clone, Debug, PartialEq)]
#[xml(name = "form", namespace = "", attribute = "type", deny_unknown)]
enum Form<'a> {
    #[xml(default)]
    Submit,
    Result {
        #[xml(children)]
        forms: Vec<Form<'a>>,
        #[xml(text)]
        title: Option<Cow<'a, str>>,
    },
}

#[derive(FromXmlText, ToXmlText, IntoOwned, Clone, Debug, PartialEq)]
enum Kind<'a> {
    Get,
    #[xml(value = "")]
    Empty,
    #[xml(other)]
    Other(Cow<'a, str>),
}

/// A number that is equal to itself even if it is none.
#[derive(Clone, Copy, Debug)]
struct Float<T>(T);

impl<T: PartialOrd> PartialEq for Float<T> {
    fn eq(&self, other: &Self) -> bool {
        let is_nan = |Self(number): &Self| number.partial_cmp(number).is_none();
        self.0 == other.0 || is_nan(self) && is_nan(other)
    }
}

impl<'a, T: FromXmlText<'a>> FromXmlText<'a> for Float<T> {
    fn from_xml_text(text: Cow<'a, str>) -> Result<Self, xmpp_xml::ValueError> {
        T::from_xml_text(text).map(Self)
    }
}

impl<T: ToXmlText> ToXmlText for Float<T> {
    fn write_text(&self, out: &mut dyn std::fmt::Write) -> std::fmt::Result {
        self.0.write_text(out)
    }
}
