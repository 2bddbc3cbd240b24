//! How many inputs that no XMPP entity may accept each parser accepts. Every stanza stands in a stream that is cut
//! behind it, with nothing missing.

use rxml::Parse;
use xmpp_benches::corpus::HEADER;
use xmpp_xml::{Limits, Parser, Scratch};

/// Not well-formed, not namespace-well-formed, or restricted by RFC 6120 §11.1.
const FORBIDDEN: &[&str] = &[
    "<!-- comment --><a/>",
    "<a><?pi ?></a>",
    "<!DOCTYPE a><a/>",
    "<a>&foo;</a>",
    "<a b='&foo;'/>",
    "<a>& </a>",
    "<a>&amp</a>",
    "<a>&#0;</a>",
    "<a>&#xFFFE;</a>",
    "<a>&#xD800;</a>",
    "<a>&#x110000;</a>",
    "<a>\u{1}</a>",
    "<a>\u{FFFF}</a>",
    "<a b='\u{1}'/>",
    "<a>]]></a>",
    "<a b='<'/>",
    "<a b='1'c='2'/>",
    "<a b='1' b='2'/>",
    "<a xmlns:p='x' xmlns:q='x' p:b='1' q:b='2'/>",
    "<a xmlns:p='x' xmlns:p='y'/>",
    "<a></b>",
    "<a><b></a></b>",
    "<p:a xmlns:p='x' xmlns:q='x'></q:a>",
    "<a b/>",
    "<a b=1/>",
    "<a b='1' /x>",
    "< a/>",
    "<1a/>",
    "<a 1b='c'/>",
    "<a \u{D7}='c'/>",
    "<a:b:c xmlns:a='x'/>",
    "<:a/>",
    "<p:a/>",
    "<a p:b='1'/>",
    "<a xmlns:p=''/>",
    "<a xmlns:xml='x'/>",
    "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
    "<a xmlns:xmlns='x'/>",
    "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
    "<a><![CDATA[\u{1}]]></a>",
    "<a/>text",
    "<a></a b='1'>",
];

fn ours(text: &str) -> bool {
    let (mut parser, mut scratch) = (Parser::new(Limits::new()), Scratch::new());
    let mut input = text.as_bytes();
    loop {
        match parser.next(&mut scratch, &mut input) {
            Ok(None) => return true,
            Ok(Some(_)) => {}
            Err(_) => return false,
        }
    }
}

/// With namespaces resolved and every attribute read, decoded and checked for repetition.
fn quick(text: &str) -> bool {
    use quick_xml::events::Event;
    use quick_xml::name::ResolveResult;
    let mut reader = quick_xml::NsReader::from_str(text);
    reader.config_mut().check_comments = true;
    loop {
        match reader.read_resolved_event() {
            Ok((_, Event::Eof)) => return true,
            Ok((ResolveResult::Unknown(_), _)) | Err(_) => return false,
            Ok((_, Event::Start(tag) | Event::Empty(tag))) => {
                for attribute in tag.attributes() {
                    let Ok(attribute) = attribute else {
                        return false;
                    };
                    let (namespace, _) = reader.resolver().resolve_attribute(attribute.key);
                    if matches!(namespace, ResolveResult::Unknown(_)) {
                        return false;
                    }
                }
            }
            Ok(_) => {}
        }
    }
}

fn rxml(text: &str) -> bool {
    let mut parser = rxml::Parser::new();
    let mut input = text.as_bytes();
    loop {
        match parser.parse(&mut input, false) {
            Ok(Some(_)) => {}
            Ok(None) | Err(rxml::error::EndOrError::NeedMoreData) => return true,
            Err(_) => return false,
        }
    }
}

fn main() {
    type Accepts = fn(&str) -> bool;
    let parsers: [(&str, Accepts); 3] = [("xmpp-xml", ours), ("quick-xml", quick), ("rxml", rxml)];
    for (name, accepts) in parsers {
        let good = accepts(&format!("{HEADER}<a b='1'>t</a>"));
        let passed: Vec<_> = FORBIDDEN
            .iter()
            .filter(|xml| accepts(&format!("{HEADER}{xml}")))
            .collect();
        println!(
            "{name}: accepts {} of {} forbidden inputs (a good one: {good})",
            passed.len(),
            FORBIDDEN.len()
        );
        for xml in passed {
            println!("    {}", xml.escape_default());
        }
    }
}
