//! Messages for those who are not there (XEP-0160): kept in the store until a resource wants them.

use xmpp_core::delay::Delay;
use xmpp_core::error::StanzaError;
use xmpp_core::hint::{Hint, hints};
use xmpp_core::jid::Jid;
use xmpp_core::ns;
use xmpp_core::stanza::{Message, MessageType};
use xmpp_xml::{Element, ElementRef};

use super::{Feature, Place};
use crate::router::Stamp;
use crate::router::output::with_payload;
use crate::storage::{Store, StoreError};

/// Where the store keeps them, under stamps.
pub(crate) const COLLECTION: &str = "offline";

/// Chat states (XEP-0085), which are news only while somebody looks at them.
const CHAT_STATES: &str = "http://jabber.org/protocol/chatstates";

pub(super) const FEATURES: &[Feature] = &[
    Feature {
        name: "msgoffline",
        place: Place::Server,
        is_on: |rules| rules.offline.is_some(),
    },
    Feature {
        name: "msgoffline",
        place: Place::Account,
        is_on: |rules| rules.offline.is_some(),
    },
];

/// Whether any message waits for an account.
pub(crate) fn is_waiting(store: &dyn Store, account: &str) -> Result<bool, StoreError> {
    Ok(store.extent(account, COLLECTION)?.records > 0)
}

/// Whether a message is worth keeping (XEP-0160 §3): one that says something and does not ask to be forgotten.
pub(crate) fn is_storable(message: &Message<'_>) -> bool {
    let says_something = |child: ElementRef<'_>| {
        !(child.namespace() == CHAT_STATES
            || child.namespace() == ns::HINTS
            || child.is("thread", ns::CLIENT))
    };
    matches!(message.kind(), MessageType::Normal | MessageType::Chat)
        && message.element().children().any(says_something)
        && !hints(message).any(|hint| hint == Hint::NoStore)
}

/// The message as it is kept: with the time, which nobody but the server may have written into it.
pub(crate) fn delayed(
    message: ElementRef<'_>,
    domain: &Jid,
    stamp: &Stamp,
) -> Result<Element, StanzaError> {
    let delay = Delay::new(stamp.time())
        .with_from(domain.clone())
        .with_reason("Offline Storage");
    with_payload(message, |child| is_own_delay(child, domain), &delay)
}

/// Whether the server itself has stamped the message: it was kept before.
pub(crate) fn is_delayed(message: ElementRef<'_>, domain: &Jid) -> bool {
    message.children().any(|child| is_own_delay(child, domain))
}

fn is_own_delay(child: ElementRef<'_>, domain: &Jid) -> bool {
    child.is("delay", ns::DELAY) && child.attribute("from").as_deref() == Some(domain.as_str())
}

#[cfg(test)]
mod tests {
    use xmpp_core::stanza::Stanza;

    use super::*;

    #[test]
    fn only_what_says_something_is_worth_keeping() {
        let storable = |attributes: &str, content: &str| {
            let text = format!("<message xmlns='jabber:client' {attributes}>{content}</message>");
            let element: Element = text.parse().unwrap();
            let Ok(Stanza::Message(message)) = Stanza::parse(element.root()) else {
                panic!("{element}")
            };
            is_storable(&message)
        };
        let body = "<body>hi</body>";
        let composing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
        assert!(storable("", body));
        assert!(storable("type='chat'", body));
        assert!(storable("type='chat'", &format!("{composing}{body}")));
        assert!(storable("", "<x xmlns='urn:example:alarm'/>"));
        assert!(storable(
            "",
            &format!("{body}<no-permanent-store xmlns='urn:xmpp:hints'/>")
        ));
        assert!(!storable("type='chat'", composing));
        assert!(!storable(
            "type='chat'",
            &format!("<thread>t</thread>{composing}")
        ));
        assert!(!storable(
            "",
            &format!("{body}<no-store xmlns='urn:xmpp:hints'/>")
        ));
        assert!(!storable("", ""));
        for kind in ["headline", "groupchat", "error"] {
            assert!(!storable(&format!("type='{kind}'"), body), "{kind}");
        }
    }

    #[test]
    fn the_servers_own_stamp_cannot_be_forged() {
        let domain: Jid = "example.com".parse().unwrap();
        let forged: Element = "<message xmlns='jabber:client'><body>hi</body>\
            <delay xmlns='urn:xmpp:delay' from='example.com' stamp='2002-09-10T23:08:25Z'/>\
            <delay xmlns='urn:xmpp:delay' from='room.example.com' stamp='2002-09-10T23:08:25Z'/></message>"
            .parse()
            .unwrap();
        let kept = delayed(forged.root(), &domain, &Stamp::of(1_000_000, 1)).unwrap();
        let stamps: Vec<_> = kept
            .root()
            .children()
            .filter_map(|child| child.attribute("stamp").map(|stamp| stamp.into_owned()))
            .collect();
        assert_eq!(stamps, ["2002-09-10T23:08:25Z", "1970-01-01T00:00:01Z"]);
        assert!(is_delayed(kept.root(), &domain));
    }
}
