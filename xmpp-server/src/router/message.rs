//! Messages between clients (RFC 6121 §5 and §8).

use xmpp_core::error::StanzaError;
use xmpp_core::stanza::Message;

use super::Router;
use super::output::{accepted, forward};
use crate::delivery::{self, Delivery, Situation};
use crate::outbox::{Refused, Turn};
use crate::registry::{Handle, Online};

impl Router {
    pub(super) fn message(
        &self,
        handle: &Handle,
        message: &Message<'_>,
        turn: &mut Turn,
    ) -> Result<(), StanzaError> {
        let bare = handle.bare.as_ref();
        let to = message.to().unwrap_or(bare);
        self.expect_local(to)?;
        let registry = self.read();
        let online = registry
            .online(to.to_bare().as_str())
            .filter(|_| to.local().is_some());
        let exact = to.resource().and_then(|resource| online?.session(resource));
        let situation = Situation {
            full: to.is_full(),
            matched: exact.is_some(),
            willing: online.map_or(0, |online| online.willing().count()),
        };
        let stamp = [("from", Some(handle.jid.as_str()))];
        let forward = |buffer: &mut Vec<u8>| forward(buffer, message.element(), &stamp);
        let delivered = match delivery::decide(message.kind(), situation) {
            Delivery::Exact => exact.map(|session| session.handle.outbox.push(turn, forward)),
            Delivery::MostAvailable => online
                .and_then(Online::most_available)
                .map(|session| session.handle.outbox.push(turn, forward)),
            Delivery::Willing => {
                // Only headlines go to several; nobody is told of those that could not be taken.
                for (session, _) in online.into_iter().flat_map(Online::willing) {
                    let _: Result<(), Refused> = session.handle.outbox.push(turn, forward);
                }
                return Ok(());
            }
            Delivery::Refused => None,
            Delivery::Ignored => return Ok(()),
        };
        accepted(delivered)
    }
}
