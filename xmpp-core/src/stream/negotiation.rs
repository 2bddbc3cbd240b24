//! What lasts until the stream is established: the features and the state they share.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use xmpp_sasl::{BearerError, Channel, Condition, ServerConfig};
use xmpp_xml::{ElementRef, Writer};

use super::bind::{BindInitiator, BindReceiver};
use super::component::{Audience, ComponentAnswer, ComponentInitiator, ComponentReceiver, Login};
use super::error::{Error, FeatureKind};
use super::event::{CredentialsAnswer, Event, Ticket};
use super::fast::{FastToken, FastTokens, TokenUse};
use super::framing::Wire;
use super::management::{
    EnableInitiator, ManagedSession, Management, ManagementConfig, ManagementReceiver,
    ResumeInitiator, Resumption,
};
use super::offers::{self, Offers};
use super::sasl::{SaslInitiator, SaslReceiver};
use super::sasl2::{Sasl2Initiator, Sasl2Receiver};
use super::session::{SessionInitiator, SessionReceiver};
use super::starttls::{StartTlsInitiator, StartTlsReceiver};
use super::task::TaskAnswer;
use super::{Encryption, InitiatorConfig, ReceiverConfig};
use crate::datetime::DateTime;
use crate::entropy::Entropy;
use crate::error::{StanzaError, StreamCondition, StreamError};
use crate::jid::Jid;
use crate::ns;

/// Something that is negotiated. Which one comes when follows from what each of them needs.
///
/// An initiator parses the offers, begins one and handles what comes back. A receiver lists its offers
/// and handles what the peer picks.
pub(super) trait Feature: Send + Sync {
    /// When it has its turn.
    fn terms(&self) -> Terms;

    /// Receiver: writes the offer.
    fn list(&self, _: &Shared, _: &mut Writer<'_>) {}

    /// Receiver: whether the element belongs to this feature.
    fn takes(&self, _: ElementRef<'_>) -> bool {
        false
    }

    /// Receiver: the peer picked it at a time when it is not offered.
    fn refuse(&mut self, _: &mut Context<'_>) -> Result<Progress, Error> {
        Err(violation(
            StreamCondition::NotAuthorized,
            "that is not offered now",
        ))
    }

    /// Initiator: reads the offer; says whether to take it up.
    fn parse(&mut self, _: ElementRef<'_>) -> bool {
        true
    }

    /// Initiator: takes the offer up.
    fn begin(&mut self, _: &mut Context<'_>) -> Result<Progress, Error> {
        Ok(Progress::Done)
    }

    /// An element arrived that belongs to the feature, or, for an initiator, while it is active.
    fn handle(&mut self, element: ElementRef<'_>, _: &mut Context<'_>) -> Result<Progress, Error>;

    /// The application answered the ticket.
    fn answer(&mut self, _: Answer<'_>, _: &mut Context<'_>) -> Result<Progress, Error> {
        Ok(Progress::Open)
    }
}

/// What a feature is, and when it has its turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) kind: FeatureKind,
    /// The element that lists it in `<stream:features/>`.
    element: (&'static str, &'static str),
    /// What must be reached before.
    necessary: Facts,
    /// What must not have been reached.
    prohibited: Facts,
    /// Initiator: whether there is a stream without it.
    is_optional: bool,
}

impl Terms {
    pub(super) const fn new(kind: FeatureKind, element: (&'static str, &'static str)) -> Self {
        Self {
            kind,
            element,
            necessary: Facts::NONE,
            prohibited: Facts::NONE,
            is_optional: false,
        }
    }

    pub(super) const fn after(mut self, necessary: Facts) -> Self {
        self.necessary = necessary;
        self
    }

    pub(super) const fn until(mut self, prohibited: Facts) -> Self {
        self.prohibited = prohibited;
        self
    }

    pub(super) const fn optional(mut self) -> Self {
        self.is_optional = true;
        self
    }
}

/// How far a feature has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// It goes on when the peer answers.
    Wait,
    /// It goes on when the application answers the ticket.
    Answer(Ticket),
    /// It ended without result; the peer may pick again.
    Open,
    /// The transport does its handshake now.
    Handshake,
    /// Both sides begin a new stream on the same connection.
    Restart,
    /// New features follow on the same stream.
    Features,
    /// Receiver: a resource is bound; new features follow, and then stanzas.
    Bound,
    /// The next feature is due.
    Done,
}

