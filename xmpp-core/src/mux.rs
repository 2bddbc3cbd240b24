//! Who gets which stanza: handlers by kind, payload name and namespace, and the replies to one's own
//! requests.
//!
//! A [`Mux`] knows handlers only as values of the caller's, for instance of an enum with one variant per
//! engine, and says for each stanza which it is for. A request that nobody handles is answered at once,
//! and only there.
//!
//! ```
//! use std::time::Duration;
//! use xmpp_core::mux::{Mux, Routed, Selector};
//! use xmpp_core::{ns, time::Instant};
//! use xmpp_xml::{Element, Writer};
//!
//! #[derive(Debug, PartialEq, Clone, Copy)]
//! enum Engine {
//!     Disco,
//! }
//!
//! let mut mux: Mux<Engine, &str> = Mux::new("juliet@example.com/balcony".parse()?);
//! mux.register(Selector::iq_get("query", ns::DISCO_INFO), Engine::Disco);
//! mux.request("r1", None, "my roster", Instant::ORIGIN + Duration::from_secs(30))?;
//!
//! let mut out = Vec::new();
//! let mut route = |xml: &str| -> Result<String, Box<dyn std::error::Error>> {
//!     let element = Element::parse(xml)?;
//!     let mut writer = Writer::in_stream(&mut out, ns::CLIENT);
//!     let routed = match mux.handle_element(element.root(), &mut writer) {
//!         Routed::Handler { handler, .. } => format!("for {handler:?}"),
//!         Routed::Reply { request, .. } => format!("reply about {request}"),
//!         Routed::Answered => "answered".into(),
//!         other => format!("{other:?}"),
//!     };
//!     writer.finish()?;
//!     Ok(routed)
//! };
//! let request = |namespace| {
//!     format!("<iq xmlns='jabber:client' type='get' id='7'><query xmlns='{namespace}'/></iq>")
//! };
//! assert_eq!(route(&request(ns::DISCO_INFO))?, "for Disco");
//! assert_eq!(route(&request("urn:example:unknown"))?, "answered");
//! assert_eq!(route("<iq xmlns='jabber:client' type='result' id='r1'/>")?, "reply about my roster");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;

use xmpp_xml::{ElementRef, Writer};

use crate::error::{StanzaCondition, StanzaError};
use crate::jid::{Jid, JidRef};
use crate::stanza::{Iq, IqType, Stanza, StanzaKind, error_reply};
use crate::time::Instant;

/// Finds the handler of a stanza, and the request that a reply belongs to. `H` stands for a handler, `R`
/// for a request of the caller's.
#[derive(Debug)]
pub struct Mux<H, R> {
    own: Jid,
    /// In the order of the selectors.
    handlers: Vec<(Selector, H)>,
    requests: BTreeMap<Box<str>, Request<R>>,
    limit: usize,
    /// Not later than the first deadline.
    earliest: Option<Instant>,
    events: VecDeque<Event<R>>,
}

impl<H, R> Mux<H, R> {
    /// Routes what is for that address, which is the full address of a client's stream. Nothing is
    /// handled yet; 1,024 requests may be open at a time.
    #[must_use]
    pub fn new(own: Jid) -> Self {
        Self {
            own,
            handlers: Vec::new(),
            requests: BTreeMap::new(),
            limit: 1024,
            earliest: None,
            events: VecDeque::new(),
        }
    }

    /// How many requests may be open at a time. Default: 1,024. An open request costs its id, the address
    /// of its peer and what the caller keeps with it.
    #[must_use]
    pub fn request_limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// How many requests are open.
    #[must_use]
    pub fn open_requests(&self) -> usize {
        self.requests.len()
    }

