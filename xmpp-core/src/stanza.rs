//! Message, presence and IQ (RFC 6120 §8): views over received elements, and builders that write
//! straight into the output.
//!
//! ```
//! use xmpp_core::jid::Jid;
//! use xmpp_core::stanza::{IqBuilder, IqType, Stanza};
//! use xmpp_core::{ns, ping::Ping};
//! use xmpp_xml::{Element, ToXml};
//!
//! let to: Jid = "example.com".parse()?;
//! let request = Element::build(|writer| IqBuilder::get("p1").to(&to).payload(&Ping).to_xml(writer))?;
//!
//! let Stanza::Iq(iq) = Stanza::parse(request.root())? else { unreachable!() };
//! assert_eq!((iq.kind(), iq.id()), (IqType::Get, "p1"));
//! assert!(iq.payload().is_some_and(|payload| payload.is("ping", ns::PING)));
//!
//! let answer = Element::build(|writer| iq.result().to_xml(writer))?;
//! assert_eq!(answer.to_string(), "<iq xmlns='jabber:client' type='result' id='p1' from='example.com'/>");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A stanza is checked as far as its header goes: addresses are addresses, an IQ has a type and an id,
//! a request has exactly one payload. What fails is answered with [`error_reply`].

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use core::fmt;

use xmpp_xml::{ElementRef, ToXml, Writer};

use crate::error::{StanzaCondition, StanzaError};
use crate::jid::{Address, JidRef};
use crate::language::choose;
use crate::ns;

/// A received stanza.
#[derive(Debug, Clone)]
pub enum Stanza<'a> {
    /// Pushed to the recipient.
    Message(Message<'a>),
    /// Told to everybody who may know.
    Presence(Presence<'a>),
    /// A request or its answer.
    Iq(Iq<'a>),
}

impl<'a> Stanza<'a> {
    /// The stanza that the element is.
    ///
    /// # Errors
    /// [`StanzaFault`] tells the condition with which to answer: `jid-malformed` for an address that is
    /// none, `bad-request` for an unknown type (but see [`MessageType`]), an IQ without id, and a request
    /// without exactly one payload.
    pub fn parse(element: ElementRef<'a>) -> Result<Self, StanzaFault> {
        match StanzaKind::of(element) {
            Some(StanzaKind::Message) => Message::parse(element).map(Self::Message),
            Some(StanzaKind::Presence) => Presence::parse(element).map(Self::Presence),
            Some(StanzaKind::Iq) => Iq::parse(element).map(Self::Iq),
            None => Err(StanzaFault::bad_request("no stanza")),
        }
    }

    /// Which of the three.
    #[must_use]
    pub fn kind(&self) -> StanzaKind {
        match self {
            Self::Message(_) => StanzaKind::Message,
            Self::Presence(_) => StanzaKind::Presence,
            Self::Iq(_) => StanzaKind::Iq,
        }
    }

    /// Who sent it. `None` on a client means its own account (RFC 6120 §8.1.2.1).
    #[must_use]
    pub fn from(&self) -> Option<JidRef<'_>> {
        self.header().from()
    }

    /// For whom it is. `None` on a server means the sender's own account.
    #[must_use]
    pub fn to(&self) -> Option<JidRef<'_>> {
        self.header().to()
    }

    /// The identifier that an answer repeats. An IQ always has one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.header().id.as_deref()
    }

    /// Whether its type is `error`; such stanzas are never answered (RFC 6120 §8.3.1).
    #[must_use]
    pub fn is_error(&self) -> bool {
        match self {
            Self::Message(message) => message.kind == MessageType::Error,
            Self::Presence(presence) => presence.kind == PresenceType::Error,
            Self::Iq(iq) => iq.kind == IqType::Error,
        }
    }

    /// The whole stanza.
    #[must_use]
    pub fn element(&self) -> ElementRef<'a> {
        self.header().element
    }

    fn header(&self) -> &Header<'a> {
        match self {
            Self::Message(message) => &message.header,
            Self::Presence(presence) => &presence.header,
            Self::Iq(iq) => &iq.header,
        }
    }
}

/// The kinds of stanzas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StanzaKind {
    /// `<message/>`
    Message,
    /// `<presence/>`
    Presence,
    /// `<iq/>`
    Iq,
}

