//! What of a managed stream outlives its connection, and the program if need be.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::ManagementConfig;
use super::queue::{Queue, TooHigh, low};
use crate::jid::Jid;
use crate::stream::error::Misuse;
use crate::stream::outgoing::elements;

/// How long an identifier may be, in bytes (XEP-0198 §5).
pub(super) const ID_BYTES: usize = 4_000;

/// The session of a managed stream (XEP-0198): both counts, and the stanzas that were sent and not
/// acknowledged.
///
/// While a stream runs it keeps its session; see [`Stream::session`](crate::stream::Stream::session).
/// After the stream has ended, [`Stream::take_session`](crate::stream::Stream::take_session) gives it. What to do
/// with it then:
///
/// - if it [is resumable](Self::is_resumable), an initiator hands it to its next stream
///   ([`Stream::resume`](crate::stream::Stream::resume)), and a receiver keeps it for
///   [`max`](Self::max) under its [`id`](Self::id) for
///   [`Event::Resume`](crate::stream::Event::Resume), and meanwhile [sends](Self::send) into it;
/// - else, or after that time, what is [unacknowledged](Self::unacknowledged) is sent again, stored or
///   bounced. It may have arrived: only a resumed stream can tell.
///
/// It can be saved as bytes and restored across a restart. A saved session has to be saved again
/// after whatever it counts, or it counts wrongly.
pub struct ManagedSession(pub(super) Box<State>);

pub(super) struct State {
    pub(super) jid: Jid,
    pub(super) id: Option<Box<str>>,
    pub(super) location: Option<Box<str>>,
    pub(super) max: Option<Duration>,
    /// How many stanzas of the peer were handled.
    pub(super) handled: u64,
    pub(super) queue: Queue,
    /// Whether a closing tag has ended it.
    pub(super) is_over: bool,
    pub(super) limits: Limits,
}

/// How much may wait for acknowledgement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) stanzas: u32,
    pub(super) bytes: u32,
}

impl ManagedSession {
    pub(super) fn new(jid: Jid, config: &ManagementConfig) -> Self {
        Self(Box::new(State {
            jid,
            id: None,
            location: None,
            max: None,
            handled: 0,
            queue: Queue::default(),
            is_over: false,
            limits: config.queue,
        }))
    }

    /// The full address that the session has bound.
    #[must_use]
    pub fn jid(&self) -> &Jid {
        &self.0.jid
    }

