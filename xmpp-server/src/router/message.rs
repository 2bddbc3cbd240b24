//! Messages between clients (RFC 6121 §5 and §8): routed, copied (XEP-0280), kept for who is not there (XEP-0160).

use std::sync::Arc;

use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::jid::{Jid, JidRef};
use xmpp_core::stanza::{Message, MessageType, Stanza};
use xmpp_xml::{Element, ElementRef};

use super::output::{accepted, forward, refuse, stamped, store_refusal};
use super::{Change, Router};
use crate::delivery::{self, Delivery, Situation};
use crate::outbox::{Refused, Turn};
use crate::registry::{Handle, Online, Registry, Session};
use crate::services::carbons::{self, Side};
use crate::services::{blocking, offline};
use crate::storage::{Batch, Span, StoreError};

/// A message on its way to its receivers.
struct Parcel<'m> {
    message: &'m Message<'m>,
    to: JidRef<'m>,
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
        let parcel = Parcel { message, to };
        let registry = self.read();
        let delivery = self.decide_message(&registry, handle, &parcel)?;
        if delivery == Delivery::Kept {
            return Ok(Some(Change::Message(message.element().to_element())));
        }
        self.deliver(&registry, handle, &parcel, delivery, turn)?;
        Ok(None)
    }

    /// What becomes of a message, as far as that can be told without the store.
    fn decide_message(
        &self,
        registry: &Registry,
        handle: &Handle,
        parcel: &Parcel<'_>,
    ) -> Result<Delivery, StanzaError> {
        let to = parcel.to;
        self.expect_unblocked(registry, handle, to)?;
        let online = account(registry, to);
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

    /// Hands a message to those who get it now, and copies to those who want copies.
    fn deliver(
        &self,
        registry: &Registry,
        handle: &Handle,
        parcel: &Parcel<'_>,
        delivery: Delivery,
        turn: &mut Turn,
    ) -> Result<(), StanzaError> {
        let online = account(registry, parcel.to);
        let stamp = [("from", Some(handle.jid.as_str()))];
        let forward = |buffer: &mut Vec<u8>| forward(buffer, parcel.message.element(), &stamp);
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
                self.copy(registry, handle, parcel, None, turn);
                return Ok(());
            }
            Delivery::Ignored => return Ok(()),
        };
        accepted(receiver.map(|session| session.handle.outbox.push(turn, forward)))?;
        self.copy(registry, handle, parcel, receiver, turn);
        Ok(())
    }

    /// Sends carbons to the other resources of both accounts (XEP-0280 §7 and §8).
    fn copy(
        &self,
        registry: &Registry,
        handle: &Handle,
        parcel: &Parcel<'_>,
        receiver: Option<&Session>,
        turn: &mut Turn,
    ) {
        let has_original = |session: &Session| {
            session.handle.id == handle.id
                || receiver.is_some_and(|receiver| receiver.handle.id == session.handle.id)
        };
        let wants = |online: &&Online| {
            let mut sessions = online.sessions.iter();
            sessions.any(|session| session.carbons && !has_original(session))
        };
        let receiving = account(registry, parcel.to).filter(wants);
        // Of a message to oneself one copy is enough.
        let is_own = parcel.to.to_bare() == handle.bare.as_ref();
        let sending = registry.online(handle.bare.as_str());
        let sending = sending.filter(|online| !is_own && wants(online));
        if receiving.is_none() && sending.is_none() {
            return;
        }
        let addresses = [("from", Some(handle.jid.as_str()))];
        let Ok(message) = stamped(parcel.message.element(), &addresses) else {
            return;
        };
        let Ok(Stanza::Message(view)) = Stanza::parse(message.root()) else {
            return;
        };
        for (online, side) in [(receiving, Side::Received), (sending, Side::Sent)] {
            let Some(online) = online.filter(|_| carbons::is_eligible(&view, side)) else {
                continue;
            };
            let sessions = online.sessions.iter();
            for session in sessions.filter(|session| session.carbons && !has_original(session)) {
                carbons::copy(&session.handle, side, view.kind(), message.root(), turn);
            }
        }
    }

    /// Nobody writes to an address that he has blocked (XEP-0191 §3.3).
    pub(super) fn expect_unblocked(
        &self,
        registry: &Registry,
        handle: &Handle,
        to: JidRef<'_>,
    ) -> Result<(), StanzaError> {
        let own = registry.online(handle.bare.as_str());
        let is_own_or_server = || to.to_bare() == handle.bare.as_ref() || to.local().is_none();
        if own.is_some_and(|own| own.blocks(to)) && !is_own_or_server() {
            return Err(blocking::own_block());
        }
        Ok(())
    }

    /// Takes a message that has to be kept, unless somebody has come meanwhile.
    pub(super) async fn keep_message(&self, handle: &Arc<Handle>, element: &Element) {
        if let Err(error) = self.keep(handle, element).await {
            refuse(handle, element.root(), &error, &mut Turn::new());
        }
    }

    async fn keep(&self, handle: &Handle, element: &Element) -> Result<(), StanzaError> {
        let to = match Stanza::parse(element.root()) {
            Ok(stanza) => stanza.to().unwrap_or(handle.bare.as_ref()).to_jid(),
            Err(fault) => return Err(fault.into()),
        };
        let account = to.bare();
        // Whoever becomes available while this is written waits here, and then finds it.
        let _guards = self.lock([account.as_str(), account.as_str()]).await;
        let is_kept = |delivery| delivery == Delivery::Kept;
        if !self.deliver_now(handle, element, &to, |delivery| !is_kept(delivery))? {
            let is_online = self.read().online(account.as_str()).is_some();
            if !is_online {
                let blocked = self.load(account.clone(), |store, account| {
                    blocking::kept(store, account.as_str())
                });
                let blocked = blocked.await.map_err(|error| store_refusal(&error))?;
                if blocking::is_listed(&blocked, handle.jid.as_ref()) {
                    return accepted(None);
                }
            }
            let addresses = [
                ("from", Some(handle.jid.as_str())),
                ("to", Some(to.as_str())),
            ];
            let message = stamped(element.root(), &addresses)?;
            let batch = self.offline_batch(&account, message.root(), false)?;
            match self.commit(batch).await {
                Ok(()) => {}
                Err(StoreError::NoSuchAccount(_) | StoreError::Full { .. }) => {
                    return accepted(None);
                }
                Err(error) => return Err(store_refusal(&error)),
            }
            self.deliver_now(handle, element, &to, is_kept)?;
        }
        Ok(())
    }

    /// Delivers a message if what becomes of it is what is expected; says whether.
    fn deliver_now(
        &self,
        handle: &Handle,
        element: &Element,
        to: &Jid,
        is_expected: impl Fn(Delivery) -> bool,
    ) -> Result<bool, StanzaError> {
        let Ok(Stanza::Message(message)) = Stanza::parse(element.root()) else {
            return Ok(true);
        };
        let parcel = Parcel {
            message: &message,
            to: to.as_ref(),
        };
        let registry = self.read();
        let delivery = self.decide_message(&registry, handle, &parcel)?;
        if !is_expected(delivery) {
            return Ok(false);
        }
        let mut turn = Turn::new();
        self.deliver(&registry, handle, &parcel, delivery, &mut turn)?;
        Ok(true)
    }

    /// What keeps a message for an account. A message that comes from an outbox may have been kept before, and then its
    /// time is the server's own.
    fn offline_batch(
        &self,
        account: &Jid,
        message: ElementRef<'_>,
        is_trusted: bool,
    ) -> Result<Batch, StanzaError> {
        let quota = self.rules.offline;
        let quota = quota.ok_or_else(|| StanzaError::new(StanzaCondition::ServiceUnavailable))?;
        let stamp = self.stamp();
        let message = if is_trusted && offline::is_delayed(message, &self.rules.domain) {
            message.to_element()
        } else {
            offline::delayed(message, &self.rules.domain, &stamp)?
        };
        let batch = Batch::new().require_account(account.as_str());
        Ok(batch.put_record_within(
            quota,
            account.as_str(),
            offline::COLLECTION,
            stamp.key(),
            message.to_string(),
        ))
    }

    /// A message that was accepted for a resource and did not reach it goes to another one, or is kept. Says whether
    /// it is taken care of.
    pub(super) fn restore(&self, handle: &Handle, message: &Message<'_>, turn: &mut Turn) -> bool {
        let Some(sender) = message.from().filter(|_| self.rules.offline.is_some()) else {
            return false;
        };
        // What the server says in the account's name, such as carbons, it says again when it is asked.
        if sender == handle.bare.as_ref() {
            return true;
        }
        if !offline::is_storable(message) {
            return false;
        }
        let registry = self.read();
        let other = registry.online(handle.bare.as_str());
        if let Some(other) = other.and_then(Online::most_available) {
            let outcome = other
                .handle
                .outbox
                .push(turn, |buffer| forward(buffer, message.element(), &[]));
            return outcome.is_ok();
        }
        let Ok(kept) = stamped(message.element(), &[]) else {
            return false;
        };
        let Ok(batch) = self.offline_batch(&handle.bare, kept.root(), true) else {
            return false;
        };
        let sender = registry.session(sender);
        let sender = sender.map(|session| Arc::clone(&session.handle));
        let message = message.element().to_element();
        self.store_writer().submit(batch, move |outcome| {
            if let (Err(error), Some(sender)) = (outcome, sender) {
                tracing::debug!(%error, "a message could not be kept");
                let error = StanzaError::new(StanzaCondition::ServiceUnavailable);
                refuse(&sender, message.root(), &error, &mut Turn::new());
            }
        });
        true
    }

    /// A resource wants messages: it gets those that were kept, which then are removed (XEP-0160 §2).
    pub(super) async fn flood(&self, handle: &Handle) {
        let account = handle.bare.as_str();
        let _guards = self.lock([account, account]).await;
        let load = self.load(handle.bare.clone(), |store, account| {
            store.records(
                account.as_str(),
                offline::COLLECTION,
                &Span::first(usize::MAX),
            )
        });
        let records = match load.await {
            Ok(records) if records.is_empty() => return,
            Ok(records) => records,
            Err(error) => {
                tracing::error!(%error, "the messages that wait could not be read");
                return;
            }
        };
        let mut batch = Batch::new();
        let mut turn = Turn::new();
        for record in records {
            let text = String::from_utf8(record.value).unwrap_or_default();
            let pushed = match Element::parse(&text) {
                Ok(message) => handle
                    .outbox
                    .push(&mut turn, |buffer| forward(buffer, message.root(), &[])),
                Err(fault) => {
                    tracing::error!(%fault, "a message that waits cannot be read");
                    Ok(())
                }
            };
            if pushed.is_err() {
                break;
            }
            batch = batch.remove_record(account, offline::COLLECTION, record.key);
        }
        drop(turn);
        if let Err(error) = self.commit(batch).await {
            tracing::error!(%error, "messages that were delivered could not be removed");
        }
    }
}

/// The account that an address belongs to, if it is connected.
fn account<'r>(registry: &'r Registry, to: JidRef<'_>) -> Option<&'r Online> {
    let online = registry.online(to.to_bare().as_str());
    online.filter(|_| to.local().is_some())
}
