//! Where stanzas go (RFC 6120 §10, RFC 6121 §8), and what they change.
//!
//! [`Router::handle`] takes a stanza from a client and finishes it at once, except for what changes a roster: that
//! is a [`Change`], for [`Router::apply`] to carry out. It decides (pure, in [`exchange`](crate::exchange)), commits,
//! and only then tells anybody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::{Mutex, MutexGuard, oneshot};
use xmpp_core::error::{StanzaCondition, StanzaError, StreamCondition};
use xmpp_core::jid::{Jid, JidRef};
use xmpp_core::ns;
use xmpp_core::stanza::{
    Iq, IqBuilder, IqType, Message, MessageType, Presence, PresenceType, Stanza, StanzaKind,
};
use xmpp_xml::{ElementRef, Event, Limits, Parser, Scratch, ToXml, Writer, XML_NAMESPACE};

use crate::delivery::{self, Delivery, Situation};
use crate::exchange::{Audience, Exchange, Side, Step};
use crate::outbox::{Outbox, Refused, Shared, Turn};
use crate::presence;
use crate::registry::{Handle, Online, Registry};
use crate::roster::{Removed, Roster, RosterLimits, Wish};
use crate::service::{self, Asked};
use crate::storage::{Account, Batch, Contact, Store, StoreError, Writer as StoreWriter};
use crate::subscription::Request;

/// What a router is told about the server.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) domain: Jid,
    pub(crate) outbox_bytes: usize,
    pub(crate) sessions_per_account: usize,
    pub(crate) directed: usize,
    pub(crate) waiting_requests: usize,
    pub(crate) request_bytes: usize,
    pub(crate) roster: RosterLimits,
    pub(crate) requests_need_presence: bool,
    pub(crate) conflict: Conflict,
}

/// What happens when a client asks for a resource that another connection of its account has
/// (RFC 6120 §7.7.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Conflict {
    /// The older connection ends with the stream error `conflict`. A device whose link was lost comes back under its
    /// old address at once.
    #[default]
    Replace,
    /// The newcomer is refused with `conflict` and may ask for another one.
    Refuse,
    /// The newcomer gets a resource that the server makes up.
    Rename,
}

/// Everything that the connections of a server have in common.
pub(crate) struct Router {
    pub(crate) rules: Rules,
    registry: RwLock<Registry>,
    store: Arc<dyn Store>,
    writer: StoreWriter,
    locks: Locks,
    pushes: AtomicU64,
}

/// Something that a stanza asks for and that has to be on the disk before it is answered.
#[derive(Debug)]
pub(crate) enum Change {
    /// A roster set, with the id of its IQ.
    Roster { id: String, wish: Wish },
    /// A subscription stanza to a bare address, stamped.
    Subscription {
        request: Request,
        contact: Jid,
        id: Option<String>,
        stanza: String,
    },
}

