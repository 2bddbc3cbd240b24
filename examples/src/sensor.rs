//! A device that measures the machine it runs on and lets its contacts read it (XEP-0323).
//!
//! Who may read is whom the device let see its presence: it accepts the subscription requests of the contacts that it
//! was started with, and no others.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::time::MissedTickBehavior;
use xmpp_client::{Client, Config, Incoming};
use xmpp_core::disco::Disco;
use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::jid::{Jid, JidRef};
use xmpp_core::mux::Selector;
use xmpp_core::stanza::{PresenceType, Stanza};
use xmpp_iot_sensordata::device::{AnswerError, Device, DeviceConfig, Event, Nodes, Ticket};
use xmpp_iot_sensordata::model::{
    Categories, Decimal, Field, NodeReference, Quality, ReadoutRequest,
};
use xmpp_iot_sensordata::payload;
use xmpp_xml::Element;
use xmpp_xml::value::DateTime;

use crate::contacts::Contacts;
use crate::failure::Failure;
use crate::history::History;
use crate::machine::{Category, Machine, Reading, Value};
use crate::session::{
    Clock, answer, date_time, describe, flush, handle_basics, send_presence, system_time,
    wall_clock,
};

/// The one node of the device.
pub const NODE: &str = "machine";

/// A sensor that is logged in.
#[derive(Debug)]
pub struct Sensor {
    client: Client,
    incoming: Incoming,
    device: Device,
    disco: Disco,
    clock: Clock,
    contacts: Contacts,
    allowed: BTreeSet<Jid>,
    machine: Machine,
    history: History,
}

impl Sensor {
    /// Logs in and becomes available. Nothing is answered before [`Sensor::run`].
    ///
    /// # Errors
    /// When there is no connection, no login, or nothing to measure.
    pub async fn log_in(
        config: Config,
        allowed: impl IntoIterator<Item = Jid>,
    ) -> Result<Self, Failure> {
        let machine = Machine::new().map_err(Failure::local)?;
        let config = handle_basics(config)
            .handle(Selector::iq_get("req", payload::NAMESPACE))
            .handle(Selector::iq_set("req", payload::NAMESPACE))
            .handle(Selector::iq_get("cancel", payload::NAMESPACE))
            .handle(Selector::iq_set("cancel", payload::NAMESPACE));
        let (client, incoming) = Client::connect(config).await?;
        let contacts = Contacts::load(&client).await?;
        send_presence(&client, PresenceType::Available, None)
            .await?
            .sent()
            .await?;
        let node = NodeReference::new(NODE);
        Ok(Self {
            client,
            incoming,
            device: Device::new(DeviceConfig::new().nodes(Nodes::Single(node))),
            disco: describe("device", "sensor", "Machine sensor", &[payload::NAMESPACE]),
            clock: Clock::start(),
            contacts,
            allowed: allowed.into_iter().map(|contact| contact.bare()).collect(),
            machine,
            history: History::default(),
        })
    }

    /// The full address of the device.
    pub fn jid(&self) -> Jid {
        self.client.jid()
    }