    /// A stanza has arrived. What has to be answered here is written: a header that is malformed, and a
    /// request that nobody handles.
    pub fn handle_element<'a>(
        &mut self,
        element: ElementRef<'a>,
        writer: &mut Writer<'_>,
    ) -> Routed<'_, 'a, H, R> {
        let stanza = match Stanza::parse(element) {
            Ok(stanza) => stanza,
            Err(fault) => {
                let wrote = error_reply(element, &fault.into(), writer);
                return if wrote {
                    Routed::Answered
                } else {
                    Routed::Ignored
                };
            }
        };
        match &stanza {
            Stanza::Iq(iq) if !iq.kind().is_request() => match self.take_request(iq) {
                Some(request) => Routed::Reply { request, stanza },
                None => Routed::Ignored,
            },
            Stanza::Iq(iq) => {
                let found = iq.payload().and_then(|payload| {
                    self.find(StanzaKind::Iq, Some(iq.kind()), payload)
                        .map(|at| (at, payload))
                });
                match found.and_then(|(at, payload)| Some((self.handlers.get(at)?, payload))) {
                    Some(((_, handler), payload)) => Routed::Handler {
                        handler,
                        stanza,
                        payload,
                    },
                    None => {
                        let condition = self.refusal(iq);
                        writer.payload(&iq.refusal(&StanzaError::new(condition)));
                        Routed::Answered
                    }
                }
            }
            Stanza::Message(_) | Stanza::Presence(_) => {
                let found = element.children().find_map(|payload| {
                    self.find(stanza.kind(), None, payload)
                        .map(|at| (at, payload))
                });
                match found.and_then(|(at, payload)| Some((self.handlers.get(at)?, payload))) {
                    Some(((_, handler), payload)) => Routed::Handler {
                        handler,
                        stanza,
                        payload,
                    },
                    None => Routed::Unhandled(stanza),
                }
            }
        }
    }

    /// Time has passed: gives up the requests that were not answered in time.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.earliest.is_none_or(|earliest| earliest > now) {
            return;
        }
        let expired = self
            .requests
            .extract_if(.., |_, request| request.deadline <= now);
        self.events
            .extend(expired.map(|(_, request)| Event::Expired(request.token)));
        self.earliest = self.requests.values().map(|request| request.deadline).min();
    }

    /// The stream is gone: no reply will come to any open request.
    pub fn handle_disconnected(&mut self) {
        let requests = core::mem::take(&mut self.requests);
        self.events.extend(
            requests
                .into_values()
                .map(|request| Event::Lost(request.token)),
        );
        self.earliest = None;
    }

    /// Lets a handler have what the selector describes. Gives the one that had it before.
    pub fn register(&mut self, selector: Selector, handler: H) -> Option<H> {
        match self
            .handlers
            .binary_search_by(|(known, _)| known.cmp(&selector))
        {
            Ok(at) => {
                let (_, known) = self.handlers.get_mut(at)?;
                Some(core::mem::replace(known, handler))
            }
            Err(at) => {
                self.handlers.insert(at, (selector, handler));
                None
            }
        }
    }

    /// Takes it away again.
    pub fn unregister(&mut self, selector: &Selector) -> Option<H> {
        let at = self
            .handlers
            .binary_search_by(|(known, _)| known.cmp(selector))
            .ok()?;
        Some(self.handlers.remove(at).1)
    }

    /// A request of that id is about to be sent; `to` is `None` for one's own account. Its reply, from
    /// that peer only, is given with `token`, or the token comes back as [`Event::Expired`].
    ///
    /// # Errors
    /// [`RequestError`], when it must not be sent.
    pub fn request(
        &mut self,
        id: impl Into<Box<str>>,
        to: Option<JidRef<'_>>,
        token: R,
        deadline: Instant,
    ) -> Result<(), RequestError> {
        let id = id.into();
        if self.requests.contains_key(&id) {
            return Err(RequestError::SameId);
        }
        if self.requests.len() >= self.limit {
            return Err(RequestError::TooMany);
        }
        let request = Request {
            to: to.map(JidRef::to_jid),
            token,
            deadline,
        };
        self.requests.insert(id, request);
        self.earliest = Some(
            self.earliest
                .map_or(deadline, |earliest| earliest.min(deadline)),
        );
        Ok(())
    }

    /// The caller does not wait for that reply any more.
    pub fn cancel(&mut self, id: &str) -> Option<R> {
        self.requests.remove(id).map(|request| request.token)
    }

    /// What became of requests without reply.
    pub fn poll_event(&mut self) -> Option<Event<R>> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` for never.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.earliest
    }

    /// The request that this is the reply to. One from elsewhere may not even guess the id
    /// (RFC 6120 §8.2.3).
    fn take_request(&mut self, iq: &Iq<'_>) -> Option<R> {
        let request = self.requests.get(iq.id())?;
        let to = request.to.as_ref().map(Jid::as_ref);
        if iq.from() != to && !(self.is_home(iq.from()) && self.is_home(to)) {
            return None;
        }
        let request = self.requests.remove(iq.id())?;
        if self.requests.is_empty() {
            self.earliest = None;
        }
        Some(request.token)
    }

    /// The own account and its server, for which a client's server speaks with or without address.
    fn is_home(&self, address: Option<JidRef<'_>>) -> bool {
        let Some(address) = address else { return true };
        let is_server = address.local().is_none() && address.resource().is_none();
        address == self.own.as_ref()
            || address == self.own.to_bare_ref()
            || is_server && address.domain() == self.own.domain()
    }

    fn find(
        &self,
        stanza: StanzaKind,
        kind: Option<IqType>,
        payload: ElementRef<'_>,
    ) -> Option<usize> {
        let wanted = (stanza, kind, payload.namespace(), payload.name());
        self.handlers
            .binary_search_by(|(known, _)| known.key().cmp(&wanted))
            .ok()
    }

    /// A namespace that is known but not the element in it is a feature that is missing
    /// (RFC 6120 §8.4).
    fn refusal(&self, iq: &Iq<'_>) -> StanzaCondition {
        let namespace = iq.payload().map(ElementRef::namespace);
        let known = self.handlers.iter().any(|(selector, _)| {
            selector.stanza == StanzaKind::Iq && Some(&*selector.namespace) == namespace
        });
        if known {
            StanzaCondition::FeatureNotImplemented
        } else {
            StanzaCondition::ServiceUnavailable
        }
    }
}

/// Where a stanza goes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Routed<'m, 'a, H, R> {
    /// To this handler, which answers when it is a request.
    Handler {
        /// Who was registered.
        handler: &'m H,
        /// The stanza.
        stanza: Stanza<'a>,
        /// The payload that it was found by.
        payload: ElementRef<'a>,
    },
    /// It is the reply to one of our requests.
    Reply {
        /// What was kept with the request.
        request: R,
        /// The reply, a result or an error.
        stanza: Stanza<'a>,
    },
    /// A message or presence without a payload that anybody handles.
    Unhandled(Stanza<'a>),
    /// It was refused; the error has been written.
    Answered,
    /// It is a reply that nobody waits for, or so malformed that no answer is due.
    Ignored,
}

/// What became of a request that was not replied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<R> {
    /// No reply came in time. One that comes now is ignored.
    Expired(R),
    /// The stream ended first.
    Lost(R),
}

/// Which stanzas a handler gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    stanza: StanzaKind,
    kind: Option<IqType>,
    namespace: Box<str>,
    name: Box<str>,
}

impl Selector {
    /// Requests of type `get` with that payload.
    #[must_use]
    pub fn iq_get(name: &str, namespace: &str) -> Self {
        Self::new(StanzaKind::Iq, Some(IqType::Get), name, namespace)
    }

    /// Requests of type `set` with that payload.
    #[must_use]
    pub fn iq_set(name: &str, namespace: &str) -> Self {
        Self::new(StanzaKind::Iq, Some(IqType::Set), name, namespace)
    }

    /// Messages with that payload; of several that are handled the first one counts.
    #[must_use]
    pub fn message(name: &str, namespace: &str) -> Self {
        Self::new(StanzaKind::Message, None, name, namespace)
    }

    /// Presence with that payload; of several that are handled the first one counts.
    #[must_use]
    pub fn presence(name: &str, namespace: &str) -> Self {
        Self::new(StanzaKind::Presence, None, name, namespace)
    }

    fn new(stanza: StanzaKind, kind: Option<IqType>, name: &str, namespace: &str) -> Self {
        Self {
            stanza,
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    fn key(&self) -> (StanzaKind, Option<IqType>, &str, &str) {
        (self.stanza, self.kind, &self.namespace, &self.name)
    }

    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// Why a request must not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestError {
    /// A request of that id is open.
    SameId,
    /// As many requests are open as may be.
    TooMany,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SameId => "a request with the same id is open",
            Self::TooMany => "too many requests are open",
        })
    }
}

impl core::error::Error for RequestError {}

#[derive(Debug)]
struct Request<R> {
    to: Option<Jid>,
    token: R,
    deadline: Instant,
}
