//! Stream management (XEP-0198): acknowledged stanzas, and sessions that outlive their connections.
//!
//! It is agreed on when both sides are [configured](ManagementConfig) for it. From then on each side counts the
//! stanzas it has sent and handled, keeps what the other has not acknowledged, and asks for acknowledgements by
//! the policy of the configuration. When the connection is lost the next stream goes on with the
//! [session](ManagedSession): what was not handled is sent again, and nothing is lost, repeated or reordered.
//!
//! A stanza counts as handled once [`Stream::handle_bytes`](crate::stream::Stream::handle_bytes) has handed it
//! out.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use xmpp_xml::{Element, ElementRef, Writer};

use super::error::Error;
use super::event::Event;
use super::negotiation::violation;
use crate::error::{StanzaCondition, StreamCondition, StreamError};
use crate::jid::Jid;
use crate::ns;
use crate::time::Instant;

mod feature;
mod queue;
mod session;

pub use session::{ManagedSession, SessionError};

pub(super) use feature::{
    EnableInitiator, ManagementReceiver, ResumeInitiator, condition, not_resumed, resumed, take_up,
    write_resume, write_resumed,
};
use queue::TooHigh;
use session::{ID_BYTES, Limits};

/// How a stream is managed (XEP-0198). Costs the memory of what is unacknowledged.
///
/// ```
/// use std::time::Duration;
/// use xmpp_core::stream::{InitiatorConfig, ManagementConfig};
/// use xmpp_sasl::Credentials;
///
/// let management = ManagementConfig::new().resumption(Some(Duration::from_secs(3600)));
/// let credentials = Credentials::password("juliet", "r0m30myr0m30");
/// let config = InitiatorConfig::new("juliet@example.com/balcony".parse()?, credentials)
///     .management(management);
/// # let _ = config;
/// # Ok::<(), xmpp_core::jid::JidError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ManagementConfig {
    resumption: Option<Duration>,
    location: Option<String>,
    queue: Limits,
    request_after: u32,
    request_delay: Duration,
    acknowledgement_timeout: Option<Duration>,
}

impl Default for ManagementConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl ManagementConfig {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            resumption: Some(Duration::from_secs(600)),
            location: None,
            queue: Limits {
                stanzas: 1_000,
                bytes: 1 << 20,
            },
            request_after: 10,
            request_delay: Duration::from_secs(10),
            acknowledgement_timeout: Some(Duration::from_secs(60)),
        }
    }

    /// For how long, in whole seconds, a session may be resumed after its connection was lost: on an
    /// initiator what it asks for, on a receiver the most that it grants. `None` asks for no resumption and
    /// grants none. Default: 10 minutes. Whoever keeps the sessions has to let go of them after this time.
    #[must_use]
    pub fn resumption(mut self, max: Option<Duration>) -> Self {
        self.resumption = max;
        self
    }

    /// Receiver: where to resume, as a host, `host:port` or `[address]:port`. Default: none, the ordinary way.
    #[must_use]
    pub fn location(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }

    /// How many stanzas may wait for acknowledgement; sending more is [`Misuse::QueueFull`](super::Misuse::QueueFull).
    /// Default: 1,000, at four bytes each besides their own.
    #[must_use]
    pub fn queue_stanzas(mut self, stanzas: u32) -> Self {
        self.queue.stanzas = stanzas;
        self
    }

    /// How many bytes of stanzas may wait for acknowledgement; sending more is
    /// [`Misuse::QueueFull`](super::Misuse::QueueFull). Default: 1,048,576.
    #[must_use]
    pub fn queue_bytes(mut self, bytes: u32) -> Self {
        self.queue.bytes = bytes;
        self
    }

    /// Asks for an acknowledgement behind so many stanzas; also when the queue is half full, whatever this
    /// is. Default: 10.
    #[must_use]
    pub fn request_after(mut self, stanzas: u32) -> Self {
        self.request_after = stanzas;
        self
    }

    /// Asks for an acknowledgement when stanzas have waited for it so long. Default: 10 s. Costs one wake-up
    /// for each burst of stanzas.
    #[must_use]
    pub fn request_delay(mut self, delay: Duration) -> Self {
        self.request_delay = delay;
        self
    }

    /// Gives the connection up when what was asked for does not come for so long; the session can then be
    /// resumed. `None` waits for ever. Default: 60 s.
    #[must_use]
    pub fn acknowledgement_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.acknowledgement_timeout = timeout;
        self
    }

    pub(super) fn allows_resumption(&self) -> bool {
        self.resumption.is_some()
    }

    pub(super) fn write_enable(&self, writer: &mut Writer<'_>) {
        writer.start("enable", ns::STREAM_MANAGEMENT);
        if let Some(max) = self.resumption {
            writer.attribute("resume", "true");
            writer.attribute_value("max", &max.as_secs().max(1));
        }
        writer.end();
    }
}