/// What an open ticket asks the application for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Credentials,
    Tokens,
    Bearer,
    Certificate,
    Task,
    Upgrade,
    Bind,
    Resume,
    Component,
}

/// The application's answer to a ticket.
pub(super) enum Answer<'a> {
    Credentials(CredentialsAnswer),
    /// With the time of day.
    Tokens(Result<&'a mut FastTokens, Condition>, DateTime),
    /// Whose token it is.
    Bearer(Result<Jid, BearerError>),
    /// Whether there is that account.
    Certificate(bool),
    Task(TaskAnswer),
    /// Whether keys are wanted.
    Upgrade(bool),
    Bind(Result<Jid, StanzaError>),
    Resume(Resumption),
    Component(ComponentAnswer),
}

/// What was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts(u8);

impl Facts {
    pub(super) const NONE: Self = Self(0);
    pub(super) const SECURE: Self = Self(1);
    pub(super) const AUTHENTICATED: Self = Self(2);
    pub(super) const BOUND: Self = Self(4);
    /// The session of a stream before goes on.
    pub(super) const RESUMED: Self = Self(8);

    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

#[derive(Debug, Clone)]
pub(super) enum Config {
    Initiator(Arc<InitiatorConfig>),
    Receiver(Arc<ReceiverConfig>),
}

impl Config {
    pub(super) fn wire(&self) -> Wire {
        match self {
            Self::Initiator(config) => config.wire(),
            Self::Receiver(config) => config.wire(),
        }
    }

    /// Receiver of clients: how they authenticate.
    pub(super) fn sasl(&self) -> Option<&ServerConfig> {
        match self {
            Self::Receiver(config) => match &config.audience {
                Audience::Clients(sasl) => Some(sasl),
                Audience::Components => None,
            },
            Self::Initiator(_) => None,
        }
    }

    /// How the stream is encrypted, as its framing has it.
    pub(super) fn encryption(&self) -> Encryption {
        let encryption = match self {
            Self::Initiator(config) => config.encryption,
            Self::Receiver(config) => config.encryption,
        };
        match (self.wire(), encryption) {
            (Wire::WebSocket | Wire::Component, Encryption::Required) => Encryption::Direct,
            _ => encryption,
        }
    }
}

/// What the features share.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) entropy: Entropy,
    pub(super) facts: Facts,
    /// The channel below, for binding to it.
    pub(super) channel: Channel,
    /// Receiver: whom the client's certificate names.
    pub(super) identities: Vec<Jid>,
    /// The identifier of the current stream.
    pub(super) id: Option<Box<str>>,
    /// Initiator: whether the receiver was told that the client begins inactive.
    pub(super) is_inactive: bool,
    /// Initiator: the token to log in with, until it is tried.
    pub(super) token: Option<(FastToken, TokenUse)>,
    /// Receiver: whether what comes in may have been sent by somebody who repeats it.
    pub(super) is_early: bool,
    /// Receiver: how often authentication has failed.
    pub(super) failures: u8,
    /// Receiver: nothing may come in but what belongs to SASL2.
    pub(super) is_exclusive: bool,
    /// Receiver: the domain that the peer wants.
    pub(super) host: Option<Jid>,
    /// Receiver: who the peer says it is, in the header of the current stream.
    pub(super) from: Option<Jid>,
    /// The bare address that authenticated.
    pub(super) account: Option<Jid>,
    /// The full address that was bound.
    pub(super) bound: Option<Jid>,
    /// Initiator: the session of a stream before, until the receiver goes on with it.
    pub(super) resuming: Option<ManagedSession>,
    /// Initiator: what needs no negotiation.
    pub(super) offers: Offers,
    /// The management of the stream that is about to be established.
    pub(super) management: Option<Management>,
    tickets: u32,
    /// What the ticket that was given last is about.
    pub(super) question: Option<Question>,
}

impl Shared {
    /// How the stream is managed, if it is.
    pub(super) fn management_config(&self) -> Option<&ManagementConfig> {
        match &self.config {
            Config::Initiator(config) => config.management.as_ref(),
            Config::Receiver(config) => config.management.as_ref(),
        }
    }