impl StanzaKind {
    /// The kind of an element; `None` when it is no stanza.
    #[must_use]
    pub fn of(element: ElementRef<'_>) -> Option<Self> {
        if !matches!(element.namespace(), ns::CLIENT | ns::SERVER) {
            return None;
        }
        match element.name() {
            "message" => Some(Self::Message),
            "presence" => Some(Self::Presence),
            "iq" => Some(Self::Iq),
            _ => None,
        }
    }

    /// The name of the element.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Presence => "presence",
            Self::Iq => "iq",
        }
    }
}

/// What all stanzas have.
#[derive(Debug, Clone)]
struct Header<'a> {
    element: ElementRef<'a>,
    id: Option<Cow<'a, str>>,
    from: Option<Address<'a>>,
    to: Option<Address<'a>>,
}

impl<'a> Header<'a> {
    /// Reads all attributes in one pass; gives the type with them.
    fn parse(element: ElementRef<'a>) -> Result<(Self, Option<Cow<'a, str>>), StanzaFault> {
        let mut header = Self {
            element,
            id: None,
            from: None,
            to: None,
        };
        let mut kind = None;
        for attribute in element
            .attributes()
            .filter(|attribute| attribute.namespace().is_empty())
        {
            match attribute.name() {
                "id" => header.id = Some(attribute.value()),
                "type" => kind = Some(attribute.value()),
                "from" => header.from = Some(address(attribute.value())?),
                "to" => header.to = Some(address(attribute.value())?),
                _ => {}
            }
        }
        Ok((header, kind))
    }

    fn from(&self) -> Option<JidRef<'_>> {
        self.from.as_ref().map(Address::as_ref)
    }

    fn to(&self) -> Option<JidRef<'_>> {
        self.to.as_ref().map(Address::as_ref)
    }
}

fn address(text: Cow<'_, str>) -> Result<Address<'_>, StanzaFault> {
    Address::parse(text).map_err(|_| StanzaFault {
        condition: StanzaCondition::JidMalformed,
        reason: "an address in the header is none",
    })
}

macro_rules! header_methods {
    () => {
        /// Who sent it. `None` on a client means its own account (RFC 6120 §8.1.2.1).
        #[must_use]
        pub fn from(&self) -> Option<JidRef<'_>> {
            self.header.from()
        }

        /// For whom it is. `None` on a server means the sender's own account.
        #[must_use]
        pub fn to(&self) -> Option<JidRef<'_>> {
            self.header.to()
        }

        /// The language of its texts: its own, or that of the stream (RFC 6120 §8.1.5).
        #[must_use]
        pub fn lang(&self) -> Option<Cow<'a, str>> {
            self.header.element.lang()
        }

        /// The whole stanza.
        #[must_use]
        pub fn element(&self) -> ElementRef<'a> {
            self.header.element
        }

        /// The payload of that name; the first, when there are several.
        #[must_use]
        pub fn child(&self, name: &str, namespace: &str) -> Option<ElementRef<'a>> {
            self.header.element.child(name, namespace)
        }
    };
}

/// A received message (RFC 6121 §5).
#[derive(Debug, Clone)]
pub struct Message<'a> {
    header: Header<'a>,
    kind: MessageType,
}

impl<'a> Message<'a> {
    fn parse(element: ElementRef<'a>) -> Result<Self, StanzaFault> {
        let (header, kind) = Header::parse(element)?;
        let kind = kind
            .as_deref()
            .map_or(MessageType::Normal, MessageType::from_name);
        Ok(Self { header, kind })
    }

    /// What kind of conversation it belongs to.
    #[must_use]
    pub fn kind(&self) -> MessageType {
        self.kind
    }

