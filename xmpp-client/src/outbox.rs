//! What is to be sent, from the application's call until the server has it.

use std::collections::{BTreeMap, VecDeque};

use xmpp_core::delay::Delay;
use xmpp_core::ns;
use xmpp_core::stream::{ManagedSession, Misuse, Stream};
use xmpp_xml::Writer;
use xmpp_xml::value::DateTime;

use crate::delivery::DeliveryError;

/// How many failures of single sends are remembered for their handles.
const FAILURES: usize = 1_024;

/// Sends have numbers, from 1 on. Those that wait follow those that are on their way, and both are in order.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<Waiting>,
    /// The bytes of all that waits.
    bytes: usize,
    flights: VecDeque<Flight>,
    /// How many of the flights the transport has taken.
    taken: usize,
    /// The number of the last send.
    last: u64,
    sent: u64,
    acknowledged: u64,
    failed: BTreeMap<u64, DeliveryError>,
    /// Counts changes, so that they are seen.
    version: u64,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    bytes: Vec<u8>,
    /// When the application sent it, in seconds since 1970.
    time: i64,
}

/// A send that was given to a stream.
#[derive(Debug)]
struct Flight {
    number: u64,
    time: i64,
    /// The number of its last stanza in a managed session.
    stanza: u64,
    /// Where it ends among the bytes of the stream.
    end: u64,
    /// Empty in a managed session, which has them.
    bytes: Vec<u8>,
}

