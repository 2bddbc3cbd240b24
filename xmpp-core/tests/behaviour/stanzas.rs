//! Stanzas read from elements, written by builders, and answered with errors.

use xmpp_core::error::{ErrorType, StanzaCondition, StanzaError};
use xmpp_core::jid::{Jid, JidRef};
use xmpp_core::ns;
use xmpp_core::ping::Ping;
use xmpp_core::stanza::{
    Iq, IqBuilder, IqType, Message, MessageBuilder, MessageType, Presence, PresenceBuilder,
    PresenceType, Show, Stanza, StanzaKind, error_reply,
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
