//! Parsing: bytes to a validated, namespace-resolved tape, beside other parsers on the same bytes. Typed messages, read
//! and written, beside xmpp-parsers and minidom.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::borrow::Cow;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rxml::Parse;
use xmpp_benches::corpus::{self, HEADER};
use xmpp_parsers::chatstates::ChatState;
use xmpp_parsers::message::Message;
use xmpp_parsers::receipts::Request;
use xmpp_xml::{Element, Event, FromXml, Limits, Parser, Scratch, ToXml, Writer};

/// Reads everything; the number of stanzas.
fn tape(parser: &mut Parser, scratch: &mut Scratch, chunks: std::slice::Chunks<'_, u8>) -> usize {
    let mut stanzas = 0;
    for chunk in chunks {
        let mut input = chunk;
        while let Some(event) = parser.next(scratch, &mut input).expect("well-formed") {
            stanzas += usize::from(matches!(event, Event::Element(_)));
        }
    }
    stanzas
}

fn ours(scratch: &mut Scratch, text: &str, chunk: usize) -> usize {
    let mut parser = Parser::new(Limits::new());
    tape(&mut parser, scratch, HEADER.as_bytes().chunks(usize::MAX));
    tape(&mut parser, scratch, text.as_bytes().chunks(chunk))
}

/// quick-xml's bare loop: no attributes, no namespaces, few checks.
fn quick_events(text: &str) -> usize {
    let mut reader = quick_xml::Reader::from_str(text);
    let mut events = 0;
    loop {
        match reader.read_event().expect("well-formed") {
            quick_xml::events::Event::Eof => return events,
            event => {
                black_box(&event);
                events += 1;
            }
        }
    }
}

/// quick-xml with namespaces resolved and attributes collected.
fn quick_namespaces(text: &str) -> usize {
    let mut reader = quick_xml::NsReader::from_str(text);
    let mut attributes = 0;
    loop {
        match reader.read_resolved_event().expect("well-formed") {
            (_, quick_xml::events::Event::Eof) => return attributes,
            (
                namespace,
                quick_xml::events::Event::Start(tag) | quick_xml::events::Event::Empty(tag),
            ) => {
                black_box(namespace);
                for attribute in tag.attributes() {
                    black_box(attribute.expect("an attribute"));
                    attributes += 1;
                }
            }
            _ => {}
        }
    }
}

/// rxml, the strict parser of the same rules.
fn rxml_events(text: &[u8]) -> usize {
    let mut parser = rxml::Parser::new();
    let mut events = 0;
    for mut part in [HEADER.as_bytes(), text] {
        loop {
            match parser.parse(&mut part, false) {
                Ok(Some(event)) => {
                    black_box(&event);
                    events += 1;
                }
                Ok(None) | Err(rxml::error::EndOrError::NeedMoreData) => break,
                Err(error) => unreachable!("{error:?}"),
            }
        }
    }
    events
}

fn parse(criterion: &mut Criterion) {
    for corpus in corpus::all() {
        let mut group = criterion.benchmark_group(format!("parse/{}", corpus.name));
        group.throughput(Throughput::Bytes(corpus.text.len() as u64));
        let text = corpus.text.as_str();
        for (name, chunk) in [
            ("tape", usize::MAX),
            ("tape-16k", 16_384),
            ("tape-1460", 1_460),
        ] {
            let mut scratch = Scratch::new();
            assert!(ours(&mut scratch, text, chunk) > 0);
            group.bench_function(BenchmarkId::from_parameter(name), |b| {
                b.iter(|| ours(&mut scratch, black_box(text), chunk));
            });
        }
        group.bench_function(BenchmarkId::from_parameter("quick-xml-events"), |b| {
            b.iter(|| quick_events(black_box(text)));
        });
        // In a stream, so that the prefix of nothing is bound as it is for us.
        let document = format!("{HEADER}{text}</stream:stream>");
        group.bench_function(BenchmarkId::from_parameter("quick-xml-namespaces"), |b| {
            b.iter(|| quick_namespaces(black_box(&document)));
        });
        group.bench_function(BenchmarkId::from_parameter("rxml"), |b| {
            b.iter(|| rxml_events(black_box(text.as_bytes())));
        });
        group.finish();
    }
}

