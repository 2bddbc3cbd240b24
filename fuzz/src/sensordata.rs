//! The payloads of sensor data, and both engines under any sequence of stanzas, answers and timeouts.

use std::collections::BTreeMap;
use std::time::Duration;

use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::jid::Jid;
use xmpp_core::time::Instant;
use xmpp_iot_sensordata::device::{self, Device, DeviceConfig, Nodes, Ticket};
use xmpp_iot_sensordata::model::{Categories, Field, NodeFailure, NodeReference, ReadoutRequest};
use xmpp_iot_sensordata::payload::{Failure, Fields, FieldsRef, Request};
use xmpp_iot_sensordata::requester::{self, ReadoutId, Requester, RequesterConfig};
use xmpp_xml::value::DateTime;
use xmpp_xml::{Element, ElementRef, FromXml, Limits, Scratch, ToXml, Writer};

/// Bytes that are one element are a payload and a stanza for both engines; any others are operations on them.
pub fn sensordata(data: &[u8]) {
    let mut scratch = Scratch::new();
    match scratch.document(data, &Limits::default()) {
        Ok(element) => {
            payloads(element);
            stanza(element);
        }
        Err(_) => operations(data),
    }
}

/// What is read is written, and read again as the same.
fn payloads(element: ElementRef<'_>) {
    if let Ok(request) = element.read::<Request>() {
        let again = written(&request);
        assert_eq!(again.root().read::<Request>().as_ref(), Ok(&request));
    }
    if let Ok(failure) = element.read::<Failure<'_>>() {
        let again = written(&failure);
        assert_eq!(again.root().read::<Failure<'_>>().as_ref(), Ok(&failure));
    }
    if let Ok(fields) = element.read::<FieldsRef<'_>>() {
        let read = fields.readings().filter(Result::is_ok).count();
        assert!(read <= fields.count());
    }
    if let Ok(fields) = element.read::<Fields<'_>>() {
        let again = written(&fields);
        assert_eq!(again.root().read::<Fields<'_>>().as_ref(), Ok(&fields));
        let kept: usize = fields
            .nodes
            .iter()
            .flat_map(|node| &node.samples)
            .map(|sample| sample.fields.len())
            .sum();
        let walked = FieldsRef::from_xml(again.root()).map(|again| again.readings().count());
        assert_eq!(walked.ok(), Some(kept));
    }
    for child in element.children() {
        payloads(child);
    }
}

fn written(payload: &dyn ToXml) -> Element {
    match Element::build(|writer| payload.to_xml(writer)) {
        Ok(element) => element,
        Err(error) => unreachable!("what was read can be written: {error}"),
    }
}

fn stanza(element: ElementRef<'_>) {
    let mut requester = Requester::new(RequesterConfig::new());
    for peer in READERS.into_iter().chain([DEVICE]) {
        let _ = requester.request(jid(peer), ReadoutRequest::all(), Instant::ORIGIN);
    }
    requester.handle_stanza(element, Instant::ORIGIN);
    while let Some(event) = requester.poll_event() {
        if let requester::Event::Fields { part, .. } = event {
            let _ = part.readings().count();
        }
    }
    let mut device = Device::new(DeviceConfig::new());
    device.handle_stanza(element, Instant::ORIGIN);
    while let Some(event) = device.poll_event() {
        if let device::Event::Request { ticket, .. } = event {
            assert_eq!(device.accept(ticket), Ok(()));
            assert_eq!(device.done(ticket), Ok(()));
        }
    }
    sent(|writer| requester.poll_transmit(writer));
    let answers = sent(|writer| device.poll_transmit(writer)).len();
    assert!(answers <= 2, "one answer and one end");
}

const READERS: [&str; 2] = ["a@example.org/x", "b@example.org/y"];
const DEVICE: &str = "c.example.org";

fn jid(text: &str) -> Jid {
    match Jid::parse(text) {
        Ok(jid) => jid,
        Err(error) => unreachable!("{error}"),
    }
}