    /// Its identifier.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.header.id.as_deref()
    }

    header_methods!();

    /// The first body.
    #[must_use]
    pub fn body(&self) -> Option<Cow<'a, str>> {
        text(self.header.element, "body")
    }

    /// The bodies, each with its language; of several in one language the first counts (RFC 6121 §5.2.3).
    pub fn bodies(&self) -> impl Iterator<Item = (Option<Cow<'a, str>>, Cow<'a, str>)> + use<'a> {
        texts(self.header.element, "body")
    }

    /// The body in the language that the reader likes best, as [`choose`] chooses it.
    #[must_use]
    pub fn body_in(&self, preferred: &[&str]) -> Option<Cow<'a, str>> {
        choose(self.bodies(), preferred)
    }

    /// The first subject.
    #[must_use]
    pub fn subject(&self) -> Option<Cow<'a, str>> {
        text(self.header.element, "subject")
    }

    /// The subjects, each with its language; of several in one language the first counts
    /// (RFC 6121 §5.2.4).
    pub fn subjects(&self) -> impl Iterator<Item = (Option<Cow<'a, str>>, Cow<'a, str>)> + use<'a> {
        texts(self.header.element, "subject")
    }

    /// The subject in the language that the reader likes best, as [`choose`] chooses it.
    #[must_use]
    pub fn subject_in(&self, preferred: &[&str]) -> Option<Cow<'a, str>> {
        choose(self.subjects(), preferred)
    }

    /// The conversation it belongs to: an opaque identifier (RFC 6121 §5.2.5). The first one, when there
    /// are several, which there must not be.
    #[must_use]
    pub fn thread(&self) -> Option<Cow<'a, str>> {
        text(self.header.element, "thread")
    }

    /// The conversation from which this one branched off (RFC 6121 §5.2.5). `None` also where it is the
    /// same, which says nothing.
    #[must_use]
    pub fn parent_thread(&self) -> Option<Cow<'a, str>> {
        let thread = self.child("thread", self.header.element.namespace())?;
        let parent = thread.attribute("parent")?;
        (parent != thread.text()).then_some(parent)
    }

    /// What went wrong with a message of ours; `None` unless the type is `error`.
    #[must_use]
    pub fn error(&self) -> Option<StanzaError> {
        (self.kind == MessageType::Error).then(|| StanzaError::of(self.header.element))
    }
}

/// The text of the first child of that name in the stanza's namespace.
fn text<'a>(stanza: ElementRef<'a>, name: &str) -> Option<Cow<'a, str>> {
    let child = stanza.child(name, stanza.namespace())?;
    Some(child.text())
}

/// The children of one name in the stanza's namespace, as texts with their languages, one for each
/// language.
fn texts<'a>(
    stanza: ElementRef<'a>,
    name: &'static str,
) -> impl Iterator<Item = (Option<Cow<'a, str>>, Cow<'a, str>)> + use<'a> {
    let namespace = stanza.namespace();
    let around = stanza.lang();
    let mut seen = BTreeSet::new();
    let children = stanza
        .children()
        .filter(move |child| child.is(name, namespace));
    children.filter_map(move |child| {
        // Not `child.lang()`, which would search the stanza again for every child.
        let lang = match child.attribute_ns("lang", ns::XML) {
            Some(own) => Some(own).filter(|own| !own.is_empty()),
            None => around.clone(),
        };
        let is_new = seen.insert(lang.as_ref().map(|lang| lang.to_ascii_lowercase()));
        is_new.then(|| (lang, child.text()))
    })
}

/// What kind of conversation a message belongs to (RFC 6121 §5.2.2). Missing and unknown types are
/// `normal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MessageType {
    /// One of two who talk to each other.
    Chat,
    /// Something is wrong with a message sent earlier.
    Error,
    /// To many, in a room.
    Groupchat,
    /// A notification that expects no answer.
    Headline,
    /// On its own.
    #[default]
    Normal,
}

impl MessageType {
    /// The value of the attribute `type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Error => "error",
            Self::Groupchat => "groupchat",
            Self::Headline => "headline",
            Self::Normal => "normal",
        }
    }

    /// The type of that name; unknown names are `normal`.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "chat" => Self::Chat,
            "error" => Self::Error,
            "groupchat" => Self::Groupchat,
            "headline" => Self::Headline,
            _ => Self::Normal,
        }
    }
}

/// A received presence (RFC 6121 §4).
#[derive(Debug, Clone)]
pub struct Presence<'a> {
    header: Header<'a>,
    kind: PresenceType,
}

impl<'a> Presence<'a> {
    fn parse(element: ElementRef<'a>) -> Result<Self, StanzaFault> {
        let (header, kind) = Header::parse(element)?;
        let kind = match kind.as_deref() {
            None => PresenceType::Available,
            Some(name) => PresenceType::from_name(name)
                .ok_or_else(|| StanzaFault::bad_request("no such type of presence"))?,
        };
        Ok(Self { header, kind })
    }

