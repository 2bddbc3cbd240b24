//! The asking side: readouts of many devices at once, gathered as they arrive.
//!
//! A [`Requester`] sends requests, matches what comes back by the sender's full address and the
//! number of the request, and hands it out: data as it arrives, and of each readout the end,
//! exactly once. Data that comes before the answer to the request, or instead of it, is as good.
//!
//! What the device sends is filtered by what was asked, as XEP-0323 §3 demands of the reader.
//!
//! ```
//! use xmpp_core::{jid::Jid, time::Instant};
//! use xmpp_iot_sensordata::model::ReadoutRequest;
//! use xmpp_iot_sensordata::requester::{Requester, RequesterConfig};
//! use xmpp_xml::Writer;
//!
//! let mut requester = Requester::new(RequesterConfig::default());
//! let device = Jid::parse("meter@example.org/roof")?;
//! let readout = requester.request(device, ReadoutRequest::momentary(), Instant::ORIGIN)?;
//!
//! let mut out = Vec::new();
//! let mut writer = Writer::new(&mut out);
//! while requester.poll_transmit(&mut writer) {}
//! writer.finish()?;
//! assert!(out.starts_with(b"<iq "));
//! # assert!(requester.state(readout).is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Other implementations
//! slixmpp's device answers a bad request with an IQ error that has `rejected` and no stanza error:
//! the readout ends as rejected with that text. It understands only times without a zone in `when`,
//! `from` and `to`; give it such. Of several nodes that fail it reports some and then falls silent:
//! the readout ends by its timeout.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::jid::Jid;
use xmpp_core::time::Instant;
use xmpp_xml::{Element, ElementRef, FromXml, ToXml, Writer};

use crate::model::{NodeFailure, ReadoutRequest};
use crate::payload::{Accepted, Cancel, Done, Failure, FieldsRef, Rejected, Request, Started};
use crate::stanza::{Envelope, Kind, start_iq};

mod config;
mod event;

pub use self::config::RequesterConfig;
pub use self::event::{Event, Limit, Misconduct, Outcome, Part, ReadoutId, RequestError, State};

/// The asking side of readouts. See the [module](self).
#[derive(Debug)]
pub struct Requester {
    config: RequesterConfig,
    readouts: BTreeMap<ReadoutId, Readout>,
    /// Which readout a device means by a number.
    numbers: BTreeMap<(Jid, i32), ReadoutId>,
    /// The IQs that wait for their answers.
    replies: BTreeMap<u64, ReadoutId>,
    timers: BTreeSet<(Instant, ReadoutId)>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    last_readout: u64,
    last_iq: u64,
    last_seqnr: i32,
}

#[derive(Debug)]
struct Readout {
    peer: Jid,
    seqnr: i32,
    request: Arc<ReadoutRequest>,
    state: State,
    deadline: Instant,
    /// The IQ of the request, and that of the cancelling.
    request_iq: u64,
    cancel_iq: Option<u64>,
    fields: usize,
    bytes: usize,
    failures: usize,
}

#[derive(Debug)]
enum Transmit {
    Request {
        to: Jid,
        id: u64,
        seqnr: i32,
        request: Arc<ReadoutRequest>,
    },
    Cancel {
        to: Jid,
        id: u64,
        seqnr: i32,
    },
}

impl Requester {
    /// A requester with nothing to do.
    pub fn new(config: RequesterConfig) -> Self {
        Self {
            config,
            readouts: BTreeMap::new(),
            numbers: BTreeMap::new(),
            replies: BTreeMap::new(),
            timers: BTreeSet::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            last_readout: 0,
            last_iq: 0,
            last_seqnr: 0,
        }
    }

    /// How many readouts have not ended.
    pub fn outstanding(&self) -> usize {
        self.readouts.len()
    }

    /// How far a readout has come; `None` once it has ended.
    pub fn state(&self, readout: ReadoutId) -> Option<State> {
        self.readouts.get(&readout).map(|readout| readout.state)
    }

