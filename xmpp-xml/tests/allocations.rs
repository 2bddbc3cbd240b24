//! What reading, keeping, forwarding and writing take from the heap: a program of its own, since it counts.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::borrow::Cow;
use std::hint::black_box;

use allocation_counter::{AllocationInfo, measure};
use xmpp_xml::value::{Base64, DateTime};
use xmpp_xml::{Element, Event, FromXml, Limits, Parser, Scratch, ToXml, Writer};

const HEADER: &str = "<?xml version='1.0'?><stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' id='x5dh2r9dkqw' \
    from='example.org' to='juliet@example.org' version='1.0' xml:lang='en'>";

const MESSAGE: &str = "<message from='a@example.org/x' to='b@example.org' id='m1' type='chat'>\
    <body>Art thou not Romeo, and a Montague? 1 &lt; 2</body><active xmlns='http://jabber.org/protocol/chatstates'/>\
    <p:x xmlns:p='urn:x' p:y='&apos;'/></message>";

/// A stanza of sensor data with so many fields.
fn sensor_data(fields: usize) -> String {
    let numeric: String = (0..fields)
        .map(|n| format!("<numeric name='Field {n}' momentary='true' value='{n}.5' unit='°C'/>"))
        .collect();
    format!(
        "<message from='d@example.org/x' to='c@example.org'><fields xmlns='urn:xmpp:iot:sensordata' seqnr='4' \
         done='true'><node nodeId='Device01'><timestamp value='2013-03-07T16:24:30Z'>{numeric}</timestamp></node>\
         </fields></message>"
    )
}

fn stanzas() -> Vec<String> {
    vec![
        MESSAGE.to_owned(),
        "<presence/>".to_owned(),
        sensor_data(3),
        sensor_data(500),
        format!(
            "<iq id='1' type='set'><q xmlns='urn:q'>{}</q></iq>",
            "x &amp; y ".repeat(500)
        ),
    ]
}

/// A parser behind its header.
fn parser(scratch: &mut Scratch) -> Parser {
    let mut parser = Parser::new(Limits::new());
    let mut input = HEADER.as_bytes();
    let header = parser.next(scratch, &mut input).unwrap();
    assert!(matches!(header, Some(Event::Header(_))));
    parser
}

/// Feeds `text` in pieces and looks at each element, borrowed.
fn feed(parser: &mut Parser, scratch: &mut Scratch, text: &str, piece: usize) -> usize {
    let mut seen = 0;
    for piece in text.as_bytes().chunks(piece) {
        let mut input = piece;
        while let Some(event) = parser.next(scratch, &mut input).unwrap() {
            if let Event::Element(element) = event {
                seen += 1;
                for child in element.children() {
                    black_box((child.name(), child.namespace(), child.bytes()));
                    for attribute in child.attributes() {
                        black_box((attribute.name(), attribute.namespace()));
                    }
                }
                black_box(element.attribute("id"));
            }
        }
    }
    seen
}

#[test]
fn reading_borrowed_elements_allocates_nothing_once_warm() {
    let mut scratch = Scratch::new();
    let mut parser = parser(&mut scratch);
    let text = stanzas().concat();
    for _ in 0..2 {
        feed(&mut parser, &mut scratch, &text, usize::MAX);
    }
    let mut seen = 0;
    let info = measure(|| seen = feed(&mut parser, &mut scratch, &text, usize::MAX));
    assert_eq!(seen, stanzas().len());
    assert_eq!(info.count_total, 0, "{info:?}");
}

