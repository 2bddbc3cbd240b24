//! The answering side: a device, or a concentrator of many, that is read.
//!
//! A [`Device`] takes requests, asks the application whether each may be answered, and asks it for
//! the data when the time has come:
//!
//! 1. [`Event::Request`]: somebody wants to read. The application decides who may, and answers
//!    with [`Device::accept`] or [`Device::reject`]. Nobody gets anything without that.
//! 2. [`Event::Readout`]: now read. It comes at once when the device is free, or else when the
//!    time that the request named has come or another readout has ended. The application answers
//!    with [`Device::add_fields`] and [`Device::fail_node`], in as many parts as it likes and when it
//!    can, and then [`Device::done`].
//! 3. [`Event::Cancelled`] instead, when nobody waits for the data any more.
//!
//! What is added goes out as soon as the caller polls; whoever wants fewer messages adds more at
//! once. Fields that were not asked for are left out, so that an application may add all it has.
//!
//! # Other implementations
//! slixmpp's reader learns of the end by the attribute `done` alone, so the readout ends with that
//! (see [`DeviceConfig::separate_done`]), and forgets a readout at its first failure, so report
//! failures behind the data. It reads only `numeric`, `string`, `boolean`, `dateTime`, `timeSpan` and
//! `enum`: a device that it shall understand reports whole numbers as `numeric`. It uses the same id
//! for the request and its cancelling.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::jid::Jid;
use xmpp_core::time::Instant;
use xmpp_xml::value::DateTime;
use xmpp_xml::{Element, ElementRef, ToXml, Writer};

use crate::model::{Field, NodeFailure, NodeReference, ReadoutRequest};
use crate::payload::{SAMPLE_SIZE, failure_size, field_size, node_size};
use crate::stanza::{Envelope, Kind, message_size};

mod clock;
mod config;
mod event;
mod incoming;
mod outgoing;
mod pending;

use self::clock::Clock;
pub use self::config::{DeviceConfig, Nodes};
pub use self::event::{AnswerError, CancelReason, Event, Ticket};
use self::incoming::refusal;
use self::outgoing::Transmit;
use self::pending::Pending;

/// The answering side of readouts. See the [module](self).
#[derive(Debug)]
pub struct Device {
    config: DeviceConfig,
    readouts: BTreeMap<Ticket, Readout>,
    /// Which readout a reader means by a number.
    numbers: BTreeMap<(Jid, i32), Ticket>,
    /// The readouts that have something to send, in turn.
    sending: VecDeque<Ticket>,
    running: usize,
    timers: BTreeSet<(Instant, Ticket)>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    clock: Option<Clock>,
    /// The latest time that was told.
    now: Instant,
    last_ticket: u64,
}

#[derive(Debug)]
struct Readout {
    peer: Jid,
    seqnr: i32,
    /// The id of the IQ that is not answered yet.
    iq: Option<String>,
    request: Arc<ReadoutRequest>,
    state: State,
    /// When it shall begin, if that lies ahead.
    due: Option<Instant>,
    timer: Option<Instant>,
    /// Whether the application has given a sign of life since the timer was set.
    touched: bool,
    pending: Pending,
    is_done: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The application has not decided.
    Asked,
    /// Accepted, to be begun later.
    Queued,
    /// The application reads.
    Running,
}

impl Device {
    /// A device that nobody reads yet.
    pub fn new(config: DeviceConfig) -> Self {
        Self {
            config,
            readouts: BTreeMap::new(),
            numbers: BTreeMap::new(),
            sending: VecDeque::new(),
            running: 0,
            timers: BTreeSet::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            clock: None,
            now: Instant::ORIGIN,
            last_ticket: 0,
        }
    }

    /// How many readouts have not ended.
    pub fn outstanding(&self) -> usize {
        self.readouts.len()
    }

    /// How many readouts the application is reading for.
    pub fn running(&self) -> usize {
        self.running
    }

    /// Who asked; `None` once the readout has ended.
    pub fn peer(&self, ticket: Ticket) -> Option<&Jid> {
        self.readouts.get(&ticket).map(|readout| &readout.peer)
    }

    /// What was asked for; `None` once the readout has ended.
    pub fn request(&self, ticket: Ticket) -> Option<&ReadoutRequest> {
        self.readouts.get(&ticket).map(|readout| &*readout.request)
    }

    /// How many bytes of a readout wait to be polled, about. See [`DeviceConfig::pending_bytes`].
    pub fn pending_bytes(&self, ticket: Ticket) -> usize {
        self.readouts
            .get(&ticket)
            .map_or(0, |readout| readout.pending.bytes())
    }