/// The application's answer to [`Event::Resume`].
#[derive(Debug)]
#[non_exhaustive]
pub enum Resumption {
    /// The session. If a stream still runs that has it: [`fail`](super::Stream::fail) that one with
    /// `conflict` and [take](super::Stream::take_session) the session.
    Found(ManagedSession),
    /// There is none of that identifier, or it belongs to another account.
    Unknown,
    /// It was given up, but it is known how many stanzas of the peer it had handled.
    Expired {
        /// [`ManagedSession::handled`].
        handled: u64,
    },
}

/// What an established stream does about its management.
pub(super) struct Management {
    session: ManagedSession,
    config: ManagementConfig,
    stage: Stage,
    /// How many stanzas were sent when the last acknowledgement was asked for.
    requested: u64,
    is_open: bool,
    due: Due,
    /// The last time that was told.
    now: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Receiver: the peer may enable it.
    Offered,
    /// Initiator: it was asked for, and what is sent counts.
    Requested,
    On,
}

/// What is to be done next, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Nothing,
    /// Something was sent; when the next thing is due is not known before the time is.
    Unknown,
    Request(Instant),
    Timeout(Instant),
}

/// What a peer asks for in `<enable/>`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wish {
    resumption: bool,
    /// For how many seconds.
    max: Option<u64>,
}

impl Wish {
    pub(super) fn read(enable: ElementRef<'_>) -> Self {
        Self {
            resumption: is_true(enable, "resume"),
            max: enable.attribute("max").and_then(|max| max.parse().ok()),
        }
    }
}

/// What became of an element of stream management.
pub(super) enum Outcome {
    Done,
    /// It has no place now.
    Unexpected,
    /// The initiator goes on without management.
    Refused,
}

impl Management {
    pub(super) fn offered(jid: Jid, id: String, config: ManagementConfig) -> Self {
        let mut management = Self::new(jid, config, Stage::Offered);
        management.session.0.id = Some(id.into_boxed_str());
        management
    }

    pub(super) fn requested(jid: Jid, config: ManagementConfig) -> Self {
        Self::new(jid, config, Stage::Requested)
    }

    fn new(jid: Jid, config: ManagementConfig, stage: Stage) -> Self {
        let session = ManagedSession::new(jid, &config);
        Self {
            session,
            config,
            stage,
            requested: 0,
            is_open: false,
            due: Due::Nothing,
            now: Instant::ORIGIN,
        }
    }

    pub(super) fn resumed(mut session: ManagedSession, config: ManagementConfig) -> Self {
        session.0.limits = config.queue;
        let due = if session.0.queue.len() == 0 {
            Due::Nothing
        } else {
            Due::Unknown
        };
        Self {
            requested: session.acknowledged(),
            session,
            config,
            stage: Stage::On,
            is_open: false,
            due,
            now: Instant::ORIGIN,
        }
    }

    /// The session, once there is one.
    pub(super) fn session(&self) -> Option<&ManagedSession> {
        (self.stage != Stage::Offered).then_some(&self.session)
    }

    pub(super) fn into_session(self) -> Option<ManagedSession> {
        (self.stage != Stage::Offered).then_some(self.session)
    }

    pub(super) fn is_resumable(&self) -> bool {
        self.session.is_resumable()
    }

    /// Sends again what the peer has not handled.
    pub(super) fn write_queue(&self, out: &mut Vec<u8>) {
        self.session.write_queue(out);
    }

    /// When the time has to be told.
    pub(super) fn timeout(&self) -> Option<Instant> {
        match self.due {
            Due::Nothing => None,
            Due::Unknown => Some(self.now),
            Due::Request(at) | Due::Timeout(at) => Some(at),
        }
    }

    /// A stanza of the peer was handed out.
    pub(super) fn handled(&mut self) {
        if self.stage == Stage::On {
            self.session.0.handled = self.session.0.handled.saturating_add(1);
        }
    }

