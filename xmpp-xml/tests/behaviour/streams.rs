//! What a stream may hold, and what comes out of the parser.

use xmpp_xml::{Element, Event, Fault, FaultKind, Limits, Parser, Scratch};

const HEADER: &str = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xml:lang='en'>";

/// Everything that comes out, as text; the fault stands last.
fn read(chunks: &[&[u8]], limits: Limits) -> Vec<String> {
    let mut parser = Parser::new(limits);
    let mut scratch = Scratch::new();
    let mut seen = Vec::new();
    for chunk in chunks {
        let mut input = *chunk;
        loop {
            match parser.next(&mut scratch, &mut input) {
                Ok(None) => break,
                Ok(Some(Event::Header(header))) => seen.push(format!("header {header}")),
                Ok(Some(Event::Element(element))) => seen.push(format!("element {element}")),
                Ok(Some(Event::Whitespace)) if seen.last().is_none_or(|last| last != "space") => {
                    seen.push("space".into());
                }
                Ok(Some(Event::Whitespace)) => {}
                Ok(Some(_)) => seen.push("end".into()),
                Err(fault) => {
                    seen.push(format!("fault {fault}"));
                    return seen;
                }
            }
        }
    }
    seen
}

fn whole(xml: &str) -> Vec<String> {
    read(&[xml.as_bytes()], Limits::new())
}

fn fault_of(xml: &[u8]) -> Fault {
    let mut parser = Parser::new(Limits::new());
    let mut scratch = Scratch::new();
    let mut input = xml;
    loop {
        match parser.next(&mut scratch, &mut input) {
            Ok(Some(_)) => {}
            Ok(None) => panic!("accepted: {}", String::from_utf8_lossy(xml)),
            Err(fault) => return fault,
        }
    }
}

fn in_stream(content: &str) -> Vec<u8> {
    [HEADER.as_bytes(), content.as_bytes()].concat()
}

#[test]
fn a_stream_is_header_elements_and_end() {
    let seen = whole(&format!(
        "<?xml version='1.0'?>{HEADER}<a/> <b x='1'>t<c/></b></stream:stream>\n"
    ));
    assert_eq!(
        seen,
        [
            "header <stream xmlns='http://etherx.jabber.org/streams' \
             xmlns:stream='http://etherx.jabber.org/streams' xml:lang='en'/>",
            "element <a xmlns='jabber:client'/>",
            "space",
            "element <b xmlns='jabber:client' x='1'>t<c/></b>",
            "end",
        ]
    );
}

#[test]
fn a_restart_forgets_everything() {
    let mut parser = Parser::new(Limits::new());
    let mut scratch = Scratch::new();
    let bytes = in_stream("<a/><partial");
    let mut input = bytes.as_slice();
    while parser.next(&mut scratch, &mut input).unwrap().is_some() {}
    assert!(parser.is_partial());
    parser.restart();
    assert!(!parser.is_partial());
    assert_eq!(parser.offset(), 0);
    let bytes = [b"<?xml version='1.0'?>".as_slice(), &in_stream("<a/>")].concat();
    let mut input = bytes.as_slice();
    assert!(matches!(
        parser.next(&mut scratch, &mut input),
        Ok(Some(Event::Header(_)))
    ));
    assert!(matches!(
        parser.next(&mut scratch, &mut input),
        Ok(Some(Event::Element(_)))
    ));
}

#[test]
fn one_scratch_serves_many_parsers() {
    let mut scratch = Scratch::new();
    let mut parsers: Vec<_> = (0..3).map(|_| Parser::new(Limits::new())).collect();
    let texts: Vec<_> = (0..3)
        .map(|n| in_stream(&format!("<a n='{n}'>{n}</a>")))
        .collect();
    let longest = texts.iter().map(Vec::len).max().unwrap();
    let mut seen = Vec::new();
    for at in 0..longest {
        for (parser, text) in parsers.iter_mut().zip(&texts) {
            let mut input = text.get(at..=at).unwrap_or_default();
            while let Some(event) = parser.next(&mut scratch, &mut input).unwrap() {
                if let Event::Element(element) = event {
                    seen.push((
                        element.attribute("n").unwrap().into_owned(),
                        element.text().into_owned(),
                    ));
                }
            }
        }
    }
    seen.sort();
    assert_eq!(
        seen,
        [("0", "0"), ("1", "1"), ("2", "2")].map(|(a, b)| (a.to_owned(), b.to_owned()))
    );
}

