//! Messages between clients (RFC 6121 §5 and §8): who gets them, and who gets a copy (XEP-0280).

use xmpp_core::error::StanzaError;
use xmpp_core::jid::JidRef;
use xmpp_core::stanza::{Message, MessageType, Stanza};
use xmpp_xml::Element;

use super::output::{accepted, forward, stamped};
use super::{Change, Router};
use crate::delivery::{self, Delivery, Situation};
use crate::outbox::{Refused, Turn};
use crate::registry::{Handle, Online, Registry, Session};
use crate::services::carbons::{self, Side};
use crate::services::{archive, blocking, offline};

/// A message on its way to its receivers.
pub(super) struct Parcel<'m> {
    message: &'m Message<'m>,
    to: JidRef<'m>,
    /// The sender's account.
    own: Option<&'m Online>,
    /// The receiver's account, if it is connected.
    online: Option<&'m Online>,
    /// The message as the receiver's archive has it, if that is another one.
    received: Option<&'m Element>,
    /// The message as the sender's archive has it, if that is another one.
    sent: Option<&'m Element>,
}

impl Router {
    pub(super) fn message(
        &self,
        handle: &Handle,
        message: &Message<'_>,
        turn: &mut Turn,
    ) -> Result<Option<Change>, StanzaError> {
        let to = message.to().unwrap_or(handle.bare.as_ref());
        self.expect_local(to)?;
        let registry = self.read();
        let parcel = Parcel::new(&registry, handle, message, to);
        let delivery = self.decide_message(handle, &parcel)?;
        let is_delivered = !matches!(delivery, Delivery::Refused | Delivery::Ignored);
        if delivery == Delivery::Kept || (is_delivered && self.concerns_archives(&parcel)) {
            return Ok(Some(Change::Message(message.element().to_element())));
        }
        deliver(handle, &parcel, delivery, turn)?;
        Ok(None)
    }

    /// Whether a message is to be archived, or pretends that it is already.
    fn concerns_archives(&self, parcel: &Parcel<'_>) -> bool {
        self.rules.archive.is_some()
            && (archive::is_archivable(parcel.message)
                || archive::has_id_by(parcel.message.element(), parcel.to.to_bare()))
    }

    /// What becomes of a message, as far as that can be told without the store.
    pub(super) fn decide_message(
        &self,
        handle: &Handle,
        parcel: &Parcel<'_>,
    ) -> Result<Delivery, StanzaError> {
        let (to, online) = (parcel.to, parcel.online);
        expect_unblocked(parcel.own, handle, to)?;
        if online.is_some_and(|online| online.blocks(handle.jid.as_ref())) {
            return Ok(match parcel.message.kind() {
                MessageType::Error => Delivery::Ignored,
                _ => Delivery::Refused,
            });
        }
        let exact = to.resource().and_then(|resource| online?.session(resource));
        let willing = online.map_or(0, |online| online.willing().count());
        let situation = Situation {
            full: to.is_full(),
            matched: exact.is_some(),
            willing,
            storable: willing == 0
                && self.rules.offline.is_some()
                && to.local().is_some()
                && offline::is_storable(parcel.message),
        };
        Ok(delivery::decide(parcel.message.kind(), situation))
    }

    /// Nobody writes to an address that he has blocked (XEP-0191 §3.3).
    pub(super) fn expect_unblocked(
        &self,
        registry: &Registry,
        handle: &Handle,
        to: JidRef<'_>,
    ) -> Result<(), StanzaError> {
        expect_unblocked(registry.online(handle.bare.as_str()), handle, to)
    }
}

impl<'m> Parcel<'m> {
    pub(super) fn new(
        registry: &'m Registry,
        sender: &Handle,
        message: &'m Message<'m>,
        to: JidRef<'m>,
    ) -> Self {
        let online = registry.online(to.to_bare().as_str());
        Self {
            message,
            to,
            own: registry.online(sender.bare.as_str()),
            online: online.filter(|_| to.local().is_some()),
            received: None,
            sent: None,
        }
    }