    /// What it tells or asks.
    #[must_use]
    pub fn kind(&self) -> PresenceType {
        self.kind
    }

    /// Its identifier.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.header.id.as_deref()
    }

    header_methods!();

    /// How available; `None` is plainly available, and so is any value that is not known.
    #[must_use]
    pub fn show(&self) -> Option<Show> {
        Show::from_name(&text(self.header.element, "show")?)
    }

    /// The first text about the availability.
    #[must_use]
    pub fn status(&self) -> Option<Cow<'a, str>> {
        text(self.header.element, "status")
    }

    /// The texts about the availability, each with its language; of several in one language the first
    /// counts (RFC 6121 §4.7.2.2).
    pub fn statuses(&self) -> impl Iterator<Item = (Option<Cow<'a, str>>, Cow<'a, str>)> + use<'a> {
        texts(self.header.element, "status")
    }

    /// The text about the availability in the language that the reader likes best, as [`choose`] chooses
    /// it.
    #[must_use]
    pub fn status_in(&self, preferred: &[&str]) -> Option<Cow<'a, str>> {
        choose(self.statuses(), preferred)
    }

    /// The priority of the resource; 0 when it is missing or out of range (RFC 6121 §4.7.2.3).
    #[must_use]
    pub fn priority(&self) -> i8 {
        let text = text(self.header.element, "priority");
        text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// What went wrong with a presence of ours; `None` unless the type is `error`.
    #[must_use]
    pub fn error(&self) -> Option<StanzaError> {
        (self.kind == PresenceType::Error).then(|| StanzaError::of(self.header.element))
    }
}

/// What a presence tells or asks (RFC 6121 §4.7.1). Other types are a `bad-request`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum PresenceType {
    /// No `type`: the resource is available.
    #[default]
    Available,
    /// Something is wrong with a presence sent earlier.
    Error,
    /// A server asks for the presence of somebody.
    Probe,
    /// The sender wishes to see the recipient's presence.
    Subscribe,
    /// The sender lets the recipient see its presence.
    Subscribed,
    /// The resource is not available any more.
    Unavailable,
    /// The sender does not wish to see the recipient's presence any more.
    Unsubscribe,
    /// The sender does not let the recipient see its presence (any more).
    Unsubscribed,
}

impl PresenceType {
    /// The value of the attribute `type`; available has none.
    #[must_use]
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Self::Available => None,
            Self::Error => Some("error"),
            Self::Probe => Some("probe"),
            Self::Subscribe => Some("subscribe"),
            Self::Subscribed => Some("subscribed"),
            Self::Unavailable => Some("unavailable"),
            Self::Unsubscribe => Some("unsubscribe"),
            Self::Unsubscribed => Some("unsubscribed"),
        }
    }

    /// The type of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "error" => Some(Self::Error),
            "probe" => Some(Self::Probe),
            "subscribe" => Some(Self::Subscribe),
            "subscribed" => Some(Self::Subscribed),
            "unavailable" => Some(Self::Unavailable),
            "unsubscribe" => Some(Self::Unsubscribe),
            "unsubscribed" => Some(Self::Unsubscribed),
            _ => None,
        }
    }

    /// Whether it is about a subscription and not about availability.
    #[must_use]
    pub fn is_subscription(self) -> bool {
        matches!(
            self,
            Self::Subscribe | Self::Subscribed | Self::Unsubscribe | Self::Unsubscribed
        )
    }
}

/// How available a resource is (RFC 6121 §4.7.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Show {
    /// Away for a while.
    Away,
    /// Likes to talk.
    Chat,
    /// Do not disturb.
    Dnd,
    /// Away for longer.
    Xa,
}

impl Show {
    /// The text of `<show/>`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Away => "away",
            Self::Chat => "chat",
            Self::Dnd => "dnd",
            Self::Xa => "xa",
        }
    }

    /// The value of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "away" => Some(Self::Away),
            "chat" => Some(Self::Chat),
            "dnd" => Some(Self::Dnd),
            "xa" => Some(Self::Xa),
            _ => None,
        }
    }
}

/// A received request or answer (RFC 6120 §8.2.3).
#[derive(Debug, Clone)]
pub struct Iq<'a> {
    header: Header<'a>,
    kind: IqType,
}

