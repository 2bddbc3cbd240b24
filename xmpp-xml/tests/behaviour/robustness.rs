//! What holds however much arrives, and however it is built.

use std::time::{Duration, Instant};

use xmpp_xml::{Event, FaultKind, Limits, Parser, Scratch};

const HEADER: &str = "<s:s xmlns='jabber:client' xmlns:s='http://etherx.jabber.org/streams'>";

/// Feeds `text` byte by byte, and gives the time that took.
fn byte_by_byte(before: &str, text: &str) -> Duration {
    let limits = Limits::new()
        .stanza_bytes(u32::MAX)
        .header_bytes(u32::MAX)
        .attributes(u32::MAX)
        .namespaces(u32::MAX)
        .children(u32::MAX)
        .depth(u32::MAX)
        .name_bytes(u16::MAX);
    let mut parser = Parser::new(limits);
    let mut scratch = Scratch::new();
    let mut input = before.as_bytes();
    while parser.next(&mut scratch, &mut input).unwrap().is_some() {}
    let begin = Instant::now();
    for byte in text.as_bytes().chunks(1) {
        let mut input = byte;
        assert!(matches!(parser.next(&mut scratch, &mut input), Ok(None)));
    }
    begin.elapsed()
}

#[test]
fn feeding_byte_by_byte_costs_in_proportion() {
    let many = |piece: &str, bytes: usize| piece.repeat(bytes.div_ceil(piece.len()));
    type Text<'t> = &'t dyn Fn(usize) -> String;
    let tag = |bytes: usize| {
        let attributes = (0..bytes / 10).map(|n| format!(" a{n}='{n}'"));
        attributes.collect::<String>()
    };
    let (small, large) = (4_000, 32_000);
    let cases: [(&str, String, Text<'_>); 9] = [
        ("text", format!("{HEADER}<a>"), &|n| many("x", n)),
        ("brackets", format!("{HEADER}<a>"), &|n| many("]", n)),
        ("references", format!("{HEADER}<a>"), &|n| many("&amp;", n)),
        ("characters", format!("{HEADER}<a>"), &|n| {
            many("\u{6f22}", n)
        }),
        ("section", format!("{HEADER}<a><![CDATA["), &|n| {
            many("] ", n)
        }),
        ("value", format!("{HEADER}<a b='"), &|n| many("x&lt;", n)),
        ("tag", format!("{HEADER}<a"), &tag),
        ("children", format!("{HEADER}<a>"), &|n| many("<b/>", n)),
        ("header", "<s:s xmlns:s='urn:s' a='".into(), &|n| {
            many("x", n)
        }),
    ];
    for (name, before, text) in cases {
        // Others use this machine too and disturb what takes long the most, so the shortest time of as many rounds as
        // it needs, and much leeway: reading all again at each byte would take 64 times as long for 8 times as much.
        let (short, long) = (text(small), text(large));
        let (mut less, mut more) = (Duration::MAX, Duration::MAX);
        let proportional = (0..30).any(|_| {
            less = less.min(byte_by_byte(&before, &short));
            more = more.min(byte_by_byte(&before, &long));
            more < less * 32
        });
        assert!(proportional, "{name}: {less:?}, then {more:?}");
    }
}

#[test]
fn a_limit_that_is_replaced_holds_exactly_from_then_on() {
    let stanza = |bytes: usize| format!("<a>{}</a>", "x".repeat(bytes - 7));
    for (first, second) in [(10_000u32, 100_000u32), (100_000, 10_000)] {
        for (bytes, good) in [(second, true), (second + 1, false)] {
            let mut parser = Parser::new(Limits::new().stanza_bytes(first));
            let mut scratch = Scratch::new();
            let text = format!("{HEADER}{}", stanza(first as usize));
            let mut input = text.as_bytes();
            for _ in 0..2 {
                assert!(parser.next(&mut scratch, &mut input).unwrap().is_some());
            }
            // What is announced (XEP-0478) is what is enforced.
            parser.set_limits(parser.limits().stanza_bytes(second));
            assert_eq!(parser.limits().stanza_bytes, second);
            let text = stanza(bytes as usize);
            let mut input = text.as_bytes();
            match parser.next(&mut scratch, &mut input) {
                Ok(Some(Event::Element(_))) => assert!(good, "{first}, {second}, {bytes}"),
                Err(fault) => {
                    assert!(!good, "{first}, {second}, {bytes}: {fault}");
                    assert_eq!(fault.kind(), FaultKind::StanzaTooLong);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// That it also compiles without the standard library is shown by a build for a target that has none.
#[test]
fn the_standard_library_and_unsafe_code_are_not_leant_on() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let source = std::fs::read_to_string(&path).unwrap();
        files += 1;
        let mut guarded = false;
        for line in source.lines() {
            let code = line.split("//").next().unwrap();
            assert!(!code.contains("unsafe"), "{}: {line}", path.display());
            if line.starts_with("#[cfg(feature = \"std\")]") {
                guarded = true;
            } else if line == "}" {
                guarded = false;
            }
            let names_std = code.contains("std::") || code.contains("extern crate std");
            assert!(guarded || !names_std, "{}: {line}", path.display());
        }
        if path.ends_with("lib.rs") {
            assert!(source.contains("#![cfg_attr(not(feature = \"std\"), no_std)]"));
        }
    }
    assert!(files > 10);
}
