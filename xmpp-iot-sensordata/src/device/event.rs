use alloc::sync::Arc;
use core::fmt;

use xmpp_core::jid::Jid;

use crate::model::ReadoutRequest;

/// A readout that a [`Device`](super::Device) was asked for: unique in its lifetime.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

impl Ticket {
    pub(super) fn new(id: u64) -> Self {
        Self(id)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({})", self.0)
    }
}

/// What a [`Device`](super::Device) tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Somebody wants to read. To be answered with [`Device::accept`](super::Device::accept) or
    /// [`Device::reject`](super::Device::reject), within
    /// [`DeviceConfig::decision_timeout`](super::DeviceConfig::decision_timeout).
    Request {
        /// To be given with the answer.
        ticket: Ticket,
        /// Who wants to.
        peer: Jid,
        /// What is asked for.
        request: Arc<ReadoutRequest>,
    },
    /// An accepted readout begins: now read. To be answered with
    /// [`Device::add_fields`](super::Device::add_fields),
    /// [`Device::fail_node`](super::Device::fail_node) and [`Device::done`](super::Device::done).
    Readout {
        /// To be given with the answers.
        ticket: Ticket,
        /// Who asked.
        peer: Jid,
        /// What is asked for.
        request: Arc<ReadoutRequest>,
    },
    /// The ticket is over: nobody waits for its data. An answer that is still given is refused.
    Cancelled {
        /// The ticket.
        ticket: Ticket,
        /// Why.
        reason: CancelReason,
    },
}

/// Why a readout is over before it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelReason {
    /// The reader cancelled it.
    Reader,
    /// The reader has gone offline.
    Unavailable,
    /// What was sent to the reader came back.
    Undeliverable,
    /// The stream was lost.
    Disconnected,
    /// The application did not answer in time.
    TimedOut,
}

/// Why an answer of the application is not taken: the caller's mistake, or too late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AnswerError {
    /// The readout is over: done, rejected or cancelled. When it was cancelled, an event tells.
    Over,
    /// The readout was accepted before.
    AlreadyAccepted,
    /// The readout has not begun: its [`Event::Readout`] is still to come.
    NotBegun,
    /// Too much waits to be sent: poll, and add again.
    Full,
    /// A single field or failure is longer than a message may be.
    TooLong,
    /// A text cannot stand in XML.
    Unwritable,
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Over => "the readout is over",
            Self::AlreadyAccepted => "the readout was accepted before",
            Self::NotBegun => "the readout has not begun",
            Self::Full => "too much waits to be sent",
            Self::TooLong => "longer than a message may be",
            Self::Unwritable => "a text cannot stand in XML",
        })
    }
}

impl core::error::Error for AnswerError {}
