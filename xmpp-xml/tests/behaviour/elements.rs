//! Reading elements, and writing them again.

use std::borrow::Cow;

use xmpp_xml::{
    Element, Event, Limits, NodeRef, Parser, STREAM_END, Scratch, WriteError, Writer, XML_NAMESPACE,
};

fn parse(xml: &str) -> Element {
    Element::parse(xml).unwrap()
}

/// The first element below a header, handed to a closure.
fn in_stream<T>(header: &str, stanza: &str, read: impl FnOnce(xmpp_xml::ElementRef<'_>) -> T) -> T {
    let mut parser = Parser::new(Limits::new());
    let mut scratch = Scratch::new();
    assert!(matches!(
        parser.next(&mut scratch, &mut header.as_bytes()),
        Ok(Some(Event::Header(_)))
    ));
    match parser.next(&mut scratch, &mut stanza.as_bytes()).unwrap() {
        Some(Event::Element(element)) => read(element),
        other => panic!("{other:?}"),
    }
}

const HEADER: &str = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
                      xmlns:db='jabber:server:dialback' xml:lang='en'>";

#[test]
fn names_and_namespaces_are_resolved() {
    let element = parse(
        "<p:a xmlns:p='urn:p' xmlns='urn:d'><b/><p:c xmlns:p='urn:q'><p:d/></p:c><e xmlns=''/></p:a>",
    );
    let root = element.root();
    assert_eq!(
        (root.name(), root.namespace(), root.prefix()),
        ("a", "urn:p", "p")
    );
    let names: Vec<_> = root.children().map(|c| (c.name(), c.namespace())).collect();
    assert_eq!(names, [("b", "urn:d"), ("c", "urn:q"), ("e", "")]);
    let d = root.child("c", "urn:q").unwrap().children().next().unwrap();
    assert!(d.is("d", "urn:q"));
    assert!(root.child("c", "urn:p").is_none());
}

#[test]
fn whether_two_elements_share_a_namespace_does_not_depend_on_their_document() {
    let one = parse(
        "<a xmlns='urn:one' xmlns:t='urn:two'><b/><t:c/><d xmlns='urn:one'/><e xmlns=''/></a>",
    );
    let shared: Vec<_> = one
        .root()
        .children()
        .map(|child| child.shares_namespace_with(one.root()))
        .collect();
    assert_eq!(shared, [true, false, true, false]);
    // The same numbers on another tape.
    let (same, other) = (parse("<x xmlns='urn:one'/>"), parse("<x xmlns='urn:two'/>"));
    assert!(same.root().shares_namespace_with(one.root()));
    assert!(!other.root().shares_namespace_with(same.root()));
    let (none, neither) = (parse("<x/>"), parse("<y/>"));
    assert!(none.root().shares_namespace_with(neither.root()));
}

#[test]
fn a_declaration_counts_wherever_it_stands_in_its_tag() {
    let element = parse("<p:a p:b='1' xmlns:p='urn:p'/>");
    assert_eq!(
        element.root().attribute_ns("b", "urn:p").as_deref(),
        Some("1")
    );
    assert_eq!(element.root().attribute("b"), None);
}

#[test]
fn a_namespace_is_what_its_value_means() {
    let element = parse("<a xmlns='urn:a&amp;b' xmlns:p='&#x75;rn:p'><p:b p:c='1'/></a>");
    assert_eq!(element.root().namespace(), "urn:a&b");
    let b = element.root().children().next().unwrap();
    assert_eq!(b.namespace(), "urn:p");
    assert_eq!(
        b.to_element().root().attribute_ns("c", "urn:p").as_deref(),
        Some("1")
    );
    assert_eq!(element.root().to_element(), element);
    assert_eq!(parse(&element.to_string()), element);
}

#[test]
fn attributes_are_read_by_name_and_normalised() {
    let element = parse("<a b='1\n2\t3\r\n4&#10;5&#xD;&lt;&quot;' c=\"it's\" xml:lang='de'/>");
    let root = element.root();
    assert_eq!(root.attribute("b").unwrap(), "1 2 3 4\n5\r<\"");
    assert!(matches!(root.attribute("c"), Some(Cow::Borrowed("it's"))));
    assert_eq!(root.attribute("lang"), None);
    assert_eq!(
        root.attribute_ns("lang", XML_NAMESPACE).as_deref(),
        Some("de")
    );
    assert_eq!(
        root.attributes().map(|a| a.name()).collect::<Vec<_>>(),
        ["b", "c", "lang"]
    );
}

#[test]
fn text_is_decoded_and_joined_with_sections() {
    let element = parse("<a>1\r\n2\r3 &amp; <![CDATA[<&amp;>\r\n]]>4<b>not this</b>5</a>");
    let root = element.root();
    assert_eq!(root.text(), "1\n2\n3 & <&amp;>\n45");
    let nodes: Vec<_> = root.nodes().collect();
    assert_eq!(nodes.len(), 3);
    assert_eq!(nodes[0], NodeRef::Text("1\n2\n3 & <&amp;>\n4".into()));
    assert!(matches!(nodes[1], NodeRef::Element(b) if b.text() == "not this"));
    assert_eq!(nodes[2], NodeRef::Text("5".into()));
    assert!(matches!(
        parse("<a>plain</a>").root().text(),
        Cow::Borrowed("plain")
    ));
}

#[test]
fn the_language_is_the_nearest_one() {
    let lang = |stanza: &str| {
        in_stream(HEADER, stanza, |element| {
            let body = element.children().last().unwrap_or(element);
            body.lang().map(Cow::into_owned)
        })
    };
    assert_eq!(lang("<message/>").as_deref(), Some("en"));
    assert_eq!(
        lang("<message xml:lang='de'><a/><body/></message>").as_deref(),
        Some("de")
    );
    assert_eq!(
        lang("<message xml:lang='de'><body xml:lang='fr'/></message>").as_deref(),
        Some("fr")
    );
    assert_eq!(lang("<message xml:lang=''><body/></message>"), None);
    assert_eq!(
        lang("<message><a xml:lang='it'/><body/></message>").as_deref(),
        Some("en")
    );
}

#[test]
fn what_is_no_language_tag_does_not_hide_the_language_around_it() {
    let lang = |xml: &str| {
        let outer = parse(xml);
        let inner = outer.root().children().next().unwrap();
        inner.lang().map(Cow::into_owned)
    };
    assert_eq!(
        lang("<a xml:lang='de'><b xml:lang='not a tag'/></a>").as_deref(),
        Some("de")
    );
    assert_eq!(lang("<a xml:lang='de-'><b/></a>"), None);
    assert_eq!(lang("<a xml:lang='1-2'><b/></a>"), None);
    assert_eq!(
        lang("<a xml:lang='i-default'><b/></a>").as_deref(),
        Some("i-default")
    );
    assert_eq!(
        lang("<a xml:lang='de_CH'><b xml:lang='fr'/></a>").as_deref(),
        Some("fr")
    );
    let header = HEADER.replace("'en'", "'e n'");
    let of_stream = in_stream(&header, "<a/>", |a| a.lang().map(Cow::into_owned));
    assert_eq!(of_stream, None);
}

#[test]
fn an_owned_child_keeps_the_language_around_it() {
    let child = |xml: &str| {
        in_stream(HEADER, xml, |outer| {
            let inner = outer.children().next().unwrap();
            let owned = inner.to_element();
            assert_eq!(owned, inner);
            let again = owned.root().to_element();
            assert_eq!(owned.root().lang(), again.root().lang());
            assert_eq!(owned.clone().root().lang(), inner.lang());
            owned.root().lang().map(Cow::into_owned)
        })
    };
    // Of the stream, of the stanza, of itself, none; copied as it is, and written anew.
    for inner in ["<b/>", "<p:b c='1'/>"] {
        let child = |lang: &str| child(&format!("<a {lang} xmlns:p='urn:p'>{inner}</a>"));
        assert_eq!(child("").as_deref(), Some("en"), "{inner}");
        assert_eq!(child("xml:lang='de'").as_deref(), Some("de"), "{inner}");
        assert_eq!(child("xml:lang=''"), None, "{inner}");
    }
    assert_eq!(
        child("<a xml:lang='de'><b xml:lang='fr'/></a>").as_deref(),
        Some("fr")
    );
    // The declarations of the stream are still known.
    let owned = in_stream(HEADER, "<a xml:lang='de'><db:b><c/></db:b></a>", |a| {
        a.children().next().unwrap().to_element()
    });
    assert!(owned.root().is("b", "jabber:server:dialback"));
    assert!(owned.root().child("c", "jabber:client").is_some());
    assert_eq!(owned.root().lang().as_deref(), Some("de"));
}

#[test]
fn equality_is_by_meaning() {
    let a = parse("<p:a xmlns:p='x' b='1' c='2'>t&#65;<d xmlns='x'/></p:a>");
    let b = parse("<a xmlns='x' c=\"2\" b='1'>t<![CDATA[A]]><d></d></a>");
    assert_eq!(a, b);
    for other in [
        "<a xmlns='y' b='1' c='2'>tA<d xmlns='x'/></a>",
        "<a xmlns='x' b='1' c='3'>tA<d/></a>",
        "<a xmlns='x' b='1'>tA<d/></a>",
        "<a xmlns='x' b='1' c='2'>tB<d/></a>",
        "<a xmlns='x' b='1' c='2'>tA</a>",
        "<a xmlns='x' b='1' c='2'>tA<e/></a>",
        "<a xmlns='x' b='1' c='2'>tA<d>x</d></a>",
        "<a xmlns='x' b='1' c='2'><d/>tA</a>",
    ] {
        assert_ne!(a, parse(other), "{other}");
    }
}

#[test]
fn an_owned_element_outlives_the_stream() {
    let owned = in_stream(HEADER, "<db:result to='x'><a/></db:result>", |e| {
        e.to_element()
    });
    assert_eq!(owned.root().namespace(), "jabber:server:dialback");
    assert_eq!(
        owned.root().children().next().unwrap().namespace(),
        "jabber:client"
    );
    let moved = std::thread::spawn(move || owned.clone().to_string())
        .join()
        .unwrap();
    assert_eq!(parse(&moved).root().namespace(), "jabber:server:dialback");
}

#[test]
fn a_child_can_be_owned_alone() {
    let outer = parse("<a xmlns='urn:a' xmlns:p='urn:p'><b><p:c p:d='1'>t</p:c></b></a>");
    let c = outer
        .root()
        .children()
        .next()
        .unwrap()
        .children()
        .next()
        .unwrap()
        .to_element();
    assert_eq!(c.root().attribute_ns("d", "urn:p").as_deref(), Some("1"));
    assert_eq!(
        c,
        outer
            .root()
            .children()
            .next()
            .unwrap()
            .children()
            .next()
            .unwrap()
    );
    let payload = parse("<iq xmlns='jabber:client'><q xmlns='urn:q' a='1'>x<r/></q></iq>");
    let q = payload.root().children().next().unwrap();
    assert_eq!(q.bytes(), "<q xmlns='urn:q' a='1'>x<r/></q>");
    assert_eq!(q.to_element(), q);
    assert_eq!(q.to_element().root().bytes(), q.bytes());
}

#[test]
fn forwarding_keeps_the_bytes_where_they_mean_the_same() {
    let stanza =
        "<message  from='x' to='y'\n><body>a &gt; b</body ><p:q xmlns:p='urn:p'/></message >";
    let out = in_stream(HEADER, stanza, |element| {
        let mut out = Vec::new();
        let mut writer = Writer::in_stream(&mut out, "jabber:client");
        writer.forward(element, &[("from", Some("a@b/c")), ("id", None)]);
        writer.finish().unwrap();
        String::from_utf8(out).unwrap()
    });
    assert_eq!(
        out,
        "<message to='y' from='a@b/c'><body>a &gt; b</body ><p:q xmlns:p='urn:p'/></message >"
    );
}

#[test]
fn only_the_start_tag_is_written_where_the_rest_is_sent_from_where_it_stands() {
    let tag = |stanza: &str, content: &str| {
        in_stream(HEADER, stanza, |element| {
            let mut out = b"before".to_vec();
            let writer = Writer::in_stream(&mut out, content);
            let rest = writer
                .forward_tag(element, &[("to", Some("c"))])
                .unwrap()
                .to_owned();
            (String::from_utf8(out).unwrap(), rest)
        })
    };
    let pair = |tag: &str, rest: &str| (tag.to_owned(), rest.to_owned());
    assert_eq!(
        tag("<a to='b' d='1'>t<e/></a>", "jabber:client"),
        pair("before<a d='1' to='c'>", "t<e/></a>")
    );
    assert_eq!(tag("<a/>", "jabber:client"), pair("before<a to='c'/>", ""));
    // The declaration of the start tag holds for what stands within.
    assert_eq!(
        tag("<a><e/></a>", "jabber:server"),
        pair("before<a xmlns='jabber:client' to='c'>", "<e/></a>")
    );
    assert_eq!(
        tag("<a><db:e/></a>", "jabber:client").1,
        "",
        "a prefix of the other stream"
    );
    in_stream(HEADER, "<a>t</a>", |element| {
        let mut out = b"before".to_vec();
        let writer = Writer::in_stream(&mut out, "jabber:client");
        let refused = writer.forward_tag(element, &[("to", Some("\u{1}"))]);
        assert_eq!(refused, Err(WriteError::Character));
        assert_eq!(out, b"before");
    });
}

#[test]
fn content_namespaces_are_rescoped_outside_foreign_elements_only() {
    let foreign = "<f xmlns='urn:f'><message xmlns='jabber:client'><body/></message></f>\
                   <p:f xmlns:p='urn:f'><body/></p:f>";
    for (stanza, expected) in [
        (
            "<message to='a'><body>t</body></message>",
            "<message to='b'><body>t</body></message>",
        ),
        (
            "<message><body xmlns='jabber:client'>t</body></message>",
            "<message to='b'><body>t</body></message>",
        ),
        (
            "<message xmlns='jabber:client'><x xmlns='urn:x'/><body/></message>",
            "<message to='b'><x xmlns='urn:x'/><body/></message>",
        ),
        (
            "<m:message xmlns:m='jabber:client' m:x='1'><m:body/></m:message>",
            "<message to='b' xmlns:n='jabber:client' n:x='1'><body/></message>",
        ),
        (
            &format!("<message><body/>{foreign}</message>"),
            "<message to='b'><body/><f xmlns='urn:f'><message xmlns='jabber:client'><body/></message></f>\
             <f xmlns='urn:f'><body xmlns='jabber:client'/></f></message>",
        ),
        // Not of the content namespace: forwarded as it is.
        (
            "<x xmlns='urn:x'><message xmlns='jabber:client'/></x>",
            "<x xmlns='urn:x' to='b'><message xmlns='jabber:client'/></x>",
        ),
    ] {
        let out = in_stream(HEADER, stanza, |element| {
            let mut out = Vec::new();
            let mut writer = Writer::in_stream(&mut out, "jabber:server");
            writer.rescope(
                element,
                "jabber:client",
                "jabber:server",
                &[("to", Some("b"))],
            );
            writer.finish().unwrap();
            // The same as an operation of the tree.
            let mut again = Vec::new();
            let mut writer = Writer::in_stream(&mut again, "jabber:server");
            let tree = element.rescoped("jabber:client", "jabber:server").unwrap();
            assert_eq!(tree.root().lang().as_deref(), Some("en"));
            writer.forward(tree.root(), &[("to", Some("b"))]);
            writer.finish().unwrap();
            let header = HEADER.replace("jabber:client", "jabber:server");
            let read = |bytes: &[u8]| {
                let text = std::str::from_utf8(bytes).unwrap();
                in_stream(&header, text, |e| e.to_element())
            };
            assert_eq!(read(&out), read(&again), "{stanza}");
            assert_eq!(read(&out), read(expected.as_bytes()), "{stanza}");
            String::from_utf8(out).unwrap()
        });
        // And back again.
        let header = HEADER.replace("jabber:client", "jabber:server");
        let back = in_stream(&header, &out, |element| {
            element.rescoped("jabber:server", "jabber:client").unwrap()
        });
        let original = in_stream(HEADER, stanza, |element| element.to_element());
        assert_eq!(
            back.root()
                .children()
                .map(|c| c.to_element())
                .collect::<Vec<_>>(),
            original
                .root()
                .children()
                .map(|c| c.to_element())
                .collect::<Vec<_>>(),
            "{stanza}"
        );
    }
    assert_eq!(
        parse("<a/>").root().rescoped("", XML_NAMESPACE),
        Err(WriteError::Namespace)
    );
}

#[test]
fn stanzas_in_the_namespace_of_a_wrapper_can_be_put_up_with() {
    let body = parse(
        "<body xmlns='http://jabber.org/protocol/httpbind' xml:lang='de'><message to='a'><body>t</body></message></body>",
    );
    let message = body.root().children().next().unwrap();
    let message = message
        .rescoped("http://jabber.org/protocol/httpbind", "jabber:client")
        .unwrap();
    assert_eq!(
        message.to_string(),
        "<message xmlns='jabber:client' to='a'><body>t</body></message>"
    );
    assert_eq!(message.root().lang().as_deref(), Some("de"));
}

#[test]
fn a_stanza_that_declares_no_namespace_can_be_put_up_with() {
    let mut scratch = Scratch::new();
    let frame = b"<message to='a'><body>t</body><x xmlns='urn:x'/></message>";
    let frame = scratch.document(frame, &Limits::new()).unwrap();
    // Nothing but the wish of the caller makes it a stanza.
    assert_eq!(frame.namespace(), "");
    let message = frame.rescoped("", "jabber:client").unwrap();
    assert!(message.root().is("message", "jabber:client"));
    assert!(message.root().child("body", "jabber:client").is_some());
    assert!(message.root().child("x", "urn:x").is_some());
}

#[test]
fn forwarding_to_another_stream_declares_what_is_needed() {
    for stanza in [
        "<message from='x'><db:a db:b='1'>t</db:a><c/></message>",
        "<db:message from='x'><c>t</c></db:message>",
        "<message from='x' xmlns:xsi='urn:xsi'><v xsi:type='db:string'/></message>",
    ] {
        in_stream(HEADER, stanza, |element| {
            for content in ["jabber:client", "jabber:server"] {
                let mut out = Vec::new();
                let mut header = Writer::stream_header(&mut out, content);
                header.attribute("id", "1");
                header.finish().unwrap();
                let from = out.len();
                let mut writer = Writer::in_stream(&mut out, content);
                writer.forward(element, &[("from", Some("x"))]);
                writer.finish().unwrap();
                let (header, forwarded) = out.split_at(from);
                let (header, forwarded) = (
                    std::str::from_utf8(header).unwrap(),
                    std::str::from_utf8(forwarded).unwrap(),
                );
                in_stream(header, forwarded, |received| {
                    assert_eq!(received, element, "{forwarded}")
                });
            }
        });
    }
}

#[test]
fn qualified_names_in_content_keep_their_prefixes() {
    let outer = parse(
        "<o xmlns:xs='urn:xs' xmlns:xsi='urn:xsi'><v xmlns='urn:v' xsi:type='xs:string'/></o>",
    );
    let v = outer
        .root()
        .children()
        .next()
        .unwrap()
        .to_element()
        .to_string();
    assert!(v.contains("xmlns:xs='urn:xs'"), "{v}");
}

#[test]
fn a_writer_escapes_and_declares() {
    let mut out = Vec::new();
    let mut w = Writer::new(&mut out);
    w.start("a", "urn:a")
        .attribute("b", "<&'\"\t\n\r>")
        .lang("de-CH")
        .attribute_ns("c", "urn:c", "1");
    w.text("<&>\t\n\r'\"]]>").empty("d", "urn:a").empty("e", "");
    w.end();
    w.finish().unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(
        text,
        "<a xmlns='urn:a' b='&lt;&amp;&apos;\"&#x9;&#xA;&#xD;>' xml:lang='de-CH' xmlns:n0='urn:c' n0:c='1'>\
         &lt;&amp;&gt;\t\n&#xD;'\"]]&gt;<d/><e xmlns=''/></a>"
    );
    let back = parse(&text);
    assert_eq!(back.root().attribute("b").unwrap(), "<&'\"\t\n\r>");
    assert_eq!(back.root().text(), "<&>\t\n\r'\"]]>");
}

#[test]
fn prefixes_of_attributes_never_collide() {
    for declared in [
        "n0",
        "n7",
        "n007",
        "n4294967296",
        "n18446744073709551615",
        "n999999",
        "n1000000",
    ] {
        let mut out = Vec::new();
        let mut w = Writer::new(&mut out);
        w.start("a", "")
            .declare(declared, "urn:d")
            .attribute("x", " xmlns:n3=");
        for number in 0..20 {
            w.attribute_ns("b", &format!("urn:{number}"), "1");
        }
        w.attribute_value_ns("b", "urn:typed", &7u8)
            .attribute_value_ns("b", "", &8u8);
        w.end();
        w.finish().unwrap();
        let back = parse(std::str::from_utf8(&out).unwrap());
        assert_eq!(back.root().attributes().count(), 23);
        assert_eq!(
            back.root().attribute_ns("b", "urn:19").as_deref(),
            Some("1")
        );
        assert_eq!(
            back.root().attribute_ns("b", "urn:typed").as_deref(),
            Some("7")
        );
        assert_eq!(back.root().attribute("b").as_deref(), Some("8"));
    }
}

#[test]
fn a_stream_header_stays_open_and_its_elements_need_no_declaration() {
    let mut out = Vec::new();
    let mut header = Writer::stream_header(&mut out, "jabber:client");
    header
        .attribute("to", "example.org")
        .attribute("version", "1.0")
        .lang("en");
    header.finish().unwrap();
    let mut w = Writer::in_stream(&mut out, "jabber:client");
    w.start("features", xmpp_xml::STREAM_NAMESPACE)
        .empty("starttls", "urn:tls")
        .end();
    w.empty("iq", "jabber:client");
    w.finish().unwrap();
    out.extend_from_slice(STREAM_END.as_bytes());
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
         to='example.org' version='1.0' xml:lang='en'>\
         <stream:features><starttls xmlns='urn:tls'/></stream:features><iq/></stream:stream>"
    );
}

