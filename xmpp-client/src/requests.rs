//! Requests that wait for their replies, matched on peer, id and type (RFC 6120 §8.1.3, §8.2.3).

use std::collections::HashMap;

use tokio::sync::oneshot;
use xmpp_core::jid::{Jid, JidRef};
use xmpp_core::stanza::{Iq, IqType};
use xmpp_xml::Element;

/// The open requests of one stream.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    open: HashMap<String, Open>,
}

#[derive(Debug)]
struct Open {
    /// Whom was asked; `None` for one's own account.
    peer: Option<Jid>,
    reply: oneshot::Sender<Element>,
}

impl Requests {
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// Remembers a request; the reply comes through the receiver, and an error when the stream ends first.
    pub(crate) fn insert(&mut self, id: String, peer: Option<Jid>) -> oneshot::Receiver<Element> {
        let (reply, receiver) = oneshot::channel();
        self.open.insert(id, Open { peer, reply });
        receiver
    }

    pub(crate) fn remove(&mut self, id: &str) {
        self.open.remove(id);
    }

    pub(crate) fn clear(&mut self) {
        self.open.clear();
    }

    /// Hands a reply to its request. `false` if nobody waits for it, in particular when it comes from somebody who
    /// was not asked.
    pub(crate) fn answer(&mut self, iq: &Iq<'_>, own: &Jid) -> bool {
        if !matches!(iq.kind(), IqType::Result | IqType::Error) {
            return false;
        }
        let Some(open) = self.open.get(iq.id()) else {
            return false;
        };
        if !is_from(iq.from(), open.peer.as_ref(), own) {
            return false;
        }
        if let Some(open) = self.open.remove(iq.id()) {
            // Nobody is left to hear it when the request was dropped meanwhile.
            let _ = open.reply.send(iq.element().to_element());
        }
        true
    }
}

/// Whether a reply that says it is from `from` can be from `peer`. One's own account answers without an address, or
/// with its bare one (RFC 6120 §8.1.2.1).
fn is_from(from: Option<JidRef<'_>>, peer: Option<&Jid>, own: &Jid) -> bool {
    let account = own.to_bare_ref();
    match (from, peer) {
        (None, None) => true,
        (None, Some(peer)) => peer.as_ref() == account,
        (Some(from), None) => from == account || from.as_str() == own.domain(),
        (Some(from), Some(peer)) => from == peer.as_ref(),
    }
}