impl<'a> Iq<'a> {
    fn parse(element: ElementRef<'a>) -> Result<Self, StanzaFault> {
        let (header, kind) = Header::parse(element)?;
        let kind = kind.as_deref().and_then(IqType::from_name);
        let kind = kind.ok_or_else(|| StanzaFault::bad_request("an iq without a known type"))?;
        if header.id.is_none() {
            return Err(StanzaFault::bad_request("an iq without id"));
        }
        let mut payloads = element.children();
        if kind.is_request() && (payloads.next().is_none() || payloads.next().is_some()) {
            return Err(StanzaFault::bad_request(
                "a request without exactly one payload",
            ));
        }
        Ok(Self { header, kind })
    }

    /// Request or answer.
    #[must_use]
    pub fn kind(&self) -> IqType {
        self.kind
    }

    /// Its identifier.
    #[must_use]
    pub fn id(&self) -> &str {
        self.header.id.as_deref().unwrap_or_default()
    }

    header_methods!();

    /// What is asked or answered. A request always has one.
    #[must_use]
    pub fn payload(&self) -> Option<ElementRef<'a>> {
        let namespace = self.header.element.namespace();
        self.header
            .element
            .children()
            .find(|child| !child.is("error", namespace))
    }

    /// Why the request was refused; `None` unless the type is `error`.
    #[must_use]
    pub fn error(&self) -> Option<StanzaError> {
        (self.kind == IqType::Error).then(|| StanzaError::of(self.header.element))
    }

    /// The answer to this request: same id, back to the sender, from the address that was asked.
    pub fn result(&self) -> IqBuilder<'_> {
        let (to, from) = (self.from(), self.to());
        IqBuilder {
            kind: IqType::Result,
            id: self.id(),
            to,
            from,
            refused: None,
            content: Content::None,
        }
    }

    /// The refusal of this request.
    pub fn refusal<'s>(&'s self, error: &'s StanzaError) -> IqBuilder<'s> {
        IqBuilder {
            kind: IqType::Error,
            content: Content::Payload(error),
            ..self.result()
        }
    }

    /// The refusal of this request, with what was asked in front of the error, so that who asked sees what
    /// it is about (RFC 6120 §8.3.1). A payload of more than so many bytes is left out.
    pub fn refusal_with_payload<'s>(
        &'s self,
        error: &'s StanzaError,
        max_bytes: usize,
    ) -> IqBuilder<'s> {
        let payload = self.payload();
        IqBuilder {
            refused: payload.filter(|payload| payload.bytes().len() <= max_bytes),
            ..self.refusal(error)
        }
    }
}

/// The types of IQ (RFC 6120 §8.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IqType {
    /// Asks for something.
    Get,
    /// Asks to change something.
    Set,
    /// Answers.
    Result,
    /// Refuses.
    Error,
}

impl IqType {
    /// The value of the attribute `type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Set => "set",
            Self::Result => "result",
            Self::Error => "error",
        }
    }

    /// The type of that name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "get" => Some(Self::Get),
            "set" => Some(Self::Set),
            "result" => Some(Self::Result),
            "error" => Some(Self::Error),
            _ => None,
        }
    }

    /// Whether it has to be answered: `get` and `set`.
    #[must_use]
    pub fn is_request(self) -> bool {
        matches!(self, Self::Get | Self::Set)
    }
}

/// What is wrong with the header of a stanza.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StanzaFault {
    condition: StanzaCondition,
    reason: &'static str,
}

impl StanzaFault {
    /// The condition with which to answer.
    #[must_use]
    pub fn condition(&self) -> StanzaCondition {
        self.condition
    }

    fn bad_request(reason: &'static str) -> Self {
        Self {
            condition: StanzaCondition::BadRequest,
            reason,
        }
    }
}

impl fmt::Display for StanzaFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.condition, self.reason)
    }
}

impl core::error::Error for StanzaFault {}

impl From<StanzaFault> for StanzaError {
    fn from(fault: StanzaFault) -> Self {
        Self::new(fault.condition).with_text(fault.reason)
    }
}

/// Writes the error that answers a stanza, well-formed header or not: same kind and id, type `error`,
/// addresses swapped (RFC 6120 §8.3.1). Says whether it wrote: errors and results are never answered.
pub fn error_reply(stanza: ElementRef<'_>, error: &StanzaError, writer: &mut Writer<'_>) -> bool {
    error_reply_with_payload(stanza, error, 0, writer)
}

