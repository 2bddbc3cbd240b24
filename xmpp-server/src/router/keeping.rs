//! Messages that are kept: for who is not there (XEP-0160), in archives (XEP-0313), and when a connection is lost.

use std::sync::Arc;

use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::jid::Jid;
use xmpp_core::stanza::{Message, Stanza};
use xmpp_xml::{Element, ElementRef};

use super::Router;
use super::message::{Parcel, deliver};
use super::output::{accepted, forward, refuse, stamped, store_refusal};
use crate::delivery::Delivery;
use crate::outbox::Turn;
use crate::registry::{Handle, Online};
use crate::services::archive::{self, Preferences};
use crate::services::{blocking, offline};
use crate::storage::{Batch, Span, StoreError};

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
                let message = archive::with_id(addressed.root(), &handle.bare, None)?;
                batch = archive::put(batch, &rules, &handle.bare, to.as_ref(), &message, &stamp);
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
        let parcel = Parcel::new(&registry, handle, &message, to.as_ref())
            .archived(received.as_ref(), sent.as_ref());
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
        let submitted = self.restoring.begin();
        self.store_writer().submit(batch, move |outcome| {
            drop(submitted);
            if let (Err(error), Some(sender)) = (outcome, sender) {
                tracing::debug!(%error, "a message could not be kept");
                let error = StanzaError::new(StanzaCondition::ServiceUnavailable);
                refuse(&sender, message.root(), &error, &mut Turn::new());
            }
        });
        self.note_waiting(&handle.bare, true);
        true
    }

    /// A resource wants messages: it gets those that were kept, which then are removed (XEP-0160 §2).
    pub(super) async fn flood(&self, handle: &Handle) {
        let account = handle.bare.as_str();
        let _guards = self.lock([account, account]).await;
        self.settle(&self.restoring).await;
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