    /// What the session is resumed by: told by the receiver, opaque to the initiator, of at most 4,000
    /// bytes. `None` where the receiver does not allow resumption.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.0.id.as_deref()
    }

    /// Where the receiver prefers to be asked for the resumption: a host, `host:port` or
    /// `[address]:port`. It has to prove the same identity as ever; where it cannot be reached the
    /// ordinary way is taken (XEP-0198 §3).
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        self.0.location.as_deref()
    }

    /// For how long after the loss of its connection the session can be resumed, in whole seconds.
    /// `None` when the receiver did not say.
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        self.0.max
    }

    /// Whether it may be resumed: the receiver allows it, and no closing tag has ended it (XEP-0198 §7).
    #[must_use]
    pub fn is_resumable(&self) -> bool {
        self.0.id.is_some() && !self.0.is_over
    }

    /// How many stanzas of the peer were handled. On the wire this count goes round at 2³².
    #[must_use]
    pub fn handled(&self) -> u64 {
        self.0.handled
    }

    /// How many stanzas were sent, counted from 1 with the first one: what was sent last has this number.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.0.queue.sent()
    }

    /// The number of the last stanza that the peer has acknowledged, together with all before it.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.0.queue.acknowledged()
    }

    /// The stanzas that were sent and not acknowledged, oldest first, as they were written. The first one has
    /// the number [`acknowledged`](Self::acknowledged) + 1.
    pub fn unacknowledged(&self) -> impl Iterator<Item = Cow<'_, [u8]>> {
        self.0.queue.iter()
    }

    /// Whether as much as may wait for acknowledgement does so: nothing more can be sent.
    #[must_use]
    pub fn is_full(&self) -> bool {
        !self.has_room(1, 1)
    }

    /// Sends while there is no stream, complete stanzas written as for
    /// [`Stream::send_bytes`](crate::stream::Stream::send_bytes): they go out when the session is resumed.
    /// Other elements belong to one stream and are left out.
    ///
    /// # Errors
    /// [`Misuse::QueueFull`], and nothing was taken: the session is better given up;
    /// [`Misuse::NoStanza`] for no stanza.
    pub fn send(&mut self, stanzas: &[u8]) -> Result<(), Misuse> {
        let count = elements(stanzas)
            .filter(|element| element.is_stanza())
            .count();
        if count == 0 {
            return Err(Misuse::NoStanza);
        }
        if !self.has_room(count, stanzas.len()) {
            return Err(Misuse::QueueFull);
        }
        self.push(stanzas);
        Ok(())
    }

    /// The session as bytes, for a restart of the program. They hold what was sent: keep them where nobody
    /// else reads.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        let text = |out: &mut Vec<u8>, text: Option<&str>| {
            let length = text.map_or(NONE, |text| u32::try_from(text.len()).unwrap_or(NONE));
            out.extend_from_slice(&length.to_be_bytes());
            if length != NONE {
                out.extend_from_slice(text.unwrap_or_default().as_bytes());
            }
        };
        text(&mut out, Some(self.0.jid.as_str()));
        text(&mut out, self.0.id.as_deref());
        text(&mut out, self.0.location.as_deref());
        let max = self.0.max.map_or(u64::MAX, |max| max.as_secs());
        for number in [max, self.0.handled, self.0.queue.acknowledged()] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        out.push(u8::from(self.0.is_over));
        let count = u32::try_from(self.0.queue.len()).unwrap_or(u32::MAX);
        out.extend_from_slice(&count.to_be_bytes());
        for length in self.0.queue.lengths() {
            out.extend_from_slice(&length.to_be_bytes());
        }
        self.0.queue.write(&mut out);
        out
    }

    /// The session that was saved as those bytes, with the limits of the configuration as it is now. What was
    /// saved is kept even where it is more than they allow.
    ///
    /// # Errors
    /// [`SessionError`] when the bytes are not what [`to_bytes`](Self::to_bytes) gives.
    pub fn from_bytes(bytes: &[u8], config: &ManagementConfig) -> Result<Self, SessionError> {
        let mut reader = Reader(bytes);
        if reader.take(MAGIC.len())? != MAGIC {
            return Err(SessionError);
        }
        let jid = reader.text()?.ok_or(SessionError)?;
        let jid = Jid::parse(&jid).ok().filter(Jid::is_full);
        let mut session = Self::new(jid.ok_or(SessionError)?, config);
        let id = reader.text()?.filter(|id| id.len() <= ID_BYTES);
        session.0.id = id.map(String::into_boxed_str);
        session.0.location = reader.text()?.map(String::into_boxed_str);
        let max = reader.long()?;
        session.0.max = (max != u64::MAX).then(|| Duration::from_secs(max));
        session.0.handled = reader.long()?;
        session.0.queue = Queue::after(reader.long()?);
        session.0.is_over = match reader.take(1)? {
            [0] => false,
            [1] => true,
            _ => return Err(SessionError),
        };
        let count = reader.short()?;
        let lengths = reader.take((count as usize).checked_mul(4).ok_or(SessionError)?)?;
        let mut lengths = Reader(lengths);
        for _ in 0..count {
            let stanza = reader.take(lengths.short()? as usize)?;
            session.0.queue.push(stanza);
        }
        reader.0.is_empty().then_some(session).ok_or(SessionError)
    }

    pub(super) fn has_room(&self, stanzas: usize, bytes: usize) -> bool {
        let fits = |held: usize, more: usize, limit: u32| {
            held.saturating_add(more) <= usize::try_from(limit).unwrap_or(usize::MAX)
        };
        fits(self.0.queue.len(), stanzas, self.0.limits.stanzas)
            && fits(self.0.queue.bytes(), bytes, self.0.limits.bytes)
    }

    /// Whether half of what may wait does so.
    pub(super) fn is_half_full(&self) -> bool {
        !self.has_room(self.0.queue.len(), self.0.queue.bytes())
    }

    pub(super) fn push(&mut self, stanzas: &[u8]) {
        for element in elements(stanzas).filter(|element| element.is_stanza()) {
            self.0.queue.push(element.bytes);
        }
    }

    /// Writes all that is unacknowledged, to a stream that goes on with the session.
    pub(super) fn write_queue(&self, out: &mut Vec<u8>) {
        self.0.queue.write(out);
    }

    pub(super) fn acknowledge(&mut self, handled: u32) -> Result<u64, TooHigh> {
        self.0.queue.acknowledge(handled)
    }

    /// The count of what was handled, as it goes over the wire.
    pub(in crate::stream) fn h(&self) -> u32 {
        low(self.0.handled)
    }
}

impl fmt::Debug for ManagedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManagedSession")
            .field("jid", &self.0.jid)
            .field("is_resumable", &self.is_resumable())
            .field("handled", &self.0.handled)
            .field("sent", &self.0.queue.sent())
            .field("unacknowledged", &self.0.queue.len())
            .finish_non_exhaustive()
    }
}

/// The bytes are no saved session, or one of another version of this crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionError;

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bytes are no saved session")
    }
}

impl core::error::Error for SessionError {}

/// What saved sessions begin with; the last byte is the version of the format.
const MAGIC: &[u8] = b"xmpp-sm\x01";
/// The length of a text that is missing.
const NONE: u32 = u32::MAX;

struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], SessionError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(SessionError)?;
        self.0 = rest;
        Ok(taken)
    }

    fn short(&mut self) -> Result<u32, SessionError> {
        let bytes = self.take(4)?.try_into().map_err(|_| SessionError)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn long(&mut self) -> Result<u64, SessionError> {
        let bytes = self.take(8)?.try_into().map_err(|_| SessionError)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn text(&mut self) -> Result<Option<String>, SessionError> {
        match self.short()? {
            NONE => Ok(None),
            length => {
                let text = core::str::from_utf8(self.take(length as usize)?);
                Ok(Some(String::from(text.map_err(|_| SessionError)?)))
            }
        }
    }
}
