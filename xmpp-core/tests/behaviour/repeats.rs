//! Requests that come twice.

use std::time::Duration;

use xmpp_core::repeat::{Repeated, Repeats, RequestKey};
use xmpp_core::stanza::{Iq, Stanza};
use xmpp_core::time::Instant;
use xmpp_xml::Element;

use crate::support::seconds;

fn with<T>(from: &str, id: &str, payload: &str, use_it: impl FnOnce(&Iq<'_>) -> T) -> T {
    let xml =
        format!("<iq xmlns='jabber:client' type='set' id='{id}' from='{from}'>{payload}</iq>");
    let element = Element::parse(&xml).unwrap();
    match Stanza::parse(element.root()).unwrap() {
        Stanza::Iq(iq) => use_it(&iq),
        other => panic!("{other:?}"),
    }
}

fn handle(repeats: &mut Repeats, from: &str, id: &str, payload: &str, now: Instant) -> Repeated {
    with(from, id, payload, |iq| repeats.handle_request(iq, now))
}

/// A request that must be new; gives what it is answered by.
#[track_caller]
fn fresh(repeats: &mut Repeats, from: &str, id: &str, payload: &str, now: Instant) -> RequestKey {
    match handle(repeats, from, id, payload, now) {
        Repeated::New(key) => key,
        other => panic!("{other:?}"),
    }
}

const ON: &str = "<on xmlns='urn:example:x'/>";
const OFF: &str = "<off xmlns='urn:example:x'/>";

#[test]
fn a_repeated_request_is_carried_out_once_and_answered_again() {
    let mut repeats = Repeats::new();
    let key = fresh(&mut repeats, "a@b/c", "1", ON, seconds(0));
    assert_eq!(
        handle(&mut repeats, "a@b/c", "1", ON, seconds(1)),
        Repeated::InProgress
    );
    repeats.keep(&key, b"done");
    for second in 2..5 {
        let again = handle(&mut repeats, "a@b/c", "1", ON, seconds(second));
        assert_eq!(again, Repeated::Answered(b"done".to_vec()));
    }
    // The first answer is the one.
    repeats.keep(&key, b"other");
    let again = handle(&mut repeats, "a@b/c", "1", ON, seconds(5));
    assert_eq!(again, Repeated::Answered(b"done".to_vec()));
}

#[test]
fn what_differs_in_anything_is_new() {
    let mut repeats = Repeats::new();
    for (from, id, payload) in [
        ("a@b/c", "1", ON),
        ("a@b/d", "1", ON),
        ("a@b/c", "2", ON),
        ("a@b/c", "1", OFF),
    ] {
        fresh(&mut repeats, from, id, payload, seconds(0));
    }
    assert_eq!(repeats.len(), 4);
}

#[test]
fn answers_are_kept_for_a_while() {
    let mut repeats = Repeats::new().lifetime(Duration::from_secs(10));
    assert!(repeats.is_empty());
    let key = fresh(&mut repeats, "a@b/c", "1", ON, seconds(0));
    repeats.keep(&key, b"done");
    assert!(matches!(
        handle(&mut repeats, "a@b/c", "1", ON, seconds(9)),
        Repeated::Answered(_)
    ));
    let slow = fresh(&mut repeats, "a@b/c", "2", ON, seconds(9));
    fresh(&mut repeats, "a@b/c", "1", ON, seconds(10));
    // The answer to what was forgotten meanwhile changes nothing.
    fresh(&mut repeats, "a@b/c", "3", ON, seconds(19));
    assert_eq!(repeats.len(), 2);
    repeats.keep(&slow, b"late");
    fresh(&mut repeats, "a@b/c", "2", ON, seconds(19));
}

#[test]
fn the_oldest_answers_make_room() {
    let mut repeats = Repeats::new().limit(2);
    for id in ["1", "2", "3"] {
        fresh(&mut repeats, "a@b/c", id, ON, seconds(0));
    }
    assert_eq!(repeats.len(), 2);
    assert_eq!(
        handle(&mut repeats, "a@b/c", "3", ON, seconds(0)),
        Repeated::InProgress
    );
    fresh(&mut repeats, "a@b/c", "1", ON, seconds(0));

    let mut repeats = Repeats::new().bytes_limit(10);
    for id in ["1", "2"] {
        let key = fresh(&mut repeats, "a@b/c", id, ON, seconds(0));
        repeats.keep(&key, b"123456");
        assert!(matches!(
            handle(&mut repeats, "a@b/c", id, ON, seconds(0)),
            Repeated::Answered(_)
        ));
    }
    fresh(&mut repeats, "a@b/c", "1", ON, seconds(0));
    // An answer that is too large is not kept, and the request is carried out again.
    let key = fresh(&mut repeats, "a@b/c", "3", ON, seconds(0));
    repeats.keep(&key, b"12345678901");
    fresh(&mut repeats, "a@b/c", "3", ON, seconds(0));
}