#[test]
fn the_declaration_is_optional_and_stands_first() {
    for good in [
        "<?xml version='1.0'?>",
        "<?xml version=\"1.0\" encoding='utf-8'?>",
        "<?xml version='1.0' encoding='UTF-8' standalone='yes' ?>\n",
        "",
        " \n",
    ] {
        assert_eq!(whole(&format!("{good}{HEADER}")).len(), 1, "{good}");
    }
    for (bad, kind) in [
        ("<?xml version='1.1'?>", FaultKind::InvalidDeclaration),
        ("<?xml encoding='utf-8'?>", FaultKind::InvalidDeclaration),
        (
            "<?xml version='1.0' encoding='UTF-16'?>",
            FaultKind::UnsupportedEncoding,
        ),
        (
            "<?xml version='1.0' standalone='maybe'?>",
            FaultKind::InvalidDeclaration,
        ),
        (
            "<?xml version='1.0'encoding='utf-8'?>",
            FaultKind::InvalidDeclaration,
        ),
        (
            "<?xml version='1.0'?><?xml version='1.0'?>",
            FaultKind::ProcessingInstruction,
        ),
        (" <?xml version='1.0'?>", FaultKind::ProcessingInstruction),
        ("<?xmlish?>", FaultKind::ProcessingInstruction),
        ("<?pi?>", FaultKind::ProcessingInstruction),
        ("\u{FEFF}", FaultKind::UnexpectedByte),
        ("<!DOCTYPE x>", FaultKind::DocumentType),
        ("<!-- x -->", FaultKind::Comment),
        ("text", FaultKind::UnexpectedByte),
    ] {
        assert_eq!(
            fault_of(format!("{bad}{HEADER}").as_bytes()).kind(),
            kind,
            "{bad}"
        );
    }
    assert_eq!(
        fault_of(&in_stream("<?xml version='1.0'?>")).kind(),
        FaultKind::ProcessingInstruction
    );
}

