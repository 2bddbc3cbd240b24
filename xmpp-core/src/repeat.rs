//! Requests that come twice, and are to be carried out once.
//!
//! Some devices send a request again, with the same id, when they got no answer. A request that switches
//! something must not switch it twice: [`Repeats`] keeps the answers of a while and gives them again.
//!
//! ```
//! use xmpp_core::repeat::{Repeated, Repeats};
//! use xmpp_core::stanza::Stanza;
//! use xmpp_core::time::Instant;
//! use xmpp_xml::Element;
//!
//! let element: Element = "<iq xmlns='jabber:client' type='set' id='7' from='a@b/c'>\
//!                         <set xmlns='urn:xmpp:iot:control'/></iq>".parse()?;
//! let Stanza::Iq(iq) = Stanza::parse(element.root())? else { unreachable!() };
//!
//! let (mut repeats, now) = (Repeats::new(), Instant::ORIGIN);
//! let Repeated::New(key) = repeats.handle_request(&iq, now) else { unreachable!() };
//! // While it is carried out, it comes again: nothing is to be done, its answer is on the way.
//! assert_eq!(repeats.handle_request(&iq, now), Repeated::InProgress);
//! repeats.keep(&key, b"<iq type='result' id='7' to='a@b/c'/>");
//! // And after it was answered: the same answer again.
//! assert_eq!(
//!     repeats.handle_request(&iq, now),
//!     Repeated::Answered(b"<iq type='result' id='7' to='a@b/c'/>".to_vec()),
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::time::Duration;

use sha2::{Digest, Sha256};

use crate::jid::JidRef;
use crate::stanza::Iq;
use crate::time::Instant;

/// The answers of a while, by who asked, under which id, and what.
///
/// A request that is different from the one before counts as new, whatever its id. Answers are kept for
/// 60 s after the request; at most 1,024 of them, and at most 256 KiB, of which the oldest go first.
#[derive(Debug)]
pub struct Repeats {
    lifetime: Duration,
    limit: usize,
    bytes_limit: usize,
    bytes: usize,
    known: BTreeMap<RequestKey, Known>,
    /// In the order in which they came.
    order: VecDeque<(RequestKey, Instant)>,
}

impl Repeats {
    /// Nothing was asked yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            lifetime: Duration::from_secs(60),
            limit: 1024,
            bytes_limit: 262_144,
            bytes: 0,
            known: BTreeMap::new(),
            order: VecDeque::new(),
        }
    }

    /// For how long a request is known after it came. Default: 60 s.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// How many requests are known. Default: 1,024. Each costs about 100 bytes and its answer.
    #[must_use]
    pub fn limit(mut self, requests: usize) -> Self {
        self.limit = requests;
        self
    }

    /// How many bytes all answers may take. Default: 256 KiB. A request whose answer is larger than that
    /// is carried out again.
    #[must_use]
    pub fn bytes_limit(mut self, bytes: usize) -> Self {
        self.bytes_limit = bytes;
        self
    }

    /// How many requests are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether no request is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// A request has arrived: tells what is to be done about it.
    pub fn handle_request(&mut self, request: &Iq<'_>, now: Instant) -> Repeated {
        while let Some((_, since)) = self.order.front() {
            if now.saturating_since(*since) < self.lifetime {
                break;
            }
            self.forget_oldest();
        }
        let key = RequestKey::of(request);
        if let Some(known) = self.known.get(&key) {
            return match &known.answer {
                Some(answer) => Repeated::Answered(answer.to_vec()),
                None => Repeated::InProgress,
            };
        }
        while self.known.len() >= self.limit.max(1) {
            self.forget_oldest();
        }
        self.known.insert(key.clone(), Known { answer: None });
        self.order.push_back((key.clone(), now));
        Repeated::New(key)
    }

    /// The request was answered with these bytes. Nothing happens if it is forgotten by now.
    pub fn keep(&mut self, key: &RequestKey, answer: &[u8]) {
        if answer.len() > self.bytes_limit {
            self.forget(key);
            return;
        }
        while self.bytes.saturating_add(answer.len()) > self.bytes_limit {
            // What came last is what may come again: the oldest go, and if that is all, this one.
            if self.order.is_empty() {
                break;
            }
            self.forget_oldest();
        }
        if let Some(known) = self.known.get_mut(key)
            && known.answer.is_none()
        {
            known.answer = Some(answer.into());
            self.bytes = self.bytes.saturating_add(answer.len());
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((key, _)) = self.order.pop_front() {
            self.remove(&key);
        }
    }

    fn forget(&mut self, key: &RequestKey) {
        self.order.retain(|(known, _)| known != key);
        self.remove(key);
    }

    fn remove(&mut self, key: &RequestKey) {
        if let Some(known) = self.known.remove(key) {
            let bytes = known.answer.map_or(0, |answer| answer.len());
            self.bytes = self.bytes.saturating_sub(bytes);
        }
    }
}

impl Default for Repeats {
    fn default() -> Self {
        Self::new()
    }
}

/// What is to be done about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repeated {
    /// It has not been there before: carry it out, and give its answer to [`Repeats::keep`] with this key.
    New(RequestKey),
    /// It is being carried out: do nothing.
    InProgress,
    /// It was carried out, and this was the answer: send it again.
    Answered(Vec<u8>),
}

/// Stands for a request: a hash of who asked, under which id, and what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestKey([u8; 32]);

impl RequestKey {
    fn of(request: &Iq<'_>) -> Self {
        let payload = request.payload().map_or("", |payload| payload.bytes());
        let from = request.from().map_or("", JidRef::as_str);
        let mut hash = Sha256::new();
        for part in [from, request.id(), request.kind().as_str(), payload] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

#[derive(Debug)]
struct Known {
    answer: Option<Box<[u8]>>,
}
