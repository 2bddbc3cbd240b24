//! Parsing: bytes to a validated, namespace-resolved tape, beside other parsers on the same bytes.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rxml::Parse;
use xmpp_benches::corpus::{self, HEADER};
use xmpp_xml::{Element, Event, Limits, Parser, Scratch, Writer};

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

criterion_group!(benches, parse, elements);
criterion_main!(benches);
