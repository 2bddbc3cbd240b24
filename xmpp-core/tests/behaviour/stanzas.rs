//! Stanzas read from elements, written by builders, and answered with errors.

use xmpp_core::error::{ErrorType, StanzaCondition, StanzaError};
use xmpp_core::jid::{Jid, JidRef};
use xmpp_core::ns;
use xmpp_core::ping::Ping;
use xmpp_core::stanza::{
    Iq, IqBuilder, IqType, Message, MessageBuilder, MessageType, Presence, PresenceBuilder,
    PresenceType, Show, Stanza, StanzaKind, error_reply, error_reply_with_payload,
};
use xmpp_xml::{Element, FromXml, ToXml, Writer};

fn element(xml: &str) -> Element {
    let (name, rest) = xml.split_at(xml.find([' ', '/', '>']).unwrap());
    Element::parse(&format!("{name} xmlns='jabber:client'{rest}")).unwrap()
}

fn written(payload: &dyn ToXml) -> String {
    let mut out = Vec::new();
    let mut writer = Writer::in_stream(&mut out, ns::CLIENT);
    writer.payload(payload);
    writer.finish().unwrap();
    String::from_utf8(out).unwrap()
}

fn message<T>(xml: &str, read: impl FnOnce(Message<'_>) -> T) -> T {
    match Stanza::parse(element(xml).root()).unwrap() {
        Stanza::Message(message) => read(message),
        other => panic!("{other:?}"),
    }
}

fn presence<T>(xml: &str, read: impl FnOnce(Presence<'_>) -> T) -> T {
    match Stanza::parse(element(xml).root()).unwrap() {
        Stanza::Presence(presence) => read(presence),
        other => panic!("{other:?}"),
    }
}

fn iq<T>(xml: &str, read: impl FnOnce(Iq<'_>) -> T) -> T {
    match Stanza::parse(element(xml).root()).unwrap() {
        Stanza::Iq(iq) => read(iq),
        other => panic!("{other:?}"),
    }
}

fn refused(xml: &str) -> StanzaCondition {
    Stanza::parse(element(xml).root()).unwrap_err().condition()
}

fn jid(text: &str) -> Jid {
    text.parse().unwrap()
}

#[test]
fn unknown_and_missing_types_of_messages_are_normal() {
    let cases = [
        ("<message/>", MessageType::Normal),
        ("<message type='normal'/>", MessageType::Normal),
        ("<message type='chat'/>", MessageType::Chat),
        ("<message type='error'/>", MessageType::Error),
        ("<message type='groupchat'/>", MessageType::Groupchat),
        ("<message type='headline'/>", MessageType::Headline),
        ("<message type='shout'/>", MessageType::Normal),
        ("<message type=''/>", MessageType::Normal),
    ];
    for (xml, kind) in cases {
        assert_eq!(message(xml, |message| message.kind()), kind, "{xml}");
    }
}

#[test]
fn unknown_types_of_presence_are_bad_requests() {
    let types = [
        PresenceType::Error,
        PresenceType::Probe,
        PresenceType::Subscribe,
        PresenceType::Subscribed,
        PresenceType::Unavailable,
        PresenceType::Unsubscribe,
        PresenceType::Unsubscribed,
    ];
    for kind in types {
        let xml = format!("<presence type='{}'/>", kind.as_str().unwrap());
        assert_eq!(presence(&xml, |presence| presence.kind()), kind);
    }
    assert_eq!(
        presence("<presence/>", |p| p.kind()),
        PresenceType::Available
    );
    for name in ["available", "", "Subscribe"] {
        let refusal = refused(&format!("<presence type='{name}'/>"));
        assert_eq!(refusal, StanzaCondition::BadRequest, "{name}");
    }
}

#[test]
fn an_iq_has_a_known_type_and_an_id() {
    for kind in ["get", "set", "result", "error"] {
        let xml = format!("<iq id='1' type='{kind}'><x/></iq>");
        assert_eq!(iq(&xml, |iq| iq.kind().as_str()), kind);
    }
    for xml in [
        "<iq id='1'><x/></iq>",
        "<iq id='1' type='put'/>",
        "<iq type='get'><x/></iq>",
    ] {
        assert_eq!(refused(xml), StanzaCondition::BadRequest, "{xml}");
    }
}

#[test]
fn a_request_has_exactly_one_payload() {
    for kind in ["get", "set"] {
        for content in ["", "text", "<x/><y/>"] {
            let xml = format!("<iq id='1' type='{kind}'>{content}</iq>");
            assert_eq!(refused(&xml), StanzaCondition::BadRequest, "{xml}");
        }
    }
    for content in ["", "<x/>", "<x/><y/>"] {
        iq(&format!("<iq id='1' type='result'>{content}</iq>"), |_| ());
    }
}

#[test]
fn addresses_are_checked() {
    for xml in [
        "<message to='a b@c'/>",
        "<presence from='@'/>",
        "<iq id='1' type='result' to=''/>",
        "<message from='a@b/ c'/>",
    ] {
        assert_eq!(refused(xml), StanzaCondition::JidMalformed, "{xml}");
    }
    let from_to = message("<message from='A@b/C' to='c@D'/>", |message| {
        (
            message.from().map(JidRef::to_jid),
            message.to().map(JidRef::to_jid),
        )
    });
    assert_eq!(from_to, (Some(jid("a@b/C")), Some(jid("c@d"))));
}

#[test]
fn only_the_three_in_a_content_namespace_are_stanzas() {
    for (xml, kind) in [
        (
            "<message xmlns='jabber:client'/>",
            Some(StanzaKind::Message),
        ),
        (
            "<presence xmlns='jabber:server'/>",
            Some(StanzaKind::Presence),
        ),
        ("<iq xmlns='urn:x'/>", None),
        ("<message/>", None),
        ("<msg xmlns='jabber:client'/>", None),
    ] {
        assert_eq!(
            StanzaKind::of(Element::parse(xml).unwrap().root()),
            kind,
            "{xml}"
        );
    }
}

#[test]
fn texts_come_with_their_languages() {
    let xml = "<message xml:lang='en' id='m1'><subject>s</subject><body>hello</body>\
               <body xml:lang='de'>hallo</body><thread>t1</thread><body xmlns='urn:x'>no</body>\
               </message>";
    message(xml, |message| {
        assert_eq!(
            (message.body().unwrap(), message.subject().unwrap()),
            ("hello".into(), "s".into())
        );
        assert_eq!(message.thread().unwrap(), "t1");
        assert_eq!(message.id(), Some("m1"));
        assert_eq!(message.lang().unwrap(), "en");
        let bodies: Vec<_> = message.bodies().collect();
        assert_eq!(
            bodies,
            [
                (Some("en".into()), "hello".into()),
                (Some("de".into()), "hallo".into()),
            ]
        );
        assert!(message.error().is_none());
    });
    assert!(message("<message/>", |message| message.body().is_none()));
}

#[test]
fn show_and_priority_fall_back_when_they_make_no_sense() {
    let read = |content: &str| {
        presence(&format!("<presence>{content}</presence>"), |presence| {
            (presence.show(), presence.priority())
        })
    };
    assert_eq!(read(""), (None, 0));
    assert_eq!(
        read("<show>away</show><priority>-128</priority>"),
        (Some(Show::Away), -128)
    );
    assert_eq!(
        read("<show>chat</show><priority>127</priority>"),
        (Some(Show::Chat), 127)
    );
    assert_eq!(
        read("<show>dnd</show><priority>128</priority>"),
        (Some(Show::Dnd), 0)
    );
    assert_eq!(
        read("<show>xa</show><priority>x</priority>"),
        (Some(Show::Xa), 0)
    );
    assert_eq!(read("<show>online</show>"), (None, 0));
    let status = presence("<presence><status>here</status></presence>", |presence| {
        presence.status().unwrap().into_owned()
    });
    assert_eq!(status, "here");
}

#[test]
fn builders_write_what_views_read() {
    let to = jid("romeo@example.com/orchard");
    let payloads: [&dyn ToXml; 2] = [&Ping, &Ping];
    let builder = MessageBuilder::new(MessageType::Chat)
        .id("m1")
        .to(&to)
        .from(to.to_bare_ref())
        .lang("en")
        .subject("a < b")
        .body("c & d")
        .thread("t")
        .payloads(&payloads);
    assert_eq!(
        written(&builder),
        "<message type='chat' id='m1' from='romeo@example.com' to='romeo@example.com/orchard' \
         xml:lang='en'><subject>a &lt; b</subject><body>c &amp; d</body><thread>t</thread>\
         <ping xmlns='urn:xmpp:ping'/><ping xmlns='urn:xmpp:ping'/></message>"
    );
    message(&written(&builder), |message| {
        assert_eq!(message.body().unwrap(), "c & d");
        assert!(message.child("ping", ns::PING).is_some());
    });

    let builder = PresenceBuilder::new(PresenceType::Available)
        .show(Show::Dnd)
        .status("busy")
        .priority(-5)
        .payload(&Ping);
    assert_eq!(
        written(&builder),
        "<presence><show>dnd</show><status>busy</status><priority>-5</priority>\
         <ping xmlns='urn:xmpp:ping'/></presence>"
    );
    let builder = PresenceBuilder::new(PresenceType::Subscribe)
        .id("p1")
        .to(&to)
        .from(&to);
    assert_eq!(
        written(&builder),
        "<presence type='subscribe' id='p1' from='romeo@example.com/orchard' \
         to='romeo@example.com/orchard'/>"
    );

    let builder = IqBuilder::set("1").to(&to).payload(&Ping);
    assert_eq!(
        written(&builder),
        "<iq type='set' id='1' to='romeo@example.com/orchard'><ping xmlns='urn:xmpp:ping'/></iq>"
    );
    assert_eq!(
        written(&IqBuilder::result("1")),
        "<iq type='result' id='1'/>"
    );
    assert_eq!(
        written(&MessageBuilder::new(MessageType::Normal)),
        "<message/>"
    );
}

#[test]
fn an_answer_goes_back_to_who_asked_with_the_same_id() {
    let request = "<iq type='get' id='a&amp;b' from='romeo@example.com/x' to='juliet@example.com'>\
                   <q xmlns='urn:x'/></iq>";
    iq(request, |iq| {
        assert_eq!(
            written(&iq.result().payload(&Ping)),
            "<iq type='result' id='a&amp;b' from='juliet@example.com' to='romeo@example.com/x'>\
             <ping xmlns='urn:xmpp:ping'/></iq>"
        );
        let error = StanzaError::new(StanzaCondition::Forbidden);
        assert_eq!(
            written(&iq.refusal(&error)),
            "<iq type='error' id='a&amp;b' from='juliet@example.com' to='romeo@example.com/x'>\
             <error type='auth'><forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        );
    });
    assert_eq!(
        written(&IqBuilder::error("1", &StanzaCondition::Conflict.into())),
        "<iq type='error' id='1'><error type='cancel'>\
         <conflict xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    );
}

#[test]
fn an_error_answers_any_stanza_but_errors_and_results() {
    let reply = |xml: &str| {
        let mut out = Vec::new();
        let mut writer = Writer::in_stream(&mut out, ns::CLIENT);
        let error = StanzaError::new(StanzaCondition::JidMalformed);
        let wrote = error_reply(element(xml).root(), &error, &mut writer);
        writer.finish().unwrap();
        assert_eq!(wrote, !out.is_empty());
        String::from_utf8(out).unwrap()
    };
    for kind in ["message", "presence", "iq"] {
        let said = reply(&format!(
            "<{kind} id='1' from='a@b/c' to='d@e'><x/></{kind}>"
        ));
        let expected =
            format!("<{kind} type='error' id='1' from='d@e' to='a@b/c'><error type='modify'>");
        assert!(said.starts_with(&expected), "{said}");
    }
    // An address that is none is not repeated.
    let said = reply("<message from='a@b/c' to='d e'/>");
    assert!(
        said.starts_with("<message type='error' to='a@b/c'>"),
        "{said}"
    );
    for xml in [
        "<message type='error'/>",
        "<presence type='error'/>",
        "<iq id='1' type='error'/>",
        "<iq id='1' type='result'/>",
        "<other/>",
    ] {
        assert_eq!(reply(xml), "", "{xml}");
    }
    assert!(!reply("<message type='result'/>").is_empty());
}

#[test]
fn a_fault_says_what_to_answer() {
    let fault = Stanza::parse(element("<iq type='get' id='1'/>").root()).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "bad-request (a request without exactly one payload)"
    );
    let error = StanzaError::from(fault);
    assert_eq!(
        (error.condition, error.kind),
        (StanzaCondition::BadRequest, ErrorType::Modify)
    );
}

#[test]
fn errors_are_read_from_stanzas_of_type_error() {
    let error = "<error type='wait'>\
                 <resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    iq(
        &format!("<iq id='1' type='error'><q xmlns='urn:x'/>{error}</iq>"),
        |iq| {
            assert_eq!(
                iq.error().unwrap().condition,
                StanzaCondition::ResourceConstraint
            );
            assert!(iq.payload().unwrap().is("q", "urn:x"));
        },
    );
    iq("<iq id='1' type='error'/>", |iq| {
        assert_eq!(
            iq.error().unwrap().condition,
            StanzaCondition::UndefinedCondition
        );
        assert!(iq.payload().is_none());
    });
    // An error element in another stanza is none.
    assert!(message(&format!("<message>{error}</message>"), |m| m
        .error()
        .is_none()));
    assert!(message(
        &format!("<message type='error'>{error}</message>"),
        |m| m.error().is_some()
    ));
    presence(
        &format!("<presence type='error'>{error}</presence>"),
        |presence| {
            assert_eq!(presence.error().unwrap().kind, ErrorType::Wait);
        },
    );
}

#[test]
fn what_all_stanzas_have_is_asked_of_any() {
    let element = element("<iq id='1' type='result' from='a@b' to='c@d'/>");
    let stanza = Stanza::parse(element.root()).unwrap();
    assert_eq!(
        (stanza.kind(), stanza.id(), stanza.is_error()),
        (StanzaKind::Iq, Some("1"), false)
    );
    assert_eq!(stanza.from().map(JidRef::as_str), Some("a@b"));
    assert_eq!(stanza.to().map(JidRef::as_str), Some("c@d"));
    assert_eq!(stanza.element(), element.root());
    assert!(IqType::Set.is_request() && !IqType::Result.is_request());
    assert!(PresenceType::Subscribed.is_subscription() && !PresenceType::Probe.is_subscription());
}

#[test]
fn a_ping_is_read_and_written() {
    let element = Element::build(|writer| Ping.to_xml(writer)).unwrap();
    assert_eq!(element.to_string(), "<ping xmlns='urn:xmpp:ping'/>");
    assert_eq!(element.root().read::<Ping>().unwrap(), Ping);
    assert!(!Ping::matches(
        Element::parse("<ping xmlns='urn:x'/>").unwrap().root()
    ));
    assert!(
        Element::parse("<ping/>")
            .unwrap()
            .root()
            .read::<Ping>()
            .is_err()
    );
}

fn pairs<'a>(
    texts: impl Iterator<Item = (Option<std::borrow::Cow<'a, str>>, std::borrow::Cow<'a, str>)>,
) -> Vec<(Option<String>, String)> {
    texts
        .map(|(lang, text)| (lang.map(Into::into), text.into_owned()))
        .collect()
}

fn pair(lang: Option<&str>, text: &str) -> (Option<String>, String) {
    (lang.map(str::to_owned), text.to_owned())
}

#[test]
fn of_several_texts_in_one_language_the_first_counts() {
    let texts = |name: &str| {
        format!(
            "<{name}>a</{name}><{name} xml:lang='EN'>b</{name}><{name} xml:lang='de'>c</{name}>\
             <{name} xml:lang='DE'>d</{name}><{name} xml:lang=''>e</{name}><{name} xml:lang=''>f</{name}>"
        )
    };
    let expected = [
        pair(Some("en"), "a"),
        pair(Some("de"), "c"),
        pair(None, "e"),
    ];
    let xml = format!(
        "<message xml:lang='en'>{}{}</message>",
        texts("body"),
        texts("subject")
    );
    message(&xml, |message| {
        assert_eq!(pairs(message.bodies()), expected);
        assert_eq!(pairs(message.subjects()), expected);
    });
    let xml = format!("<presence xml:lang='en'>{}</presence>", texts("status"));
    presence(&xml, |presence| {
        assert_eq!(pairs(presence.statuses()), expected)
    });
}

#[test]
fn the_text_in_the_language_of_the_reader_is_chosen() {
    let texts = |name: &str| {
        format!(
            "<{name}>hello</{name}><{name} xml:lang='de-AT'>servus</{name}><{name} xml:lang='cs'>ahoj</{name}>"
        )
    };
    let xml = format!(
        "<message xml:lang='en'>{}{}</message>",
        texts("body"),
        texts("subject")
    );
    message(&xml, |message| {
        for (preferred, text) in [
            (&["cs"][..], "ahoj"),
            (&["de"], "servus"),
            (&["de-CH", "en"], "servus"),
            (&["fr", "en-GB"], "hello"),
            (&["fr"], "hello"),
            (&[], "hello"),
        ] {
            assert_eq!(message.body_in(preferred).unwrap(), text, "{preferred:?}");
            assert_eq!(
                message.subject_in(preferred).unwrap(),
                text,
                "{preferred:?}"
            );
        }
    });
    let xml = format!("<presence xml:lang='en'>{}</presence>", texts("status"));
    presence(&xml, |presence| {
        assert_eq!(presence.status_in(&["cs"]).unwrap(), "ahoj");
        assert_eq!(presence.status_in(&["fr"]).unwrap(), "hello");
    });
    assert!(message("<message/>", |message| message
        .body_in(&["en"])
        .is_none()));
}

#[test]
fn texts_have_no_elements_inside() {
    let xml = "<message><body>one<b> two</b> three</body><thread>t<x/>1</thread></message>";
    message(xml, |message| {
        assert_eq!(message.body().unwrap(), "one three");
        assert_eq!(message.thread().unwrap(), "t1");
    });
}

#[test]
fn builders_write_texts_in_other_languages_once_each() {
    let bodies = [("de", "Hallo"), ("EN", "Hi"), ("DE", "Servus")];
    let built = MessageBuilder::new(MessageType::Chat)
        .lang("en")
        .body("Hello")
        .bodies(&bodies)
        .subjects(&bodies);
    assert_eq!(
        written(&built),
        "<message type='chat' xml:lang='en'><subject xml:lang='de'>Hallo</subject>\
         <subject xml:lang='EN'>Hi</subject><body>Hello</body><body xml:lang='de'>Hallo</body></message>"
    );
    let built = PresenceBuilder::new(PresenceType::Available)
        .status("Hello")
        .statuses(&bodies);
    assert_eq!(
        written(&built),
        "<presence><status>Hello</status><status xml:lang='de'>Hallo</status>\
         <status xml:lang='EN'>Hi</status></presence>"
    );
}

#[test]
fn a_thread_is_told_once_and_its_parent_is_another() {
    let read = |content: &str| {
        message(&format!("<message>{content}</message>"), |message| {
            let owned =
                |text: Option<std::borrow::Cow<'_, str>>| text.map(|text| text.into_owned());
            (owned(message.thread()), owned(message.parent_thread()))
        })
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        read("<thread>A b</thread><thread>2</thread>"),
        (some("A b"), None)
    );
    assert_eq!(
        read("<thread parent='p'>t</thread>"),
        (some("t"), some("p"))
    );
    assert_eq!(read("<thread parent='t'>t</thread>"), (some("t"), None));
    assert_eq!(read(""), (None, None));
    let built = |parent: &'static str| {
        written(
            &MessageBuilder::new(MessageType::Normal)
                .thread("t")
                .parent_thread(parent),
        )
    };
    assert_eq!(
        built("p"),
        "<message><thread parent='p'>t</thread></message>"
    );
    assert_eq!(built("t"), "<message><thread>t</thread></message>");
    let alone = MessageBuilder::new(MessageType::Normal).parent_thread("p");
    assert_eq!(written(&alone), "<message/>");
}

#[test]
fn the_language_of_a_stanza_overrides_the_stream_and_stays_in_transit() {
    use xmpp_xml::{Event, Limits, Parser, Scratch};

    let mut parser = Parser::new(Limits::default());
    let mut scratch = Scratch::new();
    let input = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' xml:lang='en'>\
                 <message><body>a</body></message>\
                 <message xml:lang='de' to='b'><body>b</body><body xml:lang='cs'>c</body></message>";
    let mut rest = input.as_bytes();
    let mut languages = Vec::new();
    let mut forwarded = Vec::new();
    loop {
        match parser.next(&mut scratch, &mut rest).unwrap() {
            Some(Event::Element(element)) => {
                let Stanza::Message(message) = Stanza::parse(element).unwrap() else {
                    panic!()
                };
                languages.extend(pairs(message.bodies()));
                for whole in [true, false] {
                    let mut writer = Writer::in_stream(&mut forwarded, ns::CLIENT);
                    if whole {
                        writer.element(element);
                    } else {
                        writer.forward(element, &[("to", Some("c")), ("from", Some("d"))]);
                    }
                    writer.finish().unwrap();
                }
            }
            Some(_) => {}
            None => break,
        }
    }
    assert_eq!(
        languages,
        [
            pair(Some("en"), "a"),
            pair(Some("de"), "b"),
            pair(Some("cs"), "c")
        ]
    );
    let forwarded = String::from_utf8(forwarded).unwrap();
    assert_eq!(forwarded.matches("xml:lang='de'").count(), 2);
    assert_eq!(forwarded.matches("<body xml:lang='cs'>").count(), 2);
}

#[test]
fn an_error_may_show_what_it_is_about() {
    let error = StanzaError::new(StanzaCondition::ItemNotFound);
    let told = "<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    let payload = "<x xmlns='urn:example:x' a='1'>&lt;</x>";
    iq(
        &format!("<iq type='get' id='1' from='a@b/c'>{payload}</iq>"),
        |iq| {
            let shown = format!("<iq type='error' id='1' to='a@b/c'>{payload}{told}</iq>");
            assert_eq!(
                written(&iq.refusal_with_payload(&error, payload.len())),
                shown
            );
            let hidden = format!("<iq type='error' id='1' to='a@b/c'>{told}</iq>");
            assert_eq!(
                written(&iq.refusal_with_payload(&error, payload.len() - 1)),
                hidden
            );
            assert_eq!(written(&iq.refusal(&error)), hidden);
        },
    );
    let reply = |xml: &str, max_bytes| {
        let mut out = Vec::new();
        let mut writer = Writer::in_stream(&mut out, ns::CLIENT);
        assert!(error_reply_with_payload(
            element(xml).root(),
            &error,
            max_bytes,
            &mut writer
        ));
        writer.finish().unwrap();
        String::from_utf8(out).unwrap()
    };
    let sent = format!("<message from='a@b'><body>hi</body><error/>{payload}</message>");
    assert_eq!(
        reply(&sent, 1000),
        format!("<message type='error' to='a@b'><body>hi</body>{payload}{told}</message>")
    );
    assert_eq!(
        reply(&sent, 10),
        format!("<message type='error' to='a@b'>{told}</message>")
    );
    // What is shown is read as an error all the same.
    let shown = element(&reply(&sent, 1000).replacen("xmlns='jabber:client'", "", 1));
    assert_eq!(
        StanzaError::of(shown.root()).condition,
        StanzaCondition::ItemNotFound
    );
}
