//! What readers send: requests, cancellings, and our own messages that come back.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::jid::Jid;
use xmpp_xml::{ElementRef, FromXml};

use super::outgoing::Transmit;
use super::pending::Pending;
use super::{CancelReason, Device, Event, Readout, State, Ticket};
use crate::payload::{Cancel, Request};
use crate::stanza::Envelope;

impl Device {
    pub(super) fn handle_command(&mut self, envelope: &Envelope<'_>, payload: ElementRef<'_>) {
        let id = envelope.id.as_deref().map(String::from);
        let command = match (&envelope.from, id) {
            // Whom shall the data go to, and what shall be answered?
            (None, id) | (_, id @ None) => {
                let error = StanzaError::new(StanzaCondition::BadRequest);
                self.answer(envelope.from.clone(), id, error);
                return;
            }
            (Some(from), Some(id)) => (from.clone(), id),
        };
        let (from, id) = command;
        let result = match (&*envelope.r#type, payload.name()) {
            ("get", "req") => self.handle_request(&from, &id, payload),
            ("get", "cancel") => self.handle_cancel(&from, &id, payload),
            ("set", "req" | "cancel") => Err(bad_request("asked with set instead of get")),
            _ => Err(StanzaError::new(StanzaCondition::FeatureNotImplemented)),
        };
        if let Err(error) = result {
            self.answer(Some(from), Some(id), error);
        }
    }

    fn handle_request(
        &mut self,
        from: &Jid,
        id: &str,
        payload: ElementRef<'_>,
    ) -> Result<(), StanzaError> {
        let request = Request::from_xml(payload).map_err(|error| bad_request(&error))?;
        let Request {
            seqnr,
            readout: request,
        } = request;
        if self.numbers.contains_key(&(from.clone(), seqnr)) {
            return Err(bad_request("a readout of this number is under way"));
        }
        if self.readouts.len() >= self.config.outstanding
            || self.tickets_of(from).len() >= self.config.outstanding_per_reader
        {
            // The default type of this condition is to wait, and that is what the reader shall do.
            return Err(StanzaError::new(StanzaCondition::ResourceConstraint));
        }
        self.config.nodes.check(&request)?;

        self.last_ticket += 1;
        let ticket = Ticket::new(self.last_ticket);
        let due = request
            .when
            .zip(self.clock)
            .and_then(|(when, clock)| clock.instant(&when));
        let due = due.filter(|due| *due > self.now);
        let request = Arc::new(request);
        self.numbers.insert((from.clone(), seqnr), ticket);
        self.readouts.insert(
            ticket,
            Readout {
                peer: from.clone(),
                seqnr,
                iq: Some(id.into()),
                request: Arc::clone(&request),
                state: State::Asked,
                due,
                timer: None,
                touched: false,
                pending: Pending::default(),
                is_done: false,
            },
        );
        self.set_timer(ticket, Some(self.now + self.config.decision_timeout));
        self.events.push_back(Event::Request {
            ticket,
            peer: from.clone(),
            request,
        });
        Ok(())
    }

    fn handle_cancel(
        &mut self,
        from: &Jid,
        id: &str,
        payload: ElementRef<'_>,
    ) -> Result<(), StanzaError> {
        let Cancel { seqnr } = Cancel::from_xml(payload).map_err(|error| bad_request(&error))?;
        let ticket = self.numbers.get(&(from.clone(), seqnr)).copied();
        let ticket = ticket.ok_or_else(|| StanzaError::new(StanzaCondition::ItemNotFound))?;
        self.stop(ticket, CancelReason::Reader);
        self.transmits.push_back(Transmit::Cancelled {
            to: from.clone(),
            id: id.into(),
            seqnr,
        });
        self.start_queued();
        Ok(())
    }

    /// A message of ours came back: nobody reads it. Nothing is answered to an error.
    pub(super) fn handle_bounce(&mut self, envelope: &Envelope<'_>) -> bool {
        let Some(from) = &envelope.from else {
            return false;
        };
        let tickets = match envelope.payload() {
            Some(payload) => {
                // A bounce may hold what was sent, and then says which readout it is about.
                let seqnr = payload
                    .attribute("seqnr")
                    .and_then(|seqnr| seqnr.parse().ok());
                let ticket = seqnr.and_then(|seqnr| self.numbers.get(&(from.clone(), seqnr)));
                ticket.copied().into_iter().collect()
            }
            None => self.tickets_of(from),
        };
        let is_ours = !tickets.is_empty();
        for ticket in tickets {
            self.stop(ticket, CancelReason::Undeliverable);
        }
        self.start_queued();
        is_ours
    }
}

pub(super) fn bad_request(reason: &(impl core::fmt::Display + ?Sized)) -> StanzaError {
    refusal(StanzaCondition::BadRequest, format!("{reason}"))
}

/// An error with a text of ours.
pub(super) fn refusal(condition: StanzaCondition, text: impl Into<Box<str>>) -> StanzaError {
    let mut error = StanzaError::new(condition).with_text(text);
    error.lang = Some("en".into());
    error
}
