//! Presence of clients (RFC 6121 §4), and the subscription stanzas among it (§3).

use std::sync::Arc;

use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::jid::JidRef;
use xmpp_core::ns;
use xmpp_core::stanza::{Presence, PresenceType};

use super::output::forward;
use super::{Change, RosterChange, Router};
use crate::outbox::{Shared, Turn};
use crate::presence;
use crate::registry::{Handle, Registry};
use crate::subscription::Request;

impl Router {
    pub(super) fn presence(
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
                    let session = registry.session_mut(handle);
                    let was_willing = session
                        .and_then(|session| session.presence.as_ref())
                        .is_some_and(|current| current.priority >= 0);
                    presence::available(&mut registry, handle, shared(), priority, turn);
                    let own = registry.online(handle.bare.as_str());
                    let is_waited_for = own.is_some_and(|own| own.waiting);
                    if priority >= 0 && !was_willing && is_waited_for {
                        return Ok(Some(Change::Flood));
                    }
                }
                PresenceType::Unavailable => {
                    let mut registry = self.write();
                    let session = registry.session_mut(handle);
                    let was_available = session.is_some_and(|session| session.presence.is_some());
                    presence::unavailable(&mut registry, handle, &shared(), turn);
                    if was_available {
                        self.note_departure(&registry, handle, presence.status().as_deref());
                    }
                }
                PresenceType::Error => {}
                _ => {
                    return Err(StanzaError::new(StanzaCondition::BadRequest)
                        .with_text("a subscription stanza has an address"));
                }
            }
            return Ok(None);
        };

        match self.expect_unblocked(&self.read(), handle, to) {
            // What ends something is not answered, and it has ended already.
            Err(_)
                if matches!(
                    presence.kind(),
                    PresenceType::Unavailable | PresenceType::Error
                ) =>
            {
                return Ok(None);
            }
            checked => checked?,
        }
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
                    presence::direct(&registry, handle.jid.as_ref(), to, &shared(), turn);
                }
            }
            PresenceType::Unavailable => {
                let mut registry = self.write();
                if let Some(session) = registry.session_mut(handle) {
                    session.directed.remove(&to.to_jid());
                }
                forget_directed(&mut registry, to, handle);
                presence::direct(&registry, handle.jid.as_ref(), to, &shared(), turn);
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
                presence::direct(&registry, handle.jid.as_ref(), to, &shared(), turn);
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
        Ok(Change::Roster(RosterChange::Subscription {
            request,
            contact,
            id,
            stanza,
        }))
    }
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
