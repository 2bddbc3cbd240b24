use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use xmpp_core::error::StanzaError;
use xmpp_core::jid::Jid;
use xmpp_xml::{Element, FromXmlError, WriteError};

use crate::model::{NodeFailure, Reading, ReadoutRequest};
use crate::payload::FieldsRef;

/// A readout of a [`Requester`](super::Requester): unique in its lifetime.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReadoutId(u64);

impl ReadoutId {
    pub(super) fn new(id: u64) -> Self {
        Self(id)
    }
}

impl fmt::Debug for ReadoutId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReadoutId({})", self.0)
    }
}

/// How far a readout has come. Every step but the first may be left out by the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// The device has not answered yet.
    Requested,
    /// The device has accepted.
    Accepted,
    /// The device has accepted and will read later.
    Queued,
    /// The device reads.
    Started,
    /// Data has arrived.
    Receiving,
    /// Cancelled by us, and not confirmed yet.
    Cancelling,
}

/// What a [`Requester`](super::Requester) tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The device has accepted. Devices may leave this out.
    Accepted {
        /// The readout.
        readout: ReadoutId,
        /// Whether it will be carried out later.
        queued: bool,
    },
    /// A queued readout has begun. Devices may leave this out.
    Started {
        /// The readout.
        readout: ReadoutId,
    },
    /// Data has arrived.
    Fields {
        /// The readout.
        readout: ReadoutId,
        /// The data.
        part: Part,
    },
    /// The device could not read something. The readout may go on.
    Failures {
        /// The readout.
        readout: ReadoutId,
        /// What it could not read; may be empty.
        failures: Vec<NodeFailure<'static>>,
    },
    /// The readout is over. Nothing more comes of it; this comes exactly once.
    Ended {
        /// The readout.
        readout: ReadoutId,
        /// The device.
        peer: Jid,
        /// How it ended.
        outcome: Outcome,
        /// How many fields and failures came, wanted or not.
        fields: usize,
        /// How many failures were among them.
        failures: usize,
    },
}

/// How a readout ended. What arrived before stays valid, whatever the end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The device has sent all it had, without a failure.
    Done,
    /// The device has finished, and has reported failures on the way.
    Failed,
    /// The device, or a server on the way, has refused the request.
    ///
    /// Asking again makes sense when the type of the error is to wait.
    Rejected(StanzaError),
    /// Cancelled by us.
    Cancelled,
    /// The device has been silent for too long. It was told to stop.
    TimedOut,
    /// The device has gone offline.
    Unavailable,
    /// The stream was lost.
    Disconnected,
    /// The device has sent more than the configuration allows. It was told to stop.
    Exceeded(Limit),
    /// The device broke the rules of the protocol.
    Misconduct(Misconduct),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Failed => f.write_str("done, with failures"),
            Self::Rejected(error) => write!(f, "rejected: {error}"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::TimedOut => f.write_str("the device has been silent for too long"),
            Self::Unavailable => f.write_str("the device has gone offline"),
            Self::Disconnected => f.write_str("the stream was lost"),
            Self::Exceeded(Limit::Fields) => f.write_str("the device sends too many fields"),
            Self::Exceeded(Limit::Bytes) => f.write_str("the device sends too many bytes"),
            Self::Misconduct(Misconduct::WrongNumber) => {
                f.write_str("the device accepted another request than was made")
            }
        }
    }
}

/// A limit of the configuration that a device can exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// [`RequesterConfig::fields`](super::RequesterConfig::fields)
    Fields,
    /// [`RequesterConfig::bytes`](super::RequesterConfig::bytes)
    Bytes,
}

/// A rule of the protocol that a device broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Misconduct {
    /// It accepted a request of another number, or of none.
    WrongNumber,
}

/// A part of the data of a readout, as it arrived in one message.
///
/// It keeps the received XML and reads it when asked to, without an allocation for a field.
#[derive(Clone, Debug)]
pub struct Part {
    element: Element,
    request: Arc<ReadoutRequest>,
    assumed_offset: i16,
}

impl Part {
    pub(super) fn new(element: Element, request: Arc<ReadoutRequest>, assumed_offset: i16) -> Self {
        Self {
            element,
            request,
            assumed_offset,
        }
    }

    /// The fields that were asked for, with their nodes and times. The device may send others, and
    /// they are left out (XEP-0323 §3).
    ///
    /// What cannot be read comes as an error in its place, and the rest comes behind it; whoever
    /// does not care writes `part.readings().flatten()`.
    pub fn readings(&self) -> impl Iterator<Item = Result<Reading<'_>, FromXmlError>> {
        let wanted = |reading: &Reading<'_>| {
            self.request
                .wants(&reading.field, &reading.time, self.assumed_offset)
        };
        self.unfiltered()
            .into_iter()
            .flat_map(|fields| fields.readings())
            .filter(move |reading| reading.as_ref().map_or(true, wanted))
    }

    /// All that the device sent, to be walked as it lies.
    pub fn unfiltered(&self) -> Option<FieldsRef<'_>> {
        self.element.root().read().ok()
    }

    /// What was asked for.
    pub fn request(&self) -> &ReadoutRequest {
        &self.request
    }
}

/// Why a request cannot be made: the caller's mistake.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RequestError {
    /// The address is the bare one of an account: its server would answer. A device is addressed
    /// with its resource.
    BareAddress,
    /// As many readouts are under way as the configuration allows.
    TooMany,
    /// As many readouts of this device are under way as the configuration allows.
    TooManyOfDevice,
    /// A text in the request cannot stand in XML.
    Unwritable(WriteError),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BareAddress => f.write_str("the address of a device needs its resource"),
            Self::TooMany => f.write_str("too many readouts are under way"),
            Self::TooManyOfDevice => f.write_str("too many readouts of this device are under way"),
            Self::Unwritable(error) => write!(f, "the request cannot be written: {error}"),
        }
    }
}

impl core::error::Error for RequestError {}
