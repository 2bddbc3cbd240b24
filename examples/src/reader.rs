//! Reads a sensor: becomes its contact, finds it, asks it (XEP-0323).

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use xmpp_client::{Client, Config, Incoming, RequestError};
use xmpp_core::disco::{Disco, info};
use xmpp_core::error::ErrorType;
use xmpp_core::jid::Jid;
use xmpp_core::stanza::{PresenceType, Stanza};
use xmpp_iot_sensordata::model::{NodeFailure, Reading, ReadoutRequest};
use xmpp_iot_sensordata::payload;
use xmpp_iot_sensordata::requester::{Event, Outcome, Requester, RequesterConfig};
use xmpp_xml::Element;

use crate::contacts::Contacts;
use crate::failure::{Failure, FailureKind};
use crate::session::{Clock, answer, describe, flush, handle_basics, send_presence};

/// How many devices are remembered as being there: enough for any roster, and no room for a flood.
const MOST_PRESENT: usize = 10_000;

/// A reader that is logged in.
#[derive(Debug)]
pub struct Reader {
    client: Client,
    incoming: Incoming,
    requester: Requester,
    disco: Disco,
    clock: Clock,
    contacts: Contacts,
    present: BTreeSet<Jid>,
    patience: Duration,
    /// What became of the subscription that was asked for.
    answered: Option<PresenceType>,
}

/// What arrives in the course of a readout.
#[derive(Debug)]
pub enum Arrival<'a> {
    /// A field with its node and its time.
    Reading(&'a Reading<'a>),
    /// A node that the device could not read.
    Failure(&'a NodeFailure<'a>),
}

/// What a readout has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readout {
    /// How many fields arrived.
    pub fields: usize,
    /// How long it took from the request to the end.
    pub took: Duration,
}

impl Reader {
    /// Logs in and becomes available. The reader waits `patience` for anything that a device or the server has to answer.
    ///
    /// # Errors
    /// When there is no connection or no login.
    pub async fn log_in(config: Config, patience: Duration) -> Result<Self, Failure> {
        let (client, incoming) =
            Client::connect(handle_basics(config).request_timeout(patience)).await?;
        let contacts = Contacts::load(&client).await?;
        let _ = send_presence(&client, PresenceType::Available, None).await?;
        let requester = RequesterConfig::new()
            .answer_timeout(patience)
            .silence_timeout(patience);
        Ok(Self {
            client,
            incoming,
            requester: Requester::new(requester),
            disco: describe("client", "console", "Sensor reader", &[]),
            clock: Clock::start(),
            contacts,
            present: BTreeSet::new(),
            patience,
            answered: None,
        })
    }

    /// The full address of the reader.
    pub fn jid(&self) -> Jid {
        self.client.jid()
    }

    /// Becomes a contact of the device, unless the reader is one already.
    ///
    /// # Errors
    /// When the device refuses or does not answer in time.
    pub async fn become_contact(&mut self, device: &Jid) -> Result<(), Failure> {
        let device = device.bare();
        if self.contacts.seen_by_us(device.as_ref()) {
            return Ok(());
        }
        self.answered = None;
        let _ = send_presence(&self.client, PresenceType::Subscribe, Some(device.as_ref())).await?;
        let deadline = tokio::time::Instant::now() + self.patience;
        loop {
            match self.answered {
                Some(PresenceType::Subscribed) => return Ok(()),
                Some(_) => {
                    let message = format!(
                        "{device} does not accept {} as a contact",
                        self.jid().bare()
                    );
                    return Err(Failure::new(FailureKind::Readout, message));
                }
                None => {}
            }
            if !self.step(deadline, Some(&device)).await? {
                let message =
                    format!("{device} has not answered the request to become its contact");
                return Err(Failure::new(FailureKind::Unavailable, message));
            }
        }
    }