#[test]
fn an_owned_element_takes_two_allocations_and_its_clone_none() {
    let mut scratch = Scratch::new();
    let mut parser = parser(&mut scratch);
    for stanza in stanzas() {
        let mut input = stanza.as_bytes();
        let Some(Event::Element(element)) = parser.next(&mut scratch, &mut input).unwrap() else {
            panic!("{stanza}");
        };
        let mut owned = None;
        let info = measure(|| owned = Some(element.to_element()));
        assert!(info.count_total <= 2, "{info:?}: {stanza}");
        // As large as the bytes, and five times as large for the densest tape.
        assert!(
            info.bytes_total <= 6 * stanza.len() as u64 + 128,
            "{info:?}"
        );
        let owned = owned.unwrap();
        let mut clone = None;
        let info = measure(|| clone = Some(black_box(&owned).clone()));
        assert_eq!(info.count_total, 0, "{info:?}");
        assert_eq!(clone.unwrap(), owned);
        for child in element.children() {
            let info = measure(|| drop(black_box(child.to_element())));
            assert!(info.count_total <= 2, "{info:?}: {child}");
        }
    }
}

#[test]
fn a_parser_that_waits_between_stanzas_holds_less_than_512_bytes() {
    let mut scratch = Scratch::new();
    let text = stanzas().concat();
    for piece in [usize::MAX, 1_460, 7, 1] {
        let mut waiting = None;
        let info = measure(|| {
            let mut parser = parser(&mut scratch);
            feed(&mut parser, &mut scratch, &text, piece);
            // The scratch is lent, and not the parser's to keep.
            scratch = Scratch::new();
            waiting = Some(parser);
        });
        assert!(waiting.is_some_and(|parser| !parser.is_partial()));
        assert!(
            (0..512).contains(&info.bytes_current),
            "pieces of {piece}: {info:?}"
        );
    }
}

#[test]
fn many_parsers_share_one_scratch() {
    let mut scratch = Scratch::new();
    let mut parsers: Vec<Parser> = Vec::with_capacity(1_000);
    let info = measure(|| {
        for _ in 0..1_000 {
            let mut parser = parser(&mut scratch);
            feed(&mut parser, &mut scratch, MESSAGE, 100);
            parsers.push(parser);
        }
    });
    assert!(info.bytes_current < 512 * 1_000, "{info:?}");
}

#[test]
fn reading_in_pieces_allocates_nothing_once_warm() {
    let mut scratch = Scratch::new();
    let mut parser = parser(&mut scratch);
    let text = stanzas().concat();
    for _ in 0..3 {
        feed(&mut parser, &mut scratch, &text, 1_460);
    }
    let info = measure(|| {
        feed(&mut parser, &mut scratch, &text, 1_460);
    });
    assert_eq!(info.count_total, 0, "{info:?}");
}

#[derive(FromXml, ToXml, Debug, PartialEq)]
#[xml(name = "fields", namespace = "urn:xmpp:iot:sensordata")]
struct Fields<'a> {
    #[xml(attribute)]
    seqnr: u32,
    #[xml(attribute, default)]
    done: bool,
    #[xml(child)]
    node: Node<'a>,
}

#[derive(FromXml, ToXml, Debug, PartialEq)]
#[xml(name = "node", namespace = "urn:xmpp:iot:sensordata")]
struct Node<'a> {
    #[xml(attribute = "nodeId")]
    id: Cow<'a, str>,
    #[xml(child)]
    timestamp: Timestamp<'a>,
}

#[derive(FromXml, ToXml, Debug, PartialEq)]
#[xml(name = "timestamp", namespace = "urn:xmpp:iot:sensordata")]
struct Timestamp<'a> {
    #[xml(attribute)]
    value: DateTime,
    #[xml(children)]
    fields: Vec<Numeric<'a>>,
}

#[derive(FromXml, ToXml, Debug, PartialEq)]
#[xml(name = "numeric", namespace = "urn:xmpp:iot:sensordata")]
struct Numeric<'a> {
    #[xml(attribute)]
    name: Cow<'a, str>,
    #[xml(attribute, default)]
    momentary: bool,
    #[xml(attribute)]
    value: f64,
    #[xml(attribute)]
    unit: Option<Cow<'a, str>>,
}

