use alloc::borrow::Cow;
use core::time::Duration;

use xmpp_core::jid::Jid;

/// How a [`Requester`](super::Requester) behaves. Every setting has a default that is safe.
#[derive(Clone, Debug)]
pub struct RequesterConfig {
    pub(super) address: Option<Jid>,
    pub(super) id_prefix: Cow<'static, str>,
    pub(super) outstanding: usize,
    pub(super) outstanding_per_device: usize,
    pub(super) fields: usize,
    pub(super) bytes: usize,
    pub(super) answer_timeout: Duration,
    pub(super) silence_timeout: Duration,
    pub(super) queue_timeout: Duration,
    pub(super) assumed_offset: i16,
}

impl Default for RequesterConfig {
    fn default() -> Self {
        Self {
            address: None,
            id_prefix: Cow::Borrowed("sd-"),
            outstanding: 1024,
            outstanding_per_device: 16,
            fields: 250_000,
            bytes: 64 << 20,
            answer_timeout: Duration::from_secs(30),
            silence_timeout: Duration::from_secs(60),
            queue_timeout: Duration::from_secs(24 * 3600),
            assumed_offset: 0,
        }
    }
}

impl RequesterConfig {
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

    /// Begins the ids of IQs with this. Default: `sd-`. Two requesters on one stream need two.
    #[must_use]
    pub fn id_prefix(self, prefix: impl Into<Cow<'static, str>>) -> Self {
        Self {
            id_prefix: prefix.into(),
            ..self
        }
    }

    /// How many readouts may be under way in all. Default: 1024. Each costs some 500 bytes and the
    /// request.
    #[must_use]
    pub fn outstanding(self, readouts: usize) -> Self {
        Self {
            outstanding: readouts,
            ..self
        }
    }

    /// How many readouts of one device may be under way. Default: 16.
    #[must_use]
    pub fn outstanding_per_device(self, readouts: usize) -> Self {
        Self {
            outstanding_per_device: readouts,
            ..self
        }
    }

    /// How many fields and failures a readout may bring, wanted or not. Default: 250,000. They are
    /// handed out as they arrive, so this costs nothing here but what the application keeps.
    #[must_use]
    pub fn fields(self, fields: usize) -> Self {
        Self { fields, ..self }
    }

    /// How many bytes of XML a readout may bring. Default: 64 MiB. They are handed out as they
    /// arrive, too.
    #[must_use]
    pub fn bytes(self, bytes: usize) -> Self {
        Self { bytes, ..self }
    }

    /// How long to wait for the answer to a request, and to a cancelling. Default: 30 seconds.
    #[must_use]
    pub fn answer_timeout(self, patience: Duration) -> Self {
        Self {
            answer_timeout: patience,
            ..self
        }
    }

    /// How long a device that has accepted may be silent. Default: 60 seconds.
    #[must_use]
    pub fn silence_timeout(self, patience: Duration) -> Self {
        Self {
            silence_timeout: patience,
            ..self
        }
    }

    /// How long a readout may be queued before it begins. Default: a day. For one that is
    /// scheduled for later see [`Requester::set_deadline`](super::Requester::set_deadline).
    #[must_use]
    pub fn queue_timeout(self, patience: Duration) -> Self {
        Self {
            queue_timeout: patience,
            ..self
        }
    }

    /// The zone, in minutes ahead of UTC, that times without one are taken to be in when they are
    /// compared with the interval that was asked for (XEP-0323 §6.1). Default: UTC.
    #[must_use]
    pub fn assumed_offset(self, minutes: i16) -> Self {
        Self {
            assumed_offset: minutes,
            ..self
        }
    }
}
