//! Changes of rosters: decided (pure, in [`exchange`](crate::exchange)), committed, and only then told.

use std::sync::Arc;

use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::jid::Jid;
use xmpp_core::ns;
use xmpp_core::stanza::{IqBuilder, Stanza};
use xmpp_xml::ToXml;

use super::output::{acknowledge, push, refuse, reply, store_refusal};
use super::{Change, RosterChange, Router};
use crate::exchange::{Audience, Exchange, Side, Step};
use crate::outbox::Turn;
use crate::presence;
use crate::registry::{Handle, Registry};
use crate::roster::{self, Removed, Roster, Wish};
use crate::services::{AnswerLater, Order, Reply, blocking};
use crate::storage::{Contact, StoreError};

impl Router {
    /// Carries out a change: decide, commit, then tell.
    pub(crate) async fn apply(&self, handle: &Arc<Handle>, change: Change) {
        match change {
            Change::Roster(change) => self.exchange(handle, change).await,
            Change::Message(element) => self.keep_message(handle, &element).await,
            Change::Flood => self.flood(handle).await,
            Change::Service { answer, order } => self.answer_later(handle, answer, &order).await,
        }
    }

    /// Lets a service answer that needs the store.
    async fn answer_later(&self, handle: &Arc<Handle>, answer: AnswerLater, order: &Order) {
        let outcome = answer(self, handle, order).await;
        let mut turn = Turn::new();
        match (outcome, Stanza::parse(order.element.root())) {
            (Ok(Reply::Payload(payload)), Ok(Stanza::Iq(iq))) => {
                reply(handle, &iq, payload.as_ref(), &mut turn);
            }
            (Ok(Reply::Empty), Ok(Stanza::Iq(iq))) => acknowledge(handle, &iq, &mut turn),
            (Err(error), _) => refuse(handle, order.element.root(), &error, &mut turn),
            // It was answered already, or was never read as a request.
            (Ok(_), _) => {}
        }
    }

    /// Changes what two accounts keep about each other.
    async fn exchange(&self, handle: &Handle, change: RosterChange) {
        let contact = match &change {
            RosterChange::Set { wish, .. } => wish.contact().clone(),
            RosterChange::Subscription { contact, .. } => contact.clone(),
        };
        let _guards = self.lock([handle.bare.as_str(), contact.as_str()]).await;
        let version = self.stamp().key();
        let outcome = self
            .decide_and_commit(handle, &contact, &change, &version)
            .await;

        let mut turn = Turn::new();
        let error = match outcome {
            Ok(exchange) => {
                self.tell(&handle.bare, &contact, exchange, &version, &mut turn);
                None
            }
            Err(error) => Some(error),
        };
        match (change, error) {
            (RosterChange::Set { id, .. }, None) => {
                let result = IqBuilder::result(&id).to(&handle.jid);
                push(handle, &mut turn, |writer| result.to_xml(writer));
            }
            (RosterChange::Set { id, .. }, Some(error)) => {
                let refusal = IqBuilder::error(&id, &error).to(&handle.jid);
                push(handle, &mut turn, |writer| refusal.to_xml(writer));
            }
            (RosterChange::Subscription { .. }, None) => {}
            (RosterChange::Subscription { id, contact, .. }, Some(error)) => {
                push(handle, &mut turn, |writer| {
                    writer
                        .start("presence", ns::CLIENT)
                        .attribute("type", "error");
                    writer.attribute_opt("id", id.as_deref());
                    writer.attribute("from", contact.as_str());
                    writer
                        .attribute("to", handle.jid.as_str())
                        .payload(&error)
                        .end();
                });
            }
        }
    }