impl Outbox {
    /// The bytes of all that waits for a stream.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.bytes
    }

    /// Whether everything was given to a stream.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The last send that the transport has taken, and all before it.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// The last send that the server has acknowledged, and all before it.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Why a send will never be done.
    pub(crate) fn failure(&self, number: u64) -> Option<&DeliveryError> {
        self.failed.get(&number)
    }

    /// Whether it waits for a stream.
    pub(crate) fn is_waiting(&self, number: u64) -> bool {
        let found = self
            .waiting
            .binary_search_by_key(&number, |waiting| waiting.number);
        found.is_ok()
    }

    /// Grows with every change.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// What waits and, without stream management, what the transport has not taken; oldest first.
    pub(crate) fn unsent(&self) -> impl Iterator<Item = &[u8]> {
        let flights = self.flights.iter().map(|flight| flight.bytes.as_slice());
        let waiting = self.waiting.iter().map(|waiting| waiting.bytes.as_slice());
        flights.filter(|bytes| !bytes.is_empty()).chain(waiting)
    }

    /// The transport has taken that many bytes of the stream; says whether that is news.
    pub(crate) fn handle_written(&mut self, position: u64) -> bool {
        let before = self.sent;
        while let Some(flight) = self.flights.get(self.taken)
            && flight.end <= position
        {
            self.sent = self.sent.max(flight.number);
            if flight.bytes.is_empty() {
                self.taken = self.taken.saturating_add(1);
            } else {
                // Nobody will say that it has arrived.
                let _ = self.flights.remove(self.taken);
                self.version = self.version.wrapping_add(1);
            }
        }
        self.sent != before
    }

    /// The server has handled so many stanzas of the session; says whether that is news.
    pub(crate) fn handle_acknowledged(&mut self, stanzas: u64) -> bool {
        let before = self.acknowledged;
        while let Some(flight) = self.flights.front()
            && flight.bytes.is_empty()
            && flight.stanza <= stanzas
        {
            self.acknowledged = flight.number;
            self.sent = self.sent.max(flight.number);
            self.flights.pop_front();
            self.taken = self.taken.saturating_sub(1);
            self.version = self.version.wrapping_add(1);
        }
        self.acknowledged != before
    }

    /// A stream goes on with the session: what was not acknowledged stands in its first bytes.
    pub(crate) fn handle_resumed(&mut self, end: u64) {
        self.taken = 0;
        for flight in &mut self.flights {
            flight.end = end;
        }
    }

    /// The session is lost: what is unacknowledged in it waits again, before all else, with the time when it was sent
    /// (XEP-0198 §4).
    pub(crate) fn handle_session_lost(&mut self, session: &ManagedSession) {
        self.handle_acknowledged(session.acknowledged());
        let flights = std::mem::take(&mut self.flights);
        self.taken = 0;
        let mut flights = flights.into_iter().peekable();
        let mut again: Vec<Waiting> = Vec::new();
        let first = session.acknowledged().saturating_add(1);
        for (stanza, bytes) in (first..).zip(session.unacknowledged()) {
            while flights.next_if(|flight| flight.stanza < stanza).is_some() {}
            let (number, time) = flights
                .peek()
                .map_or((self.last, 0), |flight| (flight.number, flight.time));
            let bytes = stamped(&bytes, time);
            self.bytes = self.bytes.saturating_add(bytes.len());
            match again.last_mut().filter(|last| last.number == number) {
                Some(last) => last.bytes.extend_from_slice(&bytes),
                None => again.push(Waiting {
                    number,
                    bytes,
                    time,
                }),
            }
        }
        for waiting in again.into_iter().rev() {
            self.waiting.push_front(waiting);
        }
        self.version = self.version.wrapping_add(1);
    }

    /// A stream without management is over: what the transport has not taken whole waits again, as the server
    /// cannot have read it.
    pub(crate) fn handle_lost(&mut self) {
        self.taken = 0;
        while let Some(flight) = self.flights.pop_back() {
            if flight.number <= self.sent {
                continue;
            }
            if flight.bytes.is_empty() {
                // It was written for a management that the server then refused.
                self.fail(flight.number, DeliveryError::Lost);
                continue;
            }
            self.bytes = self.bytes.saturating_add(flight.bytes.len());
            self.waiting.push_front(Waiting {
                number: flight.number,
                bytes: flight.bytes,
                time: flight.time,
            });
        }
    }

    /// Puts a send behind all others and gives its number.
    pub(crate) fn push(&mut self, bytes: Vec<u8>, time: i64) -> u64 {
        self.last = self.last.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes.len());
        self.waiting.push_back(Waiting {
            number: self.last,
            bytes,
            time,
        });
        self.version = self.version.wrapping_add(1);
        self.last
    }

    /// Makes place for what a session of before the restart still has on its way.
    pub(crate) fn restore(&mut self, session: &ManagedSession, time: i64) {
        let first = session.acknowledged().saturating_add(1);
        for (stanza, _) in (first..).zip(session.unacknowledged()) {
            self.last = self.last.saturating_add(1);
            self.flights.push_back(Flight {
                number: self.last,
                time,
                stanza,
                end: 0,
                bytes: Vec::new(),
            });
        }
    }

    /// Gives the stream as much as it takes; says whether a send has failed. `before` is how many bytes were taken from
    /// the stream.
    pub(crate) fn give(&mut self, stream: &mut Stream, before: u64) -> bool {
        let mut failed = false;
        while let Some(next) = self.waiting.front() {
            let result = stream.send_bytes(&next.bytes);
            let too_large = match result {
                Ok(()) => None,
                Err(Misuse::QueueFull) if is_idle(stream) => Some(DeliveryError::TooLong),
                Err(Misuse::TooLong(_)) => Some(DeliveryError::TooLong),
                // Later: when the server has acknowledged, or to the next stream.
                Err(_) => break,
            };
            let Some(next) = self.waiting.pop_front() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(next.bytes.len());
            self.version = self.version.wrapping_add(1);
            if let Some(error) = too_large {
                self.fail(next.number, error);
                failed = true;
                continue;
            }
            let stanza = stream.session().map(ManagedSession::sent);
            self.flights.push_back(Flight {
                number: next.number,
                time: next.time,
                stanza: stanza.unwrap_or(0),
                end: before.saturating_add(stream.buffered() as u64),
                bytes: if stanza.is_some() {
                    Vec::new()
                } else {
                    next.bytes
                },
            });
        }
        failed
    }

    fn fail(&mut self, number: u64, error: DeliveryError) {
        if self.failed.len() >= FAILURES {
            self.failed.pop_first();
        }
        self.failed.insert(number, error);
    }
}

/// Whether nothing waits for acknowledgement.
fn is_idle(stream: &Stream) -> bool {
    let session = stream.session();
    session.is_none_or(|session| session.sent() == session.acknowledged())
}

/// A message that is sent again tells when it was sent first (XEP-0198 §4, XEP-0203), unless it does so already.
fn stamped(stanza: &[u8], time: i64) -> Vec<u8> {
    const END: &[u8] = b"</message>";
    let mut bytes = stanza.to_vec();
    let namespace = ns::DELAY.as_bytes();
    let is_stamped = bytes
        .windows(namespace.len())
        .any(|window| window == namespace);
    let Ok(stamp) = DateTime::from_unix(time, 0) else {
        return bytes;
    };
    if is_stamped || !bytes.ends_with(END) {
        return bytes;
    }
    bytes.truncate(bytes.len().saturating_sub(END.len()));
    let mut writer = Writer::in_stream(&mut bytes, ns::CLIENT);
    writer.payload(&Delay::new(stamp));
    // A time always can be written.
    let _ = writer.finish();
    bytes.extend_from_slice(END);
    bytes
}
