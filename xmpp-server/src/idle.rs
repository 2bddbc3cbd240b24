//! What an inactive client need not hear of at once (XEP-0352): presence, of which the last one of each sender is enough,
//! and chat states. They wait until something comes that cannot, or the client is active again, and then go before it.

use xmpp_xml::Element;

/// Chat state notifications (XEP-0085).
const CHAT_STATES: &str = "http://jabber.org/protocol/chatstates";

/// What waits while a client is inactive, in the order in which it came.
#[derive(Default)]
pub(crate) struct Held {
    stanzas: Vec<(Key, Vec<u8>)>,
}

/// A stanza takes the place of an earlier one with the same key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Key {
    kind: Kind,
    from: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Presence,
    ChatState,
}

impl Held {
    /// Keeps a stanza instead of the one before; gives how many bytes that one had.
    pub(crate) fn hold(&mut self, key: Key, stanza: Vec<u8>) -> usize {
        let place = self.stanzas.iter().position(|(other, _)| *other == key);
        let before = place.map_or(0, |place| self.stanzas.remove(place).1.len());
        self.stanzas.push((key, stanza));
        before
    }

    /// All that waits, in order.
    pub(crate) fn release(&mut self) -> Vec<u8> {
        let stanzas = self.stanzas.drain(..).map(|(_, stanza)| stanza);
        stanzas.collect::<Vec<_>>().concat()
    }
}

/// What a stanza may wait under; `None` for what the client has to get.
pub(crate) fn key(stanza: &[u8]) -> Option<Key> {
    let element = Element::parse(std::str::from_utf8(stanza).ok()?).ok()?;
    let root = element.root();
    let from = root.attribute("from")?.into_owned();
    let kind = match (root.name(), root.attribute("type").as_deref()) {
        ("presence", None | Some("unavailable")) => Kind::Presence,
        ("message", None | Some("normal" | "chat" | "groupchat")) => {
            let mut states = 0_usize;
            for child in root.children() {
                match (child.name(), child.namespace()) {
                    (_, CHAT_STATES) => states = states.saturating_add(1),
                    ("thread", _) => {}
                    _ => return None,
                }
            }
            (states > 0).then_some(Kind::ChatState)?
        }
        _ => return None,
    };
    Some(Key { kind, from })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_presence_and_bare_chat_states_may_wait() {
        let state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
        for stanza in [
            "<presence from='a@x/y'/>",
            "<presence from='a@x/y' type='unavailable'><status>off</status></presence>",
            &format!("<message from='a@x/y' type='chat'>{state}<thread>t</thread></message>"),
        ] {
            assert!(key(stanza.as_bytes()).is_some(), "{stanza}");
        }
        for stanza in [
            "<presence from='a@x' type='subscribe'/>",
            "<presence from='a@x' type='error'/>",
            "<presence/>",
            "<message from='a@x/y'/>",
            &format!("<message from='a@x/y'>{state}<body>b</body></message>"),
            &format!("<message from='a@x/y' type='error'>{state}</message>"),
            "<iq from='a@x/y' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
        ] {
            assert!(key(stanza.as_bytes()).is_none(), "{stanza}");
        }
    }

    #[test]
    fn the_last_presence_of_each_sender_is_kept_in_order() {
        let mut held = Held::default();
        let mut bytes = 0_isize;
        for stanza in [
            "<presence from='a@x/y'><show>away</show></presence>",
            "<presence from='b@x/y'/>",
            "<presence from='a@x/y'/>",
        ] {
            let before = held.hold(key(stanza.as_bytes()).unwrap(), stanza.into());
            bytes += stanza.len() as isize - before as isize;
        }
        let released = held.release();
        assert_eq!(
            released,
            b"<presence from='b@x/y'/><presence from='a@x/y'/>"
        );
        assert_eq!(released.len() as isize, bytes);
        assert!(held.release().is_empty());
    }
}