/// All that an engine has to send, each of it a well-formed stanza.
fn sent(mut poll: impl FnMut(&mut Writer<'_>) -> bool) -> Vec<Element> {
    let mut sent = Vec::new();
    loop {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        if !poll(&mut writer) {
            return sent;
        }
        assert_eq!(
            writer.finish(),
            Ok(()),
            "an engine writes only what can be written"
        );
        let mut scratch = Scratch::new();
        match scratch.document(&out, &Limits::default()) {
            Ok(element) => sent.push(element.to_element()),
            Err(fault) => unreachable!("{fault}: {}", String::from_utf8_lossy(&out)),
        }
    }
}

/// Two requesters and a device that are driven by the bytes.
struct World<'d> {
    data: &'d [u8],
    now: Instant,
    requesters: Vec<(Requester, Vec<ReadoutId>, BTreeMap<ReadoutId, bool>)>,
    device: Device,
    tickets: Vec<Ticket>,
    /// Stanzas under way: to whom (the device is the last), and what.
    flying: Vec<(usize, Element)>,
}

const MESSAGE_BYTES: usize = 700;

fn operations(data: &[u8]) {
    let requesters = READERS
        .iter()
        .map(|peer| {
            let config = RequesterConfig::new()
                .address(jid(peer))
                .outstanding(6)
                .fields(40)
                .bytes(20_000);
            (Requester::new(config), Vec::new(), BTreeMap::new())
        })
        .collect();
    let config = DeviceConfig::new()
        .address(jid(DEVICE))
        .nodes(Nodes::Any)
        .outstanding(8)
        .outstanding_per_reader(5)
        .running(3)
        .message_bytes(MESSAGE_BYTES)
        .pending_bytes(4_000);
    let mut world = World {
        data,
        now: Instant::ORIGIN,
        requesters,
        device: Device::new(config),
        tickets: Vec::new(),
        flying: Vec::new(),
    };
    while !world.data.is_empty() {
        world.step();
        world.settle();
    }
    world.finish();
}

