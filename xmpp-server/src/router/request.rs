//! IQ: between clients, and to those whom the server answers for (RFC 6121 §8.5).

use std::sync::Arc;

use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::jid::JidRef;
use xmpp_core::ns;
use xmpp_core::stanza::{Iq, IqType};

use super::output::{accepted, acknowledge, forward, reply};
use super::{Change, RosterChange, Router};
use crate::outbox::Turn;
use crate::registry::{Handle, Online};
use crate::roster::{Roster, Wish};
use crate::services::{self, Asked, How, Inquiry, Order, Reply};

impl Router {
    pub(super) fn iq(
        &self,
        handle: &Arc<Handle>,
        iq: &Iq<'_>,
        turn: &mut Turn,
    ) -> Result<Option<Change>, StanzaError> {
        let own = handle.bare.as_ref();
        let to = iq.to().unwrap_or(own);
        self.expect_local(to)?;
        match self.expect_unblocked(&self.read(), handle, to) {
            Err(_) if !iq.kind().is_request() => return Ok(None),
            checked => checked?,
        }
        if to.local().is_some() && to.is_full() {
            return self.iq_to_client(handle, iq, to, turn).map(|()| None);
        }
        if !iq.kind().is_request() {
            // Answers to roster pushes, and answers to nothing.
            return Ok(None);
        }
        let is_roster = iq
            .payload()
            .is_some_and(|payload| payload.namespace() == ns::ROSTER);
        let asked = if to.local().is_none() {
            Asked::Server
        } else if to == own {
            Asked::Own
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
        match asked {
            Asked::Own if is_roster => self.roster(handle, iq, turn),
            Asked::Other { .. } if is_roster => Err(StanzaError::new(StanzaCondition::Forbidden)),
            _ => self.serve(handle, iq, asked, turn),
        }
    }

    /// Lets a service answer.
    fn serve(
        &self,
        handle: &Arc<Handle>,
        iq: &Iq<'_>,
        asked: Asked,
        turn: &mut Turn,
    ) -> Result<Option<Change>, StanzaError> {
        let service = services::find(iq, asked, &self.rules)?;
        match service.answer {
            How::Now(answer) => {
                let inquiry = Inquiry {
                    router: self,
                    handle,
                    asked,
                    iq,
                };
                match answer(&inquiry)? {
                    Reply::Payload(payload) => reply(handle, iq, payload.as_ref(), turn),
                    Reply::Empty => acknowledge(handle, iq, turn),
                    Reply::Sent => {}
                }
                Ok(None)
            }
            How::Later(answer) => Ok(Some(Change::Service {
                answer,
                order: Order {
                    to: iq.to().unwrap_or(handle.bare.as_ref()).to_jid(),
                    element: iq.element().to_element(),
                },
            })),
        }
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
        let account = registry.online(session.handle.bare.as_str());
        if account.is_some_and(|account| account.blocks(handle.jid.as_ref())) {
            return if iq.kind().is_request() {
                accepted(None)
            } else {
                Ok(())
            };
        }
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

    /// The roster protocol (RFC 6121 §2).
    fn roster(
        &self,
        handle: &Arc<Handle>,
        iq: &Iq<'_>,
        turn: &mut Turn,
    ) -> Result<Option<Change>, StanzaError> {
        let payload = iq
            .payload()
            .filter(|payload| payload.is("query", ns::ROSTER));
        let query = payload.ok_or_else(|| StanzaError::new(StanzaCondition::BadRequest))?;
        if iq.kind() == IqType::Set {
            let wish = Wish::read(query, handle.bare.as_ref(), &self.rules.roster)?;
            return Ok(Some(Change::Roster(RosterChange::Set {
                id: iq.id().to_owned(),
                wish,
            })));
        }
        let mut registry = self.write();
        let Some(session) = registry.session_mut(handle) else {
            return Ok(None);
        };
        session.interested = true;
        if let Some(online) = registry.online(handle.bare.as_str()) {
            let asked = query.attribute("ver");
            // Who has the roster as it is gets no other answer (RFC 6121 §2.6.3).
            if asked.as_deref() == Some(online.roster_version.as_str()) {
                acknowledge(handle, iq, turn);
            } else {
                let items = online.roster.values();
                let version = asked.map(|_| online.roster_version.as_str());
                reply(handle, iq, &Roster { items, version }, turn);
            }
        }
        Ok(None)
    }
}

fn sees(online: &Online, contact: &str) -> bool {
    online
        .roster
        .get(contact)
        .is_some_and(|contact| contact.relation.to)
}
