//! The mux: handlers by payload, and replies to requests.

use std::time::Duration;

use xmpp_core::jid::{Jid, JidRef};
use xmpp_core::mux::{Event, Mux, RequestError, Routed, Selector};
use xmpp_core::ns;
use xmpp_core::time::Instant;
use xmpp_xml::{Element, Writer};

type TestMux = Mux<&'static str, u32>;

fn mux() -> TestMux {
    let mut mux = Mux::new("juliet@example.com/balcony".parse().unwrap());
    mux.register(Selector::iq_get("query", ns::DISCO_INFO), "disco");
    mux.register(Selector::iq_set("query", ns::ROSTER), "roster");
    mux.register(Selector::message("fields", "urn:x"), "fields");
    mux.register(Selector::presence("c", "urn:caps"), "caps");
    mux
}

fn at(seconds: u64) -> Instant {
    Instant::from_origin(Duration::from_secs(seconds))
}

/// Where it went, and what was written.
fn route(mux: &mut TestMux, xml: &str) -> (String, String) {
    let (name, rest) = xml.split_at(xml.find([' ', '/', '>']).unwrap());
    let element = Element::parse(&format!("{name} xmlns='jabber:client'{rest}")).unwrap();
    let mut out = Vec::new();
    let mut writer = Writer::in_stream(&mut out, ns::CLIENT);
    let routed = match mux.handle_element(element.root(), &mut writer) {
        Routed::Handler {
            handler, payload, ..
        } => format!("{handler} {}", payload.name()),
        Routed::Reply { request, .. } => format!("reply {request}"),
        Routed::Unhandled(stanza) => format!("unhandled {}", stanza.kind().as_str()),
        Routed::Answered => "answered".into(),
        Routed::Ignored => "ignored".into(),
        other => panic!("{other:?}"),
    };
    writer.finish().unwrap();
    (routed, String::from_utf8(out).unwrap())
}

fn goes(mux: &mut TestMux, xml: &str) -> String {
    let (routed, out) = route(mux, xml);
    assert_eq!(out, "", "{xml}");
    routed
}

#[test]
fn handlers_are_found_by_kind_payload_name_and_namespace() {
    let mux = &mut mux();
    let disco = "<iq type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>";
    assert_eq!(goes(mux, disco), "disco query");
    assert_eq!(
        goes(
            mux,
            "<iq type='set' id='1'><query xmlns='jabber:iq:roster'/></iq>"
        ),
        "roster query"
    );
    let message = "<message><body>x</body><fields xmlns='urn:x'/></message>";
    assert_eq!(goes(mux, message), "fields fields");
    assert_eq!(
        goes(mux, "<presence><c xmlns='urn:caps'/></presence>"),
        "caps c"
    );
    assert_eq!(
        goes(mux, "<message><body>x</body></message>"),
        "unhandled message"
    );
    assert_eq!(
        goes(mux, "<message><fields xmlns='urn:y'/></message>"),
        "unhandled message"
    );
    assert_eq!(goes(mux, "<presence/>"), "unhandled presence");
}

