//! The traffic that is measured, the same at every run: generated, and the examples of the XEPs.

use std::fmt::Write;

/// A stream header, as a server sends it.
pub const HEADER: &str = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
                          xmlns:db='jabber:server:dialback' id='c2s-1' from='example.org' version='1.0' \
                          xml:lang='en'>";

/// A corpus: its name, and its stanzas one behind the other.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// What the tables call it.
    pub name: &'static str,
    /// The stanzas.
    pub text: String,
}

/// All of them.
pub fn all() -> Vec<Corpus> {
    vec![
        Corpus {
            name: "chat",
            text: chat(),
        },
        Corpus {
            name: "presence",
            text: presence(),
        },
        Corpus {
            name: "sensor-50",
            text: sensor(50, 4),
        },
        Corpus {
            name: "sensor-500",
            text: sensor(500, 1),
        },
        Corpus {
            name: "pubsub",
            text: pubsub(),
        },
        Corpus {
            name: "roster-500",
            text: roster(500),
        },
        Corpus {
            name: "escapes",
            text: escapes(),
        },
        Corpus {
            name: "xep-examples",
            text: xep_examples(),
        },
    ]
}

fn repeat(count: usize, mut one: impl FnMut(&mut String, usize)) -> String {
    let mut text = String::new();
    for number in 0..count {
        one(&mut text, number);
    }
    text
}

/// Small chat messages with a chat state and a receipt request.
pub fn chat() -> String {
    repeat(200, |text, n| {
        let _ = write!(
            text,
            "<message from='romeo@example.net/orchard-{n}' to='juliet@example.com/balcony' type='chat' id='m{n}'>\
             <body>Wherefore art thou, number {n}? It is the east, and the sun rises.</body>\
             <active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/></message>"
        );
    })
}

/// Presence with entity capabilities and a photo hash.
pub fn presence() -> String {
    repeat(200, |text, n| {
        let _ = write!(
            text,
            "<presence from='device{n}@example.org/main' to='reader@example.org' xml:lang='en'><show>away</show>\
             <status>measuring</status><priority>5</priority><c xmlns='http://jabber.org/protocol/caps' \
             hash='sha-1' node='https://example.org/device' ver='q07IKJEyjvHSyhy//CH0CxmKi8w='/>\
             <x xmlns='vcard-temp:x:update'><photo>01b87fcd030b72895ff8e88db57ec525450f000d</photo></x></presence>"
        );
    })
}

/// Sensor messages (XEP-0323) with so many fields each.
pub fn sensor(fields: usize, messages: usize) -> String {
    repeat(messages, |text, n| {
        let _ = write!(
            text,
            "<message from='device@example.org/main' to='reader@example.org/desk'>\
             <fields xmlns='urn:xmpp:iot:sensordata' seqnr='{n}' done='true'><node nodeId='Device01'>"
        );
        for minute in 0..fields.div_ceil(5) {
            let _ = write!(
                text,
                "<timestamp value='2026-11-22T12:{:02}:{:02}Z'>",
                minute / 60 % 60,
                minute % 60
            );
            for field in (minute * 5..fields).take(5) {
                let _ = write!(
                    text,
                    "<numeric name='Temperature {field}' momentary='true' automaticReadout='true' \
                     value='{}.{}' unit='°C'/>",
                    20 + field % 9,
                    field % 10
                );
            }
            text.push_str("</timestamp>");
        }
        text.push_str("</node></fields></message>");
    })
}

/// Publish-subscribe events with a small payload.
pub fn pubsub() -> String {
    repeat(100, |text, n| {
        let _ = write!(
            text,
            "<message from='pubsub.example.org' to='reader@example.org/desk' id='e{n}'>\
             <event xmlns='http://jabber.org/protocol/pubsub#event'><items node='plant/hall-{n}/meter'>\
             <item id='ae890ac52d0df67ed7cfdf51b644e90{n}' publisher='meter@example.org'>\
             <reading xmlns='urn:example:meter' unit='kWh' at='2026-11-22T12:00:00Z'><value>{n}.25</value>\
             <state>ok</state></reading></item></items></event></message>"
        );
    })
}

/// One roster of so many contacts.
pub fn roster(contacts: usize) -> String {
    let mut text = String::from(
        "<iq type='result' id='r1' to='reader@example.org/desk'><query xmlns='jabber:iq:roster' ver='ver7'>",
    );
    for n in 0..contacts {
        let _ = write!(
            text,
            "<item jid='device-{n}@example.org' name='Device number {n}' subscription='both'>\
             <group>Hall {}</group></item>",
            n % 7
        );
    }
    text.push_str("</query></iq>");
    text
}

/// Text and attributes full of references.
pub fn escapes() -> String {
    repeat(100, |text, n| {
        let _ = write!(
            text,
            "<message id='{n}' to='a&amp;b@example.org'><body>if (a &lt; b &amp;&amp; c &gt; d) {{ say(&quot;{n}&quot;); }} \
             &#x20AC;&#8364; &apos;quoted&apos; &lt;tag attr=&quot;value&quot;/&gt; and plain text behind it</body></message>"
        );
    })
}

/// The complete elements among the examples of the XEPs, indented as they stand there. Those with an XML
/// declaration or a comment have no place in a stream.
pub fn xep_examples() -> String {
    include_str!("../../xmpp-xml/tests/corpus/examples.txt")
        .split("\n==== ")
        .filter_map(|example| Some(example.split_once('\n')?.1))
        .filter(|xml| !xml.starts_with("<?") && !xml.contains("<!--"))
        .collect()
}