/// Writes the error that answers a stanza as [`error_reply`] does, with the stanza's own content in front
/// of the error, so that who sent it sees what it is about (RFC 6120 §8.3.1). Content of more than so many
/// bytes is left out.
pub fn error_reply_with_payload(
    stanza: ElementRef<'_>,
    error: &StanzaError,
    max_bytes: usize,
    writer: &mut Writer<'_>,
) -> bool {
    let Some(kind) = StanzaKind::of(stanza) else {
        return false;
    };
    let answered = stanza.attribute("type");
    if matches!(
        (kind, answered.as_deref()),
        (_, Some("error")) | (StanzaKind::Iq, Some("result"))
    ) {
        return false;
    }
    let valid = |name| {
        stanza
            .attribute(name)
            .and_then(|text| Address::parse(text).ok())
    };
    let (from, to) = (valid("to"), valid("from"));
    writer
        .start(kind.as_str(), ns::CLIENT)
        .attribute("type", "error");
    writer.attribute_opt("id", stanza.attribute("id").as_deref());
    writer.attribute_opt("from", from.as_ref().map(Address::as_str));
    writer.attribute_opt("to", to.as_ref().map(Address::as_str));
    let bytes = stanza.children().fold(0, |sum: usize, child| {
        sum.saturating_add(child.bytes().len())
    });
    if bytes <= max_bytes {
        let namespace = stanza.namespace();
        let content = stanza
            .children()
            .filter(|child| !child.is("error", namespace));
        for child in content {
            writer.element(child);
        }
    }
    writer.payload(error).end();
    true
}

/// What stands in a stanza that is being written.
#[derive(Clone, Copy)]
enum Content<'p> {
    None,
    Payload(&'p dyn ToXml),
    Payloads(&'p [&'p dyn ToXml]),
}

impl Content<'_> {
    fn write(self, writer: &mut Writer<'_>) {
        match self {
            Self::None => {}
            Self::Payload(payload) => {
                writer.payload(payload);
            }
            Self::Payloads(payloads) => {
                for payload in payloads {
                    writer.payload(*payload);
                }
            }
        }
    }
}

impl fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Payload(_) => "Payload(..)",
            Self::Payloads(_) => "Payloads(..)",
        })
    }
}

/// An IQ to be written.
#[derive(Debug, Clone, Copy)]
#[must_use = "a builder writes nothing until it is given to a writer"]
pub struct IqBuilder<'p> {
    kind: IqType,
    id: &'p str,
    to: Option<JidRef<'p>>,
    from: Option<JidRef<'p>>,
    /// In front of an error: what was asked.
    refused: Option<ElementRef<'p>>,
    content: Content<'p>,
}

impl<'p> IqBuilder<'p> {
    /// Asks for something. The id is to be unique among the requests of the stream.
    pub fn get(id: &'p str) -> Self {
        Self {
            kind: IqType::Get,
            id,
            to: None,
            from: None,
            refused: None,
            content: Content::None,
        }
    }

    /// Asks to change something.
    pub fn set(id: &'p str) -> Self {
        Self {
            kind: IqType::Set,
            ..Self::get(id)
        }
    }

    /// Answers the request of that id; [`Iq::result`] fills in the addresses too.
    pub fn result(id: &'p str) -> Self {
        Self {
            kind: IqType::Result,
            ..Self::get(id)
        }
    }

    /// Refuses the request of that id; [`Iq::refusal`] fills in the addresses too.
    pub fn error(id: &'p str, error: &'p StanzaError) -> Self {
        Self {
            kind: IqType::Error,
            content: Content::Payload(error),
            ..Self::get(id)
        }
    }

    /// For whom. Default: the sender's own account.
    pub fn to(mut self, to: impl Into<JidRef<'p>>) -> Self {
        self.to = Some(to.into());
        self
    }

    /// From whom. Default: nothing, a client's server adds it.
    pub fn from(mut self, from: impl Into<JidRef<'p>>) -> Self {
        self.from = Some(from.into());
        self
    }

    /// What is asked or answered. Default: nothing, which only an answer may have.
    pub fn payload(mut self, payload: &'p dyn ToXml) -> Self {
        self.content = Content::Payload(payload);
        self
    }
}

