//! The examples of the XEPs, read whole, cut at every byte, and written again.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used
)]

use xmpp_xml::{Element, Event, Fault, FaultKind, Limits, Parser, Scratch, Writer};

const HEADER: &str = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
                      xmlns:db='jabber:server:dialback'>";

struct Example {
    /// XEP, number and title.
    name: &'static str,
    xml: &'static str,
}

fn examples(text: &'static str) -> Vec<Example> {
    let text = text.strip_prefix("==== ").unwrap();
    text.split("\n==== ")
        .map(|example| {
            let (name, xml) = example.split_once('\n').unwrap();
            Example { name, xml }
        })
        .collect()
}

fn complete_elements() -> Vec<Example> {
    examples(include_str!("examples.txt"))
}

/// What a stream says, and the fault that ends it.
#[derive(Debug, Default, PartialEq)]
struct Said {
    headers: Vec<Element>,
    elements: Vec<Element>,
    ended: bool,
    fault: Option<Fault>,
}

fn read<'b>(pieces: impl Iterator<Item = &'b [u8]>, scratch: &mut Scratch) -> Said {
    let mut parser = Parser::new(Limits::new());
    let mut said = Said::default();
    for mut piece in pieces {
        loop {
            match parser.next(scratch, &mut piece) {
                Ok(None) => break,
                Ok(Some(Event::Header(header))) => said.headers.push(header.to_element()),
                Ok(Some(Event::Element(element))) => said.elements.push(element.to_element()),
                Ok(Some(Event::End)) => said.ended = true,
                Ok(Some(_)) => {}
                Err(fault) => {
                    said.fault = Some(fault);
                    return said;
                }
            }
        }
    }
    said
}

fn read_whole(text: &str) -> Said {
    read([text.as_bytes()].into_iter(), &mut Scratch::new())
}

/// An XML declaration stands before the header, and comments stand nowhere.
fn wrapped(xml: &str) -> String {
    let (declaration, xml) = match xml.trim_start().strip_prefix("<?xml") {
        Some(rest) => {
            let (declaration, xml) = rest.split_once("?>").unwrap();
            (format!("<?xml{declaration}?>"), xml)
        }
        None => (String::new(), xml),
    };
    format!("{declaration}{HEADER}{}", without_comments(xml))
}

fn without_comments(xml: &str) -> String {
    let mut kept = String::new();
    let mut rest = xml;
    while let Some((before, comment)) = rest.split_once("<!--") {
        kept.push_str(before);
        rest = comment.split_once("-->").unwrap().1;
    }
    kept + rest
}

#[test]
fn every_example_of_complete_elements_is_read() {
    let all = complete_elements();
    assert_eq!(all.len(), 1403);
    let mut elements = 0;
    for Example { name, xml } in all {
        let said = read_whole(&wrapped(xml));
        assert_eq!(said.fault, None, "{name}");
        assert!(!said.elements.is_empty(), "{name}");
        elements += said.elements.len();
    }
    // As many as another parser counts.
    assert_eq!(elements, 1646);
}

#[test]
fn a_comment_in_an_example_is_refused() {
    let mut comments = 0;
    for Example { name, xml } in complete_elements() {
        let Some(at) = xml.find("<!--") else { continue };
        if xml.trim_start().starts_with("<?xml") {
            continue;
        }
        comments += 1;
        let fault = read_whole(&format!("{HEADER}{xml}")).fault.expect(name);
        assert_eq!(fault.kind(), FaultKind::Comment, "{name}");
        assert_eq!(fault.condition(), "restricted-xml");
        let place = HEADER.len() + at;
        let reported = usize::try_from(fault.offset()).unwrap();
        assert!((place..place + 4).contains(&reported), "{name}: {fault}");
    }
    assert!(comments > 10, "{comments}");
}

