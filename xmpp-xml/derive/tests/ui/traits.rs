//! Fields of types that are not what they are said to be.

use std::net::IpAddr;

use xmpp_xml::{FromXml, ToXml};

#[derive(FromXml)]
#[xml(name = "a", namespace = "urn:example")]
struct Reads {
    #[xml(attribute)]
    address: IpAddr,
    #[xml(child)]
    number: u8,
}

#[derive(ToXml)]
#[xml(name = "a", namespace = "urn:example")]
struct Writes {
    #[xml(attribute)]
    address: IpAddr,
    #[xml(child)]
    number: u8,
}

fn main() {}
