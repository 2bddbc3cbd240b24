//! What the tests share: engines on both ends of a network in memory, with virtual time.

use std::collections::BTreeMap;
use std::time::Duration;

use xmpp_core::jid::Jid;
use xmpp_core::time::Instant;
use xmpp_iot_sensordata::device::{self, Device, DeviceConfig, Ticket};
use xmpp_iot_sensordata::model::{Categories, Field, NodeReference, Quality, ReadoutRequest};
use xmpp_iot_sensordata::requester::{self, Requester, RequesterConfig};
use xmpp_xml::value::DateTime;
use xmpp_xml::{Element, Writer};

pub const READER: &str = "reader@example.org/desk";
pub const DEVICE: &str = "meter@example.org/roof";

pub fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

pub fn at(seconds: u64) -> Instant {
    Instant::from_origin(Duration::from_secs(seconds))
}

pub fn time(text: &str) -> DateTime {
    text.parse().unwrap()
}

pub fn noon() -> DateTime {
    time("2026-01-31T12:00:00Z")
}

pub fn node(id: &str) -> NodeReference<'static> {
    NodeReference::new(id.to_owned())
}

pub fn temperature(text: &str) -> Field<'static> {
    Field::numeric("Temperature", text.parse().unwrap(), "°C")
        .categories(Categories::MOMENTARY)
        .quality(Quality::AUTOMATIC_READOUT)
}

/// An element in the namespace of clients.
pub fn stanza(xml: &str) -> Element {
    let (name, rest) = xml.split_at(xml.find([' ', '>', '/']).unwrap());
    Element::parse(&format!("{name} xmlns='jabber:client'{rest}")).unwrap()
}

pub fn requester() -> Requester {
    Requester::new(RequesterConfig::new().address(jid(READER)))
}

pub fn device() -> Device {
    Device::new(DeviceConfig::new().address(jid(DEVICE)))
}