#[test]
fn what_is_not_well_formed_is_refused_with_its_kind() {
    use FaultKind::*;
    let cases: &[(&str, FaultKind)] = &[
        ("<!-- comment -->", Comment),
        ("<a><!-- comment --></a>", Comment),
        ("<a><?pi ?></a>", ProcessingInstruction),
        ("<!DOCTYPE a>", DocumentType),
        ("<!D", DocumentType),
        ("<a><!DOCTYPE a></a>", DocumentType),
        ("<a><!ENTITY b 'c'></a>", UnexpectedByte),
        ("<![CDATA[x]]>", UnexpectedByte),
        ("<a>&foo;</a>", EntityReference),
        ("<a b='&foo;'/>", EntityReference),
        ("<a>&anentitywithalongname;</a>", EntityReference),
        ("<a>&amp</a>", InvalidReference),
        ("<a>&;</a>", InvalidReference),
        ("<a>& </a>", InvalidReference),
        ("<a>&#;</a>", InvalidReference),
        ("<a>&#x;</a>", InvalidReference),
        ("<a>&#12a;</a>", InvalidReference),
        ("<a>&#X41;</a>", InvalidReference),
        ("<a>&#+41;</a>", InvalidReference),
        ("<a>&#0;</a>", InvalidCharacter),
        ("<a>&#xB;</a>", InvalidCharacter),
        ("<a>&#xD800;</a>", InvalidCharacter),
        ("<a>&#xFFFE;</a>", InvalidCharacter),
        ("<a>&#x110000;</a>", InvalidCharacter),
        ("<a>&#99999999999;</a>", InvalidCharacter),
        ("<a b='&#1;'/>", InvalidCharacter),
        ("<a>\u{1}</a>", InvalidCharacter),
        ("<a>\u{FFFE}</a>", InvalidCharacter),
        ("<a>\u{FFFF}</a>", InvalidCharacter),
        ("<a b='\u{FFFF}'/>", InvalidCharacter),
        ("<a b='\u{1f}'/>", InvalidCharacter),
        ("<a><![CDATA[\u{0}]]></a>", InvalidCharacter),
        ("<a><![CDATA[\u{FFFE}]]></a>", InvalidCharacter),
        ("<a>]]></a>", SectionEndInText),
        ("<a>x]]]></a>", SectionEndInText),
        ("<a><![cdata[x]]></a>", UnexpectedByte),
        ("<a b='<'/>", LessThanInAttribute),
        ("<a b='1'c='2'/>", MissingSpace),
        ("<a b='1' b='2'/>", DuplicateAttribute),
        (
            "<a xmlns:p='x' xmlns:q='x' p:b='1' q:b='2'/>",
            DuplicateAttribute,
        ),
        ("<a xmlns='x' xmlns='x'/>", DuplicateAttribute),
        ("<a xmlns:p='x' xmlns:p='y'/>", DuplicateAttribute),
        ("<a></b>", MismatchedEndTag),
        ("<p:a xmlns:p='x' xmlns:q='x'></q:a>", MismatchedEndTag),
        ("<a><b></a></b>", MismatchedEndTag),
        ("<a></ a>", UnexpectedByte),
        ("<a></a b='1'>", UnexpectedByte),
        ("</a>", MismatchedEndTag),
        ("<a b/>", UnexpectedByte),
        ("<a b=/>", UnexpectedByte),
        ("<a b=1/>", UnexpectedByte),
        ("<a b='1' /x>", UnexpectedByte),
        ("<a/ >", UnexpectedByte),
        ("< a/>", UnexpectedByte),
        ("<>", UnexpectedByte),
        ("<1a/>", InvalidName),
        ("<-a/>", InvalidName),
        ("<a 1b='c'/>", InvalidName),
        ("<a \u{D7}='c'/>", InvalidName),
        ("<\u{37E}/>", InvalidName),
        ("<a:b:c/>", InvalidName),
        ("<:a/>", InvalidName),
        ("<a:/>", InvalidName),
        ("<a :b='1'/>", InvalidName),
        ("<a xmlns:='x'/>", InvalidName),
        ("<p:a/>", UnboundPrefix),
        ("<a p:b='1'/>", UnboundPrefix),
        ("<b><a xmlns:p='x'/><p:a/></b>", UnboundPrefix),
        ("<a xmlns:p=''/>", ReservedDeclaration),
        ("<a xmlns:xml='x'/>", ReservedDeclaration),
        (
            "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
            ReservedDeclaration,
        ),
        (
            "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
            ReservedDeclaration,
        ),
        ("<a xmlns:xmlns='x'/>", ReservedDeclaration),
        (
            "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>",
            ReservedDeclaration,
        ),
        (
            "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
            ReservedDeclaration,
        ),
        ("<xmlns:a/>", ReservedDeclaration),
        ("text", TextBetweenStanzas),
        ("<a/>x", TextBetweenStanzas),
        ("</stream:stream><a/>", ContentAfterEnd),
        ("</stream:stream>x", ContentAfterEnd),
        ("</stream>", MismatchedEndTag),
        ("</stream:stream x>", MismatchedEndTag),
    ];
    for (xml, kind) in cases {
        let fault = fault_of(&in_stream(xml));
        assert_eq!(fault.kind(), *kind, "{xml}: {fault}");
        let at = usize::try_from(fault.offset()).unwrap();
        assert!(
            at >= HEADER.len() && at < HEADER.len() + xml.len(),
            "{xml}: {fault}"
        );
    }
}

