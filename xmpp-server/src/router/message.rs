//! Messages between clients (RFC 6121 §5 and §8): routed, copied (XEP-0280), kept for who is not there (XEP-0160),
//! and archived (XEP-0313).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::jid::{Jid, JidRef};
use xmpp_core::stanza::{Message, MessageType, Stanza};
use xmpp_xml::{Element, ElementRef};

use super::output::{accepted, forward, refuse, stamped, store_refusal};
use super::{Change, Router};
use crate::delivery::{self, Delivery, Situation};
use crate::outbox::{Refused, Turn};
use crate::registry::{Handle, Online, Registry, Session};
use crate::services::archive::{self, Preferences};
use crate::services::carbons::{self, Side};
use crate::services::{blocking, offline};
use crate::storage::{Batch, Span, StoreError};

/// A message on its way to its receivers.
struct Parcel<'m> {
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

/// What the store knows of the two accounts of a message.
struct Known {
    is_account: bool,
    is_blocked: bool,
    /// What the sender and the receiver want to have archived.
    preferences: Option<[Preferences; 2]>,
    /// Whether the sender has the receiver in the roster, and the other way round.
    in_rosters: [bool; 2],
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
    fn decide_message(
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

    /// Keeps a message for its receiver or in archives, and only then lets it go on.
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
        let _guards = self.lock([handle.bare.as_str(), account.as_str()]).await;
        let (delivery, archives) = {
            let message = read(element)?;
            let registry = self.read();
            let parcel = Parcel::new(&registry, handle, &message, to.as_ref());
            let delivery = self.decide_message(handle, &parcel)?;
            let is_archivable = archive::is_archivable(&message) && to.local().is_some();
            (delivery, self.rules.archive.filter(|_| is_archivable))
        };
        match delivery {
            Delivery::Refused => return accepted(None),
            Delivery::Ignored => return Ok(()),
            _ => {}
        }
        let known = self.known(handle, &account, archives.is_some()).await?;
        if !known.is_account || known.is_blocked {
            return accepted(None);
        }

        let from = [("from", Some(handle.jid.as_str()))];
        let addresses = [
            ("from", Some(handle.jid.as_str())),
            ("to", Some(to.as_str())),
        ];
        let [base, addressed] = [
            stamped(element.root(), &from)?,
            stamped(element.root(), &addresses)?,
        ];
        let mut batch = Batch::new().require_account(account.as_str());
        let is_own = account == handle.bare;
        let [by_sender, by_receiver] = known.wishes(handle, &to);
        let stamp = self.stamp();
        if let Some(rules) = archives {
            // A note to oneself stands in one archive once.
            if by_sender && !is_own {
                let bare = &handle.bare;
                batch = archive::put(batch, &rules, bare, to.as_ref(), &addressed, &stamp);
            }
            if by_receiver {
                let message = archive::with_id(addressed.root(), &account, None)?;
                let peer = handle.jid.as_ref();
                batch = archive::put(batch, &rules, &account, peer, &message, &stamp);
            }
        }
        let (received, sent) = if self.rules.archive.is_some() {
            let id = |wished: bool| archives.and(wished.then_some(&stamp));
            let received = archive::with_id(base.root(), &account, id(by_receiver))?;
            let sent = archive::with_id(base.root(), &handle.bare, id(by_sender && !is_own))?;
            (Some(received), Some(sent))
        } else {
            (None, None)
        };
        if delivery == Delivery::Kept {
            let message = received.as_ref().unwrap_or(&base);
            let kept = self.offline_batch(&account, message.root(), false)?;
            batch = kept.changes().iter().cloned().fold(batch, Batch::with);
        }
        match self.commit(batch).await {
            Ok(()) => {}
            Err(StoreError::NoSuchAccount(_) | StoreError::Full { .. }) => return accepted(None),
            Err(error) => return Err(store_refusal(&error)),
        }

        if delivery == Delivery::Kept {
            self.note_waiting(&account, true);
        }

        let message = read(element)?;
        let mut turn = Turn::new();
        let registry = self.read();
        let parcel = Parcel {
            received: received.as_ref(),
            sent: sent.as_ref(),
            ..Parcel::new(&registry, handle, &message, to.as_ref())
        };
        deliver(handle, &parcel, delivery, &mut turn)
    }