    /// A stanza has arrived. Returns whether it was for this engine; if not, it is another's, and a
    /// request that is nobody's has to be answered with `service-unavailable`.
    pub fn handle_stanza(&mut self, stanza: ElementRef<'_>, now: Instant) -> bool {
        self.now = self.now.max(now);
        let Some(envelope) = Envelope::open(stanza) else {
            return false;
        };
        match (envelope.kind, &*envelope.r#type) {
            (Kind::Iq, "get" | "set") => match envelope.payload() {
                Some(payload) => {
                    self.handle_command(&envelope, payload);
                    true
                }
                None => false,
            },
            (Kind::Message, "error") => self.handle_bounce(&envelope),
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

    /// A reader has gone offline: nobody waits for its readouts. Presence that goes through
    /// [`Device::handle_stanza`] is seen there.
    pub fn handle_unavailable(&mut self, peer: &Jid) {
        for ticket in self.tickets_of(peer) {
            self.stop(ticket, CancelReason::Unavailable);
        }
        self.start_queued();
    }

    /// The stream is lost and will not be resumed: all readouts end.
    pub fn handle_disconnected(&mut self) {
        self.transmits.clear();
        while let Some((ticket, _)) = self.readouts.first_key_value() {
            self.stop(*ticket, CancelReason::Disconnected);
        }
        self.transmits.clear();
    }

    /// Time has passed: scheduled readouts begin, and what the application has forgotten ends.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some((deadline, ticket)) = self.timers.first().copied() {
            if deadline > self.now {
                break;
            }
            self.set_timer(ticket, None);
            let Some(readout) = self.readouts.get_mut(&ticket) else {
                continue;
            };
            match readout.state {
                State::Asked => self.stop(ticket, CancelReason::TimedOut),
                // Its time has come; it begins below, as soon as there is room.
                State::Queued => readout.due = None,
                State::Running if readout.touched || !readout.pending.is_empty() => {
                    readout.touched = false;
                    let deadline = self.now + self.config.answer_timeout;
                    self.set_timer(ticket, Some(deadline));
                }
                State::Running => self.give_up(ticket),
            }
        }
        self.start_queued();
    }

    /// What the wall clock reads at `now`, for requests that name a time. Without a clock such
    /// requests are carried out at once, as the standard allows.
    pub fn set_clock(&mut self, time: DateTime, now: Instant) {
        self.now = self.now.max(now);
        self.clock = Some(Clock {
            time,
            at: now,
            offset: self.config.local_offset,
        });
    }

    /// The readout may be carried out. The reader is told so, and [`Event::Readout`] follows: at
    /// once, or when it is due and there is room.
    ///
    /// # Errors
    /// When the ticket is over, or has been accepted already.
    pub fn accept(&mut self, ticket: Ticket) -> Result<(), AnswerError> {
        self.accept_with(ticket, None)
    }

    /// As [`Device::accept`], but only for what is left in `request`: for a reader that may see
    /// some nodes, fields or categories and others not. Its time (`when`) does not count.
    ///
    /// # Errors
    /// When the ticket is over, or has been accepted already.
    pub fn accept_as(
        &mut self,
        ticket: Ticket,
        request: ReadoutRequest,
    ) -> Result<(), AnswerError> {
        self.accept_with(ticket, Some(request))
    }

    /// The readout may not be carried out, for the reason given. XEP-0323 §3.3 knows `forbidden` and
    /// `item-not-found` (to cancel) and `bad-request` (to modify).
    ///
    /// # Errors
    /// When the ticket is over, or has been accepted already; or when a text of the error cannot
    /// stand in XML.
    pub fn reject(&mut self, ticket: Ticket, error: StanzaError) -> Result<(), AnswerError> {
        Element::build(|writer| error.to_xml(writer)).map_err(|_| AnswerError::Unwritable)?;
        let readout = self.readouts.get(&ticket).ok_or(AnswerError::Over)?;
        if readout.state != State::Asked {
            return Err(AnswerError::AlreadyAccepted);
        }
        self.refuse(ticket, error);
        Ok(())
    }