#[test]
fn what_cannot_be_written_leaves_no_trace() {
    type Write = fn(&mut Writer<'_>);
    let cases: &[(Write, WriteError)] = &[
        (
            |w| {
                w.empty("a b='c'", "");
            },
            WriteError::Name,
        ),
        (
            |w| {
                w.empty("a:b", "");
            },
            WriteError::Name,
        ),
        (
            |w| {
                w.empty("", "");
            },
            WriteError::Name,
        ),
        (
            |w| {
                w.start("a", "").attribute("b c", "").end();
            },
            WriteError::Name,
        ),
        (
            |w| {
                w.start("a", "").attribute("xmlns", "x").end();
            },
            WriteError::Name,
        ),
        (
            |w| {
                w.start("a", "").attribute("b", "\u{0}").end();
            },
            WriteError::Character,
        ),
        (
            |w| {
                w.start("a", "").text("\u{FFFE}").end();
            },
            WriteError::Character,
        ),
        (
            |w| {
                w.start("a", "").text("\u{b}").end();
            },
            WriteError::Character,
        ),
        (
            |w| {
                w.start("a", "").text("x").attribute("b", "").end();
            },
            WriteError::AttributeAfterContent,
        ),
        (
            |w| {
                w.text("x");
            },
            WriteError::TextOutside,
        ),
        (
            |w| {
                w.start("a", "");
            },
            WriteError::Unbalanced,
        ),
        (
            |w| {
                w.empty("a", "").end();
            },
            WriteError::Unbalanced,
        ),
        (
            |w| {
                w.start("a", "").lang("not a tag").end();
            },
            WriteError::LanguageTag,
        ),
        (
            |w| {
                w.empty("a", XML_NAMESPACE);
            },
            WriteError::Namespace,
        ),
        (
            |w| {
                w.start("a", "").declare("xml", "x").end();
            },
            WriteError::Namespace,
        ),
    ];
    for (number, (write, expected)) in cases.iter().enumerate() {
        let mut out = b"before".to_vec();
        let mut writer = Writer::new(&mut out);
        write(&mut writer);
        assert_eq!(writer.finish(), Err(*expected), "case {number}");
        assert_eq!(out, b"before", "case {number}");
    }
}

#[test]
fn building_takes_exactly_one_element() {
    assert!(
        Element::build(|w| {
            w.empty("a", "b");
        })
        .is_ok()
    );
    assert_eq!(Element::build(|_| {}).unwrap_err(), WriteError::Unbalanced);
    let two = Element::build(|w| {
        w.empty("a", "").empty("b", "");
    });
    assert_eq!(two.unwrap_err(), WriteError::Unbalanced);
}

#[test]
fn deep_trees_are_walked_without_recursion() {
    let depth = 100_000;
    let xml = format!("{}{}", "<a xmlns='x'>".repeat(depth), "</a>".repeat(depth));
    let mut scratch = Scratch::new();
    let limits = Limits::new()
        .stanza_bytes(u32::MAX)
        .depth(u32::MAX)
        .namespaces(u32::MAX);
    let element = scratch
        .document(xml.as_bytes(), &limits)
        .unwrap()
        .to_element();
    let again = element.clone();
    assert_eq!(element, again);
    let mut out = Vec::new();
    let mut writer = Writer::in_stream(&mut out, "jabber:client");
    writer.forward(element.root(), &[("b", Some("c"))]);
    writer.finish().unwrap();
    assert!(format!("{element:?}").len() < 1_000);
}

#[test]
fn debug_shows_the_tree() {
    let element = parse("<a xmlns='urn:a' b='1'>t<c/></a>");
    assert_eq!(
        format!("{element:?}"),
        "{urn:a}a {\"b\": \"1\"} [\"t\", {urn:a}c]"
    );
}