impl ToXml for IqBuilder<'_> {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        writer
            .start("iq", ns::CLIENT)
            .attribute("type", self.kind.as_str());
        writer.attribute("id", self.id);
        addresses(writer, self.from, self.to);
        if let Some(refused) = self.refused {
            writer.element(refused);
        }
        self.content.write(writer);
        writer.end();
    }
}

/// A message to be written.
#[derive(Debug, Clone, Copy)]
#[must_use = "a builder writes nothing until it is given to a writer"]
pub struct MessageBuilder<'p> {
    kind: MessageType,
    id: Option<&'p str>,
    to: Option<JidRef<'p>>,
    from: Option<JidRef<'p>>,
    lang: Option<&'p str>,
    subject: Option<&'p str>,
    subjects: &'p [(&'p str, &'p str)],
    body: Option<&'p str>,
    bodies: &'p [(&'p str, &'p str)],
    thread: Option<&'p str>,
    parent_thread: Option<&'p str>,
    content: Content<'p>,
}

impl<'p> MessageBuilder<'p> {
    /// A message of that type.
    pub fn new(kind: MessageType) -> Self {
        Self {
            kind,
            id: None,
            to: None,
            from: None,
            lang: None,
            subject: None,
            subjects: &[],
            body: None,
            bodies: &[],
            thread: None,
            parent_thread: None,
            content: Content::None,
        }
    }

    /// For whom. Default: the sender's own account.
    pub fn to(mut self, to: impl Into<JidRef<'p>>) -> Self {
        self.to = Some(to.into());
        self
    }

    /// From whom. Default: nothing, a client's server adds it.
    pub fn from(mut self, from: impl Into<JidRef<'p>>) -> Self {
        self.from = Some(from.into());
        self
    }

    /// Its identifier. Default: none.
    pub fn id(mut self, id: &'p str) -> Self {
        self.id = Some(id);
        self
    }

    /// The language of its texts (RFC 5646). Default: that of the stream.
    pub fn lang(mut self, lang: &'p str) -> Self {
        self.lang = Some(lang);
        self
    }

    /// Its subject. Default: none.
    pub fn subject(mut self, subject: &'p str) -> Self {
        self.subject = Some(subject);
        self
    }

    /// Its text. Default: none.
    pub fn body(mut self, body: &'p str) -> Self {
        self.body = Some(body);
        self
    }

    /// Its subject in other languages: language (RFC 5646) and text. Default: none. Of several in one
    /// language the first is written.
    pub fn subjects(mut self, subjects: &'p [(&'p str, &'p str)]) -> Self {
        self.subjects = subjects;
        self
    }

    /// Its text in other languages: language (RFC 5646) and text. Default: none. Of several in one
    /// language the first is written.
    pub fn bodies(mut self, bodies: &'p [(&'p str, &'p str)]) -> Self {
        self.bodies = bodies;
        self
    }

    /// The conversation it belongs to. Default: none.
    pub fn thread(mut self, thread: &'p str) -> Self {
        self.thread = Some(thread);
        self
    }

    /// The conversation from which that one branched off. Default: none. It is not written without a
    /// thread, nor when it is the same.
    pub fn parent_thread(mut self, parent: &'p str) -> Self {
        self.parent_thread = Some(parent);
        self
    }

    /// One payload. Default: none.
    pub fn payload(mut self, payload: &'p dyn ToXml) -> Self {
        self.content = Content::Payload(payload);
        self
    }

    /// Several payloads, instead of the one.
    pub fn payloads(mut self, payloads: &'p [&'p dyn ToXml]) -> Self {
        self.content = Content::Payloads(payloads);
        self
    }
}

impl ToXml for MessageBuilder<'_> {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        writer.start("message", ns::CLIENT);
        if self.kind != MessageType::Normal {
            writer.attribute("type", self.kind.as_str());
        }
        writer.attribute_opt("id", self.id);
        addresses(writer, self.from, self.to);
        if let Some(lang) = self.lang {
            writer.lang(lang);
        }
        write_texts(writer, "subject", (self.lang, self.subject), self.subjects);
        write_texts(writer, "body", (self.lang, self.body), self.bodies);
        if let Some(thread) = self.thread {
            let parent = self.parent_thread.filter(|parent| *parent != thread);
            writer
                .start("thread", ns::CLIENT)
                .attribute_opt("parent", parent);
            writer.text(thread).end();
        }
        self.content.write(writer);
        writer.end();
    }
}