    /// Fields of a node at a time. Those that were not asked for are left out.
    ///
    /// # Errors
    /// When the ticket is over or has not begun; when a field cannot be written, or is longer than
    /// a message may be; when too much waits to be polled. Nothing is taken then.
    pub fn add_fields(
        &mut self,
        ticket: Ticket,
        node: &NodeReference<'_>,
        time: DateTime,
        fields: impl IntoIterator<Item = Field<'static>>,
    ) -> Result<(), AnswerError> {
        let offset = self.config.local_offset;
        let (readout, room) = self.running_readout(ticket)?;
        let around = node_size(node).ok_or(AnswerError::Unwritable)? + SAMPLE_SIZE;
        let mut taken = VecDeque::new();
        let mut bytes = around;
        for field in fields {
            if !readout.request.wants(&field, &time, offset) {
                continue;
            }
            let size = field_size(&field).ok_or(AnswerError::Unwritable)?;
            if around.saturating_add(size) > room {
                return Err(AnswerError::TooLong);
            }
            bytes = bytes.saturating_add(size);
            taken.push_back((field, size));
        }
        if !taken.is_empty() {
            self.make_room(ticket, bytes)?;
            let node = node.clone().into_owned();
            if let Some(readout) = self.readouts.get_mut(&ticket) {
                readout.pending.push_fields(node, time, taken, around);
            }
        }
        self.has_pending(ticket);
        Ok(())
    }

    /// A node could not be read. The readout goes on with others; [`Device::done`] ends it.
    ///
    /// # Errors
    /// As for [`Device::add_fields`].
    pub fn fail_node(
        &mut self,
        ticket: Ticket,
        failure: NodeFailure<'static>,
    ) -> Result<(), AnswerError> {
        let (_, room) = self.running_readout(ticket)?;
        let size = failure_size(&failure).ok_or(AnswerError::Unwritable)?;
        if size > room {
            return Err(AnswerError::TooLong);
        }
        self.make_room(ticket, size)?;
        if let Some(readout) = self.readouts.get_mut(&ticket) {
            readout.pending.push_failure(failure, size);
        }
        self.has_pending(ticket);
        Ok(())
    }

    /// Everything has been added.
    ///
    /// # Errors
    /// When the ticket is over or has not begun.
    pub fn done(&mut self, ticket: Ticket) -> Result<(), AnswerError> {
        self.running_readout(ticket)?;
        if let Some(readout) = self.readouts.get_mut(&ticket) {
            readout.is_done = true;
        }
        self.set_timer(ticket, None);
        self.has_pending(ticket);
        Ok(())
    }

    /// Writes the next stanza that is to be sent. Returns whether there was one.
    ///
    /// Readers take turns: a long readout does not keep a short one waiting.
    pub fn poll_transmit(&mut self, writer: &mut Writer<'_>) -> bool {
        if let Some(transmit) = self.transmits.pop_front() {
            self.write_transmit(transmit, writer);
            return true;
        }
        while let Some(ticket) = self.sending.pop_front() {
            if self.write_part(ticket, writer) {
                return true;
            }
        }
        false
    }