    /// Finds the resource of the device that is a sensor: by its presence, then by what it says that it can do. An address
    /// that has a resource is only asked what it can do.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn find(&mut self, device: &Jid) -> Result<Jid, Failure> {
        let deadline = tokio::time::Instant::now() + self.patience;
        let mut asked = BTreeSet::new();
        loop {
            let wanted =
                |jid: &&Jid| jid.bare() == device.bare() && (device.is_bare() || **jid == *device);
            let candidates: Vec<Jid> = self.present.iter().filter(wanted).cloned().collect();
            for candidate in candidates {
                if asked.insert(candidate.clone()) && self.is_sensor(&candidate).await? {
                    return Ok(candidate);
                }
            }
            if !self.step(deadline, None).await? {
                let message = if asked.is_empty() {
                    format!("{device} is not there")
                } else {
                    format!("{device} is there, but is no sensor")
                };
                return Err(Failure::new(FailureKind::Unavailable, message));
            }
        }
    }

    async fn is_sensor(&mut self, candidate: &Jid) -> Result<bool, Failure> {
        match self.client.get(Some(candidate), &info::Query::new()).await {
            Ok(reply) => Ok(reply
                .read::<info::Query<'_>>()
                .is_ok_and(|query| query.has_feature(payload::NAMESPACE))),
            Err(RequestError::Ended(end)) => Err(end.into()),
            Err(reason) => {
                tracing::info!(%candidate, %reason, "a resource does not say what it is");
                Ok(false)
            }
        }
    }

    /// Reads the device. `arrived` is given everything in the order in which it arrives.
    ///
    /// # Errors
    /// When the device refuses, fails or falls silent, or the connection is lost. What arrived before stays valid.
    pub async fn read(
        &mut self,
        device: &Jid,
        request: ReadoutRequest,
        arrived: &mut dyn FnMut(Arrival<'_>),
    ) -> Result<Readout, Failure> {
        let begin = Instant::now();
        let asked = self
            .requester
            .request(device.clone(), request, self.clock.now());
        let id = asked.map_err(|reason| Failure::new(FailureKind::Usage, reason))?;
        let mut fields = 0;
        loop {
            flush(&self.client, &mut |writer| {
                self.requester.poll_transmit(writer)
            })
            .await?;
            while let Some(event) = self.requester.poll_event() {
                match event {
                    Event::Fields { readout, part } if readout == id => {
                        for reading in part.readings() {
                            match reading {
                                Ok(reading) => {
                                    fields += 1;
                                    arrived(Arrival::Reading(&reading));
                                }
                                Err(fault) => tracing::warn!(%fault, "a field cannot be read"),
                            }
                        }
                    }
                    Event::Failures { readout, failures } if readout == id => {
                        failures
                            .iter()
                            .for_each(|failure| arrived(Arrival::Failure(failure)));
                    }
                    Event::Ended {
                        readout, outcome, ..
                    } if readout == id => {
                        return match outcome {
                            Outcome::Done => Ok(Readout {
                                fields,
                                took: begin.elapsed(),
                            }),
                            outcome => Err(ended(device, &outcome)),
                        };
                    }
                    _ => {}
                }
            }
            let timeout = self.requester.poll_timeout();
            tokio::select! {
                stanza = self.incoming.next() => self.handle_stanza(stanza?, None).await?,
                () = self.clock.sleep_until(timeout) => self.requester.handle_timeout(self.clock.now()),
            }
        }
    }

    /// Logs out.
    pub async fn close(self) {
        self.client.close().await;
    }

    /// Takes one stanza. Says whether there was one before `deadline`.
    async fn step(
        &mut self,
        deadline: tokio::time::Instant,
        asked: Option<&Jid>,
    ) -> Result<bool, Failure> {
        match tokio::time::timeout_at(deadline, self.incoming.next()).await {
            Ok(stanza) => {
                self.handle_stanza(stanza?, asked).await?;
                Ok(true)
            }
            Err(_) => Ok(false),
        }
    }

    async fn handle_stanza(
        &mut self,
        element: Element,
        asked: Option<&Jid>,
    ) -> Result<(), Failure> {
        if self
            .requester
            .handle_stanza(element.root(), self.clock.now())
        {
            return Ok(());
        }
        match Stanza::parse(element.root()) {
            Ok(Stanza::Presence(presence)) => {
                let (kind, Some(from)) = (presence.kind(), presence.from()) else {
                    return Ok(());
                };
                match kind {
                    PresenceType::Available if self.present.len() < MOST_PRESENT => {
                        self.present.insert(from.to_jid());
                    }
                    PresenceType::Unavailable => {
                        self.present.remove(from.as_str());
                    }
                    PresenceType::Subscribed | PresenceType::Unsubscribed | PresenceType::Error
                        if asked.is_some_and(|asked| from.to_bare() == *asked) =>
                    {
                        self.answered = Some(kind);
                    }
                    _ => {}
                }
                Ok(())
            }
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
}

/// A readout that did not end well, as a failure.
fn ended(device: &Jid, outcome: &Outcome) -> Failure {
    let kind = match outcome {
        Outcome::TimedOut | Outcome::Unavailable => FailureKind::Unavailable,
        Outcome::Disconnected => FailureKind::Connection,
        // The server answers in the stead of a device that has gone.
        Outcome::Rejected(error) if error.kind == ErrorType::Wait => FailureKind::Unavailable,
        _ => FailureKind::Readout,
    };
    Failure::new(
        kind,
        format!("the readout of {device} has ended: {outcome}"),
    )
}

impl fmt::Display for Readout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} fields in {:.1?}", self.fields, self.took)
    }
}