/// What an engine does, whichever side it is on.
pub trait Engine {
    fn transmit(&mut self, writer: &mut Writer<'_>) -> bool;

    /// All that the engine has to send.
    fn drain(&mut self) -> Vec<Element> {
        let mut sent = Vec::new();
        loop {
            let mut out = Vec::new();
            let mut writer = Writer::new(&mut out);
            if !self.transmit(&mut writer) {
                return sent;
            }
            writer.finish().unwrap();
            sent.push(Element::parse(std::str::from_utf8(&out).unwrap()).unwrap());
        }
    }

    /// The one thing that the engine has to send.
    fn sent(&mut self) -> Element {
        let mut sent = self.drain();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent.remove(0)
    }
}

impl Engine for Requester {
    fn transmit(&mut self, writer: &mut Writer<'_>) -> bool {
        self.poll_transmit(writer)
    }
}

impl Engine for Device {
    fn transmit(&mut self, writer: &mut Writer<'_>) -> bool {
        self.poll_transmit(writer)
    }
}

/// The events that wait.
pub fn events(requester: &mut Requester) -> Vec<requester::Event> {
    std::iter::from_fn(|| requester.poll_event()).collect()
}

pub fn device_events(device: &mut Device) -> Vec<device::Event> {
    std::iter::from_fn(|| device.poll_event()).collect()
}

/// The outcome that the only event tells, which is the end of a readout.
pub fn ended(requester: &mut Requester) -> requester::Outcome {
    let mut events = events(requester);
    assert_eq!(events.len(), 1, "{events:?}");
    match events.remove(0) {
        requester::Event::Ended { outcome, .. } => outcome,
        event => panic!("{event:?}"),
    }
}

/// The child of a stanza that is ours, or its error.
pub fn payload(stanza: &Element) -> String {
    stanza
        .root()
        .children()
        .next()
        .map(|child| child.to_string())
        .unwrap_or_default()
}

/// The condition of a stanza error, with its type.
pub fn refusal(stanza: &Element) -> (String, String) {
    assert_eq!(
        stanza.root().attribute("type").as_deref(),
        Some("error"),
        "{stanza}"
    );
    let error = xmpp_core::error::StanzaError::of(stanza.root());
    (
        error.kind.as_str().to_owned(),
        error.condition.as_str().to_owned(),
    )
}

/// The tickets that the device asks about, which it thereby has told.
pub fn asked(device: &mut Device) -> Vec<Ticket> {
    device_events(device)
        .into_iter()
        .map(|event| match event {
            device::Event::Request { ticket, .. } => ticket,
            event => panic!("{event:?}"),
        })
        .collect()
}

/// A ticket whose readout has begun.
pub fn begun(device: &mut Device, ticket: Ticket) {
    device.accept(ticket).unwrap();
    let events = device_events(device);
    assert!(
        matches!(&events[..], [device::Event::Readout { ticket: begun, .. }] if *begun == ticket),
        "{events:?}"
    );
}

/// A request from the reader as it arrives at the device.
pub fn request(seqnr: i32, attributes: &str, children: &str) -> Element {
    request_from(READER, seqnr, attributes, children)
}

pub fn request_from(from: &str, seqnr: i32, attributes: &str, children: &str) -> Element {
    stanza(&format!(
        "<iq type='get' id='r{seqnr}' from='{from}' to='{DEVICE}'>\
         <req xmlns='urn:xmpp:iot:sensordata' seqnr='{seqnr}' {attributes}>{children}</req></iq>"
    ))
}

/// A message from the device with this content of our namespace.
pub fn message(content: &str) -> Element {
    message_from(DEVICE, content)
}

pub fn message_from(from: &str, content: &str) -> Element {
    let content = ours(content);
    stanza(&format!(
        "<message from='{from}' to='{READER}'>{content}</message>"
    ))
}

/// The element, in our namespace.
pub fn ours(xml: &str) -> String {
    let (name, rest) = xml.split_at(xml.find([' ', '>', '/']).unwrap());
    format!("{name} xmlns='urn:xmpp:iot:sensordata'{rest}")
}

/// `fields` with one number per value, all momentary.
pub fn fields(seqnr: i32, done: bool, values: &[&str]) -> String {
    let fields: String = values
        .iter()
        .map(|value| {
            format!("<numeric name='Temperature' momentary='true' value='{value}' unit='°C'/>")
        })
        .collect();
    let done = if done { "done='true'" } else { "" };
    format!(
        "<fields seqnr='{seqnr}' {done}><node nodeId='1'>\
         <timestamp value='2026-01-31T12:00:00Z'>{fields}</timestamp></node></fields>"
    )
}

/// The values in the parts among the events, as text.
pub fn values(events: &[requester::Event]) -> Vec<String> {
    let mut values = Vec::new();
    for event in events {
        if let requester::Event::Fields { part, .. } = event {
            values.extend(
                part.readings()
                    .map(|reading| reading.unwrap().field.value.to_string()),
            );
        }
    }
    values
}

/// What a device's application does with an event.
pub type Application = Box<dyn FnMut(&mut Device, device::Event)>;

/// Accepts everything and answers with one temperature.
pub fn simple_application() -> Application {
    Box::new(|device, event| match event {
        device::Event::Request { ticket, .. } => device.accept(ticket).unwrap(),
        device::Event::Readout { ticket, .. } => {
            device
                .add_fields(ticket, &node("1"), noon(), [temperature("21.50")])
                .unwrap();
            device.done(ticket).unwrap();
        }
        _ => {}
    })
}

pub enum Host {
    Requester(Requester, Vec<requester::Event>),
    Device(Device, Application),
}

/// Hosts, and the stanzas on their way between them.
pub struct Network {
    pub now: Instant,
    pub hosts: BTreeMap<Jid, Host>,
    flying: BTreeMap<(Instant, u64), (Jid, Element)>,
    count: u64,
    /// How long the given stanza, counted from 1, is under way; `None` when it is lost.
    pub weather: Box<dyn FnMut(u64) -> Option<Duration>>,
}

impl Network {
    pub fn new() -> Self {
        Self {
            now: Instant::ORIGIN,
            hosts: BTreeMap::new(),
            flying: BTreeMap::new(),
            count: 0,
            weather: Box::new(|_| Some(Duration::from_millis(5))),
        }
    }