    /// The next thing that the application is to know.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`Device::handle_timeout`] is to be called, if nothing arrives before.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first().map(|(deadline, _)| *deadline)
    }

    fn accept_with(
        &mut self,
        ticket: Ticket,
        request: Option<ReadoutRequest>,
    ) -> Result<(), AnswerError> {
        let has_room = self.running < self.config.running;
        let readout = self.readouts.get_mut(&ticket).ok_or(AnswerError::Over)?;
        if readout.state != State::Asked {
            return Err(AnswerError::AlreadyAccepted);
        }
        if let Some(request) = request {
            readout.request = Arc::new(request);
        }
        readout.due = readout.due.filter(|due| *due > self.now);
        let due = readout.due;
        let queued = due.is_some() || !has_room;
        readout.state = State::Queued;
        if let Some(id) = readout.iq.take() {
            let (to, seqnr) = (readout.peer.clone(), readout.seqnr);
            self.transmits.push_back(Transmit::Accepted {
                to,
                id,
                seqnr,
                queued,
            });
        }
        self.set_timer(ticket, due);
        if !queued {
            self.start(ticket);
        }
        Ok(())
    }

    /// Begins what is due, as far as there is room; readers with the least running come first.
    fn start_queued(&mut self) {
        while self.running < self.config.running {
            let mut running: BTreeMap<&Jid, usize> = BTreeMap::new();
            for readout in self
                .readouts
                .values()
                .filter(|each| each.state == State::Running)
            {
                *running.entry(&readout.peer).or_default() += 1;
            }
            let next = self
                .readouts
                .iter()
                .filter(|(_, readout)| readout.state == State::Queued && readout.due.is_none())
                .min_by_key(|(ticket, readout)| {
                    (running.get(&readout.peer).copied().unwrap_or(0), **ticket)
                })
                .map(|(ticket, readout)| (*ticket, readout.peer.clone(), readout.seqnr));
            let Some((ticket, to, seqnr)) = next else {
                break;
            };
            self.transmits.push_back(Transmit::Started { to, seqnr });
            self.start(ticket);
        }
    }

    fn start(&mut self, ticket: Ticket) {
        let deadline = self.now + self.config.answer_timeout;
        let Some(readout) = self.readouts.get_mut(&ticket) else {
            return;
        };
        readout.state = State::Running;
        readout.touched = true;
        self.running += 1;
        self.events.push_back(Event::Readout {
            ticket,
            peer: readout.peer.clone(),
            request: Arc::clone(&readout.request),
        });
        self.set_timer(ticket, Some(deadline));
    }

    fn running_readout(&mut self, ticket: Ticket) -> Result<(&Readout, usize), AnswerError> {
        let address = self.config.address.as_ref();
        let readout = self.readouts.get_mut(&ticket).ok_or(AnswerError::Over)?;
        if readout.state != State::Running {
            return Err(AnswerError::NotBegun);
        }
        if readout.is_done {
            return Err(AnswerError::Over);
        }
        readout.touched = true;
        let around = message_size(address, &readout.peer);
        Ok((readout, self.config.message_bytes.saturating_sub(around)))
    }

    fn make_room(&mut self, ticket: Ticket, bytes: usize) -> Result<(), AnswerError> {
        let waiting = self.pending_bytes(ticket);
        // One part is always taken, or else a big one could never be.
        if waiting > 0 && waiting.saturating_add(bytes) > self.config.pending_bytes {
            return Err(AnswerError::Full);
        }
        Ok(())
    }

    fn has_pending(&mut self, ticket: Ticket) {
        let Some(readout) = self.readouts.get(&ticket) else {
            return;
        };
        let is_sending = readout.is_done || !readout.pending.is_empty();
        if is_sending && !self.sending.contains(&ticket) {
            self.sending.push_back(ticket);
        }
    }

    /// The application has not answered in time: the reader is told that nothing was read.
    fn give_up(&mut self, ticket: Ticket) {
        let time = self.clock.and_then(|clock| clock.time(self.now));
        let Some(readout) = self.readouts.get_mut(&ticket) else {
            return;
        };
        let mut nodes = readout.request.nodes.clone();
        if nodes.is_empty() {
            nodes.push(self.config.nodes.own());
        }
        for node in nodes {
            let failure = NodeFailure::new(node, time, "Timeout.");
            // Written as it was read, a node can be written; the request fitted into a stanza.
            if let Some(size) = failure_size(&failure) {
                readout.pending.push_failure(failure, size);
            }
        }
        readout.is_done = true;
        self.events.push_back(Event::Cancelled {
            ticket,
            reason: CancelReason::TimedOut,
        });
        self.has_pending(ticket);
    }

    /// Ends a readout that nobody waits for, or that nobody answers.
    fn stop(&mut self, ticket: Ticket, reason: CancelReason) {
        let Some(readout) = self.readouts.get(&ticket) else {
            return;
        };
        // The application has said its last word on it, or has been told already.
        if !readout.is_done {
            self.events.push_back(Event::Cancelled { ticket, reason });
        }
        let error = match reason {
            CancelReason::TimedOut => StanzaError::new(StanzaCondition::ResourceConstraint),
            _ => refusal(StanzaCondition::UndefinedCondition, "Cancelled."),
        };
        self.refuse(ticket, error);
    }

    /// Removes a readout, answering its IQ with the error if that has no answer yet.
    fn refuse(&mut self, ticket: Ticket, error: StanzaError) {
        if let Some(readout) = self.remove(ticket)
            && let Some(id) = readout.iq
        {
            self.answer(Some(readout.peer), Some(id), error);
        }
    }

    fn remove(&mut self, ticket: Ticket) -> Option<Readout> {
        self.set_timer(ticket, None);
        let readout = self.readouts.remove(&ticket)?;
        self.numbers.remove(&(readout.peer.clone(), readout.seqnr));
        self.sending.retain(|other| *other != ticket);
        if readout.state == State::Running {
            self.running -= 1;
        }
        Some(readout)
    }

    fn answer(&mut self, to: Option<Jid>, id: Option<String>, error: StanzaError) {
        self.transmits
            .push_back(Transmit::Refused { to, id, error });
    }

    fn set_timer(&mut self, ticket: Ticket, deadline: Option<Instant>) {
        let Some(readout) = self.readouts.get_mut(&ticket) else {
            return;
        };
        if let Some(old) = readout.timer.take() {
            self.timers.remove(&(old, ticket));
        }
        readout.timer = deadline;
        if let Some(deadline) = deadline {
            self.timers.insert((deadline, ticket));
        }
    }

    fn tickets_of(&self, peer: &Jid) -> Vec<Ticket> {
        let range = (peer.clone(), i32::MIN)..=(peer.clone(), i32::MAX);
        self.numbers
            .range(range)
            .map(|(_, ticket)| *ticket)
            .collect()
    }
}