    /// Whether that many stanzas can be sent.
    pub(super) fn has_room(&self, stanzas: usize, bytes: usize) -> bool {
        self.stage == Stage::Offered || self.session.has_room(stanzas, bytes)
    }

    /// What stands in the output from `start` on was sent.
    pub(super) fn sent(&mut self, output: &mut Vec<u8>, start: usize) {
        if self.stage == Stage::Offered {
            return;
        }
        self.session.push(output.get(start..).unwrap_or_default());
        let fresh = self.session.sent().saturating_sub(self.requested);
        let is_due = fresh >= u64::from(self.config.request_after.max(1))
            || (self.session.is_half_full() && !self.is_open);
        if is_due && fresh > 0 && self.stage == Stage::On {
            self.request(output);
        } else if self.due == Due::Nothing {
            self.due = Due::Unknown;
        }
    }

    fn request(&mut self, output: &mut Vec<u8>) {
        write(output, |writer| {
            writer.empty("r", ns::STREAM_MANAGEMENT);
        });
        self.requested = self.session.sent();
        if !self.is_open {
            (self.is_open, self.due) = (true, Due::Unknown);
        }
    }

    /// An element of stream management arrived.
    pub(super) fn handle(
        &mut self,
        element: ElementRef<'_>,
        output: &mut Vec<u8>,
        tell: impl FnOnce(Event),
        now: Instant,
    ) -> Result<Outcome, Error> {
        self.now = now;
        match (element.name(), self.stage) {
            ("r", Stage::On) => self.acknowledge(output),
            ("a", Stage::On) => {
                let text = "an acknowledgement without a count";
                let handled =
                    count(element).ok_or_else(|| violation(StreamCondition::BadFormat, text))?;
                let news = self.session.acknowledge(handled).map_err(|error| {
                    self.session.0.is_over = true;
                    too_high(error)
                })?;
                self.is_open = false;
                self.due = if self.session.0.queue.len() == 0 {
                    Due::Nothing
                } else {
                    Due::Request(now + self.config.request_delay)
                };
                if news > 0 {
                    tell(Event::Acknowledged { stanzas: news });
                }
            }
            ("enabled", Stage::Requested) => {
                self.enabled(element);
                tell(Event::Managed {
                    resumable: self.session.is_resumable(),
                });
            }
            ("failed", Stage::Requested) => {
                tell(Event::Unmanaged {
                    condition: condition(element),
                });
                return Ok(Outcome::Refused);
            }
            ("enable", Stage::Offered) => {
                self.enable(Wish::read(element));
                write(output, |writer| self.write_enabled(writer));
                tell(Event::Managed {
                    resumable: self.session.is_resumable(),
                });
            }
            ("enable", Stage::On) => {
                let text = "the stream is managed already";
                return Err(violation(StreamCondition::PolicyViolation, text));
            }
            ("resume", Stage::Offered | Stage::On) => {
                write(output, |writer| {
                    failed(StanzaCondition::UnexpectedRequest, None, writer);
                });
            }
            _ => return Ok(Outcome::Unexpected),
        }
        Ok(Outcome::Done)
    }

    /// Tells what was handled.
    pub(super) fn acknowledge(&self, output: &mut Vec<u8>) {
        if self.stage == Stage::On {
            write(output, |writer| {
                writer
                    .start("a", ns::STREAM_MANAGEMENT)
                    .attribute_value("h", &self.session.h())
                    .end();
            });
        }
    }

    /// A closing tag has ended the session.
    pub(super) fn end(&mut self) {
        self.session.0.is_over = true;
    }

    /// Receiver: the peer enables it.
    pub(super) fn enable(&mut self, wish: Wish) {
        self.stage = Stage::On;
        match self.config.resumption.filter(|_| wish.resumption) {
            Some(most) => {
                let most = most.as_secs();
                let max = wish.max.map_or(most, |max| max.min(most)).max(1);
                self.session.0.max = Some(Duration::from_secs(max));
                let location = self.config.location.as_deref();
                self.session.0.location = location.filter(|l| is_writable(l)).map(Box::from);
            }
            None => self.session.0.id = None,
        }
    }

    /// Receiver: writes that it is enabled.
    pub(super) fn write_enabled(&self, writer: &mut Writer<'_>) {
        let session = &self.session;
        writer.start("enabled", ns::STREAM_MANAGEMENT);
        if let (Some(id), Some(max)) = (session.id(), session.max()) {
            writer.attribute("id", id).attribute("resume", "true");
            writer.attribute_value("max", &max.as_secs());
            writer.attribute_opt("location", session.location());
        }
        writer.end();
    }

