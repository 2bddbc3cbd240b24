//! Fields that make no sense.

use xmpp_xml::FromXml;

#[derive(FromXml)]
#[xml(name = "a", namespace = "urn:example")]
struct Unsaid {
    id: u8,
    #[xml()]
    other: u8,
}

#[derive(FromXml)]
#[xml(name = "a", namespace = "urn:example")]
struct TwoKinds {
    #[xml(attribute, text)]
    id: u8,
}

#[derive(FromXml)]
#[xml(name = "a", namespace = "urn:example")]
struct Unknown {
    #[xml(atribute)]
    id: u8,
    #[xml(attribute, rename = "x")]
    name: u8,
}

#[derive(FromXml)]
#[xml(name = "a", namespace = "urn:example")]
struct Numbers {
    #[xml(attribute)]
    ids: Vec<u8>,
    #[xml(child)]
    child: Vec<Unknown>,
    #[xml(children)]
    children: Option<Unknown>,
    #[xml(rest)]
    rest: Unknown,
    #[xml(flag)]
    flag: Option<bool>,
    #[xml(lang)]
    lang: String,
}

#[derive(FromXml)]
#[xml(name = "a", namespace = "urn:example")]
struct Defaults {
    #[xml(attribute, default)]
    id: Option<u8>,
    #[xml(child_text, default = 3)]
    numbers: Vec<u8>,
    #[xml(flag, default = true)]
    flag: bool,
}

#[derive(FromXml)]
#[xml(name = "a", namespace = "urn:example")]
struct Names(
    #[xml(attribute)] u8,
    #[xml(attribute = "xml:lang")] u8,
    #[xml(child_text = "x:y")] u8,
    #[xml(flag = "a b")] bool,
    #[xml(attribute = 7)] u8,
    #[xml(text = "body")] u8,
    #[xml(child, namespace = "urn:example")] Unknown,
);

#[derive(FromXml)]
#[xml(name = "a", namespace = "urn:example")]
struct Twice {
    #[xml(attribute)]
    id: u8,
    #[xml(attribute = "id")]
    again: u8,
    #[xml(child_text)]
    name: u8,
    #[xml(flag = "name")]
    named: bool,
    #[xml(text)]
    one: u8,
    #[xml(text)]
    two: u8,
}

#[derive(FromXml)]
#[xml(name = "a", namespace = "urn:example")]
struct Slice<'a> {
    #[xml(child_text)]
    numbers: &'a [u8],
}

fn main() {}