/// A presence to be written.
#[derive(Debug, Clone, Copy)]
#[must_use = "a builder writes nothing until it is given to a writer"]
pub struct PresenceBuilder<'p> {
    kind: PresenceType,
    id: Option<&'p str>,
    to: Option<JidRef<'p>>,
    from: Option<JidRef<'p>>,
    show: Option<Show>,
    status: Option<&'p str>,
    statuses: &'p [(&'p str, &'p str)],
    priority: i8,
    content: Content<'p>,
}

impl<'p> PresenceBuilder<'p> {
    /// A presence of that type.
    pub fn new(kind: PresenceType) -> Self {
        Self {
            kind,
            id: None,
            to: None,
            from: None,
            show: None,
            status: None,
            statuses: &[],
            priority: 0,
            content: Content::None,
        }
    }

    /// For whom. Default: everybody who may know.
    pub fn to(mut self, to: impl Into<JidRef<'p>>) -> Self {
        self.to = Some(to.into());
        self
    }

    /// From whom. Default: nothing, a client's server adds it.
    pub fn from(mut self, from: impl Into<JidRef<'p>>) -> Self {
        self.from = Some(from.into());
        self
    }

    /// Its identifier. Default: none.
    pub fn id(mut self, id: &'p str) -> Self {
        self.id = Some(id);
        self
    }

    /// How available. Default: plainly available.
    pub fn show(mut self, show: Show) -> Self {
        self.show = Some(show);
        self
    }

    /// A text about the availability. Default: none.
    pub fn status(mut self, status: &'p str) -> Self {
        self.status = Some(status);
        self
    }

    /// The text about the availability in other languages: language (RFC 5646) and text. Default: none. Of
    /// several in one language the first is written.
    pub fn statuses(mut self, statuses: &'p [(&'p str, &'p str)]) -> Self {
        self.statuses = statuses;
        self
    }

    /// The priority of the resource, -128 to 127. Default: 0. With a negative one it gets no messages
    /// that are for the account.
    pub fn priority(mut self, priority: i8) -> Self {
        self.priority = priority;
        self
    }

    /// One payload. Default: none.
    pub fn payload(mut self, payload: &'p dyn ToXml) -> Self {
        self.content = Content::Payload(payload);
        self
    }

    /// Several payloads, instead of the one.
    pub fn payloads(mut self, payloads: &'p [&'p dyn ToXml]) -> Self {
        self.content = Content::Payloads(payloads);
        self
    }
}

impl ToXml for PresenceBuilder<'_> {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        writer
            .start("presence", ns::CLIENT)
            .attribute_opt("type", self.kind.as_str());
        writer.attribute_opt("id", self.id);
        addresses(writer, self.from, self.to);
        if let Some(show) = self.show {
            writer.start("show", ns::CLIENT).text(show.as_str()).end();
        }
        write_texts(writer, "status", (None, self.status), self.statuses);
        if self.priority != 0 {
            writer
                .start("priority", ns::CLIENT)
                .text_value(&self.priority)
                .end();
        }
        self.content.write(writer);
        writer.end();
    }
}

/// Writes a text in the language around it, and in others that are not the same (RFC 6121 §5.2.3).
fn write_texts(
    writer: &mut Writer<'_>,
    name: &str,
    (lang, text): (Option<&str>, Option<&str>),
    others: &[(&str, &str)],
) {
    let mut seen = BTreeSet::new();
    if let Some(text) = text {
        writer.start(name, ns::CLIENT).text(text).end();
        seen.extend(lang.map(str::to_ascii_lowercase));
    }
    for (lang, text) in others {
        if seen.insert(lang.to_ascii_lowercase()) {
            writer.start(name, ns::CLIENT).lang(lang).text(text).end();
        }
    }
}

fn addresses(writer: &mut Writer<'_>, from: Option<JidRef<'_>>, to: Option<JidRef<'_>>) {
    writer.attribute_opt("from", from.map(JidRef::as_str));
    writer.attribute_opt("to", to.map(JidRef::as_str));
}
