//! What holds for every element and every way of cutting.

use proptest::prelude::*;
use xmpp_xml::{Element, ElementRef, Event, Limits, NodeRef, Parser, Scratch, Writer};

#[derive(Clone, Debug)]
struct Tree {
    name: String,
    namespace: String,
    attributes: Vec<(String, String, String)>,
    content: Vec<Content>,
}

#[derive(Clone, Debug)]
enum Content {
    Text(String),
    Tree(Tree),
}

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z_é漢][a-zA-Z0-9_.é漢-]{0,6}"
}

fn namespace() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("jabber:client".to_owned()),
        Just("http://etherx.jabber.org/streams".to_owned()),
        Just("urn:a&b'<".to_owned()),
        "urn:[a-z]{1,3}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    "([ -~]|[\t\n\r]|[é漢😀\u{D7FF}\u{E000}\u{FFFD}]|\\]\\]>){0,12}"
}

fn attributes() -> impl Strategy<Value = Vec<(String, String, String)>> {
    prop::collection::vec((name(), namespace(), text()), 0..16).prop_map(|mut all| {
        all.sort();
        all.dedup_by(|a, b| (&a.0, &a.1) == (&b.0, &b.1));
        all
    })
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = (name(), namespace(), attributes()).prop_map(|(name, namespace, attributes)| Tree {
        name,
        namespace,
        attributes,
        content: Vec::new(),
    });
    leaf.prop_recursive(4, 24, 4, |inner| {
        let content = prop_oneof![
            text().prop_map(Content::Text),
            inner.prop_map(Content::Tree)
        ];
        (
            name(),
            namespace(),
            attributes(),
            prop::collection::vec(content, 0..5),
        )
            .prop_map(|(name, namespace, attributes, content)| Tree {
                name,
                namespace,
                attributes,
                content,
            })
    })
}

fn write(tree: &Tree, writer: &mut Writer<'_>) {
    writer.start(&tree.name, &tree.namespace);
    for (name, namespace, value) in &tree.attributes {
        writer.attribute_ns(name, namespace, value);
    }
    for content in &tree.content {
        match content {
            Content::Text(text) => {
                writer.text(text);
            }
            Content::Tree(tree) => write(tree, writer),
        }
    }
    writer.end();
}

/// What a reader must see: adjacent text joined, empty text not there.
fn check(element: ElementRef<'_>, tree: &Tree) {
    assert_eq!(
        (element.name(), element.namespace()),
        (&*tree.name, &*tree.namespace)
    );
    let attributes: Vec<_> = element
        .attributes()
        .map(|a| {
            (
                a.name().to_owned(),
                a.namespace().to_owned(),
                a.value().into_owned(),
            )
        })
        .collect();
    assert_eq!(attributes, tree.attributes);
    let mut nodes = element.nodes();
    let mut pending = String::new();
    let flush = |pending: &mut String, nodes: &mut xmpp_xml::Nodes<'_>| {
        if !pending.is_empty() {
            assert_eq!(
                nodes.next(),
                Some(NodeRef::Text(std::mem::take(pending).into()))
            );
        }
    };
    for content in &tree.content {
        match content {
            Content::Text(text) => pending.push_str(text),
            Content::Tree(tree) => {
                flush(&mut pending, &mut nodes);
                match nodes.next() {
                    Some(NodeRef::Element(child)) => check(child, tree),
                    other => panic!("{other:?} instead of {tree:?}"),
                }
            }
        }
    }
    flush(&mut pending, &mut nodes);
    assert_eq!(nodes.next(), None);
}

proptest! {
    #[test]
    fn random_trees_survive_writing_and_reading(tree in tree(), content in "jabber:(client|server)") {
        let element = Element::build(|w| write(&tree, w)).unwrap();
        check(element.root(), &tree);
        prop_assert_eq!(&Element::parse(&element.to_string()).unwrap(), &element);

        // The same within a stream, byte by byte.
        let mut out = Vec::new();
        Writer::stream_header(&mut out, &content).finish().unwrap();
        let mut writer = Writer::in_stream(&mut out, &content);
        write(&tree, &mut writer);
        writer.finish().unwrap();
        let mut parser = Parser::new(Limits::new());
        let mut scratch = Scratch::new();
        let mut seen = 0;
        for byte in out.chunks(1) {
            let mut input = byte;
            while let Some(event) = parser.next(&mut scratch, &mut input).unwrap() {
                if let Event::Element(received) = event {
                    check(received, &tree);
                    let owned = received.to_element();
                    assert_eq!(owned, element);
                    seen += 1;
                }
            }
        }
        prop_assert_eq!(seen, 1);
    }

    #[test]
    fn random_bytes_never_panic_and_cuts_never_matter(
        bytes in prop::collection::vec(prop_oneof![
            4 => prop::sample::select(b"<>/='\"&;!?[]-: \nabx1#D".as_slice()),
            1 => any::<u8>(),
        ], 0..60),
        cut in 0usize..60,
    ) {
        let header = b"<s xmlns='jabber:client' xmlns:a='urn:a'>".as_slice();
        let read = |chunks: &[&[u8]]| {
            let mut parser = Parser::new(Limits::new());
            let mut scratch = Scratch::new();
            let mut said = Vec::new();
            for chunk in chunks {
                let mut input = *chunk;
                loop {
                    match parser.next(&mut scratch, &mut input) {
                        Ok(None) => break,
                        Ok(Some(Event::Whitespace)) => {}
                        Ok(Some(event)) => said.push(format!("{event:?}")),
                        Err(fault) => {
                            said.push(fault.to_string());
                            return said;
                        }
                    }
                }
            }
            said
        };
        let (first, second) = bytes.split_at(cut.min(bytes.len()));
        prop_assert_eq!(read(&[header, first, second]), read(&[header, &bytes]));
    }
}