    /// The stream goes on with that session.
    pub(super) fn go_on(&mut self, session: ManagedSession) {
        self.facts = self.facts.with(Facts::BOUND).with(Facts::RESUMED);
        self.bound = Some(session.jid().clone());
        let config = self.management_config().cloned().unwrap_or_default();
        self.management = Some(Management::resumed(session, config));
    }

    pub(super) fn ticket(&mut self, question: Question) -> Ticket {
        self.tickets = self.tickets.wrapping_add(1);
        self.question = Some(question);
        Ticket(self.tickets)
    }

    /// After TLS all that was learned before is void (RFC 6120 §5.4.3.3).
    pub(super) fn forget(&mut self) {
        self.facts = Facts::NONE;
        (self.host, self.from, self.account, self.bound) = (None, None, None, None);
    }
}

/// What a feature works on.
pub(super) struct Context<'c> {
    pub(super) shared: &'c mut Shared,
    pub(super) output: &'c mut Vec<u8>,
    pub(super) events: &'c mut VecDeque<Event>,
    /// Whether bytes follow the element in the same input.
    pub(super) more_input: bool,
}

impl Context<'_> {
    /// Writes what cannot be malformed: no text of the peer's but what XML carried.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut Writer<'_>)) -> Result<(), Error> {
        let mut writer = Writer::in_stream(self.output, ns::CLIENT);
        write(&mut writer);
        writer.finish().map_err(|error| {
            let error =
                StreamError::new(StreamCondition::InternalServerError).with_text(error.to_string());
            Error::Failed(error)
        })
    }
}

/// Where the negotiation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The transport does its handshake.
    Handshake,
    /// The peer's header is due.
    Header,
    /// Initiator: the list of features is due.
    Features,
    /// Receiver: the peer picks a feature or goes on with one.
    Choice,
    /// Initiator: that feature is being negotiated.
    Active(usize),
    /// That feature waits for the application.
    Answer(usize, Ticket),
}

/// Dropped when the stream is established.
pub(super) struct Negotiation {
    pub(super) shared: Shared,
    pub(super) phase: Phase,
    pub(super) features: Vec<Slot>,
    /// Initiator: a mandatory feature that is not known.
    unknown: Option<(String, String)>,
    /// The bytes that were received before authentication.
    pub(super) received: u64,
}

pub(super) struct Slot {
    pub(super) feature: Box<dyn Feature>,
    /// Initiator: whether it was offered and is to be taken up.
    offered: bool,
}

/// What an initiator does next.
pub(super) enum Choice {
    Begin(usize),
    Complete,
}

impl Negotiation {
    pub(super) fn new(config: Config, entropy: Entropy) -> Self {
        let encryption = config.encryption();
        let secure = needs_tls(encryption);
        let mut features: Vec<Box<dyn Feature>> = Vec::with_capacity(4);
        match &config {
            Config::Initiator(config) if let Login::Component(secret) = &config.login => {
                features.push(Box::new(ComponentInitiator::new(secret.clone())));
            }
            Config::Receiver(config) if matches!(config.audience, Audience::Components) => {
                features.push(Box::new(ComponentReceiver::default()));
            }
            Config::Initiator(config) => {
                if encryption == Encryption::Required {
                    features.push(Box::new(StartTlsInitiator));
                }
                if let Some(sasl2) = &config.sasl2 {
                    features.push(Box::new(Sasl2Initiator::new(sasl2.clone())));
                }
                features.push(Box::new(SaslInitiator::new(secure)));
                if config.management.is_some() {
                    features.push(Box::new(ResumeInitiator));
                }
                features.push(Box::new(BindInitiator::default()));
                features.push(Box::new(SessionInitiator::default()));
                if config.management.is_some() {
                    features.push(Box::new(EnableInitiator));
                }
            }
            Config::Receiver(config) => {
                features.push(Box::new(StartTlsReceiver::new(encryption)));
                if config.sasl2 {
                    features.push(Box::new(Sasl2Receiver::default()));
                }
                // There nobody could be asked for more than a mechanism.
                if !config.tasks {
                    features.push(Box::new(SaslReceiver::new(secure)));
                }
                features.push(Box::new(BindReceiver::default()));
                if config.legacy_session {
                    features.push(Box::new(SessionReceiver));
                }
                if config.management.is_some() {
                    features.push(Box::new(ManagementReceiver::default()));
                }
            }
        }
        let direct = encryption == Encryption::Direct;
        Self {
            shared: Shared {
                config,
                entropy,
                facts: Facts::NONE,
                channel: Channel::cleartext(),
                identities: Vec::new(),
                id: None,
                is_inactive: false,
                token: None,
                is_early: false,
                failures: 0,
                is_exclusive: false,
                host: None,
                from: None,
                account: None,
                bound: None,
                resuming: None,
                offers: Offers::default(),
                management: None,
                tickets: 0,
                question: None,
            },
            phase: if direct {
                Phase::Handshake
            } else {
                Phase::Header
            },
            features: features
                .into_iter()
                .map(|feature| Slot {
                    feature,
                    offered: false,
                })
                .collect(),
            unknown: None,
            received: 0,
        }
    }