fn elements(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("element");
    let text = corpus::sensor(50, 1);
    group.throughput(Throughput::Bytes(text.len() as u64));
    let element = Element::parse(&text).expect("well-formed");
    group.bench_function("to-owned", |b| {
        b.iter(|| black_box(element.root()).to_element())
    });
    let mut out = Vec::new();
    group.bench_function("forward", |b| {
        b.iter(|| {
            out.clear();
            let mut writer = Writer::in_stream(&mut out, "jabber:client");
            writer.forward(element.root(), &[("from", Some("device@example.org/main"))]);
            writer.finish().expect("writable");
        });
    });
    group.finish();
}

const CHAT: &str = "<message xmlns='jabber:client' from='romeo@example.net/orchard' to='juliet@example.com/balcony' \
                    type='chat' id='m1'><body>Wherefore art thou? It is the east, and the sun rises.</body>\
                    <active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/>\
                    </message>";

/// What xmpp-parsers makes of it, in types of ours.
#[derive(FromXml, ToXml)]
#[xml(name = "message", namespace = "jabber:client")]
struct Chat<'a> {
    #[xml(attribute)]
    from: Option<Cow<'a, str>>,
    #[xml(attribute)]
    to: Option<Cow<'a, str>>,
    #[xml(attribute = "type")]
    kind: Option<Cow<'a, str>>,
    #[xml(attribute)]
    id: Option<Cow<'a, str>>,
    #[xml(child_text)]
    body: Option<Cow<'a, str>>,
    #[xml(child)]
    state: Option<State>,
    #[xml(flag, namespace = "urn:xmpp:receipts")]
    request: bool,
}

#[derive(FromXml, ToXml)]
#[xml(namespace = "http://jabber.org/protocol/chatstates")]
enum State {
    #[xml(name = "active")]
    Active,
    #[xml(name = "composing")]
    Composing,
    #[xml(name = "paused")]
    Paused,
    #[xml(name = "inactive")]
    Inactive,
    #[xml(name = "gone")]
    Gone,
}

/// A chat message with its children, from bytes to types and back.
fn typed(criterion: &mut Criterion) {
    let parsed = || {
        let element: minidom::Element = black_box(CHAT).parse().expect("well-formed");
        Message::try_from(element).expect("a message")
    };
    let mut group = criterion.benchmark_group("typed/chat");
    group.throughput(Throughput::Bytes(CHAT.len() as u64));
    let (mut scratch, limits) = (Scratch::new(), Limits::new());
    group.bench_function("read", |b| {
        b.iter(|| {
            let bytes = black_box(CHAT.as_bytes());
            let message = scratch.document(bytes, &limits).expect("well-formed");
            let chat: Chat<'_> = message.read().expect("a message");
            (
                chat.body.map(|body| body.len()),
                chat.state.is_some(),
                chat.request,
            )
        });
    });
    group.bench_function("read-xmpp-parsers", |b| {
        b.iter(|| {
            let message = parsed();
            let mut payloads = message.payloads.into_iter();
            let state = payloads.next().map(ChatState::try_from);
            let request = payloads.next().map(Request::try_from);
            (message.bodies, state, request)
        });
    });
    let element = Element::parse(CHAT).expect("well-formed");
    let chat: Chat<'_> = element.root().read().expect("a message");
    let mut out = Vec::new();
    group.bench_function("write", |b| {
        b.iter(|| {
            out.clear();
            let mut writer = Writer::new(&mut out);
            black_box(&chat).to_xml(&mut writer);
            writer.finish().expect("writable");
            out.len()
        });
    });
    let message = parsed();
    group.bench_function("write-xmpp-parsers", |b| {
        b.iter(|| {
            out.clear();
            let element = minidom::Element::from(black_box(&message).clone());
            element.write_to(&mut out).expect("writable");
            out.len()
        });
    });
    let element: minidom::Element = CHAT.parse().expect("well-formed");
    group.bench_function("write-minidom", |b| {
        b.iter(|| {
            out.clear();
            black_box(&element).write_to(&mut out).expect("writable");
            out.len()
        });
    });
    group.finish();
}

criterion_group!(benches, parse, typed, elements);
criterion_main!(benches);