#[test]
fn a_request_that_nobody_handles_is_refused_exactly_once() {
    let mux = &mut mux();
    let request = "<iq type='get' id='7' from='a@b/c' to='d@e'><q xmlns='urn:unknown'/></iq>";
    let (routed, out) = route(mux, request);
    assert_eq!(routed, "answered");
    assert_eq!(
        out,
        "<iq type='error' id='7' from='d@e' to='a@b/c'><error type='cancel'>\
         <service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    );
}

#[test]
fn another_element_or_type_in_a_known_namespace_is_not_implemented() {
    let mux = &mut mux();
    for request in [
        "<iq type='get' id='7'><query xmlns='jabber:iq:roster'/></iq>",
        "<iq type='set' id='7'><other xmlns='jabber:iq:roster'/></iq>",
    ] {
        let (routed, out) = route(mux, request);
        assert_eq!(routed, "answered");
        assert!(
            out.contains("<error type='cancel'><feature-not-implemented"),
            "{out}"
        );
    }
}

#[test]
fn malformed_stanzas_are_refused_but_never_errors_or_results() {
    let mux = &mut mux();
    let (routed, out) = route(mux, "<iq type='get' id='7'/>");
    assert_eq!(routed, "answered");
    assert!(out.contains("<error type='modify'><bad-request"), "{out}");
    let (_, out) = route(mux, "<message to='a b'/>");
    assert!(out.contains("<jid-malformed"), "{out}");
    assert_eq!(goes(mux, "<iq type='result'/>"), "ignored");
    assert_eq!(goes(mux, "<message type='error' to='a b'/>"), "ignored");
}

#[test]
fn a_reply_is_matched_on_id_peer_and_type() {
    let mux = &mut mux();
    let peer: Jid = "romeo@example.net/orchard".parse().unwrap();
    mux.request("1", Some(peer.as_ref()), 11, at(10)).unwrap();
    for stranger in [
        "<iq type='result' id='1' from='romeo@example.net'/>",
        "<iq type='result' id='1' from='mallory@example.net/x'/>",
        "<iq type='result' id='1'/>",
        "<iq type='result' id='2' from='romeo@example.net/orchard'/>",
        "<iq type='error' id='1' from='example.com'/>",
    ] {
        assert_eq!(goes(mux, stranger), "ignored", "{stranger}");
    }
    // A request with the same id is another thing.
    let request = "<iq type='get' id='1' from='romeo@example.net/orchard'><q xmlns='urn:q'/></iq>";
    assert_eq!(route(mux, request).0, "answered");
    assert_eq!(mux.open_requests(), 1);
    assert_eq!(
        goes(
            mux,
            "<iq type='error' id='1' from='romeo@example.net/orchard'/>"
        ),
        "reply 11"
    );
    assert_eq!(
        goes(
            mux,
            "<iq type='result' id='1' from='romeo@example.net/orchard'/>"
        ),
        "ignored"
    );
}

#[test]
fn the_own_account_and_its_server_answer_under_any_of_their_names() {
    let homes = [
        "",
        " from='juliet@example.com'",
        " from='example.com'",
        " from='juliet@example.com/balcony'",
    ];
    for to in [None, Some("juliet@example.com"), Some("example.com")] {
        for from in homes {
            let mux = &mut mux();
            let to = to.map(|to| JidRef::parse(to).unwrap());
            mux.request("1", to, 1, at(10)).unwrap();
            assert_eq!(
                goes(mux, &format!("<iq type='result' id='1'{from}/>")),
                "reply 1"
            );
        }
        let mux = &mut mux();
        let to = to.map(|to| JidRef::parse(to).unwrap());
        mux.request("1", to, 1, at(10)).unwrap();
        for from in [
            "juliet@example.com/other",
            "romeo@example.com",
            "example.com/x",
            "example.net",
        ] {
            assert_eq!(
                goes(mux, &format!("<iq type='result' id='1' from='{from}'/>")),
                "ignored"
            );
        }
    }
}

#[test]
fn requests_expire_and_late_replies_are_ignored() {
    let mux = &mut mux();
    mux.request("1", None, 1, at(10)).unwrap();
    mux.request("2", None, 2, at(20)).unwrap();
    mux.request("3", None, 3, at(5)).unwrap();
    assert_eq!(mux.poll_timeout(), Some(at(5)));
    mux.handle_timeout(at(4));
    assert_eq!(mux.poll_event(), None);
    mux.handle_timeout(at(10));
    let mut expired: Vec<_> = std::iter::from_fn(|| mux.poll_event()).collect();
    expired.sort_by_key(|event| format!("{event:?}"));
    assert_eq!(expired, [Event::Expired(1), Event::Expired(3)]);
    assert_eq!(mux.poll_timeout(), Some(at(20)));
    assert_eq!(goes(mux, "<iq type='result' id='1'/>"), "ignored");
    assert_eq!(goes(mux, "<iq type='result' id='2'/>"), "reply 2");
    assert_eq!(mux.poll_timeout(), None);
}

#[test]
fn when_the_stream_is_lost_so_are_the_requests() {
    let mux = &mut mux();
    mux.request("1", None, 1, at(10)).unwrap();
    mux.handle_disconnected();
    assert_eq!(mux.poll_event(), Some(Event::Lost(1)));
    assert_eq!(
        (mux.poll_event(), mux.poll_timeout(), mux.open_requests()),
        (None, None, 0)
    );
}

#[test]
fn open_requests_are_limited_and_their_ids_unique() {
    let mut mux = mux().request_limit(2);
    mux.request("1", None, 1, at(10)).unwrap();
    assert_eq!(mux.request("1", None, 2, at(10)), Err(RequestError::SameId));
    mux.request("2", None, 2, at(10)).unwrap();
    assert_eq!(
        mux.request("3", None, 3, at(10)),
        Err(RequestError::TooMany)
    );
    assert_eq!(mux.cancel("1"), Some(1));
    assert_eq!(mux.cancel("1"), None);
    mux.request("3", None, 3, at(10)).unwrap();
}

#[test]
fn handlers_are_replaced_and_taken_away() {
    let mux = &mut mux();
    let selector = || Selector::message("fields", "urn:x");
    assert_eq!(mux.register(selector(), "other"), Some("fields"));
    assert_eq!(
        goes(mux, "<message><fields xmlns='urn:x'/></message>"),
        "other fields"
    );
    assert_eq!(mux.unregister(&selector()), Some("other"));
    assert_eq!(mux.unregister(&selector()), None);
    assert_eq!(
        goes(mux, "<message><fields xmlns='urn:x'/></message>"),
        "unhandled message"
    );
}