#[derive(ToXml)]
#[xml(name = "all", namespace = "urn:all")]
struct All {
    #[xml(attribute, namespace = "urn:other")]
    foreign: u32,
    #[xml(attribute, namespace = "urn:third")]
    second: &'static str,
    #[xml(lang)]
    lang: Option<Cow<'static, str>>,
    #[xml(child_text)]
    picture: Base64,
    #[xml(child_text)]
    note: &'static str,
    #[xml(flag)]
    urgent: bool,
}

/// What writing takes once the buffer is warm.
fn written(payload: &dyn ToXml, content: &str) -> (AllocationInfo, Vec<u8>) {
    let mut out = Vec::new();
    let mut info = AllocationInfo::default();
    for _ in 0..2 {
        out.clear();
        info = measure(|| {
            let mut writer = Writer::in_stream(&mut out, content);
            writer
                .start("iq", "jabber:client")
                .attribute("type", "set")
                .payload(payload)
                .end();
            writer.finish().unwrap();
        });
    }
    (info, out)
}

#[test]
fn writing_a_typed_payload_into_a_warm_buffer_allocates_nothing() {
    let stanza = Element::parse(&format!(
        "<stream xmlns='jabber:client'>{}</stream>",
        sensor_data(500)
    ))
    .unwrap();
    let message = stanza.root().children().next().unwrap();
    let fields = Fields::from_xml(message.children().next().unwrap()).unwrap();
    assert_eq!(fields.node.timestamp.fields.len(), 500);
    let all = All {
        foreign: 7,
        second: "<&>",
        lang: Some("de".into()),
        picture: Base64(vec![1; 1_000]),
        note: "a\nb & c",
        urgent: true,
    };
    for payload in [&fields as &dyn ToXml, &all] {
        for content in ["jabber:client", "jabber:server"] {
            let (info, out) = written(payload, content);
            assert!(out.len() > 100);
            assert_eq!(info.count_total, 0, "{info:?}");
        }
    }
}

#[test]
fn reading_a_typed_payload_allocates_its_lists_alone() {
    let stanza = sensor_data(500);
    let mut scratch = Scratch::new();
    let mut parser = parser(&mut scratch);
    let mut input = stanza.as_bytes();
    let Some(Event::Element(message)) = parser.next(&mut scratch, &mut input).unwrap() else {
        panic!("{stanza}");
    };
    let fields = message.children().next().unwrap();
    let info = measure(|| drop(black_box(Fields::from_xml(fields).unwrap())));
    // One list that grows to 500: from 4, doubling.
    assert!(info.count_total <= 9, "{info:?}");
}

#[test]
fn forwarding_with_a_rewritten_start_tag_copies_only_that_tag() {
    let stanza = format!(
        "<message xmlns='jabber:client' to='room@example.org'><body>{}</body></message>",
        "x".repeat(100_000)
    );
    let received = Element::parse(&stanza).unwrap();
    let bytes = received.root().bytes();
    for to in ["a@example.org/1", "b@example.org/2"] {
        let mut tag = Vec::new();
        let mut rest = "";
        let info = measure(|| {
            let writer = Writer::in_stream(&mut tag, "jabber:client");
            let attributes = [("to", Some(to)), ("from", Some("room@example.org"))];
            rest = writer.forward_tag(received.root(), &attributes).unwrap();
        });
        assert!(info.bytes_total < 512, "{info:?}");
        assert_eq!(
            tag,
            format!("<message to='{to}' from='room@example.org'>").as_bytes()
        );
        // Not equal bytes, the same bytes.
        let begin = bytes.len() - rest.len();
        assert!(std::ptr::eq(rest, bytes.get(begin..).unwrap()));
        assert!(rest.starts_with("<body>xxx"));
    }
    // With the rest behind it, a warm buffer is all that it takes.
    let mut out = Vec::with_capacity(stanza.len() + 100);
    let info = measure(|| {
        let mut writer = Writer::in_stream(&mut out, "jabber:client");
        writer.forward(received.root(), &[("to", Some("a@example.org"))]);
        writer.finish().unwrap();
    });
    assert_eq!(info.count_total, 0, "{info:?}");
}