#[test]
fn what_is_well_formed_is_accepted() {
    for xml in [
        "<a></a >",
        "<a\n\tb = '1'\r\n/>",
        "<a b=\"it's\" c='say \"x\"'/>",
        "<a>]] > ]]&gt; ></a>",
        "<a><![CDATA[]]]]><![CDATA[>]]></a>",
        "<a>&#x10FFFF;&#9;&#xa;&#0065;</a>",
        "<\u{e9}l\u{e9}ment \u{3b1}='1'/>",
        "<a xml:lang='de' xml:space='preserve' xml:b='c'/>",
        "<a xmlns:xml='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns=''><b xmlns='x'/></a>",
        "<a xmlns:p='x' b='1' p:b='2'/>",
        "<p:a xmlns:p='x'/>",
        "<xmlfoo/>",
        "<a.b-c_d/>",
    ] {
        let seen = whole(&format!("{HEADER}{xml}"));
        assert_eq!(seen.len(), 2, "{xml}: {seen:?}");
        assert!(seen[1].starts_with("element"), "{xml}: {seen:?}");
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_refused_wherever_they_stand() {
    for bad in [
        b"\xC0\x80".as_slice(),
        b"\xED\xA0\x80",
        b"\xF4\x90\x80\x80",
        b"\x80",
        b"\xE2\x82",
        b"\xFF\xFE",
    ] {
        for (before, after) in [
            ("<a>", "</a>"),
            ("<a b='", "'/>"),
            ("<", "/>"),
            ("<a ", "='1'/>"),
            ("<a><![CDATA[", "]]></a>"),
        ] {
            let xml = [HEADER.as_bytes(), before.as_bytes(), bad, after.as_bytes()].concat();
            let fault = fault_of(&xml);
            assert_eq!(
                fault.kind(),
                FaultKind::InvalidUtf8,
                "{before}{bad:?}{after}: {fault}"
            );
            assert_eq!(fault.condition(), "unsupported-encoding");
        }
    }
    // What stands first is told first.
    let xml = [HEADER.as_bytes(), b"<a>\xFF</b>"].concat();
    assert_eq!(fault_of(&xml).kind(), FaultKind::InvalidUtf8);
    let xml = [HEADER.as_bytes(), b"<a></b>\xFF"].concat();
    assert_eq!(fault_of(&xml).kind(), FaultKind::MismatchedEndTag);
}

#[test]
fn a_failed_parser_stays_failed() {
    let mut parser = Parser::new(Limits::new());
    let mut scratch = Scratch::new();
    let first = parser
        .next(&mut scratch, &mut &b"nonsense"[..])
        .unwrap_err();
    let header = in_stream("<a/>");
    assert_eq!(
        parser
            .next(&mut scratch, &mut header.as_slice())
            .unwrap_err(),
        first
    );
    parser.restart();
    assert!(parser.next(&mut scratch, &mut header.as_slice()).is_ok());
}

#[test]
fn every_kind_of_fault_has_a_defined_condition() {
    for kind in FaultKind::ALL {
        let known = [
            "not-well-formed",
            "bad-format",
            "restricted-xml",
            "unsupported-encoding",
            "policy-violation",
        ];
        assert!(known.contains(&kind.condition()), "{kind:?}");
        assert!(!kind.to_string().is_empty());
    }
    assert_eq!(FaultKind::Comment.condition(), "restricted-xml");
    assert_eq!(FaultKind::StanzaTooLong.condition(), "policy-violation");
}

#[test]
fn each_limit_holds_exactly() {
    let stanza = "<a b='1'><c/></a>";
    let length = u32::try_from(stanza.len()).unwrap();
    let text = in_stream(stanza);
    let limited =
        |limits: Limits, xml: &str| read(&[&in_stream(xml)], limits).last().cloned().unwrap();
    assert!(limited(Limits::new().stanza_bytes(length), stanza).starts_with("element"));
    assert!(limited(Limits::new().stanza_bytes(length - 1), stanza).contains("stanza is longer"));
    let header = u32::try_from(HEADER.len()).unwrap();
    assert_eq!(read(&[&text], Limits::new().header_bytes(header)).len(), 2);
    assert!(read(&[&text], Limits::new().header_bytes(header - 1))[0].contains("header is longer"));
    let cases: [(Limits, Limits, &str, &str); 5] = [
        (
            Limits::new().depth(2),
            Limits::new().depth(1),
            "<a><b/><b/></a>",
            "deeper",
        ),
        (
            Limits::new().attributes(2),
            Limits::new().attributes(1),
            "<a b='' c='' xmlns:p='x'/>",
            "attributes",
        ),
        (
            Limits::new().namespaces(2),
            Limits::new().namespaces(1),
            "<a xmlns='x'><b xmlns='y'/><c xmlns='y'/></a>",
            "namespace",
        ),
        (
            Limits::new().name_bytes(6),
            Limits::new().name_bytes(5),
            "<abcdef/>",
            "name is longer",
        ),
        (
            Limits::new().children(2),
            Limits::new().children(1),
            "<a><b/>t<b><c/></b></a>",
            "child",
        ),
    ];
    for (enough, less, xml, word) in cases {
        // The header itself has long names.
        let fed = |limits: Limits| {
            let header = "<s xmlns='jabber:client'>".to_owned() + xml;
            read(&[header.as_bytes()], limits).last().cloned().unwrap()
        };
        assert!(fed(enough).starts_with("element"), "{xml}: {}", fed(enough));
        let refused = fed(less);
        assert!(
            refused.starts_with("fault") && refused.contains(word),
            "{xml}: {refused}"
        );
    }
    // A prefix takes at most 255 bytes whatever the limit on names.
    let prefix = "p".repeat(256);
    assert!(
        limited(Limits::new(), &format!("<{prefix}:a xmlns:{prefix}='x'/>"))
            .contains("name is longer")
    );
}

#[test]
fn a_stanza_that_never_ends_is_refused_at_the_limit() {
    for part in ["<a>", "a", "<a b='", " ", "<![CDATA[", "xmlns:b='c' "] {
        let mut parser = Parser::new(Limits::new().stanza_bytes(10_000).depth(u32::MAX));
        let mut scratch = Scratch::new();
        let head = in_stream("<a");
        let mut input = head.as_slice();
        while parser.next(&mut scratch, &mut input).unwrap().is_some() {}
        let mut fed = 0;
        let fault = loop {
            let mut input = part.as_bytes();
            match parser.next(&mut scratch, &mut input) {
                Err(fault) => break fault,
                Ok(_) => fed += part.len(),
            }
            assert!(fed <= 10_100, "{part}");
        };
        let at = usize::try_from(fault.offset()).unwrap();
        assert!(at <= HEADER.len() + 10_000, "{part}: {fault}");
    }
}

#[test]
fn cutting_at_every_byte_changes_nothing() {
    let stanzas = [
        "<message to='a@b' xml:lang='de'><body>x &lt; &#x79; ]] é 漢字 😀</body><p:x xmlns:p='urn:p' p:y=\"'\"/></message>",
        "<a><![CDATA[<b>&amp;]] ]]]]>t</a>",
        "<iq\n id = '1'\ttype=\"get\" ><query xmlns='urn:q' a='1&#10;2'/>\r\n</iq >",
        "<a><b></c></a>",
        "<a>&nope;</a>",
        "<a>]]></a>",
        "<a b='1' b='2'/>",
        "<a>\u{FFFF}</a>",
        "<!-- -->",
    ];
    for stanza in stanzas {
        let text = format!("<?xml version='1.0'?>{HEADER} {stanza}\n<next/></stream:stream>");
        let bytes = text.as_bytes();
        let expected = whole(&text);
        for at in 0..bytes.len() {
            assert_eq!(
                read(&[&bytes[..at], &bytes[at..]], Limits::new()),
                expected,
                "{stanza} cut at {at}"
            );
        }
        let single: Vec<_> = bytes.chunks(1).collect();
        assert_eq!(
            read(&single, Limits::new()),
            expected,
            "{stanza} byte by byte"
        );
    }
}

#[test]
fn the_verdict_on_a_beginning_does_not_depend_on_the_cuts() {
    let text = format!("{HEADER}<a b='1'c='2'><d>&x</d></a><e f='<'/>");
    for end in 0..text.len() {
        let bytes = &text.as_bytes()[..end];
        let single: Vec<_> = bytes.chunks(1).collect();
        assert_eq!(
            read(&single, Limits::new()),
            read(&[bytes], Limits::new()),
            "up to {end}"
        );
    }
}

#[test]
fn a_document_is_one_element() {
    let mut scratch = Scratch::new();
    let limits = Limits::new();
    for good in ["<a/>", " <a/>\n", "<?xml version='1.0'?>\n<a></a>"] {
        assert!(scratch.document(good.as_bytes(), &limits).is_ok(), "{good}");
    }
    for (bad, kind) in [
        ("", FaultKind::Truncated),
        ("<", FaultKind::Truncated),
        ("<?xml", FaultKind::Truncated),
        ("<a>", FaultKind::Truncated),
        ("<a/><b/>", FaultKind::ContentAfterEnd),
        ("<a/>x", FaultKind::ContentAfterEnd),
        ("x<a/>", FaultKind::UnexpectedByte),
        ("</a>", FaultKind::UnexpectedByte),
        ("<p:a/>", FaultKind::UnboundPrefix),
    ] {
        assert_eq!(
            scratch
                .document(bad.as_bytes(), &limits)
                .unwrap_err()
                .kind(),
            kind,
            "{bad}"
        );
    }
    assert_eq!(
        "<a".parse::<Element>().unwrap_err().kind(),
        FaultKind::Truncated
    );
}
