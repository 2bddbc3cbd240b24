//! Reading sensors over XMPP: the sensor data extension of the Internet of Things (XEP-0323).
//!
//! A reader asks a device for its fields: momentary values, history, status, identity. The device
//! accepts, refuses or queues that, and sends the data in as many messages as it takes. Here are
//! both sides, as engines without I/O, and what they speak of:
//!
//! - [`requester`]: asks many devices at once and gathers what arrives in parts.
//! - [`device`]: takes requests, asks the application, and sends what it answers.
//! - [`model`]: requests, fields, values with exact decimals, categories, quality.
//! - [`payload`]: the elements on the wire, to be read and written without an engine.
//!
//! An engine has no socket, thread or clock. Its methods come in four kinds: getters; `handle_*`
//! (something arrived: a stanza, a timeout); mutators (the application wants something); `poll_*`
//! (what to do now). **After any `handle_*` or mutator, drain `poll_transmit`, `poll_event` and
//! `poll_timeout` until they are empty.**
//!
//! # A first program
//!
//! A device and a reader in one memory, and one momentary readout:
//!
//! ```
//! use xmpp_core::{jid::Jid, time::Instant};
//! use xmpp_iot_sensordata::device::{self, Device, DeviceConfig};
//! use xmpp_iot_sensordata::model::{Categories, Field, NodeReference, ReadoutRequest};
//! use xmpp_iot_sensordata::requester::{self, Requester, RequesterConfig};
//! use xmpp_xml::{Element, WriteError, Writer};
//!
//! // What one side has to send, as the other side receives it.
//! fn drain(mut poll: impl FnMut(&mut Writer<'_>) -> bool) -> Result<Vec<Element>, WriteError> {
//!     let mut stanzas = Vec::new();
//!     loop {
//!         let mut sent = true;
//!         let element = Element::build(|writer| {
//!             sent = poll(writer);
//!             if !sent {
//!                 writer.empty("nothing", "");
//!             }
//!         })?;
//!         if !sent {
//!             return Ok(stanzas);
//!         }
//!         stanzas.push(element);
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = Instant::ORIGIN;
//! let reader = Jid::parse("reader@example.org/desk")?;
//! let meter = Jid::parse("meter@example.org/roof")?;
//! // A server stamps the sender on what its clients send. Here there is none.
//! let mut requester = Requester::new(RequesterConfig::new().address(reader.clone()));
//! let mut device = Device::new(DeviceConfig::new().address(meter.clone()));
//!
//! requester.request(meter, ReadoutRequest::momentary(), now)?;
//! let mut lines = Vec::new();
//! loop {
//!     for stanza in drain(|writer| requester.poll_transmit(writer))? {
//!         device.handle_stanza(stanza.root(), now);
//!     }
//!     while let Some(event) = device.poll_event() {
//!         match event {
//!             // Who may read is for the application to say.
//!             device::Event::Request { ticket, peer, .. } if peer == reader => {
//!                 device.accept(ticket)?;
//!             }
//!             device::Event::Readout { ticket, .. } => {
//!                 let field = Field::numeric("Temperature", "23.40".parse()?, "°C")
//!                     .categories(Categories::MOMENTARY);
//!                 let time = "2026-01-31T12:00:00Z".parse()?;
//!                 device.add_fields(ticket, &NodeReference::new("roof"), time, [field])?;
//!                 device.done(ticket)?;
//!             }
//!             _ => {}
//!         }
//!     }
//!     for stanza in drain(|writer| device.poll_transmit(writer))? {
//!         requester.handle_stanza(stanza.root(), now);
//!     }
//!     while let Some(event) = requester.poll_event() {
//!         match event {
//!             requester::Event::Fields { part, .. } => {
//!                 lines.extend(part.readings().flatten().map(|reading| reading.to_string()));
//!             }
//!             requester::Event::Ended { outcome, .. } => lines.push(outcome.to_string()),
//!             _ => {}
//!         }
//!     }
//!     if requester.outstanding() == 0 {
//!         break;
//!     }
//! }
//! assert_eq!(lines, ["2026-01-31T12:00:00Z roof Temperature: 23.40 °C [momentary]", "done"]);
//! # Ok(())
//! # }
//! ```
//!
//! # Discovery
//! An entity that serves readouts lists [`FEATURES`] in its answer to disco#info (XEP-0323 §4). Who
//! only reads does not. Addresses of devices are full ones; a bare one is answered by the server.
//!
//! # Features
//! - `std` (default): for the crates below. Without it this crate needs only `alloc`.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod device;
pub mod model;
pub mod payload;
pub mod requester;
mod stanza;

/// The disco features of an entity that serves readouts (XEP-0323 §4).
pub const FEATURES: [&str; 1] = [payload::NAMESPACE];

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