    /// Initiator: the peer has enabled it.
    pub(super) fn enabled(&mut self, element: ElementRef<'_>) {
        self.stage = Stage::On;
        self.is_open = false;
        if self.session.0.queue.len() > 0 {
            self.due = Due::Unknown;
        }
        let id = element
            .attribute("id")
            .filter(|id| !id.is_empty() && id.len() <= ID_BYTES);
        if self.config.resumption.is_none() || !is_true(element, "resume") {
            return;
        }
        self.session.0.id = id.map(Box::from);
        self.session.0.location = element.attribute("location").map(Box::from);
        let max = element.attribute("max").and_then(|max| max.parse().ok());
        self.session.0.max = max.map(Duration::from_secs);
    }

    /// Time has passed; says whether the connection is to be given up.
    pub(super) fn handle_timeout(&mut self, output: &mut Vec<u8>, now: Instant) -> bool {
        self.now = now;
        if self.due == Due::Unknown {
            self.due = if self.is_open {
                self.patience(now)
            } else {
                Due::Request(now + self.config.request_delay)
            };
        }
        match self.due {
            Due::Request(at) if at <= now && self.stage == Stage::On => {
                self.request(output);
                self.due = self.patience(now);
                false
            }
            Due::Request(at) if at <= now => {
                // Not agreed on yet; the answer is what is waited for.
                self.is_open = true;
                self.due = self.patience(now);
                false
            }
            Due::Timeout(at) => at <= now,
            _ => false,
        }
    }

    /// How long an acknowledgement is waited for.
    fn patience(&self, now: Instant) -> Due {
        let timeout = self.config.acknowledgement_timeout;
        timeout.map_or(Due::Nothing, |timeout| Due::Timeout(now + timeout))
    }
}

/// Writes what cannot be malformed.
fn write(output: &mut Vec<u8>, write: impl FnOnce(&mut Writer<'_>)) {
    let mut writer = Writer::in_stream(output, ns::CLIENT);
    write(&mut writer);
    let _ = writer.finish();
}

/// Whether XML can carry a text of the configuration.
fn is_writable(text: &str) -> bool {
    let element = Element::build(|writer| {
        writer.start("x", "").text(text).end();
    });
    element.is_ok()
}

/// Writes `<failed/>`.
pub(super) fn failed(condition: StanzaCondition, handled: Option<u32>, writer: &mut Writer<'_>) {
    writer.start("failed", ns::STREAM_MANAGEMENT);
    if let Some(handled) = handled {
        writer.attribute_value("h", &handled);
    }
    writer.empty(condition.as_str(), ns::STANZA_ERRORS).end();
}

/// Which session a request to resume is for, and what the peer has handled of it. An identifier that is too long is
/// nobody's.
pub(super) fn asked_for(resume: ElementRef<'_>) -> Option<(Box<str>, u32)> {
    let id = resume.attribute("previd")?;
    let id = if id.len() > ID_BYTES {
        Box::default()
    } else {
        Box::from(id)
    };
    Some((id, count(resume)?))
}

/// What the peer says it has handled.
fn count(element: ElementRef<'_>) -> Option<u32> {
    element.attribute("h")?.trim().parse().ok()
}

/// A boolean attribute (XML Schema part 2, §3.2.2).
fn is_true(element: ElementRef<'_>, name: &str) -> bool {
    let value = element.attribute(name);
    value.is_some_and(|value| matches!(value.trim(), "true" | "1"))
}

/// The peer has acknowledged what it was never sent (XEP-0198 §6).
fn too_high(error: TooHigh) -> Error {
    let TooHigh { handled, sent } = error;
    let told = StreamError::new(StreamCondition::UndefinedCondition).with_text(alloc::format!(
        "{handled} stanzas acknowledged, {sent} sent"
    ));
    let detail = Element::build(|writer| {
        writer
            .start("handled-count-too-high", ns::STREAM_MANAGEMENT)
            .attribute("h", &handled.to_string())
            .attribute("send-count", &sent.to_string())
            .end();
    });
    Error::Violation(match detail {
        Ok(detail) => told.with_application(detail),
        Err(_) => told,
    })
}

impl fmt::Debug for Management {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Management")
            .field("stage", &self.stage)
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}