    /// Who is being read; `None` once the readout has ended.
    pub fn peer(&self, readout: ReadoutId) -> Option<&Jid> {
        self.readouts.get(&readout).map(|readout| &readout.peer)
    }

    /// The number that goes with the readout on the wire; `None` once it has ended.
    pub fn seqnr(&self, readout: ReadoutId) -> Option<i32> {
        self.readouts.get(&readout).map(|readout| readout.seqnr)
    }

    /// What was asked for; `None` once the readout has ended.
    pub fn request_of(&self, readout: ReadoutId) -> Option<&ReadoutRequest> {
        self.readouts.get(&readout).map(|readout| &*readout.request)
    }

    /// A stanza has arrived. Returns whether it was for this engine; if not, it is another's.
    ///
    /// What comes from anybody but the device that was asked, or for a readout that has ended, is
    /// swallowed: it belongs to this engine but means nothing.
    pub fn handle_stanza(&mut self, stanza: ElementRef<'_>, now: Instant) -> bool {
        let Some(envelope) = Envelope::open(stanza) else {
            return false;
        };
        match (envelope.kind, &*envelope.r#type) {
            (Kind::Iq, "result" | "error") => self.handle_reply(&envelope, now),
            (Kind::Message, "error") => false,
            (Kind::Message, _) => self.handle_message(&envelope, now),
            (Kind::Presence, "unavailable") => {
                if let Some(from) = &envelope.from {
                    self.handle_unavailable(from);
                }
                // Others want to know, too.
                false
            }
            _ => false,
        }
    }

    /// A device has gone offline: its readouts end. Presence that goes through
    /// [`Requester::handle_stanza`] is seen there.
    pub fn handle_unavailable(&mut self, peer: &Jid) {
        let gone = self.readouts_with(peer);
        for readout in gone {
            self.end(readout, Outcome::Unavailable);
        }
    }

    /// The stream is lost and will not be resumed: all readouts end. After a resumption nothing is
    /// to be told; the readouts just go on.
    pub fn handle_disconnected(&mut self) {
        self.transmits.clear();
        while let Some((readout, _)) = self.readouts.first_key_value() {
            self.end(*readout, Outcome::Disconnected);
        }
    }

