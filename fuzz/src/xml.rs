//! The parser, the elements and the writer.

use xmpp_xml::{Element, Event, Fault, Limits, Parser, Scratch, Writer};

/// Narrow enough that a fuzzer can reach every limit.
fn limits() -> Limits {
    Limits::new()
        .stanza_bytes(4_096)
        .header_bytes(1_024)
        .depth(16)
        .attributes(24)
        .namespaces(12)
        .name_bytes(64)
        .children(64)
}

/// What a stream said, as owned values.
#[derive(Debug, PartialEq)]
enum Said {
    Header(Element),
    Element(Element),
    End,
    Fault(Fault),
}

fn read<'c>(chunks: impl Iterator<Item = &'c [u8]>) -> Vec<Said> {
    let mut parser = Parser::new(limits());
    let mut scratch = Scratch::new();
    let mut said = Vec::new();
    for chunk in chunks {
        let mut input = chunk;
        loop {
            match parser.next(&mut scratch, &mut input) {
                Ok(None) => break,
                // How often white space is told depends on the cuts.
                Ok(Some(Event::Whitespace)) => {}
                Ok(Some(Event::Header(header))) => said.push(Said::Header(header.to_element())),
                Ok(Some(Event::Element(element))) => {
                    said.push(Said::Element(element.to_element()));
                }
                Ok(Some(_)) => said.push(Said::End),
                Err(fault) => {
                    said.push(Said::Fault(fault));
                    let again = parser.next(&mut scratch, &mut input).map(|_| ());
                    assert_eq!(again, Err(fault), "a failed parser must stay failed");
                    return said;
                }
            }
        }
    }
    said
}

/// A stream says the same however it is cut: at once, byte by byte, and in pieces whose lengths the first byte
/// of the input seeds.
pub fn parse(data: &[u8]) {
    let whole = read(std::iter::once(data));
    assert_eq!(read(data.chunks(1)), whole, "byte by byte");
    let mut step = usize::from(data.first().copied().unwrap_or(0));
    let mut rest = data;
    let pieces = std::iter::from_fn(|| {
        if rest.is_empty() {
            return None;
        }
        step = step.wrapping_mul(31).wrapping_add(7) % 97;
        let (piece, tail) = rest.split_at(step.clamp(1, rest.len()));
        rest = tail;
        Some(piece)
    });
    assert_eq!(read(pieces), whole, "in pieces");
}

/// What was read can be written, in whatever surroundings, and read again as the same.
pub fn roundtrip(data: &[u8]) {
    for said in read(std::iter::once(data)) {
        let Said::Element(element) = said else {
            continue;
        };
        assert_eq!(element, element.clone());
        let alone = element.to_string();
        assert_eq!(
            Element::parse(&alone).as_ref(),
            Ok(&element),
            "written alone: {alone}"
        );
        for content in ["jabber:client", "jabber:server"] {
            let mut out = Vec::new();
            let written = Writer::stream_header(&mut out, content).finish();
            assert_eq!(written, Ok(()));
            let mut writer = Writer::in_stream(&mut out, content);
            writer.forward(element.root(), &[]);
            assert_eq!(writer.finish(), Ok(()), "forwarded");
            let mut writer = Writer::in_stream(&mut out, content);
            writer.element(element.root());
            assert_eq!(writer.finish(), Ok(()), "written");
            let mut parser = Parser::new(Limits::new());
            let mut scratch = Scratch::new();
            let mut input = out.as_slice();
            let mut copies = 0;
            while let Some(event) = parser.next(&mut scratch, &mut input).transpose() {
                match event {
                    Ok(Event::Element(copy)) => {
                        assert_eq!(copy, element.root(), "in a stream of {content}");
                        copies += 1;
                    }
                    Ok(_) => {}
                    Err(fault) => unreadable(fault, &out),
                }
            }
            assert_eq!(copies, 2);
        }
        for child in element.root().children() {
            assert_eq!(child.to_element(), child);
        }
    }
}

#[allow(clippy::panic)] // a finding
fn unreadable(fault: Fault, out: &[u8]) {
    panic!("{fault}: {}", String::from_utf8_lossy(out));
}