    /// With the message as the archives of the receiver and the sender have it.
    pub(super) fn archived(
        mut self,
        received: Option<&'m Element>,
        sent: Option<&'m Element>,
    ) -> Self {
        self.received = received;
        self.sent = sent;
        self
    }
}

/// Hands a message to those who get it now, and copies to those who want copies.
pub(super) fn deliver(
    handle: &Handle,
    parcel: &Parcel<'_>,
    delivery: Delivery,
    turn: &mut Turn,
) -> Result<(), StanzaError> {
    let online = parcel.online;
    let stamp = [("from", Some(handle.jid.as_str()))];
    let forward = |buffer: &mut Vec<u8>| match parcel.received {
        Some(message) => forward(buffer, message.root(), &[]),
        None => forward(buffer, parcel.message.element(), &stamp),
    };
    let receiver = match delivery {
        Delivery::Exact => parcel
            .to
            .resource()
            .and_then(|resource| online?.session(resource)),
        Delivery::MostAvailable => online.and_then(Online::most_available),
        Delivery::Willing => {
            // Only headlines go to several; nobody is told of those that could not be taken.
            for (session, _) in online.into_iter().flat_map(Online::willing) {
                let _: Result<(), Refused> = session.handle.outbox.push(turn, forward);
            }
            return Ok(());
        }
        Delivery::Refused => None,
        Delivery::Kept => {
            copy(handle, parcel, None, turn);
            return Ok(());
        }
        Delivery::Ignored => return Ok(()),
    };
    accepted(receiver.map(|session| session.handle.outbox.push(turn, forward)))?;
    copy(handle, parcel, receiver, turn);
    Ok(())
}

/// Sends carbons to the other resources of both accounts (XEP-0280 §7 and §8).
fn copy(handle: &Handle, parcel: &Parcel<'_>, receiver: Option<&Session>, turn: &mut Turn) {
    let has_original = |session: &Session| {
        session.handle.id == handle.id
            || receiver.is_some_and(|receiver| receiver.handle.id == session.handle.id)
    };
    let wants = |online: &&Online| {
        let mut sessions = online.sessions.iter();
        sessions.any(|session| session.carbons && !has_original(session))
    };
    let receiving = parcel.online.filter(wants);
    // Of a message to oneself one copy is enough.
    let is_own = parcel.to.to_bare() == handle.bare.as_ref();
    let sending = parcel.own.filter(|online| !is_own && wants(online));
    if receiving.is_none() && sending.is_none() {
        return;
    }
    let addresses = [("from", Some(handle.jid.as_str()))];
    let sides = [
        (receiving, Side::Received, parcel.received),
        (sending, Side::Sent, parcel.sent),
    ];
    for (online, side, archived) in sides {
        let Some(online) = online else { continue };
        let message = match archived {
            Some(message) => Ok(message.clone()),
            None => stamped(parcel.message.element(), &addresses),
        };
        let Ok(message) = message else { continue };
        let Ok(Stanza::Message(view)) = Stanza::parse(message.root()) else {
            continue;
        };
        if !carbons::is_eligible(&view, side) {
            continue;
        }
        let sessions = online.sessions.iter();
        for session in sessions.filter(|session| session.carbons && !has_original(session)) {
            carbons::copy(&session.handle, side, view.kind(), message.root(), turn);
        }
    }
}

/// Nobody writes to an address that he has blocked; his own account and the server are always his to ask.
fn expect_unblocked(
    own: Option<&Online>,
    handle: &Handle,
    to: JidRef<'_>,
) -> Result<(), StanzaError> {
    let is_own_or_server = || to.to_bare() == handle.bare.as_ref() || to.local().is_none();
    if own.is_some_and(|own| own.blocks(to)) && !is_own_or_server() {
        return Err(blocking::own_block());
    }
    Ok(())
}