    /// Remembers whether messages wait for an account that is connected.
    fn note_waiting(&self, account: &Jid, waiting: bool) {
        if let Some(online) = self.write().online_mut(account.as_str()) {
            online.waiting = waiting;
        }
    }

    /// Asks the store about the two accounts of a message.
    async fn known(
        &self,
        handle: &Handle,
        account: &Jid,
        with_preferences: bool,
    ) -> Result<Known, StanzaError> {
        let accounts = (handle.jid.clone(), account.clone());
        let load = self.load(accounts, move |store, (sender, receiver)| {
            let (bare, receiver) = (sender.to_bare_ref().as_str().to_owned(), receiver.as_str());
            let in_roster = |owner: &str, other: &str| {
                let contact = store.contact(owner, other)?;
                Ok(contact.is_some_and(|contact| contact.listed))
            };
            Ok(Known {
                is_account: store.account(receiver)?.is_some(),
                is_blocked: blocking::is_listed(&blocking::kept(store, receiver)?, sender.as_ref())
                    && bare != receiver,
                preferences: if with_preferences {
                    Some([
                        archive::kept_preferences(store, &bare)?,
                        archive::kept_preferences(store, receiver)?,
                    ])
                } else {
                    None
                },
                in_rosters: [in_roster(&bare, receiver)?, in_roster(receiver, &bare)?],
            })
        });
        load.await.map_err(|error| store_refusal(&error))
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
        drop(registry);
        let message = message.element().to_element();
        let restoring = Arc::clone(&self.restoring);
        restoring.fetch_add(1, Ordering::Relaxed);
        self.store_writer().submit(batch, move |outcome| {
            restoring.fetch_sub(1, Ordering::Relaxed);
            if let (Err(error), Some(sender)) = (outcome, sender) {
                tracing::debug!(%error, "a message could not be kept");
                let error = StanzaError::new(StanzaCondition::ServiceUnavailable);
                refuse(&sender, message.root(), &error, &mut Turn::new());
            }
        });
        self.note_waiting(&handle.bare, true);
        true
    }

    /// What was restored is written before anything that is submitted now, so waiting for nothing waits for it.
    pub(super) async fn await_restored(&self) {
        if self.restoring.load(Ordering::Relaxed) > 0 {
            // Whether it was written, its own submission is told.
            let _: Result<(), StoreError> = self.commit(Batch::new()).await;
        }
    }

    /// A resource wants messages: it gets those that were kept, which then are removed (XEP-0160 §2).
    pub(super) async fn flood(&self, handle: &Handle) {
        let account = handle.bare.as_str();
        let _guards = self.lock([account, account]).await;
        self.await_restored().await;
        let load = self.load(handle.bare.clone(), |store, account| {
            store.records(
                account.as_str(),
                offline::COLLECTION,
                &Span::first(usize::MAX),
            )
        });
        self.note_waiting(&handle.bare, false);
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
                self.note_waiting(&handle.bare, true);
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

impl<'m> Parcel<'m> {
    fn new(
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
}

impl Known {
    /// Whether the sender and the receiver want the message in their archives.
    fn wishes(&self, sender: &Handle, to: &Jid) -> [bool; 2] {
        let Some([of_sender, of_receiver]) = &self.preferences else {
            return [false; 2];
        };
        let [has_receiver, has_sender] = self.in_rosters;
        [
            of_sender.want(to.as_ref(), has_receiver),
            of_receiver.want(sender.jid.as_ref(), has_sender),
        ]
    }
}

fn read(element: &Element) -> Result<Message<'_>, StanzaError> {
    match Stanza::parse(element.root())? {
        Stanza::Message(message) => Ok(message),
        _ => Err(StanzaError::new(StanzaCondition::BadRequest)),
    }
}

/// Hands a message to those who get it now, and copies to those who want copies.
fn deliver(
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
