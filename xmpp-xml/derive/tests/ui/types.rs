//! Types that make no sense.

use xmpp_xml::{Element, FromXml, IntoOwned, ToXml};

#[derive(FromXml)]
struct Nameless {
    #[xml(attribute)]
    id: u8,
}

#[derive(ToXml)]
#[xml(name = "a")]
struct NoNamespace;

#[derive(ToXml)]
#[xml(namespace = "urn:example")]
struct NoName;

#[derive(ToXml)]
#[xml(name = "a", namespace = 5)]
struct NumberNamespace;

#[derive(ToXml)]
#[xml(name = "a", name = "b", namespace = "urn:example")]
struct NamedTwice;

#[derive(ToXml)]
#[xml(name = "a", namespace = "urn:example", deny_unknown = true)]
struct NoValue;

#[derive(ToXml)]
#[xml(name = "a", namespace = "urn:example", rename_all = "x")]
struct UnknownKey;

#[derive(ToXml)]
#[xml(group, name = "a", namespace = "urn:example")]
struct GroupWithName;

#[derive(FromXml)]
#[xml(name = "a", namespace = "urn:example")]
struct Generic<T> {
    #[xml(child)]
    child: T,
}

#[derive(IntoOwned)]
struct Lifetimes<'a, 'b>(&'a str, &'b str);

#[derive(FromXml)]
#[xml(name = "a", namespace = "urn:example")]
union Union {
    a: u8,
}

#[derive(FromXml)]
#[xml(namespace = "urn:example")]
enum Variants {
    Unit,
    Two(Element, Element),
    #[xml(name = "c")]
    #[xml(other)]
    Other(Element),
}

#[derive(FromXml)]
#[xml(name = "a", namespace = "urn:example")]
enum Named {
    Other(Element),
}

#[derive(FromXml)]
#[xml(attribute = "type")]
enum SwitchOfNothing {
    A,
}

#[derive(FromXml)]
#[xml(name = "a", namespace = "urn:example", attribute = "type")]
enum Switch {
    A {
        #[xml(attribute = "type")]
        kind: u8,
    },
    TwoWords,
}

#[derive(FromXml)]
#[xml(name = "a", namespace = "urn:example", attribute = "type")]
enum SwitchTwice {
    #[xml(default)]
    A,
    #[xml(value = "a")]
    B,
}

fn main() {}
