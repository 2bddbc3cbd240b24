//! Enumerations that make no sense.

use xmpp_xml::{FromXmlText, ToXmlText};

#[derive(FromXmlText)]
enum Words {
    One,
    TwoWords,
    #[xml(value = "one")]
    Again,
}

#[derive(FromXmlText)]
enum Spelt {
    TwoWords,
    ThreeLongWords,
    #[xml(value)]
    Valueless,
}

#[derive(FromXmlText)]
enum Fields {
    One(u8),
    #[xml(other)]
    Other,
    #[xml(name = "x")]
    Named,
}

#[derive(ToXmlText)]
struct Record {
    id: u8,
}

fn main() {}
