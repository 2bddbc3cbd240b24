use core::time::Duration;

use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::jid::Jid;

use crate::model::{NodeReference, ReadoutRequest};

/// How a [`Device`](super::Device) behaves. Every setting has a default that is safe.
#[derive(Clone, Debug)]
pub struct DeviceConfig {
    pub(super) address: Option<Jid>,
    pub(super) nodes: Nodes,
    pub(super) outstanding: usize,
    pub(super) outstanding_per_reader: usize,
    pub(super) running: usize,
    pub(super) message_bytes: usize,
    pub(super) pending_bytes: usize,
    pub(super) decision_timeout: Duration,
    pub(super) answer_timeout: Duration,
    pub(super) local_offset: i16,
    pub(super) separate_done: bool,
}

impl Default for DeviceConfig {
    fn default() -> Self {
        Self {
            address: None,
            nodes: Nodes::Any,
            outstanding: 256,
            outstanding_per_reader: 8,
            running: 16,
            message_bytes: 8_192,
            pending_bytes: 262_144,
            decision_timeout: Duration::from_secs(20),
            answer_timeout: Duration::from_secs(300),
            local_offset: 0,
            separate_done: false,
        }
    }
}

impl DeviceConfig {
    /// The settings that [`Default`] has.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes this as the sender of each stanza. Default: none, since a server stamps what its
    /// clients send; components need it.
    #[must_use]
    pub fn address(self, address: Jid) -> Self {
        Self {
            address: Some(address),
            ..self
        }
    }

    /// Which nodes a request may name. Default: any, for the application to check.
    #[must_use]
    pub fn nodes(self, nodes: Nodes) -> Self {
        Self { nodes, ..self }
    }

    /// How many readouts may be asked for, queued and running in all; others are refused with
    /// `resource-constraint`. Default: 256. Each costs some 500 bytes, the request, and up to
    /// [`DeviceConfig::pending_bytes`].
    #[must_use]
    pub fn outstanding(self, readouts: usize) -> Self {
        Self {
            outstanding: readouts,
            ..self
        }
    }

    /// How many of them one reader (full address) may have. Default: 8.
    #[must_use]
    pub fn outstanding_per_reader(self, readouts: usize) -> Self {
        Self {
            outstanding_per_reader: readouts,
            ..self
        }
    }

    /// How many readouts the application carries out at once; others are queued. Default: 16.
    #[must_use]
    pub fn running(self, readouts: usize) -> Self {
        Self {
            running: readouts,
            ..self
        }
    }

    /// How long a message with data may be, in bytes of XML as this engine writes it. Default:
    /// 8192, which with the address that the server adds stays below the 10,000 bytes that every
    /// server takes (RFC 6120 §13.12). Addresses may take up a good part of a small one.
    #[must_use]
    pub fn message_bytes(self, bytes: usize) -> Self {
        Self {
            message_bytes: bytes,
            ..self
        }
    }

    /// How much data of one readout may wait to be polled, in bytes of XML. Default: 256 KiB.
    #[must_use]
    pub fn pending_bytes(self, bytes: usize) -> Self {
        Self {
            pending_bytes: bytes,
            ..self
        }
    }

    /// How long the application may think about a request before it is refused with
    /// `resource-constraint`. Default: 20 seconds, since readers wait some 30.
    #[must_use]
    pub fn decision_timeout(self, patience: Duration) -> Self {
        Self {
            decision_timeout: patience,
            ..self
        }
    }

    /// How long the application may be silent about a readout that has begun before it ends with
    /// a failure. Default: 5 minutes; up to twice that can pass, as signs of life are only counted
    /// when the time is up.
    #[must_use]
    pub fn answer_timeout(self, patience: Duration) -> Self {
        Self {
            answer_timeout: patience,
            ..self
        }
    }

    /// The zone of the device, in minutes ahead of UTC: a time without a zone in a request is
    /// taken to be in it (XEP-0323 §6.1). Default: UTC.
    #[must_use]
    pub fn local_offset(self, minutes: i16) -> Self {
        Self {
            local_offset: minutes,
            ..self
        }
    }

    /// Ends readouts with a message `done` of its own instead of the attribute `done` on the last
    /// data. Default: no. It costs a message, and slixmpp's reader does not see the end.
    #[must_use]
    pub fn separate_done(self, separate: bool) -> Self {
        Self {
            separate_done: separate,
            ..self
        }
    }
}

/// Which nodes a request may name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Nodes {
    /// Any, or none: the application looks.
    #[default]
    Any,
    /// There is only this one. A request that names another is refused with `item-not-found`.
    Single(NodeReference<'static>),
    /// There are many, and a request has to name some, or is refused with `bad-request`
    /// (XEP-0323 §3.3). The application looks which there are.
    Required,
}

impl Nodes {
    pub(super) fn check(&self, request: &ReadoutRequest) -> Result<(), StanzaError> {
        match self {
            Self::Required if request.nodes.is_empty() => {
                Err(super::incoming::bad_request("no node is named"))
            }
            Self::Single(own) => match request.nodes.iter().find(|node| !node.means(own)) {
                None => Ok(()),
                Some(node) => {
                    let text = alloc::format!("no node {node}");
                    Err(super::incoming::refusal(
                        StanzaCondition::ItemNotFound,
                        text,
                    ))
                }
            },
            Self::Any | Self::Required => Ok(()),
        }
    }

    /// The node of a device that names none.
    pub(super) fn own(&self) -> NodeReference<'static> {
        match self {
            Self::Single(own) => own.clone(),
            Self::Any | Self::Required => NodeReference::default(),
        }
    }
}