    pub fn add_requester(&mut self, address: &str, config: RequesterConfig) {
        let requester = Requester::new(config.address(jid(address)));
        self.hosts
            .insert(jid(address), Host::Requester(requester, Vec::new()));
    }

    pub fn add_device(&mut self, address: &str, config: DeviceConfig, application: Application) {
        let device = Device::new(config.address(jid(address)));
        self.hosts
            .insert(jid(address), Host::Device(device, application));
    }

    pub fn requester(&mut self, address: &str) -> &mut Requester {
        match self.hosts.get_mut(&jid(address)) {
            Some(Host::Requester(requester, _)) => requester,
            _ => panic!("no requester {address}"),
        }
    }

    pub fn device(&mut self, address: &str) -> &mut Device {
        match self.hosts.get_mut(&jid(address)) {
            Some(Host::Device(device, _)) => device,
            _ => panic!("no device {address}"),
        }
    }

    pub fn request(
        &mut self,
        from: &str,
        to: &str,
        request: ReadoutRequest,
    ) -> requester::ReadoutId {
        let now = self.now;
        self.requester(from).request(jid(to), request, now).unwrap()
    }

    /// The events of a requester so far.
    pub fn events(&mut self, address: &str) -> Vec<requester::Event> {
        match self.hosts.get_mut(&jid(address)) {
            Some(Host::Requester(_, events)) => std::mem::take(events),
            _ => panic!("no requester {address}"),
        }
    }

    /// Lets everything happen until nothing more can.
    pub fn run(&mut self) {
        self.run_until(Instant::from_origin(Duration::MAX));
    }

    pub fn run_until(&mut self, end: Instant) {
        loop {
            self.settle();
            let timer = |host: &Host| match host {
                Host::Requester(requester, _) => requester.poll_timeout(),
                Host::Device(device, _) => device.poll_timeout(),
            };
            let arrival = self.flying.keys().next().map(|(at, _)| *at);
            let next = self.hosts.values().filter_map(timer).chain(arrival).min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.now = if end.since_origin() == Duration::MAX {
                    self.now
                } else {
                    end
                };
                return;
            };
            self.now = self.now.max(next);
            while let Some(entry) = self.flying.first_entry()
                && entry.key().0 <= self.now
            {
                let (to, stanza) = entry.remove();
                self.arrive(&to, &stanza);
            }
            for host in self.hosts.values_mut() {
                match host {
                    Host::Requester(requester, _) => requester.handle_timeout(self.now),
                    Host::Device(device, _) => device.handle_timeout(self.now),
                }
            }
        }
    }

    fn arrive(&mut self, to: &Jid, stanza: &Element) {
        match self.hosts.get_mut(to) {
            Some(Host::Requester(requester, _)) => {
                requester.handle_stanza(stanza.root(), self.now);
            }
            Some(Host::Device(device, _)) => {
                device.handle_stanza(stanza.root(), self.now);
            }
            // A server would answer; here the stanza is lost.
            None => {}
        }
    }

    fn settle(&mut self) {
        let mut sent = Vec::new();
        for host in self.hosts.values_mut() {
            match host {
                Host::Requester(requester, events) => {
                    events.extend(std::iter::from_fn(|| requester.poll_event()));
                    sent.extend(requester.drain());
                }
                Host::Device(device, application) => loop {
                    while let Some(event) = device.poll_event() {
                        application(device, event);
                    }
                    let stanzas = device.drain();
                    if stanzas.is_empty() {
                        break;
                    }
                    sent.extend(stanzas);
                },
            }
        }
        for stanza in sent {
            let to = jid(&stanza.root().attribute("to").unwrap());
            self.count += 1;
            if let Some(delay) = (self.weather)(self.count) {
                self.flying
                    .insert((self.now + delay, self.count), (to, stanza));
            }
        }
    }
}
