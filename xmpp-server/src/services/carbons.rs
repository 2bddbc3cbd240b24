//! Message carbons (XEP-0280): copies for the other resources of an account.

use xmpp_core::forward::Forwarded;
use xmpp_core::hint::{Hint, hints};
use xmpp_core::jid::Jid;
use xmpp_core::ns;
use xmpp_core::stanza::{IqType, Message, MessageBuilder, MessageType};
use xmpp_xml::{ElementRef, ToXml, Writer};

use super::{Answer, How, Inquiry, Reply, Service};
use crate::outbox::Turn;
use crate::registry::Handle;
use crate::router::output::push;

pub(crate) const CARBONS: &str = "urn:xmpp:carbons:2";

/// The presence of a room in a message (XEP-0045).
const ROOM_USER: &str = "http://jabber.org/protocol/muc#user";

pub(super) const SERVICES: &[Service] = &[
    Service::new(
        CARBONS,
        "enable",
        IqType::Set,
        How::Now(|inquiry| switch(inquiry, true)),
    )
    .at_own_account()
    .announced_by_server()
    .announced_by_accounts(),
    Service::new(
        CARBONS,
        "disable",
        IqType::Set,
        How::Now(|inquiry| switch(inquiry, false)),
    )
    .at_own_account(),
];

fn switch(inquiry: &Inquiry<'_>, carbons: bool) -> Answer {
    if let Some(session) = inquiry.router.write().session_mut(inquiry.handle) {
        session.carbons = carbons;
    }
    Ok(Reply::Empty)
}

/// On which side of a conversation the account is that gets a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// One of its resources has sent the message.
    Sent,
    /// The message was for it.
    Received,
}

/// Whether a message is copied (XEP-0280 §6.1). Copies are never copied again, whoever made them.
pub(crate) fn is_eligible(message: &Message<'_>, side: Side) -> bool {
    let has = |name: &str, namespace: &str| message.child(name, namespace).is_some();
    let is_private = has("private", CARBONS) || hints(message).any(|hint| hint == Hint::NoCopy);
    if is_private || has("sent", CARBONS) || has("received", CARBONS) {
        return false;
    }
    let room = message.child("x", ROOM_USER);
    let is_invitation = room.is_some_and(|room| room.child("invite", ROOM_USER).is_some())
        || has("x", "jabber:x:conference");
    // The room sends these to all who have joined it.
    let is_from_room = room.is_some()
        && side == Side::Received
        && message.from().is_some_and(|from| from.is_full());
    if is_from_room && !is_invitation {
        return false;
    }
    match message.kind() {
        MessageType::Chat => true,
        MessageType::Normal => {
            is_invitation || message.body().is_some() || message.element().children().any(is_im)
        }
        MessageType::Groupchat | MessageType::Headline | MessageType::Error => false,
    }
}

/// Receipts, chat states and markers belong to conversations.
fn is_im(child: ElementRef<'_>) -> bool {
    matches!(
        child.namespace(),
        ns::RECEIPTS | "http://jabber.org/protocol/chatstates" | "urn:xmpp:chat-markers:0"
    )
}

/// Sends a copy to one resource of the account.
pub(crate) fn copy(
    to: &Handle,
    side: Side,
    kind: MessageType,
    message: ElementRef<'_>,
    turn: &mut Turn,
) {
    let copy = Copy { side, message };
    let address: &Jid = &to.jid;
    push(to, turn, |writer| {
        MessageBuilder::new(kind)
            .from(&to.bare)
            .to(address)
            .payload(&copy)
            .to_xml(writer);
    });
}

struct Copy<'m> {
    side: Side,
    message: ElementRef<'m>,
}

impl ToXml for Copy<'_> {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        let name = match self.side {
            Side::Sent => "sent",
            Side::Received => "received",
        };
        writer
            .start(name, CARBONS)
            .payload(&Forwarded::new(self.message))
            .end();
    }
}

#[cfg(test)]
mod tests {
    use xmpp_core::stanza::Stanza;
    use xmpp_xml::Element;

    use super::*;

    fn eligible(attributes: &str, content: &str, side: Side) -> bool {
        let text = format!("<message xmlns='jabber:client' {attributes}>{content}</message>");
        let element: Element = text.parse().unwrap();
        let Ok(Stanza::Message(message)) = Stanza::parse(element.root()) else {
            panic!("{element}")
        };
        is_eligible(&message, side)
    }

    #[test]
    fn conversations_are_copied_and_nothing_else() {
        let body = "<body>hi</body>";
        let sent = |attributes: &str, content: &str| eligible(attributes, content, Side::Sent);
        assert!(sent("type='chat'", ""));
        assert!(sent("", body));
        assert!(!sent("", "<x xmlns='urn:example:data'/>"));
        assert!(sent("", "<received xmlns='urn:xmpp:receipts' id='1'/>"));
        assert!(sent(
            "",
            "<active xmlns='http://jabber.org/protocol/chatstates'/>"
        ));
        assert!(sent(
            "",
            "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>"
        ));
        for kind in ["groupchat", "headline", "error"] {
            assert!(!sent(&format!("type='{kind}'"), body), "{kind}");
        }
        assert!(!sent(
            "type='chat'",
            "<body>x</body><private xmlns='urn:xmpp:carbons:2'/>"
        ));
        assert!(!sent(
            "type='chat'",
            "<body>x</body><no-copy xmlns='urn:xmpp:hints'/>"
        ));
        assert!(!sent(
            "type='chat'",
            "<received xmlns='urn:xmpp:carbons:2'/>"
        ));
    }

    #[test]
    fn what_a_room_sends_to_all_is_not_copied_but_its_invitations_are() {
        let x = "<x xmlns='http://jabber.org/protocol/muc#user'/>";
        let room = "type='chat' from='room@example.com/nick'";
        assert!(!eligible(
            room,
            &format!("<body>x</body>{x}"),
            Side::Received
        ));
        assert!(eligible(room, &format!("<body>x</body>{x}"), Side::Sent));
        let invite = "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@b'/></x>";
        assert!(eligible("from='room@example.com'", invite, Side::Received));
        let direct = "<x xmlns='jabber:x:conference' jid='room@example.com'/>";
        assert!(eligible("", direct, Side::Received));
    }
}