    pub(super) fn is_permitted(&self, feature: &dyn Feature) -> bool {
        let (facts, terms) = (self.shared.facts, feature.terms());
        facts.contains(terms.necessary) && !facts.meets(terms.prohibited)
    }

    /// Receiver: lists what is permitted now.
    pub(super) fn list(&self, writer: &mut Writer<'_>) {
        writer.start("features", ns::STREAMS);
        for slot in &self.features {
            if self.is_permitted(&*slot.feature) {
                slot.feature.list(&self.shared, writer);
            }
        }
        if let Config::Receiver(config) = &self.shared.config {
            let facts = self.shared.facts;
            let is_authenticated = facts.contains(Facts::AUTHENTICATED);
            // Nothing stands beside a STARTTLS that is required (RFC 6120 §5.3.1).
            if facts.contains(Facts::SECURE) || !needs_tls(config.encryption) {
                offers::list(config, is_authenticated, writer);
            }
            for (name, namespace) in config.announced.iter().filter(|_| is_authenticated) {
                writer.empty(name, namespace);
            }
        }
        writer.end();
    }

    /// Initiator: reads the list.
    pub(super) fn parse(&mut self, features: ElementRef<'_>) {
        self.unknown = None;
        self.shared.offers = Offers::read(features);
        for slot in &mut self.features {
            slot.offered = false;
        }
        for offer in features.children() {
            let mut is_known = false;
            for slot in &mut self.features {
                let (name, namespace) = slot.feature.terms().element;
                if offer.is(name, namespace) {
                    slot.offered = slot.feature.parse(offer);
                    is_known = true;
                }
            }
            if !is_known && offer.child("required", offer.namespace()).is_some() {
                let name = || (offer.name().to_string(), offer.namespace().to_string());
                self.unknown.get_or_insert_with(name);
            }
        }
    }

    /// Initiator: the first feature that is permitted and offered. One that is needed and missing ends
    /// the stream, and so does, when nothing else is left, one that is demanded and unknown.
    pub(super) fn choose(&mut self) -> Result<Choice, Error> {
        let mut missing = None;
        for (index, slot) in self.features.iter().enumerate() {
            if !self.is_permitted(&*slot.feature) {
                continue;
            }
            if slot.offered {
                return Ok(Choice::Begin(index));
            }
            let terms = slot.feature.terms();
            if !terms.is_optional {
                missing = Some(terms.kind);
                break;
            }
        }
        match (self.unknown.take(), missing) {
            (Some((name, namespace)), _) => Err(Error::UnknownFeature { name, namespace }),
            (None, Some(kind)) => Err(Error::NotOffered(kind)),
            (None, None) => Ok(Choice::Complete),
        }
    }

    /// A feature is done: it is not taken up a second time from the same list.
    pub(super) fn take_offer(&mut self, index: usize) {
        if let Some(slot) = self.features.get_mut(index) {
            slot.offered = false;
        }
    }
}

fn needs_tls(encryption: Encryption) -> bool {
    encryption != Encryption::None
}

pub(super) fn violation(condition: StreamCondition, text: &str) -> Error {
    Error::Violation(StreamError::new(condition).with_text(text))
}