#[test]
fn examples_cut_at_every_byte_say_the_same() {
    /// Longer than any block that a parser looks at in one step, and no multiple of one.
    const PIECE: usize = 67;
    let mut scratch = Scratch::new();
    for Example { name, xml } in complete_elements() {
        let text = wrapped(xml);
        let bytes = text.as_bytes();
        let expected = read_whole(&text);
        assert_eq!(
            read(bytes.chunks(1), &mut scratch),
            expected,
            "{name}, byte by byte"
        );
        // At every byte there is a cut between two long pieces,
        for shift in 0..PIECE {
            let (first, rest) = bytes.split_at(shift.min(bytes.len()));
            let pieces = std::iter::once(first).chain(rest.chunks(PIECE));
            assert_eq!(
                read(pieces, &mut scratch),
                expected,
                "{name}, pieces of {PIECE} from {shift}"
            );
        }
        // and in the shorter examples one between the beginning and the rest.
        if xml.len() <= 200 {
            for at in HEADER.len()..bytes.len() {
                let (first, rest) = bytes.split_at(at);
                let said = read([first, rest].into_iter(), &mut scratch);
                assert_eq!(said, expected, "{name}, cut at {at}");
            }
        }
    }
}

#[test]
fn examples_survive_writing_and_reading() {
    for Example { name, xml } in complete_elements() {
        for element in read_whole(&wrapped(xml)).elements {
            let alone = element.to_string();
            assert_eq!(Element::parse(&alone).as_ref(), Ok(&element), "{name}");
            for content in ["jabber:client", "jabber:server"] {
                let mut out = Vec::new();
                Writer::stream_header(&mut out, content).finish().unwrap();
                let mut writer = Writer::in_stream(&mut out, content);
                writer.element(element.root());
                writer.forward(element.root(), &[]);
                writer.finish().unwrap();
                let said = read([out.as_slice()].into_iter(), &mut Scratch::new());
                assert_eq!(said.fault, None, "{name}");
                assert!(said.elements.len() == 2 && said.elements.iter().all(|e| *e == element));
            }
            for child in element.root().children() {
                let owned = child.to_element();
                assert_eq!(owned, child, "{name}");
                assert_eq!(Element::parse(&owned.to_string()), Ok(owned), "{name}");
            }
        }
    }
}

/// What stands in fragments and is no XML of a stream, and what it is told to be.
const NO_XML: &[(&str, FaultKind)] = &[
    ("0305 1 ", FaultKind::TextBetweenStanzas),
    ("0305 2 ", FaultKind::TextBetweenStanzas),
];

#[test]
fn fragments_of_streams_are_read_as_streams() {
    let all = examples(include_str!("fragments.txt"));
    assert_eq!(all.len(), 33);
    let (mut headers, mut elements, mut ends) = (0, 0, 0);
    for Example { name, xml } in all {
        let xml = without_comments(xml);
        // A header within a fragment is that of a stream begun anew.
        let mut streams = Vec::new();
        let mut rest = xml.as_str();
        while let Some(at) = rest.rfind("<stream:stream") {
            let begin = match rest[..at].trim_end().strip_suffix("?>") {
                Some(before) => before.rfind("<?xml").unwrap(),
                None => at,
            };
            streams.insert(0, rest[begin..].to_owned());
            rest = &rest[..begin];
        }
        if !rest.trim().is_empty() {
            streams.insert(0, format!("{HEADER}{rest}"));
        }
        for stream in streams {
            let said = read_whole(&stream);
            let expected = NO_XML.iter().find(|(place, _)| name.starts_with(place));
            assert_eq!(
                said.fault.map(|fault| fault.kind()),
                expected.map(|(_, kind)| *kind),
                "{name}: {stream}"
            );
            assert_eq!(
                read(stream.as_bytes().chunks(1), &mut Scratch::new()),
                said,
                "{name}, byte by byte"
            );
            assert_eq!(said.headers.len(), 1, "{name}");
            assert_eq!(said.ended, stream.trim_end().ends_with("</stream:stream>"));
            headers += said.headers.len();
            elements += said.elements.len();
            ends += usize::from(said.ended);
        }
    }
    assert_eq!((headers, elements, ends), (42, 52, 3));
}