impl Router {
    pub(crate) fn new(rules: Rules, store: Arc<dyn Store>) -> Result<Self, StoreError> {
        Ok(Self {
            rules,
            registry: RwLock::default(),
            writer: StoreWriter::spawn(Arc::clone(&store))?,
            store,
            locks: Locks::default(),
            pushes: AtomicU64::new(0),
        })
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Registry> {
        // Nothing in the registry can be left half changed.
        self.registry.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Registry> {
        self.registry
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    // Sessions

    /// Binds a resource: `wanted`, or `made_up` if there is no wish (RFC 6120 §7). From here on the session
    /// gets stanzas.
    pub(crate) async fn bind(
        &self,
        account: &Jid,
        wanted: Option<&str>,
        made_up: &str,
    ) -> Result<Arc<Handle>, StanzaError> {
        let bare = account.bare();
        // No roster change may slip in between reading the roster and having it here.
        let _guard = self.locks.lock([bare.as_str(), bare.as_str()]).await;
        let roster = if self.read().online(bare.as_str()).is_some() {
            Vec::new()
        } else {
            // It may have been removed since it was authenticated.
            let load = self.load(bare.clone(), |store, bare| {
                let is_there = store.account(bare.as_str())?.is_some();
                Ok(is_there.then_some(store.roster(bare.as_str())?))
            });
            let roster = load.await.map_err(|error| store_refusal(&error))?;
            roster.ok_or_else(|| StanzaError::new(StanzaCondition::NotAllowed))?
        };

        let mut turn = Turn::new();
        let mut registry = self.write();
        let resource = wanted.unwrap_or(made_up);
        let address = |resource: &str| {
            bare.with_resource(resource).map_err(|error| {
                StanzaError::new(StanzaCondition::BadRequest).with_text(error.to_string())
            })
        };
        let mut jid = address(resource)?;
        let count = registry
            .online(bare.as_str())
            .map_or(0, |online| online.sessions.len());
        let older = registry
            .session(jid.as_ref())
            .map(|session| Arc::clone(&session.handle));
        // What the server makes up it gives to the same installation of a client only (XEP-0386 §3.2.1), and one that
        // has lost its connection is not there to be preferred.
        let is_contested = older
            .as_ref()
            .is_some_and(|older| wanted.is_some() && !older.is_hibernating());
        let mut replaced = match (older, self.rules.conflict) {
            (Some(_), Conflict::Refuse) if is_contested => {
                return Err(StanzaError::new(StanzaCondition::Conflict));
            }
            (Some(_), Conflict::Rename) if is_contested => {
                jid = address(made_up)?;
                None
            }
            (older, _) => older,
        };
        if replaced.is_none() && count >= self.rules.sessions_per_account {
            // A client that comes back without resuming must not lock its account out.
            let hibernating = registry.online(bare.as_str()).and_then(Online::hibernating);
            replaced = hibernating.map(|session| Arc::clone(&session.handle));
            if replaced.is_none() {
                return Err(StanzaError::new(StanzaCondition::ResourceConstraint));
            }
        }
        let number = registry.number();
        let handle = Handle::new(number, jid, Outbox::new(self.rules.outbox_bytes));
        let handle = Arc::new(handle);
        // The new session comes before the old one goes, so that the account stays online.
        registry.add(Arc::clone(&handle), roster);
        if let Some(older) = replaced {
            older.outbox.close(&mut turn, StreamCondition::Conflict);
            end(&mut registry, &older, &mut turn);
        }
        Ok(handle)
    }

    /// A session has ended: everybody who saw it is told, and what did not reach its client goes where it would go
    /// now, or is answered. `queued` are whole stanzas, of which that many bytes are known to have been written.
    pub(crate) fn leave(&self, handle: &Handle, queued: &[u8], written: usize, turn: &mut Turn) {
        end(&mut self.write(), handle, turn);
        if queued.len() > written {
            self.bounce(queued, written, turn);
        }
    }

    /// Sees to stanzas that were accepted for a client and can no longer be delivered to it.
    fn bounce(&self, queued: &[u8], written: usize, turn: &mut Turn) {
        let mut scratch = Scratch::new();
        let mut parser = Parser::new(Limits::new().stanza_bytes(u32::MAX));
        let mut header = Vec::new();
        // A header is written from constants.
        let _ = Writer::stream_header(&mut header, ns::CLIENT).finish();
        let mut input = header.as_slice();
        while parser
            .next(&mut scratch, &mut input)
            .is_ok_and(|event| event.is_some())
        {}
        let mut input = queued;
        loop {
            let before = queued.len().saturating_sub(input.len());
            let Ok(Some(event)) = parser.next(&mut scratch, &mut input) else {
                break;
            };
            let Event::Element(element) = event else {
                continue;
            };
            if before.saturating_add(element.bytes().len()) <= written {
                continue;
            }
            let Ok(stanza) = Stanza::parse(element) else {
                continue;
            };
            let Some(sender) = stanza.from() else {
                continue;
            };
            let outcome = match &stanza {
                // As if it were sent now: to another resource, or wherever messages wait (XEP-0198 §4).
                Stanza::Message(message) if message.kind() != MessageType::Headline => {
                    let sender = Handle::new(0, sender.to_jid(), Outbox::new(0));
                    self.message(&sender, message, turn)
                }
                Stanza::Iq(iq) if iq.kind().is_request() => accepted(None),
                _ => Ok(()),
            };
            let registry = self.read();
            if let (Err(error), Some(sender)) = (outcome, registry.session(sender)) {
                refuse(&sender.handle, element, &error, turn);
            }
        }
    }

    /// From here on a session can be resumed by this identifier.
    pub(crate) fn allow_resumption(&self, handle: &Arc<Handle>, id: &str) {
        self.write().allow_resumption(handle, id);
    }

    /// The session of that account that is resumed by this identifier.
    pub(crate) fn resumable(&self, account: &Jid, id: &str) -> Option<Arc<Handle>> {
        self.read().resumable(account, id).map(Arc::clone)
    }

    /// Asks a client for a sign of life (XEP-0199).
    pub(crate) fn ping(&self, handle: &Handle, turn: &mut Turn) {
        let id = format!("ping-{}", self.pushes.fetch_add(1, Ordering::Relaxed));
        push(handle, turn, |writer| {
            let iq = IqBuilder::get(&id).from(&self.rules.domain).to(&handle.jid);
            iq.payload(&Ping).to_xml(writer);
        });
    }

    /// Asks every connection to end its stream.
    pub(crate) fn close_all(&self, condition: StreamCondition) {
        let mut turn = Turn::new();
        for session in self.read().sessions() {
            session.handle.outbox.close(&mut turn, condition);
        }
    }

    pub(crate) fn session_count(&self) -> usize {
        self.read().sessions().count()
    }

    pub(crate) fn hibernating_count(&self) -> usize {
        let registry = self.read();
        let sessions = registry.sessions();
        sessions.filter(|s| s.handle.is_hibernating()).count()
    }

    // Stanzas

    /// Takes a stanza from a bound client. What it gives back is to be applied before the client's next stanza.
    pub(crate) fn handle(
        &self,
        handle: &Arc<Handle>,
        element: ElementRef<'_>,
        turn: &mut Turn,
    ) -> Option<Change> {
        if StanzaKind::of(element).is_none() {
            handle
                .outbox
                .close(turn, StreamCondition::UnsupportedStanzaType);
            return None;
        }
        let result = match Stanza::parse(element) {
            Ok(Stanza::Message(message)) => self.message(handle, &message, turn).map(|()| None),
            Ok(Stanza::Presence(presence)) => self.presence(handle, &presence, turn),
            Ok(Stanza::Iq(iq)) => self.iq(handle, &iq, turn),
            Err(fault) => Err(fault.into()),
        };
        result.unwrap_or_else(|error| {
            refuse(handle, element, &error, turn);
            None
        })
    }

    fn message(
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

    fn iq(
        &self,
        handle: &Arc<Handle>,
        iq: &Iq<'_>,
        turn: &mut Turn,
    ) -> Result<Option<Change>, StanzaError> {
        let own = handle.bare.as_ref();
        let to = iq.to().unwrap_or(own);
        self.expect_local(to)?;
        if to.local().is_some() && to.is_full() {
            return self.iq_to_client(handle, iq, to, turn).map(|()| None);
        }
        if !iq.kind().is_request() {
            // Answers to roster pushes, and answers to nothing.
            return Ok(None);
        }
        if to == own {
            return self.iq_to_own_account(handle, iq, turn);
        }
        let is_roster = iq
            .payload()
            .is_some_and(|payload| payload.namespace() == ns::ROSTER);
        let asked = if to.local().is_none() {
            Asked::Server
        } else if is_roster {
            return Err(StanzaError::new(StanzaCondition::Forbidden));
        } else {
            let registry = self.read();
            let visible = registry.online(to.as_str()).map_or_else(
                || {
                    registry
                        .online(own.as_str())
                        .is_some_and(|own| sees(own, to.as_str()))
                },
                |online| online.lets_see(own.as_str()),
            );
            Asked::Other { visible }
        };
        let answer = service::answer(iq, asked).map_err(StanzaError::new)?;
        reply(handle, iq, &answer, turn);
        Ok(None)
    }

    fn iq_to_client(
        &self,
        handle: &Handle,
        iq: &Iq<'_>,
        to: JidRef<'_>,
        turn: &mut Turn,
    ) -> Result<(), StanzaError> {
        let registry = self.read();
        let Some(session) = registry.session(to) else {
            return if iq.kind().is_request() {
                accepted(None)
            } else {
                Ok(())
            };
        };
        // Who may not see a resource may not ask it either: the answer would show it (RFC 6121 §8.5.3.1).
        let shown = !self.rules.requests_need_presence
            || !iq.kind().is_request()
            || handle.bare == session.handle.bare
            || session.has_directed_to(handle.jid.as_ref())
            || registry
                .online(session.handle.bare.as_str())
                .is_some_and(|online| online.lets_see(handle.bare.as_str()));
        if !shown {
            return accepted(None);
        }
        let stamp = [("from", Some(handle.jid.as_str()))];
        let delivered = session
            .handle
            .outbox
            .push(turn, |buffer| forward(buffer, iq.element(), &stamp));
        if iq.kind().is_request() {
            accepted(Some(delivered))
        } else {
            Ok(())
        }
    }

    fn iq_to_own_account(
        &self,
        handle: &Arc<Handle>,
        iq: &Iq<'_>,
        turn: &mut Turn,
    ) -> Result<Option<Change>, StanzaError> {
        let payload = iq
            .payload()
            .filter(|payload| payload.is("query", ns::ROSTER));
        match (payload, iq.kind()) {
            (Some(_), IqType::Get) => {
                let mut registry = self.write();
                let Some(session) = registry.session_mut(handle) else {
                    return Ok(None);
                };
                session.interested = true;
                if let Some(online) = registry.online(handle.bare.as_str()) {
                    reply(handle, iq, &Roster(online.roster.values()), turn);
                }
                Ok(None)
            }
            (Some(query), _) => {
                let wish = Wish::read(query, handle.bare.as_ref(), &self.rules.roster)?;
                Ok(Some(Change::Roster {
                    id: iq.id().to_owned(),
                    wish,
                }))
            }
            (None, _) => {
                let resources: Vec<String> = {
                    let registry = self.read();
                    let online = registry.online(handle.bare.as_str());
                    let available = online.into_iter().flat_map(Online::available);
                    available
                        .map(|(session, _)| session.handle.jid.as_str().to_owned())
                        .collect()
                };
                let answer =
                    service::answer(iq, Asked::Own(&resources)).map_err(StanzaError::new)?;
                reply(handle, iq, &answer, turn);
                Ok(None)
            }
        }
    }

    fn presence(
        &self,
        handle: &Arc<Handle>,
        presence: &Presence<'_>,
        turn: &mut Turn,
    ) -> Result<Option<Change>, StanzaError> {
        let element = presence.element();
        // The address of each receiver is put in when it is delivered.
        let shared = || {
            let mut bytes = Vec::new();
            forward(
                &mut bytes,
                element,
                &[("from", Some(handle.jid.as_str())), ("to", None)],
            );
            Shared::new(bytes)
        };
        let Some(to) = presence.to() else {
            match presence.kind() {
                PresenceType::Available => {
                    let priority = priority(presence)?;
                    let mut registry = self.write();
                    presence::available(&mut registry, handle, shared(), priority, turn);
                }
                PresenceType::Unavailable => {
                    presence::unavailable(&mut self.write(), handle, &shared(), turn);
                }
                PresenceType::Error => {}
                _ => {
                    return Err(StanzaError::new(StanzaCondition::BadRequest)
                        .with_text("a subscription stanza has an address"));
                }
            }
            return Ok(None);
        };

        if let Some(request) = presence.kind().as_str().and_then(Request::from_type) {
            return self.subscription(handle, presence, request, to).map(Some);
        }
        match self.expect_local(to) {
            Err(error) if presence.kind() == PresenceType::Available => return Err(error),
            Err(_) => return Ok(None),
            Ok(()) => {}
        }
        match presence.kind() {
            PresenceType::Probe => {
                let registry = self.read();
                if let Some(asker) = registry.session(handle.jid.as_ref()) {
                    presence::probe(&registry, asker, to, presence.id(), turn);
                }
            }
            PresenceType::Error => {
                let mut registry = self.write();
                forget_directed(&mut registry, to, handle);
                if to.is_full() {
                    presence::direct(&registry, to, &shared(), turn);
                }
            }
            PresenceType::Unavailable => {
                let mut registry = self.write();
                if let Some(session) = registry.session_mut(handle) {
                    session.directed.remove(&to.to_jid());
                }
                forget_directed(&mut registry, to, handle);
                presence::direct(&registry, to, &shared(), turn);
            }
            _ => {
                let mut registry = self.write();
                let Some(session) = registry.session_mut(handle) else {
                    return Ok(None);
                };
                let target = to.to_jid();
                if session.directed.len() >= self.rules.directed
                    && !session.directed.contains(&target)
                {
                    return Err(StanzaError::new(StanzaCondition::ResourceConstraint)
                        .with_text("directed presence to too many addresses"));
                }
                session.directed.insert(target);
                presence::direct(&registry, to, &shared(), turn);
            }
        }
        Ok(None)
    }

    fn subscription(
        &self,
        handle: &Handle,
        presence: &Presence<'_>,
        request: Request,
        to: JidRef<'_>,
    ) -> Result<Change, StanzaError> {
        self.expect_local(to)?;
        // Subscriptions are between accounts (RFC 6121 §3.1.2).
        let contact = to.to_bare().to_jid();
        if contact == handle.bare {
            return Err(StanzaError::new(StanzaCondition::NotAllowed)
                .with_text("nobody is a contact of itself"));
        }
        let mut bytes = Vec::new();
        let stamps = [
            ("from", Some(handle.bare.as_str())),
            ("to", Some(contact.as_str())),
        ];
        forward(&mut bytes, presence.element(), &stamps);
        if request == Request::Subscribe && bytes.len() > self.rules.request_bytes {
            return Err(StanzaError::new(StanzaCondition::PolicyViolation)
                .with_text("the request is too long to be kept"));
        }
        let stanza = String::from_utf8(bytes)
            .map_err(|_| StanzaError::new(StanzaCondition::InternalServerError))?;
        let id = presence.id().map(str::to_owned);
        Ok(Change::Subscription {
            request,
            contact,
            id,
            stanza,
        })
    }

    fn expect_local(&self, to: JidRef<'_>) -> Result<(), StanzaError> {
        if to.domain() == self.rules.domain.domain() {
            return Ok(());
        }
        // There are no connections to other servers.
        Err(StanzaError::new(StanzaCondition::RemoteServerNotFound))
    }

    // Changes

    /// Carries out a change: decide, commit, then tell.
    pub(crate) async fn apply(&self, handle: &Arc<Handle>, change: Change) {
        let contact = match &change {
            Change::Roster { wish, .. } => wish.contact().clone(),
            Change::Subscription { contact, .. } => contact.clone(),
        };
        let _guards = self
            .locks
            .lock([handle.bare.as_str(), contact.as_str()])
            .await;
        let outcome = self.decide_and_commit(handle, &contact, &change).await;

        let mut turn = Turn::new();
        let error = match outcome {
            Ok(exchange) => {
                self.tell(&handle.bare, &contact, exchange, &mut turn);
                None
            }
            Err(error) => Some(error),
        };
        match (change, error) {
            (Change::Roster { id, .. }, None) => {
                let result = IqBuilder::result(&id).to(&handle.jid);
                push(handle, &mut turn, |writer| result.to_xml(writer));
            }
            (Change::Roster { id, .. }, Some(error)) => {
                let refusal = IqBuilder::error(&id, &error).to(&handle.jid);
                push(handle, &mut turn, |writer| refusal.to_xml(writer));
            }
            (Change::Subscription { .. }, None) => {}
            (Change::Subscription { id, contact, .. }, Some(error)) => {
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
        change: &Change,
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
            Change::Roster {
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
            Change::Roster { wish, .. } => exchange.wish(wish),
            Change::Subscription {
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
        let batch = exchange.batch();
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
        if !is_account {
            return Ok(OtherSide {
                entry: None,
                waiting: 0,
            });
        }
        let waiting = |contact: &Contact| contact.request.is_some();
        if let Some(online) = self.read().online(contact.as_str()) {
            return Ok(OtherSide {
                entry: Some(online.roster.get(handle.bare.as_str()).cloned()),
                waiting: online.roster.values().filter(|c| waiting(c)).count(),
            });
        }
        let sender = handle.bare.clone();
        self.load(contact.clone(), move |store, contact| {
            if store.account(contact.as_str())?.is_none() {
                return Ok(OtherSide {
                    entry: None,
                    waiting: 0,
                });
            }
            let roster = store.roster(contact.as_str())?;
            let waiting = roster.iter().filter(|c| waiting(c)).count();
            let entry = roster
                .into_iter()
                .find(|contact| contact.address == sender.as_str());
            Ok(OtherSide {
                entry: Some(entry),
                waiting,
            })
        })
        .await
    }

    /// Brings the rosters in memory up to what is committed, and takes the steps.
    fn tell(&self, sender: &Jid, contact: &Jid, exchange: Exchange<'_>, turn: &mut Turn) {
        let mut registry = self.write();
        let address = |side: Side| match side {
            Side::Sender => sender.as_str(),
            Side::Contact => contact.as_str(),
        };
        let sender_entry = exchange.sender_entry.after;
        let contact_entry = exchange.contact_entry.map(|entry| entry.after);
        for (side, entry) in [
            (Side::Sender, Some(&sender_entry)),
            (Side::Contact, contact_entry.as_ref()),
        ] {
            let (Some(online), Some(entry)) = (registry.online_mut(address(side)), entry) else {
                continue;
            };
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
        let sessions = registry
            .online(owner)
            .map_or(&[][..], |online| &online.sessions);
        for session in sessions.iter().filter(|session| session.interested) {
            let id = format!("push-{}", self.pushes.fetch_add(1, Ordering::Relaxed));
            push(&session.handle, turn, |writer| {
                let iq = IqBuilder::set(&id).to(&session.handle.jid);
                match entry.filter(|entry| entry.listed) {
                    Some(entry) => iq.payload(&Roster(std::iter::once(entry))).to_xml(writer),
                    None => iq.payload(&Removed(contact)).to_xml(writer),
                }
            });
        }
    }

    // The store

    /// Nobody else changes what the store has of an account until the guard is dropped.
    pub(crate) async fn lock(&self, bare: &str) -> Option<MutexGuard<'_, ()>> {
        self.locks.lock([bare, bare]).await.0
    }

    /// Commits without blocking the thread.
    pub(crate) async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let (sender, receiver) = oneshot::channel();
        self.writer.submit(batch, move |outcome| {
            // Nobody waits any more when the connection has ended; the batch is written all the same.
            let _ = sender.send(outcome);
        });
        receiver.await.unwrap_or(Err(StoreError::Closed))
    }

    /// The account of this address.
    pub(crate) async fn account(&self, address: Jid) -> Result<Option<Account>, StoreError> {
        self.load(address, |store, address| store.account(address.as_str()))
            .await
    }

    /// Reads from the store on a thread that may block.
    pub(crate) async fn load<K, T>(
        &self,
        key: K,
        read: impl FnOnce(&dyn Store, &K) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError>
    where
        K: Send + 'static,
        T: Send + 'static,
    {
        let store = Arc::clone(&self.store);
        let task = tokio::task::spawn_blocking(move || read(store.as_ref(), &key));
        task.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Removes an account with its roster, and ends its sessions.
    pub(crate) async fn remove_account(&self, bare: &Jid) -> Result<(), StoreError> {
        // Neither a login nor a change of its roster may come between.
        let _guards = self.locks.lock([bare.as_str(), bare.as_str()]).await;
        let tokens = crate::tokens::key(bare.as_str());
        let batch = Batch::new().remove_account(bare.as_str());
        self.commit(batch.put_value(tokens, [])).await?;
        let mut turn = Turn::new();
        let mut registry = self.write();
        let sessions = registry
            .online(bare.as_str())
            .map_or(&[][..], |online| &online.sessions);
        let handles: Vec<_> = sessions
            .iter()
            .map(|session| Arc::clone(&session.handle))
            .collect();
        for handle in handles {
            handle
                .outbox
                .close(&mut turn, StreamCondition::NotAuthorized);
            end(&mut registry, &handle, &mut turn);
        }
        Ok(())
    }
}

/// What [`Router::other_side`] finds.
struct OtherSide {
    /// `None` where there is no account.
    entry: Option<Option<Contact>>,
    waiting: usize,
}

/// The payload of a ping.
struct Ping;

impl ToXml for Ping {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        writer.empty("ping", ns::PING);
    }
}

/// Locks for accounts whose roster is being changed. There are fewer locks than accounts; two that share one wait
/// for each other without need, which is rare and harmless.
struct Locks([Mutex<()>; 64]);

impl Default for Locks {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }
}

impl Locks {
    /// Locks two accounts, which may be the same one, in an order that all agree on.
    async fn lock(
        &self,
        accounts: [&str; 2],
    ) -> (Option<MutexGuard<'_, ()>>, Option<MutexGuard<'_, ()>>) {
        let mut places = accounts.map(|account| self.place(account));
        places.sort_unstable();
        let [first, second] = places;
        let first_guard = match self.0.get(first) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        };
        let second_guard = match self.0.get(second).filter(|_| second != first) {
            Some(lock) => Some(lock.lock().await),
            None => None,
        };
        (first_guard, second_guard)
    }

    fn place(&self, account: &str) -> usize {
        // FNV-1a: nothing depends on it but how evenly accounts are spread.
        let hash = account
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        usize::try_from(hash % 64).unwrap_or_default()
    }
}

/// A session ends: everybody who saw it is told.
fn end(registry: &mut Registry, handle: &Handle, turn: &mut Turn) {
    presence::unavailable(registry, handle, &presence::gone(handle.jid.as_ref()), turn);
    registry.remove(handle);
}

fn sees(online: &Online, contact: &str) -> bool {
    online
        .roster
        .get(contact)
        .is_some_and(|contact| contact.relation.to)
}

/// A target of directed presence that has gone or has complained is forgotten (RFC 6121 §4.6.1).
fn forget_directed(registry: &mut Registry, sender: JidRef<'_>, target: &Handle) {
    let handle = registry
        .session(sender)
        .map(|session| Arc::clone(&session.handle));
    if let Some(session) = handle.and_then(|handle| registry.session_mut(&handle)) {
        session.directed.remove(&target.jid);
        session.directed.remove(&target.bare);
    }
}

fn priority(presence: &Presence<'_>) -> Result<i8, StanzaError> {
    let mut elements = presence
        .element()
        .children()
        .filter(|child| child.is("priority", ns::CLIENT));
    let bad = || {
        StanzaError::new(StanzaCondition::BadRequest)
            .with_text("a priority is one number from -128 to 127")
    };
    let Some(element) = elements.next() else {
        return Ok(0);
    };
    if elements.next().is_some() {
        return Err(bad());
    }
    element.text().trim().parse().map_err(|_| bad())
}

/// Writes a stanza of a client as its server passes it on: with other addresses than it claims (RFC 6120
/// §8.1.2.1), and with the language of the sender's stream where it has none (RFC 6120 §4.7.4).
fn forward(buffer: &mut Vec<u8>, element: ElementRef<'_>, addresses: &[(&str, Option<&str>)]) {
    let begin = buffer.len();
    let mut writer = Writer::in_stream(buffer, ns::CLIENT);
    writer.forward(element, addresses);
    if writer.finish().is_err() || element.attribute_ns("lang", XML_NAMESPACE).is_some() {
        return;
    }
    let is_tag = |lang: &str| {
        lang.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if let Some(lang) = element.lang().filter(|lang| is_tag(lang)) {
        let name_end = begin.saturating_add(1).saturating_add(element.name().len());
        let attribute = [b" xml:lang='", lang.as_bytes(), b"'"].concat();
        if name_end <= buffer.len() {
            buffer.splice(name_end..name_end, attribute);
        }
    }
}

/// Turns what became of a stanza into what its sender is told.
fn accepted(delivered: Option<Result<(), Refused>>) -> Result<(), StanzaError> {
    match delivered {
        Some(Ok(())) => Ok(()),
        Some(Err(Refused::Full)) => Err(StanzaError::new(StanzaCondition::ResourceConstraint)),
        Some(Err(Refused::Gone)) | None => {
            Err(StanzaError::new(StanzaCondition::ServiceUnavailable))
        }
    }
}

fn store_refusal(error: &StoreError) -> StanzaError {
    tracing::error!(%error, "the store failed");
    StanzaError::new(StanzaCondition::InternalServerError)
        .with_kind(xmpp_core::error::ErrorType::Wait)
}

fn push(handle: &Handle, turn: &mut Turn, write: impl FnOnce(&mut Writer<'_>)) {
    // The receiver's own trouble: a full outbox ends its connection.
    let _: Result<(), Refused> = handle.outbox.push(turn, |buffer| {
        let mut writer = Writer::in_stream(buffer, ns::CLIENT);
        write(&mut writer);
        if let Err(error) = writer.finish() {
            tracing::error!(%error, "a stanza of the server could not be written");
        }
    });
}

fn reply(handle: &Handle, iq: &Iq<'_>, payload: &dyn ToXml, turn: &mut Turn) {
    let mut result = IqBuilder::result(iq.id()).to(&handle.jid);
    if let Some(asked) = iq.to() {
        result = result.from(asked);
    }
    push(handle, turn, |writer| {
        result.payload(payload).to_xml(writer)
    });
}

/// Answers a stanza with an error, unless it is one that is never answered (RFC 6120 §8.3.1).
fn refuse(handle: &Handle, element: ElementRef<'_>, error: &StanzaError, turn: &mut Turn) {
    push(handle, turn, |writer| {
        xmpp_core::stanza::error_reply(element, error, writer);
    });
}