    /// Time has passed: readouts whose devices have been silent for too long end.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((deadline, readout)) = self.timers.first().copied() {
            if deadline > now {
                break;
            }
            let cancelling = self.state(readout) == Some(State::Cancelling);
            if !cancelling {
                self.forsake(readout);
            }
            // Who cancels has no use for the news that the device does not answer.
            self.end(
                readout,
                if cancelling {
                    Outcome::Cancelled
                } else {
                    Outcome::TimedOut
                },
            );
        }
    }

    /// Asks a device. What comes is told by [`Event`]s, the last of them [`Event::Ended`].
    ///
    /// # Errors
    /// When `device` is the bare address of an account, whose server would answer in its stead;
    /// when a text in the request cannot stand in XML; or when too many readouts are under way.
    pub fn request(
        &mut self,
        device: Jid,
        request: ReadoutRequest,
        now: Instant,
    ) -> Result<ReadoutId, RequestError> {
        if device.local().is_some() && device.resource().is_none() {
            return Err(RequestError::BareAddress);
        }
        if self.readouts.len() >= self.config.outstanding {
            return Err(RequestError::TooMany);
        }
        if self.readouts_with(&device).len() >= self.config.outstanding_per_device {
            return Err(RequestError::TooManyOfDevice);
        }
        let seqnr = self.unused_seqnr(&device);
        let wire = Request {
            seqnr,
            readout: request,
        };
        Element::build(|writer| wire.to_xml(writer)).map_err(RequestError::Unwritable)?;
        let request = Arc::new(wire.readout);

        self.last_readout += 1;
        let id = ReadoutId::new(self.last_readout);
        let request_iq = self.expect_reply(id);
        let deadline = now + self.config.answer_timeout;
        self.timers.insert((deadline, id));
        self.numbers.insert((device.clone(), seqnr), id);
        let to = device.clone();
        self.transmits.push_back(Transmit::Request {
            to,
            id: request_iq,
            seqnr,
            request: Arc::clone(&request),
        });
        self.readouts.insert(
            id,
            Readout {
                peer: device,
                seqnr,
                request,
                state: State::Requested,
                deadline,
                request_iq,
                cancel_iq: None,
                fields: 0,
                bytes: 0,
                failures: 0,
            },
        );
        Ok(id)
    }

    /// Cancels a readout. It ends when the device has confirmed that, or has finished in spite of
    /// it, or has not answered in time; data may come until then. A readout that has ended already
    /// is left alone.
    pub fn cancel(&mut self, readout: ReadoutId, now: Instant) {
        if self
            .state(readout)
            .is_none_or(|state| state == State::Cancelling)
        {
            return;
        }
        let id = self.expect_reply(readout);
        if let Some(known) = self.readouts.get_mut(&readout) {
            known.state = State::Cancelling;
            known.cancel_iq = Some(id);
            let (to, seqnr) = (known.peer.clone(), known.seqnr);
            self.transmits.push_back(Transmit::Cancel { to, id, seqnr });
        }
        self.set_deadline(readout, now + self.config.answer_timeout);
    }

    /// Waits for the next sign of life of a device until `deadline`, instead of the time that the
    /// configuration says: for a readout that is known to take long. What arrives sets it anew.
    pub fn set_deadline(&mut self, readout: ReadoutId, deadline: Instant) {
        if let Some(known) = self.readouts.get_mut(&readout) {
            self.timers.remove(&(known.deadline, readout));
            known.deadline = deadline;
            self.timers.insert((deadline, readout));
        }
    }

    /// Writes the next stanza that is to be sent. Returns whether there was one.
    pub fn poll_transmit(&mut self, writer: &mut Writer<'_>) -> bool {
        let Some(transmit) = self.transmits.pop_front() else {
            return false;
        };
        let (Transmit::Request { to, id, .. } | Transmit::Cancel { to, id, .. }) = &transmit;
        let id = format!("{}{id}", self.config.id_prefix);
        start_iq(
            "get",
            Some(&id),
            self.config.address.as_ref(),
            Some(to),
            writer,
        );
        match transmit {
            Transmit::Request { seqnr, request, .. } => {
                Request::write(seqnr, &request, writer);
            }
            Transmit::Cancel { seqnr, .. } => {
                writer.payload(&Cancel { seqnr });
            }
        }
        writer.end();
        true
    }

    /// The next thing that the application is to know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Requester::handle_timeout`] is to be called, if nothing arrives before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(deadline, _)| *deadline)
    }

    fn handle_reply(&mut self, envelope: &Envelope<'_>, now: Instant) -> bool {
        let Some((iq, readout)) = self.reply_of(envelope) else {
            return false;
        };
        self.replies.remove(&iq);
        let Some(known) = self.readouts.get(&readout) else {
            return true;
        };
        let is_request = known.request_iq == iq;
        let seqnr = known.seqnr;
        match (is_request, &*envelope.r#type) {
            (true, "error") => self.end(readout, Outcome::Rejected(rejection(envelope))),
            // Whether the device knows of the readout no more or confirms: it is cancelled.
            (false, _) => self.end(readout, Outcome::Cancelled),
            (true, _) => {
                let accepted = envelope
                    .payload()
                    .filter(|payload| Accepted::matches(*payload));
                // A result without content accepts, too.
                let queued = match accepted.map(Accepted::from_xml) {
                    None => false,
                    Some(Ok(accepted)) if accepted.seqnr == seqnr => accepted.queued,
                    Some(_) => {
                        self.end(readout, Outcome::Misconduct(Misconduct::WrongNumber));
                        return true;
                    }
                };
                self.accepted(readout, queued, now);
            }
        }
        true
    }

    fn accepted(&mut self, readout: ReadoutId, queued: bool, now: Instant) {
        let Some(known) = self.readouts.get_mut(&readout) else {
            return;
        };
        // Data may have overtaken this.
        if known.state == State::Requested {
            known.state = if queued {
                State::Queued
            } else {
                State::Accepted
            };
            let patience = match queued {
                true => self.config.queue_timeout,
                false => self.config.silence_timeout,
            };
            self.set_deadline(readout, now + patience);
        }
        self.events.push_back(Event::Accepted { readout, queued });
    }

    fn handle_message(&mut self, envelope: &Envelope<'_>, now: Instant) -> bool {
        let Some(payload) = envelope.payload() else {
            return false;
        };
        if !matches!(payload.name(), "fields" | "failure" | "done" | "started") {
            return false;
        }
        let Some(from) = &envelope.from else {
            return true;
        };
        if FieldsRef::matches(payload) {
            if let Ok(fields) = FieldsRef::from_xml(payload)
                && let Some(readout) = self.heard(from, fields.seqnr(), now)
            {
                self.handle_fields(readout, fields, payload);
            }
        } else if Failure::matches(payload) {
            if let Ok(failure) = Failure::from_xml(payload)
                && let Some(readout) = self.heard(from, failure.seqnr, now)
            {
                self.handle_failure(readout, failure, payload.bytes().len());
            }
        } else if let Ok(Done { seqnr }) = payload.read() {
            if let Some(readout) = self.heard(from, seqnr, now) {
                self.finish(readout);
            }
        } else if let Ok(Started { seqnr }) = payload.read()
            && let Some(readout) = self.heard(from, seqnr, now)
        {
            if let Some(known) = self.readouts.get_mut(&readout)
                && matches!(
                    known.state,
                    State::Requested | State::Accepted | State::Queued
                )
            {
                known.state = State::Started;
            }
            self.events.push_back(Event::Started { readout });
        }
        true
    }

    /// The readout that a device means, whose patience begins anew.
    fn heard(&mut self, from: &Jid, seqnr: i32, now: Instant) -> Option<ReadoutId> {
        let readout = *self.numbers.get(&(from.clone(), seqnr))?;
        if self.state(readout) != Some(State::Cancelling) {
            self.set_deadline(readout, now + self.config.silence_timeout);
        }
        Some(readout)
    }

    fn handle_fields(
        &mut self,
        readout: ReadoutId,
        fields: FieldsRef<'_>,
        payload: ElementRef<'_>,
    ) {
        let count = fields.count();
        let Some(request) = self.received(readout, count, payload.bytes().len()) else {
            return;
        };
        if count > 0 {
            let part = Part::new(payload.to_element(), request, self.config.assumed_offset);
            self.events.push_back(Event::Fields { readout, part });
        }
        if fields.is_done() {
            self.finish(readout);
        }
    }

    fn handle_failure(&mut self, readout: ReadoutId, failure: Failure<'_>, bytes: usize) {
        let count = failure.errors.len();
        if self.received(readout, count, bytes).is_none() {
            return;
        }
        if let Some(known) = self.readouts.get_mut(&readout) {
            // A failure that names no node is one all the same.
            known.failures = known.failures.saturating_add(count.max(1));
        }
        let failures = failure
            .errors
            .into_iter()
            .map(|error| NodeFailure::from(error).into_owned());
        let failures = failures.collect();
        self.events.push_back(Event::Failures { readout, failures });
        if failure.done {
            self.finish(readout);
        }
    }

    /// Counts what has arrived. Beyond a limit the readout ends and `None` comes back.
    fn received(
        &mut self,
        readout: ReadoutId,
        fields: usize,
        bytes: usize,
    ) -> Option<Arc<ReadoutRequest>> {
        let known = self.readouts.get_mut(&readout)?;
        known.fields = known.fields.saturating_add(fields);
        known.bytes = known.bytes.saturating_add(bytes);
        let exceeded = if known.fields > self.config.fields {
            Limit::Fields
        } else if known.bytes > self.config.bytes {
            Limit::Bytes
        } else {
            if known.state != State::Cancelling {
                known.state = State::Receiving;
            }
            return Some(Arc::clone(&known.request));
        };
        self.forsake(readout);
        self.end(readout, Outcome::Exceeded(exceeded));
        None
    }

    fn finish(&mut self, readout: ReadoutId) {
        let failed = self
            .readouts
            .get(&readout)
            .is_some_and(|readout| readout.failures > 0);
        self.end(
            readout,
            if failed {
                Outcome::Failed
            } else {
                Outcome::Done
            },
        );
    }

    /// Tells the device to stop, without waiting for its answer.
    fn forsake(&mut self, readout: ReadoutId) {
        let Some(known) = self.readouts.get(&readout) else {
            return;
        };
        self.last_iq += 1;
        self.transmits.push_back(Transmit::Cancel {
            to: known.peer.clone(),
            id: self.last_iq,
            seqnr: known.seqnr,
        });
    }

    fn end(&mut self, readout: ReadoutId, outcome: Outcome) {
        let Some(known) = self.readouts.remove(&readout) else {
            return;
        };
        self.timers.remove(&(known.deadline, readout));
        self.replies.remove(&known.request_iq);
        if let Some(iq) = known.cancel_iq {
            self.replies.remove(&iq);
        }
        let Readout {
            peer,
            seqnr,
            fields,
            failures,
            ..
        } = known;
        self.numbers.remove(&(peer.clone(), seqnr));
        self.events.push_back(Event::Ended {
            readout,
            peer,
            outcome,
            fields,
            failures,
        });
    }

    fn readouts_with(&self, peer: &Jid) -> Vec<ReadoutId> {
        let range = (peer.clone(), i32::MIN)..=(peer.clone(), i32::MAX);
        self.numbers
            .range(range)
            .map(|(_, readout)| *readout)
            .collect()
    }

    fn unused_seqnr(&mut self, peer: &Jid) -> i32 {
        loop {
            self.last_seqnr = self.last_seqnr.checked_add(1).unwrap_or(1);
            // Ends: the readouts of a device are far fewer than the numbers.
            if !self.numbers.contains_key(&(peer.clone(), self.last_seqnr)) {
                return self.last_seqnr;
            }
        }
    }

    fn expect_reply(&mut self, readout: ReadoutId) -> u64 {
        self.last_iq += 1;
        self.replies.insert(self.last_iq, readout);
        self.last_iq
    }

    /// The IQ that this stanza answers: it has to come from whom it went to.
    fn reply_of(&self, envelope: &Envelope<'_>) -> Option<(u64, ReadoutId)> {
        let id = envelope.id.as_deref()?;
        let number = id.strip_prefix(&*self.config.id_prefix)?;
        let iq: u64 = number.parse().ok()?;
        // `+1` and `01` are not ours.
        if iq.to_string() != number {
            return None;
        }
        let readout = *self.replies.get(&iq)?;
        let known = self.readouts.get(&readout)?;
        (envelope.from.as_ref() == Some(&known.peer)).then_some((iq, readout))
    }
}

/// Why the device does not want to. slixmpp says it in an element of its own.
fn rejection(envelope: &Envelope<'_>) -> StanzaError {
    if let Some(error) = envelope
        .error()
        .and_then(|error| StanzaError::from_xml(error).ok())
    {
        return error;
    }
    let error = StanzaError::new(StanzaCondition::UndefinedCondition);
    let rejected = envelope
        .payload()
        .and_then(|payload| Rejected::from_xml(payload).ok());
    match rejected.and_then(|rejected| rejected.error) {
        Some(text) => error.with_text(text.into_owned()),
        None => error,
    }
}