    /// Measures every second and answers until `stop` is over; then logs out.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), Failure> {
        tokio::pin!(stop);
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                () = &mut stop => break,
                stanza = self.incoming.next() => self.handle_stanza(stanza?).await?,
                _ = seconds.tick() => self.measure(),
                () = self.clock.sleep_until(self.device.poll_timeout()) => self.device.handle_timeout(self.clock.now()),
            }
            self.drain().await?;
        }
        let _ = send_presence(&self.client, PresenceType::Unavailable, None).await?;
        self.client.close().await;
        Ok(())
    }

    fn measure(&mut self) {
        // The clock of the system may have been set since the last time.
        self.device.set_clock(wall_clock(), self.clock.now());
        let readings = self.machine.read_momentary();
        self.history.record(SystemTime::now(), readings);
    }

    async fn handle_stanza(&mut self, element: Element) -> Result<(), Failure> {
        if self.device.handle_stanza(element.root(), self.clock.now()) {
            return Ok(());
        }
        match Stanza::parse(element.root()) {
            Ok(Stanza::Presence(presence)) => match (presence.kind(), presence.from()) {
                (PresenceType::Subscribe, Some(from)) => self.handle_subscribe(from).await,
                _ => Ok(()),
            },
            Ok(Stanza::Iq(iq)) => {
                let own = self.client.jid();
                answer(
                    &self.client,
                    &own,
                    &self.disco,
                    &mut self.contacts,
                    &element,
                    &iq,
                )
                .await
            }
            _ => Ok(()),
        }
    }

    /// Somebody wants to become a contact.
    async fn handle_subscribe(&mut self, from: JidRef<'_>) -> Result<(), Failure> {
        let contact = from.to_bare();
        let answer = if self.allowed.contains(contact.as_str()) {
            tracing::info!(contact = contact.as_str(), "a contact was accepted");
            self.contacts.allow(contact);
            PresenceType::Subscribed
        } else {
            tracing::info!(contact = contact.as_str(), "a stranger was refused");
            PresenceType::Unsubscribed
        };
        let _ = send_presence(&self.client, answer, Some(contact)).await?;
        Ok(())
    }

    /// Does what the engine asks for, until it asks for nothing.
    async fn drain(&mut self) -> Result<(), Failure> {
        loop {
            self.transmit().await?;
            let Some(event) = self.device.poll_event() else {
                return Ok(());
            };
            match event {
                Event::Request { ticket, peer, .. } => self.decide(ticket, &peer),
                Event::Readout {
                    ticket, request, ..
                } => self.read(ticket, &request).await?,
                Event::Cancelled { ticket, reason } => {
                    tracing::debug!(?ticket, ?reason, "a readout was cancelled")
                }
                _ => {}
            }
        }
    }

    async fn transmit(&mut self) -> Result<(), Failure> {
        flush(&self.client, &mut |writer| {
            self.device.poll_transmit(writer)
        })
        .await
    }

    fn decide(&mut self, ticket: Ticket, peer: &Jid) {
        let decision = if self.contacts.sees_us(peer.as_ref()) {
            self.device.accept(ticket)
        } else {
            let error = StanzaError::new(StanzaCondition::Forbidden);
            self.device.reject(
                ticket,
                error.with_text("only contacts of this device may read it"),
            )
        };
        if let Err(reason) = decision {
            tracing::debug!(?ticket, %reason, "a decision came too late");
        }
    }

    /// Reads the machine and its history, as far as that is asked for. The history goes first, the latest values last.
    async fn read(&mut self, ticket: Ticket, request: &Arc<ReadoutRequest>) -> Result<(), Failure> {
        if request.categories.intersects(Categories::HISTORICAL_SECOND) {
            let from = request.from.as_ref().and_then(system_time);
            let to = request.to.as_ref().and_then(system_time);
            let samples: Vec<_> = self.history.between(from, to).cloned().collect();
            for sample in samples {
                let fields = sample
                    .readings
                    .iter()
                    .map(|reading| field(reading, Categories::HISTORICAL_SECOND));
                self.add(ticket, date_time(sample.at), fields.collect())
                    .await?;
            }
        }
        if request
            .categories
            .iter()
            .any(|category| !category.is_historical())
        {
            let time = wall_clock();
            let readings = self.machine.read();
            let fields = readings
                .iter()
                .map(|reading| field(reading, categories(reading.category)));
            self.add(ticket, time, fields.collect()).await?;
        }
        // A reader that is gone, or has cancelled, needs no end.
        let _ = self.device.done(ticket);
        Ok(())
    }

    /// Adds fields to a readout, at the pace at which the stream takes them.
    async fn add(
        &mut self,
        ticket: Ticket,
        time: DateTime,
        fields: Vec<Field<'static>>,
    ) -> Result<(), Failure> {
        let node = NodeReference::new(NODE);
        if let Err(AnswerError::Full) =
            self.device
                .add_fields(ticket, &node, time, fields.iter().cloned())
        {
            self.transmit().await?;
            let added = self.device.add_fields(ticket, &node, time, fields);
            if let Err(reason) = added {
                tracing::warn!(?ticket, %reason, "fields were left out");
            }
        }
        Ok(())
    }
}

/// A reading of the machine as a field of sensor data.
fn field(reading: &Reading, categories: Categories) -> Field<'static> {
    let name = reading.name.clone();
    let field = match &reading.value {
        Value::Count(count) => Field::numeric(name, whole(*count), reading.unit),
        Value::Decimal { value, decimals } => {
            Field::numeric(name, Decimal::from_f64(*value, *decimals), reading.unit)
        }
        // As a number, which readers that know no durations (slixmpp's) understand, too.
        Value::Span(span) => Field::numeric(name, whole(span.as_secs()), reading.unit),
        Value::Text(text) => Field::string(name, text.clone()),
    };
    field
        .categories(categories)
        .quality(Quality::AUTOMATIC_READOUT)
}

fn whole(number: u64) -> Decimal<'static> {
    Decimal::parse(number.to_string()).unwrap_or_else(|_| Decimal::from_f64(number as f64, 0))
}

fn categories(category: Category) -> Categories {
    match category {
        Category::Momentary => Categories::MOMENTARY,
        Category::Peak => Categories::PEAK,
        Category::Status => Categories::STATUS,
        Category::Computed => Categories::COMPUTED,
        Category::Identity => Categories::IDENTITY,
    }
}