impl World<'_> {
    fn byte(&mut self) -> usize {
        let Some((first, rest)) = self.data.split_first() else {
            return 0;
        };
        self.data = rest;
        usize::from(*first)
    }

    fn step(&mut self) {
        let (operation, choice) = (self.byte(), self.byte());
        let who = choice % 2;
        let now = self.now;
        match operation % 16 {
            0 | 1 => {
                let categories = if choice & 4 == 0 {
                    Categories::ALL
                } else {
                    Categories::PEAK
                };
                let mut request = ReadoutRequest::new(categories);
                if choice & 8 != 0 {
                    request = request.when(later(choice >> 4));
                }
                if let Some((requester, readouts, _)) = self.requesters.get_mut(who)
                    && let Ok(readout) = requester.request(jid(DEVICE), request, now)
                {
                    readouts.push(readout);
                }
            }
            2 => {
                if let Some((requester, readouts, _)) = self.requesters.get_mut(who)
                    && let Some(readout) = pick(readouts, choice / 2)
                {
                    requester.cancel(readout, now);
                }
            }
            3..=5 if !self.flying.is_empty() => {
                let (to, element) = self.flying.remove(choice % self.flying.len());
                self.deliver(to, &element);
            }
            // The same stanza twice, or at the wrong door, as no network would bring it.
            6 => {
                if let Some((to, element)) =
                    self.flying.get(choice % self.flying.len().max(1)).cloned()
                {
                    self.deliver(if choice & 128 == 0 { to } else { who }, &element);
                }
            }
            7 if !self.flying.is_empty() => {
                self.flying.remove(choice % self.flying.len());
            }
            8 => self.pass(Duration::from_secs(choice as u64)),
            9 => {
                if let Some(ticket) = pick(&self.tickets, choice) {
                    let _ = self.device.accept(ticket);
                }
            }
            10 => {
                if let Some(ticket) = pick(&self.tickets, choice) {
                    let error = StanzaError::new(StanzaCondition::Forbidden);
                    let _ = self.device.reject(ticket, error);
                }
            }
            11 | 12 => {
                let (count, text) = (self.byte() % 20, self.byte());
                if let Some(ticket) = pick(&self.tickets, choice) {
                    let text: String = ["a", "&", "\u{1}", "ä", "'"]
                        .iter()
                        .cycle()
                        .skip(text)
                        .take(text % 64)
                        .copied()
                        .collect();
                    let fields = (0..count).map(|_| {
                        Field::string("x", text.clone()).categories(Categories::MOMENTARY)
                    });
                    let _ =
                        self.device
                            .add_fields(ticket, &NodeReference::new("n"), later(0), fields);
                }
            }
            13 => {
                if let Some(ticket) = pick(&self.tickets, choice) {
                    let failure = NodeFailure::new(NodeReference::new("n"), None, "<broken>");
                    let _ = self.device.fail_node(ticket, failure);
                }
            }
            14 => {
                if let Some(ticket) = pick(&self.tickets, choice) {
                    let _ = self.device.done(ticket);
                }
            }
            _ => {
                let requester = self
                    .requesters
                    .get_mut(who)
                    .map(|(requester, _, _)| requester);
                match (choice / 2 % 5, requester, READERS.get(who)) {
                    (0, Some(requester), _) => requester.handle_disconnected(),
                    (1, Some(requester), _) => requester.handle_unavailable(&jid(DEVICE)),
                    (2, _, Some(reader)) => self.device.handle_unavailable(&jid(reader)),
                    (3, _, _) => self.device.handle_disconnected(),
                    _ => self.device.set_clock(later(0), now),
                }
            }
        }
    }

    fn deliver(&mut self, to: usize, element: &Element) {
        match self.requesters.get_mut(to) {
            Some((requester, _, _)) => requester.handle_stanza(element.root(), self.now),
            None => self.device.handle_stanza(element.root(), self.now),
        };
    }

    fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        for (requester, _, _) in &mut self.requesters {
            requester.handle_timeout(self.now);
            assert!(
                requester
                    .poll_timeout()
                    .is_none_or(|timeout| timeout > self.now)
            );
        }
        self.device.handle_timeout(self.now);
        assert!(
            self.device
                .poll_timeout()
                .is_none_or(|timeout| timeout > self.now)
        );
    }

    /// Drains both sides, and holds what comes against the promises.
    fn settle(&mut self) {
        for (requester, _, ended) in &mut self.requesters {
            while let Some(event) = requester.poll_event() {
                let (readout, is_end) = match &event {
                    requester::Event::Accepted { readout, .. }
                    | requester::Event::Started { readout }
                    | requester::Event::Fields { readout, .. }
                    | requester::Event::Failures { readout, .. } => (*readout, false),
                    requester::Event::Ended { readout, .. } => (*readout, true),
                    event => unreachable!("{event:?}"),
                };
                assert!(
                    !ended.contains_key(&readout),
                    "the end comes once, and last"
                );
                if is_end {
                    ended.insert(readout, true);
                    assert!(requester.state(readout).is_none());
                }
            }
            assert!(requester.outstanding() <= 6);
            let stanzas = sent(|writer| requester.poll_transmit(writer));
            self.flying
                .extend(stanzas.into_iter().map(|stanza| (2, stanza)));
        }
        while let Some(event) = self.device.poll_event() {
            match event {
                device::Event::Request { ticket, .. } => self.tickets.push(ticket),
                device::Event::Readout { ticket, .. } => assert!(self.tickets.contains(&ticket)),
                device::Event::Cancelled { ticket, .. } => {
                    self.tickets.retain(|other| *other != ticket)
                }
                event => unreachable!("{event:?}"),
            }
        }
        assert!(self.device.outstanding() <= 8 && self.device.running() <= 3);
        for stanza in sent(|writer| self.device.poll_transmit(writer)) {
            let is_message = stanza.root().name() == "message";
            assert!(
                !is_message || stanza.root().bytes().len() <= MESSAGE_BYTES,
                "{stanza}"
            );
            let to = stanza.root().attribute("to");
            let to = READERS.iter().position(|peer| to.as_deref() == Some(*peer));
            self.flying.extend(to.map(|to| (to, stanza)));
        }
        self.flying.truncate(64);
    }

    /// In the end, whatever has happened, time alone ends everything, each readout once.
    fn finish(&mut self) {
        for _ in 0..12 {
            self.pass(Duration::from_secs(200_000));
            self.settle();
        }
        for (requester, readouts, ended) in &self.requesters {
            assert_eq!(requester.outstanding(), 0);
            assert_eq!(requester.poll_timeout(), None);
            assert!(readouts.iter().all(|readout| ended.contains_key(readout)));
        }
        assert_eq!(self.device.outstanding(), 0);
        assert_eq!(self.device.running(), 0);
        assert_eq!(self.device.poll_timeout(), None);
    }
}

fn pick<T: Copy>(from: &[T], choice: usize) -> Option<T> {
    from.get(choice % from.len().max(1)).copied()
}

fn later(minutes: usize) -> DateTime {
    match DateTime::from_unix(1_700_000_000 + minutes as i64 * 60, 0) {
        Ok(time) => time,
        Err(error) => unreachable!("{error}"),
    }
}