    async fn decide_and_commit<'e>(
        &self,
        handle: &'e Handle,
        contact: &'e Jid,
        change: &RosterChange,
        version: &str,
    ) -> Result<Exchange<'e>, StanzaError> {
        let (own, count) = {
            let registry = self.read();
            // A session that has been replaced has no say any more.
            let online = registry
                .online(handle.bare.as_str())
                .ok_or_else(|| StanzaError::new(StanzaCondition::ServiceUnavailable))?;
            (
                online.roster.get(contact.as_str()).cloned(),
                online.roster.len(),
            )
        };
        if own.is_none() && count >= self.rules.roster.contacts {
            return Err(StanzaError::new(StanzaCondition::ResourceConstraint)
                .with_text("the roster is full"));
        }
        let other = self
            .other_side(handle, contact)
            .await
            .map_err(|e| store_refusal(&e))?;

        let mut exchange = Exchange::new(handle.bare.as_ref(), contact.as_ref(), own, other.entry);
        match change {
            RosterChange::Set {
                wish: Wish::Remove { .. },
                ..
            } if !exchange
                .sender_entry
                .before
                .as_ref()
                .is_some_and(|c| c.listed) =>
            {
                return Err(StanzaError::new(StanzaCondition::ItemNotFound));
            }
            RosterChange::Set { wish, .. } => exchange.wish(wish),
            RosterChange::Subscription {
                request, stanza, ..
            } => exchange.request(*request, stanza),
        }
        let adds_waiting = exchange.contact_entry.as_ref().is_some_and(|entry| {
            let waits = |contact: &Contact| contact.request.is_some();
            entry.after.as_ref().is_some_and(waits) && !entry.before.as_ref().is_some_and(waits)
        });
        if adds_waiting && other.waiting >= self.rules.waiting_requests {
            return Err(StanzaError::new(StanzaCondition::ResourceConstraint)
                .with_text("too many requests wait there already"));
        }
        let accounts = exchange.told().map(|side| match side {
            Side::Sender => handle.bare.as_str(),
            Side::Contact => contact.as_str(),
        });
        let batch = accounts.fold(exchange.batch(), |batch, account| {
            roster::put_version(batch, account, version)
        });
        if !batch.is_empty() {
            self.commit(batch)
                .await
                .map_err(|error| store_refusal(&error))?;
        }
        Ok(exchange)
    }

    /// What the contact keeps about the sender, and how many requests wait there.
    async fn other_side(&self, handle: &Handle, contact: &Jid) -> Result<OtherSide, StoreError> {
        let is_account = contact.domain() == self.rules.domain.domain()
            && contact.local().is_some()
            && contact.is_bare();
        let nobody = || OtherSide {
            entry: None,
            waiting: 0,
        };
        if !is_account {
            return Ok(nobody());
        }
        let waiting = |contact: &Contact| contact.request.is_some();
        if let Some(online) = self.read().online(contact.as_str()) {
            // Whoever is blocked is not heard (XEP-0191 §3.3).
            if online.blocks(handle.jid.as_ref()) {
                return Ok(nobody());
            }
            return Ok(OtherSide {
                entry: Some(online.roster.get(handle.bare.as_str()).cloned()),
                waiting: online.roster.values().filter(|c| waiting(c)).count(),
            });
        }
        let sender = handle.jid.clone();
        self.load(contact.clone(), move |store, contact| {
            let is_there = store.account(contact.as_str())?.is_some();
            let blocked = blocking::kept(store, contact.as_str())?;
            if !is_there || blocking::is_listed(&blocked, sender.as_ref()) {
                return Ok(OtherSide {
                    entry: None,
                    waiting: 0,
                });
            }
            let roster = store.roster(contact.as_str())?;
            let waiting = roster.iter().filter(|c| waiting(c)).count();
            let entry = roster
                .into_iter()
                .find(|contact| contact.address == sender.to_bare_ref().as_str());
            Ok(OtherSide {
                entry: Some(entry),
                waiting,
            })
        })
        .await
    }

    /// Brings the rosters in memory up to what is committed, and takes the steps.
    fn tell(
        &self,
        sender: &Jid,
        contact: &Jid,
        exchange: Exchange<'_>,
        version: &str,
        turn: &mut Turn,
    ) {
        let mut registry = self.write();
        let address = |side: Side| match side {
            Side::Sender => sender.as_str(),
            Side::Contact => contact.as_str(),
        };
        let told: Vec<_> = exchange.told().collect();
        let sender_entry = exchange.sender_entry.after;
        let contact_entry = exchange.contact_entry.map(|entry| entry.after);
        for (side, entry) in [
            (Side::Sender, Some(&sender_entry)),
            (Side::Contact, contact_entry.as_ref()),
        ] {
            let (Some(online), Some(entry)) = (registry.online_mut(address(side)), entry) else {
                continue;
            };
            if told.contains(&side) {
                version.clone_into(&mut online.roster_version);
            }
            let other = address(side.other());
            match entry {
                Some(contact) => online.roster.insert(other.to_owned(), contact.clone()),
                None => online.roster.remove(other),
            };
        }

        let registry = &*registry;
        for step in exchange.steps {
            match step {
                Step::Deliver {
                    to,
                    audience,
                    stanza,
                } => {
                    let sessions = registry
                        .online(address(to))
                        .map_or(&[][..], |o| &o.sessions);
                    for session in sessions {
                        let is_meant = match audience {
                            Audience::Available => session.presence.is_some(),
                            Audience::Interested => session.interested,
                        };
                        if is_meant {
                            session.push_bytes(turn, stanza.as_bytes());
                        }
                    }
                }
                Step::Push { to } => {
                    let entry = match to {
                        Side::Sender => sender_entry.as_ref(),
                        Side::Contact => contact_entry.as_ref().and_then(Option::as_ref),
                    };
                    self.push_item(registry, address(to), address(to.other()), entry, turn);
                }
                Step::Presences { of } => {
                    presence::introduce(registry, address(of), address(of.other()), turn);
                }
                Step::Unavailables { of } => {
                    presence::withdraw(registry, address(of), address(of.other()), turn);
                }
            }
        }
    }

    /// Tells the interested resources of an account how an item is now (RFC 6121 §2.1.6).
    fn push_item(
        &self,
        registry: &Registry,
        owner: &str,
        contact: &str,
        entry: Option<&Contact>,
        turn: &mut Turn,
    ) {
        let Some(online) = registry.online(owner) else {
            return;
        };
        let version = online.roster_version.as_str();
        for session in online.sessions.iter().filter(|session| session.interested) {
            let id = self.push_id();
            push(&session.handle, turn, |writer| {
                let iq = IqBuilder::set(&id).to(&session.handle.jid);
                match entry.filter(|entry| entry.listed) {
                    Some(entry) => {
                        let items = std::iter::once(entry);
                        let version = Some(version);
                        iq.payload(&Roster { items, version }).to_xml(writer);
                    }
                    None => iq.payload(&Removed { contact, version }).to_xml(writer),
                }
            });
        }
    }
}

/// What [`Router::other_side`] finds.
struct OtherSide {
    /// `None` where there is no account.
    entry: Option<Option<Contact>>,
    waiting: usize,
}
